//! Command by command: what is refused, in which order, and what a repetition gets.

use tiketi_engine::command::{
    Asked, EditEvent, EditTicketType, NewEvent, NewTicketTypes, WantedSeats, WantedTickets,
};
use tiketi_engine::engine::{
    AfterPayment, Engine, Hold, NewCharge, Once, PaymentIntent, PaymentOutcome, TicketDefaults,
};
use tiketi_engine::error::{BlockRefusal, CommandError, HoldRefusal, MoneyRefusal, OrderRefusal};
use tiketi_engine::ids::{
    Attempt, EventIndex, HoldSlot, OrderNumber, SeatIndex, TicketTypeIndex, UnixMillis, UserIndex,
};
use tiketi_engine::journal::MemoryJournal;
use tiketi_engine::money::{Purpose, Split};
use tiketi_engine::record::{
    Claim, EndReason, EventDetails, EventRules, EventTerms, Held, IdempotencyKey, NewTicketType,
    OrderRef, PaymentMethod, ProviderName, Record, SeatList, TicketHold, TicketTypeDetails,
};
use tiketi_engine::state::{OrderState, SeatStatus};

use crate::histories::confirm;
use crate::house::{CLOSES, Hall, House, OPENS, SMALL, TTL_MS, details, durable};

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
    let mut house = House::new(&[SMALL], 2);
    let (asked, other) = (house.asked(0, OPENS), house.asked(1, OPENS));
    let hold = house.hold_tickets(0, 10, asked).unwrap();
    let short = HoldRefusal::OutOfStock { ticket_type: TicketTypeIndex(0), left: 2 };
    assert_eq!(refused(house.hold_tickets(0, 3, other)), short);
    let unknown = WantedTickets::new(&[(TicketTypeIndex(4), 1)]).unwrap();
    assert_eq!(
        refused(house.engine.hold_tickets(EventIndex(0), &unknown, asked)),
        HoldRefusal::UnknownTicketType(TicketTypeIndex(4))
    );
    durable(house.engine.cancel_order(hold.reservation, Some(asked.by), OPENS).unwrap());
    house.hold_tickets(0, 10, asked).unwrap();
    house.hold_tickets(0, 2, other).unwrap();
    house.assert_agreement();
}

#[test]
fn an_unpaid_order_of_tickets_ends_as_a_hold_does() {
    let minute = 60_000;
    let server = |hold_ttl| TicketDefaults { hold_ttl, ..TicketDefaults::default() };
    let millis = |ms| Some(TicketHold::Millis(ms));
    for (of_server, of_event, expected) in [
        (None, None, Some(TTL_MS)),
        (millis(minute), None, Some(minute)),
        (millis(minute), millis(2 * minute), Some(2 * minute)),
        (Some(TicketHold::Never), None, None),
        (Some(TicketHold::Never), millis(minute), Some(minute)),
        (None, Some(TicketHold::Never), None),
    ] {
        let mut house = House::new(&[SMALL], 1);
        house.catch_up();
        let journal = MemoryJournal::after(house.fold.lsn());
        let engine = Engine::from_state(&house.fold, journal).unwrap();
        house.engine = engine.with_ticket_defaults(server(of_server));
        house.set_terms(0, None, of_event);
        let asked = house.asked(0, OPENS);
        let hold = house.hold_tickets(0, 3, asked).unwrap();
        let seats = house.hold(0, &[3], asked).unwrap().reservation;
        assert_eq!(hold.expires_at, expected.map(|ttl| OPENS.plus(ttl)), "{of_event:?}");
        house.assert_agreement();
        // A deadline holds across a restart, and delays no hold of seats.
        house.restart();
        let late = OPENS.plus(TTL_MS);
        let ended = house.engine.expire(late, 9).unwrap();
        let is_over = expected.is_some_and(|ttl| ttl <= TTL_MS);
        assert_eq!(ended.contains(&hold.reservation), is_over);
        assert!(ended.contains(&seats));
        assert_eq!(house.order(hold.reservation).is_live(), !is_over);
        let paid = house.engine.begin_payment(
            hold.reservation,
            PaymentMethod::KakaoPay,
            house.asked(0, late),
        );
        assert_eq!(paid.is_ok(), !is_over);
        let left = house.fold.event(EventIndex(0)).unwrap().ticket_types[0].available();
        assert_eq!(left, if is_over { 12 } else { 9 });
        house.assert_agreement();
    }
}

