//! Contributions of the community, month by month: a month that is over is counted whole, and so is a census.
//!
//! A month counts for an epoch that it ends in. Until it is over it proves nothing, unless there are enough already: they only
//! grow. How many there would be in a month in general stands beside it, by [`poisson`], where they come independently enough.

use crate::{
    Family, Verdict,
    accuracy::CONFIDENCE,
    poisson,
    quantity::{Quantity, Unit},
    rule::Context,
    scorecard::{Beside, Figure, Judgement, Reason, TrendPoint},
};
use jiff::{ToSpan, civil::Date, tz::TimeZone};
use milepost_record::{Reading, Timestamp};
use std::collections::BTreeMap;

/// Days of a month, on average.
const MONTH: f64 = 30.4375;
/// Where the variance of the months exceeds their mean by more than this factor, contributions come in bursts.
const DISPERSION_MAX: f64 = 2.0;

/// Judges the newest month that is over, or the current one where it has enough already, on readings in the order of time; the
/// newest reading of a month counts.
pub(crate) fn judge(context: Context<'_>, limit: Option<Quantity>, readings: &[&Reading]) -> Judgement {
    let months = months(&context.criteria.calendar, readings.iter().copied()).into_iter();
    let months: BTreeMap<Date, Month> = months.filter(|month| month.end > context.from).map(|month| (month.first, month)).collect();
    let mut judgement = context.blank(limit);
    judgement.n = months.len() as u64;
    judgement.newest_event = months.values().map(|month| month.read).max();
    judgement.trend = months.values().map(|month| TrendPoint { date: month.first, value: Some(month.count), n: 1 }).collect();
    let Some(newest) = months.values().next_back() else { return context.finish(judgement, limit) };
    let holds = |month: &&Month| limit.is_some_and(|limit| context.goal.relation.holds(month.count, limit.base()));
    let closed = months.values().rev().find(|month| month.is_closed);
    let deciding = Some(newest).filter(holds).or(closed).unwrap_or(newest);
    judgement.estimate = Some(deciding.count);
    judgement.verdict = match limit {
        Some(_) if holds(&deciding) => Verdict::Met,
        Some(_) if deciding.is_closed => Verdict::Missed,
        _ => Verdict::NotProven,
    };
    judgement.reason = (!deciding.is_closed).then_some(Reason::OpenMonth);
    if readings
        .iter()
        .any(|reading| reading.unit.as_deref().is_some_and(|unit| Unit::named(unit).is_none_or(|u| u.family() != Family::Number)))
    {
        (judgement.verdict, judgement.reason) = (Verdict::NotProven, Some(Reason::UnitMismatch));
    }
    let people = deciding.people.map(|people| people as f64);
    judgement.beside.extend(people.map(|people| Context::beside(Beside::Contributors, Unit::NONE, Some(people), None)));
    judgement.beside.extend(mean(&months.values().filter(|month| month.is_closed).collect::<Vec<_>>()));
    context.finish(judgement, limit)
}

/// One month, as its newest reading tells it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Month {
    /// Its first day.
    pub first: Date,
    /// How many contributions.
    pub count: f64,
    /// Of how many people.
    pub people: Option<u64>,
    /// When that was read.
    pub read: Timestamp,
    /// Whether it was read after its end.
    pub is_closed: bool,
    end: Timestamp,
}

/// The months that readings in the order of time are about, in order.
pub(crate) fn months<'a>(calendar: &TimeZone, readings: impl IntoIterator<Item = &'a Reading>) -> Vec<Month> {
    let months = readings.into_iter().filter_map(|reading| Month::of(calendar, reading));
    let newest: BTreeMap<Date, Month> = months.map(|month| (month.first, month)).collect();
    newest.into_values().collect()
}

impl Month {
    /// The month that a reading is about: its scope, as `2026-10`; without one, that in which it was taken.
    fn of(calendar: &TimeZone, reading: &Reading) -> Option<Self> {
        let named = reading.scope.as_deref().and_then(|scope| format!("{scope}-01").parse::<Date>().ok());
        let taken = || reading.at.to_jiff().to_zoned_datetime(calendar.clone()).date().first_of_month();
        let first = named.unwrap_or_else(taken);
        let after = first.checked_add(1.month()).ok()?;
        let end = after.to_zoned_datetime(calendar.clone()).and_then(|day| day.start_of_day()).ok()?;
        let end = Timestamp::from_jiff(end.timestamp());
        let Reading { at: read, value: count, people, .. } = *reading;
        Some(Self { first, count, people, read, is_closed: read >= end, end })
    }

    fn days(&self) -> f64 {
        f64::from(self.first.days_in_month())
    }
}

/// Contributions in a month on average, over months that are over.
fn mean(months: &[&Month]) -> Option<Figure> {
    let n = months.len() as f64;
    let total: f64 = months.iter().map(|month| month.count).sum();
    let exposure = months.iter().map(|month| month.days()).sum::<f64>() / MONTH;
    let variance = months.iter().map(|month| (month.count - total / n).powi(2)).sum::<f64>() / (n - 1.0);
    let is_bursty = months.len() >= 2 && variance > DISPERSION_MAX * total / n;
    // A count that somebody wrote by hand may be no whole number.
    let interval = (!is_bursty && total.fract() == 0.0 && total >= 0.0).then(|| poisson::garwood(total as u64, exposure, CONFIDENCE));
    (!months.is_empty()).then(|| Context::beside(Beside::MonthlyMean, Unit::NONE, Some(total / exposure), interval))
}
