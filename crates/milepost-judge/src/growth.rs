//! How the evidence of a goal grew since its epoch began: at the end of each day how many draws there were, the estimate, and where the
//! truth lay however often somebody looks.
//!
//! The intervals are those of the scorecard as they stood (a confidence sequence: Howard, Ramdas, McAuliffe and Sekhon 2021), so that
//! one sees them narrow towards the target, and the day on which something was proven. What is known today of the draws of a day is
//! what counts: a label that came later, or that somebody gave up in the end, belongs to the day of the draw.
//!
//! What was measured whole has no such sequence: of it, the readings are given.
//!
//! An interval for each day costs something, so this is for a page that is read, and no part of the scorecard.

use crate::{
    Criteria, Metric, Verdict, accuracy,
    always_valid::{Counts, Test},
    daily::falls,
    first_success, improvement,
    judge::pooled,
    retention,
    rule::Context,
    sample::{self, Standing, Total, goal_rate, guard},
    scorecard::{Judgement, Scorecard},
};
use jiff::{ToSpan, civil::Date};
use milepost_record::{Answer, Event, Evidence, Fact, FirstSession, Timestamp, Topic};
use std::{collections::BTreeSet, ops::Range};

/// So many days are told one by one: a quarter. Of more, the ends of weeks are.
const DAYS_MAX: usize = 92;
/// But for the first, in which an interval narrows most.
const FIRST_DAYS: usize = 14;
/// More weeks than this are thinned evenly.
const WEEKS_MAX: usize = 88;
/// The interval of a difference takes hundreds of times as long as one of a rate.
const DIFFERENCES_MAX: usize = 24;
/// Days on which something turned are told in any case: so many, the newest.
const TURNS_MAX: usize = 16;

/// How the evidence of a criterion grew, and what happened meanwhile; days are those of the project's time zone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Growth {
    /// When the epoch began; `None` where all events count.
    pub from: Option<Date>,
    /// The first and the last day of each period that was excluded.
    pub excluded: Vec<[Date; 2]>,
    /// The releases that were recorded, in the order of time.
    pub releases: Vec<Release>,
    /// Of each of its goals; `None` where there is no evidence.
    pub goals: Vec<Option<GoalGrowth>>,
}

/// A version was released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// When.
    pub date: Date,
    /// The version, or what somebody wrote of it.
    pub name: String,
}

/// How the evidence of one goal grew.
#[derive(Clone, Debug, PartialEq)]
pub struct GoalGrowth {
    /// Whether it is a sample, with an interval, or readings of the thing itself.
    pub is_sampled: bool,
    /// Whether several groups are taken together, each of which is judged on its own: then nothing is proven of all together.
    pub is_pooled: bool,
    /// In the order of time, at most 120. The last one of a sample is today's, and what the scorecard says.
    pub points: Vec<Point>,
    /// The days on which it fell back after it was met.
    pub falls: Vec<Date>,
    /// Since when the verdict has been proven; `None` where none is.
    pub proven: Option<Date>,
}

/// What is known at the end of a day.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// The day.
    pub date: Date,
    /// Whether nothing before it counts, or what is between is not known: no line leads here from the point before.
    pub begins: bool,
    /// How many draws there were so far; of readings, how many that day.
    pub n: u64,
    /// The estimate in the unit of the judgement; `None` where it has no finite value.
    pub estimate: Option<f64>,
    /// Where the truth lies with 95 % confidence however often somebody looks; `None` on a side that has no bound yet.
    pub interval: [Option<f64>; 2],
}

