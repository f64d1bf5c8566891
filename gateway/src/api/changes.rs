//! What administrators change of events, tickets and reservations (contract/http.md 2.9, and beyond it
//! `gateway/PROTOCOL.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::reservations::{PaymentStatus, ReservationStatus};
use crate::api::{Id, Pagination, Timestamp};

/// `DELETE /api/admin/events/:id`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventDeletedAnswer {
    /// Not shown.
    pub message: String,
    /// How many reservations ended with it.
    pub cancelled_reservations: u64,
}

/// `POST /api/admin/events/:id/generate-seats`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatsCreatedAnswer {
    /// Not shown.
    pub message: String,
    /// How many seats there are now.
    pub seats_created: u32,
    /// The event's title.
    pub event_title: String,
}

/// `DELETE /api/admin/events/:id/seats`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatsDeletedAnswer {
    /// Not shown.
    pub message: String,
    /// How many seats there were.
    pub seats_deleted: u32,
}

/// `POST /api/admin/events/:eventId/tickets` and `PUT /api/admin/tickets/:id`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketTypeAnswer {
    /// Not shown.
    pub message: String,
    /// As it is now.
    pub ticket_type: TicketTypeRow,
}

/// A ticket type with everything that is known of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketTypeRow {
    /// The ticket type.
    pub id: Id,
    /// Its event.
    pub event_id: Id,
    /// Shown to buyers.
    pub name: String,
    /// Won for one.
    pub price: u32,
    /// How many there are, those sold included.
    pub total_quantity: u32,
    /// How many are left.
    pub available_quantity: u32,
    /// Free text.
    pub description: Option<String>,
    /// Whether it is sold beside the seats of an event that has some.
    pub standing: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
}

/// `GET /api/admin/reservations`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdminReservationList {
    /// Newest first.
    pub reservations: Vec<AdminReservationRow>,
    /// Where the page stands.
    pub pagination: Pagination,
}

/// Anybody's reservation in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AdminReservationRow {
    /// The reservation.
    pub id: Id,
    /// Its public number.
    pub reservation_number: String,
    /// Won for all of it.
    pub total_amount: u64,
    /// Where it is in its life.
    pub status: ReservationStatus,
    /// What became of its money.
    pub payment_status: PaymentStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whose it is.
    pub user_name: String,
    /// The user's address.
    pub user_email: String,
    /// The event's title, also of one that was deleted.
    pub event_title: Option<String>,
    /// Its venue.
    pub venue: Option<String>,
    /// When the show begins.
    pub event_date: Option<Timestamp>,
}

/// `PATCH /api/admin/reservations/:id/status`: what is given has to hold afterwards.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(examples(json!({"status": "confirmed"})))]
pub struct StatusRequest {
    /// Where the reservation is to be in its life.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub status: Option<ReservationStatus>,
    /// What is to have become of its money.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub payment_status: Option<PaymentStatus>,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = ReservationStatusAnswer)]
pub struct StatusAnswer {
    /// Not shown.
    pub message: String,
    /// As it is now.
    pub reservation: ReservationRecord,
}

/// A reservation as a row of a table.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReservationRecord {
    /// The reservation.
    pub id: Id,
    /// Whose it is.
    pub user_id: Id,
    /// The event; `null` for one that was deleted.
    pub event_id: Option<Id>,
    /// Its public number.
    pub reservation_number: String,
    /// Won for all of it.
    pub total_amount: u64,
    /// Where it is in its life.
    pub status: ReservationStatus,
    /// How it was paid.
    pub payment_method: Option<String>,
    /// What became of its money.
    pub payment_status: PaymentStatus,
    /// When it ends unless it is paid; never for ticket types.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its status last changed, as far as it still tells.
    pub updated_at: Timestamp,
}

/// `POST /api/admin/events/:id/duplicate`. Dates without a zone are Seoul time.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DuplicateRequest {
    /// Another title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub title: Option<String>,
    /// When the show begins.
    #[schema(examples("2031-01-01T19:00:00"))]
    pub event_date: String,
    /// When sales open.
    #[schema(examples("2026-01-05T20:00:00"))]
    pub sale_start_date: String,
    /// When sales close.
    #[schema(examples("2031-01-01T18:00:00"))]
    pub sale_end_date: String,
}

/// `GET /api/admin/categories`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CategoryList {
    /// By name.
    pub categories: Vec<CategoryRow>,
}

/// A category that events have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CategoryRow {
    /// Its name.
    pub name: String,
    /// How many events are in it.
    pub events: u64,
}

/// `PUT /api/admin/categories/:name`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CategoryRequest {
    /// What it is to be called.
    #[schema(examples("콘서트"))]
    pub name: String,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CategoryAnswer {
    /// Not shown.
    pub message: String,
    /// The category, with those that it had before.
    pub category: CategoryRow,
}
