//! A badge: how some tiers stand, in a few words and a colour. As JSON for the endpoint badge of shields.io, and as SVG.
//!
//! It shows verdicts, not what a check lets pass: only where all criteria of the tiers are met is it green.

use super::{
    words::{counts, listed, moment, plain, word},
    xml::escaped,
};
use milepost_judge::{Scorecard, Tier, Verdict, conjunction, scorecard::Severity};
use serde::Serialize;

/// As much of the project's name is in the title.
const PROJECT_CHARS_MAX: usize = 80;

/// What <https://shields.io/badges/endpoint-badge> reads.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Endpoint {
    schema_version: u8,
    label: String,
    message: String,
    color: &'static str,
    /// Whoever embeds the badge cannot paint it in another colour then.
    is_error: bool,
}

struct Badge {
    label: String,
    message: String,
    /// The name that shields.io has for the colour, and one on which white is easy to read.
    color: (&'static str, &'static str),
    is_met: bool,
}

/// The badge of these tiers as JSON.
///
/// # Errors
/// Where it cannot be written, which does not happen to words and numbers.
pub fn json(scorecard: &Scorecard, tiers: &[Tier]) -> Result<String, serde_json::Error> {
    let Badge { label, message, color: (color, _), is_met } = badge(scorecard, tiers);
    Ok(serde_json::to_string_pretty(&Endpoint { schema_version: 1, label, message, color, is_error: !is_met })? + "\n")
}

/// The badge of these tiers as SVG, which needs no network, no font and no script.
#[must_use]
pub fn svg(scorecard: &Scorecard, tiers: &[Tier]) -> String {
    let Badge { label, message, color: (_, color), .. } = badge(scorecard, tiers);
    let project = plain(&scorecard.project, PROJECT_CHARS_MAX);
    let title = escaped(&format!("{project}, {label}: {message} (judged {})", moment(scorecard.generated_at)));
    let (left, right) = (width(&label), width(&message));
    let all = left + right;
    let text = |at: usize, room: usize, words: &str| {
        let (middle, length) = (at + room / 2, room - 2 * MARGIN);
        format!("<text x=\"{middle}\" y=\"14\" textLength=\"{length}\" lengthAdjust=\"spacingAndGlyphs\">{}</text>\n", escaped(words))
    };
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{all}\" height=\"20\" role=\"img\" aria-label=\"{title}\">\n\
         <title>{title}</title>\n\
         <clipPath id=\"r\"><rect width=\"{all}\" height=\"20\" rx=\"3\"/></clipPath>\n\
         <g clip-path=\"url(#r)\"><rect width=\"{left}\" height=\"20\" fill=\"#3b3a37\"/>\
         <rect x=\"{left}\" width=\"{right}\" height=\"20\" fill=\"{color}\"/></g>\n\
         <g aria-hidden=\"true\" fill=\"#fff\" text-anchor=\"middle\" font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\">\n\
         {}{}</g>\n</svg>\n",
        text(0, left, &label),
        text(left, right, &message)
    )
}

const MARGIN: usize = 6;

/// How wide a text of ours is: about seven pixels a character in Verdana, which `textLength` makes exact.
fn width(words: &str) -> usize {
    words.chars().count() * 7 + 2 * MARGIN
}

fn badge(scorecard: &Scorecard, tiers: &[Tier]) -> Badge {
    let of = || scorecard.criteria.iter().filter(|c| c.tier.is_some_and(|tier| tiers.contains(&tier))).map(|c| &c.judgement);
    let names: Vec<_> = Tier::ALL.iter().filter(|tier| tiers.contains(tier)).map(|tier| tier.name().to_owned()).collect();
    let verdict = conjunction(of().map(|judgement| judgement.verdict));
    let counts = counts(of().map(|judgement| judgement.verdict));
    let met = counts.iter().find(|(verdict, _)| *verdict == Verdict::Met).map_or(0, |(_, n)| *n);
    let met = format!("{met} of {} met", of().count());
    let message = match (counts.as_slice(), counts.iter().find(|(verdict, _)| *verdict != Verdict::Met)) {
        ([], _) => "none".to_owned(),
        (_, None) => met,
        ([_], Some((only, _))) if *only != Verdict::Missed => word(*only).to_owned(),
        (_, Some((worst, n))) => format!("{met}, {n} {}", word(*worst)),
    };
    let mut missed = of().filter(|judgement| judgement.verdict == Verdict::Missed);
    let color = match verdict {
        Verdict::Met => ("brightgreen", "#12683f"),
        Verdict::Missed if missed.all(|judgement| judgement.severity == Some(Severity::Amber)) => ("orange", "#875000"),
        Verdict::Missed => ("red", "#a8261d"),
        Verdict::NotProven => ("blue", "#3d5880"),
        Verdict::NoData | Verdict::Stale => ("lightgrey", "#5f5e5a"),
    };
    Badge { label: format!("{} criteria", listed(&names)), message, color, is_met: verdict == Verdict::Met }
}
