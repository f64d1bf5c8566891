//! What our books and the provider's say of each payment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::http::{Ask, Client};
use crate::launch::{PATIENCE, Server};
use crate::money::provider::Provider;

/// A charge as administrators see it.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) status: String,
    pub(crate) card: u64,
    points: u64,
    /// Of both, gone back or on its way.
    refunded: u64,
    pub(crate) reservation: Option<String>,
    /// `call status code`, oldest first.
    pub(crate) trail: Vec<String>,
}

/// What the provider has of an order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) captures: u64,
    pub(crate) captured: u64,
    pub(crate) balance: u64,
}

impl Taken {
    pub(crate) fn of(books: &Value, order: &str) -> Taken {
        let sum = |name: &str| books["orders"][order][name].as_u64().unwrap_or(0);
        Taken { captures: sum("captures"), captured: sum("captured"), balance: sum("balance") }
    }
}

impl Charge {
    fn read(row: &Value) -> Charge {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let lines = row["trail"].as_array().map_or(&[][..], Vec::as_slice);
        let line = |line: &Value| {
            format!("{} {} {}", text(&line["call"]), line["status"], text(&line["code"]))
        };
        Charge {
            status: text(&row["status"]),
            card: row["amount"].as_u64().unwrap_or(0),
            points: row["pointUsed"].as_u64().unwrap_or(0),
            refunded: row["refundedAmount"].as_u64().unwrap_or(0),
            reservation: row["reservationId"].as_str().map(str::to_owned),
            trail: lines.iter().map(line).collect(),
        }
    }

    /// Whether somebody paid, and not all of it is back.
    pub(crate) fn keeps_money(&self) -> bool {
        matches!(self.status.as_str(), "paid" | "partially_refunded" | "refunding")
    }

    /// What is paid by it: by the provider, and by points. Parts go back by the card first.
    pub(crate) fn pays(&self) -> (u64, u64) {
        let by_card = self.card.saturating_sub(self.refunded);
        match self.status.as_str() {
            "paid" | "partially_refunded" => {
                (by_card, self.card + self.points - self.refunded - by_card)
            }
            _ => (0, 0),
        }
    }

    /// Whether the provider does not give it back: it wants to know the buyer's own account for what
    /// came by a bank transfer.
    pub(crate) fn is_refused(&self) -> bool {
        let last = self.trail.iter().rev().find(|line| line.starts_with("refund"));
        last.is_some_and(|line| line.ends_with("INVALID_REFUND_ACCOUNT_INFO"))
    }

    /// Whether something is still to be found out about it, or given back.
    fn is_on_its_way(&self, taken: Taken) -> bool {
        match self.status.as_str() {
            "confirming" => true,
            "waiting_for_deposit" => taken.captured > 0,
            "refunding" => !self.is_refused(),
            _ => false,
        }
    }
}

/// Every charge by its name at the provider.
pub(crate) fn charges(client: &mut Client, admin: &str) -> BTreeMap<String, Charge> {
    let mut charges = BTreeMap::new();
    for page in 1.. {
        let path = format!("/api/admin/payments?limit=1000&page={page}");
        let list = client.expect(200, &Ask::get(path, admin)).expect("the list of payments");
        let rows = list["payments"].as_array().expect("a list");
        for row in rows {
            let order = row["orderId"].as_str().expect("an order id").to_owned();
            charges.insert(order, Charge::read(row));
        }
        if rows.len() < 1_000 {
            break;
        }
    }
    charges
}

/// Has the reconciler finish. The bound only ends a test that has failed.
pub(crate) fn settle(server: &Server, admin: &str, provider: &Provider) -> Result<(), String> {
    let mut client = server.client();
    let end = Instant::now() + PATIENCE;
    loop {
        let books = provider.books();
        let open: Vec<(String, Charge)> = charges(&mut client, admin)
            .into_iter()
            .filter(|(order, charge)| charge.is_on_its_way(Taken::of(&books, order)))
            .collect();
        if open.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("never settled: {open:?}"));
        }
        let ask = Ask::post("/api/admin/payments/reconcile", admin, Value::Null);
        client.expect(200, &ask)?;
        std::thread::sleep(Duration::from_millis(10));
    }
}
