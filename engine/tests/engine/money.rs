//! Charges, refunds and points, command by command and in random histories. Properties:
//!
//! - whatever was captured is a paid order, points, or on its way back, to the won;
//! - no account is ever below zero, and points that were spent for nothing are back;
//! - a charge is captured once, whoever asks how often;
//! - live memory says what the fold says, before and after a restart at any point.

mod returns;

use std::thread;

use proptest::prelude::*;
use tiketi_engine::command::{Asked, EditTicketType};
use tiketi_engine::engine::{AfterPayment, CaptureIntent, NewCharge, Once};
use tiketi_engine::error::{CommandError, MoneyRefusal, OrderRefusal};
use tiketi_engine::ids::{
    ChargeIndex, EventIndex, RefundIndex, ReservationId, SeatIndex, TicketTypeIndex, UnixMillis,
    UserIndex,
};
use tiketi_engine::money::{
    BankAccount, Captured, ChargeState, Deposit, Ledger, Means, PointsKind, Purpose, RefundState,
    Split,
};
use tiketi_engine::record::{
    CaptureOutcome, Claim, DisputeState, IdempotencyKey, PaymentMethod, ProviderName,
    RefundOutcome, SeatList, TicketLine, TicketTypeDetails,
};
use tiketi_engine::state::{OrderState, State};

use crate::house::{Hall, House, OPENS, SMALL, TTL_MS, durable};

/// What a seat costs.
const PRICE: u64 = 10_000;

fn split(card: u64, points: u64) -> Split {
    Split { card, points }
}

fn captured() -> CaptureOutcome {
    let captured = Captured { approved_at: OPENS, means: Means::Card, receipt: None };
    CaptureOutcome::Captured(Box::new(captured))
}

fn awaiting(due_at: UnixMillis) -> CaptureOutcome {
    let text = String::new;
    let deposit = Deposit { bank: text(), account: text(), holder: text(), due_at, secret: text() };
    CaptureOutcome::Awaiting(Box::new(deposit))
}

impl House {
    fn open(
        &self,
        user: u32,
        purpose: Purpose,
        amount: Split,
    ) -> Result<ChargeIndex, MoneyRefusal> {
        let provider = match amount.card {
            0 => ProviderName::None,
            _ => ProviderName::Toss,
        };
        let new = NewCharge { user: UserIndex(user), purpose, provider, amount, tag: 7 };
        refusal_of(self.engine.open_charge(&new, OPENS).map(durable))
    }

    fn begin(&self, charge: ChargeIndex, user: u32) -> Result<CaptureIntent, MoneyRefusal> {
        self.begin_at(charge, user, OPENS)
    }

    fn begin_at(
        &self,
        charge: ChargeIndex,
        user: u32,
        now: UnixMillis,
    ) -> Result<CaptureIntent, MoneyRefusal> {
        let begin = |key| {
            refusal_of(self.engine.begin_capture(charge, UserIndex(user), key, now).map(durable))
        };
        match begin("key") {
            // Points alone have none.
            Err(MoneyRefusal::WrongPaymentKey) => begin(""),
            done => done,
        }
    }

    fn end(
        &self,
        charge: ChargeIndex,
        outcome: CaptureOutcome,
    ) -> Result<AfterPayment, MoneyRefusal> {
        self.end_at(charge, outcome, OPENS)
    }

    fn end_at(
        &self,
        charge: ChargeIndex,
        outcome: CaptureOutcome,
        now: UnixMillis,
    ) -> Result<AfterPayment, MoneyRefusal> {
        refusal_of(self.engine.end_capture(charge, outcome, now).map(durable))
    }

    /// An order of one seat.
    fn seat(&self, user: usize, seat: u32) -> ReservationId {
        self.hold(0, &[seat], self.asked(user, OPENS)).unwrap().reservation
    }

    fn give_back(
        &self,
        charge: ChargeIndex,
        part: &[u32],
        won: u64,
        by: Option<u32>,
    ) -> Result<(), MoneyRefusal> {
        self.give_part_back(charge, &Claim::Seats(seats(part)), won, by)
    }

    fn give_part_back(
        &self,
        charge: ChargeIndex,
        part: &Claim,
        won: u64,
        by: Option<u32>,
    ) -> Result<(), MoneyRefusal> {
        let asked = Asked { by: UserIndex(by.unwrap_or(0)), at: OPENS, key: None };
        let returned = self.engine.return_part(charge, part, won, by.is_some(), asked);
        refusal_of(returned.map(durable)).map(drop)
    }

