//! The business numbers of `/metrics` that no single request knows (contract/domain.md 9).
//!
//! Counted again every minute from the view, one event at a time so that the log's followers never
//! wait long.

use std::collections::HashSet;

use tiketi_engine::ids::{EventIndex, UnixMillis, UserIndex};
use tiketi_engine::record::PaymentMethod;
use tiketi_engine::state::{Event, OrderState};

use crate::api::Id;
use crate::api::payments::method_id;
use crate::app::App;
use crate::instants::{DAY_MS, seoul_midnight};
use crate::metrics::EVENTS_LABELLED_MAX;

const METHODS: [PaymentMethod; 3] =
    [PaymentMethod::NaverPay, PaymentMethod::KakaoPay, PaymentMethod::BankTransfer];

/// The last 24 hours of all events.
#[derive(Default)]
struct Totals {
    created: u64,
    completed: u64,
    buyers: HashSet<UserIndex>,
    payers: HashSet<UserIndex>,
    by_method: [u64; METHODS.len()],
    paid_today: u64,
    won_today: u64,
}

/// The last 24 hours of one event.
#[derive(Debug, Default, PartialEq, Eq)]
struct EventTally {
    completed: u64,
    won: u64,
}

/// Counts everything again. Takes milliseconds: call it off the threads that serve.
pub(crate) fn recount(app: &App) {
    let now = app.clock.now();
    let mut totals = Totals::default();
    let gauges = &app.metrics.daily;
    let events = app.view.read(|state| state.events().len());
    let mut shown = Vec::new();
    for index in (0..events).filter_map(|index| u32::try_from(index).ok()).map(EventIndex) {
        let counted = app.view.read(|state| {
            // Orders of deleted events were made all the same.
            let event = state.event_of_orders(index)?;
            let tally = count(event, now, &mut totals);
            Some((tally, event.details.title.clone(), event.cancelled))
        });
        let Some((tally, title, is_cancelled)) = counted else { continue };
        if index.position() >= EVENTS_LABELLED_MAX {
            continue;
        }
        if !is_cancelled {
            shown.push((Id::from(index).to_string(), title, tally));
        }
    }
    // Together at the end, so that a scrape hardly ever sees them empty.
    gauges.event_reservations_24h.reset();
    gauges.event_revenue_24h.reset();
    gauges.event_avg_price.reset();
    for (id, title, tally) in &shown {
        let labels = [id.as_str(), title.as_str()];
        gauges.event_reservations_24h.with_label_values(&labels).set(tally.completed as f64);
        gauges.event_revenue_24h.with_label_values(&labels).set(tally.won as f64);
        let mean = tally.won as f64 / tally.completed.max(1) as f64;
        gauges.event_avg_price.with_label_values(&labels).set(mean);
    }
    gauges.payments_today.set(totals.paid_today as f64);
    gauges.revenue_today.set(totals.won_today as f64);
    gauges.conversion_rate.set(percent(totals.completed, totals.created));
    for (method, count) in METHODS.into_iter().zip(totals.by_method) {
        let gauge = gauges.payment_method_count_24h.with_label_values(&[method_id(method)]);
        gauge.set(count as f64);
    }
    let (buyers, payers) = (totals.buyers.len() as u64, totals.payers.len() as u64);
    gauges.funnel_rate.with_label_values(&["reservation"]).set(percent(buyers, buyers));
    gauges.funnel_rate.with_label_values(&["payment"]).set(percent(payers, buyers));
}

/// Walks back from the newest order to those older than a day.
fn count(event: &Event, now: UnixMillis, totals: &mut Totals) -> EventTally {
    let since = UnixMillis(now.0.saturating_sub(DAY_MS));
    let midnight = seoul_midnight(now);
    let mut tally = EventTally::default();
    for (_, order) in event.orders().rev().take_while(|(_, order)| order.held_at >= since) {
        totals.created += 1;
        totals.buyers.insert(order.user);
        let (OrderState::Paid, Some(payment)) = (order.state, order.payment) else { continue };
        let won = event.amount(&order.claim);
        totals.completed += 1;
        totals.payers.insert(order.user);
        for (method, count) in METHODS.into_iter().zip(&mut totals.by_method) {
            *count += u64::from(method == payment.method);
        }
        if payment.paid_at.is_some_and(|at| at >= midnight) {
            totals.paid_today += 1;
            totals.won_today += won;
        }
        tally.completed += 1;
        tally.won += won;
    }
    tally
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_nothing_are_nothing() {
        assert_eq!((percent(0, 0), percent(1, 4)), (0.0, 25.0));
    }
}
