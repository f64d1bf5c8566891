//! Deliberately wrong logs, each with the rule it breaks, and right ones.

use tiketi_engine::ids::{
    Attempt, Epoch, EventIndex, HoldSlot, LayoutIndex, Lsn, OrderNumber, SeatIndex,
    TicketTypeIndex, UnixMillis, UserId, UserIndex,
};
use tiketi_engine::inline_list::InlineList;
use tiketi_engine::record::{
    Claim, EndReason, EventCreated, EventDetails, EventRules, Held, IdempotencyKey, LayoutCreated,
    NewTicketType, OrderRef, PaymentMethod, PaymentStarted, Record, Section, TicketLine,
    UserRegistered,
};
use tiketi_engine::state::State;

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
        rules: EventRules {
            seats_per_reservation: 3,
            hold_ttl_ms: TTL,
            seats_per_user: Some(6),
        },
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

use EndReason::{CancelledByAdmin, CancelledByUser, EventCancelled, Expired};

#[test]
fn right_logs_have_no_findings() {
    check("nothing more", &[], &[]);
    check("held, paid", &[held(0, &[0, 1], 1), paying(0, 1, 2), paid(0, 1, 3)], &[]);
    check("expired", &[held(0, &[0], 1), ended(0, Expired, 1 + TTL), held(1, &[0], 2 + TTL)], &[]);
    check(
        "a second attempt",
        &[held(0, &[0], 1), paying(0, 1, 2), failed(0, 1, 3), paying(0, 2, 4), paid(0, 2, 5)],
        &[],
    );
    check(
        "paid late, begun in time",
        &[held(0, &[0], 1), paying(0, 1, TTL), paid(0, 1, TTL + 60_000)],
        &[],
    );
    check(
        "failed late, then expired",
        &[held(0, &[0], 1), paying(0, 1, 2), failed(0, 1, TTL + 9), ended(0, Expired, TTL + 9)],
        &[],
    );
    check(
        "paid, then cancelled, seat sold again",
        &[
            held(0, &[0], 1),
            paying(0, 1, 2),
            paid(0, 1, 3),
            ended(0, CancelledByUser, 4),
            held(1, &[0], 5),
        ],
        &[],
    );
    check("tickets", &[tickets(0, &[(0, 3, 10), (1, 2, 10)]), ended(0, CancelledByAdmin, 9)], &[]);
    check("blocks", &[blocked(&[0, 9]), unblocked(&[9]), held(0, &[9], 3)], &[]);
    check("an order number that was never logged", &[held(7, &[0], 1)], &[]);
    let next_epoch = [held(0, &[0], 1), epoch(3, 30 * DAY), ended(0, Expired, 30 * DAY)];
    check("expired after a long stop", &next_epoch, &[]);
    check("stopped before it could expire", &[held(0, &[0], 1), epoch(2, 30 * DAY)], &[]);
}

#[test]
fn benign_races_have_no_findings() {
    let cancelling =
        [held(0, &[0], 5), called_off(5), held(1, &[1], 4), ended(0, EventCancelled, 5)];
    check("made while called off", &cancelling, &[]);
    let and_ended = [called_off(5), held(0, &[1], 6), ended(0, EventCancelled, 6)];
    check("made while called off, and ended", &and_ended, &[]);
    check("the window closed a moment before", &[edited(DAY, 2 * DAY, 5), held(0, &[0], 4)], &[]);
    let before_edit =
        [edited(DAY, 2 * DAY, 5), held(0, &[0], 50_000), edited(0, 2 * DAY, 50_001)];
    check("the window opens a moment later", &before_edit, &[]);
    check("instants of two threads", &[held(0, &[0], 500), held(1, &[1], 499)], &[]);
}

#[test]
fn two_owners() {
    use Rule::{SaleWithoutOrder, Sum, TwoOwners, UnknownThing};
    let twice = [held(0, &[0, 1], 1), held(1, &[1, 2], 2)];
    check("a seat held twice", &twice, &[TwoOwners, Sum, SaleWithoutOrder]);
    let sold = [held(0, &[0], 1), paying(0, 1, 2), paid(0, 1, 3), held(1, &[0], 4)];
    check("a sold seat held", &sold, &[TwoOwners, Sum, SaleWithoutOrder]);
    check("a blocked seat held", &[blocked(&[0]), held(0, &[0], 2)], &[TwoOwners, Sum, SaleWithoutOrder]);
    check("a held seat blocked", &[held(0, &[0], 1), blocked(&[0])], &[TwoOwners]);
    check("a seat blocked twice", &[blocked(&[0]), blocked(&[0])], &[TwoOwners]);
    check("an order made twice", &[held(0, &[0], 1), held(0, &[1], 2)], &[TwoOwners]);
    let mut same_slot = hold(1, &[1], 2);
    same_slot.slot = HoldSlot(0);
    check("a slot used twice", &[held(0, &[0], 1), Record::Held(same_slot)], &[TwoOwners]);
    check("no such seat", &[held(0, &[10], 1)], &[UnknownThing, SaleWithoutOrder]);
}

