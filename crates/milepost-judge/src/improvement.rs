//! Whether learning helps: right intents with learning against right intents without.
//!
//! First of all, whether the arms can be compared: that chance filled them ([`sample_ratio`]), that they ran at the same time,
//! and that enough is labelled. Only then is an effect shown. The verdict is that of [`difference`], which holds however often
//! somebody looks: a proof that the difference exceeds what is demanded, not that one arm is good.

use crate::{
    Criteria, Goal, Metric, Verdict,
    accuracy::{CONFIDENCE, LABELLED_MIN, by_day, by_person, withhold},
    always_valid::{self, Counts},
    difference,
    learning::{CONTROL, LEARNING},
    quantity::{Quantity, Unit},
    rule::{Context, target},
    sample::{Standing, guard},
    sample_ratio,
    scorecard::{Beside, Judgement, LeftOut, Reason, Target, TrendPoint},
};
use jiff::{civil::Date, tz::TimeZone};
use milepost_record::{Timestamp, Understood};
use std::collections::{BTreeMap, BTreeSet};

/// Where no criterion says how often the intervals may be wrong.
const ALPHA: f64 = 0.05;
/// Of the shorter arm's time, at least this share has to be the other one's too.
const OVERLAP_MIN: f64 = 0.5;

/// Judges the difference of the arms on interactions in the order of time.
pub(crate) fn judge(context: Context<'_>, limit: Option<Quantity>, interactions: &[Understood]) -> Judgement {
    let [with, without] = [LEARNING, CONTROL].map(|name| Arm::of(&context.criteria.calendar, name, interactions));
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
    if uneven(&with, &without) {
        // No effect is shown: what put people into the arms may have made it.
        judgement.reason = Some(Reason::SampleRatio);
        return context.finish(judgement, limit);
    }
    let (a, b, alpha) = (with.counts(), without.counts(), context.criterion.alpha);
    let standing = standing(context, a, b);
    (judgement.estimate, judgement.interval) = (standing.estimate, standing.interval);
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

/// The experiment so far, day by day, each day with all before it. Shares in percent, differences in percentage points.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// What a criterion on `learning.improvement` demands, of several the first one's.
    pub target: Option<Target>,
    /// The chance of ever being wrong that its intervals accept, each.
    pub alpha: f64,
    /// People in the arm with learning, and in the one without.
    pub people: [u64; 2],
    /// Labelled interactions of the one and the other.
    pub labelled: [u64; 2],
    /// Interactions of the one and the other.
    pub interactions: [u64; 2],
    /// Why the arms are not to be compared, or what a verdict waits for. Where something else than chance filled them, no day has a
    /// difference.
    pub reasons: Vec<Reason>,
    /// The days on which something labelled came in.
    pub days: Vec<CourseDay>,
}

/// How the arms stood at the end of a day.
#[derive(Clone, Debug, PartialEq)]
pub struct CourseDay {
    /// The day.
    pub date: Date,
    /// Accuracy with learning; none before the first label.
    pub with: Option<Estimate>,
    /// Accuracy without.
    pub without: Option<Estimate>,
    /// The one less the other, where both are known.
    pub difference: Option<Estimate>,
}

/// A number and where it lies, however often somebody looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// What was observed.
    pub value: f64,
    /// The ends of its interval.
    pub interval: [f64; 2],
}

