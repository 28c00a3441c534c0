//! The sentences of every format: what a scorecard's numbers say, in words.

use crate::render::chart::{self, amount};
use jiff::civil::Date;
use milepost_judge::{
    Failures, MemoryStatistic, Metric, Scorecard, Tier, Verdict,
    misses::Share,
    scorecard::{Beside, Budget, CriterionResult, Figure, GroupResult, Judgement, Leaning, LeftOut, ProbableChange, Reason, Since},
};
use milepost_record::{Kind, Timestamp};
use std::time::Duration;

/// Names beyond this many characters are cut.
pub(crate) const NAME_CHARS_MAX: usize = 100;
/// Names beyond this many characters are cut on the page, where a long one can stand in a dozen places.
pub(crate) const PAGE_NAME_CHARS_MAX: usize = 48;
/// Advice and other sentences beyond this many characters are cut on the page.
pub(crate) const TEXT_CHARS_MAX: usize = 300;

/// What is said of a criterion in one line is cut beyond this many characters.
const LINE_CHARS_MAX: usize = 1000;

/// What to do next, and the command for it.
pub(crate) struct Advice {
    pub(crate) text: String,
    pub(crate) command: Option<String>,
}

/// Did we meet it?
pub(crate) fn answer(scorecard: &Scorecard) -> &'static str {
    let must = scorecard.criteria.iter().any(|criterion| criterion.tier == Some(Tier::Must));
    match scorecard.verdict {
        _ if scorecard.criteria.is_empty() => "No criteria yet.",
        _ if !must => "Nothing has to be met.",
        Verdict::Met => "Yes.",
        Verdict::Missed => "No.",
        Verdict::NotProven => "Not proven yet.",
        Verdict::NoData => "Not known.",
        Verdict::Stale => "Not known any more.",
    }
}

/// The sentence below the answer: how many criteria of tier `must` have which verdict.
pub(crate) fn lead(scorecard: &Scorecard) -> String {
    let must = || scorecard.criteria.iter().filter(|c| c.tier == Some(Tier::Must)).map(|c| c.judgement.verdict);
    match (counts(must()).as_slice(), must().count()) {
        _ if scorecard.criteria.is_empty() => "Nobody has decided yet what success means for this project.".to_owned(),
        ([], _) => "No criterion is in tier must. The others are below.".to_owned(),
        ([(verdict, 1)], _) => format!("The one must criterion {}.", predicate(*verdict, 1)),
        ([(Verdict::NoData, _)], of) => format!("None of the {of} must criteria has data."),
        ([(Verdict::NotProven, _)], of) => format!("None of the {of} must criteria is proven, and none is missed."),
        ([(verdict, 2)], _) => format!("Both must criteria {}.", predicate(*verdict, 2)),
        ([(verdict, _)], of) => format!("All {of} must criteria {}.", predicate(*verdict, of)),
        (several, of) => {
            let parts: Vec<_> = several.iter().map(|(verdict, n)| format!("{n} {}", predicate(*verdict, *n))).collect();
            format!("Of {of} must criteria, {}.", listed(&parts))
        }
    }
}

/// How often each verdict occurs; those that do not are left out.
pub(crate) fn counts(verdicts: impl Iterator<Item = Verdict>) -> Vec<(Verdict, usize)> {
    let verdicts: Vec<_> = verdicts.collect();
    [Verdict::Met, Verdict::Missed, Verdict::NotProven, Verdict::Stale, Verdict::NoData]
        .into_iter()
        .map(|verdict| (verdict, verdicts.iter().filter(|v| **v == verdict).count()))
        .filter(|(_, n)| *n > 0)
        .collect()
}

/// A verdict as a word.
pub(crate) const fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Met => "met",
        Verdict::Missed => "missed",
        Verdict::NotProven => "not proven",
        Verdict::NoData => "no data",
        Verdict::Stale => "stale",
    }
}

const fn predicate(verdict: Verdict, n: usize) -> &'static str {
    match (verdict, n) {
        (Verdict::Met, 1) => "is met",
        (Verdict::Met, _) => "are met",
        (Verdict::Missed, 1) => "is missed",
        (Verdict::Missed, _) => "are missed",
        (Verdict::NotProven, 1) => "is not proven",
        (Verdict::NotProven, _) => "are not proven",
        (Verdict::NoData, 1) => "has no data",
        (Verdict::NoData, _) => "have no data",
        (Verdict::Stale, 1) => "is stale",
        (Verdict::Stale, _) => "are stale",
    }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// One line for the headline: what to do about a criterion that is not met.
