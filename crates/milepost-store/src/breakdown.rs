//! Operations, backends and categories of error: of a million names that somebody made up, the most frequent are told apart, and the
//! others are counted together, while rows come in. So an answer has a size, whatever the events hold.

use crate::{StoreError, answer::Columns};
use milepost_record::{BACKENDS_MAX, Breakdown, CATEGORIES_MAX, GROUPS_MAX, OTHERS, each_once};
use std::{cmp::Reverse, collections::BTreeMap};

/// What was taken in so far, of rows by operation, backend, how it ended, category and duration: what has an end is complete, and
/// whatever is not among the most frequent then never will be.
#[derive(Default)]
pub(crate) struct Cells {
    /// The operations that are complete.
    operations: BTreeMap<String, Vec<Breakdown>>,
    /// Operations that are not told apart.
    others: Rest,
    /// The operation that is being read: its backends, the last of which is being read too.
    backends: Vec<Breakdown>,
    other_backends: Rest,
}

impl Cells {
    pub(crate) fn take(&mut self, columns: &Columns<'_>) -> Result<(), StoreError> {
        let (operation, backend) = (columns.text("operation")?, columns.text("backend")?);
        let (ended, category) = (columns.text("ended")?, columns.text("category")?);
        let durations = columns.values("duration_us")?;
        for row in 0..columns.rows() {
            let (operation, backend) = (operation(row).ok_or(StoreError::Shape("operation"))?, backend(row));
            let last = self.backends.last();
            if last.is_some_and(|last| last.operation != operation) {
                self.end_operation();
            }
            if self.backends.last().is_none_or(|last| last.backend != backend) {
                self.end_backend();
                if self.backends.len() >= 2 * BACKENDS_MAX {
                    self.keep_backends();
                }
                self.backends.push(Breakdown { operation, backend, ..Breakdown::default() });
            }
            let Some(of) = self.backends.last_mut() else { continue };
            match ended(row).as_deref() {
                Some("ok") => {
                    let (measured, unmeasured) = durations.add_to(&mut of.durations, row)?;
                    of.ok += measured + unmeasured;
                    of.unmeasured += unmeasured;
                }
                Some(word @ ("failed" | "timeout")) => {
                    let n = durations.n(row);
                    of.failed += n;
                    of.timeouts += if word == "timeout" { n } else { 0 };
                    *of.errors.entry(category(row)).or_default() += n;
                    if of.errors.len() > 2 * CATEGORIES_MAX {
                        keep_categories(&mut of.errors);
                    }
                }
                Some("cancelled") => of.cancelled += durations.n(row),
                Some("dry_run") => of.dry_runs += durations.n(row),
                _ => return Err(StoreError::Shape("ended")),
            }
        }
        Ok(())
    }

    /// All of them, by operation and backend.
    pub(crate) fn all(mut self) -> Vec<Breakdown> {
        self.end_operation();
        self.keep_operations();
        let mut all: Vec<_> = self.operations.into_values().flatten().collect();
        all.extend(self.others.cell(OTHERS.to_owned()));
        all.iter_mut().for_each(|cell| keep_categories(&mut cell.errors));
        all
    }

    fn end_backend(&mut self) {
        if let Some(complete) = self.backends.last_mut() {
            each_once(&mut complete.durations);
        }
    }

    fn keep_backends(&mut self) {
        // The one that is being read is complete too, as another begins.
        for cell in smallest(&mut self.backends, BACKENDS_MAX, |cell| (Reverse(size(cell)), cell.backend.clone())) {
            self.other_backends.add(cell);
        }
    }

    fn end_operation(&mut self) {
        self.end_backend();
        self.keep_backends();
        let mut cells = std::mem::take(&mut self.backends);
        let Some(operation) = cells.first().map(|cell| cell.operation.clone()) else { return };
        cells.sort_by(|a, b| a.backend.cmp(&b.backend));
        cells.extend(std::mem::take(&mut self.other_backends).cell(operation.clone()));
        self.operations.insert(operation, cells);
        if self.operations.len() >= 2 * GROUPS_MAX {
            self.keep_operations();
        }
    }

    fn keep_operations(&mut self) {
        if self.operations.len() <= GROUPS_MAX {
            return;
        }
        let mut operations: Vec<_> = std::mem::take(&mut self.operations).into_iter().collect();
        let of = |(name, cells): &(String, Vec<Breakdown>)| (Reverse(cells.iter().map(size).sum::<u64>()), name.clone());
        for (_, cells) in smallest(&mut operations, GROUPS_MAX, of) {
            cells.into_iter().for_each(|cell| self.others.add(cell));
        }
        self.operations = operations.into_iter().collect();
    }
}

/// Takes out what is beyond the first `kept` in an order.
fn smallest<T, K: Ord>(all: &mut Vec<T>, kept: usize, key: impl Fn(&T) -> K) -> Vec<T> {
    if all.len() <= kept {
        return Vec::new();
    }
    all.sort_by_cached_key(key);
    all.split_off(kept)
}

fn size(cell: &Breakdown) -> u64 {
    cell.ok + cell.failed + cell.cancelled + cell.dry_runs
}

fn keep_categories(errors: &mut BTreeMap<Option<String>, u64>) {
    if errors.len() <= CATEGORIES_MAX {
        return;
    }
    let mut all: Vec<_> = std::mem::take(errors).into_iter().collect();
    let others: u64 = smallest(&mut all, CATEGORIES_MAX, |(name, n)| (Reverse(*n), name.clone())).iter().map(|(_, n)| n).sum();
    errors.extend(all);
    *errors.entry(Some(OTHERS.to_owned())).or_default() += others;
}

/// Cells that are counted together.
#[derive(Default)]
struct Rest {
    sum: Breakdown,
    durations: BTreeMap<u64, u64>,
    is_some: bool,
}

impl Rest {
    fn add(&mut self, cell: Breakdown) {
        let sum = &mut self.sum;
        self.is_some = true;
        sum.ok += cell.ok;
        sum.failed += cell.failed;
        sum.timeouts += cell.timeouts;
        sum.cancelled += cell.cancelled;
        sum.dry_runs += cell.dry_runs;
        sum.unmeasured += cell.unmeasured;
        for (duration, n) in cell.durations {
            *self.durations.entry(duration).or_default() += n;
        }
        for (category, n) in cell.errors {
            *sum.errors.entry(category).or_default() += n;
        }
        if sum.errors.len() > 2 * CATEGORIES_MAX {
            keep_categories(&mut sum.errors);
        }
    }

    /// As one cell of an operation; none where nothing was left over.
    fn cell(self, operation: String) -> Option<Breakdown> {
        let durations = self.durations.into_iter().collect();
        self.is_some.then(|| Breakdown { operation, backend: Some(OTHERS.to_owned()), durations, ..self.sum })
    }
}
