//! What was shown of each criterion on each day: the history, with the days on which nothing was recorded.

use crate::{
    Criteria, Verdict,
    history::{History, history},
};
use jiff::civil::Date;
use milepost_record::{Event, Fact};
use std::collections::BTreeMap;

/// The history, and the days behind it.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// What became of the criteria.
    pub history: History,
    /// For each criterion of the history, the last verdict of each day on which there was one.
    pub days: Vec<BTreeMap<Date, Verdict>>,
}

impl Record {
    /// What became of `criteria`, by the `criterion` and `verdict` events and the notes on periods that do not count, in any order.
    #[must_use]
    pub fn of(criteria: &Criteria, recorded: &[Event]) -> Self {
        let mut by_name: BTreeMap<&str, BTreeMap<Date, Verdict>> = BTreeMap::new();
        let mut in_order: Vec<&Event> = recorded.iter().collect();
        in_order.sort_by_key(|event| event.at);
        for event in in_order {
            if let Fact::Verdict(verdict) = &event.fact {
                let date = event.at.to_jiff().to_zoned_datetime(criteria.calendar.clone()).date();
                by_name.entry(&verdict.criterion).or_default().insert(date, verdict.verdict);
            }
        }
        let history = history(criteria, recorded);
        let days = history.criteria.iter().map(|of| by_name.get(of.criterion.as_str()).cloned().unwrap_or_default()).collect();
        Self { history, days }
    }
}
