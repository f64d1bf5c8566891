//! What providers do on their own, and what follows from it: right logs, wrong logs, and the sums.

use tiketi_engine::ids::{ChargeIndex, RefundIndex};
use tiketi_engine::money::{BankAccount, Deposit, Split};
use tiketi_engine::record::{
    CaptureOutcome, DayCompared, DisputeState, IdempotencyKey, OrderConfirmed, PartReturned,
    PaymentFound, ProviderName, RefundAccountGiven, RefundOutcome,
};
use tiketi_engine::state::State;

use super::money::{PRICE, begun, captured, opened, outcome, pair, refunded, returned, sold};
use super::*;

fn refund(refund: u32, outcome: RefundOutcome) -> Record {
    Record::RefundEnded { refund: RefundIndex(refund), outcome, at: at(1) }
}

fn elsewhere(charge: u32, card: u64) -> Record {
    Record::ReturnedElsewhere { charge: ChargeIndex(charge), card, at: at(1) }
}

fn not_elsewhere(charge: u32, card: u64, is_owed: bool) -> Record {
    Record::ReturnFailed { charge: ChargeIndex(charge), card, is_owed, at: at(1) }
}

fn disputed(charge: u32, amount: u64, state: DisputeState) -> Record {
    Record::Disputed { charge: ChargeIndex(charge), amount, state, at: at(1) }
}

fn awaited(charge: u32, due_ms: u64) -> Record {
    let deposit = Deposit {
        bank: "20".to_owned(),
        account: "1".to_owned(),
        holder: "h".to_owned(),
        due_at: at(due_ms),
        secret: "s".to_owned(),
    };
    outcome(charge, CaptureOutcome::Awaiting(Box::new(deposit)))
}

fn taken_back(charge: u32) -> Record {
    outcome(charge, CaptureOutcome::TakenBack)
}

fn failed_capture(charge: u32) -> Record {
    outcome(charge, CaptureOutcome::Failed)
}

fn forgotten(charge: u32) -> Record {
    Record::ChargeForgotten { charge: ChargeIndex(charge), at: at(1) }
}

fn found(charge: u32, key: &str) -> Record {
    let payment_key = key.to_owned();
    let found = PaymentFound { charge: ChargeIndex(charge), payment_key, at: at(1) };
    Record::PaymentFound(Box::new(found))
}

fn part(charge: u32, part: Claim, card: u64, key: Option<u128>) -> Record {
    let key = key.map(|key| Box::new(IdempotencyKey { key, content: 1 }));
    let amount = Split { card, points: 0 };
    let (charge, by) = (ChargeIndex(charge), UserIndex(0));
    Record::PartReturned(Box::new(PartReturned { charge, part, amount, by, key, at: at(1) }))
}

fn seats_back(charge: u32, seats: &[u32], card: u64) -> Record {
    let seats: Vec<SeatIndex> = seats.iter().map(|&seat| SeatIndex(seat)).collect();
    part(charge, Claim::Seats(InlineList::from_slice(&seats).unwrap()), card, None)
}

fn tickets_back(charge: u32, lines: &[(u16, u32, u32)], card: u64) -> Record {
    let Record::Held(held) = tickets(0, lines) else { unreachable!() };
    part(charge, held.claim, card, None)
}

fn compared(provider: ProviderName, day: u64, at: u64) -> Record {
    let (day, at) = (UnixMillis(day), UnixMillis(at));
    let (transactions, differences, unknown) = (3, 1, 0);
    let compared = DayCompared { provider, day, transactions, differences, unknown, at };
    Record::DayCompared(Box::new(compared))
}

fn cancelled(number: u32) -> Record {
    ended(number, EndReason::CancelledByAdmin, 1)
}

/// So that the log goes on for a while.
fn a_while() -> Record {
    held(9, &[9], 2 * crate::auditor::SWEEP_MS)
}

