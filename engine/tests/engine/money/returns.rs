//! What goes back in parts, what providers do on their own, and phases that have an end.

use super::*;

#[test]
fn tickets_without_seats_go_back_singly() {
    let mut house = House::new(&[SMALL], 1);
    let order = house.hold_tickets(0, 3, house.asked(0, OPENS)).unwrap().reservation;
    let unit = u64::from(house.ticket_price());
    let charge = house.open(0, Purpose::Order(order), split(3 * unit, 0)).unwrap();
    house.begin(charge, 0).unwrap();
    house.end(charge, captured()).unwrap();
    let back = |house: &House, part: &Claim| house.give_part_back(charge, part, unit, Some(0));
    let refused = Err(MoneyRefusal::NotPartOfIt(charge));
    assert_eq!(back(&house, &Claim::Seats(seats(&[0]))), refused, "it has no seats");
    for wrong in [tickets(0, 3), tickets(0, 4), tickets(0, 0), tickets(1, 1)] {
        assert_eq!(back(&house, &wrong), refused, "{wrong:?}");
    }
    let left = house.tickets_left();
    assert_eq!(back(&house, &tickets(0, 1)), Ok(()));
    house.restart();
    assert_eq!(house.tickets_left(), left + 1);
    assert_eq!(house.order(order).claim.count(), 2);
    let event = house.fold.event(order.event).unwrap();
    assert_eq!(event.returned_of(order.order), 1);
    assert_eq!(house.fold.ledger().refund_call(charge).unwrap().amount, unit);
    house.assert_agreement();
    assert_conserved(&house.fold);
}

#[test]
fn the_same_part_goes_back_once_for_one_key() {
    let mut house = House::new(&[SMALL], 1);
    let charge = house.sold(&[0, 1, 2], 30_000);
    let key = |key, content| Some(IdempotencyKey { key, content });
    let back = |house: &House, seat, key| {
        let asked = Asked { by: UserIndex(0), at: OPENS, key };
        let part = Claim::Seats(seats(&[seat]));
        refusal_of(house.engine.return_part(charge, &part, PRICE, true, asked).map(durable))
    };
    assert!(matches!(back(&house, 0, key(1, 1)), Ok(Once::Done(_))));
    assert!(matches!(back(&house, 0, key(1, 1)), Ok(Once::Repeated(_))));
    assert_eq!(back(&house, 1, key(1, 2)), Err(MoneyRefusal::KeyReused));
    house.restart();
    assert!(matches!(back(&house, 0, key(1, 1)), Ok(Once::Repeated(_))), "after a restart, too");
    assert_eq!(house.fold.ledger().refunds().len(), 1);
    assert_conserved(&house.fold);
}

#[test]
fn what_the_provider_gave_back_itself_is_not_owed_again() {
    let mut house = House::new(&[SMALL], 1);
    let charge = house.sold(&[0, 1, 2], 30_000);
    let note = |house: &House, card| {
        refusal_of(house.engine.note_returned(charge, card, OPENS).map(durable))
    };
    assert_eq!(note(&house, 0), Err(MoneyRefusal::WrongAmount));
    assert_eq!(note(&house, 30_001), Err(MoneyRefusal::WrongAmount));
    assert_eq!(note(&house, 1_000), Ok(()));
    // A seat goes back: what it cost, as long as so much is kept.
    assert_eq!(house.give_back(charge, &[0], PRICE, None), Ok(()));
    house.catch_up();
    let call = house.fold.ledger().refund_call(charge).unwrap();
    assert_eq!((call.amount, call.balance), (PRICE, 29_000), "the balance of the moment");
    // The rest goes back: 19,000 of the two seats, and one call for all of it.
    let order = house.order_of(charge);
    durable(house.engine.cancel_order(order, None, OPENS).unwrap());
    house.restart();
    let call = house.fold.ledger().refund_call(charge).unwrap();
    assert_eq!((call.pieces.len(), call.amount, call.balance), (2, 29_000, 29_000));
    assert_conserved(&house.fold);
    // Before it is made the console gives back 5,000 more: that much less is owed.
    assert_eq!(note(&house, 5_000), Ok(()));
    house.catch_up();
    let call = house.fold.ledger().refund_call(charge).unwrap();
    assert_eq!((call.amount, call.balance), (24_000, 24_000));
    assert_eq!(note(&house, 24_000), Ok(()), "and then all of it");
    house.catch_up();
    assert_eq!(house.fold.ledger().refund_call(charge), None);
    assert_eq!(house.fold.ledger().refunds_due().count(), 0);
    // A console refund that fails leaves its money to be given back: the order is over.
    let failed = house.engine.note_return_failed(charge, 30_001, OPENS).map(durable);
    assert_eq!(refusal_of(failed), Err(MoneyRefusal::WrongAmount));
    durable(house.engine.note_return_failed(charge, 24_000, OPENS).unwrap());
    house.catch_up();
    let call = house.fold.ledger().refund_call(charge).unwrap();
    assert_eq!((call.amount, call.balance), (24_000, 24_000));
    house.assert_agreement();
    assert_conserved(&house.fold);
}

