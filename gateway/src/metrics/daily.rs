//! What is counted again every minute.

use prometheus::{Gauge, GaugeVec};
use tiketi_engine::record::PaymentMethod;

use crate::api::payments::method_id;
use crate::metrics::builder::Builder;

/// The gauges that are counted again every minute from the view.
pub(crate) struct DailyMetrics {
    pub(crate) revenue_today: Gauge,
    pub(crate) payments_today: Gauge,
    pub(crate) conversion_rate: Gauge,
    /// By event_id and event_title; `reset` before filling, so that no stale series stays.
    pub(crate) event_reservations_24h: GaugeVec,
    /// As above.
    pub(crate) event_revenue_24h: GaugeVec,
    /// As above.
    pub(crate) event_avg_price: GaugeVec,
    /// By payment_method.
    pub(crate) payment_method_count_24h: GaugeVec,
    /// By stage: `view`, `reservation`, `payment`.
    pub(crate) funnel_rate: GaugeVec,
    /// By event_id, event_title and artist; filled at each scrape.
    pub(crate) queue_users: GaugeVec,
}

impl DailyMetrics {
    pub(super) fn new(by: &Builder<'_>) -> Result<Self, prometheus::Error> {
        let titled = &["event_id", "event_title"];
        let daily = DailyMetrics {
            revenue_today: by.real("tiketi_daily_revenue_total", "Won paid today")?,
            payments_today: by.real("tiketi_daily_payments_total", "Payments of today")?,
            conversion_rate: by.real(
                "tiketi_reservation_conversion_rate",
                "Percent of the reservations of 24 hours that are paid",
            )?,
            event_reservations_24h: by.reals(
                "tiketi_event_reservations_24h",
                "Reservations paid in 24 hours",
                titled,
            )?,
            event_revenue_24h: by.reals(
                "tiketi_event_revenue_24h",
                "Won paid in 24 hours",
                titled,
            )?,
            event_avg_price: by.reals(
                "tiketi_event_avg_price",
                "Won a paid reservation",
                titled,
            )?,
            payment_method_count_24h: by.reals(
                "tiketi_payment_method_count_24h",
                "Payments in 24 hours",
                &["payment_method"],
            )?,
            funnel_rate: by.reals(
                "tiketi_conversion_funnel_rate",
                "Percent of the buyers of 24 hours by how far they came",
                &["stage"],
            )?,
            queue_users: by.reals(
                "tiketi_queue_users_total",
                "People waiting in line",
                &["event_id", "event_title", "artist"],
            )?,
        };
        for method in
            [PaymentMethod::NaverPay, PaymentMethod::KakaoPay, PaymentMethod::BankTransfer]
        {
            daily.payment_method_count_24h.with_label_values(&[method_id(method)]).set(0.0);
        }
        for (stage, percent) in [("view", 100.0), ("reservation", 0.0), ("payment", 0.0)] {
            daily.funnel_rate.with_label_values(&[stage]).set(percent);
        }
        Ok(daily)
    }
}