pub(crate) fn action(criterion: &CriterionResult) -> Advice {
    let judgement = &criterion.judgement;
    match advice(criterion) {
        Some(advice) if judgement.verdict != Verdict::Missed => advice,
        // A miss is news by its number; what to do about it is for people to find.
        advice => {
            // Of several things that are demanded, the first that is missed says what is missing.
            let part = criterion.parts.iter().map(|part| &part.judgement).find(|part| part.verdict == Verdict::Missed);
            let shown = part.unwrap_or(judgement);
            let of = part.and_then(|part| part.metric.as_deref()).map(|metric| format!("{}: ", plain(metric, PAGE_NAME_CHARS_MAX)));
            let target = shown.target.as_ref().map(|target| format!(", target {}", chart::sign(target))).unwrap_or_default();
            let now = shown.estimate.map(|estimate| format!("{}now {}{target}", of.unwrap_or_default(), amount(estimate, &shown.unit)));
            let now = now.map(|now| if part.is_some() { now } else { capital(&now) });
            let text = now.into_iter().chain(advice.map(|advice| advice.text)).collect::<Vec<_>>().join("; ");
            Advice { text, command: None }
        }
    }
}

/// The criterion's advice, with the command for it.
pub(crate) fn advice(criterion: &CriterionResult) -> Option<Advice> {
    let judgement = &criterion.judgement;
    let advice = judgement.advice.as_deref()?;
    // Where groups are listed it begins with the name of one, which stays as it is.
    let named = !criterion.groups.is_empty() && judgement.verdict != Verdict::NoData;
    let text = if named { advice.to_owned() } else { capital(advice) };
    Some(Advice { text: plain(&text, TEXT_CHARS_MAX), command: judgement.command.as_deref().map(|c| plain(c, TEXT_CHARS_MAX)) })
}

/// Why a criterion is not met, in one line: where it stands, what to do, and what was before. Cut where it is too long.
pub(crate) fn in_one_line(criterion: &CriterionResult) -> String {
    let judgement = &criterion.judgement;
    let advice = action(criterion);
    let standing = if judgement.verdict == Verdict::Missed { Vec::new() } else { standing(judgement, Some(&advice)) };
    let says_more = !advice.text.is_empty() && !says_needs_only(criterion, &advice);
    let command = advice.command.as_deref().map(|command| format!(": {command}")).unwrap_or_default();
    let next = says_more.then(|| format!("{}{command}.", advice.text.trim_end_matches('.')));
    let sentences: Vec<_> = standing.into_iter().chain(next).chain(remarks(criterion)).collect();
    plain(&sentences.join(" "), LINE_CHARS_MAX).replace('\u{a0}', " ")
}

/// Whether advice says only what [`standing`] says already: how many more it takes.
pub(crate) fn says_needs_only(criterion: &CriterionResult, advice: &Advice) -> bool {
    let judgement = &criterion.judgement;
    let plain_need = judgement.verdict == Verdict::NotProven && matches!(judgement.reason, None | Some(Reason::TooFew));
    plain_need && criterion.groups.is_empty() && criterion.parts.is_empty() && advice.command.is_none() && needs(judgement).is_some()
}

/// Why the verdict is what it is, beside the numbers; a sentence each. What `advice` says is not said twice.
pub(crate) fn standing(judgement: &Judgement, advice: Option<&Advice>) -> Vec<String> {
    let limit = judgement.target.as_ref().and_then(chart::bound).map(|(_, limit)| amount(limit, &judgement.unit));
    let leaning = judgement.leaning.zip(limit).map(|(leaning, limit)| match (judgement.estimate, leaning) {
        (Some(estimate), Leaning::Inside) => format!("currently {}, inside {limit}", amount(estimate, &judgement.unit)),
        (Some(estimate), Leaning::Outside) => format!("currently {}, outside {limit}", amount(estimate, &judgement.unit)),
        (None, _) => format!("so many fail that there is no finite value, outside {limit}"),
    });
    let reason = judgement.reason.map(reason).filter(|reason| !advice.is_some_and(|a| a.text.to_lowercase().contains(reason)));
    let leans = leaning.into_iter().chain(needs(judgement)).collect::<Vec<_>>().join("; ");
    let endless = is_beyond(judgement).then(|| "so many fail that there is no finite value".to_owned());
    [Some(leans), endless, reason.map(str::to_owned)]
        .into_iter()
        .flatten()
        .filter(|text| !text.is_empty())
        .map(|text| format!("{}.", capital(&text)))
        .collect()
}

