//! Deliberately wrong logs, each with the rules it breaks.

use tiketi_engine::ids::{EventIndex, HoldSlot, Lsn, NewsIndex, UserIndex};
use tiketi_engine::record::EndReason::{CancelledByUser, EventCancelled, Expired};
use tiketi_engine::record::{AdminActed, Held, IdempotencyKey, NewsPosted, NewsViews, Record};

use super::*;
use crate::auditor::{Auditor, Rule};

#[test]
fn two_owners() {
    use Rule::{SaleWithoutOrder, Sum, TwoOwners, UnknownThing};
    let twice = [held(0, &[0, 1], 1), held(1, &[1, 2], 2)];
    check("a seat held twice", &twice, &[TwoOwners, Sum, SaleWithoutOrder]);
    let sold = [held(0, &[0], 1), paying(0, 1, 2), paid(0, 1, 3), held(1, &[0], 4)];
    check("a sold seat held", &sold, &[TwoOwners, Sum, SaleWithoutOrder]);
    check(
        "a blocked seat held",
        &[blocked(&[0]), held(0, &[0], 2)],
        &[TwoOwners, Sum, SaleWithoutOrder],
    );
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
    let after_two_owners = [held(0, &[0], 1), held(1, &[0], 2), ended(1, CancelledByUser, 3)];
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
fn people() {
    use Rule::{Numbering, OrderOfLife, UnknownThing};
    let posted = |news| {
        let (title, content, author_name) = ("t".into(), "c".into(), "a".into());
        let news = NewsIndex(news);
        let (author, is_pinned, views) = (Some(UserIndex(0)), false, 0);
        let posted =
            NewsPosted { news, title, content, author, author_name, is_pinned, views, at: at(1) };
        Record::NewsPosted(Box::new(posted))
    };
    let deleted = |news| Record::NewsDeleted { news: NewsIndex(news), by: None, at: at(1) };
    let viewed = |news| {
        let views = vec![NewsViews { news: NewsIndex(news), count: 3 }];
        Record::NewsViewed { views, at: at(1) }
    };
    let suspended = |user| Record::UserSuspended { user, reason: "r".into(), by: None, at: at(1) };
    let restored = |user| Record::UserRestored { user, by: None, at: at(1) };
    let (somebody, nobody) = (UserIndex(0), UserIndex(5));
    let right = [
        posted(0),
        viewed(0),
        deleted(0),
        posted(1),
        suspended(somebody),
        restored(somebody),
        suspended(somebody),
    ];
    check("as it should be", &right, &[]);
    check("numbering", &[posted(1)], &[Numbering]);
    check("deleted twice", &[posted(0), deleted(0), deleted(0)], &[UnknownThing]);
    check("read when it was gone", &[posted(0), deleted(0), viewed(0)], &[UnknownThing]);
    check("suspended twice", &[suspended(somebody), suspended(somebody)], &[OrderOfLife]);
    check("restored", &[restored(somebody)], &[OrderOfLife]);
    check("nobody suspended", &[suspended(nobody)], &[UnknownThing]);
    let (method, path, body) = ("PUT".into(), "/".into(), String::new());
    let acted = AdminActed { by: nobody, method, path, body, at: at(1) };
    check("nobody acted", &[Record::AdminActed(Box::new(acted))], &[UnknownThing]);
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
    check(
        "begun at its deadline",
        &after(&[paying(0, 1, 1 + TTL), paid(0, 1, 2 + TTL)]),
        &[Deadline],
    );
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
