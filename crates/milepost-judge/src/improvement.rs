//! Whether learning helps: right intents with learning against right intents without.
//!
//! First of all, whether the arms can be compared: that chance filled them ([`sample_ratio`]), that they ran at the same time,
//! and that enough is labelled. Only then is an effect shown. The verdict is that of [`difference`], which holds however often
//! somebody looks: a proof that the difference exceeds what is demanded, not that one arm is good.

use crate::{
    Verdict,
    accuracy::{CONFIDENCE, LABELLED_MIN, by_person, withhold},
    always_valid::{self, Counts},
    difference,
    learning::{CONTROL, LEARNING},
    quantity::{Quantity, Unit},
    rule::Context,
    sample::guard,
    sample_ratio,
    scorecard::{Beside, Judgement, LeftOut, Reason, TrendPoint},
};
use jiff::civil::Date;
use milepost_record::{Timestamp, Understood};
use std::collections::{BTreeMap, BTreeSet};

/// Of the shorter arm's time, at least this share has to be the other one's too.
const OVERLAP_MIN: f64 = 0.5;

/// Judges the difference of the arms on interactions in the order of time.
pub(crate) fn judge(context: Context<'_>, limit: Option<Quantity>, interactions: &[Understood]) -> Judgement {
    let (with, without) = (Arm::of(context, LEARNING, interactions), Arm::of(context, CONTROL, interactions));
    let mut judgement = context.blank(limit);
    let of_arms = with.interactions + without.interactions;
    judgement.n = (with.labelled.len() + without.labelled.len()) as u64;
    let left_out = [(LeftOut::Unlabelled, of_arms - judgement.n), (LeftOut::OtherArm, interactions.len() as u64 - of_arms)];
    judgement.left_out = left_out.into_iter().filter(|(_, n)| *n > 0).collect();
    judgement.newest_event = with.newest().max(without.newest());
    if with.labelled.is_empty() || without.labelled.is_empty() {
        let empty = if with.labelled.is_empty() { LEARNING } else { CONTROL };
        judgement.reason = (judgement.n > 0).then_some(Reason::EmptyArm);
        let mut judgement = context.finish(judgement, limit);
        if judgement.reason == Some(Reason::EmptyArm) {
            judgement.advice = judgement.advice.map(|advice| format!("{advice}: {empty}"));
            judgement.command = judgement.command.map(|command| command.replace(" ARM ", &format!(" {empty} ")));
        }
        return judgement;
    }
    judgement.verdict = Verdict::NotProven;
    if sample_ratio::ln_e(with.people, without.people) >= sample_ratio::ln_threshold() {
        // No effect is shown: what put people into the arms may have made it.
        judgement.reason = Some(Reason::SampleRatio);
        return context.finish(judgement, limit);
    }
    let (a, b, alpha) = (with.counts(), without.counts(), context.criterion.alpha);
    judgement.estimate = difference::estimate(a, b).map(|v| context.shown(v));
    judgement.interval = difference::interval(a, b, alpha).map_or([None, None], |ends| ends.map(|v| Some(context.shown(v))));
    judgement.trend = trend(context, &with, &without);
    if let Some(limit) = limit {
        prove(&mut judgement, [&with, &without], limit.base(), alpha);
    }
    if judgement.verdict == Verdict::Met && overlap(&with, &without) < OVERLAP_MIN {
        withhold(&mut judgement, Reason::ArmsApart);
    }
    let coverage = with.coverage().min(without.coverage());
    if coverage < LABELLED_MIN {
        withhold(&mut judgement, Reason::FewLabels);
    }
    let share = |what, value, interval| Context::beside(what, Unit::PERCENT, value, interval);
    let of_arm = |what, counts: Counts| share(what, counts.rate(), Some(always_valid::rate_interval(counts, alpha)));
    let relative = a.rate().zip(b.rate()).filter(|(_, without)| *without > 0.0).map(|(with, without)| with / without - 1.0);
    let people = by_person(&with.labelled).zip(by_person(&without.labelled));
    judgement.beside = vec![
        of_arm(Beside::WithLearning, a),
        of_arm(Beside::WithoutLearning, b),
        share(Beside::RelativeImprovement, relative, None),
        share(Beside::LabelCoverage, Some(coverage), None),
    ];
    judgement.beside.extend(people.map(|(with, without)| {
        share(Beside::PeopleInGeneral, Some(with.rate - without.rate), with.difference_interval(without, CONFIDENCE))
    }));
    context.finish(judgement, limit)
}