/// Whether so many fail that even the lower bound is no finite number.
fn is_beyond(judgement: &Judgement) -> bool {
    chart::is_endless(judgement) && judgement.verdict == Verdict::Missed
}

/// What a reader has to know beside the verdict of today: what was proven before, and what was taken out; a sentence each.
pub(crate) fn remarks(criterion: &CriterionResult) -> Vec<String> {
    const SHOWN_MAX: usize = 3;
    let was = criterion.was.map(|was| {
        let by = if was.same_definition { "" } else { ", by another definition" };
        format!("Was {} on {}{by}.", was.verdict.name().replace('_', " "), day_of(was.at))
    });
    let excluded = criterion.excluded.iter().rev().take(SHOWN_MAX).map(|excluded| {
        let reason = excluded.reason.as_deref().map(|reason| format!(" ({})", plain(reason, NAME_CHARS_MAX))).unwrap_or_default();
        format!(
            "Excluded: {} to {}{reason}; it counts from {} on.",
            moment(excluded.from),
            moment(excluded.to),
            moment(excluded.counts_again())
        )
    });
    let misses = criterion.misses.as_ref().map(|misses| {
        let of = |shares: &[Share]| {
            let share = |share: &Share| format!("{} {}", plain(&share.name, NAME_CHARS_MAX), count(share.n));
            shares.iter().map(share).collect::<Vec<_>>().join(", ")
        };
        let failed = (misses.failed > 0).then(|| format!(" Failed ({}): {}.", count(misses.failed), of(&misses.categories)));
        format!("Misses ({}): {}.{}", count(misses.n), of(&misses.operations), failed.unwrap_or_default())
    });
    let more = criterion.excluded.len().saturating_sub(SHOWN_MAX);
    let more = (more > 0).then(|| format!("And {more} more periods were excluded."));
    let groups = criterion.groups.iter().chain(criterion.parts.iter().flat_map(|part| &part.groups)).filter(|group| group.judged);
    let alone = std::iter::once(&criterion.judgement).chain(criterion.parts.iter().map(|part| &part.judgement));
    let fell_back: Vec<String> = alone
        .filter_map(|judgement| judgement.fell_back.map(day))
        .chain(groups.filter_map(|group| Some(format!("{} ({})", day(group.judgement.fell_back?), plain(group.name(), NAME_CHARS_MAX)))))
        .take(SHOWN_MAX)
        .collect();
    let fell_back =
        (!fell_back.is_empty()).then(|| format!("Fell back after it was met: {}; it is judged by what came after.", fell_back.join(", ")));
    misses.into_iter().chain(fell_back).chain(was).chain(excluded).chain(more).collect()
}

/// How many more events it takes.
pub(crate) fn needs(judgement: &Judgement) -> Option<String> {
    let best = judgement.at_least_more?;
    let rate = match judgement.projected_more {
        Some(projected) if projected > best => format!(", about {} at the current rate", count(projected)),
        None if judgement.leaning == Some(Leaning::Outside) => ", all of them good; it is not on track".to_owned(),
        _ => String::new(),
    };
    Some(format!("at least {} more needed{rate}", count(best)))
}

/// In the words of the judge's advice where that says the same, so that the page can tell.
pub(crate) const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::TooFew => "fewer than ten events",
        Reason::SingleDay => "all events are of one day",
        Reason::FellBack => "nothing has come in since it fell back",
        Reason::GroupWithoutData => "a group that has to be there has no events",
        Reason::OneOfMany => "one group misses it, and among so many one may by chance",
        Reason::TooManyGroups => "there are more groups than are told apart",
        Reason::RunTooShort => "no run of readings lasted an hour",
        Reason::IncompleteRun => "readings that were due are missing or incomplete",
        Reason::UnitMismatch => "the readings are not in a unit that compares with the target's",
        Reason::NoRelease => "nothing says which version is current",
        Reason::GrowthUnclear => "the run is too short to rule out that memory grows",
        Reason::LeakSuspected => "memory grows faster than noise explains",
        Reason::OpenMonth => "no month that counts is over and was read after its end",
        Reason::FewLabels => "fewer than four in five interactions are labelled",
        Reason::EmptyArm => "one arm of the experiment has no labelled interactions",
        Reason::SampleRatio => "far more people are in one arm than chance explains",
        Reason::ArmsApart => "the arms hardly ran at the same time",
    }
}