    fn buy_points(&self, user: u32, points: u64) {
        let charge = self.open(user, Purpose::Points, split(points, 0)).unwrap();
        self.begin(charge, user).unwrap();
        assert_eq!(self.end(charge, captured()), Ok(AfterPayment::Paid));
    }

    /// A paid order of the first user's, all by card.
    fn sold(&self, seats: &[u32], won: u64) -> ChargeIndex {
        let order = self.hold(0, seats, self.asked(0, OPENS)).unwrap().reservation;
        let charge = self.open(0, Purpose::Order(order), split(won, 0)).unwrap();
        self.begin(charge, 0).unwrap();
        assert_eq!(self.end(charge, captured()), Ok(AfterPayment::Paid));
        charge
    }

    fn order_of(&mut self, charge: ChargeIndex) -> ReservationId {
        self.catch_up();
        match self.fold.ledger().charge(charge).unwrap().purpose {
            Purpose::Order(order) => order,
            Purpose::Points => panic!("{charge} is for points"),
        }
    }

    fn ticket_price(&self) -> u32 {
        self.fold.events()[0].ticket_types[0].price
    }

    fn tickets_left(&mut self) -> u32 {
        self.catch_up();
        self.fold.events()[0].ticket_types[0].available()
    }

    fn state_of(&mut self, charge: ChargeIndex) -> ChargeState {
        self.catch_up();
        self.fold.ledger().charge(charge).unwrap().state
    }

    fn points(&mut self, user: u32) -> u64 {
        self.catch_up();
        self.fold.ledger().points(UserIndex(user))
    }
}

fn charge_of(ledger: &Ledger, refund: RefundIndex) -> ChargeIndex {
    ledger.refund(refund).unwrap().charge
}

fn tickets(ticket_type: u16, quantity: u32) -> Claim {
    let ticket_type = TicketTypeIndex(ticket_type);
    Claim::Tickets(Box::new([TicketLine { ticket_type, quantity, unit_price: 0 }]))
}

fn seats(seats: &[u32]) -> SeatList {
    let seats: Vec<SeatIndex> = seats.iter().map(|&seat| SeatIndex(seat)).collect();
    SeatList::from_slice(&seats).unwrap()
}

fn refusal_of<T>(result: Result<T, CommandError<MoneyRefusal>>) -> Result<T, MoneyRefusal> {
    result.map_err(|error| match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(why) => panic!("{why}"),
    })
}

/// Every won that was captured is in a paid order, in points, or on its way back.
fn assert_conserved(state: &State) {
    let ledger = state.ledger();
    let mut issued = 0_i64;
    for (index, charge) in ledger.charges() {
        let refunds = ledger.refunds().iter().filter(|refund| refund.charge == index);
        let going: u64 = refunds.map(|refund| refund.card).sum();
        assert_eq!(going, charge.returned.card, "charge {index}");
        let kept = charge.balance();
        if charge.state == ChargeState::Captured {
            let card = kept.card + charge.returned.card + charge.elsewhere();
            assert_eq!(card, charge.amount.card, "captured = kept + given and due back, {index}");
        }
        if let (ChargeState::Captured, Purpose::Order(order)) = (charge.state, charge.purpose) {
            let (event, order) = state.order(order).unwrap();
            let worth = event.amount(&order.claim);
            let is_paid = order.state == OrderState::Paid
                && (kept.total()..=kept.total() + charge.elsewhere()).contains(&worth);
            assert!(is_paid || kept.total() == 0, "charge {index} keeps {kept:?}");
        }
        let spent = match charge.state {
            ChargeState::Capturing | ChargeState::AwaitingDeposit => charge.amount.points,
            ChargeState::Captured => kept.points,
            ChargeState::Open | ChargeState::Failed | ChargeState::Reversed => 0,
        };
        issued -= spent.cast_signed();
        if charge.purpose == Purpose::Points {
            issued += kept.card.cast_signed();
        }
        // Every charge has a next step, or an end.
        let is_asked = ledger.unresolved().any(|one| one == index);
        assert_eq!(is_asked, charge.is_unresolved());
        let mut circle: Vec<ChargeIndex> = ledger.unresolved_after(index).collect();
        assert!(circle.is_sorted_by_key(|&one| (one <= index, one)), "{circle:?} after {index}");
        circle.sort_unstable();
        assert!(circle.into_iter().eq(ledger.unresolved()), "after {index}");
        assert_eq!(ledger.open().any(|one| one == index), charge.state == ChargeState::Open);
    }
    let mut had = 0_i64;
    for (user, account) in ledger.accounts() {
        let sum: i64 = account.history.iter().map(|row| row.amount).sum();
        assert_eq!(i64::try_from(account.balance), Ok(sum), "points of user {user}");
        assert!(account.balance == 0 || account.debt == 0, "user {user} has points and a debt");
        had += account.balance.cast_signed() - account.debt.cast_signed();
    }
    assert_eq!(had, issued, "points issued - spent = balances - debts");
}

