//! The auditor: keeps what the server acknowledged, and finds what contradicts it. It knows the
//! contract and nothing of the server.
//!
//! What went unanswered may have been done or not; it is never held against the server, and seats
//! it touched are not judged by the final map.

pub(crate) mod turns;
pub(crate) mod verdict;

use std::collections::HashMap;

use uuid::Uuid;

use crate::hall::{Hall, SeatNumber};

/// One acknowledged hold and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Sale {
    pub(crate) id: Uuid,
    /// The buyer, as a number among the people.
    pub(crate) user: u32,
    pub(crate) seats: Vec<SeatNumber>,
    pub(crate) amount: u64,
    /// The server's time at which it lapses unpaid; unix milliseconds.
    pub(crate) expires_at: i64,
    pub(crate) state: SaleState,
}

/// What the buyer knows of a sale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SaleState {
    Held,
    /// A payment is under way.
    Paying,
    Paid,
    /// A payment was refused: the hold may have lapsed.
    NotPaid,
    /// A payment went unanswered.
    PayUnknown,
    /// A cancellation is under way, or went unanswered.
    Cancelling,
    Cancelled,
}

/// A sale's place in the ledger.
pub(crate) type SaleNumber = usize;

/// What a hold's answer said.
pub(crate) struct HoldAck<'a> {
    pub(crate) id: Uuid,
    pub(crate) user: u32,
    pub(crate) asked: &'a [SeatNumber],
    pub(crate) got: &'a [SeatNumber],
    pub(crate) amount: u64,
    pub(crate) expires_at: i64,
    /// The server's time when the answer was here, as far as it is known.
    pub(crate) now: i64,
}

/// Everything that was acknowledged.
#[derive(Default)]
pub(crate) struct Ledger {
    sales: Vec<Sale>,
    by_id: HashMap<Uuid, SaleNumber>,
    /// Whose a seat is, by the last hold that was acknowledged.
    owners: Vec<Option<SaleNumber>>,
    /// Seats of holds that went unanswered.
    doubtful: Vec<bool>,
    findings: Findings,
    sold: u64,
    held: u64,
}

/// What contradicts an acknowledgement, in words.
#[derive(Default)]
pub(crate) struct Findings {
    pub(crate) said: Vec<String>,
    pub(crate) count: u64,
}

impl Findings {
    /// The first ones in words, all of them counted.
    pub(crate) fn add(&mut self, finding: impl FnOnce() -> String) {
        const SAID_MAX: usize = 50;
        self.count += 1;
        if self.said.len() < SAID_MAX {
            self.said.push(finding());
        }
    }
}

/// How far the two clocks are trusted to agree.
const CLOCK_DOUBT_MS: i64 = 250;

impl Ledger {
    pub(crate) fn new(seats: usize) -> Ledger {
        Ledger { owners: vec![None; seats], doubtful: vec![false; seats], ..Ledger::default() }
    }

    pub(crate) fn sales(&self) -> &[Sale] {
        &self.sales
    }

    pub(crate) fn findings(&mut self) -> &mut Findings {
        &mut self.findings
    }

    /// Seats in paid sales.
    pub(crate) fn sold(&self) -> u64 {
        self.sold
    }

    /// Seats in unpaid sales that have not been given up.
    pub(crate) fn held(&self) -> u64 {
        self.held
    }

    /// Whether a hold was acknowledged before.
    pub(crate) fn has(&self, id: Uuid) -> bool {
        self.by_id.contains_key(&id)
    }

    /// A hold was acknowledged.
    pub(crate) fn hold(&mut self, hall: &Hall, ack: &HoldAck<'_>) -> SaleNumber {
        let number = self.sales.len();
        let id = ack.id;
        if self.by_id.insert(id, number).is_some() {
            self.findings.add(|| format!("two holds were acknowledged as {id}"));
        }
        let (mut asked, mut got) = (ack.asked.to_vec(), ack.got.to_vec());
        asked.sort_unstable();
        got.sort_unstable();
        if asked != got {
            self.findings.add(|| format!("{id} holds other seats than were asked for"));
        }
        let prices: u64 = ack.got.iter().map(|seat| hall.price(*seat)).sum();
        if prices != ack.amount {
            let amount = ack.amount;
            self.findings.add(|| format!("{id} costs {amount} won, its seats {prices}"));
        }
        for &seat in ack.got {
            if let Some(owner) = self.owners[seat as usize].replace(number) {
                self.taken_over(hall, seat, owner, ack);
            }
        }
        self.held += ack.got.len() as u64;
        self.sales.push(Sale {
            id,
            user: ack.user,
            seats: ack.got.to_vec(),
            amount: ack.amount,
            expires_at: ack.expires_at,
            state: SaleState::Held,
        });
        number
    }

    /// A seat went to another sale: whether it could.
    fn taken_over(&mut self, hall: &Hall, seat: SeatNumber, owner: SaleNumber, ack: &HoldAck<'_>) {
        let other = &self.sales[owner];
        let may_be_free = match other.state {
            SaleState::Held => other.expires_at <= ack.now + CLOCK_DOUBT_MS,
            SaleState::Paid => false,
            // Which of the two has it comes out with the payment, or at the end.
            SaleState::Paying | SaleState::PayUnknown => true,
            SaleState::NotPaid | SaleState::Cancelling | SaleState::Cancelled => true,
        };
        if !may_be_free {
            let (first, second, label) = (other.id, ack.id, hall.label(seat));
            self.findings.add(|| format!("{label} was sold to {first} and to {second}"));
        }
    }