/// How the evidence of each criterion grew. `answers` are those that the scorecard was made of, `notes` any notes, of which those of
/// releases are taken.
#[must_use]
pub fn growth(criteria: &Criteria, scorecard: &Scorecard, answers: &[Vec<Answer>], notes: &[Event]) -> Vec<Growth> {
    let date = |at: Timestamp| at.to_jiff().to_zoned_datetime(criteria.calendar.clone()).date();
    let release = |event: &Event| match &event.fact {
        Fact::Note(note) if note.topic == Topic::Release => {
            let name = event.version.clone().or_else(|| note.text.clone()).unwrap_or_default();
            Some((event.at, Release { date: date(event.at), name }))
        }
        _ => None,
    };
    let mut releases: Vec<_> = notes.iter().filter_map(release).collect();
    releases.sort_by_key(|(at, _)| *at);
    let releases: Vec<_> = releases.into_iter().map(|(_, release)| release).collect();
    let none = Vec::new();
    let of = |(index, (criterion, result)): (usize, (_, &crate::scorecard::CriterionResult))| {
        let criterion: &crate::Criterion = criterion;
        let answers = answers.get(index).unwrap_or(&none);
        let from = result.since.from;
        let judgement = |goal: usize| result.parts.get(goal).map_or(&result.judgement, |part| &part.judgement);
        let goals = criterion.goals.iter().enumerate().map(|(place, goal)| {
            let context = Context {
                goal,
                criteria,
                criterion,
                is_pooled: goal.for_each.is_some(),
                is_total: false,
                from,
                now: scorecard.generated_at,
            };
            of_goal(context, judgement(place), &answers.get(place)?.evidence)
        });
        // The end of a period does not belong to it.
        let last = |to: Timestamp| date(Timestamp::from_microseconds(to.as_microseconds() - 1).unwrap_or(to));
        Growth {
            from: (from.as_microseconds() > 0).then(|| date(from)),
            excluded: result.excluded.iter().map(|excluded| [date(excluded.from), last(excluded.to)]).collect(),
            releases: releases.clone(),
            goals: goals.collect(),
        }
    };
    criteria.criteria.iter().zip(&scorecard.criteria).enumerate().map(of).collect()
}

fn of_goal(context: Context<'_>, judgement: &Judgement, evidence: &Evidence) -> Option<GoalGrowth> {
    let goal = context.goal;
    let share = |days: &[(Date, Counts)], standing: &mut dyn FnMut(Range<usize>, bool) -> Standing| {
        let days: Vec<Day> = days.iter().map(|(date, counts)| Day { date: *date, counts: *counts, has_events: counts.n() > 0 }).collect();
        Draws::of(context, &days).grow(context, judgement, usize::MAX, standing)
    };
    // The rates of draws of which nothing but the counts is known.
    let share_of_counts = |days: &[(Date, Counts)]| {
        let mut counts = Counts::default();
        share(days, &mut |new, begins| {
            counts = days[new].iter().fold(if begins { Counts::default() } else { counts }, |all, (_, of_day)| all.and(*of_day));
            Standing::of_share(context, counts)
        })
    };
    match evidence {
        Evidence::Operations(groups) => {
            let days = sample::by_day(&pooled(goal, groups, |days| days.sort_by_key(|day| day.date)), &goal.metric);
            let counted = |(date, total): &(Date, Total)| Day {
                date: *date,
                counts: total.counts(&goal.metric, goal.failures),
                has_events: total.ok + total.failed > 0,
            };
            let draws = Draws::of(context, &days.iter().map(counted).collect::<Vec<_>>());
            let is_quantile = matches!(goal.metric, Metric::Latency(_) | Metric::PeakMemory(_));
            let (mut counts, mut ranks) = (Counts::default(), Ranks::of(if is_quantile { &days } else { &[] }));
            draws.grow(context, judgement, usize::MAX, &mut |new, begins| {
                if begins {
                    counts = Counts::default();
                    ranks.clear();
                }
                for (_, of_day) in &days[new] {
                    counts = counts.and(of_day.counts(&goal.metric, goal.failures));
                    ranks.add(of_day);
                }
                Standing::of_operations(context, counts, |rank| ranks.value_at(rank))
            })
        }
        Evidence::Interactions(interactions) if goal.metric == Metric::LearningImprovement => {
            // Where the arms cannot be compared, no effect is shown, today or before.
            judgement.estimate?;
            let days: Vec<_> = improvement::by_day_and_arm(context, interactions).into_iter().collect();
            let mut arms = [Counts::default(); 2];
            Draws::of_arms(context, &days).grow(context, judgement, DIFFERENCES_MAX, &mut |new, _| {
                for (_, of_day) in &days[new] {
                    arms = [arms[0].and(of_day[0]), arms[1].and(of_day[1])];
                }
                improvement::standing(context, arms[0], arms[1])
            })
        }
        Evidence::Interactions(interactions) => {
            let labelled = accuracy::Counted::of(context, interactions).labelled;
            share_of_counts(&accuracy::by_day(&context.criteria.calendar, &labelled).into_iter().collect::<Vec<_>>())
        }
        Evidence::Returns(returns) => share_of_counts(&retention::by_day(context, returns).0.into_iter().collect::<Vec<_>>()),
        Evidence::FirstSessions(sessions) => {
            let mut sessions = sessions.clone();
            sessions.sort_by_key(|session| session.start);
            let date = |session: &FirstSession| context.date(session.start);
            let by_day: Vec<&[FirstSession]> = sessions.chunk_by(|a, b| date(a) == date(b)).collect();
            let counted = |of_day: &&[FirstSession]| {
                let mut counts = Counts::default();
                of_day.iter().filter_map(|session| first_success::outcome(context, goal.limit, session)).for_each(|good| counts.add(good));
                Some((date(of_day.first()?), counts))
            };
            let mut so_far: Vec<FirstSession> = Vec::new();
            share(&by_day.iter().filter_map(counted).collect::<Vec<_>>(), &mut |new, begins| {
                if begins {
                    so_far.clear();
                }
                so_far.extend(by_day[new].iter().copied().flatten());
                first_success::standing(context, goal.limit, &so_far)
            })
        }
        _ => readings(judgement),
    }
}

