//! What the terms of an event allow, and what they do not.

use tiketi_engine::record::EndReason::{CancelledByUser, Expired};
use tiketi_engine::record::{EventTerms, EventTermsSet, IdempotencyKey, TicketHold};

use super::*;

pub(super) fn set(terms: EventTerms, standing: &[u16], at_ms: u64) -> Record {
    let standing = standing.iter().map(|&ticket_type| TicketTypeIndex(ticket_type)).collect();
    let event = EventIndex(0);
    Record::EventTermsSet(Box::new(EventTermsSet {
        event,
        terms,
        standing,
        by: None,
        at: at(at_ms),
    }))
}

fn at_most(max_tickets: u32) -> EventTerms {
    EventTerms { max_tickets: Some(max_tickets), ..EventTerms::default() }
}

fn held_for(ticket_hold_ttl: TicketHold) -> EventTerms {
    EventTerms { ticket_hold_ttl: Some(ticket_hold_ttl), ..EventTerms::default() }
}

/// An order of a few tickets of the first type, made at an instant and living so long.
fn bought(number: u32, quantity: u32, at_ms: u64, ttl_ms: Option<u64>) -> Record {
    let Record::Held(held) = tickets(number, &[(0, quantity, 10)]) else { panic!("tickets") };
    let expires_at = ttl_ms.map(|ttl_ms| at(at_ms + ttl_ms));
    Record::Held(Held { at: at(at_ms), expires_at, ..held })
}

fn with_method(record: Record, method: PaymentMethod) -> Record {
    let Record::PaymentStarted(started) = record else { panic!("a payment") };
    Record::PaymentStarted(PaymentStarted { method, ..started })
}

const LATER: u64 = 60_000;

#[test]
fn what_is_right_has_no_findings() {
    let default = EventTerms::default();
    let minute = TicketHold::Millis(60_000);
    for (what, records) in [
        ("before there were terms", vec![bought(0, 4, 1, None)]),
        ("as the server says", vec![set(default, &[0], 0), bought(0, 2, 1, Some(TTL))]),
        ("for good, as the server says", vec![set(default, &[0], 0), bought(0, 2, 1, None)]),
        ("for good", vec![set(held_for(TicketHold::Never), &[0], 0), bought(0, 2, LATER, None)]),
        ("for a minute", vec![set(held_for(minute), &[0], 0), bought(0, 2, 1, Some(60_000))]),
        (
            "up to the cap, and again after an end",
            vec![
                set(at_most(2), &[0], 0),
                bought(0, 2, 1, None),
                ended(0, CancelledByUser, 2),
                bought(1, 2, 3, None),
            ],
        ),
        (
            "the old terms in the same moment",
            vec![
                set(at_most(9), &[0], 0),
                set(held_for(minute), &[], LATER),
                bought(0, 4, LATER + 1, Some(TTL)),
            ],
        ),
        (
            "an order stays valid when its type is for show again",
            vec![
                set(default, &[0], 0),
                bought(0, 2, 1, None),
                set(default, &[], 2),
                paying(0, 1, LATER),
                paid(0, 1, LATER),
            ],
        ),
        (
            "paid in the instant of the show",
            vec![
                set(held_for(TicketHold::Never), &[0], 0),
                bought(0, 1, 1, None),
                paying(0, 1, 10 * DAY),
                paid(0, 1, 10 * DAY + 9),
            ],
        ),
        (
            "paid late, before there were terms",
            vec![bought(0, 1, 1, None), paying(0, 1, 10 * DAY + 1), paid(0, 1, 10 * DAY + 2)],
        ),
    ] {
        check(what, &records, &[]);
    }
}

#[test]
fn what_is_wrong_is_found() {
    use Rule::{Deadline, EventOver, Free, Overdue, Terms, UnknownThing};
    let default = EventTerms::default();
    let minute = TicketHold::Millis(60_000);
    check("a type of show", &[set(default, &[1], 0), bought(0, 1, 1, None)], &[Terms]);
    check("above the cap", &[set(at_most(2), &[0], 0), bought(0, 3, 1, None)], &[Terms]);
    let twice = [set(at_most(2), &[0], 0), bought(0, 1, 1, None), paying(0, 1, 2), paid(0, 1, 3)];
    let twice = [&twice[..], &[bought(1, 2, 4, None)]].concat();
    check("above the cap with what is paid", &twice, &[Terms]);
    let lowered = [set(at_most(9), &[0], 0), set(at_most(1), &[0], 1), bought(0, 2, LATER, None)];
    check("above a cap that was lowered long ago", &lowered, &[Terms]);
    let long = [set(held_for(minute), &[0], 0), bought(0, 1, 1, Some(60_001))];
    check("held too long", &long, &[Deadline]);
    let for_good = [set(held_for(minute), &[0], 0), bought(0, 1, 1, None)];
    check("held for good", &for_good, &[Deadline]);
    check("no such type", &[set(default, &[2], 0)], &[UnknownThing]);

    let overdue = [set(held_for(minute), &[0], 0), bought(0, 1, 1, Some(60_000))];
    let late = [&overdue[..], &[paying(0, 1, 60_001), paid(0, 1, 60_002)]].concat();
    check("paid after its deadline", &late, &[Deadline]);
    let early = [&overdue[..], &[ended(0, Expired, 60_000)]].concat();
    check("expired too early", &early, &[Deadline]);
    let never = [&overdue[..], &[edited(0, 5 * DAY, DAY)]].concat();
    check("not expired", &never, &[Overdue]);

    let held = [set(held_for(TicketHold::Never), &[0], 0), bought(0, 1, 1, None)];
    let over = [&held[..], &[paying(0, 1, 10 * DAY + 1), paid(0, 1, 10 * DAY + 2)]].concat();
    check("paid after the show began", &over, &[EventOver]);

    let by_nothing = with_method(paying(0, 1, 2), PaymentMethod::Free);
    check("paid by nothing", &[bought(0, 1, 1, None), by_nothing, paid(0, 1, 3)], &[Free]);
}

#[test]
fn a_click_makes_one_order_for_a_moment() {
    let clicked = |number: u32, at_ms: u64| {
        let Record::Held(held) = bought(number, 1, at_ms, Some(TTL)) else { panic!("tickets") };
        let key = Some(Box::new(IdempotencyKey::of_content(7)));
        Record::Held(Held { key, ..held })
    };
    let twice = [clicked(0, 1), clicked(1, 5_000)];
    check("twice in a moment", &twice, &[Rule::Idempotency]);
    check("later", &[clicked(0, 1), clicked(1, 5_001)], &[]);
    let after_its_end = [clicked(0, 1), ended(0, CancelledByUser, 2), clicked(1, 3)];
    check("after its end", &after_its_end, &[]);
}
