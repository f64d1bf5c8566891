//! Every interleaving of two or three threads over the structures that decide (I1, I2, I4, I8, I12).
//!
//! Each property stands beside its wrong twin: the same model with one rule broken, which must fail.
//! Run with `RUSTFLAGS="--cfg loom" cargo test -p tiketi-engine --release --lib loom_models`.

use loom::sync::{Arc, Mutex};
use loom::thread;

use crate::ids::{Attempt, HoldSlot, Lane, Lsn, OrderNumber, SeatIndex, UnixMillis, UserIndex};
use crate::inline_list::InlineList;
use crate::inventory::bitmap::SeatBitmap;
use crate::inventory::hold_table::{HoldTable, Phase, SlotClaim, SlotOrder};
use crate::inventory::layout::SeatPlan;
use crate::inventory::stock::TicketStock;
use crate::record::Section;
use crate::sync::{AtomicBool, AtomicU32, Ordering, fence};
use crate::waiting_room::{QueueDefaults, Room};

/// What the models log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fact {
    Held(u32),
    Ended(u32),
    PaymentStarted(u32),
    Paid(u32),
    Joined(u32),
    Admitted(u32),
    Left(u32),
}

/// A journal whose order is the order of appends.
#[derive(Default)]
struct Log(Mutex<Vec<Fact>>);

impl Log {
    fn append(&self, fact: Fact) {
        self.0.lock().expect("not poisoned").push(fact);
    }

    fn facts(&self) -> Vec<Fact> {
        self.0.lock().expect("not poisoned").clone()
    }
}

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Two rows of forty: two words.
fn hall() -> (SeatPlan, SeatBitmap) {
    let section = Section { name: "A".into(), rows: 2, seats_per_row: 40, price: 1, start_row: 1 };
    let plan = SeatPlan::new(&[section]);
    let bits = SeatBitmap::new(&plan);
    (plan, bits)
}

fn seats(list: &[u32]) -> Vec<SeatIndex> {
    list.iter().map(|&seat| SeatIndex(seat)).collect()
}

/// Seat 0 has one owner at a time along the log.
fn assert_alternating(facts: &[Fact]) {
    let mut owner = None;
    for fact in facts {
        owner = match (*fact, owner) {
            (Fact::Held(order), None) => Some(order),
            (Fact::Ended(order), Some(current)) if order == current => None,
            (fact, owner) => panic!("{fact:?} while {owner:?} owns the seat in {facts:?}"),
        };
    }
}

#[test]
fn one_of_two_overlapping_groups_wins_and_the_other_leaves_nothing() {
    explore(|| {
        let hall = Arc::new(hall());
        let groups = [&[0, 40][..], &[39, 40]];
        let threads: Vec<_> = groups
            .into_iter()
            .map(|group| {
                let hall = Arc::clone(&hall);
                thread::spawn(move || {
                    let (plan, bits) = &*hall;
                    bits.take_all(plan, &seats(group)).is_ok()
                })
            })
            .collect();
        let won: Vec<bool> =
            threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
        assert_eq!(won.iter().filter(|&&won| won).count(), 1);
        let (plan, bits) = &*hall;
        let taken = |seat| bits.is_taken(plan, SeatIndex(seat));
        assert_eq!((taken(0), taken(39), taken(40)), (won[0], won[1], true));
    });
}

/// One thread holds seat 0 and gives it back, the other tries to hold it.
fn hold_against_give_back(give_back_first: bool) {
    explore(move || {
        let (plan, bits) = hall();
        let shared = Arc::new((plan, bits, Log::default()));
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (plan, bits, log) = &*shared;
                if bits.take_all(plan, &seats(&[0])).is_ok() {
                    log.append(Fact::Held(2));
                }
            })
        };
        let (plan, bits, log) = &*shared;
        if bits.take_all(plan, &seats(&[0])).is_ok() {
            log.append(Fact::Held(1));
            if give_back_first {
                bits.give_back_all(plan, &seats(&[0]));
                log.append(Fact::Ended(1));
            } else {
                log.append(Fact::Ended(1));
                bits.give_back_all(plan, &seats(&[0]));
            }
        }
        other.join().expect("no panic");
        assert_alternating(&log.facts());
    });
}

