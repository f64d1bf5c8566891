//! Command by command: what is refused, in which order, and what a repetition gets.

use tiketi_engine::command::{Asked, WantedSeats, WantedTickets};
use tiketi_engine::engine::{AfterPayment, Once, PaymentIntent, PaymentOutcome};
use tiketi_engine::error::{BlockRefusal, CommandError, HoldRefusal, OrderRefusal};
use tiketi_engine::ids::{
    Attempt, EventIndex, HoldSlot, OrderNumber, SeatIndex, TicketTypeIndex, UnixMillis, UserIndex,
};
use tiketi_engine::record::{
    Claim, EndReason, Held, IdempotencyKey, OrderRef, PaymentMethod, Record, SeatList,
};
use tiketi_engine::state::{OrderState, SeatStatus};

use crate::house::{CLOSES, Hall, House, OPENS, SMALL, TTL_MS, durable};

fn refused<T: std::fmt::Debug, R: Clone>(result: Result<T, CommandError<R>>) -> R {
    match result {
        Err(CommandError::Refused(refusal)) => refusal,
        Err(CommandError::Unavailable(why)) => panic!("{why}"),
        Ok(done) => panic!("not refused: {done:?}"),
    }
}

#[test]
fn holds_are_refused_in_the_documented_order() {
    let mut house = House::new(&[Hall { seats_per_user: Some(3), ..SMALL }], 2);
    let asked = house.asked(0, OPENS);
    let early = Asked { at: UnixMillis(OPENS.0 - 1), ..asked };
    let late = Asked { at: CLOSES, ..asked };
    house.hold(0, &[0], house.asked(1, OPENS)).unwrap();
    house.hold(0, &[1], asked).unwrap();
    let cases = [
        (7, vec![0], asked, HoldRefusal::UnknownEvent(EventIndex(7))),
        (0, vec![99], early, HoldRefusal::NotOnSale(EventIndex(0))),
        (0, vec![0], late, HoldRefusal::NotOnSale(EventIndex(0))),
        (0, vec![2, 3, 4, 5, 99], asked, HoldRefusal::TooManySeats { max: 4 }),
        (0, vec![0, 40], asked, HoldRefusal::UnknownSeat(SeatIndex(40))),
        (0, vec![0, 2, 3], asked, HoldRefusal::UserCap { cap: 3, left: 2 }),
        (0, vec![0, 5], asked, HoldRefusal::SeatsTaken(vec![SeatIndex(0)])),
    ];
    let before = house.engine.journal().durable_lsn();
    for (event, seats, asked, expected) in cases {
        assert_eq!(refused(house.hold(event, &seats, asked)), expected);
    }
    assert_eq!(house.engine.journal().durable_lsn(), before, "a refusal logs nothing");
    house.hold(0, &[2, 3], asked).unwrap();
    house.assert_agreement();
}

#[test]
fn tickets_are_counted_and_come_back() {
    let mut house = House::new(&[SMALL], 1);
    let asked = house.asked(0, OPENS);
    let hold = house.hold_tickets(0, 10, asked).unwrap();
    assert_eq!(hold.expires_at, None);
    let short = HoldRefusal::OutOfStock { ticket_type: TicketTypeIndex(0), left: 2 };
    assert_eq!(refused(house.hold_tickets(0, 3, asked)), short);
    let unknown = WantedTickets::new(&[(TicketTypeIndex(4), 1)]).unwrap();
    assert_eq!(
        refused(house.engine.hold_tickets(EventIndex(0), &unknown, asked)),
        HoldRefusal::UnknownTicketType(TicketTypeIndex(4))
    );
    durable(house.engine.cancel_order(hold.reservation, Some(asked.by), OPENS).unwrap());
    house.hold_tickets(0, 12, asked).unwrap();
    house.assert_agreement();
}