#[test]
fn a_card_pays_an_order_once() {
    let mut house = House::new(&[SMALL], 2);
    let order = house.seat(0, 0);
    let purpose = Purpose::Order(order);
    let charge = house.open(0, purpose, split(PRICE, 0)).unwrap();
    assert_eq!(house.open(0, purpose, split(PRICE, 0)), Ok(charge), "the same open one");
    assert_eq!(house.begin(charge, 1), Err(MoneyRefusal::UnknownCharge(charge)), "another's");
    let intent = house.begin(charge, 0).unwrap();
    assert_eq!((intent.card, intent.payment_key.as_str()), (PRICE, "key"));
    let again = Err(MoneyRefusal::NotOpen(charge, ChargeState::Capturing));
    assert_eq!(house.begin(charge, 0), again);
    let being_paid = MoneyRefusal::Order(OrderRefusal::BeingPaid(order.order));
    assert_eq!(house.open(0, purpose, split(PRICE, 0)), Err(being_paid));
    // Its time passes while the provider thinks: the hold is kept.
    let late = OPENS.plus(TTL_MS + 1);
    assert_eq!(house.engine.expire(late, 9), Ok(Vec::new()));
    assert_eq!(house.end_at(charge, captured(), late), Ok(AfterPayment::Paid));
    let captured_twice = Err(MoneyRefusal::NotOpen(charge, ChargeState::Captured));
    assert_eq!(house.end(charge, captured()), captured_twice);
    assert_eq!(house.order(order).state, OrderState::Paid);
    house.restart();
    house.assert_agreement();
    assert_conserved(&house.fold);
}

#[test]
fn a_refused_card_leaves_the_hold_and_gives_points_back() {
    let mut house = House::new(&[SMALL], 1);
    house.buy_points(0, 4_000);
    let order = house.seat(0, 0);
    let amount = split(PRICE - 3_000, 3_000);
    let charge = house.open(0, Purpose::Order(order), amount).unwrap();
    assert_eq!(house.points(0), 4_000, "asking spends nothing");
    house.begin(charge, 0).unwrap();
    assert_eq!(house.points(0), 1_000);
    assert_eq!(house.end(charge, CaptureOutcome::Failed), Ok(AfterPayment::Held));
    assert_eq!((house.points(0), house.order(order).state), (4_000, OrderState::Held));
    // A new attempt is a new payment.
    let second = house.open(0, Purpose::Order(order), amount).unwrap();
    assert_ne!(second, charge);
    house.begin(second, 0).unwrap();
    assert_eq!(house.end(second, captured()), Ok(AfterPayment::Paid));
    durable(house.engine.cancel_order(order, Some(UserIndex(0)), OPENS).unwrap());
    assert_eq!(house.points(0), 4_000, "points are back at once");
    let ledger = house.fold.ledger();
    let kinds: Vec<PointsKind> =
        ledger.account(UserIndex(0)).unwrap().history.iter().map(|row| row.kind).collect();
    use PointsKind::{Cancel, Charge, Refund, Use};
    assert_eq!(kinds, [Charge, Use, Cancel, Use, Refund]);
    let due: Vec<RefundIndex> = ledger.refunds_due().collect();
    assert_eq!(due, [RefundIndex(0)]);
    let refund = ledger.refund(due[0]).unwrap();
    assert_eq!(refund.card, PRICE - 3_000);
    let call = ledger.refund_call(charge_of(ledger, due[0])).unwrap();
    assert_eq!((call.amount, call.balance), (PRICE - 3_000, PRICE - 3_000));
    let end = |outcome| refusal_of(house.engine.end_refund(due[0], outcome, OPENS).map(durable));
    assert_eq!(end(RefundOutcome::Again), Err(MoneyRefusal::NoSuchRefund(due[0])));
    assert_eq!(end(RefundOutcome::Refused), Ok(()));
    assert_eq!(end(RefundOutcome::Again), Ok(()));
    assert_eq!(end(RefundOutcome::Done), Ok(()));
    assert_eq!(end(RefundOutcome::Done), Err(MoneyRefusal::NoSuchRefund(due[0])));
    house.assert_agreement();
    assert_conserved(&house.fold);
}