/// What a group waits for.
pub(crate) fn next_of_group(group: &GroupResult) -> String {
    let judgement = &group.judgement;
    let next = match judgement.verdict {
        Verdict::Met => (group.holds_alone == Some(false)).then(|| "not enough to be picked out alone".to_owned()),
        Verdict::NotProven if judgement.reason.is_none() => needs(judgement),
        Verdict::NoData => needs(judgement).or_else(|| Some("no events".to_owned())),
        _ => judgement.advice.clone(),
    };
    plain(&capital(&next.unwrap_or_default()), TEXT_CHARS_MAX)
}

fn metric(judgement: &Judgement) -> Option<Metric> {
    judgement.metric.as_deref().and_then(|metric| metric.parse().ok())
}

/// Whether what was observed is a sample of something larger, so that an interval belongs to it.
pub(crate) fn is_sampled(judgement: &Judgement) -> bool {
    let metric = metric(judgement);
    // The slope of a series is as uncertain as any estimate, though its values were measured.
    metric == Some(Metric::Memory(MemoryStatistic::Slope))
        || matches!(metric.map(|metric| metric.kind()), Some(Kind::Operation | Kind::Interaction | Kind::Session))
}

/// The estimate in running text.
pub(crate) fn value(judgement: &Judgement) -> String {
    match judgement.estimate {
        Some(estimate) => amount(estimate, &judgement.unit),
        None if chart::is_endless(judgement) => "no finite value".to_owned(),
        None => "not known".to_owned(),
    }
}

/// How sure the estimate is.
pub(crate) fn sure(judgement: &Judgement) -> String {
    let written = |v: f64| amount(v, &judgement.unit);
    let has_value = judgement.estimate.is_some() || chart::is_endless(judgement);
    match (has_value, is_sampled(judgement), judgement.interval) {
        (false, ..) if judgement.n == 0 => "nothing was observed".to_owned(),
        (false, ..) => "no value yet".to_owned(),
        (_, false, _) => "measured directly, not sampled".to_owned(),
        (_, _, [None, None]) if is_beyond(judgement) => "95% confidence: beyond every duration that was measured".to_owned(),
        (_, _, [Some(low), Some(high)]) => format!("95% confidence: {} to {}", written(low), written(high)),
        (_, _, [Some(low), None]) => format!("95% confidence: {} or more, no upper bound yet", written(low)),
        (_, _, [None, Some(high)]) => format!("95% confidence: {} or less, no lower bound yet", written(high)),
        (_, _, [None, None]) => "95% confidence: no bound yet on either side".to_owned(),
    }
}

/// What a judgement rests on, row by row.
pub(crate) fn facts(judgement: &Judgement) -> Vec<(&'static str, String)> {
    let other = judgement.other_convention.as_ref().map(|other| {
        let convention = match other.failures {
            Failures::Slow => "If failures were slow",
            Failures::Exclude => "Without failures",
        };
        let estimate = other.estimate.map_or_else(|| "no finite value".to_owned(), |v| amount(v, &judgement.unit));
        (convention, format!("{estimate}; {} of {} within the limit", count(other.successes), count(other.n)))
    });
    let left_out = judgement.left_out.iter().map(|(why, n)| format!("{} {}", count(*n), left_out(*why))).collect::<Vec<_>>();
    [
        Some(("Observed", value(judgement))),
        (judgement.n > 0).then(|| ("How sure", capital(&sure(judgement)))),
        judgement.target.as_ref().map(|target| ("Target", chart::sign(target))),
        Some(("Rests on", capital(&seen(judgement)))),
        (!left_out.is_empty()).then(|| ("Left out", left_out.join(", "))),
        needs(judgement).map(|needs| ("To a verdict", capital(&needs))),
        other,
        judgement.error_budget.as_ref().map(|budget| ("Error budget", budget_used(budget))),
        judgement.newest_event.map(|at| ("Newest event", moment(at))),
    ]
    .into_iter()
    .flatten()
    .chain(judgement.changes.iter().map(|change| ("Probable change", probable(change, &judgement.unit))))
    .chain(judgement.beside.iter().map(|figure| (beside(figure.what), written(figure))))
    .collect()
}

