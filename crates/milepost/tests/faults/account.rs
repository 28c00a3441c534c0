//! Is what was acknowledged counted once, in every table and view?

use crate::{place::Place, tally::Row};
use milepost_record::{Event, Kind, Timestamp};
use milepost_store::{Finding, QueryLimits, Selection, Store, StoreError, Upkeep, check, compact, repair};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    path::Path,
    time::Duration,
};

/// The views of the events of the harness, and of those that `track` records.
const VIEWS: &[&str] = &["operations", "measurements", "criteria", "verdicts"];

pub fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(work)
}

/// How often each event of the harness is there, as whoever looks at this moment sees it.
pub fn seen(data: &Path, now: Timestamp) -> Result<BTreeMap<String, u64>, String> {
    block_on(async {
        let store = Store::open(data, now).await.map_err(|error| error.to_string())?;
        let mut found = BTreeMap::new();
        let selection = Selection { kinds: vec![Kind::Operation, Kind::Measurement], ..Selection::default() };
        let count = |event: Event| {
            *found.entry(event.id.unwrap_or_default()).or_default() += 1;
            Ok::<(), StoreError>(())
        };
        store.for_each_event(&selection, count).await.map_err(|error| error.to_string())?;
        let of = |view: &&str| format!("SELECT '{view}' AS view, count(*) AS n, count(DISTINCT id) AS ids FROM {view}");
        let sql = VIEWS.iter().map(of).collect::<Vec<_>>().join(" UNION ALL ");
        let limits = QueryLimits { memory_bytes: 1 << 28, time: Duration::from_secs(60), rows: 10 };
        let table = store.query(&sql, &limits).await.map_err(|error| error.to_string())?;
        let mut rows = 0;
        for row in &table.rows {
            if row[1] != row[2] {
                return Err(format!("{} has {} rows and {} ids", row[0], row[1], row[2]));
            }
            let is_ours = ["operations", "measurements"].iter().any(|view| row[0] == *view);
            rows += row[1].as_u64().filter(|_| is_ours).unwrap_or_default();
        }
        if rows != found.values().sum::<u64>() {
            return Err(format!("the views have {rows} rows, and an export {}", found.values().sum::<u64>()));
        }
        Ok(found)
    })
}

impl Place {
    /// Compares what is seen with what was acknowledged, but for `spared`, of which nothing is known. So many ids that nobody began
    /// may be there.
    pub fn compare(&self, when: &str, now: Timestamp, spared: &BTreeSet<String>, strangers: u64, row: &mut Row) {
        let found = match seen(&self.data(), now) {
            Ok(found) => found,
            Err(why) => {
                row.lost += self.acknowledged.len() as u64;
                return row.note(format!("{when}, nothing can be read: {why}"));
            }
        };
        for id in self.acknowledged.iter().filter(|id| !found.contains_key(*id) && !spared.contains(*id)) {
            row.lost += 1;
            row.note(format!("{when}, {id} is lost"));
        }
        for (id, _) in found.iter().filter(|(_, times)| **times > 1) {
            row.doubled += 1;
            row.note(format!("{when}, {id} is doubled"));
        }
        let strange: Vec<_> = found.keys().filter(|id| !self.begun.contains(*id)).collect();
        if strange.len() as u64 > strangers {
            row.strange += strange.len() as u64;
            row.note(format!("{when}, nobody began {strange:?}"));
        }
    }

    /// What every fault has to leave: all is there at once, is there after the next compaction, and nothing is damaged.
    pub fn settle(&self, row: &mut Row) {
        self.settle_at(Timestamp::now(), row);
    }

    pub fn settle_at(&self, now: Timestamp, row: &mut Row) {
        row.acknowledged += self.acknowledged.len() as u64;
        let none = BTreeSet::new();
        self.compare("right after", now, &none, 0, row);
        if let Err(error) = self.take_in(now) {
            row.wrong(format!("the next compaction fails: {error}"));
        }
        self.compare("after the next compaction", now, &none, 0, row);
        match self.findings() {
            Ok(findings) if findings.is_empty() => {}
            Ok(findings) => row.wrong(format!("a crash damages nothing, and yet: {findings:?}")),
            Err(error) => row.wrong(format!("`doctor` cannot look: {error}")),
        }
    }

    pub fn take_in(&self, now: Timestamp) -> Result<(), String> {
        block_on(compact(&self.data(), now, &Upkeep::default())).map(|_| ()).map_err(|error| error.to_string())
    }

    pub fn findings(&self) -> Result<Vec<Finding>, String> {
        block_on(check(&self.data())).map_err(|error| error.to_string())
    }

    pub fn repair(&self) -> Result<Vec<Finding>, String> {
        block_on(repair(&self.data())).map_err(|error| error.to_string())
    }
}
