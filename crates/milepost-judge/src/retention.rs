//! Who comes back: weekly cohorts, bounded retention.
//!
//! Of the people whose week N after their first day has passed, the share that was active in it. Days 7N to 7N + 6 after the
//! first day are week N. Who began too recently is in neither number.

use crate::{
    always_valid::Counts,
    first_success::percent,
    quantity::Quantity,
    rule::Context,
    sample::judge_draws,
    scorecard::{Judgement, LeftOut},
};
use jiff::{ToSpan, civil::Date};
use milepost_record::Return;
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// How many cohorts are shown: the newest.
const COHORTS_MAX: usize = 53;
/// Up to which week they are followed.
const WEEKS: u32 = 12;

/// The week that a criterion asks about.
const WEEK: u32 = 4;
/// So long before an epoch a person may have begun whose week passed in it: five weeks and a day, since days may be longer.
pub(crate) const BEFORE: Duration = Duration::from_secs((7 * (WEEK as u64 + 1) + 1) * 86400);

/// Who came back, by cohort.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Retention {
    /// The people that began in the same week (ISO 8601), the oldest first.
    pub cohorts: Vec<Cohort>,
    /// In the fourth week after their first day, over all cohorts.
    pub week4: Week4,
}

/// The people whose first day is in the same calendar week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cohort {
    /// The week, as `2026-W40`.
    pub week: String,
    /// How many people.
    pub users: u64,
    /// Week by week after their first day, as far as anybody's has passed.
    pub weeks: Vec<Week>,
}

/// One week after the first day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Week {
    /// Which.
    pub week: u32,
    /// People whose week has passed.
    pub mature: u64,
    /// Of those, how many were active in it.
    pub active: u64,
}

/// Retention in the fourth week.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Week4 {
    /// People whose fourth week has passed.
    pub mature: u64,
    /// Of those, how many were active in it.
    pub active: u64,
    /// People whose fourth week has not passed yet.
    pub immature: u64,
    /// The share in percent.
    pub rate: Option<f64>,
}

impl Retention {
    /// Of who was active when, seen on the day `today`.
    #[must_use]
    pub fn of(returns: &[Return], today: Date) -> Self {
        let has_passed = |first: Date, week: u32| {
            let last = first.checked_add((i64::from(week) * 7 + 6).days());
            last.is_ok_and(|last| last < today)
        };
        let mut cohorts: BTreeMap<(i16, i8), (u64, BTreeMap<u32, Week>)> = BTreeMap::new();
        let mut week4 = Week4 { mature: 0, active: 0, immature: 0, rate: None };
        for Return { first, week, users } in returns {
            let iso = first.iso_week_date();
            let (people, weeks) = cohorts.entry((iso.year(), iso.week())).or_default();
            if *week == 0 {
                *people += users;
                for n in (1..=WEEKS).filter(|n| has_passed(*first, *n)) {
                    weeks.entry(n).or_insert(Week { week: n, mature: 0, active: 0 }).mature += users;
                }
                *(if has_passed(*first, 4) { &mut week4.mature } else { &mut week4.immature }) += users;
            } else if *week <= WEEKS && has_passed(*first, *week) {
                weeks.entry(*week).or_insert(Week { week: *week, mature: 0, active: 0 }).active += users;
                week4.active += if *week == 4 { *users } else { 0 };
            }
        }
        week4.rate = percent(week4.active, week4.mature);
        let cohorts: Vec<_> = cohorts
            .into_iter()
            .map(|((year, week), (users, weeks))| Cohort {
                week: format!("{year}-W{week:02}"),
                users,
                weeks: weeks.into_values().collect(),
            })
            .collect();
        let first = cohorts.len().saturating_sub(COHORTS_MAX);
        Self { cohorts: cohorts.into_iter().skip(first).collect(), week4 }
    }
}

/// Judges who came back in the fourth week: each person is one draw, on the day on which that week had passed. Those whose day
/// is not in the epoch count for another one, or not yet.
pub(crate) fn judge(context: Context<'_>, limit: Option<Quantity>, returns: &[Return]) -> Judgement {
    let mut judgement = context.blank(limit);
    let (days, immature) = by_day(context, returns);
    judgement.left_out = [(LeftOut::Immature, immature)].into_iter().filter(|(_, people)| *people > 0).collect();
    judgement.newest_event = days.keys().next_back().and_then(|day| context.start_of(*day));
    judge_draws(context, limit, &days, &mut judgement);
    context.finish(judgement, limit)
}

/// Who came back and who did not, by the day on which their week had passed, and how many people's has not.
pub(crate) fn by_day(context: Context<'_>, returns: &[Return]) -> (BTreeMap<Date, Counts>, u64) {
    let (mut days, mut immature): (BTreeMap<Date, Counts>, u64) = (BTreeMap::new(), 0);
    for Return { first, week, users } in returns {
        let Ok(passed) = first.checked_add((i64::from(WEEK) * 7 + 7).days()) else { continue };
        let Some(at) = context.start_of(passed).filter(|at| *at >= context.from) else { continue };
        match week {
            0 if at > context.now => immature += users,
            0 => days.entry(passed).or_default().failures += users,
            &WEEK if at <= context.now => {
                // By first day and then by week: those of week 0, who they are among, came before.
                let of_day = days.entry(passed).or_default();
                of_day.successes += users;
                of_day.failures = of_day.failures.saturating_sub(*users);
            }
            _ => {}
        }
    }
    (days, immature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn of(first: Date, week: u32, users: u64) -> Return {
        Return { first, week, users }
    }

    #[test]
    fn only_whose_week_has_passed_count() {
        let monday = date(2026, 9, 28);
        let returns = [of(monday, 0, 10), of(monday, 1, 7), of(monday, 4, 5), of(date(2026, 10, 4), 0, 2), of(date(2026, 11, 2), 0, 3)];
        // Day 34 after the Monday is 1 November: on the 2nd, the fourth week of the ten has passed; that of the other two, who began
        // six days later in the same calendar week, has not.
        let found = Retention::of(&returns, date(2026, 11, 2));
        assert_eq!(found.week4, Week4 { mature: 10, active: 5, immature: 5, rate: Some(50.0) });
        assert_eq!(found.cohorts.len(), 2);
        assert_eq!((found.cohorts[0].week.as_str(), found.cohorts[0].users), ("2026-W40", 12));
        assert_eq!(found.cohorts[0].weeks[0], Week { week: 1, mature: 12, active: 7 });
        assert_eq!(found.cohorts[0].weeks.last(), Some(&Week { week: 4, mature: 10, active: 5 }));
        let day_before = Retention::of(&returns, date(2026, 11, 1));
        assert_eq!(day_before.week4, Week4 { mature: 0, active: 0, immature: 15, rate: None });
    }

    #[test]
    fn nobody_is_no_rate() {
        assert_eq!(Retention::of(&[], date(2026, 11, 2)).week4.rate, None);
    }
}
