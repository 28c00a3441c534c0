//! The items of a request, one after the other: spans, metrics, log records, each with its resource and the name of its scope.
//!
//! Two bytes of Protobuf can stand for a message that takes hundreds in memory, so a request is not decoded as a whole: its groups are
//! walked through where they lie, and one item is decoded at a time. Of JSON, it is counted first what it would take.

use super::answer::Refusal;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::{
    Message,
    encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field},
};
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The largest item, and the largest resource, in bytes of Protobuf.
pub(super) const ITEM_BYTES_MAX: usize = 1024 * 1024;
/// The most memory that a request in JSON may take once it is decoded, in bytes, by an estimate from above.
const DECODED_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// What the largest message of OTLP takes, and what a plain value does.
const MESSAGE_BYTES: u64 = 320;
const VALUE_BYTES: u64 = 64;

/// The numbers of the fields that lead to the items. They are the same for the three signals.
const GROUPS: u32 = 1;
const RESOURCE: u32 = 1;
const SCOPES: u32 = 2;
const SCOPE: u32 = 1;
const ITEMS: u32 = 2;
/// That of the name of a scope.
const NAME: u32 = 1;

/// Why a walk ended early.
#[derive(Debug)]
pub(super) enum Stop<E> {
    Malformed(String),
    Told(E),
}

impl<E> Stop<E> {
    fn malformed(error: impl fmt::Display) -> Self {
        Self::Malformed(error.to_string())
    }
}

/// Somebody who is shown fields, each with its number.
type Look<'a, E> = dyn FnMut(u32, &[u8]) -> Result<(), Stop<E>> + 'a;

/// One item as it lies in the request.
pub(super) struct Item<'a> {
    pub(super) resource: &'a Resource,
    pub(super) scope: &'a str,
    pub(super) bytes: &'a [u8],
}

/// Walks through a request in Protobuf.
pub(super) fn walk<E>(request: &[u8], each: &mut dyn FnMut(Item<'_>) -> Result<(), Stop<E>>) -> Result<(), Stop<E>> {
    fields(request, &mut |number, group| {
        if number != GROUPS {
            return Ok(());
        }
        // It may stand behind what belongs to it.
        let resource = resource(group)?;
        fields(group, &mut |number, scope| if number == SCOPES { items(&resource, scope, each) } else { Ok(()) })
    })
}

fn items<E>(resource: &Resource, group: &[u8], each: &mut dyn FnMut(Item<'_>) -> Result<(), Stop<E>>) -> Result<(), Stop<E>> {
    let mut name = String::new();
    fields(group, &mut |number, scope| {
        if number != SCOPE {
            return Ok(());
        }
        fields(scope, &mut |number, text| {
            if number == NAME {
                name = std::str::from_utf8(text).map_err(Stop::malformed)?.to_owned();
            }
            Ok(())
        })
    })?;
    fields(group, &mut |number, bytes| if number == ITEMS { each(Item { resource, scope: &name, bytes }) } else { Ok(()) })
}

fn resource<E>(group: &[u8]) -> Result<Resource, Stop<E>> {
    let mut resource = Resource::default();
    fields(group, &mut |number, bytes| {
        if number != RESOURCE {
            return Ok(());
        }
        if bytes.len() > ITEM_BYTES_MAX {
            return Err(Stop::Malformed(format!("a resource has more than {ITEM_BYTES_MAX} bytes")));
        }
        resource.merge(bytes).map_err(Stop::malformed)
    })?;
    Ok(resource)
}

/// The messages, texts and bytes directly in a message, with the numbers of their fields.
pub(super) fn fields<E>(mut message: &[u8], each: &mut Look<'_, E>) -> Result<(), Stop<E>> {
    while !message.is_empty() {
        let (number, wire_type) = decode_key(&mut message).map_err(Stop::malformed)?;
        if wire_type != WireType::LengthDelimited {
            skip_field(wire_type, number, &mut message, DecodeContext::default()).map_err(Stop::malformed)?;
            continue;
        }
        let length = decode_varint(&mut message).map_err(Stop::malformed)?;
        let field = usize::try_from(length).ok().and_then(|length| message.split_at_checked(length));
        let (field, rest) = field.ok_or_else(|| Stop::Malformed("it ends within a message".to_owned()))?;
        message = rest;
        each(number, field)?;
    }
    Ok(())
}

/// Whether a request in JSON would take no more memory than there is for it.
pub(super) fn weigh(json: &[u8]) -> Result<(), Refusal> {
    let mut weight = Weight(0);
    let mut reader = serde_json::Deserializer::from_slice(json);
    let weighed = (&mut weight).deserialize(&mut reader).and_then(|()| reader.end());
    if weight.0 > DECODED_BYTES_MAX {
        return Err(Refusal::TooLarge("it has too many values; send smaller batches, or Protobuf".to_owned()));
    }
    weighed.map_err(|error| Refusal::Malformed(error.to_string()))
}

/// What values take, in bytes.
struct Weight(u64);

impl Weight {
    fn add<E: serde::de::Error>(&mut self, bytes: u64) -> Result<(), E> {
        self.0 += bytes;
        if self.0 > DECODED_BYTES_MAX { Err(E::custom("too many values")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Weight {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Weight {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.add(VALUE_BYTES)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.add(VALUE_BYTES)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.add(VALUE_BYTES)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.add(VALUE_BYTES)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<(), E> {
        self.add(VALUE_BYTES + text.len() as u64)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.add(VALUE_BYTES)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        self.add(VALUE_BYTES)?;
        while values.next_element_seed(&mut *self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        self.add(MESSAGE_BYTES)?;
        while entries.next_key::<IgnoredAny>()?.is_some() {
            entries.next_value_seed(&mut *self)?;
        }
        Ok(())
    }
}
