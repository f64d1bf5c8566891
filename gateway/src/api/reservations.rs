//! Reservations (contract/http.md 2.5).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Id, Timestamp};

/// Where a reservation is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ReservationStatus {
    /// Claimed, unpaid.
    Pending,
    /// Paid.
    Confirmed,
    /// Undone or expired.
    Cancelled,
}

impl ReservationStatus {
    /// The status of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "pending" => Some(ReservationStatus::Pending),
            "confirmed" => Some(ReservationStatus::Confirmed),
            "cancelled" => Some(ReservationStatus::Cancelled),
            _ => None,
        }
    }
}

/// What became of a reservation's money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PaymentStatus {
    /// None was captured yet.
    Pending,
    /// It was captured.
    Completed,
    /// None was captured and none will be.
    Failed,
    /// It was captured and goes back.
    Refunded,
}

/// `POST /api/reservations`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationRequest {
    /// The event.
    pub event_id: Id,
    /// What to buy; quantities of one type add up.
    pub items: Vec<ReservationLine>,
}

/// A number of tickets of one type.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationLine {
    /// The ticket type.
    pub ticket_type_id: Id,
    /// How many, from 1.
    #[schema(examples(2))]
    pub quantity: u32,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReservationCreated {
    /// Not shown.
    pub message: String,
    /// The new reservation.
    pub reservation: NewReservation,
}

/// A new reservation of tickets.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewReservation {
    /// The reservation.
    pub id: Id,
    /// Its public number.
    pub reservation_number: String,
    /// Won for all of it.
    pub total_amount: u64,
    /// When it ends unless it is paid; null where the event holds tickets for good.
    pub expires_at: Option<Timestamp>,
}

/// `GET /api/reservations/my`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReservationList {
    /// Newest first.
    pub reservations: Vec<ReservationRow>,
}

/// A reservation in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReservationRow {
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
    /// The event's title.
    pub event_title: Option<String>,
    /// Its venue.
    pub venue: Option<String>,
    /// When the show begins.
    pub event_date: Option<Timestamp>,
    /// What it claims or claimed.
    pub items: Vec<ReservationItem>,
}

/// Tickets of one type, or one seat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReservationItem {
    /// The ticket type's name, or the seat's label.
    pub ticket_type_name: String,
    /// How many.
    pub quantity: u32,
    /// Won for one, when it was claimed.
    pub unit_price: u32,
    /// Won for all of them.
    pub subtotal: u64,
}

/// `GET /api/reservations/:id`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReservationAnswer {
    /// The reservation.
    pub reservation: ReservationDetail,
}

/// Everything about a reservation.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReservationDetail {
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
    /// How it was paid.
    pub payment_method: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The event.
    pub event_id: Option<Id>,
    /// Its title.
    pub event_title: Option<String>,
    /// Its venue.
    pub venue: Option<String>,
    /// The venue's address.
    pub address: Option<String>,
    /// When the show begins.
    pub event_date: Option<Timestamp>,
    /// What it claims or claimed.
    pub items: Vec<DetailItem>,
}

/// An item, and where its seat is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DetailItem {
    /// The ticket type's name, or the seat's label.
    pub ticket_type_name: String,
    /// How many.
    pub quantity: u32,
    /// Won for one, when it was claimed.
    pub unit_price: u32,
    /// Won for all of them.
    pub subtotal: u64,
    /// Of a seat: section, row and number.
    pub seat_label: Option<String>,
    /// Of a seat: the name of its section.
    pub section: Option<String>,
}

/// An answer that says only that it was done.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Done {
    /// Not shown.
    pub message: String,
}
