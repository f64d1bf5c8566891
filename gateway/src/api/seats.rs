//! Layouts, seat maps and seat reservations (contract/http.md 2.4).

use serde::{Deserialize, Serialize};
use tiketi_engine::record::Section;
use tiketi_engine::state;
use utoipa::ToSchema;

use crate::api::reservations::{PaymentStatus, ReservationStatus};
use crate::api::{Id, Timestamp};

/// `GET /api/seats/layouts`, `GET /api/admin/seat-layouts`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LayoutList {
    /// The layouts.
    pub layouts: Vec<Layout>,
}

/// A venue layout.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Layout {
    /// The layout.
    pub id: Id,
    /// Unique.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// How many seats it has.
    pub total_seats: u32,
    /// Its sections.
    pub layout_config: LayoutConfig,
}

/// The sections of a layout, in the order of their seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LayoutConfig {
    /// The sections.
    pub sections: Vec<SectionConfig>,
}

/// A block of rows at one price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SectionConfig {
    /// Unique within the layout.
    #[schema(examples("VIP"))]
    pub name: String,
    /// How many rows.
    #[schema(examples(5))]
    pub rows: u32,
    /// Seats in each row.
    #[schema(examples(20))]
    pub seats_per_row: u32,
    /// Won for a seat.
    #[schema(examples(150_000))]
    pub price: u32,
    /// The number of the first row.
    #[serde(default = "first_row")]
    #[schema(examples(1))]
    pub start_row: u32,
}

fn first_row() -> u32 {
    1
}

impl From<&Section> for SectionConfig {
    fn from(section: &Section) -> Self {
        SectionConfig {
            name: section.name.clone(),
            rows: section.rows,
            seats_per_row: section.seats_per_row,
            price: section.price,
            start_row: section.start_row,
        }
    }
}

impl From<SectionConfig> for Section {
    fn from(section: SectionConfig) -> Self {
        Section {
            name: section.name,
            rows: section.rows,
            seats_per_row: section.seats_per_row,
            price: section.price,
            start_row: section.start_row,
        }
    }
}

impl From<&[Section]> for LayoutConfig {
    fn from(sections: &[Section]) -> Self {
        LayoutConfig { sections: sections.iter().map(SectionConfig::from).collect() }
    }
}

/// What a seat is to a buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SeatStatus {
    /// Free.
    Available,
    /// Held, unpaid.
    Locked,
    /// Sold, or off sale.
    Reserved,
}

impl From<state::SeatStatus> for SeatStatus {
    fn from(status: state::SeatStatus) -> Self {
        match status {
            state::SeatStatus::Available => SeatStatus::Available,
            state::SeatStatus::Locked => SeatStatus::Locked,
            // Buyers need not know why a seat is not for sale.
            state::SeatStatus::Reserved | state::SeatStatus::Blocked => SeatStatus::Reserved,
        }
    }
}

/// `GET /api/seats/events/:eventId`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SeatMap {
    /// The event.
    pub event: SeatMapEvent,
    /// Its sections, in the order to draw them.
    pub layout: LayoutConfig,
    /// By section, row and seat in the order of the layout.
    pub seats: Vec<Seat>,
}

/// The event of a seat map.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SeatMapEvent {
    /// The event.
    pub id: Id,
    /// Its title.
    pub title: String,
}

/// A seat on a map.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seat {
    /// The seat.
    pub id: Id,
    /// The name of its section.
    pub section: String,
    /// As printed on the ticket.
    pub row_number: u32,
    /// As printed on the ticket.
    pub seat_number: u32,
    /// Section, row and number.
    pub seat_label: String,
    /// Won for it.
    pub price: u32,
    /// At the instant of the answer.
    pub status: SeatStatus,
}

/// `POST /api/seats/reserve`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReserveRequest {
    /// The event.
    pub event_id: Id,
    /// The seats, each once.
    pub seat_ids: Vec<Id>,
}

/// `POST /api/seats/best`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BestRequest {
    /// The event.
    pub event_id: Id,
    /// How many seats.
    #[schema(examples(2))]
    pub count: u32,
    /// The name of the section; any where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub section: Option<String>,
}

/// The answer to both.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ReserveAnswer {
    /// Not shown.
    pub message: String,
    /// The new reservation, or the caller's of these seats.
    pub reservation: Reserved,
    /// True where the caller had the seats already, absent otherwise.
    #[serde(rename = "alreadyYours", default, skip_serializing_if = "Option::is_none")]
    pub already_yours: Option<bool>,
}

/// A new reservation of seats.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reserved {
    /// The reservation.
    pub id: Id,
    /// Its public number.
    pub reservation_number: String,
    /// Won for all of it.
    pub total_amount: u64,
    /// When it ends unless it is paid.
    pub expires_at: Timestamp,
    /// Its seats.
    pub seats: Vec<ReservedSeat>,
}

/// A seat of a new reservation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ReservedSeat {
    /// The seat.
    pub id: Id,
    /// Section, row and number.
    pub seat_label: String,
    /// Won for it.
    pub price: u32,
    /// `locked`.
    pub status: SeatStatus,
}

/// `GET /api/seats/reservation/:reservationId`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SeatReservationAnswer {
    /// The reservation.
    pub reservation: SeatReservation,
}

/// A reservation as the payment pages see it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SeatReservation {
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
    /// When it ends unless it is paid; null for tickets that are held for good.
    pub expires_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// The event.
    pub event_id: Option<Id>,
    /// Its title.
    pub event_title: String,
    /// Its venue.
    pub venue: String,
    /// When the show begins.
    pub event_date: Timestamp,
    /// Its seats; of ticket types only the price is known.
    pub seats: Vec<SeatOfReservation>,
    /// True or absent.
    #[serde(rename = "isExpired", default, skip_serializing_if = "Option::is_none")]
    pub is_expired: Option<bool>,
}

/// A seat as the payment pages see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatOfReservation {
    /// The seat.
    pub seat_id: Option<Id>,
    /// Section, row and number.
    pub seat_label: Option<String>,
    /// The name of its section.
    pub section: Option<String>,
    /// As printed on the ticket.
    pub row_number: Option<u32>,
    /// As printed on the ticket.
    pub seat_number: Option<u32>,
    /// Won for it.
    pub price: u32,
}