/// An earlier payment of an order turns out to have been captured after another one paid it.
#[test]
fn a_charge_that_paid_nothing_keeps_nothing_and_gives_no_part_back() {
    let mut house = House::new(&[SMALL], 1);
    let order = house.hold(0, &[0, 1], house.asked(0, OPENS)).unwrap().reservation;
    let charge = |house: &House| {
        let charge = house.open(0, Purpose::Order(order), split(2 * PRICE, 0)).unwrap();
        house.begin(charge, 0).unwrap();
        charge
    };
    let late = charge(&house);
    assert_eq!(house.end(late, CaptureOutcome::Failed), Ok(AfterPayment::Held));
    let paying = charge(&house);
    assert_eq!(house.end(paying, captured()), Ok(AfterPayment::Paid));
    assert_eq!(house.end(late, captured()), Ok(AfterPayment::Expired));
    let part = house.give_back(late, &[1], PRICE, Some(0));
    assert!(
        matches!(part, Err(MoneyRefusal::Order(_))),
        "no part of what another one paid: {part:?}"
    );
    // The provider's staff gives it back, and that fails.
    durable(house.engine.note_returned(late, 2 * PRICE, OPENS).unwrap());
    durable(house.engine.note_return_failed(late, 2 * PRICE, OPENS).unwrap());
    house.catch_up();
    let ledger = house.fold.ledger();
    assert_eq!((ledger.owed(late), ledger.charge(late).unwrap().balance().card), (2 * PRICE, 0));
    assert_conserved(&house.fold);
    assert_eq!(house.give_back(paying, &[1], PRICE, Some(0)), Ok(()));
    house.assert_agreement();
}

#[test]
fn a_refund_of_which_nothing_is_left_does_not_fail() {
    let mut house = House::new(&[SMALL], 1);
    let charge = house.sold(&[0], PRICE);
    let order = house.order_of(charge);
    durable(house.engine.cancel_order(order, None, OPENS).unwrap());
    durable(house.engine.note_returned(charge, PRICE, OPENS).unwrap());
    let failed = house.engine.end_refund(RefundIndex(0), RefundOutcome::Failed, OPENS);
    let refusal = refusal_of(failed.map(durable));
    assert_eq!(refusal, Err(MoneyRefusal::NoSuchRefund(RefundIndex(0))));
}

#[test]
fn points_whose_money_went_elsewhere_are_not_made_by_a_second_deposit() {
    let mut house = House::new(&[SMALL], 1);
    let charge = house.open(0, Purpose::Points, split(60, 0)).unwrap();
    house.begin(charge, 0).unwrap();
    let mut points = Vec::new();
    for _ in 0..2 {
        house.end(charge, captured()).unwrap();
        points.push(house.points(0));
        if points.len() == 1 {
            durable(house.engine.note_returned(charge, 20, OPENS).unwrap());
        }
        house.end(charge, CaptureOutcome::TakenBack).unwrap();
        points.push(house.points(0));
    }
    assert_eq!(points, [60, 0, 40, 0]);
    assert_conserved(&house.fold);
}

