//! What administrators send and get (contract/http.md 2.9, `gateway/PROTOCOL.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::accounts::UserDetail;
use crate::api::events::EventDetail;
use crate::api::reservations::{DetailItem, PaymentStatus, ReservationStatus};
use crate::api::seats::{Layout, SectionConfig};
use crate::api::strict::{nullable, nullable_or_absent};
use crate::api::toss::ChargeAnswer;
use crate::api::typed::{TicketHoldTtl, TypedNumber};
use crate::api::{Id, Timestamp};

/// `POST /api/admin/events`. Dates without a zone are Seoul time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({
    "title": "겨울 콘서트",
    "venue": "올림픽공원 체조경기장",
    "artistName": "홍길동",
    "eventDate": "2030-12-31T19:00:00",
    "saleStartDate": "2026-01-05T20:00:00",
    "saleEndDate": "2030-12-31T18:00:00",
    "ticketTypes": [{"name": "R석", "price": 150000, "totalQuantity": 300}],
})))]
pub struct NewEventRequest {
    /// Title.
    pub title: String,
    /// Free text.
    #[serde(default, deserialize_with = "nullable")]
    pub description: Option<String>,
    /// Name of the venue.
    pub venue: String,
    /// Its address.
    #[serde(default, deserialize_with = "nullable")]
    pub address: Option<String>,
    /// Who performs.
    #[serde(default, deserialize_with = "nullable")]
    pub artist_name: Option<String>,
    /// Address of a picture.
    #[serde(default, deserialize_with = "nullable")]
    pub poster_image_url: Option<String>,
    /// When the show begins.
    pub event_date: String,
    /// When sales open.
    pub sale_start_date: String,
    /// When sales close.
    pub sale_end_date: String,
    /// Its seats; none for ticket types only.
    #[serde(default, deserialize_with = "nullable")]
    pub seat_layout_id: Option<Id>,
    /// A layout to make, or one of that name and these sections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub layout: Option<NewLayoutRequest>,
    /// Tickets without seats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub ticket_types: Option<Vec<NewTicketTypeRequest>>,
    /// What kind of event it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub category: Option<String>,
    /// Seats in one reservation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_seats: Option<TypedNumber>,
    /// Seconds that an unpaid hold lives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hold_ttl: Option<TypedNumber>,
    /// Seats and tickets that one user can have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub max_per_user: Option<TypedNumber>,
    /// Tickets without seats that one user can have; the server's setting where absent or `null`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    pub max_tickets: Option<TypedNumber>,
    /// How long an unpaid order of tickets lives; the server's setting where absent or `null`.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Option::is_none")]
    pub ticket_hold_ttl: Option<TicketHoldTtl>,
    /// Whether orders may be paid into virtual accounts; they may where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deposits: Option<bool>,
}

/// A kind of ticket to sell.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({"name": "R석", "price": 150000, "totalQuantity": 300})))]
pub struct NewTicketTypeRequest {
    /// Shown to buyers.
    pub name: String,
    /// Won for one.
    pub price: TypedNumber,
    /// How many there are.
    pub total_quantity: TypedNumber,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// Whether it is sold beside the seats of an event that has some; otherwise it is for show there. A
    /// new one is not where absent, an edited one stays as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub standing: Option<bool>,
}

/// `POST /api/admin/seat-layouts`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewLayoutRequest {
    /// Unique.
    #[schema(examples("체조경기장"))]
    pub name: String,
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub description: Option<String>,
    /// In the order of their seats.
    pub sections: Vec<SectionConfig>,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LayoutAnswer {
    /// Not shown.
    pub message: String,
    /// The new layout.
    pub layout: Layout,
}

/// `PUT /api/admin/events/:id`. Absent fields stay as they are; `null` empties an optional one.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EditEventRequest {
    /// Title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("겨울 콘서트, 추가 공연"))]
    pub title: Option<String>,
    /// Free text.
    #[serde(
        default,
        deserialize_with = "nullable_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
    /// Name of the venue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub venue: Option<String>,
    /// Its address.
    #[serde(
        default,
        deserialize_with = "nullable_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub address: Option<Option<String>>,
    /// Who performs.
    #[serde(
        default,
        deserialize_with = "nullable_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub artist_name: Option<Option<String>>,
    /// Address of a picture.
    #[serde(
        default,
        deserialize_with = "nullable_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub poster_image_url: Option<Option<String>>,
    /// When the show begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub event_date: Option<String>,
    /// When sales open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sale_start_date: Option<String>,
    /// When sales close.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub sale_end_date: Option<String>,
    /// What kind of event it is.
    #[serde(
        default,
        deserialize_with = "nullable_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<String>)]
    pub category: Option<Option<String>>,
    /// Tickets without seats that one user can have; `null` for the server's setting.
    #[serde(
        default,
        deserialize_with = "nullable_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<TypedNumber>)]
    pub max_tickets: Option<Option<TypedNumber>>,
    /// How long an unpaid order of tickets lives; `null` for the server's setting.
    #[serde(
        default,
        deserialize_with = "nullable_or_absent",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(value_type = Option<TicketHoldTtl>)]
    pub ticket_hold_ttl: Option<Option<TicketHoldTtl>>,
    /// Whether orders may be paid into virtual accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deposits: Option<bool>,
}