#[test]
fn points_alone_pay_and_are_never_spent_twice() {
    let mut house = House::new(&[SMALL], 1);
    let first = house.seat(0, 0);
    let poor = house.open(0, Purpose::Order(first), split(0, PRICE));
    assert_eq!(poor, Err(MoneyRefusal::NotEnoughPoints { left: 0 }));
    house.buy_points(0, PRICE);
    let second = house.seat(0, 1);
    let [one, two] =
        [first, second].map(|order| house.open(0, Purpose::Order(order), split(0, PRICE)).unwrap());
    house.begin(one, 0).unwrap();
    assert_eq!(house.begin(two, 0), Err(MoneyRefusal::NotEnoughPoints { left: 0 }));
    assert_eq!(house.end(one, captured()), Ok(AfterPayment::Paid));
    assert_eq!(house.order(second).state, OrderState::Held);
    house.assert_agreement();
}

#[test]
fn wrong_amounts_and_orders_are_refused() {
    let mut house = House::new(&[SMALL], 2);
    let order = house.seat(0, 0);
    let purpose = Purpose::Order(order);
    for amount in [split(u64::MAX, 1), split(u64::MAX, 0), split(1 << 41, 0)] {
        assert_eq!(house.open(0, purpose, amount), Err(MoneyRefusal::WrongAmount), "{amount:?}");
    }
    let points_for_points = house.open(0, Purpose::Points, split(1, 1));
    assert_eq!(points_for_points, Err(MoneyRefusal::WrongAmount));
    let theirs = MoneyRefusal::Order(OrderRefusal::NotYours(order.order));
    assert_eq!(house.open(1, purpose, split(PRICE, 0)), Err(theirs));
    let charge = house.open(0, purpose, split(PRICE, 0)).unwrap();
    let expired = Err(MoneyRefusal::Order(OrderRefusal::Expired(order.order)));
    assert_eq!(house.begin_at(charge, 0, OPENS.plus(TTL_MS)), expired);
    durable(house.engine.cancel_order(order, None, OPENS).unwrap());
    let ended = Err(MoneyRefusal::Order(OrderRefusal::Ended(order.order)));
    assert_eq!(house.begin(charge, 0), ended);
    let unknown = ChargeIndex(9);
    assert_eq!(house.begin(unknown, 0), Err(MoneyRefusal::UnknownCharge(unknown)));
    assert_eq!(house.end(unknown, captured()), Err(MoneyRefusal::UnknownCharge(unknown)));
    assert_eq!(house.state_of(charge), ChargeState::Open);
}

/// The provider says no, and later that it took the money all the same.
#[test]
fn money_that_comes_after_its_order_was_given_up_goes_back() {
    let mut house = House::new(&[SMALL], 1);
    house.buy_points(0, 1_000);
    let order = house.seat(0, 0);
    let charge = house.open(0, Purpose::Order(order), split(PRICE - 1_000, 1_000)).unwrap();
    house.begin(charge, 0).unwrap();
    let late = OPENS.plus(TTL_MS);
    assert_eq!(house.end_at(charge, CaptureOutcome::Failed, late), Ok(AfterPayment::Expired));
    assert_eq!(house.end_at(charge, captured(), late), Ok(AfterPayment::Expired));
    assert_eq!(house.points(0), 1_000);
    assert_eq!(house.fold.ledger().refunds_due().count(), 1);
    assert_eq!(house.fold.ledger().refund(RefundIndex(0)).unwrap().card, PRICE - 1_000);
    house.assert_agreement();
    assert_conserved(&house.fold);
}

#[test]
fn an_event_that_is_called_off_while_somebody_pays_gives_the_money_back() {
    let mut house = House::new(&[SMALL], 1);
    let order = house.seat(0, 0);
    let charge = house.open(0, Purpose::Order(order), split(PRICE, 0)).unwrap();
    house.begin(charge, 0).unwrap();
    durable(house.engine.cancel_event(order.event, OPENS).unwrap());
    assert_eq!(house.end(charge, captured()), Ok(AfterPayment::EventCancelled));
    house.assert_agreement();
    assert_eq!(house.fold.ledger().refunds_due().count(), 1);
    assert_conserved(&house.fold);
}