#[test]
fn a_refund_that_fails_afterwards_is_due_once_more_and_then_refused() {
    let mut house = House::new(&[SMALL], 1);
    let charge = house.sold(&[0], PRICE);
    let order = house.order_of(charge);
    durable(house.engine.cancel_order(order, None, OPENS).unwrap());
    let end = |house: &mut House, outcome| {
        let ended = house.engine.end_refund(RefundIndex(0), outcome, OPENS).map(durable);
        house.catch_up();
        let ledger = house.fold.ledger();
        refusal_of(ended).map(|()| {
            (ledger.refund(RefundIndex(0)).unwrap().state, ledger.left_at_provider(charge))
        })
    };
    let (at, due) = (OPENS, RefundState::Due);
    assert!(end(&mut house, RefundOutcome::Failed).is_err(), "not made yet");
    assert_eq!(end(&mut house, RefundOutcome::Done), Ok((RefundState::Done { at }, 0)));
    assert_eq!(end(&mut house, RefundOutcome::Failed), Ok((due, PRICE)));
    assert_eq!(end(&mut house, RefundOutcome::Done), Ok((RefundState::Done { at }, 0)));
    let refused = RefundState::Refused { at };
    assert_eq!(end(&mut house, RefundOutcome::Failed), Ok((refused, PRICE)));
    assert_eq!(house.fold.ledger().refunds_refused().collect::<Vec<_>>(), [RefundIndex(0)]);
    // An administrator sends it by bank transfer: the provider keeps its money, nothing is owed.
    let by_hand = end(&mut house, RefundOutcome::ByHand);
    assert_eq!(by_hand, Ok((RefundState::ByHand { at }, PRICE)));
    assert_eq!(house.fold.ledger().owed(charge), 0);
    house.restart();
    house.assert_agreement();
    assert_conserved(&house.fold);
}

#[test]
fn refused_parts_go_back_with_the_rest() {
    let mut house = House::new(&[SMALL], 1);
    let charge = house.sold(&[0, 1], 20_000);
    house.give_back(charge, &[0], PRICE, None).unwrap();
    let refused = house.engine.end_refund(RefundIndex(0), RefundOutcome::Refused, OPENS);
    durable(refused.unwrap());
    house.catch_up();
    assert_eq!(house.fold.ledger().refund_call(charge), None, "it waits, and is listed");
    let order = house.order_of(charge);
    durable(house.engine.cancel_order(order, None, OPENS).unwrap());
    house.catch_up();
    let call = house.fold.ledger().refund_call(charge).unwrap();
    assert_eq!(call.pieces, [RefundIndex(0), RefundIndex(1)]);
    assert_eq!((call.amount, call.balance), (20_000, 20_000), "one call for all of it");
    for piece in call.pieces {
        durable(house.engine.end_refund(piece, RefundOutcome::Done, OPENS).unwrap());
    }
    house.restart();
    assert_eq!(house.fold.ledger().left_at_provider(charge), 0);
    assert_conserved(&house.fold);
}

#[test]
fn a_lost_dispute_takes_the_money_and_an_open_one_keeps_refunds_waiting() {
    let mut house = House::new(&[SMALL], 1);
    let charge = house.sold(&[0, 1], 20_000);
    let dispute = |house: &mut House, amount, state| {
        let noted = house.engine.note_dispute(charge, amount, state, OPENS).map(durable);
        house.catch_up();
        refusal_of(noted)
    };
    assert_eq!(dispute(&mut house, 20_000, DisputeState::Open), Ok(()));
    let again = dispute(&mut house, 20_000, DisputeState::Open);
    assert_eq!(again, Err(MoneyRefusal::NotOpen(charge, ChargeState::Captured)), "known");
    house.give_back(charge, &[0], PRICE, None).unwrap();
    house.catch_up();
    assert_eq!(house.fold.ledger().refund_call(charge), None, "the bank has the money");
    assert_eq!(house.fold.ledger().charges_with_refunds_due().count(), 0);
    assert_eq!(dispute(&mut house, 20_000, DisputeState::Won), Ok(()));
    assert_eq!(house.fold.ledger().charges_with_refunds_due().collect::<Vec<_>>(), [charge]);
    assert_eq!(dispute(&mut house, 20_000, DisputeState::Lost), Ok(()));
    let ledger = house.fold.ledger();
    assert_eq!((ledger.left_at_provider(charge), ledger.owed(charge)), (0, 0));
    assert_eq!(ledger.charge(charge).unwrap().elsewhere(), 20_000);
    house.restart();
    house.assert_agreement();
    assert_conserved(&house.fold);
}

