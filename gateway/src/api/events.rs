//! Events and ticket types (contract/http.md 2.2, 2.3).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::typed::TicketHoldTtl;
use crate::api::{Id, Pagination, Timestamp};

/// What an event is to buyers at one instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventStatus {
    /// Sales have not begun.
    Upcoming,
    /// Can be booked.
    OnSale,
    /// Could be booked if anything were left.
    SoldOut,
    /// Sales are over, or the show has begun.
    Ended,
    /// Called off.
    Cancelled,
}

impl EventStatus {
    /// The status of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        use EventStatus::{Cancelled, Ended, OnSale, SoldOut, Upcoming};
        [Upcoming, OnSale, SoldOut, Ended, Cancelled]
            .into_iter()
            .find(|status| status.name() == name)
    }

    /// As sent.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EventStatus::Upcoming => "upcoming",
            EventStatus::OnSale => "on_sale",
            EventStatus::SoldOut => "sold_out",
            EventStatus::Ended => "ended",
            EventStatus::Cancelled => "cancelled",
        }
    }
}

/// `GET /api/events`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventList {
    /// By the start of their sale.
    pub events: Vec<EventRow>,
    /// Which part of all of them.
    pub pagination: Pagination,
}

/// An event in a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventRow {
    /// The event.
    pub id: Id,
    /// Title.
    pub title: String,
    /// Free text.
    pub description: Option<String>,
    /// Name of the venue.
    pub venue: String,
    /// Its address.
    pub address: Option<String>,
    /// When the show begins.
    pub event_date: Timestamp,
    /// When sales open.
    pub sale_start_date: Timestamp,
    /// When sales close.
    pub sale_end_date: Timestamp,
    /// Address of a picture.
    pub poster_image_url: Option<String>,
    /// At the instant of the answer.
    pub status: EventStatus,
    /// Who performs.
    pub artist_name: Option<String>,
    /// Digits: the legacy sent a 64-bit count as text.
    pub ticket_type_count: String,
    /// Cheapest ticket type; none without ticket types.
    pub min_price: Option<u32>,
    /// Dearest ticket type; none without ticket types.
    pub max_price: Option<u32>,
    /// What kind of event it is.
    pub category: Option<String>,
}

/// `GET /api/events/:id`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EventAnswer {
    /// The event.
    pub event: EventDetail,
    /// Dearest first.
    pub ticket_types: Vec<TicketType>,
}

/// Everything about an event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventDetail {
    /// The event.
    pub id: Id,
    /// Title.
    pub title: String,
    /// Free text.
    pub description: Option<String>,
    /// Name of the venue.
    pub venue: String,
    /// Its address.
    pub address: Option<String>,
    /// When the show begins.
    pub event_date: Timestamp,
    /// When sales open.
    pub sale_start_date: Timestamp,
    /// When sales close.
    pub sale_end_date: Timestamp,
    /// Address of a picture.
    pub poster_image_url: Option<String>,
    /// At the instant of the answer.
    pub status: EventStatus,
    /// Its seats; none for ticket types only.
    pub seat_layout_id: Option<Id>,
    /// Who performs.
    pub artist_name: Option<String>,
    /// Always false.
    pub pre_scaled: bool,
    /// Who made it.
    pub created_by: Option<Id>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last edited or called off.
    pub updated_at: Timestamp,
    /// What kind of event it is.
    pub category: Option<String>,
    /// How it sells tickets and lets orders be paid; for administrators alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<EventTerms>,
}

/// How an event sells tickets without seats and lets orders be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventTerms {
    /// Tickets that one user can have; null for the server's setting.
    pub max_tickets: Option<u32>,
    /// How long an unpaid order of tickets lives; null for the server's setting.
    pub ticket_hold_ttl: Option<TicketHoldTtl>,
    /// Whether orders may be paid into virtual accounts.
    pub deposits: bool,
}

/// A kind of ticket without seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketType {
    /// The ticket type.
    pub id: Id,
    /// Shown to buyers.
    pub name: String,
    /// Won for one.
    pub price: u32,
    /// How many there are.
    pub total_quantity: u32,
    /// How many are left.
    pub available_quantity: u32,
    /// Free text.
    pub description: Option<String>,
    /// Whether it is sold beside the seats of an event that has some; otherwise it is for show there.
    pub standing: bool,
}

/// `GET /api/tickets/event/:eventId`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketTypesAnswer {
    /// Dearest first; none of an unknown event.
    pub ticket_types: Vec<TicketType>,
}

/// `GET /api/tickets/availability/:ticketTypeId`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Availability {
    /// How many are left.
    pub available_quantity: u32,
    /// How many there are.
    pub total_quantity: u32,
}

/// `GET /api/events/suggest`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Suggestions {
    /// The best first.
    pub suggestions: Vec<Suggestion>,
}

/// A name that somebody may be typing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Suggestion {
    /// The name.
    pub text: String,
    /// What it names.
    #[serde(rename = "type")]
    pub kind: SuggestionKind,
    /// How many events have it.
    pub events: u32,
    /// The word that stands for it, where that was typed instead.
    pub keyword: Option<String>,
}

/// What a suggested name names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SuggestionKind {
    /// Who performs.
    Artist,
    /// Where.
    Venue,
    /// An event.
    Title,
}
