//! What was sold and given back, by Seoul day or by event.
//!
//! A sale counts on the day it was paid, with all that was bought; a refund on the day it came to be
//! owed, or the provider gave it back without being asked. Of the refunds, those that have not reached
//! the buyer are shown beside them. An order that an administrator confirmed again after it had ended
//! is a sale of that later day alone.

pub(crate) mod csv;
mod table;
pub(crate) mod xlsx;

use std::collections::BTreeMap;
use std::ops::Range;

use tiketi_engine::ids::{ChargeIndex, EventIndex, UnixMillis};
use tiketi_engine::money::{Charge, ChargeState, PointsKind, Refund};
use tiketi_engine::record::OrderRef;
use tiketi_engine::state::{Event, Order, OrderState, State};

use crate::api::reports::{SalesBy, SalesReport, SalesRow, SalesSums};
use crate::app::App;
use crate::instants::{seoul_day, seoul_midnight};

/// What is asked for.
pub(crate) struct Wanted {
    pub(crate) span: Range<UnixMillis>,
    /// One event, or all.
    pub(crate) event: Option<EventIndex>,
    pub(crate) by: SalesBy,
}

/// Sums by what a row stands for: when a day began, or an event's index.
type Sums = BTreeMap<u64, SalesSums>;

/// Looks at every order of every event wanted, one event at a time so that the log's followers never
/// wait long. Call it off the threads that serve.
pub(crate) fn make(app: &App, wanted: &Wanted) -> SalesReport {
    let mut sums = Sums::new();
    let events = app.view.read(|state| state.events().len() as u32);
    let all = 0..events;
    let events = wanted.event.map_or(all, |event| event.0..event.0.saturating_add(1));
    for index in events.map(EventIndex) {
        app.view.read(|state| add_event(&mut sums, state, index, wanted));
    }
    let rows: Vec<SalesRow> = app.view.read(|state| {
        sums.into_iter().map(|(key, sums)| row(state, wanted.by, key, sums)).collect()
    });
    let mut totals = SalesSums::default();
    for row in &rows {
        totals.orders += row.sums.orders;
        totals.tickets += row.sums.tickets;
        totals.gross += row.sums.gross;
        totals.refunds += row.sums.refunds;
        totals.refunds_owed += row.sums.refunds_owed;
    }
    let Range { start, end } = wanted.span;
    SalesReport {
        from: (start > UnixMillis(0)).then(|| seoul_day(start)).flatten(),
        to: seoul_day(UnixMillis(end.0.saturating_sub(1))),
        by: wanted.by,
        rows,
        totals: with_net(totals),
    }
}

/// `tiketi-sales-2026-11-01-2026-11-30.csv`; an open end is left out.
pub(crate) fn file_name(report: &SalesReport, suffix: &str) -> String {
    let days = [&report.from, &report.to].into_iter().flatten();
    let days: String = days.map(|day| format!("-{day}")).collect();
    format!("tiketi-sales{days}.{suffix}")
}

fn add_event(sums: &mut Sums, state: &State, index: EventIndex, wanted: &Wanted) {
    // Orders outlive an event that is deleted.
    let Some(event) = state.event_of_orders(index) else { return };
    let key = |at: UnixMillis| match wanted.by {
        SalesBy::Day => seoul_midnight(at).0,
        SalesBy::Event => u64::from(index.0),
    };
    for (number, order) in event.orders() {
        let Some(sale) = Sale::of(state, event, OrderRef { event: index, number }, order) else {
            continue;
        };
        if wanted.span.contains(&sale.at) {
            let sums = sums.entry(key(sale.at)).or_default();
            sums.orders += 1;
            sums.tickets += sale.tickets;
            sums.gross += sale.won;
        }
        for refund in sale.refunds.into_iter().filter(|one| wanted.span.contains(&one.at)) {
            let sums = sums.entry(key(refund.at)).or_default();
            sums.refunds += refund.won;
            sums.refunds_owed += if refund.is_owed { refund.won } else { 0 };
        }
    }
}