/// The answer to both.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdminEventAnswer {
    /// Not shown.
    pub message: String,
    /// The event.
    pub event: EventDetail,
}

/// `POST /api/admin/events/:id/cancel`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventCancelledAnswer {
    /// Not shown.
    pub message: String,
    /// The event.
    pub event: EventDetail,
    /// How many reservations ended with it.
    pub cancelled_reservations: u64,
}

/// `POST /api/admin/events/:id/seats/block` and `.../unblock`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockRequest {
    /// Labels or ids.
    #[schema(examples("VIP-1-1"))]
    pub seats: Vec<String>,
    /// Why; only for a block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples("음향 장비 자리"))]
    pub reason: Option<String>,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct BlockAnswer {
    /// Not shown.
    pub message: String,
    /// How many seats were blocked or unblocked.
    pub seats: u64,
}

/// `GET /api/admin/users/:idOrEmail`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserAnswer {
    /// The account.
    pub user: UserDetail,
}

/// `PUT /api/admin/users/:id/role`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoleRequest {
    /// `user` or `admin`.
    #[schema(examples("admin"))]
    pub role: String,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RoleAnswer {
    /// Not shown.
    pub message: String,
    /// The account.
    pub user: UserDetail,
}

/// `GET /api/admin/orders/:idOrNumber`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OrderAnswer {
    /// The order.
    pub order: OrderDetail,
}

/// The whole life of an order.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OrderDetail {
    /// The reservation.
    pub id: Id,
    /// Its public number.
    pub reservation_number: String,
    /// The event; `null` for one that was deleted.
    pub event_id: Option<Id>,
    /// Its title.
    pub event_title: String,
    /// Whose it is.
    pub user_id: Id,
    /// The user's address.
    pub user_email: String,
    /// The user's name.
    pub user_name: String,
    /// As buyers see it.
    pub status: ReservationStatus,
    /// As buyers see it.
    pub payment_status: PaymentStatus,
    /// As the engine sees it.
    pub state: OrderState,
    /// Why it ended.
    pub end_reason: Option<EndReason>,
    /// Won for all of it.
    pub total_amount: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends unless it is paid; never for ticket types.
    pub expires_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// The last payment attempt.
    pub payment: Option<PaymentAttempt>,
    /// Every attempt to pay it through a provider, with all that the provider was asked, oldest
    /// first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub charges: Vec<ChargeAnswer>,
    /// What it claims or claimed.
    pub items: Vec<DetailItem>,
    /// The position in the log of the record that made it.
    pub lsn: u64,
}

/// A payment attempt.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaymentAttempt {
    /// Counted from 1.
    pub attempt: u8,
    /// `naver_pay`, `kakao_pay` or `bank_transfer`; `CARD`, `POINT` or `MIXED`.
    pub method: String,
    /// When it was begun.
    pub started_at: Timestamp,
    /// When money was captured.
    pub paid_at: Option<Timestamp>,
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OrderState {
    /// Claimed, unpaid.
    Held,
    /// A payment is under way.
    Paying,
    /// The buyer has an account to pay into.
    AwaitingDeposit,
    /// Sold.
    Paid,
    /// Over.
    Ended,
}

/// Why an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// Its deadline passed.
    Expired,
    /// Its user cancelled it.
    CancelledByUser,
    /// An administrator cancelled it.
    CancelledByAdmin,
    /// Its event was called off.
    EventCancelled,
}

/// `POST /api/admin/orders/:id/cancel`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OrderCancelledAnswer {
    /// Not shown.
    pub message: String,
    /// The order.
    pub order: OrderDetail,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_may_come_as_digits() {
        for (json, expected) in [
            ("150000", Some(150_000)),
            ("\"150000\"", Some(150_000)),
            ("\" 7 \"", Some(7)),
            ("0", Some(0)),
            ("\"\"", None),
            ("\"-1\"", None),
            ("\"1.5\"", None),
            ("\"+1\"", None),
            ("\"99999999999999999999\"", None),
            ("-1", None),
            ("1.5", None),
            ("null", None),
            ("true", None),
            ("[1]", None),
        ] {
            let number: Option<TypedNumber> = serde_json::from_str(json).ok();
            assert_eq!(number.map(|number| number.0), expected, "{json}");
        }
    }

    #[test]
    fn absent_and_null_differ_in_an_edit() {
        let edit = |json| serde_json::from_str::<EditEventRequest>(json).expect("edit").description;
        assert_eq!(edit("{}"), None);
        assert_eq!(edit(r#"{"description":null}"#), Some(None));
        assert_eq!(edit(r#"{"description":"x"}"#), Some(Some("x".to_owned())));
        let wrong = r#"{"description":1}"#;
        assert!(serde_json::from_str::<EditEventRequest>(wrong).is_err());
    }
}
