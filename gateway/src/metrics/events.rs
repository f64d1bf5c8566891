//! What is counted for each event.

use parking_lot::RwLock;
use prometheus::{Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};

use crate::metrics::builder::Builder;

/// How far a buyer came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FunnelStage {
    View,
    SeatSelect,
    ReservationCreated,
    PaymentCompleted,
}

/// The families that have events as labels.
pub(super) struct EventFamilies {
    reservations_created: IntCounterVec,
    reservations_cancelled: IntCounterVec,
    reservations_expired: IntCounterVec,
    pub(super) payments: IntCounterVec,
    payment_amount: HistogramVec,
    seats_reserved: IntGaugeVec,
    seats_available: IntGaugeVec,
    queue_wait: HistogramVec,
    funnel: IntCounterVec,
    views: IntCounterVec,
}

/// The counters of one event.
pub(crate) struct EventMetrics {
    pub(super) label: String,
    /// `tiketi_reservations_created_total{status="success"}`.
    pub(crate) reservations_created: IntCounter,
    /// `tiketi_reservations_created_total{status="failed"}`.
    pub(crate) reservations_failed: IntCounter,
    /// `tiketi_reservations_cancelled_total{reason="user_cancel"}`.
    pub(crate) cancelled_by_user: IntCounter,
    /// `tiketi_reservations_cancelled_total{reason="event_cancel"}`.
    pub(crate) cancelled_with_event: IntCounter,
    /// `tiketi_reservations_cancelled_total{reason="admin"}`.
    pub(crate) cancelled_by_admin: IntCounter,
    pub(crate) reservations_expired: IntCounter,
    /// Won; successful payments only.
    pub(crate) payment_amount: Histogram,
    /// Held or sold.
    pub(crate) seats_reserved: IntGauge,
    pub(crate) seats_available: IntGauge,
    /// Seconds from taking a place to being let in.
    pub(crate) queue_wait: Histogram,
    funnel: [IntCounter; 4],
    /// Under the title it had when it was last looked at.
    views: RwLock<Option<(String, IntCounter)>>,
}

impl EventMetrics {
    /// Counts a buyer who came so far.
    pub(crate) fn reached(&self, stage: FunnelStage) {
        self.funnel[stage as usize].inc();
    }
}

impl EventFamilies {
    pub(super) fn new(by: &Builder<'_>) -> Result<Self, prometheus::Error> {
        let event = &["event_id"];
        let won = [10e3, 50e3, 100e3, 150e3, 200e3, 300e3];
        Ok(EventFamilies {
            reservations_created: by.counters(
                "tiketi_reservations_created_total",
                "Reservations asked for",
                &["event_id", "status"],
            )?,
            reservations_cancelled: by.counters(
                "tiketi_reservations_cancelled_total",
                "Reservations cancelled",
                &["event_id", "reason"],
            )?,
            reservations_expired: by.counters(
                "tiketi_reservations_expired_total",
                "Reservations not paid in time",
                event,
            )?,
            payments: by.counters(
                "tiketi_payments_total",
                "Payments that ended",
                &["status", "event_id", "payment_method"],
            )?,
            payment_amount: by.histograms("tiketi_payment_amount", "Won paid", event, &won)?,
            seats_reserved: by.gauges(
                "tiketi_seats_reserved_total",
                "Seats held or sold",
                event,
            )?,
            seats_available: by.gauges("tiketi_seats_available_total", "Seats free", event)?,
            queue_wait: by.histograms(
                "tiketi_queue_wait_seconds",
                "From taking a place in line to being let in",
                event,
                &[1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0],
            )?,
            funnel: by.counters(
                "tiketi_conversion_funnel_total",
                "Buyers by how far they came",
                &["stage", "event_id"],
            )?,
            views: by.counters(
                "tiketi_event_views_total",
                "Looks at an event's page",
                &["event_id", "event_title"],
            )?,
        })
    }

    /// Counts a look at an event of this title. An edited title ends the series of the one before:
    /// each event has one.
    pub(super) fn viewed(&self, event: &EventMetrics, title: &str) {
        if let Some((known, count)) = &*event.views.read()
            && known == title
        {
            count.inc();
            return;
        }
        let mut views = event.views.write();
        if let Some((before, _)) = &*views
            && before != title
        {
            // It is there; where it is not, there is nothing to end.
            let _ = self.views.remove_label_values(&[event.label.as_str(), before.as_str()]);
        }
        let count = self.views.with_label_values(&[event.label.as_str(), title]);
        count.inc();
        *views = Some((title.to_owned(), count));
    }

    pub(super) fn of(&self, label: String) -> EventMetrics {
        let id = label.as_str();
        let cancelled = |reason| self.reservations_cancelled.with_label_values(&[id, reason]);
        let stages = ["view", "seat_select", "reservation_created", "payment_completed"];
        EventMetrics {
            reservations_created: self.reservations_created.with_label_values(&[id, "success"]),
            reservations_failed: self.reservations_created.with_label_values(&[id, "failed"]),
            cancelled_by_user: cancelled("user_cancel"),
            cancelled_with_event: cancelled("event_cancel"),
            cancelled_by_admin: cancelled("admin"),
            reservations_expired: self.reservations_expired.with_label_values(&[id]),
            payment_amount: self.payment_amount.with_label_values(&[id]),
            seats_reserved: self.seats_reserved.with_label_values(&[id]),
            seats_available: self.seats_available.with_label_values(&[id]),
            queue_wait: self.queue_wait.with_label_values(&[id]),
            funnel: stages.map(|stage| self.funnel.with_label_values(&[stage, id])),
            views: RwLock::new(None),
            label,
        }
    }
}
