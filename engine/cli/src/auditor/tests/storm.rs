//! What the real engine logs under real threads has no findings: the auditor knows its races.

use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tiketi_engine::command::{
    Asked, EditEvent, EditTerms, EditTicketType, WantedSeats, WantedTickets,
};
use tiketi_engine::engine::{
    Confirmation, EndedOrder, Engine, Hold, NewCharge, Once, PaymentOutcome,
};
use tiketi_engine::ids::{
    ChargeIndex, EventIndex, Lsn, RefundIndex, ReservationId, SeatIndex, TicketTypeIndex, UserIndex,
};
use tiketi_engine::journal::{MemoryJournal, Pending};
use tiketi_engine::money::{Captured, Deposit, Means, Purpose, Split};
use tiketi_engine::record::{
    CaptureOutcome, DisputeState, EventTerms, PaymentMethod, ProviderName, RefundOutcome, SeatList,
    TicketHold, TicketTypeDetails,
};
use tiketi_engine::state::State;

use super::*;

const STORMS: u64 = 40;

/// One thread's random commands.
struct Storm<'a> {
    engine: &'a Engine<MemoryJournal>,
    clock: &'a AtomicU64,
    seed: u64,
    /// Orders, and what they were if they ended.
    mine: Vec<(ReservationId, EndedOrder)>,
    /// Payments, which of its orders each is for, and what their card pays.
    charges: Vec<(ChargeIndex, Option<usize>, u64)>,
    /// Payments a part of which this thread has asked back.
    parts: HashSet<ChargeIndex>,
}

/// Won for what an order claims.
fn price(claim: &Claim) -> u64 {
    match claim {
        Claim::Seats(seats) => seats.iter().map(|seat| if seat.0 < 6 { 100 } else { 50 }).sum(),
        Claim::Tickets(lines) => {
            lines.iter().map(|line| u64::from(line.unit_price) * u64::from(line.quantity)).sum()
        }
    }
}

