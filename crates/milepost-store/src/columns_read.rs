//! Which columns a plan of the engine reads.

use crate::{StoreError, tables};
use datafusion::{
    common::tree_node::TreeNodeRecursion,
    error::DataFusionError,
    logical_expr::{LogicalPlan, TableScan},
};
use milepost_record::Kind;
use std::collections::{BTreeMap, BTreeSet};

/// For each kind of event the columns that an optimized plan reads, in whatever part of it.
pub(crate) fn of(plan: &LogicalPlan) -> Result<BTreeMap<Kind, BTreeSet<String>>, StoreError> {
    let mut kinds = BTreeMap::new();
    for kind in Kind::ALL {
        let columns: BTreeSet<String> = tables::batch(*kind, &[])?.schema().fields().iter().map(|field| field.name().clone()).collect();
        kinds.insert(columns, *kind);
    }
    let mut read: BTreeMap<Kind, BTreeSet<String>> = BTreeMap::new();
    plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node {
            // Below the views tables have no name, but no two kinds have the same columns.
            let all = scan.source.schema().fields().iter().map(|field| field.name().clone()).collect::<BTreeSet<_>>();
            let kind = kinds.get(&all).ok_or_else(|| DataFusionError::Internal(format!("a table of {all:?} is of no kind")))?;
            read.entry(*kind).or_default().extend(columns(scan));
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(read)
}

/// Those that a scan hands on, and those by which it leaves rows out.
fn columns(scan: &TableScan) -> BTreeSet<String> {
    let passed = scan.projected_schema.fields().iter().map(|field| field.name().clone());
    let filters = scan.filters.iter().flat_map(|filter| filter.column_refs().into_iter().map(|column| column.name.clone()));
    passed.chain(filters).collect()
}
