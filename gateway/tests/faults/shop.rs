//! An event with its buyers, made through the administrator's API.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::http::{Ask, Client};
use crate::launch::Server;
use crate::ledger::Ledger;

/// Positions of acknowledged records in the log: no two acknowledgements may share one.
pub(crate) type Positions = Arc<Mutex<HashMap<u64, String>>>;

/// An event with its buyers, and what they were told.
pub(crate) struct Shop {
    pub(crate) event: String,
    /// Ids and labels.
    pub(crate) seats: Vec<(String, String)>,
    pub(crate) ticket_type: String,
    pub(crate) tickets: u64,
    /// Tokens.
    pub(crate) buyers: Vec<String>,
    pub(crate) ledger: Mutex<Ledger>,
    pub(crate) positions: Positions,
}

/// What an event is like.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    pub(crate) rows: usize,
    pub(crate) seats_per_row: usize,
    pub(crate) hold_ttl_s: u64,
    pub(crate) buyers: usize,
}

impl Default for Plan {
    fn default() -> Self {
        Plan { rows: 20, seats_per_row: 50, hold_ttl_s: 24 * 60 * 60, buyers: 4 }
    }
}

/// How many tickets without seats are on sale.
const TICKETS: u64 = 100_000;

impl Shop {
    /// Everything about it is acknowledged on return.
    pub(crate) fn open(server: &Server, plan: Plan, positions: &Positions) -> Result<Shop, String> {
        let mut client = server.client();
        let admin = admin(&mut client)?;
        let sections = [("VIP", plan.rows / 2, 150_000), ("R", plan.rows - plan.rows / 2, 90_000)];
        let sections = sections.map(|(name, rows, price)| {
            json!({
                "name": name, "rows": rows, "seatsPerRow": plan.seats_per_row,
                "price": price, "startRow": 1,
            })
        });
        let layout = format!("hall {}x{}", plan.rows, plan.seats_per_row);
        let event = json!({
            "title": "faults", "venue": "hall",
            "eventDate": "2099-12-31T19:00:00Z",
            "saleStartDate": "2020-01-01T00:00:00Z", "saleEndDate": "2099-12-31T00:00:00Z",
            "layout": {"name": layout, "sections": sections},
            "ticketTypes": [
                {"name": "standing", "price": 50_000, "totalQuantity": TICKETS, "standing": true},
            ],
            // The clients buy until the end of the test.
            "maxTickets": TICKETS,
            "holdTtl": plan.hold_ttl_s,
        });
        let made = client.expect(201, &Ask::post("/api/admin/events", &admin, event))?;
        let event = text(&made["event"]["id"]);
        let map = client.expect(200, &Ask::get(format!("/api/seats/events/{event}"), ""))?;
        let seats = map["seats"].as_array().ok_or("no seats")?;
        let seats = seats.iter().map(|seat| (text(&seat["id"]), text(&seat["seat_label"])));
        let detail = client.expect(200, &Ask::get(format!("/api/events/{event}"), ""))?;
        let mut buyers = Vec::new();
        for _ in 0..plan.buyers {
            buyers.push(register(&mut client)?);
        }
        Ok(Shop {
            seats: seats.collect(),
            ticket_type: text(&detail["ticketTypes"][0]["id"]),
            tickets: TICKETS,
            event,
            buyers,
            ledger: Mutex::default(),
            positions: Arc::clone(positions),
        })
    }

    /// Writes the position of an acknowledged record down.
    pub(crate) fn acknowledged(&self, lsn: Option<u64>, what: String) {
        let Some(lsn) = lsn else {
            return self.violated(format!("{what} was acknowledged without a position"));
        };
        let before = self.positions.lock().unwrap().insert(lsn, what.clone());
        if let Some(before) = before {
            self.violated(format!("record {lsn} was acknowledged as {before} and as {what}"));
        }
    }

    pub(crate) fn violated(&self, what: String) {
        self.ledger.lock().unwrap().violations.push(what);
    }
}

/// The administrator's token.
pub(crate) fn admin(client: &mut Client) -> Result<String, String> {
    let login = json!({"email": "admin@tiketi.gg", "password": "admin123"});
    let answer = client.expect(200, &Ask::post("/api/auth/login", "", login))?;
    Ok(text(&answer["token"]))
}

/// A new buyer's token.
pub(crate) fn register(client: &mut Client) -> Result<String, String> {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let email = format!("buyer{next}-{}@faults.test", std::process::id());
    let body = json!({"email": email, "password": "secret1", "name": "구매자"});
    let answer = client.expect(201, &Ask::post("/api/auth/register", "", body))?;
    Ok(text(&answer["token"]))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
