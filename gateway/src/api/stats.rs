//! The numbers of an installation (`gateway/PROTOCOL.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Id;
use crate::api::events::EventStatus;

/// `GET /api/admin/stats`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Stats {
    /// All events, called off ones too.
    pub events: u64,
    /// All accounts.
    pub users: u64,
    /// By state.
    pub orders: OrderCounts,
    /// By status, over all events.
    pub seats: SeatCounts,
    /// Over all events.
    pub tickets: TicketCounts,
    /// Won captured and not given back.
    pub revenue: u64,
    /// Unpaid orders that will expire.
    pub holds_live: u64,
    /// Where the log is.
    pub lsn: Watermarks,
    /// Records appended in this process life.
    pub records: u64,
    /// The same by second, over the whole life.
    pub records_per_second: f64,
    /// Seconds since the start.
    pub uptime: f64,
    /// With `?event=`: the event alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event: Option<EventStats>,
}

/// Orders by state.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderCounts {
    /// All of them.
    pub total: u64,
    /// Claimed, unpaid.
    pub held: u64,
    /// Being paid.
    pub paying: u64,
    /// Sold.
    pub paid: u64,
    /// Their deadline passed.
    pub expired: u64,
    /// Ended in any other way.
    pub cancelled: u64,
}

/// Seats by status.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SeatCounts {
    /// All of them.
    pub total: u64,
    /// Free.
    pub available: u64,
    /// Held, unpaid.
    pub held: u64,
    /// Sold.
    pub sold: u64,
    /// Off sale.
    pub blocked: u64,
}

/// Tickets without seats.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TicketCounts {
    /// All of them.
    pub total: u64,
    /// Left.
    pub available: u64,
    /// In orders that have not ended.
    pub in_orders: u64,
    /// Sold elsewhere.
    pub sold_elsewhere: u64,
}

/// `appended >= durable >= applied`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Watermarks {
    /// The process life.
    pub epoch: u64,
    /// In memory.
    pub appended: u64,
    /// On disk.
    pub durable: u64,
    /// Seen by reads.
    pub applied: u64,
}

/// The numbers of one event.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventStats {
    /// The event.
    pub id: Id,
    /// Its title.
    pub title: String,
    /// At the instant of the answer.
    pub status: EventStatus,
    /// By state.
    pub orders: OrderCounts,
    /// Won captured and not given back.
    pub revenue: u64,
    /// In the order of the layout.
    pub sections: Vec<SectionStats>,
    /// In the order they were made.
    pub ticket_types: Vec<TicketTypeStats>,
}

/// The numbers of one section.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SectionStats {
    /// Its name.
    pub section: String,
    /// By status.
    #[serde(flatten)]
    pub seats: SeatCounts,
}

/// The numbers of one ticket type.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TicketTypeStats {
    /// Its name.
    pub name: String,
    /// By what became of them.
    #[serde(flatten)]
    pub tickets: TicketCounts,
}
