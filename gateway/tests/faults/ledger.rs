//! What the clients were told: the journal of acknowledgements, kept outside the server.

use std::collections::{BTreeMap, HashMap};

use serde_json::Value;

/// What is known of a command on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// Never asked for, or refused.
    No,
    /// Asked for without an answer, under this key where it had one.
    Unknown(Option<String>),
    /// Acknowledged.
    Yes,
}

/// An acknowledged order.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    pub(crate) user: usize,
    pub(crate) number: String,
    pub(crate) total: u64,
    /// Labels of its seats, sorted.
    pub(crate) labels: Vec<String>,
    /// How many tickets, where it has no seats.
    pub(crate) tickets: u64,
    /// Milliseconds since 1970.
    pub(crate) expires_at: Option<u64>,
    pub(crate) paid: Known,
    pub(crate) cancelled: Known,
}

impl Order {
    /// Whether nothing about it is in doubt.
    pub(crate) fn is_certain(&self) -> bool {
        !matches!(self.paid, Known::Unknown(_)) && !matches!(self.cancelled, Known::Unknown(_))
    }
}

/// What a hold asks for.
#[derive(Clone, Debug)]
pub(crate) enum Wanted {
    /// These seats: ids and labels.
    Seats(Vec<(String, String)>),
    /// So many, wherever.
    Best(usize),
    /// So many tickets.
    Tickets(u64),
}

/// A hold that got no answer.
#[derive(Clone, Debug)]
pub(crate) struct UnknownHold {
    pub(crate) user: usize,
    pub(crate) key: String,
    pub(crate) wanted: Wanted,
    /// The order that it turned out to be.
    pub(crate) became: Option<String>,
}

/// Everything that the clients of one event know.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) orders: BTreeMap<String, Order>,
    pub(crate) unknown_holds: Vec<UnknownHold>,
    /// Answers that are wrong by themselves.
    pub(crate) violations: Vec<String>,
    /// How often what was answered.
    pub(crate) answers: HashMap<String, u64>,
}

impl Ledger {
    pub(crate) fn count(&mut self, what: impl Into<String>) {
        *self.answers.entry(what.into()).or_default() += 1;
    }

    /// Writes an acknowledged hold down. `reservation` is the object of the answer.
    pub(crate) fn held(&mut self, user: usize, wanted: &Wanted, reservation: &Value) -> String {
        let text = |name: &str| reservation[name].as_str().unwrap_or_default().to_owned();
        let mut labels: Vec<String> = reservation["seats"].as_array().map_or(Vec::new(), |seats| {
            let label = |seat: &Value| seat["seat_label"].as_str().unwrap_or_default().to_owned();
            seats.iter().map(label).collect()
        });
        labels.sort();
        let is_what_was_asked = match wanted {
            Wanted::Seats(seats) => {
                let mut asked: Vec<_> = seats.iter().map(|(_, label)| label.clone()).collect();
                asked.sort();
                asked == labels
            }
            Wanted::Best(count) => labels.len() == *count,
            Wanted::Tickets(_) => labels.is_empty(),
        };
        if !is_what_was_asked {
            self.violations.push(format!("{wanted:?} was answered with {reservation}"));
        }
        let order = Order {
            user,
            number: text("reservationNumber"),
            total: reservation["totalAmount"].as_u64().unwrap_or_default(),
            labels,
            tickets: if let Wanted::Tickets(count) = wanted { *count } else { 0 },
            expires_at: instant(&reservation["expiresAt"]),
            paid: Known::No,
            cancelled: Known::No,
        };
        let id = text("id");
        match self.orders.get(&id) {
            Some(other) if other.number != order.number || other.labels != order.labels => {
                self.violations.push(format!("{id} was given out twice: {other:?} and {order:?}"));
            }
            Some(_) => {}
            None => drop(self.orders.insert(id.clone(), order)),
        }
        id
    }
}

/// Milliseconds since 1970.
pub(crate) fn instant(value: &Value) -> Option<u64> {
    let at: jiff::Timestamp = value.as_str()?.parse().ok()?;
    u64::try_from(at.as_millisecond()).ok()
}
