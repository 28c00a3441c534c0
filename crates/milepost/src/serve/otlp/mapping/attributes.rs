//! What attributes say, whichever type they say it in.

use opentelemetry_proto::tonic::{
    common::v1::{KeyValue, any_value::Value},
    resource::v1::Resource,
};

/// The attributes of something, and behind them those of the resource that it belongs to.
pub(super) struct Told<'a> {
    own: &'a [KeyValue],
    of_resource: &'a [KeyValue],
}

impl<'a> Told<'a> {
    pub(super) fn by(own: &'a [KeyValue], resource: &'a Resource) -> Self {
        Self { own, of_resource: &resource.attributes }
    }

    pub(super) fn value(&self, key: &str) -> Option<&'a Value> {
        let found = self.own.iter().chain(self.of_resource).find(|attribute| attribute.key == key)?;
        found.value.as_ref()?.value.as_ref()
    }

    /// The first of these names that says something in one word.
    pub(super) fn text<K: AsRef<str>>(&self, keys: &[K]) -> Option<String> {
        keys.iter().find_map(|key| text(self.value(key.as_ref())?))
    }

    pub(super) fn truth<K: AsRef<str>>(&self, keys: &[K]) -> Option<bool> {
        keys.iter().find_map(|key| match self.value(key.as_ref())? {
            Value::BoolValue(truth) => Some(*truth),
            Value::StringValue(text) => text.parse().ok(),
            _ => None,
        })
    }

    pub(super) fn integer(&self, key: &str) -> Option<i64> {
        match self.value(key)? {
            Value::IntValue(number) => Some(*number),
            Value::StringValue(text) => text.parse().ok(),
            _ => None,
        }
    }
}

/// What has no words, or several, says nothing here.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::StringValue(text) => (!text.is_empty()).then(|| text.clone()),
        Value::BoolValue(truth) => Some(truth.to_string()),
        Value::IntValue(number) => Some(number.to_string()),
        Value::DoubleValue(number) => number.is_finite().then(|| number.to_string()),
        Value::ArrayValue(_) | Value::KvlistValue(_) | Value::BytesValue(_) | Value::StringValueStrindex(_) => None,
    }
}