#[test]
fn gives_back_what_is_not_its_own() {
    use Rule::{NotTheOwner, SaleWithoutOrder, Sum, TwoOwners, UnknownThing};
    let after_two_owners =
        [held(0, &[0], 1), held(1, &[0], 2), ended(1, CancelledByUser, 3)];
    check("the second owner gives back", &after_two_owners, &[TwoOwners, NotTheOwner]);
    let first_leaves = [held(0, &[0], 1), held(1, &[0], 2), ended(0, CancelledByUser, 3)];
    check("the first owner leaves", &first_leaves, &[TwoOwners, Sum, SaleWithoutOrder]);
    check("a free seat unblocked", &[unblocked(&[0])], &[NotTheOwner]);
    check("a held seat unblocked", &[held(0, &[0], 1), unblocked(&[0])], &[NotTheOwner]);
    check("no such seat unblocked", &[unblocked(&[10])], &[UnknownThing]);
}

#[test]
fn unknown_things() {
    use Rule::{SaleWithoutOrder, UnknownThing};
    let of = |change: fn(&mut Held)| {
        let mut held = hold(0, &[0], 1);
        change(&mut held);
        [Record::Held(held)]
    };
    check("user", &of(|held| held.user = UserIndex(2)), &[UnknownThing]);
    check("event", &of(|held| held.order.event = EventIndex(1)), &[UnknownThing]);
    check("order paid", &[paid(0, 1, 1)], &[SaleWithoutOrder]);
    check("order begun", &[paying(0, 1, 1)], &[UnknownThing]);
    check("payment failed", &[failed(0, 1, 1)], &[UnknownThing]);
    check("order ended", &[ended(0, Expired, 1)], &[UnknownThing]);
    check("ticket type", &[tickets(0, &[(2, 1, 10)])], &[UnknownThing]);
    check("layout", &[event(1, Some(1))], &[UnknownThing]);
    let role = Record::UserRoleChanged {
        user: UserIndex(5),
        role: tiketi_engine::record::Role::Admin,
        at: at(1),
    };
    check("role of nobody", &[role], &[UnknownThing]);
    let gone = Record::EventCancelled { event: EventIndex(4), at: at(1) };
    check("event called off", &[gone], &[UnknownThing]);
    check("numbering", &[event(3, None)], &[Rule::Numbering]);
    check("layout name", &[layout(1, "hall")], &[Rule::Numbering]);
    check("a user again", &[beginning()[1].clone()], &[Rule::Numbering]);
}

#[test]
fn order_of_life() {
    use Rule::{Deadline, OrderOfLife, SaleWithoutOrder};
    let first = held(0, &[0], 1);
    let after = |rest: &[Record]| {
        let mut records = vec![first.clone()];
        records.extend_from_slice(rest);
        records
    };
    check("paid without a start", &after(&[paid(0, 1, 2)]), &[OrderOfLife]);
    check("failed without a start", &after(&[failed(0, 1, 2)]), &[OrderOfLife]);
    let twice = after(&[paying(0, 1, 2), paid(0, 1, 3), paid(0, 1, 4)]);
    check("paid twice", &twice, &[OrderOfLife]);
    let other = after(&[paying(0, 1, 2), paid(0, 2, 3)]);
    check("another attempt paid", &other, &[OrderOfLife]);
    let started_twice = after(&[paying(0, 1, 2), paying(0, 2, 3)]);
    check("two payments at once", &started_twice, &[OrderOfLife]);
    check("attempts from 2", &after(&[paying(0, 2, 2)]), &[OrderOfLife]);
    let ended_twice = after(&[ended(0, CancelledByUser, 2), ended(0, CancelledByUser, 3)]);
    check("ended twice", &ended_twice, &[OrderOfLife]);
    let while_paying = after(&[paying(0, 1, 2), ended(0, Expired, 1 + TTL)]);
    check("ended while paying", &while_paying, &[OrderOfLife]);
    let after_end = after(&[ended(0, CancelledByUser, 2), paid(0, 1, 3)]);
    check("paid after its end", &after_end, &[SaleWithoutOrder]);
    let begun_after_end = after(&[ended(0, CancelledByUser, 2), paying(0, 1, 3)]);
    check("begun after its end", &begun_after_end, &[OrderOfLife]);
    let expired_paid = after(&[paying(0, 1, 2), paid(0, 1, 3), ended(0, Expired, 1 + TTL)]);
    check("expired though paid", &expired_paid, &[OrderOfLife]);
    check("event not called off", &after(&[ended(0, EventCancelled, 2)]), &[OrderOfLife]);
    check("event called off twice", &[called_off(1), called_off(2)], &[OrderOfLife]);
    check("expired early", &after(&[ended(0, Expired, TTL)]), &[Deadline]);
    check("begun at its deadline", &after(&[paying(0, 1, 1 + TTL), paid(0, 1, 2 + TTL)]), &[Deadline]);
    check("expiry of tickets", &[tickets(0, &[(0, 1, 10)]), ended(0, Expired, 9)], &[Deadline]);
    let mut long = hold(0, &[0], 1);
    long.expires_at = Some(at(2 + TTL));
    check("a deadline of its own", &[Record::Held(long)], &[Deadline]);
}