/// An order of three tickets of 10 won, paid by card.
fn standing() -> Vec<Record> {
    vec![tickets(0, &[(0, 2, 10), (1, 1, 10)]), opened(0, Some(0), 30, 0), begun(0, 1), captured(0)]
}

/// 100 points that are bought and spent on a seat.
fn spent() -> Vec<Record> {
    let bought = [opened(0, None, PRICE, 0), begun(0, 0), captured(0)];
    let seat = [held(0, &[0], 1), opened(1, Some(0), 0, PRICE), begun(1, 1), captured(1)];
    [&bought[..], &seat].concat()
}

fn and(first: Vec<Record>, more: &[Record]) -> Vec<Record> {
    [&first[..], more].concat()
}

#[test]
fn what_goes_back_elsewhere() {
    use Rule::{Money, Overdue, UnknownThing};
    let some = and(pair(), &[elsewhere(0, 10)]);
    check("some of it", &some, &[]);
    check("and the rest by us", &and(some.clone(), &[cancelled(0), refunded(0)]), &[]);
    check("and has not", &and(some.clone(), &[not_elsewhere(0, 10, false)]), &[]);
    let seat = and(some.clone(), &[seats_back(0, &[1], PRICE), refunded(0)]);
    check("and a seat of it", &seat, &[]);
    let whole = and(pair(), &[elsewhere(0, 2 * PRICE)]);
    check("all of it, a moment ago", &whole, &[]);
    check("all of it, and its order ended", &and(whole.clone(), &[cancelled(0), a_while()]), &[]);
    check("all of it, and its order lives on", &and(whole.clone(), &[a_while()]), &[Overdue]);
    let restarted = and(whole.clone(), &[epoch(2, 3 * crate::auditor::SWEEP_MS)]);
    check("all of it before a restart", &restarted, &[]);
    let by_hand = Record::OrderConfirmed(Box::new(OrderConfirmed {
        order: order(0),
        slot: HoldSlot(0),
        method: PaymentMethod::BankTransfer,
        by: None,
        at: at(1),
    }));
    let again = and(whole.clone(), &[cancelled(0), by_hand, a_while()]);
    check("all of it, and its order confirmed by hand", &again, &[]);
    let back = and(whole.clone(), &[cancelled(0), not_elsewhere(0, 2 * PRICE, true), refunded(0)]);
    check("all of it, and it has not after the order ended", &back, &[]);
    let owed = and(pair(), &[cancelled(0), elsewhere(0, 2 * PRICE)]);
    check("what is owed", &owed, &[]);
    check("what is owed already went", &and(owed, &[refunded(0)]), &[Money]);
    let by_hand =
        [cancelled(0), refund(0, RefundOutcome::Refused), refund(0, RefundOutcome::ByHand)];
    check("what was by hand", &and(and(pair(), &by_hand), &[elsewhere(0, 2 * PRICE)]), &[]);

    check("more than there is", &and(pair(), &[elsewhere(0, 2 * PRICE + 1)]), &[Money]);
    check("nothing", &and(pair(), &[elsewhere(0, 0)]), &[Money]);
    check("twice", &and(whole.clone(), &[elsewhere(0, 1)]), &[Money]);
    let done = and(pair(), &[cancelled(0), refunded(0), elsewhere(0, 1)]);
    check("what we gave back", &done, &[Money]);
    check("of no charge", &[elsewhere(0, 1)], &[UnknownThing]);
    check("before it was captured", &and(pair()[..3].to_vec(), &[elsewhere(0, 1)]), &[Money]);
    check("has not, but never had", &and(pair(), &[not_elsewhere(0, 1, false)]), &[Money]);
    check("has not, more", &and(some.clone(), &[not_elsewhere(0, 11, false)]), &[Money]);
    check("owed though paid", &and(some, &[not_elsewhere(0, 10, true)]), &[Money]);
    let kept = and(whole, &[cancelled(0), not_elsewhere(0, 2 * PRICE, false)]);
    check("kept though the order is over", &kept, &[Money]);
}

