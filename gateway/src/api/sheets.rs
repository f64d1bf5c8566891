//! Tables that administrators send as CSV, and what came of them.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::seats::SectionConfig;

/// What is wrong with a table: each is one of `errors` of the refusal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CellError {
    /// As spreadsheets count: the names of the columns are row 1.
    pub row: u64,
    /// The column's name; empty where the whole row is meant.
    pub column: String,
    /// For people.
    pub message: String,
}

/// `POST /api/admin/events/:id/tickets/csv`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketSheetAnswer {
    /// Not shown.
    pub message: String,
    /// Whether nothing was made.
    pub dry_run: bool,
    /// What was made, or would be.
    pub ticket_types: Vec<TicketTypeCells>,
}

/// A ticket type of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TicketTypeCells {
    /// Shown to buyers.
    pub name: String,
    /// Won for one.
    pub price: u32,
    /// How many there are.
    pub total_quantity: u32,
    /// Free text.
    pub description: Option<String>,
    /// Whether it is sold beside the seats of an event that has some.
    pub standing: bool,
}

/// `POST /api/admin/seat-layouts/csv`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LayoutSheetAnswer {
    /// Not shown.
    pub message: String,
    /// Whether nothing was made.
    pub dry_run: bool,
    /// The layout's name.
    pub name: String,
    /// How many seats it has.
    pub total_seats: u32,
    /// What was made, or would be.
    pub sections: Vec<SectionConfig>,
}

/// `POST /api/admin/events/:id/seats/csv`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SeatSheetAnswer {
    /// Not shown.
    pub message: String,
    /// Whether nothing was changed.
    pub dry_run: bool,
    /// `block` or `unblock`.
    pub action: String,
    /// How many seats were blocked or unblocked, or would be.
    pub seats: u64,
}