#[test]
fn sale_windows_and_limits() {
    use Rule::{Idempotency, Limit, Malformed, NotOnSale, Overdue, Stock, Sum};
    check("after the end", &[held(0, &[0], 5 * DAY)], &[NotOnSale]);
    check("edited long ago", &[edited(DAY, 2 * DAY, 5), held(0, &[0], 20_000)], &[NotOnSale]);
    let later = [edited(DAY, 2 * DAY, 5), held(0, &[0], 20_000), edited(0, 2 * DAY, 40_000)];
    check("an edit much later explains nothing", &later, &[NotOnSale]);
    let long_after = [called_off(5), held(0, &[0], 20_000), ended(0, EventCancelled, 20_000)];
    check("long after it was called off", &long_after, &[NotOnSale]);
    let another_reason = [called_off(5), held(0, &[0], 6), ended(0, CancelledByUser, 7)];
    check("called off, ended by its user", &another_reason, &[NotOnSale]);
    let forgotten = [held(0, &[0], 4), called_off(5), held(1, &[1], 5), blocked(&[2])];
    check("called off a moment ago", &forgotten, &[]);
    let forgotten = [held(0, &[0], 4), called_off(5), epoch(2, DAY), edited(0, DAY, 2 * DAY)];
    check("called off and forgotten", &forgotten, &[Overdue]);
    let unswept = [held(0, &[0], 1), held(1, &[1], DAY)];
    check("held for ever", &unswept, &[Overdue]);
    check("too many seats", &[held(0, &[0, 1, 2, 3], 1)], &[Limit]);
    check("no seats", &[held(0, &[], 1)], &[Limit]);
    let many = [held(0, &[0, 1, 2], 1), held(1, &[3, 4, 5], 1), held(2, &[6], 1)];
    check("above the user's cap", &many, &[Limit]);
    check("descending seats", &[held(0, &[1, 0], 1)], &[Malformed]);
    check("no tickets", &[tickets(0, &[(0, 0, 10)])], &[Limit]);
    check("oversold", &[tickets(0, &[(0, 5, 10)])], &[Stock, Sum]);
    check("another price", &[tickets(0, &[(0, 1, 9)])], &[Stock]);
    let keyed = |number: u32, seat: u32, at_ms: u64| {
        let mut held = hold(number, &[seat], at_ms);
        held.key = Some(IdempotencyKey { key: 7, content: 1 }.into());
        Record::Held(held)
    };
    check("one key, two orders", &[keyed(0, 0, 1), keyed(1, 1, 2)], &[Idempotency]);
    let next_day = [keyed(0, 0, 1), ended(0, CancelledByUser, 2), keyed(1, 1, DAY + 1)];
    check("the same key a day later", &next_day, &[]);
}