#[test]
fn refunds_of_every_outcome() {
    use RefundOutcome::{Again, ByHand, Done, Failed, Refused};
    use Rule::Money;
    let ends = |outcomes: &[RefundOutcome]| {
        let ends = outcomes.iter().map(|&outcome| refund(0, outcome));
        [sold(), vec![cancelled(0)], ends.collect()].concat()
    };
    for right in [
        &[Done][..],
        &[Refused],
        &[Refused, Again, Done],
        &[Refused, Done],
        &[Refused, ByHand],
        &[ByHand],
        &[Done, Failed, Done],
        &[Done, Failed, Done, Failed, Again, Done],
        &[Done, Failed, Refused, ByHand],
        &[Done, Failed, Done, Failed, ByHand],
    ] {
        check(&format!("{right:?}"), &ends(right), &[]);
    }
    for wrong in [
        &[Done, Done][..],
        &[Refused, Refused],
        &[Again],
        &[Done, Again],
        &[Failed],
        &[Refused, Failed],
        &[ByHand, ByHand],
        &[ByHand, Done],
        &[ByHand, Failed],
        &[Done, ByHand],
        // The second failure leaves it refused.
        &[Done, Failed, Done, Failed, Refused],
    ] {
        check(&format!("{wrong:?}"), &ends(wrong), &[Money]);
    }
    // One call for all that is left ends what was refused as a part.
    let part = and(pair(), &[seats_back(0, &[1], PRICE), refund(0, Refused)]);
    check("parts refused", &part, &[]);
    check("then all of it", &and(part.clone(), &[cancelled(0), refunded(0), refunded(1)]), &[]);
    let account = BankAccount { bank: "1".into(), number: "2".into(), holder: "3".into() };
    let given = RefundAccountGiven { charge: ChargeIndex(0), account, at: at(1) };
    let given = Record::RefundAccountGiven(Box::new(given));
    check("refused, then an account", &and(part.clone(), &[given.clone(), refunded(0)]), &[]);
    let by_hand = and(part, &[refund(0, ByHand), given]);
    check("by hand, then an account", &by_hand, &[]);
    check("given back after it was by hand", &and(by_hand, &[refunded(0)]), &[Money]);
}

#[test]
fn disputes() {
    use DisputeState::{Lost, Open, Won};
    use Rule::{Money, Overdue};
    let stood = |states: &[DisputeState]| {
        let states = states.iter().map(|&state| disputed(0, PRICE, state));
        [sold(), states.collect()].concat()
    };
    check("open", &stood(&[Open]), &[]);
    check("won", &stood(&[Open, Won]), &[]);
    check("heard of late", &and(stood(&[Lost]), &[cancelled(0)]), &[]);
    check("lost a moment ago", &stood(&[Open, Lost]), &[]);
    check("lost, and its order lives on", &and(stood(&[Open, Lost]), &[a_while()]), &[Overdue]);
    check("another one", &stood(&[Open, Won, Open]), &[]);
    let owed = and(sold(), &[cancelled(0), disputed(0, PRICE, Open), disputed(0, PRICE, Lost)]);
    check("of what is owed", &owed, &[]);
    check("open twice", &stood(&[Open, Open]), &[Money]);
    check("more than it was", &and(sold(), &[disputed(0, PRICE + 1, Open)]), &[Money]);
    check("nothing", &and(sold(), &[disputed(0, 0, Open)]), &[Money]);
    check("of no money", &and(sold()[..3].to_vec(), &[disputed(0, 1, Open)]), &[Money]);
    check("paid back after it was lost", &and(owed, &[refunded(0)]), &[Money]);
}