impl Course {
    /// Of interactions in the order of time.
    pub(crate) fn of(criteria: &Criteria, interactions: &[Understood]) -> Self {
        let improvement = |goal: &&Goal| goal.metric == Metric::LearningImprovement;
        let demanded = criteria.criteria.iter().find_map(|criterion| Some((criterion, criterion.goals.iter().find(improvement)?)));
        let alpha = demanded.map_or(ALPHA, |(criterion, _)| criterion.alpha);
        let [with, without] = [LEARNING, CONTROL].map(|name| Arm::of(&criteria.calendar, name, interactions));
        let uneven = uneven(&with, &without);
        let is_empty = with.labelled.is_empty() || without.labelled.is_empty();
        let checks = [
            (Reason::EmptyArm, is_empty && with.interactions + without.interactions > 0),
            (Reason::SampleRatio, uneven),
            (Reason::ArmsApart, !is_empty && overlap(&with, &without) < OVERLAP_MIN),
            (Reason::FewLabels, !is_empty && with.coverage().min(without.coverage()) < LABELLED_MIN),
        ];
        let (mut so_far_with, mut so_far_without) = (Counts::default(), Counts::default());
        let dates: BTreeSet<Date> = with.days.keys().chain(without.days.keys()).copied().collect();
        let day = |date: Date| {
            so_far_with = so_far_with.and(with.days.get(&date).copied().unwrap_or_default());
            so_far_without = so_far_without.and(without.days.get(&date).copied().unwrap_or_default());
            CourseDay {
                date,
                with: Estimate::of_share(so_far_with, alpha),
                without: Estimate::of_share(so_far_without, alpha),
                difference: (!uneven).then(|| Estimate::of_difference(so_far_with, so_far_without, alpha)).flatten(),
            }
        };
        Self {
            target: demanded.and_then(|(_, goal)| Some(target(goal, goal.limit?))),
            alpha,
            people: [with.people, without.people],
            labelled: [&with, &without].map(|arm| arm.labelled.len() as u64),
            interactions: [with.interactions, without.interactions],
            reasons: checks.into_iter().filter(|(_, holds)| *holds).map(|(reason, _)| reason).collect(),
            days: dates.into_iter().map(day).collect(),
        }
    }
}

impl Estimate {
    /// A share of good ones in percent; none of nothing.
    pub(crate) fn of_share(counts: Counts, alpha: f64) -> Option<Self> {
        Some(Self::in_percent(counts.rate()?, always_valid::rate_interval(counts, alpha)))
    }

    fn of_difference(with: Counts, without: Counts, alpha: f64) -> Option<Self> {
        Some(Self::in_percent(difference::estimate(with, without)?, difference::interval(with, without, alpha)?))
    }

    fn in_percent(value: f64, interval: [f64; 2]) -> Self {
        let percent = |share| Unit::PERCENT.of_base(share);
        Self { value: percent(value), interval: interval.map(percent) }
    }
}

/// The test, and the policy that no verdict rests on a handful of events of either arm, or on a single day of it.
fn prove(judgement: &mut Judgement, [with, without]: [&Arm<'_>; 2], limit: f64, alpha: f64) {
    let (a, b) = (with.counts(), without.counts());
    let proven = tested(a, b, limit, alpha);
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

/// What the test alone says of the arm with learning and the one without.
pub(crate) fn tested(a: Counts, b: Counts, limit: f64, alpha: f64) -> Option<Verdict> {
    if difference::is_above(a, b, limit, alpha) {
        Some(Verdict::Met)
    } else if difference::is_below(a, b, limit, alpha) {
        Some(Verdict::Missed)
    } else {
        None
    }
}

/// The difference of the arms, and where it lies.
pub(crate) fn standing(context: Context<'_>, a: Counts, b: Counts) -> Standing {
    let interval = difference::interval(a, b, context.criterion.alpha).map_or([None, None], |ends| ends.map(|v| Some(context.shown(v))));
    Standing { n: a.n() + b.n(), estimate: difference::estimate(a, b).map(|v| context.shown(v)), interval }
}

/// What was right and wrong on each day, with learning and without.
pub(crate) fn by_day_and_arm(context: Context<'_>, interactions: &[Understood]) -> BTreeMap<Date, [Counts; 2]> {
    let mut days: BTreeMap<Date, [Counts; 2]> = BTreeMap::new();
    for (place, name) in [LEARNING, CONTROL].into_iter().enumerate() {
        for (date, counts) in Arm::of(&context.criteria.calendar, name, interactions).days {
            days.entry(date).or_default()[place] = counts;
        }
    }
    days
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
    fn of(calendar: &TimeZone, name: &str, interactions: &'a [Understood]) -> Self {
        let of_arm: Vec<&Understood> = interactions.iter().filter(|i| i.arm.as_deref() == Some(name)).collect();
        let people: BTreeSet<_> = of_arm.iter().filter_map(|i| i.user.as_deref()).collect();
        let labelled: Vec<_> = of_arm.iter().filter_map(|i| Some((*i, i.right?))).collect();
        Self {
            interactions: of_arm.len() as u64,
            people: people.len() as u64,
            days: by_day(calendar, &labelled),
            labelled,
            lasted: of_arm.first().zip(of_arm.last()).map(|(first, last)| [first.at, last.at]),
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

/// Whether something else than chance filled the arms.
fn uneven(with: &Arm<'_>, without: &Arm<'_>) -> bool {
    sample_ratio::ln_e(with.people, without.people) >= sample_ratio::ln_threshold()
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
