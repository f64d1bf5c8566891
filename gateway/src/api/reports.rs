//! Reports (`gateway/PROTOCOL.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Id;

/// `GET /api/admin/reports/sales` as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SalesReport {
    /// The first Seoul day; `null` for from the beginning.
    pub from: Option<String>,
    /// The last Seoul day; `null` for up to now.
    pub to: Option<String>,
    /// What a row stands for.
    pub by: SalesBy,
    /// Days or events of which there is anything to say, in their order.
    pub rows: Vec<SalesRow>,
    /// The sums of all rows.
    pub totals: SalesSums,
}

/// What a row of a sales report stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SalesBy {
    /// A Seoul day.
    Day,
    /// An event.
    Event,
}

/// A day or an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SalesRow {
    /// By day: `2026-11-21`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day: Option<String>,
    /// By event: which.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_id: Option<Id>,
    /// By event: its title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_title: Option<String>,
    /// Its numbers.
    #[serde(flatten)]
    pub sums: SalesSums,
}

/// What was sold and given back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SalesSums {
    /// Orders that were paid then.
    pub orders: u64,
    /// Their seats and tickets, those that were given back since as well.
    pub tickets: u64,
    /// Won that they paid, by card and by points.
    pub gross: u64,
    /// Won that went back or came to be owed then, whenever it had been paid.
    pub refunds: u64,
    /// Won of these that have not reached the buyer: on their way, or refused by the provider.
    #[serde(rename = "refundsOwed", default)]
    pub refunds_owed: u64,
    /// The difference.
    pub net: i64,
}