#[test]
fn parts_of_orders() {
    use Rule::{Idempotency, Malformed, Money, NotTheOwner, OrderOfLife, Stock, UnknownThing};
    check("a seat", &and(pair(), &[seats_back(0, &[1], PRICE), held(1, &[1], 1)]), &[]);
    check("a seat as before", &and(pair(), &[returned(0, &[1], PRICE)]), &[]);
    let one = tickets_back(0, &[(0, 1, 10)], 10);
    check("a ticket", &and(standing(), std::slice::from_ref(&one)), &[]);
    let line = tickets_back(0, &[(0, 2, 10)], 20);
    check("all tickets of a type", &and(standing(), std::slice::from_ref(&line)), &[]);
    check("and the rest", &and(standing(), &[line, cancelled(0), refunded(0), refunded(1)]), &[]);
    let short = and(standing(), &[elsewhere(0, 15), tickets_back(0, &[(0, 2, 10)], 15)]);
    check("no more than is kept", &short, &[]);
    check("and its order lives on", &and(short, &[a_while()]), &[Rule::Overdue]);

    let wrong = |lines: &[(u16, u32, u32)], card| and(standing(), &[tickets_back(0, lines, card)]);
    check("more than it costs", &wrong(&[(0, 1, 10)], 11), &[Money]);
    check("less than it costs", &wrong(&[(0, 1, 10)], 9), &[Money]);
    check("more than it has", &wrong(&[(1, 2, 10)], 20), &[NotTheOwner, Money]);
    check("at another price", &wrong(&[(0, 1, 5)], 5), &[NotTheOwner, Rule::Sum, Money]);
    check("all of it", &wrong(&[(0, 2, 10), (1, 1, 10)], 30), &[OrderOfLife]);
    check("nothing", &wrong(&[], 0), &[Malformed]);
    check("seats of tickets", &and(standing(), &[seats_back(0, &[1], 0)]), &[NotTheOwner, Money]);
    let sold_out = and(standing(), &[tickets(1, &[(0, 3, 10)])]);
    check("sold out meanwhile", &sold_out, &[Stock, Rule::Sum]);
    let more = and(standing(), &[one, tickets(1, &[(0, 3, 10)])]);
    check("on sale again", &more, &[]);
    let over = and(pair(), &[cancelled(0), seats_back(0, &[1], PRICE)]);
    check("of an order that is over", &over, &[Money, NotTheOwner, OrderOfLife]);
    check("of no charge", &[seats_back(0, &[1], PRICE)], &[UnknownThing]);

    let keyed = |key| {
        let seats = Claim::Seats(InlineList::from_slice(&[SeatIndex(0)]).unwrap());
        part(0, seats, PRICE, Some(key))
    };
    let three = [
        vec![held(0, &[0, 1, 2], 1), opened(0, Some(0), 3 * PRICE, 0), begun(0, 1), captured(0)],
        vec![keyed(7)],
    ]
    .concat();
    let seats = |seat| Claim::Seats(InlineList::from_slice(&[SeatIndex(seat)]).unwrap());
    let other = and(three.clone(), &[part(0, seats(1), PRICE, Some(8))]);
    check("under two keys", &other, &[]);
    let same = and(three, &[part(0, seats(1), PRICE, Some(7))]);
    check("under one key", &same, &[Idempotency]);
}

