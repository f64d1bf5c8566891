//! Payments: right logs, wrong logs, and the sums.

use tiketi_engine::ids::{ChargeIndex, RefundIndex, ReservationId};
use tiketi_engine::money::{Captured, Means, Purpose, Split};
use tiketi_engine::record::{
    CaptureOutcome, CaptureStarted, ChargeOpened, ProviderName, RefundOutcome, SeatsReturned,
};

use super::*;

pub(super) const PRICE: u64 = 100;

pub(super) fn opened(charge: u32, order_number: Option<u32>, card: u64, points: u64) -> Record {
    let purpose = match order_number {
        Some(number) => Purpose::Order(ReservationId {
            event: EventIndex(0),
            slot: HoldSlot(number),
            order: OrderNumber(number),
        }),
        None => Purpose::Points,
    };
    Record::ChargeOpened(Box::new(ChargeOpened {
        charge: ChargeIndex(charge),
        user: UserIndex(0),
        purpose,
        provider: ProviderName::Toss,
        amount: Split { card, points },
        tag: 1,
        payment_key: String::new(),
        at: at(1),
    }))
}

pub(super) fn begun(charge: u32, attempt: u8) -> Record {
    Record::CaptureStarted(Box::new(CaptureStarted {
        charge: ChargeIndex(charge),
        attempt: Attempt(attempt),
        method: PaymentMethod::Card,
        payment_key: "key".to_owned(),
        at: at(1),
    }))
}

pub(super) fn outcome(charge: u32, outcome: CaptureOutcome) -> Record {
    Record::CaptureEnded { charge: ChargeIndex(charge), outcome, at: at(1) }
}

pub(super) fn captured(charge: u32) -> Record {
    let captured = Captured { approved_at: at(1), means: Means::Card, receipt: None };
    outcome(charge, CaptureOutcome::Captured(Box::new(captured)))
}

pub(super) fn returned(charge: u32, seats: &[u32], card: u64) -> Record {
    let seats: Vec<SeatIndex> = seats.iter().map(|&seat| SeatIndex(seat)).collect();
    Record::SeatsReturned(Box::new(SeatsReturned {
        charge: ChargeIndex(charge),
        seats: InlineList::from_slice(&seats).unwrap(),
        amount: Split { card, points: 0 },
        by: None,
        at: at(1),
    }))
}

pub(super) fn refunded(refund: u32) -> Record {
    Record::RefundEnded { refund: RefundIndex(refund), outcome: RefundOutcome::Done, at: at(1) }
}

/// An order of two seats, paid by card.
pub(super) fn pair() -> Vec<Record> {
    vec![held(0, &[0, 1], 1), opened(0, Some(0), 2 * PRICE, 0), begun(0, 1), captured(0)]
}

/// An order of one seat, paid by card.
pub(super) fn sold() -> Vec<Record> {
    vec![held(0, &[0], 1), opened(0, Some(0), PRICE, 0), begun(0, 1), captured(0)]
}

#[test]
fn right_payments_have_no_findings() {
    check("paid", &sold(), &[]);
    let cancelled = ended(0, EndReason::CancelledByUser, 1);
    check("refunded", &[sold(), vec![cancelled.clone(), refunded(0)]].concat(), &[]);
    check("on its way", &[sold(), vec![cancelled]].concat(), &[]);
    let part = [pair(), vec![returned(0, &[1], PRICE), refunded(0), held(1, &[1], 1)]].concat();
    check("a part back", &part, &[]);
    let rest = vec![ended(0, EndReason::CancelledByUser, 1), refunded(1)];
    check("and the rest", &[part, rest].concat(), &[]);
    let failed = || outcome(0, CaptureOutcome::Failed);
    let tried = [&sold()[..3], &[failed()]].concat();
    check("declined", &tried, &[]);
    let again = vec![opened(1, Some(0), PRICE, 0), begun(1, 2), captured(1)];
    check("declined, then paid", &[tried.clone(), again].concat(), &[]);
    check("taken all the same", &[tried, vec![captured(0), refunded(0)]].concat(), &[]);
    let bought = [opened(0, None, 60, 0), begun(0, 0), failed(), captured(0)];
    let spent = [held(0, &[0], 1), opened(1, Some(0), 40, 60), begun(1, 1), captured(1)];
    check("points, taken all the same", &[&bought[..], &spent].concat(), &[]);
    let reversed = [outcome(1, CaptureOutcome::Reversed), ended(0, EndReason::CancelledByAdmin, 1)];
    let again = [held(1, &[1], 1), opened(2, Some(1), 40, 60), begun(2, 1), captured(2)];
    let reversed = [&bought[..], &spent, &reversed, &again].concat();
    check("the points of what the bank took back", &reversed, &[]);
    check("and paid in again", &[&reversed[..], &[captured(1)]].concat(), &[]);
    let points = [opened(0, None, 60, 0), begun(0, 0), captured(0)];
    let mixed = [held(0, &[0], 1), opened(1, Some(0), 40, 60), begun(1, 1), captured(1)];
    check("by points and card", &[&points[..], &mixed].concat(), &[]);
}

