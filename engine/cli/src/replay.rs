//! `tiketi log replay`: the engine's own fold, up to a record.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};
use tiketi_engine::ids::{EventIndex, ExternalId, Lsn, ReservationId, reservation_number};
use tiketi_engine::record::{Claim, EndReason};
use tiketi_engine::state::{Event, Order, OrderState, SectionCounts, State};
use tiketi_gateway::api::payments::method_id;
use tiketi_gateway::api::{Id, role_name};
use tiketi_persistence::LogReader;

use crate::data::{open, snapshots, storage_failure};
use crate::describe::{instant, reason_name};
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::text::{Align, Table, fields, number, seoul_exact, won};

/// See `tiketi log replay`.
#[derive(Args)]
pub(crate) struct ReplayArgs {
    /// A gateway's data directory
    dir: PathBuf,
    /// The last record to fold in [default: the last there is]
    #[arg(long, value_name = "LSN")]
    until: Option<u64>,
    /// Print everything, as JSON
    #[arg(long)]
    full: bool,
}

pub(crate) fn run(args: &ReplayArgs, output: &Output) -> Result<Exit, Failure> {
    let reader = open(&args.dir)?;
    let state = fold(&reader, args.until.map(Lsn))?;
    if let Err(why) = state.check() {
        let text = format!("the state at record {} contradicts itself: {why}", state.lsn());
        return Err(Failure::new(Exit::Damaged, "UNSOUND", text));
    }
    match args.full {
        true => output.document(&full(&state))?,
        false => output.either(&summary(&state), |output| show(output, &state))?,
    }
    Ok(Exit::Ok)
}

/// Folds from the newest snapshot that is not past `until`, or from nothing.
fn fold(reader: &LogReader, until: Option<Lsn>) -> Result<State, Failure> {
    let progress = Progress::new("folding");
    let wanted = until.unwrap_or(Lsn(u64::MAX));
    let usable = snapshots(reader)?.into_iter().filter_map(Result::ok);
    let mut state = usable.filter(|state| state.lsn() <= wanted).last().unwrap_or_default();
    for record in reader.records() {
        let record = record.map_err(storage_failure)?;
        if record.lsn <= state.lsn() {
            continue;
        }
        if record.lsn > wanted {
            break;
        }
        if state.lsn() == Lsn::ZERO && record.lsn != Lsn(1) {
            let text = format!(
                "the log begins at record {}: what came before is in a snapshot, so it cannot be \
                 replayed up to an earlier record",
                record.lsn
            );
            return Err(Failure::new(Exit::Refused, "LOG_BEGINS_LATER", text));
        }
        state.apply(record.lsn, &record.record).map_err(|error| {
            Failure::new(Exit::Damaged, "DAMAGED", format!("{error}; run `tiketi log verify`"))
        })?;
        progress.add(1);
    }
    match until {
        Some(until) if state.lsn() < until => {
            let text = format!("the log ends at record {}, before {until}", state.lsn());
            Err(Failure::not_found(text))
        }
        _ => Ok(state),
    }
}

/// Orders of an event, by state.
#[derive(Default)]
struct OrderSums {
    held: u64,
    paying: u64,
    awaiting_deposit: u64,
    paid: u64,
    expired: u64,
    cancelled: u64,
    revenue: u64,
}

impl OrderSums {
    fn of(event: &Event) -> OrderSums {
        let mut sums = OrderSums::default();
        for (_, order) in event.orders() {
            match order.state {
                OrderState::Held => sums.held += 1,
                OrderState::Paying => sums.paying += 1,
                OrderState::AwaitingDeposit => sums.awaiting_deposit += 1,
                OrderState::Paid => {
                    sums.paid += 1;
                    sums.revenue += event.amount(&order.claim);
                }
                OrderState::Ended { reason: EndReason::Expired, .. } => sums.expired += 1,
                OrderState::Ended { .. } => sums.cancelled += 1,
            }
        }
        sums
    }

    fn json(&self) -> Value {
        let live = self.held + self.paying + self.awaiting_deposit + self.paid;
        json!({
            "total": live + self.expired + self.cancelled,
            "held": self.held, "paying": self.paying,
            "awaitingDeposit": self.awaiting_deposit, "paid": self.paid,
            "expired": self.expired, "cancelled": self.cancelled,
        })
    }
}

fn seat_sums(event: &Event) -> SectionCounts {
    let mut sums = SectionCounts::default();
    for counts in event.counts() {
        sums.capacity += counts.capacity;
        sums.available += counts.available;
        sums.held += counts.held;
        sums.sold += counts.sold;
        sums.blocked += counts.blocked;
    }
    sums
}

fn seats_json(counts: &SectionCounts) -> Value {
    json!({
        "total": counts.capacity, "available": counts.available, "held": counts.held,
        "sold": counts.sold, "blocked": counts.blocked,
    })
}

fn event_summary((index, event): (usize, &Event)) -> Value {
    let orders = OrderSums::of(event);
    json!({
        "id": Id::from(EventIndex(index as u32)),
        "title": event.details.title,
        "cancelled": event.cancelled,
        "seats": seats_json(&seat_sums(event)),
        "ticketsInOrders": event.ticket_types.iter().map(|one| u64::from(one.in_orders)).sum::<u64>(),
        "orders": orders.json(),
        "revenue": orders.revenue,
    })
}

