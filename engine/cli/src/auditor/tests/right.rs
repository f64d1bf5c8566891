//! Right logs: no findings, and the right sums.

use tiketi_engine::ids::Lsn;
use tiketi_engine::record::EndReason::{
    CancelledByAdmin, CancelledByUser, EventCancelled, Expired,
};
use tiketi_engine::record::Record;
use tiketi_engine::state::State;

use super::*;
use crate::auditor::closing::Summary;
use crate::auditor::{Auditor, Rule};

#[test]
fn right_logs_have_no_findings() {
    check("nothing more", &[], &[]);
    check("held, paid", &[held(0, &[0, 1], 1), paying(0, 1, 2), paid(0, 1, 3)], &[]);
    check("expired", &[held(0, &[0], 1), ended(0, Expired, 1 + TTL), held(1, &[0], 2 + TTL)], &[]);
    check(
        "a second attempt",
        &[held(0, &[0], 1), paying(0, 1, 2), failed(0, 1, 3), paying(0, 2, 4), paid(0, 2, 5)],
        &[],
    );
    check(
        "paid late, begun in time",
        &[held(0, &[0], 1), paying(0, 1, TTL), paid(0, 1, TTL + 60_000)],
        &[],
    );
    check(
        "failed late, then expired",
        &[held(0, &[0], 1), paying(0, 1, 2), failed(0, 1, TTL + 9), ended(0, Expired, TTL + 9)],
        &[],
    );
    check(
        "paid, then cancelled, seat sold again",
        &[
            held(0, &[0], 1),
            paying(0, 1, 2),
            paid(0, 1, 3),
            ended(0, CancelledByUser, 4),
            held(1, &[0], 5),
        ],
        &[],
    );
    check("tickets", &[tickets(0, &[(0, 3, 10), (1, 2, 10)]), ended(0, CancelledByAdmin, 9)], &[]);
    check("blocks", &[blocked(&[0, 9]), unblocked(&[9]), held(0, &[9], 3)], &[]);
    check("an order number that was never logged", &[held(7, &[0], 1)], &[]);
    let next_epoch = [held(0, &[0], 1), epoch(3, 30 * DAY), ended(0, Expired, 30 * DAY)];
    check("expired after a long stop", &next_epoch, &[]);
    check("stopped before it could expire", &[held(0, &[0], 1), epoch(2, 30 * DAY)], &[]);
}

#[test]
fn benign_races_have_no_findings() {
    let cancelling =
        [held(0, &[0], 5), called_off(5), held(1, &[1], 4), ended(0, EventCancelled, 5)];
    check("made while called off", &cancelling, &[]);
    let and_ended = [called_off(5), held(0, &[1], 6), ended(0, EventCancelled, 6)];
    check("made while called off, and ended", &and_ended, &[]);
    check("the window closed a moment before", &[edited(DAY, 2 * DAY, 5), held(0, &[0], 4)], &[]);
    let before_edit = [edited(DAY, 2 * DAY, 5), held(0, &[0], 50_000), edited(0, 2 * DAY, 50_001)];
    check("the window opens a moment later", &before_edit, &[]);
    check("instants of two threads", &[held(0, &[0], 500), held(1, &[1], 499)], &[]);
}

#[test]
fn the_summary_counts() {
    let mut records = beginning();
    records.extend([
        held(0, &[0, 1], 1),
        paying(0, 1, 2),
        paid(0, 1, 3),
        held(1, &[6], 4),
        blocked(&[9]),
        tickets(2, &[(0, 2, 10)]),
        held(3, &[2], 5),
        ended(3, Expired, 5 + TTL),
        held(4, &[2], 6 + TTL),
        paying(4, 1, 7 + TTL),
    ]);
    let report = audit(&records);
    assert!(report.ok, "{:?}", report.findings);
    let Summary { seats, tickets, orders, .. } = &report.summary;
    assert_eq!((seats.capacity, seats.free, seats.held), (10, 5, 2));
    assert_eq!((seats.sold, seats.blocked), (2, 1));
    assert_eq!((tickets.total, tickets.for_sale, tickets.in_orders), (8, 6, 2));
    assert_eq!((orders.made, orders.held, orders.paying, orders.paid), (5, 2, 1, 1));
    assert_eq!((orders.ended.expired, orders.ended_after_payment), (1, 0));
    assert_eq!(report.summary.revenue, 200);
}

/// A log whose every record the engine's fold takes as well.
fn right_log() -> Vec<Record> {
    let mut records = beginning();
    records.extend([
        held(0, &[0, 1], 1),
        paying(0, 1, 2),
        paid(0, 1, 3),
        held(1, &[6], 4),
        blocked(&[9, 8]),
        unblocked(&[8]),
        tickets(2, &[(0, 2, 10)]),
        held(3, &[2], 5),
        ended(3, CancelledByUser, 6),
        held(4, &[2], 7),
        paying(4, 1, 8),
        failed(4, 1, 9),
    ]);
    records
}

#[test]
fn a_log_may_be_audited_from_any_snapshot() {
    let records = right_log();
    let whole = audit(&records);
    assert!(whole.ok, "{:?}", whole.findings);
    let mut state = State::default();
    for (cut, record) in (1..).zip(&records) {
        state.apply(Lsn(cut), record).unwrap();
        let mut auditor = Auditor::new(100);
        auditor.seed(&state);
        for (lsn, record) in (cut + 1..).zip(&records[cut as usize..]) {
            auditor.record(Lsn(lsn), record);
        }
        let report = auditor.finish();
        assert!(report.ok, "from {cut}: {:?}", report.findings);
        assert_eq!(report.summary.seats, whole.summary.seats, "from {cut}");
        assert_eq!(report.summary.orders, whole.summary.orders, "from {cut}");
        assert_eq!(report.summary.revenue, whole.summary.revenue, "from {cut}");
    }
}

#[test]
fn a_snapshot_must_say_what_the_log_says() {
    let records = right_log();
    let mut state = State::default();
    let mut auditor = Auditor::new(100);
    for (lsn, record) in (1..).zip(&records) {
        state.apply(Lsn(lsn), record).unwrap();
        auditor.record(Lsn(lsn), record);
        auditor.compare(&state);
    }
    let next = Lsn(records.len() as u64 + 1);
    state.apply(next, &held(5, &[3], 10)).unwrap();
    auditor.compare(&state);
    let report = auditor.finish();
    assert_eq!(report.findings_total, 3, "{:?}", report.findings);
    assert!(report.findings.iter().all(|finding| finding.rule == Rule::Snapshot));
}