impl Storm<'_> {
    fn random(&mut self, below: u64) -> u64 {
        // xorshift64*
        self.seed ^= self.seed >> 12;
        self.seed ^= self.seed << 25;
        self.seed ^= self.seed >> 27;
        (self.seed.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % below
    }

    /// Now, a little later each time.
    fn asked(&mut self) -> Asked {
        let step = self.random(5);
        let now = self.clock.fetch_add(step, Ordering::Relaxed);
        Asked { by: UserIndex(self.random(2) as u32), at: UnixMillis(now), key: None }
    }

    fn done<T>(&self, pending: Pending<T>) -> T {
        pending.acknowledge(self.engine.journal().durable_lsn())
    }

    fn hold(&mut self) {
        let asked = self.asked();
        let first = self.random(10) as u32;
        let held = if self.random(4) == 0 {
            let types = [(TicketTypeIndex(self.random(2) as u16), 1 + self.random(2) as u32)];
            self.engine.hold_tickets(EventIndex(0), &WantedTickets::new(&types).unwrap(), asked)
        } else {
            let seats = [SeatIndex(first), SeatIndex((first + 1) % 10)];
            self.engine.hold_seats(EventIndex(0), &WantedSeats::new(&seats).unwrap(), asked)
        };
        if let Ok(pending) = held
            && let Once::Done(hold) = self.done(pending)
        {
            let Hold { reservation, claim, expires_at, .. } = hold;
            self.mine.push((reservation, EndedOrder { user: asked.by, claim, expires_at }));
        }
    }

    fn end_one(&mut self) {
        if self.mine.is_empty() {
            return;
        }
        let position = self.random(self.mine.len() as u64) as usize;
        let reservation = self.mine[position].0;
        let asked = self.asked();
        if self.random(2) == 0 {
            let by = [None, Some(UserIndex(0)), Some(UserIndex(1))][self.random(3) as usize];
            if self.engine.cancel_order(reservation, by, asked.at).is_ok() && self.random(8) == 0 {
                self.confirm_again(position);
            }
            return;
        }
        if self.random(40) == 0 {
            let method = PaymentMethod::BankTransfer;
            let confirmation = Confirmation { reservation, method, by: None };
            drop(self.engine.confirm_held(confirmation, asked.at));
            return;
        }
        let begun = self.engine.begin_payment(reservation, PaymentMethod::KakaoPay, asked);
        let Ok(Once::Done(intent)) = begun.map(|pending| self.done(pending)) else { return };
        let outcome = match self.random(3) {
            0 => PaymentOutcome::Declined,
            _ => PaymentOutcome::Captured,
        };
        let at = self.asked().at;
        self.engine.finish_payment(intent, outcome, at).map(|pending| self.done(pending)).unwrap();
    }

    /// Confirms an order that this thread has just cancelled.
    fn confirm_again(&mut self, position: usize) {
        let (reservation, ended) = self.mine[position].clone();
        let confirmation =
            Confirmation { reservation, method: PaymentMethod::BankTransfer, by: None };
        let at = self.asked().at;
        drop(self.engine.confirm_ended(confirmation, &ended, at));
    }

    fn administer(&mut self) {
        let seats = [SeatIndex(self.random(10) as u32)];
        let at = self.asked().at;
        match self.random(6) {
            5 => {
                let terms = EventTerms {
                    max_tickets: Some(2 + self.random(4) as u32),
                    ticket_hold_ttl: [None, Some(TicketHold::Never), Some(TicketHold::Millis(TTL))]
                        [self.random(3) as usize],
                    deposits: true,
                };
                let edit = EditTerms { event: EventIndex(0), terms };
                drop(self.engine.set_terms(edit.check().unwrap(), None, at));
            }
            0 => drop(self.engine.block_seats(EventIndex(0), &seats, String::new(), at)),
            1 => drop(self.engine.unblock_seats(EventIndex(0), &seats, at)),
            2 => {
                let details = TicketTypeDetails {
                    name: "standing".into(),
                    price: 10 + self.random(3) as u32,
                    total_quantity: 3 + self.random(5) as u32,
                    description: None,
                };
                let ticket_type = TicketTypeIndex(0);
                let standing = Some(self.random(8) > 0);
                let event = EventIndex(0);
                let edit = EditTicketType { event, ticket_type, details, standing };
                drop(self.engine.edit_ticket_type(edit.check().unwrap(), None, at));
            }
            // Away for a moment, while others want them.
            3 if self.engine.remove_seats(EventIndex(0), None, at).is_ok() => {
                drop(self.engine.generate_seats(EventIndex(0), None, at));
            }
            _ => {
                // The sale closes and opens again while others book.
                let opens_at = [0, 0, 0, 9 * DAY][self.random(4) as usize];
                let details = details(opens_at, opens_at + DAY);
                let edit = EditEvent { event: EventIndex(0), details };
                drop(self.engine.edit_event(edit.check().unwrap(), at));
            }
        }
    }

    /// Asks for a payment of an order, or for points, and begins it.
    fn charge(&mut self) {
        let order = match self.random(4) {
            0 => None,
            _ if self.mine.is_empty() => None,
            _ => Some(self.mine.len() - 1 - self.random(self.mine.len().min(4) as u64) as usize),
        };
        let (user, purpose, amount) = match order.map(|position| &self.mine[position]) {
            None => {
                (UserIndex(self.random(2) as u32), Purpose::Points, Split { card: 60, points: 0 })
            }
            Some((id, order)) => {
                let (user, id, won) = (order.user, *id, price(&order.claim));
                let points = [0, 0, won, won / 2][self.random(4) as usize];
                (user, Purpose::Order(id), Split { card: won - points, points })
            }
        };
        let provider = if amount.card == 0 { ProviderName::None } else { ProviderName::Toss };
        let tag = self.random(1_000);
        let new = NewCharge { user, purpose, provider, amount, tag };
        let at = self.asked().at;
        let Ok(charge) = self.engine.open_charge(&new, at).map(|pending| self.done(pending)) else {
            return;
        };
        let key = if amount.card == 0 { "" } else { "key" };
        let at = self.asked().at;
        if self.random(8) > 0 && self.engine.begin_capture(charge, user, key, at).is_ok() {
            self.charges.push((charge, order, amount.card));
        }
    }

    /// The provider says something about a payment, or does something with it.
    fn provider(&mut self) {
        if self.charges.is_empty() {
            return;
        }
        let recent = self.random(self.charges.len().min(8) as u64) as usize;
        let (charge, order, card) = self.charges[self.charges.len() - 1 - recent];
        let at = self.asked().at;
        let won = 1 + self.random(card.max(1));
        match self.random(16) {
            0..7 => drop(self.engine.end_capture(charge, self.outcome(at), at)),
            7 => drop(self.engine.end_capture(charge, CaptureOutcome::TakenBack, at)),
            8 | 9 => drop(self.engine.note_returned(charge, won, at)),
            // A part that goes back while money went elsewhere takes no more than is kept: the engine
            // cannot tell which share of a return that fails then is the buyer's.
            10 | 11 if !self.parts.contains(&charge) => {
                drop(self.engine.note_return_failed(charge, won, at))
            }
            12 if card > 0 => {
                let state = [DisputeState::Open, DisputeState::Won, DisputeState::Lost];
                let state = state[self.random(3) as usize];
                drop(self.engine.note_dispute(charge, won, state, at));
            }
            13 => drop(self.engine.find_payment(charge, "other", at)),
            14 => drop(self.engine.forget_charges(UnixMillis(at.0.saturating_sub(50)), 2, at)),
            15 => self.return_part(charge, order, at),
            _ => {}
        }
        self.refunds();
    }

    fn outcome(&mut self, at: UnixMillis) -> CaptureOutcome {
        let captured = Captured { approved_at: at, means: Means::Card, receipt: None };
        let deposit = Deposit {
            bank: "20".into(),
            account: "1".into(),
            holder: "h".into(),
            due_at: at.plus(9),
            secret: "s".into(),
        };
        match self.random(6) {
            0 => CaptureOutcome::Failed,
            1 => CaptureOutcome::Awaiting(Box::new(deposit)),
            _ => CaptureOutcome::Captured(Box::new(captured)),
        }
    }

    fn return_part(&mut self, charge: ChargeIndex, order: Option<usize>, at: UnixMillis) {
        let Some(order) = order else { return };
        let part = match &self.mine[order].1.claim {
            Claim::Seats(seats) => Claim::Seats(SeatList::from_slice(&seats[..1]).unwrap()),
            Claim::Tickets(lines) => {
                let line = TicketLine { quantity: 1, ..lines[0] };
                Claim::Tickets(vec![line].into())
            }
        };
        let asked = Asked { by: self.mine[order].1.user, at, key: None };
        self.parts.insert(charge);
        drop(self.engine.return_part(charge, &part, price(&part), true, asked));
    }

    /// Some refunds end, one way or another.
    fn refunds(&mut self) {
        use RefundOutcome::{Again, ByHand, Done, Failed, Refused};
        for _ in 0..2 {
            let refund = RefundIndex(self.random(200) as u32);
            let outcome = [Done, Done, Refused, Again, Failed, ByHand][self.random(6) as usize];
            let at = self.asked().at;
            drop(self.engine.end_refund(refund, outcome, at));
        }
    }

    fn rage(&mut self, steps: u32) {
        for _ in 0..steps {
            match self.random(32) {
                0..9 => self.hold(),
                9..16 => self.end_one(),
                16..19 => {
                    let now = self.asked().at;
                    self.engine.expire(now, 100).unwrap();
                }
                19 => self.administer(),
                20..24 => self.charge(),
                _ => self.provider(),
            }
        }
    }
}

