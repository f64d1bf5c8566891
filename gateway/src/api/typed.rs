//! What a form sends as text: numbers, and times that may be a word.

use serde::de::{Error, IntoDeserializer, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tiketi_engine::record::TicketHold;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// A whole number that may come as digits in a string: the admin form sends what was typed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct TypedNumber(pub u64);

impl<'de> Deserialize<'de> for TypedNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrDigits;
        impl Visitor<'_> for NumberOrDigits {
            type Value = TypedNumber;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number, or its digits in a string")
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<TypedNumber, E> {
                Ok(TypedNumber(number))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TypedNumber, E> {
                let digits = text.trim();
                match digits.bytes().all(|byte| byte.is_ascii_digit()) {
                    true => digits.parse().map(TypedNumber).ok(),
                    false => None,
                }
                .ok_or_else(|| E::invalid_value(Unexpected::Str("text"), &self))
            }
        }
        deserializer.deserialize_any(NumberOrDigits)
    }
}

/// How long an unpaid order of tickets lives: `never` for as long as it takes, or a number of seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TicketHoldTtl {
    /// Until its user or an administrator ends it.
    Never,
    /// So many seconds.
    Seconds(u64),
}

const NEVER: &str = "never";

impl Serialize for TicketHoldTtl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            TicketHoldTtl::Never => serializer.serialize_str(NEVER),
            TicketHoldTtl::Seconds(seconds) => serializer.serialize_u64(*seconds),
        }
    }
}

impl<'de> Deserialize<'de> for TicketHoldTtl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NeverOrSeconds;
        impl Visitor<'_> for NeverOrSeconds {
            type Value = TicketHoldTtl;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a whole number of seconds, or never")
            }

            fn visit_u64<E: Error>(self, seconds: u64) -> Result<TicketHoldTtl, E> {
                Ok(TicketHoldTtl::Seconds(seconds))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<TicketHoldTtl, E> {
                if text == NEVER {
                    return Ok(TicketHoldTtl::Never);
                }
                let digits: TypedNumber = Deserialize::deserialize(text.into_deserializer())?;
                Ok(TicketHoldTtl::Seconds(digits.0))
            }
        }
        deserializer.deserialize_any(NeverOrSeconds)
    }
}

impl ToSchema for TicketHoldTtl {}

impl PartialSchema for TicketHoldTtl {
    fn schema() -> RefOr<Schema> {
        let never = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([NEVER]));
        OneOfBuilder::new()
            .item(TypedNumber::schema())
            .item(never)
            .description(Some("A whole number of seconds, or `never`."))
            .into()
    }
}

impl From<TicketHold> for TicketHoldTtl {
    fn from(hold: TicketHold) -> Self {
        match hold {
            TicketHold::Never => TicketHoldTtl::Never,
            TicketHold::Millis(ms) => TicketHoldTtl::Seconds(ms / 1_000),
        }
    }
}

impl ToSchema for TypedNumber {}

impl PartialSchema for TypedNumber {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
        let digits = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]+$"));
        OneOfBuilder::new()
            .item(number)
            .item(digits)
            .description(Some("A whole number, or its digits in a string."))
            .into()
    }
}
