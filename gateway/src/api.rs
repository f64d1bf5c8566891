//! The wire types: what requests and answers look like, shared with the load generator and the
//! administrator's command.

pub mod accounts;
pub mod admin;
pub mod amount;
pub mod audit;
pub mod changes;
pub mod dashboard;
pub mod events;
pub mod health;
pub mod images;
pub mod news;
pub mod payments;
pub mod queue;
pub mod reports;
pub mod reservations;
pub mod seats;
pub mod sheets;
pub mod stats;
pub(crate) mod strict;
pub mod toss;
pub mod typed;

use std::fmt;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use tiketi_engine::ids::{
    EventIndex, ExternalId, LayoutIndex, NewsIndex, ReservationId, UnixMillis, UserId,
};
use tiketi_engine::record::Role;
use utoipa::openapi::schema::{KnownFormat, Object, ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};
use uuid::Uuid;

use crate::api::sheets::CellError;

/// What an error says of a text that should be an id.
pub(crate) const NOT_A_UUID: &str = "not a UUID";

/// A UUID on the wire: lower-case 8-4-4-4-12. What it stands for: [`ExternalId::decode`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Id(pub u128);

impl Id {
    /// Reads 8-4-4-4-12, in either case; no other spelling.
    #[must_use]
    pub fn parse(text: &str) -> Option<Id> {
        // Of the spellings that `uuid` takes, the hyphenated one alone has 36 characters.
        if text.len() != 36 {
            return None;
        }
        Uuid::try_parse(text).ok().map(|uuid| Id(uuid.as_u128()))
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_u128(self.0).hyphenated().fmt(f)
    }
}

impl Serialize for Id {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut buffer = Uuid::encode_buffer();
        let text = Uuid::from_u128(self.0).hyphenated().encode_lower(&mut buffer);
        serializer.serialize_str(text)
    }
}

impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Id;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a UUID")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Id, E> {
                Id::parse(text).ok_or_else(|| E::custom(NOT_A_UUID))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl ToSchema for Id {}

impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        text(SchemaFormat::Custom("uuid".to_owned()), "Lower-case 8-4-4-4-12.")
    }
}

fn text(format: SchemaFormat, description: &str) -> RefOr<Schema> {
    let text = ObjectBuilder::new().schema_type(Type::String).format(Some(format));
    Object::from(text.description(Some(description))).into()
}

impl From<ExternalId> for Id {
    fn from(id: ExternalId) -> Self {
        Id(id.encode())
    }
}

impl From<EventIndex> for Id {
    fn from(event: EventIndex) -> Self {
        ExternalId::Event(event).into()
    }
}

impl From<LayoutIndex> for Id {
    fn from(layout: LayoutIndex) -> Self {
        ExternalId::Layout(layout).into()
    }
}

impl From<UserId> for Id {
    fn from(user: UserId) -> Self {
        ExternalId::User(user).into()
    }
}

impl From<NewsIndex> for Id {
    fn from(news: NewsIndex) -> Self {
        ExternalId::News(news).into()
    }
}

impl From<ReservationId> for Id {
    fn from(reservation: ReservationId) -> Self {
        ExternalId::Reservation(reservation).into()
    }
}

/// An instant on the wire: `2026-12-31T10:00:00.000Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub UnixMillis);

impl From<UnixMillis> for Timestamp {
    fn from(at: UnixMillis) -> Self {
        Timestamp(at)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The end of time reads as the last instant that has four digits for its year.
        const LAST_MS: u64 = 253_402_207_199_999;
        let millis = self.0.0.min(LAST_MS).cast_signed();
        let instant = jiff::Timestamp::from_millisecond(millis).map_err(|_| fmt::Error)?;
        write!(f, "{instant:.3}")
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let instant: jiff::Timestamp = text.parse().map_err(D::Error::custom)?;
        let millis = u64::try_from(instant.as_millisecond()).map_err(D::Error::custom)?;
        Ok(Timestamp(UnixMillis(millis)))
    }
}

impl ToSchema for Timestamp {}

impl PartialSchema for Timestamp {
    fn schema() -> RefOr<Schema> {
        text(SchemaFormat::KnownFormat(KnownFormat::DateTime), "UTC, with milliseconds and a `Z`.")
    }
}

/// `user` or `admin`.
#[must_use]
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::User => "user",
        Role::Admin => "admin",
    }
}