/// Points, spent, taken back by the bank, paid again: 200,000 won are 200,000 points.
#[test]
fn points_are_never_made() {
    let mut house = House::new(&[SMALL], 1);
    let bought = house.open(0, Purpose::Points, split(20_000, 0)).unwrap();
    house.begin(bought, 0).unwrap();
    house.end(bought, awaiting(OPENS.plus(TTL_MS))).unwrap();
    house.end(bought, captured()).unwrap();
    let spent = house.seat(0, 0);
    let by_points = house.open(0, Purpose::Order(spent), split(0, PRICE)).unwrap();
    house.begin(by_points, 0).unwrap();
    house.end(by_points, captured()).unwrap();
    assert_eq!(house.points(0), 10_000);
    house.end(bought, CaptureOutcome::TakenBack).unwrap();
    house.catch_up();
    let account = house.fold.ledger().account(UserIndex(0)).unwrap().clone();
    assert_eq!((account.balance, account.debt), (0, 10_000), "what is spent is owed");
    assert_conserved(&house.fold);
    house.end(bought, captured()).unwrap();
    house.restart();
    let account = house.fold.ledger().account(UserIndex(0)).unwrap().clone();
    assert_eq!((account.balance, account.debt), (10_000, 0), "the debt is paid first");
    let kinds: Vec<PointsKind> = account.history.iter().map(|row| row.kind).collect();
    use PointsKind::{Cancel, Charge, Debt, Use};
    assert_eq!(kinds, [Charge, Use, Cancel, Charge, Debt]);
    house.assert_agreement();
    assert_conserved(&house.fold);
    // A console refund of points that are spent is a debt, too.
    let noted = house.engine.note_returned(bought, 15_000, OPENS).map(durable);
    assert_eq!(refusal_of(noted), Ok(()));
    house.catch_up();
    let account = house.fold.ledger().account(UserIndex(0)).unwrap();
    assert_eq!((account.balance, account.debt), (0, 5_000));
    assert_conserved(&house.fold);
}

/// Logs of earlier versions forgot the rest, and fold as they did.
#[test]
fn reversals_of_earlier_versions_fold_as_they_did() {
    let mut house = House::new(&[SMALL], 1);
    house.buy_points(0, 20_000);
    let spent = house.seat(0, 0);
    let by_points = house.open(0, Purpose::Order(spent), split(0, PRICE)).unwrap();
    house.begin(by_points, 0).unwrap();
    house.end(by_points, captured()).unwrap();
    house.end(ChargeIndex(0), CaptureOutcome::Reversed).unwrap();
    house.catch_up();
    let account = house.fold.ledger().account(UserIndex(0)).unwrap();
    assert_eq!((account.balance, account.debt), (0, 0));
}

#[test]
fn charges_that_were_never_confirmed_are_forgotten() {
    let mut house = House::new(&[SMALL], 2);
    let order = house.seat(0, 0);
    let [one, paid] =
        [0, 1].map(|user| house.open(user, Purpose::Points, split(5_000, 0)).unwrap());
    let open = house.open(0, Purpose::Order(order), split(PRICE, 0)).unwrap();
    house.begin(paid, 1).unwrap();
    let forget = |house: &House, before| house.engine.forget_charges(before, 9, before).unwrap();
    assert_eq!(forget(&house, UnixMillis(OPENS.0 - 1)), 0, "too young");
    assert_eq!(house.engine.forget_charges(OPENS, 1, OPENS), Ok(1), "a few at a time");
    assert_eq!(forget(&house, OPENS), 1);
    house.restart();
    for charge in [one, open] {
        assert_eq!(house.fold.ledger().charge(charge), None);
        assert_eq!(house.begin(charge, 0), Err(MoneyRefusal::UnknownCharge(charge)));
    }
    let ledger = house.fold.ledger();
    assert_eq!((ledger.charge_count(), ledger.charges().count()), (3, 1));
    let next = house.open(0, Purpose::Order(order), split(PRICE, 0));
    assert_eq!(next, Ok(ChargeIndex(3)), "numbers stay used");
    house.assert_agreement();
}