fn row(state: &State, by: SalesBy, key: u64, sums: SalesSums) -> SalesRow {
    let sums = with_net(sums);
    match by {
        SalesBy::Day => {
            SalesRow { day: seoul_day(UnixMillis(key)), event_id: None, event_title: None, sums }
        }
        SalesBy::Event => {
            let index = EventIndex(key as u32);
            let title = state.event_of_orders(index).map(|event| event.details.title.clone());
            SalesRow { day: None, event_id: Some(index.into()), event_title: title, sums }
        }
    }
}

fn with_net(sums: SalesSums) -> SalesSums {
    SalesSums { net: sums.gross.cast_signed() - sums.refunds.cast_signed(), ..sums }
}

/// An order that was paid.
struct Sale {
    at: UnixMillis,
    tickets: u64,
    won: u64,
    refunds: Vec<Back>,
}

/// Money of a sale that went back, or is owed.
struct Back {
    at: UnixMillis,
    won: u64,
    is_owed: bool,
}

impl Sale {
    fn of(state: &State, event: &Event, id: OrderRef, order: &Order) -> Option<Sale> {
        let payment = order.payment?;
        let at = payment.paid_at?;
        let ended_at = match order.state {
            OrderState::Ended { at, .. } => Some(at),
            OrderState::Held
            | OrderState::Paying
            | OrderState::AwaitingDeposit
            | OrderState::Paid => None,
        };
        let ledger = state.ledger();
        let charge = ledger.of_order(id).iter().copied().find(|&index| {
            ledger.charge(index).is_some_and(|charge| {
                charge.attempt == payment.attempt
                    && matches!(charge.state, ChargeState::Captured | ChargeState::Reversed)
            })
        });
        let (won, refunds) = match charge {
            Some(index) => through_a_provider(state, index, ended_at)?,
            // Simulated: all of it, and all of it back.
            None => {
                let won = event.amount(&order.claim);
                (won, ended_at.map(|at| gone(at, won)).into_iter().collect())
            }
        };
        let tickets = order.claim.count() + u64::from(event.returned_of(id.number));
        Some(Sale { at, tickets, won, refunds })
    }
}

/// What a charge brought in, and what of it went back when.
fn through_a_provider(
    state: &State,
    index: ChargeIndex,
    ended_at: Option<UnixMillis>,
) -> Option<(u64, Vec<Back>)> {
    let ledger = state.ledger();
    let charge = ledger.charge(index)?;
    let back = |refund: &Refund| Back { is_owed: refund.is_owed(), ..gone(refund.at, refund.card) };
    let mut refunds: Vec<Back> = ledger.refunds_of(index).map(back).collect();
    refunds.extend(elsewhere(charge));
    let history = ledger.account(charge.user).map_or(&[][..], |account| &account.history);
    let points = history.iter().filter(|row| row.charge == index && row.kind == PointsKind::Refund);
    refunds.extend(points.map(|row| gone(row.at, row.amount.unsigned_abs())));
    if let (ChargeState::Reversed, Some(at)) = (charge.state, ended_at) {
        let before = charge.returned.card + charge.elsewhere();
        refunds.push(gone(at, charge.amount.card.saturating_sub(before)));
    }
    Some((charge.amount.total(), refunds))
}

fn gone(at: UnixMillis, won: u64) -> Back {
    Back { at, won, is_owed: false }
}

/// What the provider gave back without being asked, less what of it failed afterwards.
fn elsewhere(charge: &Charge) -> Vec<Back> {
    let mut all: Vec<Back> = Vec::new();
    for one in &charge.elsewhere {
        match u64::try_from(one.card) {
            Ok(won) => all.push(gone(one.at, won)),
            Err(_) => {
                let mut failed = one.card.unsigned_abs();
                for back in all.iter_mut().rev() {
                    let less = failed.min(back.won);
                    back.won -= less;
                    failed -= less;
                }
            }
        }
    }
    all
}