/// The test, and the policy that no verdict rests on a handful of events of either arm, or on a single day of it.
fn prove(judgement: &mut Judgement, [with, without]: [&Arm<'_>; 2], limit: f64, alpha: f64) {
    let (a, b) = (with.counts(), without.counts());
    let proven = if difference::is_above(a, b, limit, alpha) {
        Some(Verdict::Met)
    } else if difference::is_below(a, b, limit, alpha) {
        Some(Verdict::Missed)
    } else {
        None
    };
    let guard = guard(a.n().min(b.n()), with.days.len().min(without.days.len()));
    match (proven, guard) {
        (Some(verdict), None) => judgement.verdict = verdict,
        (Some(_), Some((reason, _))) => judgement.reason = Some(reason),
        (None, _) => {}
    }
    let delayed = guard.map_or(0, |(_, more)| more);
    judgement.at_least_more = difference::at_least_more(a, b, limit, alpha).map(|more| more.max(delayed));
    judgement.projected_more = difference::projected_more(a, b, limit, alpha).map(|more| more.max(delayed));
}

/// One arm of the experiment.
struct Arm<'a> {
    interactions: u64,
    /// People who are told apart: what was assigned to the arm.
    people: u64,
    labelled: Vec<(&'a Understood, bool)>,
    /// From the first interaction to the last.
    lasted: Option<[Timestamp; 2]>,
    days: BTreeMap<Date, Counts>,
}

impl<'a> Arm<'a> {
    fn of(context: Context<'_>, name: &str, interactions: &'a [Understood]) -> Self {
        let of_arm: Vec<&Understood> = interactions.iter().filter(|i| i.arm.as_deref() == Some(name)).collect();
        let people: BTreeSet<_> = of_arm.iter().filter_map(|i| i.user.as_deref()).collect();
        let labelled: Vec<_> = of_arm.iter().filter_map(|i| Some((*i, i.right?))).collect();
        let mut days: BTreeMap<_, Counts> = BTreeMap::new();
        for (interaction, right) in &labelled {
            days.entry(context.date(interaction.at)).or_default().add(*right);
        }
        Self {
            interactions: of_arm.len() as u64,
            people: people.len() as u64,
            labelled,
            lasted: of_arm.first().zip(of_arm.last()).map(|(first, last)| [first.at, last.at]),
            days,
        }
    }

    fn counts(&self) -> Counts {
        self.days.values().copied().fold(Counts::default(), Counts::and)
    }

    fn newest(&self) -> Option<Timestamp> {
        self.labelled.last().map(|(interaction, _)| interaction.at)
    }

    fn coverage(&self) -> f64 {
        self.labelled.len() as f64 / self.interactions as f64
    }
}

/// The time that both arms ran, as a share of the shorter one's.
fn overlap(with: &Arm<'_>, without: &Arm<'_>) -> f64 {
    let (Some(a), Some(b)) = (with.lasted, without.lasted) else { return 0.0 };
    let both = a[1].min(b[1]).since(a[0].max(b[0])).as_secs_f64();
    let shorter = a[1].since(a[0]).min(b[1].since(b[0])).as_secs_f64();
    if shorter > 0.0 { both / shorter } else { 0.0 }
}

/// The difference on each day on which both arms have labelled interactions.
fn trend(context: Context<'_>, with: &Arm<'_>, without: &Arm<'_>) -> Vec<TrendPoint> {
    let point = |(date, a): (&Date, &Counts)| {
        let b = without.days.get(date)?;
        let value = difference::estimate(*a, *b).map(|v| context.shown(v));
        Some(TrendPoint { date: *date, value, n: a.n() + b.n() })
    };
    with.days.iter().filter_map(point).collect()
}