    /// A hold went unanswered.
    pub(crate) fn hold_unknown(&mut self, seats: &[SeatNumber]) {
        for &seat in seats {
            self.doubtful[seat as usize] = true;
        }
    }

    /// A payment is sent.
    pub(crate) fn paying(&mut self, number: SaleNumber) {
        self.sales[number].state = SaleState::Paying;
    }

    /// A payment was acknowledged.
    pub(crate) fn paid(&mut self, hall: &Hall, number: SaleNumber, amount: u64) {
        let sale = &mut self.sales[number];
        sale.state = SaleState::Paid;
        let (id, due, seats) = (sale.id, sale.amount, sale.seats.clone());
        if amount != due {
            self.findings.add(|| format!("{id} costs {due} won, {amount} were paid"));
        }
        for seat in &seats {
            let owner = self.owners[*seat as usize].unwrap_or(number);
            if owner != number {
                let (label, other) = (hall.label(*seat), self.sales[owner].id);
                self.findings.add(|| format!("{label} was sold to {id} and to {other}"));
            }
        }
        self.held -= seats.len() as u64;
        self.sold += seats.len() as u64;
    }

    /// A payment was refused, or went unanswered.
    pub(crate) fn unpaid(&mut self, number: SaleNumber, is_known: bool) {
        let sale = &mut self.sales[number];
        sale.state = if is_known { SaleState::NotPaid } else { SaleState::PayUnknown };
        self.held -= sale.seats.len() as u64;
    }

    /// A paid sale's cancellation is sent: from here on its seats may be another's.
    pub(crate) fn cancelling(&mut self, number: SaleNumber) {
        let sale = &mut self.sales[number];
        sale.state = SaleState::Cancelling;
        self.sold -= sale.seats.len() as u64;
    }

    /// A cancellation was acknowledged.
    pub(crate) fn cancelled(&mut self, number: SaleNumber) {
        self.sales[number].state = SaleState::Cancelled;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hall::tests::hall;

    fn hold(ledger: &mut Ledger, id: u128, seats: &[SeatNumber], now: i64) -> SaleNumber {
        let id = Uuid::from_u128(id);
        let amount = 100 * seats.len() as u64;
        let ack =
            HoldAck { id, user: 0, asked: seats, got: seats, amount, expires_at: now + 1_000, now };
        ledger.hold(&hall(2, 4), &ack)
    }

    fn ledger() -> Ledger {
        Ledger::new(8)
    }

    #[test]
    fn an_honest_sale() {
        let mut ledger = ledger();
        let first = hold(&mut ledger, 1, &[0, 1], 0);
        let second = hold(&mut ledger, 2, &[2], 0);
        ledger.paying(first);
        ledger.paid(&hall(2, 4), first, 200);
        assert_eq!((ledger.sold(), ledger.held()), (2, 1));
        ledger.cancelling(first);
        let third = hold(&mut ledger, 3, &[0, 1], 10);
        ledger.cancelled(first);
        ledger.unpaid(second, true);
        hold(&mut ledger, 4, &[2], 10);
        // Lapsed, and so free for another.
        hold(&mut ledger, 5, &[1], 1_020);
        ledger.unpaid(third, false);
        assert_eq!(ledger.findings().said, [""; 0]);
    }

    #[test]
    fn each_contradiction_is_found() {
        type Story = fn(&mut Ledger);
        let stories: [(&str, Story); 6] = [
            ("was sold to", |ledger| {
                hold(ledger, 1, &[3], 0);
                hold(ledger, 2, &[3], 500);
            }),
            ("was sold to", |ledger| {
                let first = hold(ledger, 1, &[3], 0);
                ledger.paid(&hall(2, 4), first, 100);
                hold(ledger, 2, &[3], 90_000);
            }),
            ("was sold to", |ledger| {
                let first = hold(ledger, 1, &[3], 0);
                ledger.paying(first);
                hold(ledger, 2, &[3], 500);
                ledger.paid(&hall(2, 4), first, 100);
            }),
            ("200 were paid", |ledger| {
                let first = hold(ledger, 1, &[3], 0);
                ledger.paid(&hall(2, 4), first, 200);
            }),
            ("two holds", |ledger| {
                hold(ledger, 1, &[3], 0);
                hold(ledger, 1, &[4], 0);
            }),
            ("other seats", |ledger| {
                let id = Uuid::from_u128(1);
                let (asked, got, expires_at) = (&[1][..], &[2][..], 5);
                let ack = HoldAck { id, user: 0, asked, got, amount: 100, expires_at, now: 0 };
                ledger.hold(&hall(2, 4), &ack);
            }),
        ];
        for (what, story) in stories {
            let mut ledger = ledger();
            story(&mut ledger);
            let said = &ledger.findings().said;
            assert!(said.len() == 1 && said[0].contains(what), "{what}: {said:?}");
        }
    }
}
