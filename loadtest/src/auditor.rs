//! The auditor: keeps what was acknowledged and holds the final seat map against it. It knows the
//! contract and nothing of the server.

use std::collections::HashMap;

use tiketi_gateway::api::Id;
use tiketi_gateway::api::seats::{ReserveAnswer, SeatMap, SeatStatus};

/// What was acknowledged.
#[derive(Default)]
pub(crate) struct Auditor {
    /// The reservation that a seat was acknowledged in.
    owners: HashMap<Id, Id>,
    paid: HashMap<Id, u64>,
    findings: Vec<String>,
}

impl Auditor {
    /// A hold was acknowledged.
    pub(crate) fn held(&mut self, answer: &ReserveAnswer) {
        let reservation = &answer.reservation;
        for seat in &reservation.seats {
            if let Some(other) = self.owners.insert(seat.id, reservation.id) {
                let (id, label) = (reservation.id, &seat.seat_label);
                self.findings.push(format!("{label} was held by {other} and by {id}"));
            }
        }
        let sum: u64 = reservation.seats.iter().map(|seat| u64::from(seat.price)).sum();
        if sum != reservation.total_amount {
            self.findings.push(format!("{} costs something else than its seats", reservation.id));
        }
    }

    /// A payment was acknowledged.
    pub(crate) fn paid(&mut self, reservation: Id, amount: u64) {
        if self.paid.insert(reservation, amount).is_some() {
            self.findings.push(format!("{reservation} was paid twice"));
        }
    }

    /// Seats acknowledged so far.
    pub(crate) fn seats(&self) -> usize {
        self.owners.len()
    }

    /// Everything that contradicts the final state.
    pub(crate) fn findings(mut self, map: &SeatMap) -> Vec<String> {
        for seat in &map.seats {
            let owner = self.owners.get(&seat.id);
            let is_paid = owner.is_some_and(|owner| self.paid.contains_key(owner));
            let expected = match (owner, is_paid) {
                (None, _) => SeatStatus::Available,
                (Some(_), false) => SeatStatus::Locked,
                (Some(_), true) => SeatStatus::Reserved,
            };
            if seat.status != expected {
                let label = &seat.seat_label;
                self.findings.push(format!("{label} is {:?} and not {expected:?}", seat.status));
            }
        }
        let revenue: u64 = self.paid.values().sum();
        let sold = map.seats.iter().filter(|seat| seat.status == SeatStatus::Reserved);
        let prices: u64 = sold.map(|seat| u64::from(seat.price)).sum();
        if revenue != prices {
            self.findings.push(format!("{revenue} won were paid for seats of {prices} won"));
        }
        self.findings
    }
}
