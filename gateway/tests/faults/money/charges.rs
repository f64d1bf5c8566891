//! What our books say of each payment.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{Ask, Client};
use crate::launch::{PATIENCE, Server};
use crate::money::provider::Provider;

/// A charge as administrators see it.
#[derive(Clone, Debug)]
pub(crate) struct Charge {
    pub(crate) status: String,
    pub(crate) card: u64,
    pub(crate) points: u64,
    /// Of both, gone back, going or owed.
    refunded: u64,
    /// Of it, what the provider gave back unasked.
    pub(crate) elsewhere: u64,
    /// Of it, what has not reached the buyer.
    pub(crate) owed: u64,
    /// Of that, what the provider refused.
    pub(crate) refused: u64,
    /// What it waits for.
    pub(crate) waits_for: Option<String>,
    pub(crate) reservation: Option<String>,
    /// `call status code`, oldest first.
    pub(crate) trail: Vec<String>,
}

impl Charge {
    fn read(row: &Value) -> Charge {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let won = |name: &str| row[name].as_u64().unwrap_or(0);
        let lines = row["trail"].as_array().map_or(&[][..], Vec::as_slice);
        let line = |line: &Value| {
            let (call, code) = (text(&line["call"]), text(&line["code"]));
            format!("{call} {} {code} x{}", line["status"], line["times"])
        };
        Charge {
            status: text(&row["status"]),
            card: won("amount"),
            points: won("pointUsed"),
            refunded: won("refundedAmount"),
            elsewhere: won("refundedElsewhere"),
            owed: won("refundOwed"),
            refused: won("refundRefused"),
            waits_for: row["waiting"]["for"].as_str().map(str::to_owned),
            reservation: row["reservationId"].as_str().map(str::to_owned),
            trail: lines.iter().map(line).collect(),
        }
    }

    /// Whether the money was taken, and the bank did not take it back.
    pub(crate) fn is_captured(&self) -> bool {
        matches!(
            self.status.as_str(),
            "paid"
                | "partially_refunded"
                | "refunding"
                | "refund_refused"
                | "refunded"
                | "disputed"
        )
    }

    /// Whether the provider refused the last refund that it was asked for.
    fn was_refused(&self) -> bool {
        let last = self.trail.iter().rev().find(|line| line.starts_with("refund"));
        let codes = ["INVALID_REFUND_ACCOUNT_INFO", "NOT_ALLOWED_PARTIAL_REFUND"];
        last.is_some_and(|line| codes.iter().any(|code| line.contains(code)))
    }

    /// Won of the card's part that are kept: neither gone nor owed. `points` are the points of it that
    /// are kept.
    pub(crate) fn kept_card(&self, points: u64) -> u64 {
        match self.is_captured() {
            true => (self.card + self.points).saturating_sub(self.refunded + points),
            false => 0,
        }
    }

    /// What the books say that the provider has of it.
    pub(crate) fn left(&self, points: u64) -> u64 {
        match self.is_captured() {
            true => self.kept_card(points) + self.owed,
            false => 0,
        }
    }
}

fn page(client: &mut Client, admin: &str, query: &str) -> Result<Vec<(String, Charge)>, String> {
    let list = client.expect(200, &Ask::get(format!("/api/admin/payments?{query}"), admin))?;
    let rows = list["payments"].as_array().ok_or("no list of payments")?;
    let named = |row: &Value| Some((row["orderId"].as_str()?.to_owned(), Charge::read(row)));
    rows.iter().map(|row| named(row).ok_or_else(|| format!("no order id in {row}"))).collect()
}

/// Every charge by its name at the provider.
pub(crate) fn charges(
    client: &mut Client,
    admin: &str,
) -> Result<BTreeMap<String, Charge>, String> {
    let mut charges = BTreeMap::new();
    for number in 1.. {
        let rows = page(client, admin, &format!("limit=1000&page={number}"))?;
        let is_last = rows.len() < 1_000;
        charges.extend(rows);
        if is_last {
            break;
        }
    }
    Ok(charges)
}

/// Has the reconciler finish: no charge waits for the provider but those that it refused, those that
/// a bank holds, and accounts without a deposit. The bound only ends a test that has failed.
pub(crate) fn settle(server: &Server, admin: &str, provider: &Provider) -> Result<(), String> {
    const NUDGE_EVERY: Duration = Duration::from_millis(400);
    let mut client = server.client();
    let end = Instant::now() + PATIENCE;
    let mut nudge_at = Instant::now() + Duration::from_millis(20);
    loop {
        let mut open = page(&mut client, admin, "state=waiting&limit=1000")?;
        open.retain(|(order, charge)| match charge.waits_for.as_deref() {
            Some("provider" | "refund") => true,
            // The deposit came, or the account is closed.
            Some("deposit") => !provider.books(Some(order)).of(order).awaits,
            _ => false,
        });
        if open.is_empty() {
            return Ok(());
        }
        if Instant::now() > end {
            return Err(format!("never settled: {open:?}"));
        }
        // A nudge has what was refused asked for again, so it is given where that is not all.
        if Instant::now() > nudge_at && !open.iter().all(|(_, charge)| charge.was_refused()) {
            let ask = Ask::post("/api/admin/payments/reconcile", admin, json!({}));
            client.expect(200, &ask)?;
            nudge_at = Instant::now() + NUDGE_EVERY;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}
