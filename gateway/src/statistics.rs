//! The metrics that are counted from the log and not where a request is answered: seats, holds that
//! expired, and the numbers of the day (contract/domain.md 9).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use tiketi_engine::ids::{EventIndex, Lsn, UnixMillis, UserIndex};
use tiketi_engine::record::{EndReason, PaymentMethod, Record};
use tiketi_engine::state::{Event, OrderState};
use tiketi_persistence::batch::BatchDefect;
use tiketi_persistence::{CommitStream, WhenFull};

use crate::api::Id;
use crate::api::payments::{METHODS, method_id};
use crate::app::App;
use crate::instants::on_seoul_day;

const TICK: Duration = Duration::from_secs(1);
/// The numbers of the day are counted again every so many ticks.
const TICKS_A_DAY_COUNT: u64 = 60;
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
/// Batches that may wait for the counting thread; beyond them it misses some.
const BATCHES_MAX: usize = 1_024;

/// Keeps the gauges fresh until it is dropped.
pub(crate) async fn keep(app: Arc<App>) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut seen: Vec<Lsn> = Vec::new();
    for ticks in 0.. {
        tick.tick().await;
        count_seats(&app, &mut seen);
        if ticks % TICKS_A_DAY_COUNT == 0 {
            let app = Arc::clone(&app);
            // It looks at every order. Metrics never fail anything: a panic leaves them as they are.
            let _ = tokio::task::spawn_blocking(move || count_day(&app)).await;
        }
    }
}

/// Sets the seat gauges of the events that have changed. `seen` is where each was counted last.
fn count_seats(app: &App, seen: &mut Vec<Lsn>) {
    app.view.read(|state| {
        seen.resize(state.events().len(), Lsn::ZERO);
        for (index, (event, seen)) in state.events().iter().zip(seen).enumerate() {
            let Some(metrics) = app.metrics.labelled_event(EventIndex(index as u32)) else { break };
            if *seen == event.inventory_lsn() {
                continue;
            }
            *seen = event.inventory_lsn();
            let sum = |part: fn(&tiketi_engine::state::SectionCounts) -> u32| -> i64 {
                event.counts().iter().map(|counts| i64::from(part(counts))).sum()
            };
            metrics.seats_available.set(sum(|counts| counts.available));
            metrics.seats_reserved.set(sum(|counts| counts.held) + sum(|counts| counts.sold));
        }
    });
}

/// What happened since this Seoul midnight, and in the last 24 hours.
#[derive(Default)]
struct Day {
    revenue_today: u64,
    payments_today: u64,
    created: u64,
    completed: u64,
    buyers: HashSet<UserIndex>,
    payers: HashSet<UserIndex>,
    by_method: HashMap<PaymentMethod, u64>,
}

fn count_day(app: &App) {
    let now = app.clock.now();
    let midnight = on_seoul_day(now, 0, (0, 0, 0)).unwrap_or(now);
    let since = UnixMillis(now.0.saturating_sub(DAY_MS));
    let metrics = &app.metrics.daily;
    let mut day = Day::default();
    let mut of_events = Vec::new();
    let events = app.view.read(|state| state.events().len());
    for index in 0..events as u32 {
        // One lock for each event: the log's followers wait meanwhile.
        let of_event = app.view.read(|state| {
            let event = state.event(EventIndex(index))?;
            let (count, sum) = day.add(event, midnight, since);
            (count > 0 && !event.cancelled).then(|| (event.details.title.clone(), count, sum))
        });
        of_events.extend(of_event.map(|found| (Id::from(EventIndex(index)).to_string(), found)));
    }
    metrics.revenue_today.set(day.revenue_today as f64);
    metrics.payments_today.set(day.payments_today as f64);
    metrics.conversion_rate.set(percent(day.completed, day.created));
    for method in METHODS {
        let count = day.by_method.get(&method).copied().unwrap_or_default();
        metrics.payment_method_count_24h.with_label_values(&[method_id(method)]).set(count as f64);
    }
    let (buyers, payers) = (day.buyers.len() as u64, day.payers.len() as u64);
    // Viewers have no name, so buyers are the whole.
    for (stage, part) in [("reservation", buyers), ("payment", payers)] {
        metrics.funnel_rate.with_label_values(&[stage]).set(percent(part, buyers));
    }
    for family in
        [&metrics.event_reservations_24h, &metrics.event_revenue_24h, &metrics.event_avg_price]
    {
        family.reset();
    }
    for (id, (title, count, sum)) in of_events.iter().take(1_000) {
        let labels = [id.as_str(), title.as_str()];
        metrics.event_reservations_24h.with_label_values(&labels).set(*count as f64);
        metrics.event_revenue_24h.with_label_values(&labels).set(*sum as f64);
        metrics.event_avg_price.with_label_values(&labels).set(*sum as f64 / *count as f64);
    }
}

fn percent(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { 100.0 * part as f64 / whole as f64 }
}

impl Day {
    /// Adds an event's orders. Answers with how many were paid in the last 24 hours, and their sum.
    fn add(&mut self, event: &Event, midnight: UnixMillis, since: UnixMillis) -> (u64, u64) {
        let (mut count, mut sum) = (0, 0);
        for (_, order) in event.orders() {
            if order.held_at >= since {
                self.created += 1;
                self.buyers.insert(order.user);
            }
            let paid = order.payment.filter(|_| order.state == OrderState::Paid);
            let Some((payment, at)) = paid.and_then(|paid| Some((paid, paid.paid_at?))) else {
                continue;
            };
            let won = event.amount(&order.claim);
            if at >= midnight {
                self.revenue_today += won;
                self.payments_today += 1;
            }
            if at >= since {
                count += 1;
                sum += won;
                self.completed += 1;
                self.payers.insert(order.user);
                *self.by_method.entry(payment.method).or_default() += 1;
            }
        }
        (count, sum)
    }
}

/// Counts holds that expired, on a thread of its own. It ends with the log, or with the app.
///
/// # Errors
/// The system starts no thread.
pub(crate) fn count_expired(commits: &CommitStream, app: Weak<App>) -> std::io::Result<()> {
    let commits = commits.clone();
    let mut subscription = commits.subscribe(BATCHES_MAX, WhenFull::Disconnect);
    let count = move || {
        loop {
            for batch in &subscription.batches {
                let Some(app) = app.upgrade() else { return };
                // Damaged memory is for the view to find.
                let _ = batch.records(|_, record| {
                    if let Record::OrderEnded { order, reason: EndReason::Expired, .. } = record {
                        app.metrics.event(order.event).reservations_expired.inc();
                    }
                    Ok::<(), BatchDefect>(())
                });
            }
            // Too slow for a moment, or the log is closed.
            let Some(app) = app.upgrade() else { return };
            if app.is_poisoned() {
                return;
            }
            subscription = commits.subscribe(BATCHES_MAX, WhenFull::Disconnect);
        }
    };
    std::thread::Builder::new().name("tiketi-statistics".to_owned()).spawn(count)?;
    Ok(())
}
