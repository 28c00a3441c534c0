//! What the rules for all kinds of evidence share: how a judgement begins, and what is said of it at the end.

use crate::{
    Criteria, Criterion, Family, Goal, MemoryStatistic, Metric, Since, Verdict,
    quantity::{Quantity, Unit},
    scorecard::{Beside, Figure, Judgement, Leaning, LeftOut, Reason, Severity, Target},
};
use jiff::civil::Date;
use milepost_record::Timestamp;
use std::time::Duration;

/// What brings labels in.
const LABEL: &str = "milepost label";
const UNLABELLED: &str = "fewer than four in five interactions are labelled; say of more of them what was right";

/// What the rules need beside the evidence.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) goal: &'a Goal,
    pub(crate) criteria: &'a Criteria,
    pub(crate) criterion: &'a Criterion,
    /// Whether several groups are taken together, each of which is judged on its own.
    pub(crate) is_pooled: bool,
    /// Whether values are told of all days together: then there is no trend.
    pub(crate) is_total: bool,
    /// When the epoch began.
    pub(crate) from: Timestamp,
    pub(crate) now: Timestamp,
}

impl Context<'_> {
    /// A judgement on nothing.
    pub(crate) fn blank(&self, limit: Option<Quantity>) -> Judgement {
        Judgement {
            metric: Some(self.goal.metric.to_string()),
            target: limit.map(|limit| target(self.goal, limit)),
            unit: self.goal.unit().name().to_owned(),
            ..Judgement::nothing()
        }
    }

    /// An amount in base units, in the unit of the goal.
    pub(crate) fn shown(&self, base: f64) -> f64 {
        self.goal.unit().of_base(base)
    }

    /// Today in the project's time zone.
    pub(crate) fn today(&self) -> Date {
        self.date(self.now)
    }

    /// The day of a moment in the project's time zone.
    pub(crate) fn date(&self, at: Timestamp) -> Date {
        at.to_jiff().to_zoned_datetime(self.criteria.calendar.clone()).date()
    }

    /// When a day begins in the project's time zone; none beyond the calendar.
    pub(crate) fn start_of(&self, day: Date) -> Option<Timestamp> {
        let start = day.to_zoned_datetime(self.criteria.calendar.clone()).and_then(|day| day.start_of_day()).ok()?;
        Some(Timestamp::from_jiff(start.timestamp()))
    }

    /// A figure beside the verdict: value and interval in the base of `unit`.
    pub(crate) fn beside(what: Beside, unit: Unit, value: Option<f64>, interval: Option<[f64; 2]>) -> Figure {
        let interval = interval.map_or([None, None], |interval| interval.map(|end| Some(unit.of_base(end))));
        Figure { what, value: value.map(|value| unit.of_base(value)), interval, unit: unit.name().to_owned() }
    }

    /// Puts the rules that all kinds of evidence share on top of what the evidence says: no data, stale, which side, how bad.
    pub(crate) fn finish(&self, mut judgement: Judgement, limit: Option<Quantity>) -> Judgement {
        let age = judgement.newest_event.map(|newest| self.now.since(newest));
        if judgement.n == 0 && judgement.fell_back.is_some() {
            (judgement.verdict, judgement.reason) = (Verdict::NotProven, Some(Reason::FellBack));
        } else if judgement.n == 0 || judgement.verdict == Verdict::NoData {
            judgement.verdict = Verdict::NoData;
        } else if age.is_some_and(|age| age > self.criterion.max_age) {
            judgement.verdict = Verdict::Stale;
        } else if self.criterion.since == Since::Release && self.criteria.version.is_none() {
            judgement.verdict = Verdict::NotProven;
            judgement.reason = Some(Reason::NoRelease);
        }
        let inside = match (judgement.estimate, limit) {
            (Some(estimate), Some(limit)) => Some(self.goal.relation.holds(estimate, self.shown(limit.base()))),
            // A time without a finite value is one that failures, or those who give up, decide.
            (None, Some(_)) if judgement.successes.is_some() && judgement.n > 0 && self.is_of_times() => Some(false),
            _ => None,
        };
        if judgement.verdict == Verdict::NotProven {
            judgement.leaning = inside.map(|inside| if inside { Leaning::Inside } else { Leaning::Outside });
        }
        if judgement.verdict == Verdict::Missed {
            judgement.severity = Some(severity(self.goal, judgement.estimate));
        }
        if !matches!(judgement.verdict, Verdict::NotProven | Verdict::NoData) {
            judgement.reason = None;
        }
        if judgement.verdict != Verdict::NotProven {
            (judgement.at_least_more, judgement.projected_more) = (None, None);
        }
        judgement.advice = self.advice(&judgement, age);
        judgement.command = self.command(&judgement);
        judgement
    }

    fn is_of_times(&self) -> bool {
        matches!(self.goal.metric, Metric::Latency(_) | Metric::FirstSuccess)
    }

    fn is_of_a_series(&self) -> bool {
        matches!(self.goal.metric, Metric::Memory(MemoryStatistic::Variation | MemoryStatistic::Slope))
    }

    /// What to do next, in words.
    pub(crate) fn advice(&self, judgement: &Judgement, age: Option<Duration>) -> Option<String> {
        Some(match (judgement.verdict, judgement.reason) {
            (Verdict::Met, _) => return None,
            (_, Some(Reason::EmptyArm)) => "one arm of the experiment has no labelled interactions".to_owned(),
            (Verdict::NoData, _) => match judgement.left_out.iter().next() {
                Some((LeftOut::Immature, people)) => format!("nobody's fourth week has passed yet; {people} are on their way"),
                Some((LeftOut::Unlabelled, _)) => UNLABELLED.to_owned(),
                Some((LeftOut::Early, _)) => "nobody has more interactions yet than are left out; feed it".to_owned(),
                Some((LeftOut::Running, _)) => "who has begun is still at it".to_owned(),
                _ => "nothing has come in yet; feed it".to_owned(),
            },
            (Verdict::Stale, _) => format!("the newest event is {} days old; feed it again", age.unwrap_or_default().as_secs() / 86400),
            (Verdict::NotProven, Some(Reason::SingleDay)) => "all events are of one day: at least 1 more, on another day".to_owned(),
            (Verdict::NotProven, Some(Reason::TooFew)) => format!("at least {} more", judgement.at_least_more.unwrap_or(1)),
            (Verdict::NotProven, Some(Reason::RunTooShort)) if self.is_of_a_series() => {
                "no run of readings lasted an hour beyond its first ten minutes; observe one that does".to_owned()
            }
            (Verdict::NotProven, Some(Reason::RunTooShort)) => "no run of readings lasted an hour; observe one that does".to_owned(),
            (Verdict::NotProven, Some(Reason::IncompleteRun)) => {
                "more than 5% of the readings that were due are missing or incomplete; observe it again".to_owned()
            }
            (Verdict::NotProven, Some(Reason::UnitMismatch)) => {
                format!("the readings are not in a unit that compares with the target's, {}", unit_in_words(self.goal.unit()))
            }
            (Verdict::NotProven, Some(Reason::GrowthUnclear)) => {
                "the run is too short to rule out that memory grows; observe a longer one".to_owned()
            }
            (Verdict::NotProven, Some(Reason::LeakSuspected)) => {
                "memory grows faster than noise explains; observe a longer run, and look for what is never freed".to_owned()
            }
            (Verdict::NotProven, Some(Reason::OpenMonth)) => {
                "no month that counts is over and was read after its end; collect again then".to_owned()
            }
            (Verdict::NotProven, Some(Reason::FewLabels)) => UNLABELLED.to_owned(),
            (Verdict::NotProven, Some(Reason::SampleRatio)) => {
                "far more people are in one arm than chance explains; find out why before you compare them".to_owned()
            }
            (Verdict::NotProven, Some(Reason::ArmsApart)) => {
                "the arms hardly ran at the same time, so anything may have made the difference; run both together".to_owned()
            }
            (Verdict::NotProven, Some(Reason::FellBack)) => "nothing has come in since it fell back".to_owned(),
            (Verdict::NotProven, Some(Reason::NoRelease)) => "say which version is current: version = \"…\" under [project]".to_owned(),
            (Verdict::NotProven, Some(Reason::TooManyGroups)) => "filter the events with `where`, so that fewer groups are left".to_owned(),
            (Verdict::NotProven, None | Some(Reason::GroupWithoutData | Reason::OneOfMany)) => {
                match (judgement.at_least_more, judgement.projected_more) {
                    (Some(best), Some(projected)) if projected > best => {
                        format!("at least {best} more; about {projected} at the current rate")
                    }
                    (Some(best), Some(_)) => format!("at least {best} more"),
                    (Some(best), None) => format!("at least {best} more, all of them good; it is not on track"),
                    _ => return None,
                }
            }
            (Verdict::Missed, _) => match judgement.failures.filter(|f| *f > 0) {
                Some(failures) => format!("{failures} of {} are not within the limit", judgement.n),
                None => return None,
            },
        })
    }

    /// The command that brings in what is lacking, where that is the next thing to do.
    pub(crate) fn command(&self, judgement: &Judgement) -> Option<String> {
        let feeds = match (judgement.verdict, judgement.reason) {
            (Verdict::NoData, _) if judgement.left_out.contains_key(&LeftOut::Unlabelled) => return Some(LABEL.to_owned()),
            (Verdict::NoData | Verdict::Stale, _) => true,
            (Verdict::NotProven, Some(Reason::FewLabels)) => return Some(LABEL.to_owned()),
            (Verdict::NotProven, reason) => matches!(
                reason,
                Some(
                    Reason::RunTooShort
                        | Reason::IncompleteRun
                        | Reason::UnitMismatch
                        | Reason::GrowthUnclear
                        | Reason::LeakSuspected
                        | Reason::OpenMonth
                )
            ),
            (Verdict::Met | Verdict::Missed, _) => false,
        };
        feeds.then(|| self.goal.metric.fed_by(self.goal.unit(), self.goal.for_each.as_ref()))
    }
}

fn unit_in_words(unit: Unit) -> String {
    if unit.family() == Family::Number { "a plain number".to_owned() } else { format!("`{}`", unit.name()) }
}

/// How bad a miss is whose estimate, in the unit of the goal, is this.
pub(crate) fn severity(goal: &Goal, estimate: Option<f64>) -> Severity {
    let amber = goal.bad.zip(estimate).is_some_and(|(bad, estimate)| {
        let bad = goal.unit().of_base(bad.base());
        if goal.relation.is_upper() { estimate <= bad } else { estimate >= bad }
    });
    if amber { Severity::Amber } else { Severity::Red }
}

/// What has to hold, in the unit of the goal.
pub(crate) fn target(goal: &Goal, limit: Quantity) -> Target {
    use crate::Relation::{Above, AtLeast, AtMost, Below};
    let value = |relation| (goal.relation == relation).then(|| goal.unit().of_base(limit.base()));
    Target {
        below: value(Below),
        at_most: value(AtMost),
        above: value(Above),
        at_least: value(AtLeast),
        unit: goal.unit().name().to_owned(),
    }
}
