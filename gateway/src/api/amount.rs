//! Amounts that may come as text: a payment window's redirect brings them in its address.

use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// What an error says of a value that should be an amount.
pub(crate) const NOT_AN_AMOUNT: &str = "whole won";

/// Whole won, as a number or as its digits in a string: no blanks, sign, point or exponent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Amount(pub u64);

impl Amount {
    /// The largest whole number that every JSON reader takes for itself.
    pub const MAX: u64 = (1 << 53) - 1;
    /// Digits of the largest.
    const DIGITS_MAX: usize = 16;

    fn checked<E: Error>(won: Option<u64>) -> Result<Amount, E> {
        let won = won.filter(|&won| won <= Amount::MAX);
        won.map(Amount).ok_or_else(|| E::custom(NOT_AN_AMOUNT))
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrDigits;
        impl Visitor<'_> for NumberOrDigits {
            type Value = Amount;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(NOT_AN_AMOUNT)
            }

            fn visit_u64<E: Error>(self, won: u64) -> Result<Amount, E> {
                Amount::checked(Some(won))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Amount, E> {
                let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
                let is_short = text.len() <= Amount::DIGITS_MAX;
                Amount::checked((is_digits && is_short).then(|| text.parse().ok()).flatten())
            }
        }
        deserializer.deserialize_any(NumberOrDigits)
    }
}

impl ToSchema for Amount {}

impl PartialSchema for Amount {
    fn schema() -> RefOr<Schema> {
        let number = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(0))
            .maximum(Some(Amount::MAX as usize));
        let digits = ObjectBuilder::new().schema_type(Type::String).pattern(Some("^[0-9]{1,16}$"));
        OneOfBuilder::new()
            .item(number)
            .item(digits)
            .description(Some("Whole won, as a number or as its digits in a string."))
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_digits_and_nothing_else() {
        for (json, expected) in [
            ("150000", Some(150_000)),
            ("\"150000\"", Some(150_000)),
            ("0", Some(0)),
            ("\"0\"", Some(0)),
            ("9007199254740991", Some(Amount::MAX)),
            ("\"9007199254740991\"", Some(Amount::MAX)),
            ("9007199254740992", None),
            ("\"9007199254740992\"", None),
            ("\"18446744073709551616\"", None),
            ("\"00000000000000001\"", None),
            ("\"\"", None),
            ("\" 1\"", None),
            ("\"1 \"", None),
            ("\"+1\"", None),
            ("\"-1\"", None),
            ("\"1.0\"", None),
            ("\"1e3\"", None),
            ("\"1,000\"", None),
            ("\"0x10\"", None),
            ("\"１００\"", None),
            ("-1", None),
            ("-0", None),
            ("1.0", None),
            ("1e3", None),
            ("1e400", None),
            ("true", None),
            ("null", None),
            ("[1]", None),
            ("{}", None),
        ] {
            let amount: Option<Amount> = serde_json::from_str(json).ok();
            assert_eq!(amount.map(|amount| amount.0), expected, "{json}");
        }
    }
}
