//! What administrators do with events, seats, ticket types and orders.

use tiketi_engine::command::{Category, EditTicketType, NewTicketTypes, WantedTickets};
use tiketi_engine::engine::NewCharge;
use tiketi_engine::error::{
    BlockRefusal, CatalogRefusal, CommandError, ConfirmRefusal, HoldRefusal, OrderRefusal,
};
use tiketi_engine::ids::{EventIndex, ReservationId, SeatIndex, TicketTypeIndex};
use tiketi_engine::limits::TICKET_TYPES_PER_EVENT_MAX;
use tiketi_engine::money::{Captured, Means, Purpose, Split};
use tiketi_engine::record::{
    CaptureOutcome, Claim, EndReason, NewTicketType, ProviderName, TicketTypeDetails,
};
use tiketi_engine::state::{OrderClass, OrderState, SeatStatus};
use tiketi_engine::waiting_room::QueueRefusal;

use crate::histories::confirm;
use crate::house::{Hall, House, OPENS, SMALL, TTL_MS, done, durable};

const EVENT: EventIndex = EventIndex(0);

fn house() -> House {
    House::new(&[SMALL, SMALL], 4)
}

fn confirm_refusal(house: &House, order: ReservationId) -> Option<ConfirmRefusal> {
    match confirm(house, order, OPENS.plus(1)) {
        Err(CommandError::Refused(refusal)) => Some(refusal),
        Err(other) => panic!("{other}"),
        Ok(()) => None,
    }
}

fn state_of(house: &mut House, order: ReservationId) -> OrderState {
    house.order(order).state
}

#[test]
fn a_deleted_event_is_gone_and_its_orders_stay() {
    let mut house = house();
    let seats = house.hold(0, &[1, 2], house.asked(0, OPENS)).unwrap().reservation;
    let tickets = house.hold_tickets(0, 3, house.asked(1, OPENS)).unwrap().reservation;
    house.catch_up();
    confirm(&house, tickets, OPENS).unwrap();
    assert_eq!(durable(house.engine.delete_event(EVENT, None, OPENS).unwrap()), 2);
    house.assert_agreement();
    for order in [seats, tickets] {
        let ended = OrderState::Ended { reason: EndReason::EventCancelled, at: OPENS };
        assert_eq!(state_of(&mut house, order), ended);
        assert!(house.fold.order(order).is_some_and(|(event, _)| event.is_deleted()));
    }
    for round in 0..2 {
        assert!(house.fold.event(EVENT).is_none());
        assert_eq!(house.fold.listed_events().count(), 1);
        assert!(!house.engine.has_event(EVENT));
        let unknown = Err(CommandError::Refused(CatalogRefusal::UnknownEvent(EVENT)));
        assert_eq!(house.engine.delete_event(EVENT, None, OPENS).map(durable), unknown, "{round}");
        assert_eq!(house.engine.cancel_event(EVENT, OPENS).map(durable), unknown);
        let held = house.hold(0, &[1], house.asked(0, OPENS));
        assert_eq!(held, Err(HoldRefusal::UnknownEvent(EVENT).into()));
        let placed = house.engine.queue_check(EVENT, house.users[0].index, OPENS);
        assert!(matches!(placed, Err(CommandError::Refused(QueueRefusal::UnknownEvent(EVENT)))));
        let blocked = house.engine.block_seats(EVENT, &[SeatIndex(1)], String::new(), OPENS);
        assert!(matches!(blocked, Err(CommandError::Refused(BlockRefusal::UnknownEvent(EVENT)))));
        house.restart();
    }
    assert_eq!(confirm_refusal(&house, seats), Some(ConfirmRefusal::EventCancelled(EVENT)));
}

#[test]
fn a_cancelled_event_can_be_deleted() {
    let mut house = house();
    house.hold(0, &[1], house.asked(0, OPENS)).unwrap();
    assert_eq!(durable(house.engine.cancel_event(EVENT, OPENS).unwrap()), 1);
    assert_eq!(durable(house.engine.delete_event(EVENT, None, OPENS).unwrap()), 0);
    house.assert_agreement();
    assert!(house.fold.event(EVENT).is_none());
}

