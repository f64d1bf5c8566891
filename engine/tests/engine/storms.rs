//! Real threads: what loom's small models leave out, such as load buffering and preemption.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tiketi_engine::engine::{AfterPayment, Once, PaymentOutcome};
use tiketi_engine::ids::{EventIndex, UnixMillis};
use tiketi_engine::record::{EndReason, PaymentMethod};
use tiketi_engine::state::OrderState;

use crate::house::{Hall, House, OPENS, SMALL, TTL_MS, durable};

#[test]
fn every_seat_is_sold_once_however_many_want_it() {
    let mut house = House::new(&[Hall { rows: 40, seats_per_row: 50, ..SMALL }], 4);
    let seats = 41 * 50;
    let sold = AtomicUsize::new(0);
    thread::scope(|scope| {
        for user in 0..4_usize {
            let (house, sold) = (&house, &sold);
            scope.spawn(move || {
                for first in 0..seats {
                    // Everybody walks the hall in another order, with overlapping groups.
                    let first = (first * [1, 7, 11, 13][user] + user as u32 * 512) % seats;
                    let group: Vec<u32> = (first..(first + 3).min(seats)).collect();
                    if house.hold(0, &group, house.asked(user, OPENS)).is_ok() {
                        sold.fetch_add(group.len(), Ordering::Relaxed);
                    }
                }
                for seat in 0..seats {
                    if house.hold(0, &[seat], house.asked(user, OPENS)).is_ok() {
                        sold.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    house.assert_agreement();
    assert_eq!(sold.into_inner(), seats as usize);
}

#[test]
fn a_cap_holds_against_the_users_own_threads() {
    let mut house = House::new(&[Hall { seats_per_user: Some(3), ..SMALL }], 1);
    thread::scope(|scope| {
        for thread in 0..4_u32 {
            let house = &house;
            scope.spawn(move || {
                for seat in 0..10 {
                    let _ = house.hold(0, &[thread * 10 + seat], house.asked(0, OPENS));
                }
            });
        }
    });
    house.assert_agreement();
    assert_eq!(house.fold.events()[0].orders().count(), 3);
}

#[test]
fn pay_cancel_and_expiry_have_one_winner() {
    for round in 0..300 {
        let mut house = House::new(&[SMALL], 1);
        let hold = house.hold(0, &[5, 6], house.asked(0, OPENS)).unwrap();
        let deadline = OPENS.plus(TTL_MS);
        let start = Barrier::new(3);
        let (paid, cancelled, expired) = thread::scope(|scope| {
            let (house, start) = (&house, &start);
            let pay = scope.spawn(move || {
                start.wait();
                let asked = house.asked(0, UnixMillis(deadline.0 - 1));
                let begun =
                    house.engine.begin_payment(hold.reservation, PaymentMethod::NaverPay, asked);
                begun.is_ok_and(|intent| {
                    let Once::Done(intent) = durable(intent) else { panic!("no key") };
                    let finished =
                        house.engine.finish_payment(intent, PaymentOutcome::Captured, deadline);
                    durable(finished.unwrap()) == AfterPayment::Paid
                })
            });
            let cancel = scope.spawn(move || {
                start.wait();
                let by = Some(house.users[0].index);
                house.engine.cancel_order(hold.reservation, by, OPENS).is_ok()
            });
            let expire = scope.spawn(move || {
                start.wait();
                house.engine.expire(deadline, 9).unwrap().len()
            });
            (pay.join().unwrap(), cancel.join().unwrap(), expire.join().unwrap())
        });
        house.assert_agreement();
        let order = house.order(hold.reservation);
        match (order.state, paid) {
            (OrderState::Paid, true) => assert!(!cancelled && expired == 0),
            // Paid first, then cancelled with a refund.
            (OrderState::Ended { reason: EndReason::CancelledByUser, .. }, _) => {
                assert!(cancelled && expired == 0);
                assert_eq!(order.was_paid(), paid);
            }
            (OrderState::Ended { reason: EndReason::Expired, .. }, false) => {
                assert!(!cancelled && expired == 1);
            }
            // The sweep met the hold in the middle of somebody's refused step and comes again.
            (OrderState::Held, false) => assert_eq!(expired, 0),
            other => panic!("round {round}: {other:?}"),
        }
    }
}

#[test]
fn nothing_outlives_its_cancelled_event() {
    for _ in 0..100 {
        let mut house = House::new(&[Hall { rows: 20, ..SMALL }], 2);
        let start = Barrier::new(3);
        thread::scope(|scope| {
            for user in 0..2 {
                let (house, start) = (&house, &start);
                scope.spawn(move || {
                    start.wait();
                    for seat in 0..100_u32 {
                        let _ = house.hold(0, &[seat * 2 + user as u32], house.asked(user, OPENS));
                    }
                });
            }
            start.wait();
            durable(house.engine.cancel_event(EventIndex(0), OPENS).unwrap());
        });
        while house.engine.close_cancelled(OPENS) > 0 {}
        house.assert_agreement();
        assert!(house.fold.events()[0].orders().all(|(_, order)| !order.is_live()));
    }
}
