//! Waiting rooms: right logs, wrong logs, and what the real engine logs.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use tiketi_engine::engine::Engine;
use tiketi_engine::ids::{Lane, Lsn, Place};
use tiketi_engine::journal::{MemoryJournal, Pending};
use tiketi_engine::record::{LeaveReason, QueueSettings};
use tiketi_engine::state::State;
use tiketi_engine::waiting_room::lanes::LaneShare;
use tiketi_engine::waiting_room::{QueueChange, QueueTimes};

use super::*;

const EVENT: EventIndex = EventIndex(0);

fn settings(threshold: u32, paused: bool) -> Record {
    let settings =
        QueueSettings { threshold, own_threshold: true, rate_milli: None, own_rate: false, paused };
    Record::QueueChanged { event: EVENT, settings, at: at(1) }
}

fn joined(user: u32, place: u32) -> Record {
    Record::QueueJoined { event: EVENT, user: UserIndex(user), place: Place(place), at: at(1) }
}

fn admitted(user: u32, place: u32) -> Record {
    Record::QueueAdmitted { event: EVENT, user: UserIndex(user), place: Place(place), at: at(1) }
}

fn left(user: u32, reason: LeaveReason) -> Record {
    Record::QueueLeft { event: EVENT, user: UserIndex(user), reason, at: at(1) }
}

fn moved_up(user: u32) -> Record {
    Record::QueueMovedUp { event: EVENT, user: UserIndex(user), at: at(1) }
}

#[test]
fn right_lines_have_no_findings() {
    use LeaveReason::{Left, SessionOver, Silent};
    let one = || settings(1, false);
    check("in turn", &[one(), joined(0, 1), admitted(0, 1), joined(1, 2)], &[]);
    check(
        "a slot freed",
        &[one(), joined(0, 1), admitted(0, 1), joined(1, 2), left(0, SessionOver), admitted(1, 2)],
        &[],
    );
    check(
        "who left is in nobody's way",
        &[one(), joined(0, 1), joined(1, 2), left(0, Silent), admitted(1, 2), joined(0, 3)],
        &[],
    );
    check(
        "moved up, although paused",
        &[settings(1, true), joined(0, 1), joined(1, 2), moved_up(1), admitted(1, 2)],
        &[],
    );
    let closed = Record::QueueClosed { event: EVENT, at: at(1) };
    let cleared = Record::QueueCleared { event: EVENT, at: at(1) };
    check(
        "closed and cleared",
        &[
            settings(2, false),
            joined(0, 1),
            admitted(0, 1),
            joined(1, 2),
            closed,
            joined(1, 3),
            cleared,
            joined(0, 4),
            left(0, Left),
        ],
        &[],
    );
}

#[test]
fn wrong_lines_are_found() {
    use LeaveReason::{Left, SessionOver, Silent};
    use Rule::{Numbering, OrderOfLife, Overtaking, Threshold, TwoPlaces, UnknownThing};
    let two = || settings(2, false);
    check("overtaken", &[two(), joined(0, 1), joined(1, 2), admitted(1, 2)], &[Overtaking]);
    let too_early = [two(), joined(0, 1), joined(1, 2), moved_up(1), admitted(0, 1)];
    check("before who was moved up", &too_early, &[Overtaking]);
    check("never waited", &[two(), admitted(0, 1)], &[Overtaking]);
    check("another place", &[two(), joined(0, 1), admitted(0, 2)], &[Overtaking]);
    check("twice in line", &[two(), joined(0, 1), joined(0, 2)], &[TwoPlaces]);
    let twice = [two(), joined(0, 1), admitted(0, 1), admitted(0, 1)];
    check("let in twice", &twice, &[TwoPlaces, Overtaking]);
    let joins_again = [two(), joined(0, 1), admitted(0, 1), joined(0, 2)];
    check("in and in line", &joins_again, &[TwoPlaces]);
    let full = [settings(1, false), joined(0, 1), admitted(0, 1), joined(1, 2), admitted(1, 2)];
    check("above the threshold", &full, &[Threshold]);
    check("by no settings", &[joined(0, 1), admitted(0, 1)], &[Threshold]);
    check("paused", &[settings(1, true), joined(0, 1), admitted(0, 1)], &[Threshold]);
    check("a place left out", &[two(), joined(0, 2)], &[Numbering]);
    check("a place used again", &[two(), joined(0, 1), left(0, Left), joined(1, 1)], &[Numbering]);
    check("left from nowhere", &[two(), left(0, Left)], &[OrderOfLife]);
    check("a session that waits", &[two(), joined(0, 1), left(0, SessionOver)], &[OrderOfLife]);
    let silent = [two(), joined(0, 1), admitted(0, 1), left(0, Silent)];
    check("silent, but in", &silent, &[OrderOfLife]);
    check("moved up from nowhere", &[two(), moved_up(0)], &[OrderOfLife]);
    check("an unknown user", &[two(), joined(7, 1)], &[UnknownThing]);
    let elsewhere = Record::QueueClosed { event: EventIndex(4), at: at(1) };
    check("an unknown event", &[elsewhere], &[UnknownThing]);
}

