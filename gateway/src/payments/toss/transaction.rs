//! A row of Toss's list of transactions, as far as it is read.

use serde::Deserialize;
use serde_json::Number;

use crate::payments::answer::{Movement, Transaction};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionRow {
    pub(super) transaction_key: String,
    payment_key: Option<String>,
    order_id: Option<String>,
    status: String,
    amount: Number,
}

impl TransactionRow {
    /// What of the money it moved; the sign of an amount is left aside, as the status tells.
    pub(super) fn read(self) -> Transaction {
        let amount = self.amount.as_f64().map_or(0, |won| won.abs() as u64);
        let movement = match self.status.as_str() {
            "DONE" => Movement::Captured(amount),
            "CANCELED" | "PARTIAL_CANCELED" => Movement::Returned(amount),
            _ => Movement::Other,
        };
        Transaction { order_id: self.order_id, payment_key: self.payment_key, movement }
    }
}
