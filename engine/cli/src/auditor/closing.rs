//! The end of the log: sums, sales and what should be over by now, and the summary.

use std::collections::BTreeMap;

use serde::Serialize;
use tiketi_engine::ids::{EventIndex, Lsn, UnixMillis};
use tiketi_engine::record::EndReason;

use super::finding::{Finding, Rule};
use super::model::{ClaimModel, EventModel, Life, OrderModel, Seat, order_name};
use super::money::{MoneySums, PointsSums, Waiting};
use super::orders::not_on_sale;
use super::terms::paid_late;
use super::{Auditor, SWEEP_MS};

/// What an audit came to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Report {
    /// Whether nothing was found.
    pub(crate) ok: bool,
    /// By position; the first of them where there are many.
    pub(crate) findings: Vec<Finding>,
    /// How many there were.
    pub(crate) findings_total: u64,
    /// What the log holds.
    pub(crate) summary: Summary,
}

/// What a log holds, as the auditor counts it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Summary {
    pub(crate) first_lsn: u64,
    pub(crate) last_lsn: u64,
    pub(crate) records: u64,
    pub(crate) epoch: u64,
    pub(crate) users: usize,
    pub(crate) layouts: usize,
    pub(crate) events: usize,
    pub(crate) seats: SeatSums,
    pub(crate) tickets: TicketSums,
    pub(crate) orders: OrderSums,
    /// Won of all orders that are paid now.
    pub(crate) revenue: u64,
    /// By provider.
    pub(crate) money: BTreeMap<&'static str, MoneySums>,
    /// Of all accounts.
    pub(crate) points: PointsSums,
    /// Payments that have a next step.
    pub(crate) waiting: Waiting,
}

/// Seats of all events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeatSums {
    pub(crate) capacity: u64,
    pub(crate) free: u64,
    pub(crate) held: u64,
    pub(crate) sold: u64,
    pub(crate) blocked: u64,
}

/// Tickets of all types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TicketSums {
    pub(crate) total: u64,
    pub(crate) for_sale: u64,
    pub(crate) in_orders: u64,
}

/// Orders by where they are in their life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OrderSums {
    pub(crate) made: u64,
    pub(crate) held: u64,
    pub(crate) paying: u64,
    pub(crate) awaiting_deposit: u64,
    pub(crate) paid: u64,
    pub(crate) ended: Ends,
    /// Of the ended ones, how many had been paid.
    pub(crate) ended_after_payment: u64,
}

/// Ended orders by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Ends {
    pub(crate) expired: u64,
    pub(crate) cancelled_by_user: u64,
    pub(crate) cancelled_by_admin: u64,
    pub(crate) event_cancelled: u64,
}

impl Auditor {
    /// Looks at what the log amounts to.
    pub(crate) fn finish(mut self) -> Report {
        self.check_charges();
        let mut summary = Summary {
            first_lsn: self.first_lsn.unwrap_or_default().0,
            last_lsn: self.lsn.0,
            records: self.records,
            epoch: self.epoch,
            users: self.users.len(),
            layouts: self.layouts.len(),
            events: self.events.len(),
            ..Summary::default()
        };
        let mut found = Vec::new();
        for (position, event) in self.events.iter().enumerate() {
            let index = EventIndex(position as u32);
            for &(lsn, number, _) in &event.doubtful {
                let (rule, text) = not_on_sale(index, number);
                found.push((lsn, rule, text));
            }
            for &(lsn, number, _) in &event.late {
                let (rule, text) = paid_late(index, number);
                found.push((lsn, rule, text));
            }
            sums(index, event, &mut summary, &mut found);
            sales(index, event, &mut found);
            overdue(index, event, (self.epoch_at, self.latest_at), &mut found);
        }
        let (money, stuck) = self.money_sums();
        summary.money = money;
        summary.points = self.points_sums();
        summary.waiting = self.waiting();
        found.extend(self.unpaid_for());
        found.extend(stuck.into_iter().map(|(rule, text)| (self.lsn, rule, text)));
        for (lsn, rule, text) in found {
            self.findings.add(lsn, rule, text);
        }
        let (findings, findings_total) = self.findings.finish();
        Report { ok: findings_total == 0, findings, findings_total, summary }
    }
}

