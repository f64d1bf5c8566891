//! Waiting rooms, command by command, and random histories of them. Properties, after every command:
//!
//! - never more people in than the threshold, unless it was lowered after they came in;
//! - nobody is let in before somebody who waits at a lower place of the same lane, but for those
//!   moved up, and nobody before a draw;
//! - nobody has two places, and who left is in nobody's way;
//! - live memory says what the fold says, before and after a restart at any point.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use proptest::prelude::*;
use tiketi_engine::command::{EditEvent, EditTicketType};
use tiketi_engine::engine::Engine;
use tiketi_engine::error::{CommandError, HoldRefusal, JournalUnavailable};
use tiketi_engine::ids::{EventIndex, Lane, Lsn, Place, TicketTypeIndex, UnixMillis, UserIndex};
use tiketi_engine::journal::{Journal, MemoryJournal, Permit, Purpose};
use tiketi_engine::record::{EventDetails, LeaveReason, Record, TicketTypeDetails};
use tiketi_engine::waiting_room::draw::{Drawing, Seed};
use tiketi_engine::waiting_room::lanes::LaneShare;
use tiketi_engine::waiting_room::{
    QueueChange, QueueCounts, QueuePlace, QueueRefusal, QueueTimes, Standing,
};

use crate::house::{CLOSES, Hall, House, OPENS, SMALL, details, durable};

const EVENT: EventIndex = EventIndex(0);
const SESSION_MS: u64 = 300_000;
const SILENCE_MS: u64 = 120_000;
const TIMES: QueueTimes = QueueTimes { session_ttl_ms: SESSION_MS, silence_ms: SILENCE_MS };

/// A house whose events let `threshold` people in at once.
fn house_of(threshold: u32, users: u32) -> House {
    let house = House::new(&[SMALL], users);
    house.engine.set_queue_defaults(threshold, None, TIMES);
    house
}

impl House {
    fn check(&self, user: u32, now: UnixMillis) -> QueuePlace {
        durable(self.engine.queue_check(EVENT, UserIndex(user), now).unwrap())
    }

    /// 0 for who is in.
    fn position(&self, user: u32, now: UnixMillis) -> u32 {
        match self.check(user, now).standing {
            Standing::Admitted => 0,
            Standing::Waiting { position, .. } => position,
        }
    }

    fn positions<const N: usize>(&self, users: [u32; N], now: UnixMillis) -> [u32; N] {
        users.map(|user| self.position(user, now))
    }

    fn leave(&self, user: u32, now: UnixMillis) {
        durable(self.engine.queue_leave(EVENT, UserIndex(user), now).unwrap());
    }

    fn change(&self, change: QueueChange, now: UnixMillis) -> QueueCounts {
        durable(self.engine.queue_change(EVENT, change, now).unwrap())
    }

    fn is_in(&self, user: u32, now: UnixMillis) -> bool {
        self.engine.queue_is_admitted(EVENT, UserIndex(user), now)
    }

    fn counts(&self) -> (u32, u32) {
        let counts = self.engine.queue_counts(EVENT).unwrap();
        (counts.waiting, counts.active)
    }

    fn tick(&self, now: UnixMillis) -> usize {
        self.engine.admit_due(now).unwrap()
    }

    fn restart_with(&mut self, threshold: u32) {
        self.restart();
        self.engine.set_queue_defaults(threshold, None, TIMES);
    }
}

#[test]
fn people_beyond_the_threshold_wait_in_the_order_of_arrival() {
    let mut house = house_of(2, 6);
    assert_eq!(house.positions([0, 1, 2, 3, 4], OPENS), [0, 0, 1, 2, 3]);
    // Asking again, from another tab or device, changes nothing.
    let before = house.engine.journal().durable_lsn();
    assert_eq!(house.positions([4, 3, 2, 1, 0], OPENS), [3, 2, 1, 0, 0]);
    assert_eq!(house.engine.journal().durable_lsn(), before);
    house.leave(3, OPENS);
    assert_eq!(house.positions([2, 4], OPENS), [1, 2]);
    // A slot goes to who is first, at once; the newcomer gets the end of the line.
    house.leave(0, OPENS);
    assert_eq!(house.positions([2, 4, 0], OPENS), [0, 1, 2]);
    house.leave(0, OPENS);
    house.leave(0, OPENS);
    assert_eq!(house.counts(), (1, 2));
    house.assert_agreement();
}

#[test]
fn a_newcomer_is_told_the_room_before_him() {
    let house = house_of(1, 3);
    let told = |user| {
        let counts = house.check(user, OPENS).counts;
        (counts.waiting, counts.active)
    };
    assert_eq!([0, 1, 2, 0, 2].map(told), [(0, 0), (0, 1), (1, 1), (2, 1), (2, 1)]);
    let place = house.check(2, OPENS);
    assert_eq!(place.standing, Standing::Waiting { position: 2, estimated_wait_s: 1 });
}