#[test]
fn deposits() {
    use Rule::{Deadline, Money, OrderOfLife};
    let awaiting = |due_ms| and(sold()[..3].to_vec(), &[awaited(0, due_ms)]);
    check("awaited", &awaiting(DAY), &[]);
    check("paid in", &and(awaiting(DAY), &[captured(0)]), &[]);
    check("never paid in", &and(awaiting(DAY), &[failed_capture(0), cancelled(0)]), &[]);
    let late = and(awaiting(DAY), &[held(8, &[8], 2 * DAY), captured(0)]);
    check("paid in late, as the provider says", &late[..5], &[]);
    let back = and(awaiting(DAY), &[captured(0), taken_back(0), cancelled(0)]);
    check("taken back", &back, &[]);
    check("taken back, paid in again", &and(back.clone(), &[captured(0), refunded(0)]), &[]);
    let lives_on = and(awaiting(DAY), &[captured(0), taken_back(0), a_while()]);
    check("taken back, and its order lives on", &lives_on, &[Rule::Overdue]);
    let owed = [captured(0), cancelled(0), taken_back(0)];
    check("taken back while it was owed", &and(awaiting(DAY), &owed), &[]);
    let given = [captured(0), cancelled(0), taken_back(0), refunded(0)];
    check("given back after it was taken back", &and(awaiting(DAY), &given), &[Money]);

    let ends = and(awaiting(DAY), &[cancelled(0)]);
    check("ended while it was awaited", &ends, &[OrderOfLife]);
    let twice = and(awaiting(DAY), &[opened(1, Some(0), PRICE, 0), begun(1, 2)]);
    check("paid another way while it was awaited", &twice, &[OrderOfLife]);
    check("taken back before it came", &and(awaiting(DAY), &[taken_back(0)]), &[Money]);
    // Earlier versions kept what the buyer's window said.
    check("due after the event", &awaiting(20 * DAY), &[]);
    let new = compared(ProviderName::Toss, 54_000_000, OPEN + 2 * DAY);
    let due = |due_ms| [vec![new.clone()], awaiting_at(2 * DAY, due_ms)].concat();
    check("due before the end of its sale", &due(5 * DAY), &[]);
    check("due after the end of its sale", &due(5 * DAY + 1), &[Deadline]);
}

/// The same as `sold`, awaited, from another instant on.
fn awaiting_at(at_ms: u64, due_ms: u64) -> Vec<Record> {
    let mut log = vec![held(0, &[0], at_ms), opened(0, Some(0), PRICE, 0), begun(0, 1)];
    log.push(awaited(0, due_ms));
    for record in &mut log {
        match record {
            Record::ChargeOpened(opened) => opened.at = at(at_ms),
            Record::CaptureStarted(started) => started.at = at(at_ms),
            Record::CaptureEnded { at: ended_at, .. } => *ended_at = at(at_ms),
            _ => {}
        }
    }
    log
}

#[test]
fn points_are_never_made() {
    use Rule::Money;
    let gone = and(spent(), &[taken_back(0)]);
    let points = |log: &[Record]| {
        let report = audit(&[beginning(), log.to_vec()].concat());
        assert!(report.ok, "{:?}", report.findings);
        let sums = report.summary.points;
        (sums.balances, sums.debts, sums.issued, sums.spent, sums.forgiven)
    };
    assert_eq!(points(&spent()), (0, 0, 100, 100, 0));
    assert_eq!(points(&gone), (0, 100, 0, 100, 0), "the debt is kept");
    let again = and(gone.clone(), &[captured(0)]);
    assert_eq!(points(&again), (0, 0, 100, 100, 0), "the second deposit pays it");
    let refunded = and(gone.clone(), &[cancelled(0)]);
    assert_eq!(points(&refunded), (0, 0, 0, 0, 0), "what comes back pays it");
    // Earlier versions forgot it.
    let forgot = and(spent(), &[outcome(0, CaptureOutcome::Reversed)]);
    assert_eq!(points(&forgot), (0, 0, 0, 100, 100));
    assert_eq!(points(&and(forgot, &[captured(0)])), (100, 0, 100, 100, 100));
    assert_eq!(points(&and(spent(), &[elsewhere(0, 30)])), (0, 30, 70, 100, 0));
    let lost = and(spent(), &[elsewhere(0, 30), not_elsewhere(0, 10, false)]);
    assert_eq!(points(&lost), (0, 20, 80, 100, 0));

    let more = [held(1, &[1], 1), opened(2, Some(1), 0, PRICE), begun(2, 1), captured(2)];
    check("spent twice", &and(spent(), &more), &[Money]);
    check("spent after a debt was paid", &and(again, &more), &[Money]);
    let kept = and(spent(), &[elsewhere(0, 30), not_elsewhere(0, 10, true)]);
    check("owed to a buyer of points", &kept, &[Money]);
}