#[test]
fn seats_go_and_come_back() {
    let mut house = house();
    let total = house.fold.event(EVENT).unwrap().seat_count();
    let remove = |house: &House| house.engine.remove_seats(EVENT, None, OPENS).map(durable);
    let generate = |house: &House| house.engine.generate_seats(EVENT, None, OPENS).map(durable);
    let refused = |refusal: CatalogRefusal| Err(CommandError::Refused(refusal));
    assert_eq!(
        generate(&house),
        refused(CatalogRefusal::SeatsExist { event: EVENT, seats: total })
    );
    let hold = house.hold(0, &[5], house.asked(0, OPENS)).unwrap().reservation;
    assert_eq!(remove(&house), refused(CatalogRefusal::SeatsInUse(EVENT)));
    house.assert_agreement();
    durable(house.engine.cancel_order(hold, None, OPENS).unwrap());
    durable(house.engine.block_seats(EVENT, &[SeatIndex(7)], "기둥".into(), OPENS).unwrap());
    assert_eq!(remove(&house), Ok(total));
    assert_eq!(remove(&house), refused(CatalogRefusal::NoSeats(EVENT)));
    house.assert_agreement();
    for _ in 0..2 {
        let event = house.fold.event(EVENT).unwrap();
        assert_eq!((event.seat_count(), event.plan().seat_count()), (0, total));
        assert!(event.blocks().is_empty());
        assert!(event.counts().iter().all(|counts| counts.capacity == 0));
        let held = house.hold(0, &[5], house.asked(0, OPENS));
        assert_eq!(held, Err(HoldRefusal::UnknownSeat(SeatIndex(5)).into()));
        let best = house.engine.hold_best(EVENT, None, 2, house.asked(0, OPENS)).map(done);
        assert_eq!(best, Err(HoldRefusal::NotEnoughSeats.into()));
        let blocked = house.engine.block_seats(EVENT, &[SeatIndex(7)], String::new(), OPENS);
        let unknown = Err(CommandError::Refused(BlockRefusal::UnknownSeat(SeatIndex(7))));
        assert_eq!(blocked.map(durable), unknown);
        house.restart();
    }
    assert!(confirm_refusal(&house, hold).is_some());
    assert_eq!(generate(&house), Ok(total));
    house.assert_agreement();
    assert_eq!(house.fold.event(EVENT).unwrap().seat_status(SeatIndex(7)), SeatStatus::Available);
    house.hold(0, &[7], house.asked(0, OPENS)).unwrap();
    house.assert_agreement();
}

fn edit(name: &str, price: u32, total_quantity: u32) -> EditTicketType {
    let details = TicketTypeDetails { name: name.into(), price, total_quantity, description: None };
    let ticket_type = TicketTypeIndex(0);
    EditTicketType { event: EVENT, ticket_type, details, standing: None }
}

#[test]
fn an_order_keeps_the_name_and_price_it_was_made_under() {
    let mut house = house();
    let first = house.hold_tickets(0, 5, house.asked(0, OPENS)).unwrap();
    let apply = |house: &House, edit: EditTicketType| {
        house.engine.edit_ticket_type(edit.check().unwrap(), None, OPENS).map(durable)
    };
    let below = CatalogRefusal::BelowSold { ticket_type: TicketTypeIndex(0) };
    assert_eq!(apply(&house, edit("standing", 1, 4)), Err(below.into()));
    house.assert_agreement();
    apply(&house, edit("pit", 9_000, 6)).unwrap();
    let second = house.hold_tickets(0, 1, house.asked(1, OPENS)).unwrap();
    let none = house.hold_tickets(0, 1, house.asked(1, OPENS));
    let out = HoldRefusal::OutOfStock { ticket_type: TicketTypeIndex(0), left: 0 };
    assert_eq!(none, Err(out.into()));
    apply(&house, edit("floor", 1, 8)).unwrap();
    house.assert_agreement();
    for _ in 0..2 {
        for (hold, name, price) in [(&first, "standing", 5_000), (&second, "pit", 9_000)] {
            let order = house.order(hold.reservation);
            let Claim::Tickets(lines) = &order.claim else { panic!("tickets") };
            assert_eq!(lines[0].unit_price, price);
            let ticket_type = &house.fold.event(EVENT).unwrap().ticket_types[0];
            assert_eq!(ticket_type.name_at(order.held_lsn), name);
        }
        house.restart();
    }
    let found = &house.fold.event(EVENT).unwrap().ticket_types[0];
    assert_eq!((found.name.as_str(), found.price, found.available()), ("floor", 1, 2));
}