#[test]
fn an_answer_waits_for_the_record_it_is_about() {
    let house = house_of(1, 200);
    let lsn = |user| house.engine.queue_check(EVENT, UserIndex(user), OPENS).unwrap().lsn();
    let (admitted, waiting) = (lsn(0), lsn(1));
    // Settings, join, admission, join.
    assert_eq!((admitted.0 + 1, waiting), (waiting.0, house.engine.journal().durable_lsn()));
    (2..200).for_each(|user| assert!(lsn(user) > waiting));
    assert_eq!(lsn(0), admitted);
    assert!(lsn(1) < house.engine.journal().durable_lsn());
    let left = house.engine.queue_leave(EVENT, UserIndex(1), OPENS).unwrap().lsn();
    let again = house.engine.queue_leave(EVENT, UserIndex(1), OPENS).unwrap().lsn();
    assert!(again >= left);
}

#[test]
fn holds_need_admission_only_while_there_is_a_line() {
    let mut house = house_of(2, 4);
    let asked = |house: &House, user| house.asked(user, OPENS);
    house.hold(0, &[0], asked(&house, 3)).unwrap();
    house.positions([0, 1], OPENS);
    // Full: only who is in may hold, whatever the seats.
    for seats in [&[1][..], &[0], &[99]] {
        let refused = house.hold(0, seats, asked(&house, 3));
        assert_eq!(refused, Err(CommandError::Refused(HoldRefusal::NotAdmitted(EVENT))));
    }
    let refused = house.hold_tickets(0, 1, asked(&house, 3));
    assert_eq!(refused, Err(CommandError::Refused(HoldRefusal::NotAdmitted(EVENT))));
    let best = house.engine.hold_best(EVENT, None, 1, asked(&house, 3)).map(durable);
    assert_eq!(best, Err(CommandError::Refused(HoldRefusal::NotAdmitted(EVENT))));
    let late = house.hold(0, &[1], house.asked(3, CLOSES));
    assert_eq!(late, Err(CommandError::Refused(HoldRefusal::NotOnSale(EVENT))));
    let hold = house.hold(0, &[1], asked(&house, 0)).unwrap();
    // Ending an order needs no admission.
    house.leave(0, OPENS);
    house.position(2, OPENS);
    let by = Some(asked(&house, 0).by);
    durable(house.engine.cancel_order(hold.reservation, by, OPENS).unwrap());
    house.leave(1, OPENS);
    house.hold(0, &[1], asked(&house, 3)).unwrap();
    house.assert_agreement();
}

#[test]
fn sessions_end_one_by_one_and_activity_keeps_them() {
    let mut house = house_of(3, 5);
    house.positions([0, 1, 2], OPENS);
    house.position(3, OPENS.plus(SESSION_MS - 1_000));
    house.engine.queue_seen(EVENT, UserIndex(0), OPENS.plus(1));
    house.hold(0, &[0], house.asked(1, OPENS.plus(2))).unwrap();
    let over = OPENS.plus(SESSION_MS);
    assert_eq!([0, 1, 2].map(|user| house.is_in(user, over)), [true, true, false]);
    // Too late: a session that is over does not come back, its user is new.
    house.engine.queue_seen(EVENT, UserIndex(2), over);
    assert_eq!(house.positions([2, 3], over), [1, 0]);
    assert_eq!(house.tick(over), 0);
    assert_eq!(house.tick(over.plus(1)), 2);
    assert_eq!(house.positions([2, 0], over.plus(1)), [0, 1]);
    assert_eq!(house.tick(over.plus(2)), 2);
    house.assert_agreement();
}

#[test]
fn the_silent_leave_and_a_restart_counts_as_a_sign_of_life() {
    let mut house = house_of(1, 4);
    house.positions([0, 1, 2, 3], OPENS);
    house.restart_with(1);
    let later = OPENS.plus(10 * SESSION_MS);
    assert_eq!(house.tick(later), 0);
    assert_eq!(house.positions([2, 3], later.plus(1_000)), [2, 3]);
    assert_eq!(house.tick(later.plus(SILENCE_MS - 1)), 0);
    assert_eq!(house.tick(later.plus(SILENCE_MS)), 1);
    assert_eq!(house.positions([0, 2], later.plus(SILENCE_MS)), [0, 1]);
    house.engine.queue_seen(EVENT, UserIndex(3), later.plus(SILENCE_MS));
    assert_eq!(house.tick(later.plus(2 * SILENCE_MS - 1)), 0);
    assert_eq!(house.tick(later.plus(2 * SILENCE_MS)), 2);
    assert_eq!(house.counts(), (0, 1));
    house.assert_agreement();
}

#[test]
fn a_restart_keeps_the_order_and_gives_sessions_a_fresh_lifetime() {
    let mut house = house_of(2, 8);
    house.positions([5, 4, 3, 2, 1, 0], OPENS);
    house.leave(2, OPENS);
    house.change(QueueChange::Paused(true), OPENS);
    durable(house.engine.queue_admit(EVENT, UserIndex(0), OPENS).unwrap());
    house.restart_with(2);
    let later = OPENS.plus(10 * SESSION_MS);
    assert_eq!(house.positions([5, 4, 0, 3, 1, 7], later), [0, 0, 1, 2, 3, 4]);
    house.leave(5, later);
    assert_eq!(house.positions([0, 3], later), [0, 1]);
    house.leave(4, later);
    assert_eq!(house.position(3, later), 1, "paused, as before the restart");
    house.assert_agreement();
}