fn summary(state: &State) -> Value {
    let events: Vec<Value> = state.events().iter().enumerate().map(event_summary).collect();
    json!({
        "lsn": state.lsn().0,
        "epoch": state.epoch().0,
        "lastAt": instant(state.last_at()),
        "users": state.users().len(),
        "layouts": state.layouts().len(),
        "keywords": state.keywords().len(),
        "events": events,
    })
}

fn show(output: &Output, state: &State) -> String {
    let mut text = fields(
        output,
        &[
            ("record", format!("{}, epoch {}", number(state.lsn().0), state.epoch())),
            ("last instant", seoul_exact(state.last_at())),
            ("users", number(state.users().len() as u64)),
            ("layouts", number(state.layouts().len() as u64)),
            ("events", number(state.events().len() as u64)),
        ],
    );
    let mut table = Table::new(&[
        ("EVENT", Align::Right),
        ("TITLE", Align::Left),
        ("SEATS", Align::Right),
        ("FREE", Align::Right),
        ("HELD", Align::Right),
        ("SOLD", Align::Right),
        ("BLOCKED", Align::Right),
        ("TICKETS", Align::Right),
        ("ORDERS", Align::Right),
        ("PAID", Align::Right),
        ("REVENUE", Align::Right),
    ])
    .flexible(1);
    for (index, event) in state.events().iter().enumerate() {
        let (seats, orders) = (seat_sums(event), OrderSums::of(event));
        let seat_counts = [seats.capacity, seats.available, seats.held, seats.sold, seats.blocked];
        let [all, free, held, sold, blocked] = seat_counts.map(|count| number(count.into()));
        let called_off = if event.cancelled { " (called off)" } else { "" };
        let tickets = event.ticket_types.iter().map(|one| u64::from(one.in_orders)).sum();
        table.row([
            index.to_string(),
            format!("{}{called_off}", event.details.title),
            all,
            free,
            held,
            sold,
            blocked,
            number(tickets),
            number(event.orders().count() as u64),
            number(orders.paid),
            won(orders.revenue),
        ]);
    }
    if !table.is_empty() {
        text.push('\n');
        text.push_str(&table.render(output));
    }
    text
}

/// Everything but password hashes and idempotency keys.
fn full(state: &State) -> Value {
    let mut document = summary(state);
    let users = state.users().iter().map(|user| {
        json!({
            "id": Id::from(user.id), "email": user.email, "name": user.name, "phone": user.phone,
            "role": role_name(user.role), "createdAt": instant(user.created_at),
        })
    });
    let layouts = state.layouts().iter().map(|layout| {
        json!({ "name": layout.name, "description": layout.description, "sections": layout.sections })
    });
    let events = state.events().iter().enumerate().map(|(index, event)| {
        let index = EventIndex(index as u32);
        let mut full = event_summary((index.position(), event));
        let sections = event.sections().iter().zip(event.counts());
        full["details"] = json!(event.details);
        full["rules"] = json!(event.rules);
        full["layout"] = json!(event.layout);
        full["createdAt"] = instant(event.created_at);
        full["updatedAt"] = instant(event.updated_at);
        full["ticketTypes"] = json!(event.ticket_types);
        full["blocks"] = json!(event.blocks());
        full["sections"] = sections
            .map(|(section, counts)| json!({ "name": section.name, "seats": seats_json(counts) }))
            .collect();
        full["orderList"] =
            event.orders().map(|(number, order)| order_json(index, number, order, event)).collect();
        full
    });
    document["users"] = users.collect();
    document["layouts"] = layouts.collect();
    document["keywords"] = json!(state.keywords());
    document["events"] = events.collect();
    document
}

fn order_json(
    event_index: EventIndex,
    number: tiketi_engine::ids::OrderNumber,
    order: &Order,
    event: &Event,
) -> Value {
    let id = ReservationId { event: event_index, slot: order.slot, order: number };
    let (state, reason, ended_at) = match order.state {
        OrderState::Held => ("held", None, None),
        OrderState::Paying => ("paying", None, None),
        OrderState::AwaitingDeposit => ("awaiting_deposit", None, None),
        OrderState::Paid => ("paid", None, None),
        OrderState::Ended { reason, at } => ("ended", Some(reason_name(reason)), Some(instant(at))),
    };
    let claim = match &order.claim {
        Claim::Seats(seats) => json!({ "seats": seats }),
        Claim::Tickets(lines) => json!({ "tickets": lines }),
    };
    let payment = order.payment.map(|payment| {
        json!({
            "attempt": payment.attempt.0, "method": method_id(payment.method),
            "startedAt": instant(payment.started_at), "paidAt": payment.paid_at.map(instant),
        })
    });
    json!({
        "id": Id::from(ExternalId::Reservation(id)),
        "number": reservation_number(order.held_at, order.held_lsn),
        "order": number.0,
        "user": order.user.0,
        "claim": claim,
        "amount": event.amount(&order.claim),
        "heldAt": instant(order.held_at),
        "heldLsn": order.held_lsn.0,
        "expiresAt": order.expires_at.map(instant),
        "state": state,
        "endReason": reason,
        "endedAt": ended_at,
        "payment": payment,
    })
}