#[test]
fn ticket_types_are_added_up_to_the_bound() {
    let mut house = house();
    let new = |number| NewTicketType {
        name: format!("type {number}"),
        price: number,
        total_quantity: 5,
        sold_elsewhere: 2,
        description: None,
    };
    let add = |house: &House, count: u32| {
        let ticket_types = (0..count).map(new).collect();
        let standing = vec![true; count as usize];
        let new = NewTicketTypes { event: EVENT, ticket_types, standing };
        house.engine.add_ticket_types(new.check().unwrap(), None, OPENS).map(durable)
    };
    let room = TICKET_TYPES_PER_EVENT_MAX as u32 - 1;
    assert_eq!(add(&house, room + 1), Err(CatalogRefusal::Full.into()));
    assert_eq!(add(&house, room), Ok(TicketTypeIndex(1)));
    assert_eq!(add(&house, 1), Err(CatalogRefusal::Full.into()));
    let wanted = WantedTickets::new(&[(TicketTypeIndex(255), 3)]).unwrap();
    let asked = house.asked(0, OPENS);
    done(house.engine.hold_tickets(EVENT, &wanted, asked).unwrap());
    let again = house.engine.hold_tickets(EVENT, &wanted, asked).map(done);
    let out = HoldRefusal::OutOfStock { ticket_type: TicketTypeIndex(255), left: 0 };
    assert_eq!(again, Err(out.into()));
    house.assert_agreement();
    house.restart();
    house.assert_agreement();
}

#[test]
fn an_ended_order_lives_again_where_its_seats_are_free() {
    let mut house = house();
    let first = house.hold(0, &[1, 2], house.asked(0, OPENS)).unwrap().reservation;
    durable(house.engine.cancel_order(first, None, OPENS).unwrap());
    // Somebody else has its slot now, and one of its seats.
    let other = house.hold(0, &[2, 3], house.asked(1, OPENS)).unwrap().reservation;
    assert_eq!(first.slot, other.slot);
    house.catch_up();
    let taken = HoldRefusal::SeatsTaken(vec![SeatIndex(2)]);
    assert_eq!(confirm_refusal(&house, first), Some(ConfirmRefusal::NotToBeHad(taken)));
    house.assert_agreement();
    assert_eq!(state_of(&mut house, other), OrderState::Held);
    durable(house.engine.cancel_order(other, None, OPENS).unwrap());
    let third = house.hold(0, &[9], house.asked(2, OPENS)).unwrap().reservation;
    house.catch_up();
    assert_eq!(confirm_refusal(&house, first), None);
    house.assert_agreement();
    for _ in 0..2 {
        assert_eq!(state_of(&mut house, first), OrderState::Paid);
        assert_eq!(state_of(&mut house, third), OrderState::Held);
        assert_eq!(house.fold.orders().count(Some(OrderClass::Paid)), 1);
        let again = ConfirmRefusal::Order(OrderRefusal::AlreadyPaid(first.order));
        assert_eq!(confirm_refusal(&house, first), Some(again));
        let held = house.hold(0, &[1], house.asked(2, OPENS));
        assert_eq!(held, Err(HoldRefusal::SeatsTaken(vec![SeatIndex(1)]).into()));
        house.restart();
    }
    // It ends as any other, by its id.
    let user = house.users[0].index;
    durable(house.engine.cancel_order(first, Some(user), OPENS).unwrap());
    house.assert_agreement();
    assert!(house.order(first).was_paid());
    house.hold(0, &[1, 2], house.asked(3, OPENS)).unwrap();
    house.assert_agreement();
}

