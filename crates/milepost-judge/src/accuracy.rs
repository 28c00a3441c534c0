//! How much the product understands: the verdicts on intents, spoken ones from the word to the intent included.
//!
//! Each labelled interaction is one draw; where nothing was recognised, it went wrong. The verdict is about these interactions.
//! What it says of people in general stands beside it, by clusters, and so does how many are labelled: where people label only
//! what went wrong, or only what went right, the share of right ones tells about labelling, and proves nothing.

use crate::{
    Metric, Verdict,
    always_valid::Counts,
    cluster::{Cluster, ClusteredRate},
    quantity::{Quantity, Unit},
    rule::Context,
    sample::judge_draws,
    scorecard::{Beside, Figure, Judgement, LeftOut, Reason},
};
use jiff::{civil::Date, tz::TimeZone};
use milepost_record::Understood;
use std::collections::BTreeMap;

/// A smaller share of labelled interactions proves nothing.
pub(crate) const LABELLED_MIN: f64 = 0.8;
/// The modality of what was spoken.
pub(crate) const VOICE: &str = "voice";
/// Of one look.
pub(crate) const CONFIDENCE: f64 = 0.95;

/// Judges the share of right intents on interactions in the order of time.
pub(crate) fn judge(context: Context<'_>, limit: Option<Quantity>, interactions: &[Understood]) -> Judgement {
    let is_of_voice = context.goal.metric == Metric::VoiceAccuracy;
    let mut judgement = context.blank(limit);
    let Counted { all, seen, labelled } = Counted::of(context, interactions);
    let left_out = [(LeftOut::Early, all - seen.len()), (LeftOut::Unlabelled, seen.len() - labelled.len())];
    judgement.left_out = left_out.into_iter().filter(|(_, n)| *n > 0).map(|(why, n)| (why, n as u64)).collect();
    let days = by_day(&context.criteria.calendar, &labelled);
    judgement.newest_event = labelled.iter().map(|(interaction, _)| interaction.at).max();
    judge_draws(context, limit, &days, &mut judgement);
    if judgement.n > 0 {
        let coverage = labelled.len() as f64 / seen.len() as f64;
        if coverage < LABELLED_MIN {
            withhold(&mut judgement, Reason::FewLabels);
        }
        judgement.beside.push(Context::beside(Beside::LabelCoverage, Unit::PERCENT, Some(coverage), None));
        judgement.beside.extend(in_general(&labelled));
        judgement.beside.extend(is_of_voice.then(|| word_errors(&seen)).flatten());
    }
    context.finish(judgement, limit)
}

/// What of some interactions counts.
pub(crate) struct Counted<'a> {
    /// Those that the criterion is about.
    all: usize,
    /// Of those, the ones beyond each person's first.
    seen: Vec<&'a Understood>,
    /// Of those, the ones that are labelled, each with whether it was right.
    pub(crate) labelled: Vec<(&'a Understood, bool)>,
}

impl<'a> Counted<'a> {
    pub(crate) fn of(context: Context<'_>, interactions: &'a [Understood]) -> Self {
        let is_of_voice = context.goal.metric == Metric::VoiceAccuracy;
        let all: Vec<&Understood> = interactions.iter().filter(|i| !is_of_voice || i.modality.as_deref() == Some(VOICE)).collect();
        let seen = after(&all, context.goal.after);
        let labelled = seen.iter().filter_map(|i| Some((*i, i.right?))).collect();
        Self { all: all.len(), seen, labelled }
    }
}

/// How many of each day's were right and wrong.
pub(crate) fn by_day(calendar: &TimeZone, labelled: &[(&Understood, bool)]) -> BTreeMap<Date, Counts> {
    let mut days: BTreeMap<_, Counts> = BTreeMap::new();
    for (interaction, right) in labelled {
        days.entry(interaction.at.to_jiff().to_zoned_datetime(calendar.clone()).date()).or_default().add(*right);
    }
    days
}

/// Takes a verdict back: what is lacking is not events.
pub(crate) fn withhold(judgement: &mut Judgement, reason: Reason) {
    (judgement.verdict, judgement.reason) = (Verdict::NotProven, Some(reason));
    (judgement.at_least_more, judgement.projected_more) = (None, None);
}

/// The interactions of each person beyond the first so many. Where nobody said how many a person had before, those of the epoch
/// are counted; interactions of nobody in particular are those of one person.
fn after<'a>(interactions: &[&'a Understood], first: u64) -> Vec<&'a Understood> {
    let mut seen: BTreeMap<Option<&str>, u64> = BTreeMap::new();
    let mut beyond = Vec::new();
    for interaction in interactions {
        let of_person = seen.entry(interaction.user.as_deref()).or_default();
        *of_person += 1;
        beyond.extend((interaction.index.unwrap_or(*of_person) > first).then_some(*interaction));
    }
    beyond
}

/// The share of right intents of each person who is told apart.
pub(crate) fn by_person(labelled: &[(&Understood, bool)]) -> Option<ClusteredRate> {
    let mut people: BTreeMap<&str, Cluster> = BTreeMap::new();
    for (interaction, right) in labelled {
        // What belongs to nobody says nothing of people in general.
        let of_person = people.entry(interaction.user.as_deref()?).or_default();
        of_person.n += 1;
        of_person.successes += u64::from(*right);
    }
    ClusteredRate::of(&people.into_values().collect::<Vec<_>>())
}

fn in_general(labelled: &[(&Understood, bool)]) -> Option<Figure> {
    let found = by_person(labelled)?;
    Some(Context::beside(Beside::PeopleInGeneral, Unit::PERCENT, Some(found.rate), found.interval(CONFIDENCE)))
}

/// Word errors over words, by speaker where each is known, else by utterance.
fn word_errors(spoken: &[&Understood]) -> Option<Figure> {
    let counted: Vec<_> =
        spoken.iter().filter_map(|i| Some((i.user.as_deref(), Cluster { successes: i.word_errors?, n: i.words? }))).collect();
    let mut clusters: BTreeMap<_, Cluster> = BTreeMap::new();
    let has_speakers = counted.iter().all(|(user, _)| user.is_some());
    for (utterance, (user, words)) in counted.iter().enumerate() {
        let of = clusters.entry(if has_speakers { (*user, 0) } else { (None, utterance) }).or_default();
        of.successes = of.successes.saturating_add(words.successes);
        of.n = of.n.saturating_add(words.n);
    }
    let (errors, words) =
        clusters.values().fold((0, 0), |(errors, words), c| (c.successes.saturating_add(errors), c.n.saturating_add(words)));
    let interval = ClusteredRate::of(&clusters.into_values().collect::<Vec<_>>()).and_then(|rate| rate.interval(CONFIDENCE));
    (words > 0).then(|| Context::beside(Beside::WordErrorRate, Unit::PERCENT, Some(errors as f64 / words as f64), interval))
}