/// Every answer that is not 2xx. The fields that may be absent tell more of some refusals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorBody {
    /// Always false.
    pub success: bool,
    /// For the user.
    pub error: String,
    /// The same text.
    pub message: String,
    /// Stable, for programs.
    pub code: String,
    /// `VALIDATION`: the field, parameter or part that is not as it has to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub field: Option<String>,
    /// `VALIDATION` of an account or a table: all that is wrong with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub errors: Option<Vec<Mistake>>,
    /// `SEAT_LIMIT`: how many may be had; `VALIDATION` of a block: how many seats it may have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max: Option<u64>,
    /// `SEAT_LIMIT`: how many the caller may still have; `OUT_OF_STOCK`: how many there still are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub left: Option<u64>,
    /// `NOT_FOUND`: the seat that the event has not, as the request names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub seat: Option<String>,
    /// `SEAT_UNAVAILABLE`: the labels of those that are held, sold or off sale.
    #[serde(rename = "unavailableSeats", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub unavailable_seats: Option<Vec<String>>,
    /// `SEAT_UNAVAILABLE`: of those that were asked for, the labels of the caller's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub yours: Option<Vec<String>>,
    /// `SEAT_UNAVAILABLE`, beside `yours`: the labels of those that are not to be had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub taken: Option<Vec<String>>,
    /// `CONFLICT`: the labels of those that are not off sale.
    #[serde(rename = "notBlockedSeats", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub not_blocked_seats: Option<Vec<String>>,
    /// `CONFLICT`: how many seats the event has already.
    #[serde(rename = "existingSeats", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub existing_seats: Option<u64>,
    /// `VALIDATION`: the points that the caller has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub balance: Option<u64>,
    /// `PAYMENT_DECLINED`: why, as the provider has it.
    #[serde(rename = "providerCode", default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub provider_code: Option<String>,
}

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Mistake {
    /// Of a table.
    Cell(CellError),
    /// Of an account.
    Field(FieldError),
}

/// What is wrong with a field of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FieldError {
    /// `field`.
    #[serde(rename = "type")]
    pub kind: String,
    /// `Invalid value`.
    pub msg: String,
    /// The field's name.
    pub path: String,
    /// `body`.
    pub location: String,
    /// What was sent, where anything was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// Where a page of a list stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// From 1.
    pub page: u64,
    /// Rows of a page.
    pub limit: u64,
    /// Rows of the whole list.
    pub total: u64,
    /// Pages of the whole list.
    pub total_pages: u64,
}

/// Bytes as two hexadecimal digits each.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Pagination {
    /// The page of a list of `total` rows.
    #[must_use]
    pub fn new(page: u64, limit: u64, total: u64) -> Self {
        Pagination { page, limit, total, total_pages: total.div_ceil(limit.max(1)) }
    }
}

/// `POST /api/auth/register`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RegisterRequest {
    /// Login, normalised by the server.
    #[schema(examples("buyer@example.com"))]
    pub email: String,
    /// Six characters or more.
    #[schema(examples("correct horse"))]
    pub password: String,
    /// Shown to others.
    #[schema(examples("홍길동"))]
    pub name: String,
    /// Free form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("010-1234-5678"))]
    pub phone: Option<String>,
}

/// `POST /api/auth/login`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LoginRequest {
    /// Login.
    #[schema(examples("buyer@example.com"))]
    pub email: String,
    /// Password.
    #[schema(examples("correct horse"))]
    pub password: String,
}

/// The answer to both.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuthAnswer {
    /// Not shown.
    pub message: String,
    /// For `Authorization: Bearer`.
    pub token: String,
    /// Who is logged in.
    pub user: AuthUser,
}

/// Who is logged in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuthUser {
    /// The user.
    pub id: Id,
    /// The same again, for the news page.
    #[serde(rename = "userId")]
    pub user_id: Id,
    /// Normalised.
    pub email: String,
    /// Shown to others.
    pub name: String,
    /// `user` or `admin`.
    pub role: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_milliseconds_and_a_z() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (1_798_711_200_000, "2026-12-31T10:00:00.000Z"),
            (1_798_711_200_007, "2026-12-31T10:00:00.007Z"),
        ] {
            assert_eq!(Timestamp(UnixMillis(ms)).to_string(), text);
            let back: Timestamp = serde_json::from_str(&format!("\"{text}\"")).expect("timestamp");
            assert_eq!(back.0.0, ms);
        }
        assert!(Timestamp(UnixMillis(u64::MAX)).to_string().starts_with("9999-12-30T"));
    }

    #[test]
    fn pages_are_counted_up() {
        for (total, pages) in [(0, 0), (1, 1), (10, 1), (11, 2)] {
            assert_eq!(Pagination::new(1, 10, total).total_pages, pages);
        }
    }
}