#[test]
fn charges_that_are_found_and_forgotten() {
    use Rule::{Malformed, Money, UnknownThing};
    let open = vec![held(0, &[0], 1), opened(0, Some(0), PRICE, 0)];
    check("forgotten", &and(open.clone(), &[forgotten(0)]), &[]);
    let next = [forgotten(0), opened(1, Some(0), PRICE, 0), begun(1, 1), captured(1), cancelled(0)];
    check("forgotten, and another one", &and(open.clone(), &next), &[]);
    check("forgotten twice", &and(open.clone(), &[forgotten(0), forgotten(0)]), &[Money]);
    check("forgotten, then captured", &and(open.clone(), &[forgotten(0), begun(0, 1)]), &[Money]);
    check("forgotten though begun", &and(sold()[..3].to_vec(), &[forgotten(0)]), &[Money]);
    check("forgotten though paid", &and(sold(), &[forgotten(0)]), &[Money]);
    check("forgotten, never opened", &[forgotten(0)], &[UnknownThing]);
    check("found", &and(sold()[..3].to_vec(), &[found(0, "other"), captured(0)]), &[]);
    check("found before it was begun", &and(open, &[found(0, "other")]), &[Money]);
    check("found without a name", &and(sold(), &[found(0, "")]), &[Malformed]);
    check("found, never opened", &[found(0, "other")], &[UnknownThing]);
}

#[test]
fn days_that_were_compared() {
    // The first day of 1970 that begins in Seoul.
    let day = DAY - 9 * 60 * 60 * 1_000;
    let now = 2 * DAY;
    check("a day", &[compared(ProviderName::Stripe, day, now)], &[]);
    check("half a day", &[compared(ProviderName::Toss, day + 1, now)], &[Rule::Malformed]);
    check("of no provider", &[compared(ProviderName::None, day, now)], &[Rule::Malformed]);
    check("too early", &[compared(ProviderName::Toss, day, DAY)], &[Rule::Instant]);
}

/// Of every state of money one, and records that the engine's fold takes as well.
fn of_everything() -> Vec<Record> {
    use DisputeState::{Lost, Open};
    use RefundOutcome::{ByHand, Done, Failed, Refused};
    let order = |number: u32, charge: u32, seats: &[u32], card| {
        let paid = [held(number, seats, 1), opened(charge, Some(number), card, 0)];
        [paid.to_vec(), vec![begun(charge, 1), captured(charge)]].concat()
    };
    [
        beginning(),
        order(0, 0, &[0, 1], 200),
        vec![elsewhere(0, 10), not_elsewhere(0, 4, false)],
        vec![seats_back(0, &[1], 100), refund(0, Done), refund(0, Failed), refund(0, Refused)],
        order(1, 1, &[2], 100),
        vec![cancelled(1), refund(1, Refused), refund(1, ByHand), found(1, "other")],
        order(2, 2, &[3], 100),
        vec![disputed(2, 100, Open)],
        vec![held(3, &[4], 1), opened(3, Some(3), 100, 0), begun(3, 1), awaited(3, DAY)],
        vec![opened(4, None, 60, 0), begun(4, 0), captured(4)],
        vec![held(4, &[5], 1), opened(5, Some(4), 40, 60), begun(5, 1), captured(5)],
        vec![taken_back(4), opened(6, None, 5, 0), forgotten(6)],
        vec![opened(7, None, 20, 0), begun(7, 0), captured(7)],
        order(5, 8, &[6], 50),
        vec![disputed(8, 50, Open), disputed(8, 50, Lost), cancelled(5)],
        vec![opened(9, None, 7, 0), begun(9, 0)],
        order(6, 10, &[7], 50),
        vec![ended(6, EndReason::CancelledByUser, 1), elsewhere(10, 20), epoch(2, 3)],
    ]
    .concat()
}