#[test]
fn log_then_bit_keeps_the_seats_history_straight() {
    hold_against_give_back(false);
}

#[test]
#[should_panic(expected = "owns the seat")]
fn twin_bit_then_log_is_caught() {
    hold_against_give_back(true);
}

/// Two threads want the same seat and log what they hold.
fn two_holds(log_first: bool) {
    explore(move || {
        let (plan, bits) = hall();
        let shared = Arc::new((plan, bits, Log::default()));
        let hold = move |shared: &(SeatPlan, SeatBitmap, Log), order| {
            let (plan, bits, log) = shared;
            if log_first {
                log.append(Fact::Held(order));
            }
            let won = bits.take_all(plan, &seats(&[0])).is_ok();
            if won && !log_first {
                log.append(Fact::Held(order));
            }
        };
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || hold(&shared, 2))
        };
        hold(&shared, 1);
        other.join().expect("no panic");
        assert_alternating(&shared.2.facts());
    });
}

#[test]
fn the_position_is_fixed_after_the_bit() {
    two_holds(false);
}

#[test]
#[should_panic(expected = "owns the seat")]
fn twin_position_before_bit_is_caught() {
    two_holds(true);
}

fn order(number: u32) -> SlotOrder {
    SlotOrder {
        order: OrderNumber(number),
        user: UserIndex(number),
        expires_at: Some(UnixMillis(1)),
        claim: SlotClaim::Tickets(InlineList::default()),
    }
}

/// A published order in slot 0.
fn table_with_order() -> HoldTable {
    let table = HoldTable::new();
    table.claim(&order(0)).settle(Phase::Held);
    table
}

/// Expiry, cancel and payment race for one hold.
#[test]
fn one_ender_wins() {
    explore(|| {
        let shared = Arc::new((table_with_order(), Log::default()));
        let expire = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || end(&shared, |phase| phase == Phase::Held))
        };
        let pay = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (table, log) = &*shared;
                let held =
                    |state: crate::inventory::hold_table::SlotState| state.phase() == Phase::Held;
                if let Ok(step) = table.begin(HoldSlot(0), OrderNumber(0), held) {
                    log.append(Fact::PaymentStarted(0));
                    step.settle_with(Phase::Paying, Attempt(1));
                }
            })
        };
        expire.join().expect("no panic");
        pay.join().expect("no panic");
        let facts = shared.1.facts();
        assert_eq!(facts.len(), 1, "{facts:?}");
    });
}

/// Ends the order if its phase allows it, as expiry and cancel do.
fn end(shared: &(HoldTable, Log), allow: impl Fn(Phase) -> bool) {
    let (table, log) = shared;
    if let Ok(step) = table.begin(HoldSlot(0), OrderNumber(0), |state| allow(state.phase())) {
        log.append(Fact::Ended(step.order().user.0));
        step.release(table);
    }
}

#[test]
#[should_panic(expected = "ended twice")]
fn twin_two_enders_that_look_and_then_act_are_caught() {
    explore(|| {
        let shared = Arc::new((AtomicU32::new(1), Log::default()));
        let end = |shared: &(AtomicU32, Log)| {
            if shared.0.load(Ordering::Acquire) == 1 {
                shared.0.store(0, Ordering::Release);
                shared.1.append(Fact::Ended(0));
            }
        };
        let other = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || end(&shared))
        };
        end(&shared);
        other.join().expect("no panic");
        assert!(shared.1.facts().len() <= 1, "ended twice");
    });
}

/// A payment is captured while its user cancels the order.
fn capture_against_cancel(log_after_settling: bool) {
    explore(move || {
        let table = HoldTable::new();
        table.claim(&order(0)).settle_with(Phase::Paying, Attempt(1));
        let shared = Arc::new((table, Log::default()));
        let capture = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (table, log) = &*shared;
                let step = table
                    .begin(HoldSlot(0), OrderNumber(0), |state| state.phase() == Phase::Paying)
                    .expect("nobody else may end a payment");
                if log_after_settling {
                    step.settle(Phase::Paid);
                    log.append(Fact::Paid(0));
                } else {
                    log.append(Fact::Paid(0));
                    step.settle(Phase::Paid);
                }
            })
        };
        end(&shared, |phase| phase == Phase::Paid);
        capture.join().expect("no panic");
        let facts = shared.1.facts();
        assert_eq!(facts.first(), Some(&Fact::Paid(0)), "cancelled before paid: {facts:?}");
    });
}