fn budget_used(budget: &Budget) -> String {
    let share = if budget.allowed > 0.0 { format!(" ({:.0}%)", 100.0 * budget.used as f64 / budget.allowed) } else { String::new() };
    // Never rounded to none: a budget of 0.4 is less than one failure.
    let allowed = if budget.allowed < 10.0 { format!("{:.1}", budget.allowed) } else { format!("{:.0}", budget.allowed) };
    format!("{} of the {allowed} failures that the goal allows{share}", count(budget.used))
}

/// A hint, in words.
pub(crate) fn probable(change: &ProbableChange, unit: &str) -> String {
    let by = change.change.map(|by| format!(", {:+.0}%", 100.0 * by)).unwrap_or_default();
    let machines = if change.same_hosts == Some(false) { ", on other machines than before" } else { "" };
    let how = if change.is_trend { "little by little from " } else { "" };
    format!("{how}{}: {} to {}{by}{machines}", day(change.from), amount(change.before, unit), amount(change.after, unit))
}

const fn beside(what: Beside) -> &'static str {
    match what {
        Beside::WithinLimit => "Within the limit",
        Beside::MedianAtOneLook => "At one look",
        Beside::LabelCoverage => "Labelled",
        Beside::WordErrorRate => "Word errors",
        Beside::PeopleInGeneral => "In general",
        Beside::WithLearning => "With learning",
        Beside::WithoutLearning => "Without learning",
        Beside::RelativeImprovement => "Relative change",
        Beside::MonthlyMean => "Monthly mean",
        Beside::Contributors => "Contributors",
        Beside::Interpolated => "As NumPy has it",
        Beside::Growth => "Growth",
    }
}

/// A figure with where it lies.
fn written(figure: &Figure) -> String {
    let amount = |v: f64| amount(v, &figure.unit);
    let value = figure.value.map_or_else(|| "not reached".to_owned(), amount);
    match (figure.what, figure.interval) {
        (Beside::PeopleInGeneral, [None, None]) => format!("{value}, too few people to generalise"),
        (_, [Some(low), Some(high)]) => format!("{value}, 95% confidence: {} to {}", amount(low), amount(high)),
        (_, [Some(low), None]) => format!("{value}, 95% confidence: {} or more", amount(low)),
        (_, [None, Some(high)]) => format!("{value}, 95% confidence: {} or less", amount(high)),
        (_, [None, None]) => value,
    }
}

/// How many events, and how many of them are not within the limit.
pub(crate) fn seen(judgement: &Judgement) -> String {
    let metric = metric(judgement);
    let (one, many) = match (&metric, metric.as_ref().map(Metric::kind)) {
        (Some(Metric::FirstSuccess), _) => ("new person", "new people"),
        (Some(Metric::RetentionWeek4), _) => ("person", "people"),
        (Some(Metric::ContributionsMonth), _) => ("month", "months"),
        (_, Some(Kind::Operation)) => ("operation", "operations"),
        (_, Some(Kind::Interaction)) => ("interaction", "interactions"),
        (_, Some(Kind::Memory | Kind::Measurement)) => ("reading", "readings"),
        _ => ("event", "events"),
    };
    let (good, bad) = match metric {
        Some(Metric::SuccessRate) => ("all succeeded", "failed"),
        Some(Metric::LearningAccuracy | Metric::VoiceAccuracy) => ("all understood", "not understood"),
        Some(Metric::RetentionWeek4) => ("all came back", "did not come back"),
        _ => ("all within the limit", "not within the limit"),
    };
    let within = match judgement.failures {
        Some(0) => format!(", {good}"),
        Some(failures) => format!(", {} {bad}", count(failures)),
        None => String::new(),
    };
    match judgement.n {
        0 => format!("no {many}"),
        n => format!("{} {}{within}", count(n), if n == 1 { one } else { many }),
    }
}

pub(crate) const fn left_out(why: LeftOut) -> &'static str {
    match why {
        LeftOut::Cancelled => "cancelled",
        LeftOut::DryRun => "dry runs",
        LeftOut::Failed => "failed",
        LeftOut::Incomplete => "incomplete readings",
        LeftOut::Unmeasured => "without a duration",
        LeftOut::Unlabelled => "without a label",
        LeftOut::Early => "first ones of a person",
        LeftOut::OtherArm => "in neither arm",
        LeftOut::Running => "still at it",
        LeftOut::Immature => "whose fourth week has not passed",
    }
}