#[test]
fn a_user_has_so_many_tickets_of_an_event() {
    let mut house = House::new(&[SMALL, SMALL, Hall { seats_per_user: Some(6), ..SMALL }], 2);
    let asked = house.asked(0, OPENS);
    let cap = |cap, left| HoldRefusal::UserCap { cap, left };
    assert_eq!(refused(house.hold_tickets(0, 11, asked)), cap(10, 10));
    let paid = house.hold_tickets(0, 6, asked).unwrap().reservation;
    house.catch_up();
    confirm(&house, paid, OPENS).unwrap();
    let held = house.hold_tickets(0, 4, asked).unwrap().reservation;
    for _ in 0..2 {
        assert_eq!(refused(house.hold_tickets(0, 1, asked)), cap(10, 0));
        house.restart();
    }
    // Seats are not tickets, other events and users count for themselves.
    house.hold(0, &[0, 1], asked).unwrap();
    house.hold_tickets(1, 10, asked).unwrap();
    house.hold_tickets(0, 1, house.asked(1, OPENS)).unwrap();
    durable(house.engine.cancel_order(held, None, OPENS).unwrap());
    house.hold_tickets(0, 1, asked).unwrap();
    // The event's own cap; what is there stays.
    house.set_terms(0, Some(7), None);
    assert_eq!(refused(house.hold_tickets(0, 1, asked)), cap(7, 0));
    house.set_terms(0, Some(11), None);
    assert_eq!(refused(house.hold_tickets(0, 5, asked)), cap(11, 4));
    // The cap for seats and tickets together counts as well, and a refusal takes nothing of it.
    assert_eq!(refused(house.hold_tickets(2, 7, asked)), cap(6, 6));
    house.set_terms(2, Some(2), None);
    assert_eq!(refused(house.hold_tickets(2, 3, asked)), cap(2, 2));
    house.hold_tickets(2, 2, asked).unwrap();
    house.hold(2, &[0, 1, 2, 3], asked).unwrap();
    house.assert_agreement();
    house.restart();
    house.assert_agreement();
}

#[test]
fn a_cap_of_tickets_holds_against_the_users_own_threads() {
    let mut house = House::new(&[Hall { tickets: 1_000, ..SMALL }], 1);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let house = &house;
            scope.spawn(move || {
                for _ in 0..20 {
                    let _ = house.hold_tickets(0, 3, house.asked(0, OPENS));
                }
            });
        }
    });
    house.assert_agreement();
    assert_eq!(house.fold.events()[0].orders().count(), 3);
}

