//! What is counted of sockets.

use prometheus::{IntCounter, IntCounterVec, IntGaugeVec};

use crate::metrics::builder::Builder;

/// The families of sockets.
pub(crate) struct SocketMetrics {
    connected: IntGaugeVec,
    connects: IntCounterVec,
    events: IntCounterVec,
    closes: IntCounterVec,
    behind: IntCounter,
    /// States sent to sockets that had fallen behind.
    pub(crate) resyncs: IntCounter,
}

impl SocketMetrics {
    pub(super) fn new(by: &Builder<'_>) -> Result<Self, prometheus::Error> {
        let metrics = SocketMetrics {
            connected: by.gauges("tiketi_sockets_connected", "Open sockets", &["dialect"])?,
            connects: by.counters(
                "tiketi_socket_connects_total",
                "Sockets opened",
                &["dialect"],
            )?,
            events: by.counters(
                "tiketi_socket_events_total",
                "Events queued for sockets, once for each socket",
                &["event"],
            )?,
            closes: by.counters("tiketi_socket_closes_total", "Sockets ended", &["reason"])?,
            behind: by
                .counter("tiketi_sockets_behind_total", "Times that a socket's queue was full")?,
            resyncs: by.counter(
                "tiketi_socket_resyncs_total",
                "States sent to sockets that were behind",
            )?,
        };
        for dialect in ["socket.io", "ws"] {
            metrics.connected.with_label_values(&[dialect]);
            metrics.connects.with_label_values(&[dialect]);
        }
        Ok(metrics)
    }

    pub(crate) fn opened(&self, dialect: &str) {
        self.connected.with_label_values(&[dialect]).inc();
        self.connects.with_label_values(&[dialect]).inc();
    }

    pub(crate) fn left(&self, dialect: &str) {
        self.connected.with_label_values(&[dialect]).dec();
    }

    pub(crate) fn closed(&self, reason: &str) {
        self.closes.with_label_values(&[reason]).inc();
    }

    /// An event went to so many sockets.
    pub(crate) fn sent(&self, event: &str, sockets: usize) {
        if sockets > 0 {
            self.events.with_label_values(&[event]).inc_by(sockets as u64);
        }
    }

    pub(crate) fn fell_behind(&self, sockets: usize) {
        self.behind.inc_by(sockets as u64);
    }
}