#[test]
fn a_repeated_key_finds_the_first_order_even_after_a_restart() {
    let mut house = House::new(&[SMALL], 2);
    let key = Some(IdempotencyKey { key: 9, content: 1 });
    let asked = Asked { key, ..house.asked(0, OPENS) };
    let first = house.hold(0, &[3], asked).unwrap();
    let wanted = WantedSeats::new(&[SeatIndex(3)]).unwrap();
    for restarted in [false, true] {
        if restarted {
            house.restart();
        }
        let again = house.engine.hold_seats(EventIndex(0), &wanted, asked).unwrap();
        assert_eq!(again.lsn(), house.order(first.reservation).held_lsn);
        assert_eq!(durable(again), Once::Repeated(first.reservation));
        let other = Some(IdempotencyKey { key: 9, content: 2 });
        let reused = house.engine.hold_seats(EventIndex(0), &wanted, Asked { key: other, ..asked });
        assert_eq!(refused(reused), HoldRefusal::KeyReused);
        // Idempotence comes before the rules: the sale is over, the answer is the same.
        let late = Asked { at: CLOSES, ..asked };
        let again = house.engine.hold_seats(EventIndex(0), &wanted, late).unwrap();
        assert_eq!(durable(again), Once::Repeated(first.reservation));
    }
    // Another user's key of the same name is another key.
    let stranger = Asked { key, ..house.asked(1, OPENS) };
    assert_eq!(refused(house.hold(0, &[3], stranger)), HoldRefusal::SeatsTaken(vec![SeatIndex(3)]));
    // A refusal was not remembered.
    house.hold(0, &[4], stranger).unwrap();
    house.assert_agreement();
}

#[test]
fn keys_are_forgotten_after_a_day() {
    let mut house = House::new(&[SMALL], 1);
    let key = Some(IdempotencyKey { key: 9, content: 1 });
    let first = house.hold_tickets(0, 1, Asked { key, ..house.asked(0, OPENS) }).unwrap();
    let day = 24 * 60 * 60 * 1_000;
    house.engine.expire(OPENS.plus(day - 1), 1).unwrap();
    let wanted = WantedTickets::new(&[(TicketTypeIndex(0), 1)]).unwrap();
    let asked = Asked { key, ..house.asked(0, OPENS) };
    let again = house.engine.hold_tickets(EventIndex(0), &wanted, asked).unwrap();
    assert_eq!(durable(again), Once::Repeated(first.reservation));
    house.engine.expire(OPENS.plus(day), 1).unwrap();
    assert_ne!(house.hold_tickets(0, 1, asked).unwrap().reservation, first.reservation);
    house.assert_agreement();
}

#[test]
fn a_key_used_again_after_a_day_is_remembered_again() {
    let mut fold = House::new(&[SMALL], 1).fold;
    let day = 24 * 60 * 60 * 1_000;
    for (number, at) in [(0, OPENS), (1, OPENS.plus(day))] {
        let held = Held {
            order: OrderRef { event: EventIndex(0), number: OrderNumber(number) },
            slot: HoldSlot(number),
            user: UserIndex(0),
            claim: Claim::Seats(SeatList::from_slice(&[SeatIndex(number)]).unwrap()),
            at,
            expires_at: None,
            key: Some(Box::new(IdempotencyKey { key: 9, content: 1 })),
        };
        fold.apply(fold.lsn().next(), &Record::Held(held)).unwrap();
        let found = fold.key(UserIndex(0), 9).unwrap();
        assert_eq!(found.reservation.order, OrderNumber(number));
    }
    assert_eq!(fold.keys().count(), 1);
}

#[test]
fn a_hold_past_its_deadline_can_neither_be_paid_nor_cancelled() {
    let mut house = House::new(&[SMALL], 1);
    let hold = house.hold(0, &[3], house.asked(0, OPENS)).unwrap();
    let deadline = OPENS.plus(TTL_MS);
    let late = house.asked(0, deadline);
    let order = hold.reservation.order;
    assert_eq!(
        refused(house.engine.begin_payment(hold.reservation, PaymentMethod::NaverPay, late)),
        OrderRefusal::Expired(order)
    );
    assert_eq!(
        refused(house.engine.cancel_order(hold.reservation, Some(late.by), deadline)),
        OrderRefusal::Expired(order)
    );
    assert_eq!(house.engine.expire(UnixMillis(deadline.0 - 1), 9).unwrap().len(), 0);
    assert_eq!(house.engine.expire(deadline, 9).unwrap().len(), 1);
    assert_eq!(
        refused(house.engine.cancel_order(hold.reservation, Some(late.by), deadline)),
        OrderRefusal::Ended(order)
    );
    house.assert_agreement();
}

