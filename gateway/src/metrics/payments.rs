//! What is counted of payments through a provider.

use prometheus::{IntCounter, IntGaugeVec};
use tiketi_engine::money::Ledger;

use crate::metrics::builder::Builder;

/// The families of payments.
pub(crate) struct PaymentMetrics {
    waiting: IntGaugeVec,
    /// Refunds that a provider had taken on and that failed afterwards.
    pub(crate) refunds_failed: IntCounter,
    /// Won that providers gave back without being asked.
    pub(crate) returned_elsewhere: IntCounter,
    /// Disputes that were opened.
    pub(crate) disputes: IntCounter,
    /// Payments of which a provider's list of a day told something new.
    pub(crate) differences: IntCounter,
}

impl PaymentMetrics {
    pub(super) fn new(by: &Builder<'_>) -> Result<Self, prometheus::Error> {
        Ok(PaymentMetrics {
            waiting: by.gauges(
                "tiketi_payments_waiting",
                "Payments and refunds that wait, by what for",
                &["for"],
            )?,
            refunds_failed: by.counter(
                "tiketi_refunds_failed_total",
                "Refunds that a provider had taken on and that failed afterwards",
            )?,
            returned_elsewhere: by.counter(
                "tiketi_payments_returned_elsewhere_won_total",
                "Won that providers gave back without being asked",
            )?,
            disputes: by.counter("tiketi_payment_disputes_total", "Disputes that were opened")?,
            differences: by.counter(
                "tiketi_payment_differences_total",
                "Payments of which a provider's list of a day told something new",
            )?,
        })
    }

    /// How many wait, as the books have it.
    pub(crate) fn count(&self, ledger: &Ledger) {
        let deposits = ledger.deposits_awaited();
        let waiting = [
            ("confirmation", ledger.open().len()),
            ("provider", ledger.unresolved().len() - deposits),
            ("deposit", deposits),
            ("refund", ledger.refunds_due().len()),
            ("administrator", ledger.refunds_refused().len()),
            ("bank", ledger.disputes().len()),
        ];
        for (what, count) in waiting {
            self.waiting.with_label_values(&[what]).set(count as i64);
        }
    }
}