#[test]
fn a_step_is_logged_before_the_next_can_begin() {
    capture_against_cancel(false);
}

#[test]
#[should_panic(expected = "cancelled before paid")]
fn twin_settling_before_logging_is_caught() {
    capture_against_cancel(true);
}

/// Slots that are freed and claimed by two threads are never shared.
#[test]
fn a_slot_has_one_order_at_a_time() {
    explore(|| {
        let table = Arc::new(HoldTable::new());
        for number in 0..2 {
            table.claim(&order(number)).settle(Phase::Held);
        }
        for slot in 0..2 {
            let held = table.begin(HoldSlot(slot), OrderNumber(slot), |_| true);
            held.expect("held").release(&table);
        }
        let other = {
            let table = Arc::clone(&table);
            thread::spawn(move || {
                let step = table.claim(&order(2));
                let slot = step.index();
                step.settle(Phase::Held);
                let again = table.begin(slot, OrderNumber(2), |_| true).expect("mine");
                assert_eq!(again.order().user, UserIndex(2));
                again.release(&table);
                let step = table.claim(&order(3));
                let slot = step.index();
                step.settle(Phase::Held);
                slot
            })
        };
        let step = table.claim(&order(4));
        let mine = step.index();
        step.settle(Phase::Held);
        let theirs = other.join().expect("no panic");
        assert_ne!(mine, theirs);
        assert_eq!(table.peek(mine).map(|state| state.order()), Some(OrderNumber(4)));
    });
}

/// An event is called off while a hold is being made: nobody may miss the other.
fn hold_against_event_cancel(look_before_publishing: bool) {
    explore(move || {
        // A slot used before: its memory exists when the threads start.
        let table = HoldTable::new();
        table.claim(&order(7)).release(&table);
        let shared = Arc::new((table, AtomicBool::new(false)));
        let canceller = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (table, cancelled) = &*shared;
                cancelled.store(true, Ordering::Relaxed);
                fence(Ordering::SeqCst);
                // One walk, then whoever is in the middle of a step must find out by himself.
                if let Ok(step) = table.begin(HoldSlot(0), OrderNumber(0), |_| true) {
                    step.release(table);
                }
            })
        };
        let (table, cancelled) = &*shared;
        let called_off = if look_before_publishing {
            let seen = cancelled.load(Ordering::Relaxed);
            table.claim(&order(0)).settle(Phase::Held);
            seen
        } else {
            table.claim(&order(0)).settle(Phase::Held);
            cancelled.load(Ordering::SeqCst)
        };
        if called_off && let Ok(step) = table.begin(HoldSlot(0), OrderNumber(0), |_| true) {
            step.release(table);
        }
        canceller.join().expect("no panic");
        let left = table.begin(HoldSlot(0), OrderNumber(0), |_| true);
        let left = left.map(|step| step.order()).map_err(|state| state.map(|state| state.phase()));
        assert_eq!(left, Err(Some(Phase::Free)), "a hold outlived its event");
    });
}

#[test]
fn no_hold_outlives_a_cancelled_event() {
    hold_against_event_cancel(false);
}

#[test]
#[should_panic(expected = "a hold outlived its event")]
fn twin_looking_before_publishing_is_caught() {
    hold_against_event_cancel(true);
}

/// Somebody reads who has seat 0 while it is being held; then the power fails.
fn read_against_crash(from_bits: bool) {
    explore(move || {
        let (plan, bits) = hall();
        let shared = Arc::new((plan, bits, Log::default(), AtomicU32::new(0)));
        let holder = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || {
                let (plan, bits, log, durable) = &*shared;
                bits.take_all(plan, &seats(&[0])).expect("free");
                log.append(Fact::Held(1));
                durable.store(1, Ordering::Release);
            })
        };
        let (plan, bits, log, durable) = &*shared;
        let shown_as_taken = if from_bits {
            bits.is_taken(plan, SeatIndex(0))
        } else {
            let durable = durable.load(Ordering::Acquire) as usize;
            log.facts()[..durable].contains(&Fact::Held(1))
        };
        let survives = durable.load(Ordering::Acquire) == 1;
        assert!(!shown_as_taken || survives, "showed what a crash would undo");
        holder.join().expect("no panic");
    });
}