#[test]
fn a_deposit_keeps_its_seats_until_it_comes_or_is_given_up() {
    let mut house = House::new(&[SMALL], 1);
    let due = OPENS.plus(100 * TTL_MS);
    let paid = house.seat(0, 0);
    let given_up = house.seat(0, 1);
    let [one, two] = [paid, given_up].map(|order| {
        let charge = house.open(0, Purpose::Order(order), split(PRICE, 0)).unwrap();
        house.begin(charge, 0).unwrap();
        assert_eq!(house.end(charge, awaiting(due)), Ok(AfterPayment::Awaiting));
        charge
    });
    let later = OPENS.plus(50 * TTL_MS);
    assert_eq!(house.engine.expire(later, 9), Ok(Vec::new()));
    house.restart();
    assert_eq!(house.end_at(one, captured(), later), Ok(AfterPayment::Paid));
    assert_eq!(house.end_at(two, CaptureOutcome::Failed, due), Ok(AfterPayment::Expired));
    assert_eq!(house.order(paid).state, OrderState::Paid);
    assert!(!house.order(given_up).is_live());
    // The bank takes the deposit back: no money, no seat, nothing to give back.
    assert_eq!(house.end_at(one, CaptureOutcome::Reversed, due), Ok(AfterPayment::Expired));
    assert!(!house.order(paid).is_live());
    assert_eq!(
        (house.state_of(one), house.fold.ledger().refunds().len()),
        (ChargeState::Reversed, 0)
    );
    // An account that never had points stays none: the auditor compares them with snapshots.
    assert_eq!(house.fold.ledger().account(UserIndex(0)), None);
    house.assert_agreement();
    assert_conserved(&house.fold);
}

#[test]
fn some_seats_of_a_paid_order_go_back() {
    let mut house = House::new(&[Hall { seats_per_user: Some(3), ..SMALL }], 2);
    house.buy_points(0, 12_000);
    let order = house.hold(0, &[0, 1, 2], house.asked(0, OPENS)).unwrap().reservation;
    let charge = house.open(0, Purpose::Order(order), split(18_000, 12_000)).unwrap();
    let back = |house: &House, seats: &[u32], won| house.give_back(charge, seats, won, Some(0));
    let not_paid = Err(MoneyRefusal::NotOpen(charge, ChargeState::Open));
    assert_eq!(back(&house, &[0], PRICE), not_paid);
    house.begin(charge, 0).unwrap();
    house.end(charge, captured()).unwrap();
    let others = house.give_back(charge, &[0], PRICE, Some(1));
    assert_eq!(others, Err(MoneyRefusal::UnknownCharge(charge)));
    let not_part = Err(MoneyRefusal::NotPartOfIt(charge));
    assert_eq!(back(&house, &[0, 1, 2], 3 * PRICE), not_part, "all of it");
    assert_eq!(back(&house, &[3], PRICE), not_part, "not its own");
    assert_eq!(back(&house, &[], 0), not_part, "nothing");
    assert_eq!(back(&house, &[0], 3 * PRICE + 1), Err(MoneyRefusal::WrongAmount));
    assert!(house.hold(0, &[7], house.asked(0, OPENS)).is_err(), "as many as the user may have");

    assert_eq!(back(&house, &[1], PRICE), Ok(()));
    assert_eq!(back(&house, &[1], PRICE), not_part, "back already");
    house.restart();
    assert_eq!(back(&house, &[0], PRICE), Ok(()));
    house.catch_up();
    let ledger = house.fold.ledger();
    let parts: Vec<u64> = ledger.refunds().iter().map(|refund| refund.card).collect();
    assert_eq!(parts, [PRICE, 8_000], "the card's part first");
    let call = ledger.refund_call(charge).unwrap();
    assert_eq!(call.pieces, [RefundIndex(0), RefundIndex(1)], "all of the card's part is owed");
    assert_eq!((call.amount, call.balance), (18_000, 18_000));
    for refund in call.pieces {
        durable(house.engine.end_refund(refund, RefundOutcome::Done, OPENS).unwrap());
    }
    house.catch_up();
    assert_eq!(house.fold.ledger().refund_call(charge), None);
    assert_eq!(house.points(0), 2_000);
    assert_eq!(house.order(order).claim, Claim::Seats(seats(&[2])));
    assert_eq!(house.order(order).state, OrderState::Paid);
    let again = house.hold(0, &[0, 1], house.asked(0, OPENS));
    assert!(again.is_ok(), "the seats and the user's count are free: {again:?}");

    durable(house.engine.cancel_order(order, None, OPENS).unwrap());
    let ended = Err(MoneyRefusal::Order(OrderRefusal::Ended(order.order)));
    assert_eq!(back(&house, &[2], PRICE), ended);
    assert_eq!(house.points(0), 12_000);
    house.assert_agreement();
    assert_conserved(&house.fold);
}