#[test]
fn an_administrator_lets_in_out_of_turn_but_not_above_the_threshold() {
    let mut house = house_of(1, 5);
    let admit = |house: &House, user| {
        durable(house.engine.queue_admit(EVENT, UserIndex(user), OPENS).unwrap());
    };
    house.positions([0, 1, 2], OPENS);
    admit(&house, 4);
    admit(&house, 2);
    admit(&house, 2);
    admit(&house, 0);
    assert_eq!(house.positions([4, 2, 1], OPENS), [1, 2, 3]);
    house.change(QueueChange::Paused(true), OPENS);
    house.leave(0, OPENS);
    assert_eq!(house.positions([4, 2, 1], OPENS), [0, 1, 2]);
    house.leave(4, OPENS);
    house.leave(2, OPENS);
    assert_eq!(house.position(1, OPENS), 1);
    admit(&house, 3);
    assert_eq!(house.positions([3, 1], OPENS), [0, 1]);
    house.assert_agreement();
}

#[test]
fn settings_change_while_running() {
    let mut house = house_of(1, 9);
    house.positions([0, 1, 2, 3, 4, 5], OPENS);
    let counts = house.change(QueueChange::Threshold(3), OPENS);
    assert_eq!((counts.waiting, counts.active, counts.threshold), (3, 3, 3));
    // Lowering sends nobody away and lets nobody in.
    house.change(QueueChange::Threshold(1), OPENS);
    house.leave(0, OPENS);
    assert_eq!(house.counts(), (3, 2));
    house.change(QueueChange::Threshold(9), OPENS);
    assert_eq!(house.counts(), (0, 5));
    house.change(QueueChange::Rate(Some(500)), OPENS);
    assert_eq!(house.positions([6, 7, 0], OPENS), [1, 2, 3]);
    assert_eq!(house.tick(OPENS.plus(1_999)), 0);
    assert_eq!(house.tick(OPENS.plus(2_000)), 1);
    assert_eq!(house.tick(OPENS.plus(4_000)), 1);
    let before = house.engine.journal().durable_lsn();
    house.change(QueueChange::Rate(Some(500)), OPENS);
    assert_eq!(house.engine.journal().durable_lsn(), before, "the same again is no record");
    house.restart_with(1_000);
    let counts = house.engine.queue_counts(EVENT).unwrap();
    assert_eq!((counts.threshold, counts.rate_milli), (9, Some(500)), "the event's own");
    assert_eq!(house.tick(OPENS.plus(9_000)), 0);
    assert_eq!(house.tick(OPENS.plus(11_000)), 1);
    house.assert_agreement();
}

#[test]
fn what_the_server_sets_for_all_events_is_logged_before_anybody_is_let_in_by_it() {
    let mut house = house_of(1, 4);
    house.positions([0, 1, 2], OPENS);
    house.restart_with(2);
    assert_eq!(house.tick(OPENS), 1);
    let records = house.engine.journal().take();
    let kinds: Vec<bool> =
        records.iter().map(|record| matches!(record, Record::QueueChanged { .. })).collect();
    assert_eq!(kinds, [true, false], "{records:?}");
    for record in &records {
        house.fold.apply(house.fold.lsn().next(), record).unwrap();
    }
    assert_eq!(house.fold.queue(EVENT).unwrap().settings().unwrap().threshold, 2);
    house.assert_agreement();
}

#[test]
fn everybody_is_sent_away_by_clearing() {
    let mut house = house_of(2, 6);
    house.positions([0, 1, 2, 3], OPENS);
    assert_eq!(durable(house.engine.queue_clear(EVENT, OPENS).unwrap()), 4);
    assert_eq!(durable(house.engine.queue_clear(EVENT, OPENS).unwrap()), 0);
    assert_eq!(house.counts(), (0, 0));
    assert_eq!(house.positions([3, 2, 1], OPENS), [0, 0, 1]);
    house.assert_agreement();
    assert_eq!(house.fold.queue(EVENT).unwrap().next_place(), Place(8), "places are not reused");
}

#[test]
fn a_line_without_anything_to_wait_for_is_closed_once() {
    let mut house = House::new(&[Hall { rows: 1, seats_per_row: 2, tickets: 0, ..SMALL }], 9);
    house.engine.set_queue_defaults(4, None, TIMES);
    house.positions([0, 1, 2, 3, 4, 5], OPENS);
    let mut orders = Vec::new();
    for seat in 0..4 {
        orders.push(house.hold(0, &[seat], house.asked(seat as usize, OPENS)).unwrap());
    }
    // All held: somebody may still give back.
    assert_eq!([house.tick(OPENS), house.tick(OPENS)], [0, 0]);
    for (user, order) in orders.iter().enumerate() {
        pay(&house, user, order.reservation);
    }
    assert_eq!([house.tick(OPENS), house.tick(OPENS), house.tick(OPENS)], [0, 2, 0]);
    assert_eq!(house.counts(), (0, 4));
    house.catch_up();
    // Nobody waits for nothing, and nobody is turned away from the page.
    let place = house.check(6, OPENS);
    assert_eq!((place.standing, house.counts()), (Standing::Admitted, (0, 4)));
    assert!(!house.is_in(6, OPENS));
    let refused = house.engine.queue_admit(EVENT, UserIndex(6), OPENS);
    assert_eq!(refused.map(durable), Err(CommandError::Refused(QueueRefusal::Closed(EVENT))));
    // A seat comes back: there is a line again.
    durable(house.engine.cancel_order(orders[0].reservation, None, OPENS).unwrap());
    assert_eq!(house.positions([6, 0], OPENS), [1, 0]);
    assert_eq!([house.tick(OPENS), house.tick(OPENS)], [0, 0]);
    house.assert_agreement();
}