#[test]
fn beside_seats_only_standing_tickets_are_sold() {
    let mut house = House::new(&[SMALL], 1);
    let (event, asked) = (EventIndex(0), house.asked(0, OPENS));
    let balcony = TicketTypeIndex(1);
    let wanted = WantedTickets::new(&[(TicketTypeIndex(0), 1), (balcony, 2)]).unwrap();
    let new = NewTicketType {
        name: "balcony".into(),
        price: 7_000,
        total_quantity: 5,
        sold_elsewhere: 0,
        description: None,
    };
    let types = NewTicketTypes { event, ticket_types: vec![new], standing: Vec::new() };
    durable(house.engine.add_ticket_types(types.check().unwrap(), None, OPENS).unwrap());
    let set = |house: &House, standing| {
        let details = TicketTypeDetails {
            name: "balcony".into(),
            price: 7_000,
            total_quantity: 5,
            description: None,
        };
        let edit = EditTicketType { event, ticket_type: balcony, details, standing };
        durable(house.engine.edit_ticket_type(edit.check().unwrap(), None, OPENS).unwrap());
    };
    let hold = |house: &House| house.engine.hold_tickets(event, &wanted, asked).map(durable);
    for standing in [None, Some(false)] {
        assert_eq!(refused(hold(&house)), HoldRefusal::NotStanding(balcony));
        set(&house, standing);
        house.assert_agreement();
        house.restart();
    }
    set(&house, Some(true));
    house.assert_agreement();
    house.restart();
    // What an edit does not say stays.
    set(&house, None);
    let Once::Done(first) = hold(&house).unwrap() else { panic!("no key") };
    set(&house, Some(false));
    assert_eq!(refused(hold(&house)), HoldRefusal::NotStanding(balcony));
    // Orders that are there stay, are paid, and end like others.
    house.catch_up();
    confirm(&house, first.reservation, OPENS).unwrap();
    house.assert_agreement();
    // Also while the seats are taken away for a moment.
    durable(house.engine.remove_seats(event, None, OPENS).unwrap());
    assert_eq!(refused(hold(&house)), HoldRefusal::NotStanding(balcony));
    assert_eq!(house.fold.events()[0].standing.len(), 1);
    house.assert_agreement();
}

#[test]
fn an_event_without_seats_sells_every_type() {
    let mut house = House::new(&[SMALL], 1);
    let new = NewTicketType {
        name: "standing".into(),
        price: 5_000,
        total_quantity: 4,
        sold_elsewhere: 0,
        description: None,
    };
    let event = NewEvent {
        details: details(),
        layout: None,
        ticket_types: vec![new],
        standing: Vec::new(),
        rules: EventRules { seats_per_reservation: 4, hold_ttl_ms: TTL_MS, seats_per_user: None },
        terms: EventTerms::default(),
        category: None,
        created_by: None,
    };
    let event = durable(house.engine.create_event(event.check().unwrap(), OPENS).unwrap());
    let held = house.hold_tickets(event.0, 4, house.asked(0, OPENS)).unwrap();
    assert_eq!(held.expires_at, Some(OPENS.plus(TTL_MS)));
    house.assert_agreement();
}

#[test]
fn nothing_is_paid_once_the_show_has_begun() {
    let mut house = House::new(&[SMALL], 1);
    house.set_terms(0, None, Some(TicketHold::Never));
    let hold = house.hold_tickets(0, 1, house.asked(0, OPENS)).unwrap().reservation;
    // House's events begin at the end of sales: at that instant a payment can still begin.
    let pay = |house: &House, at| {
        house.engine.begin_payment(hold, PaymentMethod::KakaoPay, house.asked(0, at))
    };
    let Once::Done(intent) = durable(pay(&house, CLOSES).unwrap()) else { panic!("no key") };
    let after = CLOSES.plus(1);
    // It goes on after that.
    let failed = house.engine.finish_payment(intent, PaymentOutcome::Declined, after).unwrap();
    assert_eq!(durable(failed), AfterPayment::Held);
    let over = OrderRefusal::EventOver(hold.order);
    assert_eq!(refused(pay(&house, after)), over);
    let new = NewCharge {
        user: house.users[0].index,
        purpose: Purpose::Order(hold),
        provider: ProviderName::Toss,
        amount: Split { card: 5_000, points: 0 },
        tag: 1,
    };
    let before = house.engine.open_charge(&new, CLOSES).unwrap();
    assert_eq!(refused(house.engine.open_charge(&new, after)), MoneyRefusal::Order(over));
    let begun = house.engine.begin_capture(durable(before), new.user, "key", after);
    assert_eq!(refused(begun), MoneyRefusal::Order(over));
    // It can be cancelled, and an event that is put off can be paid.
    let details = EventDetails { event_at: after.plus(1), ..details() };
    let edit = EditEvent { event: EventIndex(0), details }.check().unwrap();
    durable(house.engine.edit_event(edit, after).unwrap());
    durable(pay(&house, after).unwrap());
    house.assert_agreement();
}

