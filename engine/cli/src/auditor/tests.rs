//! Made-up records, and what the auditor says to them.

mod changes;
mod money;
mod providers;
mod queue;
mod right;
mod storm;
mod terms;
mod wrong;

use tiketi_engine::ids::{
    Attempt, Epoch, EventIndex, HoldSlot, LayoutIndex, Lsn, OrderNumber, SeatIndex,
    TicketTypeIndex, UnixMillis, UserId, UserIndex,
};
use tiketi_engine::inline_list::InlineList;
use tiketi_engine::record::{
    Claim, EndReason, EventCreated, EventDetails, EventRules, Held, LayoutCreated, NewTicketType,
    OrderRef, PaymentMethod, PaymentStarted, Record, Section, TicketLine, UserRegistered,
};

use super::{Auditor, Report, Rule};

/// When sales open, in the made-up logs.
const OPEN: u64 = 1_000_000;
const TTL: u64 = 300_000;
const DAY: u64 = 24 * 60 * 60 * 1_000;

fn at(ms: u64) -> UnixMillis {
    UnixMillis(OPEN + ms)
}

/// One epoch, two users, a layout of two sections and event 0 with it and two ticket types.
fn beginning() -> Vec<Record> {
    let user = |index: u32| {
        Record::UserRegistered(Box::new(UserRegistered {
            user: UserId { index: UserIndex(index), tag: u64::from(index) },
            email: format!("{index}@tiketi.gg"),
            password_hash: "hash".into(),
            name: "name".into(),
            phone: None,
            role: tiketi_engine::record::Role::User,
            at: at(0),
        }))
    };
    vec![
        Record::EpochStarted { epoch: Epoch(1), at: at(0) },
        user(0),
        user(1),
        layout(0, "hall"),
        event(0, Some(0)),
    ]
}

fn layout(index: u32, name: &str) -> Record {
    let section = |name: &str, rows, seats_per_row, price| Section {
        name: name.into(),
        rows,
        seats_per_row,
        price,
        start_row: 1,
    };
    Record::LayoutCreated(Box::new(LayoutCreated {
        layout: LayoutIndex(index),
        name: name.into(),
        description: None,
        sections: vec![section("A", 2, 3, 100), section("B", 1, 4, 50)],
        at: at(0),
    }))
}

fn details(opens_at: u64, closes_at: u64) -> EventDetails {
    EventDetails {
        title: "콘서트".into(),
        description: None,
        venue: "hall".into(),
        address: None,
        artist_name: None,
        poster_image_url: None,
        event_at: at(10 * DAY),
        sale_starts_at: at(opens_at),
        sale_ends_at: at(closes_at),
    }
}

fn event(index: u32, layout: Option<u32>) -> Record {
    let ticket = |name: &str, total_quantity| NewTicketType {
        name: name.into(),
        price: 10,
        total_quantity,
        sold_elsewhere: 1,
        description: None,
    };
    Record::EventCreated(Box::new(EventCreated {
        event: EventIndex(index),
        details: details(0, 5 * DAY),
        layout: layout.map(LayoutIndex),
        ticket_types: vec![ticket("standing", 5), ticket("balcony", 3)],
        rules: EventRules { seats_per_reservation: 3, hold_ttl_ms: TTL, seats_per_user: Some(6) },
        created_by: None,
        at: at(0),
    }))
}

fn order(number: u32) -> OrderRef {
    OrderRef { event: EventIndex(0), number: OrderNumber(number) }
}

fn hold(number: u32, seats: &[u32], at_ms: u64) -> Held {
    let seats: Vec<SeatIndex> = seats.iter().map(|&seat| SeatIndex(seat)).collect();
    Held {
        order: order(number),
        slot: HoldSlot(number),
        user: UserIndex(0),
        claim: Claim::Seats(InlineList::from_slice(&seats).unwrap()),
        at: at(at_ms),
        expires_at: Some(at(at_ms + TTL)),
        key: None,
    }
}

fn held(number: u32, seats: &[u32], at_ms: u64) -> Record {
    Record::Held(hold(number, seats, at_ms))
}

fn tickets(number: u32, lines: &[(u16, u32, u32)]) -> Record {
    let lines: Vec<TicketLine> = lines
        .iter()
        .map(|&(ticket_type, quantity, unit_price)| TicketLine {
            ticket_type: TicketTypeIndex(ticket_type),
            quantity,
            unit_price,
        })
        .collect();
    let claim = Claim::Tickets(lines.into());
    Record::Held(Held { claim, expires_at: None, ..hold(number, &[], 1) })
}

fn paying(number: u32, attempt: u8, at_ms: u64) -> Record {
    Record::PaymentStarted(PaymentStarted {
        order: order(number),
        attempt: Attempt(attempt),
        method: PaymentMethod::KakaoPay,
        at: at(at_ms),
        key: None,
    })
}

fn failed(number: u32, attempt: u8, at_ms: u64) -> Record {
    Record::PaymentFailed { order: order(number), attempt: Attempt(attempt), at: at(at_ms) }
}

fn paid(number: u32, attempt: u8, at_ms: u64) -> Record {
    Record::Paid { order: order(number), attempt: Attempt(attempt), at: at(at_ms) }
}

fn ended(number: u32, reason: EndReason, at_ms: u64) -> Record {
    Record::OrderEnded { order: order(number), reason, at: at(at_ms) }
}

fn blocked(seats: &[u32]) -> Record {
    Record::SeatsBlocked {
        event: EventIndex(0),
        seats: seats.iter().map(|&seat| SeatIndex(seat)).collect(),
        reason: "camera".into(),
        at: at(1),
    }
}

fn unblocked(seats: &[u32]) -> Record {
    Record::SeatsUnblocked {
        event: EventIndex(0),
        seats: seats.iter().map(|&seat| SeatIndex(seat)).collect(),
        at: at(2),
    }
}

fn edited(opens_at: u64, closes_at: u64, at_ms: u64) -> Record {
    let details = Box::new(details(opens_at, closes_at));
    Record::EventEdited { event: EventIndex(0), details, at: at(at_ms) }
}

fn called_off(at_ms: u64) -> Record {
    Record::EventCancelled { event: EventIndex(0), at: at(at_ms) }
}

fn epoch(epoch: u64, at_ms: u64) -> Record {
    Record::EpochStarted { epoch: Epoch(epoch), at: at(at_ms) }
}

fn audit(records: &[Record]) -> Report {
    let mut auditor = Auditor::new(100);
    for (lsn, record) in (1..).zip(records) {
        auditor.record(Lsn(lsn), record);
    }
    auditor.finish()
}

/// The rules that a beginning and these records break, each once.
fn rules(after: &[Record]) -> Vec<Rule> {
    let records: Vec<Record> = beginning().into_iter().chain(after.iter().cloned()).collect();
    let mut rules: Vec<Rule> =
        audit(&records).findings.into_iter().map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

fn check(what: &str, after: &[Record], expected: &[Rule]) {
    let found = rules(after);
    let mut expected = expected.to_vec();
    expected.sort_unstable();
    assert_eq!(found, expected, "{what}");
}
