//! Rows for people: each value as text, by the name of its column.

use crate::StoreError;
use datafusion::{
    arrow::{
        array::Array,
        record_batch::RecordBatch,
        util::display::{ArrayFormatter, FormatOptions},
    },
    error::DataFusionError,
};

/// The columns of one row that have a value, in order, each with the value as text.
pub type Row = Vec<(String, String)>;

pub(crate) fn rows(batches: &[RecordBatch]) -> Result<Vec<Row>, StoreError> {
    let options = FormatOptions::default().with_timestamp_tz_format(Some("%Y-%m-%dT%H:%M:%S%.6fZ"));
    let mut rows = Vec::new();
    for batch in batches {
        let schema = batch.schema();
        let columns: Result<Vec<_>, _> = schema
            .fields()
            .iter()
            .zip(batch.columns())
            .map(|(field, array)| ArrayFormatter::try_new(array.as_ref(), &options).map(|f| (field.name(), array, f)))
            .collect();
        let columns = columns.map_err(DataFusionError::from)?;
        for row in 0..batch.num_rows() {
            let values = columns.iter().filter(|(_, array, _)| array.is_valid(row));
            rows.push(values.map(|(name, _, formatter)| ((*name).clone(), formatter.value(row).to_string())).collect());
        }
    }
    Ok(rows)
}