#[test]
fn a_deposit_goes_back_to_an_account_that_is_given() {
    let mut house = House::new(&[SMALL], 2);
    let (order, by_card) = (house.seat(0, 0), house.seat(0, 1));
    let by_card = house.open(0, Purpose::Order(by_card), split(PRICE, 0)).unwrap();
    house.begin(by_card, 0).unwrap();
    house.end(by_card, captured()).unwrap();
    let charge = house.open(0, Purpose::Order(order), split(PRICE, 0)).unwrap();
    house.begin(charge, 0).unwrap();
    house.end(charge, awaiting(OPENS.plus(TTL_MS))).unwrap();
    house.end(charge, captured()).unwrap();
    durable(house.engine.cancel_order(order, None, OPENS).unwrap());
    house.catch_up();
    let refund = house.fold.ledger().refunds_due().next().unwrap();
    let end = |house: &House, outcome| {
        refusal_of(house.engine.end_refund(refund, outcome, OPENS).map(durable))
    };
    end(&house, RefundOutcome::Refused).unwrap();
    let give = |house: &House, charge, account: &BankAccount, by| {
        let by = Some(UserIndex(by));
        let given = house.engine.give_refund_account(charge, account.clone(), by, OPENS);
        refusal_of(given.map(durable))
    };
    let account = BankAccount { bank: "20".into(), number: "123".into(), holder: "김".into() };
    assert!(!format!("{account:?}").contains("123"), "{account:?}");
    let unknown = Err(MoneyRefusal::UnknownCharge(charge));
    assert_eq!(give(&house, charge, &account, 1), unknown, "another's");
    let wrong = Err(MoneyRefusal::WrongAccount(by_card));
    assert_eq!(give(&house, by_card, &account, 0), wrong, "cards go back to cards");
    for (bank, number, holder) in [
        ("", "1", "a"),
        ("20", "", "a"),
        ("20", "12-3", "a"),
        ("20", "1", ""),
        (&"2".repeat(21), "1", "a"),
        ("20", &"1".repeat(21), "a"),
        ("20", "1", &"김".repeat(61)),
    ] {
        let account =
            BankAccount { bank: bank.into(), number: number.into(), holder: holder.into() };
        assert_eq!(give(&house, charge, &account, 0), Err(MoneyRefusal::WrongAccount(charge)));
    }
    house.catch_up();
    assert_eq!(house.fold.ledger().refunds_due().count(), 0);
    assert_eq!(give(&house, charge, &account, 0), Ok(()));
    house.restart();
    assert_eq!(house.fold.ledger().refund_account(charge), Some(&account));
    assert_eq!(house.fold.ledger().refunds_due().collect::<Vec<_>>(), [refund], "asked for again");
    end(&house, RefundOutcome::Done).unwrap();
    house.assert_agreement();
    assert_eq!(house.fold.ledger().refund_account(charge), None, "not kept longer than needed");
    assert_conserved(&house.fold);
}

#[test]
fn what_the_bank_took_back_leaves_nothing_behind() {
    let mut house = House::new(&[SMALL], 1);
    house.buy_points(0, 5_000);
    let order = house.hold(0, &[0, 1], house.asked(0, OPENS)).unwrap().reservation;
    let charge = house.open(0, Purpose::Order(order), split(15_000, 5_000)).unwrap();
    house.begin(charge, 0).unwrap();
    house.end(charge, awaiting(OPENS.plus(TTL_MS))).unwrap();
    house.end(charge, captured()).unwrap();
    assert_eq!(house.points(0), 0);
    assert_eq!(house.end(charge, CaptureOutcome::Reversed), Ok(AfterPayment::Expired));
    assert_eq!(house.points(0), 5_000, "spent on nothing");
    assert!(!house.order(order).is_live());
    // Somebody pays into the account again: nobody waits for it, so it goes back.
    assert_eq!(house.end(charge, captured()), Ok(AfterPayment::Expired));
    house.restart();
    let refunds: Vec<u64> =
        house.fold.ledger().refunds_of(charge).map(|refund| refund.card).collect();
    assert_eq!((refunds, house.points(0)), (vec![15_000], 5_000));
    house.assert_agreement();
    assert_conserved(&house.fold);
}

#[test]
fn points_have_no_hold_that_could_be_over() {
    let house = House::new(&[SMALL], 1);
    let bought = house.open(0, Purpose::Points, split(PRICE, 0)).unwrap();
    house.begin(bought, 0).unwrap();
    assert_eq!(house.end(bought, awaiting(OPENS.plus(TTL_MS))), Ok(AfterPayment::Awaiting));
    assert_eq!(house.end(bought, CaptureOutcome::Failed), Ok(AfterPayment::Held));
    assert_eq!(house.end(bought, captured()), Ok(AfterPayment::Paid));
}

#[test]
fn points_that_were_bought_have_no_parts() {
    let mut house = House::new(&[SMALL], 1);
    let bought = house.open(0, Purpose::Points, split(PRICE, 0)).unwrap();
    house.begin(bought, 0).unwrap();
    house.end(bought, captured()).unwrap();
    let captured_for_points = Err(MoneyRefusal::NotOpen(bought, ChargeState::Captured));
    assert_eq!(house.give_back(bought, &[0], 1, None), captured_for_points);
    house.assert_agreement();
}