fn storm(seed: u64) -> Vec<Record> {
    let mut records = beginning();
    for record in &mut records {
        if let Record::EventCreated(event) = record {
            event.rules.hold_ttl_ms = 1_000;
        }
    }
    records.push(super::terms::set(EventTerms::default(), &[0, 1], 0));
    let mut state = State::default();
    for (lsn, record) in (1..).zip(&records) {
        state.apply(Lsn(lsn), record).unwrap();
    }
    let engine = Engine::from_state(&state, MemoryJournal::after(state.lsn())).unwrap();
    let clock = AtomicU64::new(at(0).0);
    thread::scope(|scope| {
        let storms: Vec<_> = (1..=3)
            .map(|thread| {
                let seed = seed * 7 + thread;
                let mut storm = Storm {
                    engine: &engine,
                    clock: &clock,
                    seed,
                    mine: Vec::new(),
                    charges: Vec::new(),
                    parts: HashSet::new(),
                };
                scope.spawn(move || storm.rage(1_500))
            })
            .collect();
        let (engine, clock) = (&engine, &clock);
        scope.spawn(move || {
            // Called off somewhere in the middle of it, or after it.
            let middle = at(3_000 + seed * 300).0;
            while clock.load(Ordering::Relaxed) < middle
                && !storms.iter().all(|one| one.is_finished())
            {
                thread::yield_now();
            }
            let now = UnixMillis(clock.load(Ordering::Relaxed));
            drop(engine.cancel_event(EventIndex(0), now));
        });
    });
    let now = UnixMillis(clock.load(Ordering::Relaxed));
    engine.expire(now, usize::MAX).unwrap();
    engine.close_cancelled(now);
    records.extend(engine.journal().take());
    records
}

#[test]
fn what_the_engine_logs_under_threads_has_no_findings() {
    let (mut made, mut ended, mut captured, mut back) = (0, 0, 0, 0);
    for seed in 1..=STORMS {
        let records = storm(seed);
        let mut auditor = Auditor::new(100);
        let mut state = State::default();
        for (lsn, record) in (1..).zip(&records) {
            auditor.record(Lsn(lsn), record);
            state.apply(Lsn(lsn), record).unwrap();
            if lsn % 100 == 0 {
                auditor.compare(&state);
            }
        }
        let report = auditor.finish();
        assert!(report.ok, "seed {seed}: {:#?}", report.findings);
        let toss = report.summary.money["toss"];
        captured += toss.captured;
        back += toss.refunded + toss.by_hand + toss.elsewhere;
        let orders = &report.summary.orders;
        made += orders.made;
        ended += orders.ended.event_cancelled + orders.ended.expired;
        let seats = report.summary.seats;
        let counts = state.events()[0].counts();
        let sum = |part: fn(&tiketi_engine::state::SectionCounts) -> u32| {
            counts.iter().map(|counts| u64::from(part(counts))).sum::<u64>()
        };
        assert_eq!(seats.free, sum(|counts| counts.available), "seed {seed}");
        assert_eq!(seats.held, sum(|counts| counts.held), "seed {seed}");
        assert_eq!(seats.sold, sum(|counts| counts.sold), "seed {seed}");
        assert_eq!(seats.blocked, sum(|counts| counts.blocked), "seed {seed}");
    }
    // How many each storm makes is up to the threads; no storm worth its name makes next to none.
    assert!(made > 120 && ended > 10, "{made} orders made, {ended} ended by themselves");
    assert!(captured > 1_000 && back > 100, "{captured} won captured, {back} went back");
}