#[test]
fn the_sums_of_everything() {
    let report = audit(&of_everything());
    assert!(report.ok, "{:?}", report.findings);
    let toss = report.summary.money["toss"];
    assert_eq!((toss.captured, toss.unknown, toss.disputed), (560, 107, 100));
    assert_eq!((toss.earned, toss.refunded, toss.by_hand), (254, 0, 100));
    assert_eq!((toss.refunding, toss.elsewhere), (130, 76));
    let points = report.summary.points;
    assert_eq!((points.issued, points.spent), (20, 60));
    assert_eq!((points.balances, points.debts, points.forgiven), (0, 40, 0));
    let waiting = &report.summary.waiting;
    let by_what: Vec<_> = waiting.by_what.iter().map(|(&what, &count)| (what, count)).collect();
    let expected =
        [("administrator", 1), ("bank", 1), ("deposit", 1), ("provider", 1), ("refund", 1)];
    assert_eq!((by_what, waiting.total), (expected.to_vec(), 5));
    let one: Vec<_> = waiting.payments.iter().map(|one| (one.charge, one.what, one.won)).collect();
    assert_eq!(one[0], (0, "administrator", 100), "{one:?}");
    assert_eq!(report.summary.orders.awaiting_deposit, 1);
    let json = serde_json::to_value(&report).unwrap();
    for name in ["elsewhere", "byHand", "disputed"] {
        assert!(json["summary"]["money"]["toss"][name].as_u64() > Some(0), "{name}: {json}");
    }
    assert_eq!(json["summary"]["points"]["debts"], 40);
    assert_eq!(json["summary"]["waiting"]["payments"][0]["for"], "administrator");
}

#[test]
fn money_may_be_audited_from_any_snapshot() {
    let records = of_everything();
    let whole = audit(&records);
    let mut state = State::default();
    let mut compared = Auditor::new(100);
    for (cut, record) in (1..).zip(&records) {
        state.apply(Lsn(cut), record).unwrap();
        compared.record(Lsn(cut), record);
        compared.compare(&state);
        let mut auditor = Auditor::new(100);
        auditor.seed(&state);
        for (lsn, record) in (cut + 1..).zip(&records[cut as usize..]) {
            auditor.record(Lsn(lsn), record);
        }
        let report = auditor.finish();
        assert!(report.ok, "from {cut}: {:?}", report.findings);
        assert_eq!(report.summary.money, whole.summary.money, "from {cut}");
        assert_eq!(report.summary.points, whole.summary.points, "from {cut}");
        assert_eq!(report.summary.waiting, whole.summary.waiting, "from {cut}");
        assert_eq!(report.summary.orders, whole.summary.orders, "from {cut}");
    }
    let report = compared.finish();
    assert!(report.ok, "{:?}", report.findings);
}

#[test]
fn what_earlier_versions_forgave_is_known_from_a_snapshot() {
    let reversed = outcome(0, CaptureOutcome::Reversed);
    let log = [beginning(), spent(), vec![reversed, captured(0)]].concat();
    let mut state = State::default();
    for (lsn, record) in (1..).zip(&log) {
        state.apply(Lsn(lsn), record).unwrap();
    }
    let mut auditor = Auditor::new(100);
    auditor.seed(&state);
    let report = auditor.finish();
    assert!(report.ok, "{:?}", report.findings);
    assert_eq!((report.summary.points.balances, report.summary.points.forgiven), (100, 100));
}

#[test]
fn a_snapshot_with_other_money_is_found() {
    let log = of_everything();
    let (mut state, mut auditor) = (State::default(), Auditor::new(100));
    for (lsn, record) in (1..).zip(&log) {
        state.apply(Lsn(lsn), record).unwrap();
        auditor.record(Lsn(lsn), record);
    }
    state.apply(Lsn(log.len() as u64 + 1), &elsewhere(0, 1)).unwrap();
    auditor.compare(&state);
    let report = auditor.finish();
    assert_eq!((report.findings_total, report.findings[0].rule), (1, Rule::Snapshot));
}