#[test]
fn nobody_waits_for_tickets_that_are_for_show() {
    let mut house = House::new(&[Hall { rows: 1, seats_per_row: 1, ..SMALL }], 4);
    house.engine.set_queue_defaults(2, None, TIMES);
    house.positions([0, 1, 2], OPENS);
    for (user, seat) in [(0, 0), (1, 1)] {
        let held = house.hold(0, &[seat], house.asked(user, OPENS)).unwrap();
        pay(&house, user, held.reservation);
    }
    assert_eq!(house.tick(OPENS), 0, "there are standing tickets");
    let details = TicketTypeDetails {
        name: "standing".into(),
        price: 1,
        total_quantity: 12,
        description: None,
    };
    let ticket_type = TicketTypeIndex(0);
    let edit = EditTicketType { event: EVENT, ticket_type, details, standing: Some(false) };
    durable(house.engine.edit_ticket_type(edit.check().unwrap(), None, OPENS).unwrap());
    house.tick(OPENS);
    house.tick(OPENS);
    assert_eq!(house.counts(), (0, 2));
    house.assert_agreement();
}

fn pay(house: &House, user: usize, order: tiketi_engine::ids::ReservationId) {
    use tiketi_engine::engine::{Once, PaymentOutcome};
    use tiketi_engine::record::PaymentMethod;
    let asked = house.asked(user, OPENS);
    let intent = house.engine.begin_payment(order, PaymentMethod::NaverPay, asked).unwrap();
    let Once::Done(intent) = durable(intent) else { panic!("no key") };
    durable(house.engine.finish_payment(intent, PaymentOutcome::Captured, OPENS).unwrap());
}

#[test]
fn the_line_of_a_cancelled_or_ended_event_is_closed() {
    for cancelled in [true, false] {
        let mut house = house_of(1, 4);
        house.positions([0, 1, 2], OPENS);
        let now = if cancelled {
            durable(house.engine.cancel_event(EVENT, OPENS).unwrap());
            OPENS
        } else {
            let sale_ends_at = OPENS.plus(1_000);
            let details = EventDetails { sale_ends_at, ..details() };
            let edit = EditEvent { event: EVENT, details }.check().unwrap();
            durable(house.engine.edit_event(edit, OPENS).unwrap());
            assert_eq!(house.tick(OPENS.plus(999)), 0);
            OPENS.plus(1_000)
        };
        assert_eq!((house.tick(now), house.counts()), (2, (0, 1)));
        house.catch_up();
        assert_eq!(house.tick(now), 0);
        assert_eq!(house.position(3, now), 0);
        house.assert_agreement();
    }
}

fn lanes(shares: &[u16]) -> Vec<LaneShare> {
    let names = ["everybody", "fan club", "patrons", "local"];
    let lane = |(&share, name): (&u16, &str)| LaneShare { name: name.to_owned(), share };
    shares.iter().zip(names).map(lane).collect()
}

/// Those who are let in one by one from now on.
fn let_in_order(house: &House, users: impl Iterator<Item = u32> + Clone) -> Vec<u32> {
    let mut order = Vec::new();
    loop {
        let inside = users.clone().find(|&user| house.is_in(user, OPENS));
        let Some(user) = inside else { return order };
        house.leave(user, OPENS);
        order.push(user);
    }
}

#[test]
fn each_lane_gets_its_share_and_keeps_its_order() {
    let mut house = house_of(1, 40);
    durable(house.engine.queue_set_lanes(EVENT, lanes(&[1, 3]), OPENS).unwrap());
    let fans: Vec<UserIndex> = (20..40).map(UserIndex).collect();
    durable(house.engine.queue_give_lane(EVENT, Lane(1), fans, OPENS).unwrap());
    (0..40).for_each(|user| {
        house.position(user, OPENS);
    });
    let counts = house.engine.queue_counts(EVENT).unwrap();
    assert_eq!(counts.waiting_by_lane, [19, 20, 0, 0]);
    // The fans came later, and three of every four who are let in are fans.
    assert_eq!(house.positions([20, 21, 22, 1, 23, 2], OPENS), [1, 2, 3, 4, 5, 8]);
    house.restart_with(1);
    let order = let_in_order(&house, 0..40);
    assert_eq!(order.len(), 40);
    assert_eq!(order[..10], [0, 20, 21, 22, 1, 23, 24, 25, 2, 26]);
    for lane in [0..20, 20..40] {
        assert!(order.iter().filter(|&user| lane.contains(user)).is_sorted());
    }
    house.assert_agreement();
}

