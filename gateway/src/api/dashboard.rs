//! The administrators' first page (contract/http.md 2.9).

use serde::{Deserialize, Serialize};

use crate::api::reservations::ReservationStatus;
use crate::api::{Id, Timestamp};

/// `GET /api/admin/dashboard/stats`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Dashboard {
    /// The numbers.
    pub stats: DashboardStats,
    /// The newest ten over all events, whatever became of them.
    pub recent_reservations: Vec<RecentReservation>,
}

/// The numbers of the whole installation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DashboardStats {
    /// In any state.
    pub total_events: u64,
    /// Those that are not cancelled; a hold whose time is over is.
    pub total_reservations: u64,
    /// Won of those that are paid.
    pub total_revenue: u64,
    /// Of the reservations above, those made on this day in Seoul.
    pub today_reservations: u64,
}

/// A line of the newest reservations.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RecentReservation {
    /// The reservation.
    pub id: Id,
    /// Its public number.
    pub reservation_number: String,
    /// Won for all of it.
    pub total_amount: u64,
    /// Where it is in its life.
    pub status: ReservationStatus,
    /// When it was made.
    pub created_at: Timestamp,
    /// Whose it is.
    pub user_name: String,
    /// The user's address.
    pub user_email: String,
    /// The event's title.
    pub event_title: String,
}