fn lanes_set(shares: &[u16]) -> Record {
    let lane = |(index, &share): (usize, &u16)| LaneShare { name: format!("{index}"), share };
    let lanes = shares.iter().enumerate().map(lane).collect();
    Record::QueueLanesSet { event: EVENT, lanes, at: at(1) }
}

fn lane_given(user: u32, lane: u8) -> Record {
    let users = vec![UserIndex(user)];
    Record::QueueLaneGiven { event: EVENT, lane: Lane(lane), users, at: at(1) }
}

fn lobby() -> Record {
    Record::QueueLobbyOpened { event: EVENT, seed: [7; 32], at: at(1) }
}

fn drawn() -> Record {
    Record::QueueDrawn { event: EVENT, beacon: "lotto".to_owned(), at: at(1) }
}

#[test]
fn lanes_are_let_in_by_their_shares() {
    let start = [settings(2, false), lanes_set(&[1, 2]), lane_given(1, 1)];
    let both = |next: &[Record]| [&start[..], &[joined(0, 1), joined(1, 2)], next].concat();
    check("everybody's lane first", &both(&[admitted(0, 1), admitted(1, 2)]), &[]);
    let turned = both(&[admitted(1, 2)]);
    check("the other lane before its turn", &turned, &[Rule::Overtaking]);
    // Whoever changes lanes keeps the place.
    check("into the lane", &both(&[lane_given(0, 1), admitted(0, 1), admitted(1, 2)]), &[]);
    check("no such lane", &[lane_given(0, 1)], &[Rule::UnknownThing]);
    check("a lane is gone", &both(&[lanes_set(&[1])]), &[Rule::OrderOfLife]);
}

#[test]
fn a_lobby_lets_nobody_in_and_a_draw_gives_the_order_of_its_seed() {
    let lobby_of_two = [settings(2, false), lobby(), joined(0, 1), joined(1, 2)];
    let then = |next: &[Record]| [&lobby_of_two[..], next].concat();
    check("before the draw", &then(&[admitted(0, 1)]), &[Rule::Overtaking]);
    let order = crate::draw::order(&[7; 32], "lotto", [1, 2]);
    let [first, second] = [order[0] - 1, order[1] - 1];
    check("in its order", &then(&[drawn(), admitted(first, 3), admitted(second, 4)]), &[]);
    check("against it", &then(&[drawn(), admitted(second, 4)]), &[Rule::Overtaking]);
    check("without a lobby", &[drawn()], &[Rule::OrderOfLife]);
    let late = [settings(2, false), joined(0, 1), lobby()];
    check("people wait already", &late, &[Rule::Overtaking]);
}