#[test]
fn wrong_payments_are_found() {
    use Rule::{Free, Money, NotTheOwner, Numbering, OrderOfLife, UnknownThing};
    let and = |more: &[Record]| [&sold()[..], more].concat();
    check("another sum", &[held(0, &[0], 1), opened(0, Some(0), PRICE - 1, 0)], &[Money]);
    let for_nothing = [held(0, &[0], 1), opened(0, Some(0), 0, 0), begun(0, 1)];
    check("for nothing, by card", &for_nothing, &[Money, Free]);
    check("captured twice", &and(&[captured(0)]), &[Money, OrderOfLife]);
    check("no such charge", &[captured(3)], &[UnknownThing]);
    check("out of order", &[opened(4, None, 10, 0)], &[Numbering]);
    check(
        "points not there",
        &[held(0, &[0], 1), opened(0, Some(0), 0, PRICE), begun(0, 1)],
        &[Money],
    );
    let and_part = |more: &[Record]| [&pair()[..], more].concat();
    let dear = [returned(0, &[1], PRICE + 1)];
    check("more back than the seat cost", &and_part(&dear), &[Money]);
    check("more back than there is", &and_part(&[returned(0, &[1], 3 * PRICE)]), &[Money]);
    check("another's seat back", &and_part(&[returned(0, &[2], PRICE)]), &[NotTheOwner, Money]);
    check("all of it", &and(&[returned(0, &[0], PRICE)]), &[OrderOfLife]);
    check(
        "before it is paid",
        &[&pair()[..3], &[returned(0, &[1], PRICE)]].concat(),
        &[OrderOfLife, Money],
    );
    let back = [returned(0, &[1], PRICE), refunded(0), refunded(0)];
    check("back twice", &and_part(&back), &[Money]);
    check("never asked for", &and(&[refunded(0)]), &[UnknownThing]);
    let unpaid = [held(0, &[0], 1), opened(0, Some(0), PRICE, 0), captured(0)];
    check("without an intent", &unpaid, &[Money, OrderOfLife]);
}

#[test]
fn the_sums_of_a_provider_add_up() {
    let log = [
        sold(),
        vec![held(1, &[1], 1), opened(1, Some(1), PRICE, 0), begun(1, 1), captured(1)],
        vec![ended(1, EndReason::CancelledByUser, 1), refunded(0)],
        vec![held(2, &[2], 1), opened(2, Some(2), PRICE, 0), begun(2, 1)],
        vec![opened(3, None, 60, 0), begun(3, 0), captured(3)],
        vec![held(3, &[3, 4], 1), opened(4, Some(3), 2 * PRICE, 0), begun(4, 1), captured(4)],
        vec![returned(4, &[3], PRICE)],
    ]
    .concat();
    let report = audit(&[beginning(), log].concat());
    assert!(report.ok, "{:?}", report.findings);
    let toss = report.summary.money["toss"];
    assert_eq!(
        (toss.captured, toss.earned, toss.refunded, toss.refunding, toss.unknown),
        (460, 260, 100, 100, 100)
    );
    assert_eq!((toss.by_hand, toss.elsewhere, toss.disputed), (0, 0, 0));
    let points = report.summary.points;
    assert_eq!((points.issued, points.balances, points.debts), (60, 60, 0));
}