/// What there is to see in the chart of the days.
pub(crate) fn trend(judgement: &Judgement) -> String {
    let values = || judgement.trend.iter().filter_map(|day| day.value);
    let range = values()
        .reduce(f64::min)
        .zip(values().reduce(f64::max))
        .map(|(low, high)| format!(", from {} to {}", amount(low, &judgement.unit), amount(high, &judgement.unit)));
    let days = judgement.trend.len();
    format!("{days} {} with events{}", if days == 1 { "day" } else { "days" }, range.unwrap_or_default())
}

/// From when on events count.
pub(crate) fn since(since: &Since) -> String {
    let from = if since.from.as_microseconds() == 0 { "The first event".to_owned() } else { moment(since.from) };
    match since.why.as_str() {
        "release" => "Events of the current version, whenever they happened".to_owned(),
        "quarter" => format!("{from}, when the quarter began"),
        "month" => format!("{from}, when the month began"),
        "criterion" => format!("{from}, when the criterion was first defined"),
        "changed" => format!("{from}, when its definition changed"),
        "date" => format!("{from}, as configured"),
        "excluded" => format!("{from}, after a period that was excluded"),
        why => format!("{from}, {}", plain(why, NAME_CHARS_MAX)),
    }
}

/// From when on events count, in a word or two.
pub(crate) fn since_short(since: &Since) -> String {
    if since.from.as_microseconds() == 0 || since.why == "release" { "the first event".to_owned() } else { moment(since.from) }
}

/// A point in time in UTC; the beginning of a day is the day.
pub(crate) fn moment(at: Timestamp) -> String {
    let day_us = 86_400_000_000;
    let format = if at.as_microseconds() % day_us == 0 { "%-d %b %Y" } else { "%-d %b %Y, %H:%M UTC" };
    at.to_jiff().strftime(format).to_string()
}

/// A moment in UTC, to the second.
pub(crate) fn second(at: Timestamp) -> String {
    at.to_jiff().strftime("%-d %b %Y, %H:%M:%S UTC").to_string()
}

/// The day of a moment in UTC.
fn day_of(at: Timestamp) -> String {
    at.to_jiff().strftime("%-d %b %Y").to_string()
}

/// A day.
pub(crate) fn day(date: Date) -> String {
    date.strftime("%-d %b %Y").to_string()
}

/// A duration in its largest unit.
pub(crate) fn age(age: Duration) -> String {
    let seconds = age.as_secs();
    let (n, unit) = match seconds {
        0..60 => return "less than a minute".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..172_800 => (seconds / 3600, "hour"),
        _ => (seconds / 86400, "day"),
    };
    format!("{} {unit}{}", count(n), if n == 1 { "" } else { "s" })
}

/// A whole number; from five digits on its thousands are apart.
pub(crate) fn count(n: u64) -> String {
    let digits = n.to_string();
    if digits.len() < 5 {
        return digits;
    }
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| String::from_utf8_lossy(group)).collect();
    groups.join(",")
}

/// With a capital first letter.
pub(crate) fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A text that may come from a stranger: cut where it is too long, and without control characters, those included that turn
/// the direction of the text around them. Escaping is the template's.
pub(crate) fn plain(text: &str, chars_max: usize) -> String {
    let harmless = |c: char| match c {
        '\n' | '\t' => ' ',
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    let mut cut: String = text.chars().take(chars_max).map(harmless).collect();
    if text.chars().nth(chars_max).is_some() {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_ages_read_well() {
        assert_eq!([0, 999, 1234, 12_345, 1_234_567].map(count), ["0", "999", "1234", "12,345", "1,234,567"]);
        let ages = [59, 60, 3599, 7200, 172_800].map(|s| age(Duration::from_secs(s)));
        assert_eq!(ages, ["less than a minute", "1 minute", "59 minutes", "2 hours", "2 days"]);
        assert_eq!(listed(&["a".to_owned(), "b".to_owned(), "c".to_owned()]), "a, b and c");
    }

    #[test]
    fn names_are_cut_and_cannot_turn_the_text_around_them() {
        assert_eq!(plain("a\u{202e}b\u{0}\nc", 10), "a\u{fffd}b\u{fffd} c");
        assert_eq!(plain("ééé", 3), "ééé");
        assert_eq!(plain("éééé", 3), "ééé…");
    }
}