#[derive(Clone, Debug)]
enum Step {
    Hold(u32, u32, u32),
    Open(usize, u64),
    Buy(u32, u64),
    Begin(usize),
    End(usize, u8),
    Cancel(usize),
    Return(usize, u32),
    Refund(usize, u8),
    RefundCall(usize),
    Console(usize, u64),
    ConsoleFails(usize, u64),
    Dispute(usize, u8),
    Forget,
    CancelEvent,
    Wait(u64),
    Restart,
}

/// The gateway's part: an order of which no money is left is over.
fn house_ends(
    engine: &tiketi_engine::engine::Engine<tiketi_engine::journal::MemoryJournal>,
    purpose: Option<Purpose>,
    is_over: bool,
    now: UnixMillis,
) {
    if let (Some(Purpose::Order(order)), true) = (purpose, is_over) {
        drop(engine.cancel_order(order, None, now).map(durable));
    }
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..3_u32, 0..8_u32, 1..4_u32).prop_map(|(user, seat, n)| Step::Hold(user, seat, n)),
        5 => (0..9_usize, 0..12_u64).prop_map(|(order, points)| Step::Open(order, points * 1_000)),
        2 => (0..3_u32, 1..9_u64).prop_map(|(user, points)| Step::Buy(user, points * 1_000)),
        8 => (0..20_usize).prop_map(Step::Begin),
        9 => (0..20_usize, 0..8_u8).prop_map(|(charge, how)| Step::End(charge, how)),
        2 => (0..9_usize).prop_map(Step::Cancel),
        4 => (0..20_usize, 0..9_u32).prop_map(|(charge, seat)| Step::Return(charge, seat)),
        3 => (0..9_usize, 0..5_u8).prop_map(|(refund, how)| Step::Refund(refund, how)),
        3 => (0..20_usize).prop_map(Step::RefundCall),
        3 => (0..20_usize, 0..12_u64).prop_map(|(charge, won)| Step::Console(charge, won * 1_000)),
        1 => (0..20_usize, 1..12_u64)
            .prop_map(|(charge, won)| Step::ConsoleFails(charge, won * 1_000)),
        2 => (0..20_usize, 0..3_u8).prop_map(|(charge, how)| Step::Dispute(charge, how)),
        1 => Just(Step::Forget),
        1 => Just(Step::CancelEvent),
        1 => (0..TTL_MS).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn run(steps: &[Step]) {
    let mut house = House::new(&[SMALL], 3);
    let (mut now, mut orders) = (OPENS, Vec::new());
    for step in steps {
        let engine = &house.engine;
        let charges = house.fold.ledger().charge_count() as usize;
        let last = |charge: usize| ChargeIndex(charge as u32);
        match *step {
            Step::Hold(user, seat, count) => {
                let seats: Vec<u32> = (seat..seat + count).collect();
                let held = house.hold(0, &seats, house.asked(user as usize, now));
                orders.extend(held.ok().map(|hold| (user, hold.reservation, u64::from(count))));
            }
            Step::Open(order, points) if order < orders.len() => {
                let (user, order, count) = orders[order];
                let amount = split((count * PRICE).saturating_sub(points), points);
                let _ = house.open(user, Purpose::Order(order), amount);
            }
            Step::Buy(user, points) => {
                let _ = house.open(user, Purpose::Points, split(points, 0));
            }
            Step::Begin(charge) if charge < charges => {
                let user = house.fold.ledger().charge(last(charge)).map(|charge| charge.user.0);
                drop(user.map(|user| house.begin_at(last(charge), user, now)));
            }
            Step::End(charge, how) if charge < charges => {
                let outcome = match how {
                    0..4 => captured(),
                    4 | 5 => CaptureOutcome::Failed,
                    6 => awaiting(now),
                    _ => CaptureOutcome::TakenBack,
                };
                let _ = house.end_at(ChargeIndex(charge as u32), outcome, now);
            }
            Step::Cancel(order) if order < orders.len() => {
                drop(engine.cancel_order(orders[order].1, None, now).map(durable));
            }
            Step::Return(charge, seat) if charge < charges => {
                let _ = house.give_back(ChargeIndex(charge as u32), &[seat], PRICE, None);
            }
            Step::Refund(refund, how) => {
                use RefundOutcome::{Again, ByHand, Done, Failed, Refused};
                let outcome = [Done, Refused, Again, Failed, ByHand][usize::from(how)];
                drop(engine.end_refund(RefundIndex(refund as u32), outcome, now).map(durable));
            }
            Step::RefundCall(charge) if charge < charges => {
                let call = house.fold.ledger().refund_call(last(charge));
                for piece in call.into_iter().flat_map(|call| call.pieces) {
                    drop(engine.end_refund(piece, RefundOutcome::Done, now).map(durable));
                }
            }
            Step::Console(charge, won) if charge < charges => {
                let left = house.fold.ledger().left_at_provider(last(charge));
                let won = if won == 0 { left } else { won };
                drop(engine.note_returned(last(charge), won, now).map(durable));
                let charge = house.fold.ledger().charge(last(charge));
                house_ends(engine, charge.map(|charge| charge.purpose), left == won, now);
            }
            Step::ConsoleFails(charge, won) if charge < charges => {
                drop(engine.note_return_failed(last(charge), won, now).map(durable));
            }
            Step::Dispute(charge, how) if charge < charges => {
                let state =
                    [DisputeState::Open, DisputeState::Won, DisputeState::Lost][usize::from(how)];
                let left = house.fold.ledger().left_at_provider(last(charge));
                let noted = engine.note_dispute(last(charge), left, state, now).map(durable);
                let is_over = noted.is_ok() && state == DisputeState::Lost;
                let charge = house.fold.ledger().charge(last(charge));
                house_ends(engine, charge.map(|charge| charge.purpose), is_over, now);
            }
            Step::Forget => drop(engine.forget_charges(now, 2, now)),
            Step::CancelEvent => {
                drop(engine.cancel_event(tiketi_engine::ids::EventIndex(0), now).map(durable));
            }
            Step::Wait(ms) => {
                now = now.plus(ms);
                engine.expire(now, 99).unwrap();
            }
            Step::Restart => house.restart(),
            Step::Open(..)
            | Step::Begin(_)
            | Step::End(..)
            | Step::Cancel(_)
            | Step::RefundCall(_)
            | Step::Console(..)
            | Step::ConsoleFails(..)
            | Step::Dispute(..)
            | Step::Return(..) => {}
        }
        house.engine.close_cancelled(now);
        house.assert_agreement();
        assert_conserved(&house.fold);
    }
    // What is owed has a next step, or waits for an administrator and is listed.
    let ledger = house.fold.ledger();
    for (index, refund) in (0_u32..).map(RefundIndex).zip(ledger.refunds()) {
        let is_due = ledger.refunds_due().any(|due| due == index);
        assert_eq!(is_due, refund.state == RefundState::Due, "{refund:?}");
        let is_listed = ledger.refunds_refused().any(|refused| refused == index);
        assert_eq!(is_listed, matches!(refund.state, RefundState::Refused { .. }), "{refund:?}");
        let charge = ledger.charge(refund.charge).unwrap();
        let is_asked = ledger.refund_call(refund.charge).is_some();
        assert!(!is_due || is_asked || charge.is_disputed(), "{refund:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn every_won_is_accounted_for_whatever_happens(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        run(&steps);
    }
}

/// The same charge from several threads, beside an expiry and a cancellation of its order.
#[test]
fn one_of_many_confirmations_wins() {
    for round in 0..200 {
        let mut house = House::new(&[SMALL], 1);
        house.buy_points(0, 2_000);
        let order = house.seat(0, 0);
        let charge = house.open(0, Purpose::Order(order), split(PRICE - 2_000, 2_000)).unwrap();
        let begun = thread::scope(|scope| {
            let house = &house;
            let confirm = move || {
                scope.spawn(move || house.begin_at(charge, 0, OPENS.plus(TTL_MS - 1)).is_ok())
            };
            let racers = [confirm(), confirm(), confirm()];
            scope.spawn(move || house.engine.expire(OPENS.plus(TTL_MS), 9).map(drop));
            if round % 2 == 0 {
                scope.spawn(move || {
                    drop(house.engine.cancel_order(order, None, OPENS).map(durable))
                });
            }
            racers.into_iter().map(|one| one.join().unwrap()).filter(|&won| won).count()
        });
        assert!(begun <= 1, "{begun} were begun");
        let live = house.order(order).is_live();
        assert_eq!(
            live,
            begun == 1,
            "who begins first keeps the seats, who ends first has them back"
        );
        if begun == 1 {
            house.end_at(charge, captured(), OPENS.plus(TTL_MS)).unwrap();
            assert_eq!(house.order(order).state, OrderState::Paid);
        }
        assert_eq!(house.points(0), if begun == 1 { 0 } else { 2_000 });
        house.assert_agreement();
        assert_conserved(&house.fold);
    }
}
