//! What went wrong: by operation and category, day by day, and the newest failures one by one.

use milepost_record::{Breakdown, ERROR_DAYS_MAX, ErrorDay, Failure};
use std::{cmp::Reverse, collections::BTreeMap};

/// What went wrong.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Failing {
    /// How many operations failed on each day, by category; `None` is what nobody gave one.
    pub days: BTreeMap<jiff::civil::Date, BTreeMap<Option<String>, u64>>,
    /// Whether these are all.
    pub is_whole: bool,
    /// Operations that failed, were cancelled, or ran out of time, those that failed most first.
    pub by_operation: Vec<FailingOperation>,
    /// The newest that failed, the newest first.
    pub newest: Vec<Failure>,
}

/// How often one operation failed, and for what reasons.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FailingOperation {
    /// Its name.
    pub operation: String,
    /// How many count: those that succeeded or failed.
    pub count: u64,
    /// How many failed, those that ran out of time included.
    pub failed: u64,
    /// Of those, how many ran out of time.
    pub timeouts: u64,
    /// Ended by somebody; not counted.
    pub cancelled: u64,
    /// Those that failed by category, the commonest first.
    pub categories: Vec<(Option<String>, u64)>,
}

impl Failing {
    pub(super) fn of(cells: &[Breakdown], days: &[ErrorDay], newest: &[Failure]) -> Self {
        let mut by_date: BTreeMap<_, BTreeMap<_, u64>> = BTreeMap::new();
        for day in days {
            *by_date.entry(day.date).or_default().entry(day.category.clone()).or_default() += day.n;
        }
        let mut operations: BTreeMap<&str, (FailingOperation, BTreeMap<Option<String>, u64>)> = BTreeMap::new();
        for cell in cells {
            let (of, categories) = operations.entry(&cell.operation).or_default();
            of.count += cell.ok + cell.failed;
            of.failed += cell.failed;
            of.timeouts += cell.timeouts;
            of.cancelled += cell.cancelled;
            for (category, n) in &cell.errors {
                *categories.entry(category.clone()).or_default() += n;
            }
        }
        let of = |(operation, (of, categories)): (&str, (FailingOperation, BTreeMap<Option<String>, u64>))| {
            let mut categories: Vec<_> = categories.into_iter().collect();
            categories.sort_by_key(|(_, n)| Reverse(*n));
            FailingOperation { operation: operation.to_owned(), categories, ..of }
        };
        let mut by_operation: Vec<_> = operations.into_iter().map(of).filter(|of| of.failed + of.cancelled > 0).collect();
        by_operation.sort_by_key(|of| Reverse((of.failed, of.cancelled)));
        Self { days: by_date, is_whole: days.len() < ERROR_DAYS_MAX, by_operation, newest: newest.to_vec() }
    }

    /// Leaves out what the product said: of a time in which that was allowed to be stored, it may not be shown any more.
    pub fn forget_texts(&mut self) {
        for failure in &mut self.newest {
            failure.text = None;
        }
    }
}
