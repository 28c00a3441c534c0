//! Columns back to events, through the wire format: so what comes out of a table was read as strictly as what goes in.

use crate::{
    StoreError, query,
    tables::{BOOLEAN, DAY, INTEGER, NUMBER},
};
use datafusion::{
    arrow::{
        array::{Array, ArrayRef, AsArray, MapArray},
        compute::cast,
        datatypes::{DataType, Float64Type, Int64Type, TimeUnit, TimestampMicrosecondType},
        record_batch::RecordBatch,
    },
    error::DataFusionError,
};
use milepost_record::{Event, Kind, Timestamp, WIRE_VERSION};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The events of one kind that a batch holds.
pub(crate) fn events(kind: Kind, batch: &RecordBatch) -> Result<Vec<Event>, StoreError> {
    let mut rows: Vec<Map<String, Value>> = (0..batch.num_rows())
        .map(|_| Map::from_iter([("v".to_owned(), json!(WIRE_VERSION)), ("kind".to_owned(), json!(kind.name()))]))
        .collect();
    let schema = batch.schema();
    for (field, array) in schema.fields().iter().zip(batch.columns()) {
        let name = field.name().as_str();
        let values: Vec<Option<Value>> = match name {
            DAY | "attribute_types" => continue,
            "attributes" => attributes(batch, array)?,
            "tree" => trees(array)?,
            _ => plain(name, array)?,
        };
        for (row, value) in rows.iter_mut().zip(values) {
            let Some(value) = value else { continue };
            match name {
                "error_category" | "error_text" => {
                    let error = row.entry("error").or_insert_with(|| json!({})).as_object_mut();
                    error.map(|error| error.insert(name.trim_start_matches("error_").to_owned(), value));
                }
                "definition" => {
                    let definition = value.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
                    row.insert(name.to_owned(), definition.ok_or(StoreError::Shape("definition"))?);
                }
                _ => _ = row.insert(name.to_owned(), value),
            }
        }
    }
    let event = |row: Map<String, Value>| Event::from_json(&Value::Object(row).to_string()).map_err(StoreError::Event);
    rows.into_iter().map(event).collect()
}

/// The processes of each reading that says them, as the wire has them.
pub(crate) fn trees(array: &ArrayRef) -> Result<Vec<Option<Value>>, StoreError> {
    let values = query::values(array).map_err(DataFusionError::from)?;
    Ok(values.into_iter().map(|tree| (!tree.is_null()).then_some(tree)).collect())
}

/// The values of a column of one plain type.
fn plain(name: &str, array: &ArrayRef) -> Result<Vec<Option<Value>>, StoreError> {
    let rows = 0..array.len();
    let some = |row: usize| array.is_valid(row).then_some(row);
    Ok(match array.data_type() {
        DataType::Boolean => rows.map(|row| some(row).map(|row| json!(array.as_boolean().value(row)))).collect(),
        DataType::Int64 => rows.map(|row| some(row).map(|row| json!(array.as_primitive::<Int64Type>().value(row)))).collect(),
        DataType::Float64 => rows.map(|row| some(row).map(|row| json!(array.as_primitive::<Float64Type>().value(row)))).collect(),
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            let time = |row| Timestamp::from_microseconds(array.as_primitive::<TimestampMicrosecondType>().value(row)).map(|at| json!(at));
            rows.map(|row| some(row).and_then(time)).collect()
        }
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Dictionary(_, _) => {
            let array = text(array)?;
            rows.map(|row| some(row).map(|row| json!(array.as_string::<i32>().value(row)))).collect()
        }
        other => return Err(StoreError::Column { name: name.to_owned(), found: other.to_string() }),
    })
}

fn text(array: &ArrayRef) -> Result<ArrayRef, StoreError> {
    Ok(cast(array, &DataType::Utf8).map_err(DataFusionError::from)?)
}

/// The attributes of each row, each with the type that it had.
fn attributes(batch: &RecordBatch, values: &ArrayRef) -> Result<Vec<Option<Value>>, StoreError> {
    let types = batch.column_by_name("attribute_types").ok_or(StoreError::Shape("attribute_types"))?;
    let (values, types) = (entries(values)?, entries(types)?);
    values
        .into_iter()
        .zip(types)
        .map(|(values, types)| {
            let typed = values.into_iter().map(|(name, text)| {
                let value = match types.get(&name).map(String::as_str) {
                    None => Some(json!(text)),
                    Some(BOOLEAN) => text.parse().ok().map(|value: bool| json!(value)),
                    Some(INTEGER) => text.parse().ok().map(|value: i64| json!(value)),
                    Some(NUMBER) => text.parse().ok().map(|value: f64| json!(value)),
                    Some(_) => None,
                };
                Ok((name, value.ok_or(StoreError::Shape("attribute_types"))?))
            });
            let object = typed.collect::<Result<Map<_, _>, StoreError>>()?;
            Ok((!object.is_empty()).then_some(Value::Object(object)))
        })
        .collect()
}

fn entries(array: &ArrayRef) -> Result<Vec<BTreeMap<String, String>>, StoreError> {
    let map = array.as_any().downcast_ref::<MapArray>().ok_or(StoreError::Shape("attributes"))?;
    let row = |row: usize| {
        if map.is_null(row) {
            return Ok(BTreeMap::new());
        }
        let entries = map.value(row);
        let (keys, values) = (text(entries.column(0))?, text(entries.column(1))?);
        let pair = |i| (keys.as_string::<i32>().value(i).to_owned(), values.as_string::<i32>().value(i).to_owned());
        Ok((0..entries.len()).map(pair).collect())
    };
    (0..map.len()).map(row).collect()
}