/// What was measured whole: day by day, as the trend has it.
fn readings(judgement: &Judgement) -> Option<GoalGrowth> {
    let trend = &judgement.trend;
    let begins: Vec<bool> =
        (0..trend.len()).map(|place| place == 0 || trend[place - 1].date.saturating_add(1.day()) != trend[place].date).collect();
    let dates: Vec<Date> = trend.iter().map(|day| day.date).collect();
    let mut before = 0;
    let point = |place: usize| {
        let gap = begins[before..=place].contains(&true);
        before = place + 1;
        Point { date: dates[place], begins: gap, n: trend[place].n, estimate: trend[place].value, interval: [None, None] }
    };
    let points: Vec<_> = kept(&dates, &BTreeSet::new(), usize::MAX).into_iter().map(point).collect();
    let is_known = points.iter().any(|point| point.estimate.is_some());
    is_known.then_some(GoalGrowth { is_sampled: false, is_pooled: false, points, falls: Vec::new(), proven: None })
}

/// Durations or peaks that come in day by day, of which the value of any rank is found without putting all in order again: a tree of
/// cumulative counts (Fenwick 1994, Software: Practice and Experience 24).
struct Ranks {
    /// All that will come, rising.
    values: Vec<u64>,
    /// At each place from 1 on, how many there are of the values up to it, from where its lowest bit is taken away.
    tree: Vec<u64>,
}

impl Ranks {
    fn of(days: &[(Date, Total)]) -> Self {
        let mut values: Vec<u64> = days.iter().flat_map(|(_, total)| total.durations()).map(|(value, _)| value).collect();
        values.sort_unstable();
        values.dedup();
        Self { tree: vec![0; values.len() + 1], values }
    }

    fn clear(&mut self) {
        self.tree.fill(0);
    }

    fn add(&mut self, total: &Total) {
        for (value, n) in total.durations() {
            let Ok(place) = self.values.binary_search(&value) else { continue };
            let mut place = place + 1;
            while let Some(counted) = self.tree.get_mut(place) {
                *counted += n;
                place += place & place.wrapping_neg();
            }
        }
    }

    fn value_at(&self, rank: u64) -> Option<f64> {
        let (mut before, mut left, mut step) = (0, rank, self.tree.len().next_power_of_two());
        while step > 0 {
            if let Some(counted) = self.tree.get(before + step).filter(|counted| **counted < left) {
                (before, left) = (before + step, left - counted);
            }
            step /= 2;
        }
        self.values.get(before).map(|value| *value as f64)
    }
}

/// One day of draws.
struct Day {
    date: Date,
    counts: Counts,
    /// Whether it is one of the days that a verdict needs.
    has_events: bool,
}

/// The days of draws.
struct Draws {
    dates: Vec<Date>,
    /// For each day, whether the evidence begins anew there.
    begins: Vec<bool>,
    /// For each day, what is proven at its end.
    proven: Vec<Option<Verdict>>,
    falls: Vec<Date>,
}

impl Draws {
    /// Of draws that end in a rate.
    fn of(context: Context<'_>, days: &[Day]) -> Self {
        let (rate, alpha) = (goal_rate(&context.goal.metric, context.goal.limit).filter(|_| !context.is_pooled), context.criterion.alpha);
        let falls = rate.map_or_else(Vec::new, |rate| falls(days.iter().map(|day| (day.date, day.counts)), rate, alpha, context.today()));
        let fell: BTreeSet<_> = falls.iter().collect();
        let begins: Vec<bool> = (0..days.len()).map(|place| place == 0 || fell.contains(&days[place - 1].date)).collect();
        let (mut counts, mut of_days) = (Counts::default(), 0);
        let proven = days.iter().zip(&begins).map(|(day, begins)| {
            if *begins {
                (counts, of_days) = (Counts::default(), 0);
            }
            counts = counts.and(day.counts);
            of_days += usize::from(day.has_events);
            rate.filter(|_| guard(counts.n(), of_days).is_none()).and_then(|rate| Test::of(counts, rate).verdict(alpha))
        });
        Self { proven: proven.collect(), dates: days.iter().map(|day| day.date).collect(), begins, falls }
    }