#[test]
fn a_hold_whose_time_is_over_is_confirmed_while_it_has_its_seats() {
    let mut house = house();
    let order = house.hold(0, &[4], house.asked(0, OPENS)).unwrap().reservation;
    house.catch_up();
    let late = OPENS.plus(TTL_MS + 1);
    confirm(&house, order, late).unwrap();
    assert_eq!(house.engine.expire(late, 9), Ok(vec![]));
    house.assert_agreement();
    assert_eq!(state_of(&mut house, order), OrderState::Paid);
}

#[test]
fn a_users_cap_holds_for_orders_that_live_again() {
    let capped = Hall { seats_per_user: Some(2), ..SMALL };
    let mut house = House::new(&[capped], 1);
    let first = house.hold(0, &[1, 2], house.asked(0, OPENS)).unwrap().reservation;
    durable(house.engine.cancel_order(first, None, OPENS).unwrap());
    house.hold(0, &[5], house.asked(0, OPENS)).unwrap();
    house.catch_up();
    let cap = HoldRefusal::UserCap { cap: 2, left: 1 };
    assert_eq!(confirm_refusal(&house, first), Some(ConfirmRefusal::NotToBeHad(cap)));
    house.assert_agreement();
}

#[test]
fn what_a_provider_was_paid_is_not_confirmed_by_hand() {
    let mut house = house();
    let reservation = house.hold(0, &[1], house.asked(0, OPENS)).unwrap().reservation;
    let user = house.users[0].index;
    let new = NewCharge {
        user,
        purpose: Purpose::Order(reservation),
        provider: ProviderName::Toss,
        amount: Split { card: 10_000, points: 0 },
        tag: 1,
    };
    let charge = durable(house.engine.open_charge(&new, OPENS).unwrap());
    durable(house.engine.begin_capture(charge, user, "key", OPENS).unwrap());
    house.catch_up();
    let taken = Some(ConfirmRefusal::MoneyTaken(reservation.order));
    assert_eq!(confirm_refusal(&house, reservation), taken, "while it is being paid");
    let captured = Captured { approved_at: OPENS, means: Means::Card, receipt: None };
    let outcome = CaptureOutcome::Captured(Box::new(captured));
    durable(house.engine.end_capture(charge, outcome, OPENS).unwrap());
    durable(house.engine.cancel_order(reservation, None, OPENS).unwrap());
    house.assert_agreement();
    assert_eq!(confirm_refusal(&house, reservation), taken, "after it was refunded");
    house.assert_agreement();
}

#[test]
fn categories_are_renamed_everywhere() {
    let mut house = house();
    let category = |name: &str| Category::new(name).unwrap();
    let engine = &house.engine;
    for (event, name) in [(0, "콘서트"), (1, " 뮤지컬 ")] {
        let given = Some(category(name));
        durable(engine.categorise_event(EventIndex(event), given, None, OPENS).unwrap());
    }
    let renamed = engine.rename_category(category("뮤지컬"), category("콘서트"), None, OPENS);
    durable(renamed.unwrap());
    house.assert_agreement();
    let found: Vec<_> = house.fold.events().iter().map(|event| event.category.as_deref()).collect();
    assert_eq!(found, [Some("콘서트"); 2]);
    durable(house.engine.categorise_event(EVENT, None, None, OPENS).unwrap());
    house.catch_up();
    assert_eq!(house.fold.event(EVENT).unwrap().category, None);
    assert!(Category::new("  ").is_err() && Category::new(&"x".repeat(51)).is_err());
    assert!(Category::new("a\nb").is_err());
}