#[test]
fn committed_records_never_show_what_a_crash_undoes() {
    read_against_crash(false);
}

#[test]
#[should_panic(expected = "showed what a crash would undo")]
fn twin_bits_as_a_view_are_caught() {
    read_against_crash(true);
}

#[test]
fn stock_is_never_oversold() {
    explore(|| {
        let stock = Arc::new(TicketStock::default());
        stock.open(3, 100_000);
        let threads: Vec<_> = [2, 2]
            .into_iter()
            .map(|quantity| {
                let stock = Arc::clone(&stock);
                thread::spawn(move || stock.take(quantity).is_ok())
            })
            .collect();
        let won = threads.into_iter().filter_map(|thread| thread.join().ok()).filter(|&won| won);
        assert_eq!(won.count(), 1);
        assert_eq!(stock.peek(), 1);
    });
}

/// A room for one, with user 0 in it and user 1 in line, and beside it what a newcomer of the twin
/// looks at: how many are in.
struct OneAtATime {
    room: Mutex<Room>,
    active: AtomicU32,
    log: Log,
}

const NOW: UnixMillis = UnixMillis(1_000);

impl OneAtATime {
    fn new() -> OneAtATime {
        let mut room = Room::new(&QueueDefaults { threshold: 1, ..QueueDefaults::default() });
        room.wake(NOW);
        let new =
            OneAtATime { room: Mutex::new(room), active: AtomicU32::new(0), log: Log::default() };
        new.check(0);
        new.check(1);
        new
    }

    fn check(&self, user: u32) {
        let mut room = self.room.lock().expect("not poisoned");
        self.log.append(Fact::Joined(user));
        room.line.join(UserIndex(user), Lane::EVERYBODYS, NOW, Lsn::ZERO);
        self.admit(&mut room);
    }

    fn leave(&self, user: u32) {
        let mut room = self.room.lock().expect("not poisoned");
        self.log.append(Fact::Left(user));
        room.forget(UserIndex(user));
        self.active.store(room.sessions.len(), Ordering::Release);
        self.admit(&mut room);
    }

    fn admit(&self, room: &mut Room) {
        while let Some(next) = room.next_admission(NOW) {
            self.log.append(Fact::Admitted(next.user.0));
            room.admit(&next, NOW, Lsn::ZERO);
        }
        self.active.store(room.sessions.len(), Ordering::Release);
    }

    /// The twin: somebody who sees a free slot takes it without a place in line.
    fn look_and_enter(&self, user: u32) {
        if self.active.load(Ordering::Acquire) < 1 {
            let mut room = self.room.lock().expect("not poisoned");
            self.log.append(Fact::Admitted(user));
            room.sessions.begin(UserIndex(user), NOW, 300_000, Lsn::ZERO);
        } else {
            self.check(user);
        }
    }
}

/// User 0 goes while user 2 comes; user 1 was there before.
fn join_against_freed_slot(without_a_place: bool) {
    explore(move || {
        let shared = Arc::new(OneAtATime::new());
        let newcomer = {
            let shared = Arc::clone(&shared);
            thread::spawn(move || match without_a_place {
                true => shared.look_and_enter(2),
                false => shared.check(2),
            })
        };
        shared.leave(0);
        newcomer.join().expect("no panic");
        let (mut active, mut admitted) = (0, Vec::new());
        for fact in shared.log.facts() {
            match fact {
                Fact::Admitted(user) => {
                    active += 1;
                    admitted.push(user);
                }
                Fact::Left(_) => active -= 1,
                _ => {}
            }
            assert!(active <= 1, "overtaken or overfull: {:?}", shared.log.facts());
        }
        assert_eq!(admitted, [0, 1], "overtaken or overfull: {:?}", shared.log.facts());
    });
}

#[test]
fn a_freed_slot_goes_to_who_waits_whoever_comes_at_that_moment() {
    join_against_freed_slot(false);
}

#[test]
#[should_panic(expected = "overtaken or overfull")]
fn twin_newcomers_who_let_themselves_in_are_caught() {
    join_against_freed_slot(true);
}