#[test]
fn an_order_that_awaits_a_deposit_ends_by_its_account_alone() {
    let mut house = House::new(&[SMALL], 1);
    let order = house.seat(0, 0);
    let charge = house.open(0, Purpose::Order(order), split(PRICE, 0)).unwrap();
    house.begin(charge, 0).unwrap();
    house.end(charge, awaiting(OPENS.plus(9 * TTL_MS))).unwrap();
    assert_eq!(house.order(order).state, OrderState::AwaitingDeposit);
    house.restart();
    let awaits = OrderRefusal::AwaitsDeposit(order.order);
    let cancelled = house.engine.cancel_order(order, Some(UserIndex(0)), OPENS).map(durable);
    assert!(matches!(cancelled, Err(CommandError::Refused(refusal)) if refusal == awaits));
    let second = house.open(0, Purpose::Order(order), split(PRICE, 0));
    assert_eq!(second, Err(MoneyRefusal::Order(awaits)));
    // The account is closed: the order is held again, and can be cancelled.
    assert_eq!(house.end(charge, CaptureOutcome::Failed), Ok(AfterPayment::Held));
    durable(house.engine.cancel_order(order, Some(UserIndex(0)), OPENS).unwrap());
    house.assert_agreement();
}

#[test]
fn money_is_found_under_another_key() {
    let mut house = House::new(&[SMALL], 1);
    let order = house.seat(0, 0);
    let charge = house.open(0, Purpose::Order(order), split(PRICE, 0)).unwrap();
    let find = |house: &House, key: &str| {
        refusal_of(house.engine.find_payment(charge, key, OPENS).map(durable))
    };
    assert_eq!(find(&house, "b"), Err(MoneyRefusal::NotOpen(charge, ChargeState::Open)));
    house.begin(charge, 0).unwrap();
    assert_eq!(find(&house, ""), Err(MoneyRefusal::WrongPaymentKey));
    assert_eq!(find(&house, "b"), Ok(()));
    house.restart();
    assert_eq!(house.fold.ledger().charge(charge).unwrap().payment_key, "b");
    assert_eq!(house.end(charge, captured()), Ok(AfterPayment::Paid));
    house.assert_agreement();
}

#[test]
fn an_order_of_nothing_is_paid_by_nothing() {
    let mut house = House::new(&[SMALL], 1);
    let details = TicketTypeDetails {
        name: "standing".into(),
        price: 0,
        total_quantity: 12,
        description: None,
    };
    let (event, ticket_type) = (EventIndex(0), TicketTypeIndex(0));
    let edit = EditTicketType { event, ticket_type, details, standing: None };
    durable(house.engine.edit_ticket_type(edit.check().unwrap(), None, OPENS).unwrap());
    let order = house.hold_tickets(0, 2, house.asked(0, OPENS)).unwrap().reservation;
    let nothing = split(0, 0);
    assert_eq!(house.open(0, Purpose::Points, nothing), Err(MoneyRefusal::WrongAmount));
    let charge = house.open(0, Purpose::Order(order), nothing).unwrap();
    let intent = house.begin(charge, 0).unwrap();
    assert_eq!((intent.card, intent.payment_key.as_str()), (0, ""));
    assert_eq!(house.end(charge, captured()), Ok(AfterPayment::Paid));
    let payment = house.order(order).payment.unwrap();
    assert_eq!(payment.method, PaymentMethod::Free);
    // Nothing goes back with it.
    durable(house.engine.cancel_order(order, None, OPENS).unwrap());
    house.assert_agreement();
    assert_eq!(house.fold.ledger().refunds().len(), 0);
    assert_conserved(&house.fold);
}