#[test]
fn positions_epochs_and_instants() {
    let mut auditor = Auditor::new(100);
    for (lsn, record) in [1, 2, 4, 5, 5].into_iter().zip(beginning()) {
        auditor.record(Lsn(lsn), &record);
    }
    let report = auditor.finish();
    let lsns: Vec<u64> = report.findings.iter().map(|finding| finding.lsn).collect();
    assert_eq!(lsns, [4, 5]);
    assert!(report.findings.iter().all(|finding| finding.rule == Rule::LsnGap));

    let mut auditor = Auditor::new(100);
    auditor.record(Lsn(9), &epoch(1, 0));
    assert_eq!(auditor.finish().findings[0].rule, Rule::LsnGap);

    check("an epoch again", &[epoch(1, 1)], &[Rule::Epoch]);
    check("a lower epoch", &[epoch(3, 1), epoch(2, 1)], &[Rule::Epoch]);
    assert_eq!(audit(&beginning()[1..2]).findings[0].rule, Rule::Epoch);
    check("instants fall", &[held(0, &[0], 20_000), held(1, &[1], 9_000)], &[Rule::Instant]);
}

#[test]
fn findings_are_bounded_and_counted() {
    let mut auditor = Auditor::new(2);
    for lsn in 1..=5 {
        auditor.record(Lsn(lsn), &ended(0, Expired, 0));
    }
    let report = auditor.finish();
    // Five unknown orders, and no epoch began.
    assert_eq!((report.findings.len(), report.findings_total, report.ok), (2, 6, false));
}

#[test]
fn the_summary_counts() {
    let mut records = beginning();
    records.extend([
        held(0, &[0, 1], 1),
        paying(0, 1, 2),
        paid(0, 1, 3),
        held(1, &[6], 4),
        blocked(&[9]),
        tickets(2, &[(0, 2, 10)]),
        held(3, &[2], 5),
        ended(3, Expired, 5 + TTL),
        held(4, &[2], 6 + TTL),
        paying(4, 1, 7 + TTL),
    ]);
    let report = audit(&records);
    assert!(report.ok, "{:?}", report.findings);
    let Summary { seats, tickets, orders, .. } = &report.summary;
    assert_eq!((seats.capacity, seats.free, seats.held), (10, 5, 2));
    assert_eq!((seats.sold, seats.blocked), (2, 1));
    assert_eq!((tickets.total, tickets.for_sale, tickets.in_orders), (8, 6, 2));
    assert_eq!((orders.made, orders.held, orders.paying, orders.paid), (5, 2, 1, 1));
    assert_eq!((orders.ended.expired, orders.ended_after_payment), (1, 0));
    assert_eq!(report.summary.revenue, 200);
}

use super::Summary;

/// A log whose every record the engine's fold takes as well.
fn right_log() -> Vec<Record> {
    let mut records = beginning();
    records.extend([
        held(0, &[0, 1], 1),
        paying(0, 1, 2),
        paid(0, 1, 3),
        held(1, &[6], 4),
        blocked(&[9, 8]),
        unblocked(&[8]),
        tickets(2, &[(0, 2, 10)]),
        held(3, &[2], 5),
        ended(3, CancelledByUser, 6),
        held(4, &[2], 7),
        paying(4, 1, 8),
        failed(4, 1, 9),
    ]);
    records
}

#[test]
fn a_log_may_be_audited_from_any_snapshot() {
    let records = right_log();
    let whole = audit(&records);
    assert!(whole.ok, "{:?}", whole.findings);
    let mut state = State::default();
    for (cut, record) in (1..).zip(&records) {
        state.apply(Lsn(cut), record).unwrap();
        let mut auditor = Auditor::new(100);
        auditor.seed(&state);
        for (lsn, record) in (cut + 1..).zip(&records[cut as usize..]) {
            auditor.record(Lsn(lsn), record);
        }
        let report = auditor.finish();
        assert!(report.ok, "from {cut}: {:?}", report.findings);
        assert_eq!(report.summary.seats, whole.summary.seats, "from {cut}");
        assert_eq!(report.summary.orders, whole.summary.orders, "from {cut}");
        assert_eq!(report.summary.revenue, whole.summary.revenue, "from {cut}");
    }
}

#[test]
fn a_snapshot_must_say_what_the_log_says() {
    let records = right_log();
    let mut state = State::default();
    let mut auditor = Auditor::new(100);
    for (lsn, record) in (1..).zip(&records) {
        state.apply(Lsn(lsn), record).unwrap();
        auditor.record(Lsn(lsn), record);
        auditor.compare(&state);
    }
    let next = Lsn(records.len() as u64 + 1);
    state.apply(next, &held(5, &[3], 10)).unwrap();
    auditor.compare(&state);
    let report = auditor.finish();
    assert_eq!(report.findings_total, 3, "{:?}", report.findings);
    assert!(report.findings.iter().all(|finding| finding.rule == Rule::Snapshot));
}