#[test]
fn lanes_that_somebody_may_belong_to_stay() {
    let house = house_of(1, 4);
    let set = |lanes| house.engine.queue_set_lanes(EVENT, lanes, OPENS).map(durable).map(drop);
    let wrong = Err(CommandError::Refused(QueueRefusal::WrongLanes(EVENT)));
    for shares in [&[][..], &[0], &[101], &[1, 1, 1, 1, 1]] {
        let named = |(position, &share): (usize, &u16)| LaneShare {
            name: format!("lane {position}"),
            share,
        };
        assert_eq!(set(shares.iter().enumerate().map(named).collect()), wrong, "{shares:?}");
    }
    let same = |name: &str| LaneShare { name: name.to_owned(), share: 1 };
    assert_eq!(set(vec![same("a"), same("a")]), wrong);
    assert_eq!(set(vec![same("a"), same("")]), wrong);
    let give = |lane| {
        let users = vec![UserIndex(0)];
        house.engine.queue_give_lane(EVENT, lane, users, OPENS).map(durable)
    };
    let unknown = |lane| Err(CommandError::Refused(QueueRefusal::UnknownLane(EVENT, lane)));
    assert_eq!(give(Lane(1)), unknown(Lane(1)));
    assert_eq!(set(lanes(&[1, 2])), Ok(()));
    assert_eq!(set(lanes(&[5, 2, 100])), Ok(()));
    assert_eq!(set(lanes(&[1, 2])), wrong, "a lane would be gone");
    assert_eq!(set(vec![same("a"), same("b"), same("c")]), wrong, "another name");
    assert_eq!((give(Lane(2)), give(Lane(3))), (Ok(()), unknown(Lane(3))));
}

#[test]
fn nobody_is_let_in_before_the_draw_and_then_in_its_order() {
    let before = UnixMillis(OPENS.0 - 1_000);
    let mut house = house_of(3, 20);
    let seed = [7; 32];
    durable(house.engine.queue_open_lobby(EVENT, seed, before).unwrap());
    let tickets = (0..20).map(|user| {
        house.check(user, before);
        Place(user + 1)
    });
    let mut tickets: Vec<Place> = tickets.collect();
    assert_eq!(house.tick(before), 0);
    assert_eq!((house.counts(), house.position(4, before)), ((20, 0), 20), "anybody may be last");
    house.leave(5, before);
    house.restart_with(3);
    assert_eq!(house.counts(), (19, 0));
    // The sale begins, and nobody has drawn: the tick does.
    assert_eq!(house.tick(OPENS), 3);
    Drawing::new(&seed, "").sort(&mut tickets);
    let users: Vec<u32> =
        tickets.iter().map(|ticket| ticket.0 - 1).filter(|&user| user != 5).collect();
    assert_eq!(house.positions([users[0], users[3], users[18]], OPENS), [0, 1, 16]);
    house.catch_up();
    let lottery = house.fold.queue(EVENT).unwrap().lottery().unwrap();
    let drawn = lottery.drawn.as_ref().unwrap();
    assert_eq!((drawn.first, drawn.tickets.len()), (Place(21), 19));
    assert!(drawn.tickets.iter().map(|ticket| ticket.0 - 1).eq(users.iter().copied()));
    // Who comes later stands behind.
    assert_eq!(house.position(5, OPENS), 17);
    house.assert_agreement();
}

#[test]
fn a_lobby_is_opened_before_anybody_has_a_place() {
    let before = UnixMillis(OPENS.0 - 1_000);
    let house = house_of(1, 4);
    let open = |now| house.engine.queue_open_lobby(EVENT, [1; 32], now).map(durable);
    let draw = |now| house.engine.queue_draw(EVENT, "lotto", now).map(durable);
    let refused = Err(CommandError::Refused(QueueRefusal::NoLobbyNow(EVENT)));
    assert_eq!(draw(before), Err(CommandError::Refused(QueueRefusal::NoLobby(EVENT))));
    assert_eq!((open(OPENS), open(CLOSES)), (refused.clone(), refused.clone()));
    house.positions([0, 1], before);
    assert_eq!(open(before), refused, "somebody waits in the order of arrival");
    house.leave(1, before);
    assert_eq!((open(before), open(before)), (Ok(()), refused));
    // Holds need admission from then on.
    assert_eq!(house.position(1, before), 1);
    let held = house.hold(0, &[0], house.asked(2, OPENS));
    assert_eq!(held, Err(CommandError::Refused(HoldRefusal::NotAdmitted(EVENT))));
    house.leave(0, before);
    assert_eq!((house.counts(), draw(before), house.counts()), ((1, 0), Ok(1), (0, 1)));
}

#[test]
fn unknown_events_are_refused() {
    let house = house_of(1, 1);
    let (event, user) = (EventIndex(7), UserIndex(0));
    let unknown = Err(CommandError::Refused(QueueRefusal::UnknownEvent(event)));
    assert_eq!(house.engine.queue_leave(event, user, OPENS).map(durable), unknown);
    assert_eq!(house.engine.queue_admit(event, user, OPENS).map(durable), unknown);
    assert!(house.engine.queue_check(event, user, OPENS).is_err());
    assert_eq!(house.engine.queue_counts(event), None);
    house.engine.queue_seen(event, user, OPENS);
    assert!(!house.engine.queue_is_admitted(event, user, OPENS));
}

