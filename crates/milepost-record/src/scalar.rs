//! One plain value of an attribute.

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, Visitor},
};
use std::fmt;

/// One plain value of an attribute.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(untagged)]
pub enum Scalar {
    /// True or false.
    Boolean(bool),
    /// A whole number.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// Text.
    Text(String),
}

impl From<&str> for Scalar {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Derived, it would try one variant after the other on a copy of the value, and write an error for each that is not it: a third of the time
/// of reading an event.
impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Plain;

        impl Visitor<'_> for Plain {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, a number or text")
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Boolean(value))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar::Integer(value))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                // What is larger than a whole number can be is a number still.
                Ok(i64::try_from(value).map_or(Scalar::Number(value as f64), Scalar::Integer))
            }

            fn visit_f64<E: Error>(self, value: f64) -> Result<Scalar, E> {
                Ok(Scalar::Number(value))
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(value.to_owned()))
            }

            fn visit_string<E: Error>(self, value: String) -> Result<Scalar, E> {
                Ok(Scalar::Text(value))
            }
        }

        deserializer.deserialize_any(Plain)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_the_narrowest_that_it_can_be() {
        for (json, value) in [
            ("true", Scalar::Boolean(true)),
            ("0", Scalar::Integer(0)),
            ("-9223372036854775808", Scalar::Integer(i64::MIN)),
            ("9223372036854775807", Scalar::Integer(i64::MAX)),
            ("9223372036854775808", Scalar::Number(9_223_372_036_854_775_808.0)),
            ("1.0", Scalar::Number(1.0)),
            ("-2e3", Scalar::Number(-2000.0)),
            ("\"1\"", Scalar::Text("1".to_owned())),
            ("\"a\\u00e4\"", Scalar::Text("a\u{e4}".to_owned())),
        ] {
            assert_eq!(serde_json::from_str::<Scalar>(json).expect(json), value, "{json}");
            assert_eq!(serde_json::from_value::<Scalar>(serde_json::from_str(json).expect(json)).expect(json), value, "{json}");
        }
        for json in ["null", "[]", "{}", "[1]"] {
            let refused = serde_json::from_str::<Scalar>(json).expect_err(json).to_string();
            assert!(refused.contains("expected true, false, a number or text"), "{refused}");
        }
    }
}
