//! How operations went for each persona, against the response time that it accepts.

use super::{
    Panel,
    pieces::{Empty, known, name, range},
};
use crate::render::{
    chart::{Band, Room, Scale, Words, amount},
    html::NotWritten,
    words::count,
};
use askama::Template;
use milepost_judge::{
    Metric, Panels,
    report::Persona,
    scorecard::{Judgement, Target},
};
use milepost_record::Dimension;

/// How many personas are shown.
const PERSONAS_MAX: usize = 40;

#[derive(Template)]
#[template(path = "panel/personas.html", whitespace = "minimize")]
struct Body {
    rows: Vec<Row>,
    more: usize,
    /// What feeds those that nobody has seen.
    lacking: Option<String>,
    empty: Option<Empty>,
}

struct Row {
    name: String,
    limit: String,
    /// `None` where nothing is known.
    p95: Option<String>,
    sure: String,
    side: &'static str,
    band: Option<Band>,
    n: String,
    success: String,
}

pub(crate) fn personas(panels: &Panels) -> Result<Panel, NotWritten> {
    let intervals = panels.personas_p95_ms.iter().copied().chain(std::iter::repeat([None, None]));
    let mut personas: Vec<_> = panels.report.personas.iter().zip(intervals).collect();
    // Those beyond their limits first, then those that nobody has seen, those within, and those that have no limit.
    personas.sort_by_key(|(persona, _)| (rank(persona), persona.persona.clone()));
    let more = personas.len().saturating_sub(PERSONAS_MAX);
    personas.truncate(PERSONAS_MAX);
    let drawn: Vec<Judgement> = personas.iter().map(|(persona, interval)| drawn(persona, *interval)).collect();
    let scale = Scale::of(&drawn.iter().collect::<Vec<_>>());
    let is_fed = |(persona, _): &(&Persona, _)| persona.persona.is_some() && persona.figures.count > 0;
    let is_lacking = personas.iter().any(|(persona, _)| persona.persona.is_some() && persona.figures.count == 0);
    let command = Metric::SuccessRate.fed_by(milepost_judge::Unit::PERCENT, Some(&Dimension::Persona));
    let is_seen = personas.iter().any(is_fed);
    let lacking = (is_seen && is_lacking).then(|| command.clone());
    let empty = (!is_seen).then(|| Empty::new("No operation of a persona came in", command));
    let rows = personas.iter().zip(&drawn).map(|((persona, _), drawn)| Row::new(persona, drawn, &scale)).collect();
    Ok(Panel { id: "personas", title: "Personas", body: Body { rows, more, lacking, empty }.render()? })
}

/// Which side of its limit a persona is on.
fn rank(persona: &Persona) -> u8 {
    match (persona.limit_ms, persona.figures.count, persona.figures.p95_ms) {
        (None, ..) => 3,
        (Some(_), 0, _) => 1,
        (Some(limit), _, p95) if p95.map_or(is_endless(persona), |p95| p95 > limit) => 0,
        _ => 2,
    }
}

/// Whether failures decide the P95.
const fn is_endless(persona: &Persona) -> bool {
    persona.figures.p95_ms.is_none() && persona.figures.failed > 0
}

/// What there is to draw; it judges nothing.
fn drawn(persona: &Persona, interval: [Option<f64>; 2]) -> Judgement {
    let target = |limit| Target { below: Some(limit), at_most: None, above: None, at_least: None, unit: "ms".to_owned() };
    Judgement {
        n: persona.figures.count,
        successes: is_endless(persona).then_some(persona.figures.ok),
        estimate: persona.figures.p95_ms,
        interval,
        target: persona.limit_ms.map(target),
        unit: "ms".to_owned(),
        ..Judgement::nothing()
    }
}

impl Row {
    fn new(persona: &Persona, drawn: &Judgement, scale: &Scale) -> Self {
        let name = name(persona.persona.as_deref(), "nobody in particular");
        let figures = &persona.figures;
        let p95 = match figures.p95_ms {
            Some(p95) => Some(amount(p95, "ms")),
            None => is_endless(persona).then(|| "∞".to_owned()),
        };
        let title = format!("{name}, P95: {}", p95.as_deref().unwrap_or("not known"));
        let words = Words { title, description: String::new(), table: "personas-numbers".to_owned() };
        let side = match rank(persona) {
            0 => "beyond the limit",
            2 if p95.is_some() => "within",
            _ => "",
        };
        Self {
            limit: known(persona.limit_ms, "ms").unwrap_or_default(),
            sure: if p95.is_some() { range(drawn.interval, "ms") } else { String::new() },
            side,
            band: Band::new(drawn, true, scale, Room::Cell, words),
            n: count(figures.count),
            success: known(figures.success_rate, "%").unwrap_or_default(),
            p95,
            name,
        }
    }
}