    /// Of two arms that are compared.
    fn of_arms(context: Context<'_>, days: &[(Date, [Counts; 2])]) -> Self {
        let (mut arms, mut of_days) = ([Counts::default(); 2], [0, 0]);
        let proven = days.iter().map(|(_, of_day)| {
            for arm in 0..arms.len() {
                arms[arm] = arms[arm].and(of_day[arm]);
                of_days[arm] += usize::from(of_day[arm].n() > 0);
            }
            let guard = guard(arms[0].n().min(arms[1].n()), of_days[0].min(of_days[1]));
            let limit = context.goal.limit.filter(|_| guard.is_none())?;
            improvement::tested(arms[0], arms[1], limit.base(), context.criterion.alpha)
        });
        Self {
            proven: proven.collect(),
            dates: days.iter().map(|(date, _)| *date).collect(),
            begins: (0..days.len()).map(|place| place == 0).collect(),
            falls: Vec::new(),
        }
    }

    /// Goes through the days that are told. `standing` is given those that came in since the one before, and whether all before them
    /// is forgotten.
    fn grow(
        self,
        context: Context<'_>,
        judgement: &Judgement,
        points_max: usize,
        standing: &mut dyn FnMut(Range<usize>, bool) -> Standing,
    ) -> Option<GoalGrowth> {
        let last = *self.dates.last()?;
        let fell_last = self.falls.last() == Some(&last);
        let proven = self.proven_since(judgement).filter(|_| !fell_last);
        let beginnings = (1..self.dates.len()).filter(|place| self.begins[*place]).flat_map(|place| [place - 1, place]);
        let turns: BTreeSet<usize> = beginnings.chain(proven).collect();
        let (mut points, mut before): (Vec<Point>, usize) = (Vec::new(), 0);
        for place in kept(&self.dates, &turns, points_max) {
            // Of a stretch that is over, nothing counts any more.
            let first = (before..=place).rev().find(|place| self.begins[*place]);
            let Standing { n, estimate, interval } = standing(first.unwrap_or(before)..place + 1, first.is_some());
            points.push(Point { date: self.dates[place], begins: first.is_some(), n, estimate, interval });
            before = place + 1;
        }
        let today = context.today();
        if let Some(newest) = points.last().filter(|_| today > last).copied() {
            let Standing { n, estimate, interval } = Standing::default();
            let nothing = Point { date: today, begins: true, n, estimate, interval };
            points.push(if fell_last { nothing } else { Point { date: today, begins: false, ..newest } });
        }
        Some(GoalGrowth {
            is_sampled: true,
            is_pooled: context.is_pooled,
            points,
            proven: proven.map(|place| self.dates[place]),
            falls: self.falls,
        })
    }

    /// The day since which the verdict has been proven without a break.
    fn proven_since(&self, judgement: &Judgement) -> Option<usize> {
        let verdict = (*self.proven.last()?)?;
        let others = self.proven.iter().rposition(|proven| *proven != Some(verdict)).map_or(0, |place| place + 1);
        let begun = self.begins.iter().rposition(|begins| *begins).unwrap_or(0);
        // What else is demanded, such as labels, may hold a verdict back.
        (judgement.verdict == verdict || judgement.verdict == Verdict::Stale).then_some(others.max(begun))
    }
}

/// Which of the days are told: all of a quarter, else the first two weeks, the last day of each week, and those on which something
/// turned. The last is always among them.
fn kept(dates: &[Date], turns: &BTreeSet<usize>, points_max: usize) -> BTreeSet<usize> {
    let monday = |date: Date| date.saturating_sub(i32::from(date.weekday().to_monday_zero_offset()).days());
    let is_last_of_week = |place: &usize| dates.get(place + 1).is_none_or(|next| monday(*next) != monday(dates[*place]));
    let days = 0..dates.len();
    let told: Vec<usize> = if dates.len() <= DAYS_MAX { days.collect() } else { days.filter(is_last_of_week).collect() };
    let most = if dates.len() <= DAYS_MAX { DAYS_MAX } else { WEEKS_MAX }.min(points_max);
    let mut kept: BTreeSet<usize> = if told.len() <= most {
        told.into_iter().collect()
    } else {
        (1..=most).filter_map(|place| told.get(place * told.len() / most - 1).copied()).collect()
    };
    kept.extend(0..FIRST_DAYS.min(points_max / 2).min(dates.len()));
    kept.extend(turns.iter().rev().take(TURNS_MAX));
    kept
}