/// Free seats from the map, held and sold ones from the orders: they must make up the section.
fn sums(
    index: EventIndex,
    event: &EventModel,
    summary: &mut Summary,
    found: &mut Vec<(Lsn, Rule, String)>,
) {
    let (mut held, mut sold) = (vec![0_u64; event.sections.len()], vec![0; event.sections.len()]);
    let mut in_orders = vec![0_u64; event.tickets.len()];
    for order in event.orders.values() {
        count_order(order, &mut summary.orders);
        if !order.life.is_live() {
            continue;
        }
        if order.life == Life::Paid {
            summary.revenue += event.amount(&order.claim);
        }
        match &order.claim {
            ClaimModel::Seats(seats) => {
                for seat in seats {
                    let of = if order.life == Life::Paid { &mut sold } else { &mut held };
                    if let Some(section) = section_position(event, *seat) {
                        of[section] += 1;
                    }
                }
            }
            ClaimModel::Tickets(lines) => {
                for line in lines {
                    if let Some(sum) = in_orders.get_mut(line.ticket_type.position()) {
                        *sum += u64::from(line.quantity);
                    }
                }
            }
        }
    }
    for (position, section) in event.sections.iter().enumerate() {
        let seats = &event.seats[section.first_seat..section.first_seat + section.seats];
        let count = |wanted: Seat| seats.iter().filter(|&&seat| seat == wanted).count() as u64;
        let (free, blocked) = (count(Seat::Free), count(Seat::Blocked));
        if event.seats_removed {
            continue;
        }
        let capacity = section.seats as u64;
        let sum = free + held[position] + sold[position] + blocked;
        if sum != capacity {
            let text = format!(
                "section {} of event {index} ({}): {free} free + {} held + {} sold + {blocked} \
                 blocked = {sum}, capacity {capacity}",
                section.name, event.title, held[position], sold[position]
            );
            found.push((event.created_lsn, Rule::Sum, text));
        }
        summary.seats.capacity += capacity;
        summary.seats.free += free;
        summary.seats.held += held[position];
        summary.seats.sold += sold[position];
        summary.seats.blocked += blocked;
    }
    for (ticket, &sum) in event.tickets.iter().zip(&in_orders) {
        if sum != ticket.in_orders || sum > ticket.for_sale {
            let text = format!(
                "ticket type {} of event {index} ({}): {sum} in orders, {} counted, {} for sale",
                ticket.name, event.title, ticket.in_orders, ticket.for_sale
            );
            found.push((event.created_lsn, Rule::Sum, text));
        }
        summary.tickets.total += ticket.total;
        summary.tickets.for_sale += ticket.for_sale;
        summary.tickets.in_orders += sum;
    }
}

fn section_position(event: &EventModel, seat: usize) -> Option<usize> {
    let after = event.sections.partition_point(|section| section.first_seat <= seat);
    (seat < event.seats.len()).then(|| after.checked_sub(1)).flatten()
}

fn count_order(order: &OrderModel, sums: &mut OrderSums) {
    sums.made += 1;
    match order.life {
        Life::Held => sums.held += 1,
        Life::Paying => sums.paying += 1,
        Life::AwaitingDeposit => sums.awaiting_deposit += 1,
        Life::Paid => sums.paid += 1,
        Life::Ended(reason) => {
            sums.ended_after_payment += u64::from(order.was_paid);
            match reason {
                EndReason::Expired => sums.ended.expired += 1,
                EndReason::CancelledByUser => sums.ended.cancelled_by_user += 1,
                EndReason::CancelledByAdmin => sums.ended.cancelled_by_admin += 1,
                EndReason::EventCancelled => sums.ended.event_cancelled += 1,
            }
        }
    }
}

/// Every seat with an owner belongs to a live order that claims it, and the other way round.
fn sales(index: EventIndex, event: &EventModel, found: &mut Vec<(Lsn, Rule, String)>) {
    for (&number, order) in event.orders.iter().filter(|(_, order)| order.life.is_live()) {
        let ClaimModel::Seats(seats) = &order.claim else {
            continue;
        };
        for &seat in seats {
            if event.seats.get(seat) != Some(&Seat::Owned(number)) {
                let (name, label) = (order_name(index, number), event.label(seat));
                let text = format!("{name} is {} but does not own {label}", order.life.name());
                found.push((order.held_lsn, Rule::SaleWithoutOrder, text));
            }
        }
    }
    for (seat, owner) in event.seats.iter().enumerate() {
        let Seat::Owned(number) = owner else { continue };
        let order = event.orders.get(number);
        let claims = order.is_some_and(|order| {
            let claimed = matches!(&order.claim, ClaimModel::Seats(seats) if seats.contains(&seat));
            claimed && order.life.is_live()
        });
        if !claims {
            let (name, label) = (order_name(index, *number), event.label(seat));
            let text = format!("{label} of event {index} is taken, but {name} does not claim it");
            let lsn = order.map_or(event.created_lsn, |order| order.held_lsn);
            found.push((lsn, Rule::SaleWithoutOrder, text));
        }
    }
}

/// Holds past their deadline and orders of called-off events end soon, unless the log does.
fn overdue(
    index: EventIndex,
    event: &EventModel,
    (epoch_at, latest_at): (UnixMillis, UnixMillis),
    found: &mut Vec<(Lsn, Rule, String)>,
) {
    for (&number, order) in &event.orders {
        let since = epoch_at.max(order.changed_at);
        let late = |due: UnixMillis| due.max(since).plus(SWEEP_MS) < latest_at;
        let name = || order_name(index, number);
        match order.life {
            Life::Ended(_) | Life::Paying | Life::AwaitingDeposit => {}
            Life::Held | Life::Paid if event.cancelled_at.is_some_and(late) => {
                let text = format!("{} still lives long after its event was called off", name());
                found.push((order.held_lsn, Rule::Overdue, text));
            }
            Life::Held if order.expires_at.is_some_and(late) => {
                let text = format!("{} is still held long after its deadline", name());
                found.push((order.held_lsn, Rule::Overdue, text));
            }
            Life::Held | Life::Paid => {}
        }
    }
}
