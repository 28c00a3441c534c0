//! How the memory of a reading divides among the processes of the tree.

use crate::{Invalid, event, limits};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

/// The memory of one process of a tree, or of all those that have no entry of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ProcessMemory {
    /// Name of its program or script, at most 64 bytes: never its arguments.
    pub name: String,
    /// Its memory in bytes; the reading's `measure` says of what.
    pub bytes: u64,
    /// Its process id; absent where the entry stands for all processes that have none of their own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u64>,
    /// Process id of the nearest ancestor that has an entry; absent at the root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<u64>,
}

impl ProcessMemory {
    /// What the entry of all others is called.
    pub const OTHERS: &str = "(others)";

    /// At most so many entries (two or more): where there are more, the largest, those without a parent among them first, and one for
    /// all others. What was below a process that has no entry any more is below its nearest ancestor that has one.
    #[must_use]
    pub fn largest(all: Vec<Self>, most: usize) -> Vec<Self> {
        if all.len() <= most {
            return all;
        }
        let parents: BTreeMap<u64, u64> = all.iter().filter_map(|of| Some((of.pid?, of.parent?))).collect();
        let mut by_size: Vec<usize> = (0..all.len()).collect();
        // The entry of others is not one of its own here: what it says is added to the new one.
        by_size.sort_by_key(|place| all.get(*place).map(|of| (of.pid.is_none(), of.parent.is_some(), Reverse(of.bytes))));
        let kept: BTreeSet<usize> = by_size.into_iter().take(most.saturating_sub(1)).collect();
        let pids: BTreeSet<u64> = kept.iter().filter_map(|place| all.get(*place)?.pid).collect();
        let mut others = 0_u64;
        let mut entries = Vec::with_capacity(most);
        for (place, mut of) in all.into_iter().enumerate() {
            if !kept.contains(&place) {
                others = others.saturating_add(of.bytes);
                continue;
            }
            // No more steps than there are processes, so that a circle of parents ends.
            for _ in 0..parents.len() {
                let Some(parent) = of.parent.filter(|parent| !pids.contains(parent)) else { break };
                of.parent = parents.get(&parent).copied();
            }
            of.parent = of.parent.filter(|parent| pids.contains(parent));
            entries.push(of);
        }
        entries.push(Self { name: Self::OTHERS.to_owned(), bytes: others, pid: None, parent: None });
        entries
    }
}

/// Whether the entries of a reading are within their limits.
pub(crate) fn check(tree: &[ProcessMemory]) -> Result<(), Invalid> {
    if tree.len() > limits::TREE_PROCESSES_MAX {
        return Err(Invalid::TooMany { key: "tree", count: tree.len(), max: limits::TREE_PROCESSES_MAX });
    }
    for of in tree {
        event::name("tree.name", Some(&of.name))?;
        if of.name.len() > limits::PROCESS_NAME_BYTES_MAX {
            return Err(Invalid::TooLong { key: "tree.name", bytes: of.name.len(), max: limits::PROCESS_NAME_BYTES_MAX });
        }
        event::at_most("tree.bytes", Some(of.bytes), limits::MEMORY_BYTES_MAX)?;
        event::at_most("tree.pid", of.pid, limits::COUNT_MAX)?;
        event::at_most("tree.parent", of.parent, limits::COUNT_MAX)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u64, parent: Option<u64>, bytes: u64) -> ProcessMemory {
        ProcessMemory { name: format!("p{pid}"), bytes, pid: Some(pid), parent }
    }

    #[test]
    fn the_largest_stay_below_the_nearest_that_stays_and_no_byte_is_lost() {
        let all =
            vec![process(1, None, 1), process(2, Some(1), 2), process(3, Some(2), 90), process(4, Some(2), 5), process(5, Some(3), 7)];
        assert_eq!(ProcessMemory::largest(all.clone(), 5), all);
        let few = ProcessMemory::largest(all.clone(), 4);
        let told: Vec<_> = few.iter().map(|of| (of.name.as_str(), of.bytes, of.parent)).collect();
        assert_eq!(told, [("p1", 1, None), ("p3", 90, Some(1)), ("p5", 7, Some(3)), ("(others)", 7, None)]);
        assert_eq!(few.iter().map(|of| of.bytes).sum::<u64>(), all.iter().map(|of| of.bytes).sum::<u64>());
        // Fewer still: what the others were before is added to them.
        let fewer = ProcessMemory::largest(few, 3);
        assert_eq!(fewer.iter().map(|of| (of.name.as_str(), of.bytes)).collect::<Vec<_>>(), [("p1", 1), ("p3", 90), ("(others)", 14)]);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let all = vec![process(1, Some(2), 5), process(2, Some(1), 4), process(3, Some(1), 9), process(4, Some(4), 1)];
        let few = ProcessMemory::largest(all, 2);
        assert_eq!(few.iter().map(|of| (of.name.as_str(), of.parent)).collect::<Vec<_>>(), [("p3", None), ("(others)", None)]);
    }
}