#[test]
fn a_payment_under_way_keeps_the_hold_past_its_deadline() {
    for (outcome, after, state) in [
        (PaymentOutcome::Captured, AfterPayment::Paid, None),
        (PaymentOutcome::Declined, AfterPayment::Expired, Some(EndReason::Expired)),
    ] {
        let mut house = House::new(&[SMALL], 1);
        let asked = house.asked(0, OPENS);
        let hold = house.hold(0, &[3], asked).unwrap();
        let intent = house.engine.begin_payment(hold.reservation, PaymentMethod::NaverPay, asked);
        let Once::Done(intent) = durable(intent.unwrap()) else { panic!("no key") };
        let late = OPENS.plus(TTL_MS + 1);
        assert_eq!(house.engine.expire(late, 9).unwrap().len(), 0);
        let wrong = PaymentIntent { attempt: Attempt(2), ..intent };
        assert_eq!(
            refused(house.engine.finish_payment(wrong, outcome, late)),
            OrderRefusal::NoSuchAttempt(hold.reservation.order)
        );
        let ended = durable(house.engine.finish_payment(intent, outcome, late).unwrap());
        assert_eq!(ended, after);
        let order = house.order(hold.reservation);
        match state {
            None => assert_eq!(order.state, OrderState::Paid),
            Some(reason) => assert_eq!(order.state, OrderState::Ended { reason, at: late }),
        }
        house.assert_agreement();
    }
}

#[test]
fn a_declined_payment_leaves_the_hold_and_its_deadline() {
    let mut house = House::new(&[SMALL], 1);
    let asked = house.asked(0, OPENS);
    let hold = house.hold(0, &[3], asked).unwrap();
    for attempt in 1..4 {
        let intent = house.engine.begin_payment(hold.reservation, PaymentMethod::NaverPay, asked);
        let Once::Done(intent) = durable(intent.unwrap()) else { panic!("no key") };
        assert_eq!(intent.attempt, Attempt(attempt));
        let after = house.engine.finish_payment(intent, PaymentOutcome::Declined, OPENS).unwrap();
        assert_eq!(durable(after), AfterPayment::Held);
    }
    assert_eq!(house.engine.expire(OPENS.plus(TTL_MS), 9).unwrap().len(), 1);
    house.assert_agreement();
}

#[test]
fn an_event_called_off_during_a_payment_ends_the_order_after_it() {
    let mut house = House::new(&[SMALL], 1);
    let asked = house.asked(0, OPENS);
    let hold = house.hold(0, &[3], asked).unwrap();
    let intent = house.engine.begin_payment(hold.reservation, PaymentMethod::NaverPay, asked);
    let Once::Done(intent) = durable(intent.unwrap()) else { panic!("no key") };
    assert_eq!(durable(house.engine.cancel_event(EventIndex(0), OPENS).unwrap()), 1);
    let after = house.engine.finish_payment(intent, PaymentOutcome::Captured, OPENS).unwrap();
    assert_eq!(durable(after), AfterPayment::EventCancelled);
    let order = house.order(hold.reservation);
    assert!(order.was_paid(), "captured money is known and goes back");
    assert!(!order.is_live());
    house.assert_agreement();
}

#[test]
fn orders_are_their_users_own() {
    let mut house = House::new(&[SMALL], 2);
    let hold = house.hold(0, &[3], house.asked(0, OPENS)).unwrap();
    let thief = house.asked(1, OPENS);
    let order = hold.reservation.order;
    assert_eq!(
        refused(house.engine.cancel_order(hold.reservation, Some(thief.by), OPENS)),
        OrderRefusal::NotYours(order)
    );
    assert_eq!(
        refused(house.engine.begin_payment(hold.reservation, PaymentMethod::NaverPay, thief)),
        OrderRefusal::NotYours(order)
    );
    house.assert_agreement();
}

#[test]
fn blocked_seats_are_off_sale_until_unblocked() {
    let mut house = House::new(&[SMALL], 1);
    let asked = house.asked(0, OPENS);
    let event = EventIndex(0);
    house.hold(0, &[1], asked).unwrap();
    let seats = |list: &[u32]| -> Vec<SeatIndex> { list.iter().map(|&s| SeatIndex(s)).collect() };
    let block = |house: &House, list: &[u32]| {
        house.engine.block_seats(event, &seats(list), "기둥".into(), OPENS).map(durable)
    };
    assert_eq!(refused(block(&house, &[0, 1])), BlockRefusal::SeatsTaken(seats(&[1])));
    block(&house, &[0, 2]).unwrap();
    assert_eq!(refused(house.hold(0, &[2], asked)), HoldRefusal::SeatsTaken(seats(&[2])));
    house.assert_agreement();
    assert_eq!(house.fold.events()[0].seat_status(SeatIndex(2)), SeatStatus::Blocked);
    house.restart();
    assert_eq!(
        refused(house.engine.unblock_seats(event, &seats(&[1, 2]), OPENS).map(durable)),
        BlockRefusal::NotBlocked(seats(&[1]))
    );
    durable(house.engine.unblock_seats(event, &seats(&[2]), OPENS).unwrap());
    house.hold(0, &[2], asked).unwrap();
    house.assert_agreement();
}