/// An hour of virtual time with a line that never ends: as many as the rate says, to the person.
#[test]
fn an_hour_lets_in_exactly_what_the_rate_says() {
    let patient = QueueTimes { session_ttl_ms: 1 << 40, silence_ms: 1 << 40 };
    for (rate_milli, tick_ms) in [(333, 1_000), (2_500, 100), (1_777, 730)] {
        let house = house_of(1, 1);
        house.engine.set_queue_defaults(1_000_000, Some(rate_milli), patient);
        let allowed = |ms: u64| rate_milli * ms / 1_000_000;
        (0..10_000).for_each(|user| assert_eq!(house.position(user, OPENS), user + 1));
        let mut ms = 0;
        while ms < 3_600_000 {
            ms = (ms + tick_ms).min(3_600_000);
            house.tick(OPENS.plus(ms));
            let (_, active) = house.counts();
            assert_eq!(u64::from(active), allowed(ms), "{rate_milli} {tick_ms} {ms}");
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Check(u32),
    Leave(u32),
    Seen(u32),
    Hold(u32, u32),
    Cancel(usize),
    Admit(u32),
    Change(QueueChange),
    Clear,
    Wait(u64),
    Tick,
    CancelEvent,
    SetLanes(Vec<u16>),
    GiveLane(u32, u8),
    OpenLobby(u8),
    Draw,
    Restart(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let user = 0..12_u32;
    let change = prop_oneof![
        (0..5_u32).prop_map(QueueChange::Threshold),
        prop::option::of(0..3_000_u64).prop_map(QueueChange::Rate),
        any::<bool>().prop_map(QueueChange::Paused),
    ];
    prop_oneof![
        16 => user.clone().prop_map(Step::Check),
        5 => user.clone().prop_map(Step::Leave),
        3 => user.clone().prop_map(Step::Seen),
        4 => (user.clone(), 0..4_u32).prop_map(|(user, seat)| Step::Hold(user, seat)),
        2 => (0..8_usize).prop_map(Step::Cancel),
        2 => user.clone().prop_map(Step::Admit),
        1 => prop::collection::vec(1..5_u16, 1..5).prop_map(Step::SetLanes),
        2 => (user, 0..4_u8).prop_map(|(user, lane)| Step::GiveLane(user, lane)),
        1 => any::<u8>().prop_map(Step::OpenLobby),
        1 => Just(Step::Draw),
        3 => change.prop_map(Step::Change),
        1 => Just(Step::Clear),
        5 => prop_oneof![0..3_000_u64, 0..200_000_u64].prop_map(Step::Wait),
        6 => Just(Step::Tick),
        1 => Just(Step::CancelEvent),
        3 => (1..5_u32).prop_map(Step::Restart),
    ]
}

/// What the test itself knows of the room: the line by place, those moved up, those who are in.
#[derive(Debug, Default)]
struct Known {
    line: Vec<(Place, UserIndex)>,
    moved_up: Vec<UserIndex>,
    active: BTreeSet<UserIndex>,
    lanes: BTreeMap<UserIndex, Lane>,
    lobby: Option<Seed>,
    next_place: u32,
    threshold: u32,
}

impl Known {
    fn lane(&self, user: UserIndex) -> Lane {
        self.lanes.get(&user).copied().unwrap_or(Lane::EVERYBODYS)
    }

    fn leave(&mut self, user: UserIndex) -> bool {
        let before = self.line.len();
        self.line.retain(|&(_, other)| other != user);
        self.moved_up.retain(|&other| other != user);
        before > self.line.len()
    }

    fn fold(&mut self, record: &Record) {
        match record {
            Record::QueueJoined { user, place, .. } => {
                assert!(self.line.last().is_none_or(|&(last, _)| last < *place));
                assert!(!self.active.contains(user), "{user} is in and joins");
                assert!(!self.line.iter().any(|(_, other)| other == user), "{user} has two places");
                self.line.push((*place, *user));
                self.next_place = place.0 + 1;
            }
            Record::QueueMovedUp { user, .. } => self.moved_up.push(*user),
            Record::QueueAdmitted { user, place, .. } => {
                let lane = self.lane(*user);
                let mut of_lane = self.line.iter().map(|&(_, other)| other);
                let by_place = of_lane.find(|&other| self.lane(other) == lane);
                let first = self.moved_up.first().copied().or(by_place);
                assert_eq!(first, Some(*user), "somebody overtook");
                assert!(self.lobby.is_none() || !self.moved_up.is_empty(), "before the draw");
                assert!(self.line.contains(&(*place, *user)));
                assert!(self.leave(*user));
                assert!(self.active.insert(*user));
                assert!(self.active.len() as u32 <= self.threshold, "too many are in");
            }
            Record::QueueLeft { user, reason, .. } => {
                let (waited, was_in) = (self.leave(*user), self.active.remove(user));
                match reason {
                    LeaveReason::Left => assert!(waited != was_in),
                    LeaveReason::SessionOver => assert!(was_in),
                    LeaveReason::Silent => assert!(waited),
                }
            }
            Record::QueueCleared { .. } => {
                self.line.clear();
                self.moved_up.clear();
                self.active.clear();
            }
            Record::QueueLaneGiven { lane, users, .. } => {
                self.lanes.extend(users.iter().map(|&user| (user, *lane)));
            }
            Record::QueueLobbyOpened { seed, .. } => {
                assert!(self.line.is_empty() && self.lobby.is_none());
                self.lobby = Some(*seed);
            }
            Record::QueueDrawn { beacon, .. } => {
                let drawing = Drawing::new(&self.lobby.take().unwrap(), beacon);
                self.line.sort_by_key(|&(ticket, _)| drawing.number(ticket));
                let last = self.line.iter().map(|&(place, _)| place.0).max().unwrap_or(0);
                let next = self.next_place.max(last + 1);
                let new =
                    self.line.iter().zip(next..).map(|(&(_, user), place)| (Place(place), user));
                self.line = new.collect();
                self.next_place = next + self.line.len() as u32;
            }
            Record::QueueClosed { .. } => {
                self.line.clear();
                self.moved_up.clear();
            }
            Record::QueueChanged { settings, .. } => self.threshold = settings.threshold,
            _ => {}
        }
    }
}

fn run(start: UnixMillis, steps: &[Step]) {
    // Four seats: lines are closed now and then.
    let mut house = House::new(&[Hall { rows: 1, seats_per_row: 2, tickets: 0, ..SMALL }], 12);
    house.engine.set_queue_defaults(3, None, TIMES);
    let mut known = Known { threshold: 3, ..Known::default() };
    let (mut now, mut orders) = (start, Vec::new());
    for step in steps {
        let engine = &house.engine;
        match step {
            Step::Check(user) => {
                let told = house.check(*user, now);
                match told.standing {
                    Standing::Admitted => {}
                    Standing::Waiting { position, estimated_wait_s } => {
                        assert!(position >= 1 && estimated_wait_s >= 1);
                        assert!(position <= told.counts.waiting + 1);
                    }
                }
            }
            Step::Leave(user) => house.leave(*user, now),
            Step::Seen(user) => engine.queue_seen(EVENT, UserIndex(*user), now),
            Step::Hold(user, seat) => {
                let counts = engine.queue_counts(EVENT).unwrap();
                let full = counts.active >= counts.threshold;
                let engaged = counts.waiting > 0 || counts.lobby || full;
                let held = house.hold(0, &[*seat], house.asked(*user as usize, now));
                let not_in = Err(CommandError::Refused(HoldRefusal::NotAdmitted(EVENT)));
                if held == not_in {
                    assert!(engaged && !house.is_in(*user, now));
                } else if held.is_ok() {
                    assert!(!engaged || house.is_in(*user, now));
                }
                orders.extend(held.ok().map(|hold| hold.reservation));
            }
            Step::Cancel(order) if !orders.is_empty() => {
                let order = orders[order % orders.len()];
                drop(engine.cancel_order(order, None, now).map(durable));
            }
            Step::Cancel(_) => {}
            Step::Admit(user) => {
                drop(engine.queue_admit(EVENT, UserIndex(*user), now).map(durable));
            }
            Step::Change(change) => {
                house.change(*change, now);
            }
            Step::Clear => {
                durable(engine.queue_clear(EVENT, now).unwrap());
            }
            Step::Wait(ms) => now = now.plus(*ms),
            Step::Tick => {
                house.tick(now);
                engine.expire(now, 9).unwrap();
            }
            Step::SetLanes(shares) => {
                drop(engine.queue_set_lanes(EVENT, lanes(shares), now).map(durable));
            }
            Step::GiveLane(user, lane) => {
                let users = vec![UserIndex(*user)];
                drop(engine.queue_give_lane(EVENT, Lane(*lane), users, now).map(durable));
            }
            Step::OpenLobby(seed) => {
                drop(engine.queue_open_lobby(EVENT, [*seed; 32], now).map(durable));
            }
            Step::Draw => drop(engine.queue_draw(EVENT, "beacon", now).map(durable)),
            Step::CancelEvent => drop(engine.cancel_event(EVENT, now).map(durable)),
            Step::Restart(threshold) => house.restart_with(*threshold),
        }
        let records = house.engine.journal().take();
        for record in &records {
            known.fold(record);
            house.fold.apply(house.fold.lsn().next(), record).unwrap();
        }
        house.assert_agreement();
        let counts = house.engine.queue_counts(EVENT).unwrap();
        assert_eq!(counts.waiting as usize, known.line.len());
        assert_eq!(counts.active as usize, known.active.len());
        let queue = house.fold.queue(EVENT).unwrap();
        assert!(queue.waiting().map(|(place, user, _)| (place, user)).eq(known.line.clone()));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn nobody_overtakes_whatever_happens(
        steps in prop::collection::vec(step(), 1..80),
        before_the_sale in any::<bool>(),
    ) {
        run(if before_the_sale { UnixMillis(OPENS.0 - 100_000) } else { OPENS }, &steps);
    }
}

/// People come, ask and go from several threads, with the tick beside them.
#[test]
fn a_crowd_never_exceeds_the_threshold_and_nobody_has_two_places() {
    const THRESHOLD: u32 = 16;
    let mut house = house_of(THRESHOLD, 60);
    let (clock, over) = (AtomicU64::new(OPENS.0), AtomicBool::new(false));
    let records = thread::scope(|scope| {
        let (house, clock, over) = (&house, &clock, &over);
        let people: Vec<_> = (0..4_u32)
            .map(|thread| {
                scope.spawn(move || {
                    let mut seed = u64::from(thread);
                    for _ in 0..6_000 {
                        // A linear congruential step: any mix of users and commands will do.
                        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                        let now = UnixMillis(clock.fetch_add(1, Ordering::Relaxed));
                        let user = UserIndex((seed >> 33) as u32 % 60);
                        match (seed >> 50) % 5 {
                            0 => drop(house.engine.queue_leave(EVENT, user, now).map(durable)),
                            1 => house.engine.queue_seen(EVENT, user, now),
                            _ => {
                                durable(house.engine.queue_check(EVENT, user, now).unwrap());
                            }
                        }
                        let counts = house.engine.queue_counts(EVENT).unwrap();
                        assert!(counts.active <= THRESHOLD, "{counts:?}");
                    }
                })
            })
            .collect();
        let tick = scope.spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let now = UnixMillis(clock.load(Ordering::Relaxed));
                house.engine.admit_due(now).unwrap();
                thread::yield_now();
            }
        });
        let done: Vec<_> = people.into_iter().map(thread::ScopedJoinHandle::join).collect();
        over.store(true, Ordering::Relaxed);
        tick.join().unwrap();
        done.into_iter().for_each(|done| done.unwrap());
        house.engine.journal().take()
    });
    let mut known = Known { threshold: THRESHOLD, ..Known::default() };
    let mut places = BTreeSet::new();
    for record in &records {
        known.fold(record);
        if let Record::QueueJoined { place, .. } = record {
            assert!(places.insert(*place), "place {place} was taken twice");
        }
        house.fold.apply(house.fold.lsn().next(), record).unwrap();
    }
    assert!(places.len() > 1_000, "{} joined", places.len());
    house.assert_agreement();
}

/// A long line comes back from the fold as it was, also where many have left.
#[test]
fn a_long_line_survives_a_restart() {
    let mut house = house_of(10, 1);
    (0..30_000).for_each(|user| {
        house.check(user, OPENS);
    });
    (0..30_000).filter(|user| user % 3 == 0).for_each(|user| house.leave(user, OPENS));
    house.assert_agreement();
    let sample = [14, 15_001, 29_999].map(|user| house.position(user, OPENS));
    house.restart_with(10);
    house.assert_agreement();
    assert_eq!([14, 15_001, 29_999].map(|user| house.position(user, OPENS)), sample);
}

/// A journal that at times takes nothing.
struct Moody {
    inner: MemoryJournal,
    full: AtomicBool,
}

impl Journal for Moody {
    fn reserve(&self, purpose: Purpose) -> Result<Permit, JournalUnavailable> {
        match self.full.load(Ordering::Relaxed) {
            true => Err(JournalUnavailable::QueueFull),
            false => self.inner.reserve(purpose),
        }
    }

    fn append(&self, permit: Permit, record: &Record) -> Lsn {
        self.inner.append(permit, record)
    }
}

#[test]
fn a_full_journal_loses_nobody() {
    let mut fold = House::new(&[SMALL], 1).fold;
    let inner = MemoryJournal::after(fold.lsn());
    let journal = Moody { inner, full: AtomicBool::new(false) };
    let engine = Engine::from_state(&fold, journal).unwrap();
    engine.set_queue_defaults(2, None, TIMES);
    let check = |user, now| engine.queue_check(EVENT, UserIndex(user), now).map(durable);
    (0..5).for_each(|user| assert!(check(user, OPENS).is_ok()));
    engine.journal().full.store(true, Ordering::Relaxed);
    let full = CommandError::Unavailable(JournalUnavailable::QueueFull);
    assert_eq!(check(9, OPENS), Err(full.clone()), "no room for somebody new");
    let standing = check(4, OPENS).unwrap().standing;
    assert_eq!(standing, Standing::Waiting { position: 3, estimated_wait_s: 1 });
    let left = engine.queue_leave(EVENT, UserIndex(0), OPENS).map(durable);
    assert_eq!(left, Err(full));
    let over = OPENS.plus(SESSION_MS);
    (2..5).for_each(|user| engine.queue_seen(EVENT, UserIndex(user), over));
    assert_eq!(engine.admit_due(over), Err(JournalUnavailable::QueueFull));
    engine.journal().full.store(false, Ordering::Relaxed);
    assert_eq!(engine.admit_due(over), Ok(4), "two sessions end, two people are let in");
    assert!(engine.queue_is_admitted(EVENT, UserIndex(3), over));
    for record in engine.journal().inner.take() {
        fold.apply(fold.lsn().next(), &record).unwrap();
    }
    assert_eq!(engine.disagreement_with(&fold), None);
}

#[test]
fn a_buyer_is_let_in_only_while_nobody_has_to_wait() {
    let fold = House::new(&[SMALL], 1).fold;
    let engine = Engine::from_state(&fold, MemoryJournal::after(fold.lsn())).unwrap();
    engine.set_queue_defaults(2, None, TIMES);
    for user in [0, 1, 0, 2] {
        assert_eq!(engine.queue_let_in(EVENT, UserIndex(user), OPENS), Ok(()));
    }
    let counts = engine.queue_counts(EVENT).unwrap();
    assert_eq!((counts.active, counts.waiting), (2, 0), "nobody was put in line");
    let inside = [0, 1, 2].map(|user| engine.queue_is_admitted(EVENT, UserIndex(user), OPENS));
    assert_eq!(inside, [true, true, false]);
    let unknown = engine.queue_let_in(EventIndex(9), UserIndex(0), OPENS);
    assert_eq!(unknown, Err(QueueRefusal::UnknownEvent(EventIndex(9)).into()));
}