#[test]
fn a_hold_before_the_end_of_sales_is_paid_after_it() {
    let mut house = House::new(&[SMALL], 1);
    let details = EventDetails { event_at: CLOSES.plus(TTL_MS), ..details() };
    let edit = EditEvent { event: EventIndex(0), details }.check().unwrap();
    durable(house.engine.edit_event(edit, OPENS).unwrap());
    let last = UnixMillis(CLOSES.0 - 1);
    let hold = house.hold(0, &[1], house.asked(0, last)).unwrap().reservation;
    let asked = house.asked(0, CLOSES.plus(1));
    durable(house.engine.begin_payment(hold, PaymentMethod::KakaoPay, asked).unwrap());
    house.assert_agreement();
}

#[test]
fn an_equal_order_without_a_key_is_the_same_click_for_a_moment() {
    let mut house = House::new(&[SMALL], 2);
    let key = Some(IdempotencyKey::of_content(9));
    let wanted = WantedTickets::new(&[(TicketTypeIndex(0), 1)]).unwrap();
    let click = |house: &House, at| {
        let asked = Asked { key, ..house.asked(0, at) };
        durable(house.engine.hold_tickets(EventIndex(0), &wanted, asked).unwrap())
    };
    let made = |once: Once<Hold>| match once {
        Once::Done(hold) => hold.reservation,
        Once::Repeated(first) => panic!("repeats {first:?}"),
    };
    let first = made(click(&house, OPENS));
    let moment = OPENS.plus(4_999);
    for _ in 0..2 {
        assert_eq!(click(&house, moment), Once::Repeated(first));
        house.restart();
    }
    // Another content is another order, and so is the same one of another user.
    let other = Asked { key: Some(IdempotencyKey::of_content(10)), ..house.asked(0, OPENS) };
    made(durable(house.engine.hold_tickets(EventIndex(0), &wanted, other).unwrap()));
    let stranger = Asked { key, ..house.asked(1, OPENS) };
    made(durable(house.engine.hold_tickets(EventIndex(0), &wanted, stranger).unwrap()));
    // Later it is another one, which counts from then on.
    let second = made(click(&house, OPENS.plus(5_000)));
    assert_eq!(click(&house, OPENS.plus(9_999)), Once::Repeated(second));
    // What has ended is not answered with.
    durable(house.engine.cancel_order(second, None, OPENS.plus(5_001)).unwrap());
    let third = made(click(&house, OPENS.plus(5_002)));
    house.assert_agreement();
    house.restart();
    assert_eq!(click(&house, OPENS.plus(5_003)), Once::Repeated(third));
    // A paid one is: no buyer means to buy twice.
    house.catch_up();
    confirm(&house, third, OPENS.plus(5_004)).unwrap();
    assert_eq!(click(&house, OPENS.plus(5_005)), Once::Repeated(third));
    // A day later the first ones are forgotten, and the last one is not with them.
    let day = 24 * 60 * 60 * 1_000;
    house.engine.expire(OPENS.plus(day + 5_000), 99).unwrap();
    house.assert_agreement();
}

#[test]
fn a_click_after_its_order_is_overdue_is_another_order() {
    let mut house = House::new(&[SMALL], 1);
    house.set_terms(0, None, Some(TicketHold::Millis(1_000)));
    let key = Some(IdempotencyKey::of_content(9));
    let click = |at| house.hold_tickets(0, 1, Asked { key, ..house.asked(0, at) }).unwrap();
    let first = click(OPENS);
    // Its sweep may be to come.
    assert_ne!(click(OPENS.plus(1_000)).reservation, first.reservation);
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