#[test]
fn a_snapshot_of_a_line_is_compared_and_carried_on_from() {
    let records = [settings(1, false), joined(0, 1), admitted(0, 1), joined(1, 2)];
    let mut state = State::default();
    let mut auditor = Auditor::new(9);
    let beginning = beginning();
    for (lsn, record) in (1..).zip(beginning.iter().chain(&records)) {
        auditor.record(Lsn(lsn), record);
        state.apply(Lsn(lsn), record).unwrap();
    }
    auditor.compare(&state);
    assert!(auditor.finish().ok);
    let seeded = |next: &[Record]| {
        let mut auditor = Auditor::new(9);
        auditor.seed(&state);
        for (lsn, record) in (state.lsn().0 + 1..).zip(next) {
            auditor.record(Lsn(lsn), record);
        }
        auditor.finish().findings.into_iter().map(|one| one.rule).collect::<Vec<_>>()
    };
    assert_eq!(
        seeded(&[left(0, LeaveReason::Left), admitted(1, 2), left(1, LeaveReason::Left)]),
        []
    );
    assert_eq!(seeded(&[admitted(1, 2)]), [Rule::Threshold]);
    let mut other = Auditor::new(9);
    for (lsn, record) in (1..).zip(beginning.iter().chain(&records[..3])) {
        other.record(Lsn(lsn), record);
    }
    other.compare(&state);
    let found: Vec<Rule> = other.finish().findings.into_iter().map(|one| one.rule).collect();
    assert_eq!(found, [Rule::Snapshot]);
}

/// A crowd on several threads, with ticks and an administrator: the real engine's log is right.
#[test]
fn what_the_engine_logs_about_a_crowd_has_no_findings() {
    let mut records = beginning();
    for index in 2..40 {
        let Record::UserRegistered(mut user) = records[1].clone() else { panic!("a user") };
        user.user = UserId { index: UserIndex(index), tag: 0 };
        user.email = format!("{index}@tiketi.gg");
        records.push(Record::UserRegistered(user));
    }
    let mut state = State::default();
    for (lsn, record) in (1..).zip(&records) {
        state.apply(Lsn(lsn), record).unwrap();
    }
    let engine = Engine::from_state(&state, MemoryJournal::after(state.lsn())).unwrap();
    let times = QueueTimes { session_ttl_ms: 300, silence_ms: 200 };
    engine.set_queue_defaults(5, None, times);
    let clock = AtomicU64::new(at(0).0);
    thread::scope(|scope| {
        for thread in 0..3_u64 {
            let (engine, clock) = (&engine, &clock);
            scope.spawn(move || {
                let durable = Lsn(u64::MAX);
                let mut seed = thread;
                for _ in 0..4_000 {
                    seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    let random = (seed >> 40) as u32;
                    let user = UserIndex(random % 40);
                    let now = UnixMillis(clock.fetch_add(1, Ordering::Relaxed));
                    match (seed >> 33) % 100 {
                        0..60 => drop(engine.queue_check(EVENT, user, now)),
                        60..75 => drop(engine.queue_leave(EVENT, user, now)),
                        75..95 => drop(engine.admit_due(now)),
                        95 => drop(engine.queue_admit(EVENT, user, now)),
                        96 => {
                            let lane = Lane((random % 3) as u8);
                            drop(engine.queue_give_lane(EVENT, lane, vec![user], now));
                            if random.is_multiple_of(20) {
                                let share = |lane: u16| LaneShare {
                                    name: lane.to_string(),
                                    share: 1 + (random as u16 + lane) % 7,
                                };
                                let lanes = (0..3).map(share).collect();
                                drop(engine.queue_set_lanes(EVENT, lanes, now));
                            }
                        }
                        97 => {
                            let change = QueueChange::Paused(random.is_multiple_of(3));
                            drop(engine.queue_change(EVENT, change, now));
                        }
                        98 => {
                            let change = QueueChange::Threshold(random % 8);
                            drop(engine.queue_change(EVENT, change, now));
                        }
                        _ => {
                            let cleared = engine.queue_clear(EVENT, now).unwrap();
                            Pending::acknowledge(cleared, durable);
                        }
                    }
                }
            });
        }
    });
    records.extend(engine.journal().take());
    let report = audit(&records);
    assert!(report.ok, "{:#?}", report.findings);
    let admissions =
        records.iter().filter(|record| matches!(record, Record::QueueAdmitted { .. })).count();
    assert!(admissions > 200, "{admissions} were let in");
}
