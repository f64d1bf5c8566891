//! `tiketi order`: show, cancel.

use clap::Subcommand;
use tiketi_gateway::api::Id;
use tiketi_gateway::api::admin::{
    EndReason, OrderAnswer, OrderCancelledAnswer, OrderDetail, OrderState,
};

use crate::client::{Client, segment};
use crate::confirm::confirm;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::payments::trails;
use crate::text::{Align, Table, fields, number, seoul, won};

/// What to do with orders.
#[derive(Subcommand)]
pub(crate) enum OrderCommand {
    /// Show the whole life of an order
    Show {
        /// Id, or number such as TK1795196714996ROJ1Q
        order: String,
    },
    /// Cancel an order, paid or not; a paid one is refunded
    Cancel {
        /// Id, or number such as TK1795196714996ROJ1Q
        order: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
}

pub(crate) fn run(
    command: &OrderCommand,
    client: &dyn Fn() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    let client = client()?;
    let get = |order: &str| {
        client.admin_get::<OrderAnswer>(&format!("/api/admin/orders/{}", segment(order)))
    };
    match command {
        OrderCommand::Show { order } => {
            let answer = get(order)?;
            output.either(&answer, |output| show(output, &answer.order))?;
        }
        OrderCommand::Cancel { order, yes } => {
            let order = get(order)?.order;
            let question = format!(
                "Cancel {} of {} ({}, {})?",
                order.reservation_number,
                order.user_email,
                order.event_title,
                won(order.total_amount)
            );
            confirm(output, *yes, &question)?;
            let path = format!("/api/admin/orders/{}/cancel", order.id);
            let answer: OrderCancelledAnswer = client.admin_post(&path, &serde_json::json!({}))?;
            output.either(&answer, |output| {
                let done = output.paint(Paint::Green, "cancelled");
                format!("{done}\n{}", show(output, &answer.order))
            })?;
        }
    }
    Ok(Exit::Ok)
}

/// An event's id, or that there is none any more.
fn gone_or(event: Option<Id>) -> String {
    event.map_or_else(|| "deleted".to_owned(), |event| event.to_string())
}

fn state_name(order: &OrderDetail) -> &'static str {
    match (order.state, order.end_reason) {
        (OrderState::Held, _) => "held",
        (OrderState::Paying, _) => "being paid",
        (OrderState::AwaitingDeposit, _) => "awaiting deposit",
        (OrderState::Paid, _) => "paid",
        (OrderState::Ended, Some(EndReason::Expired)) => "ended: its deadline passed",
        (OrderState::Ended, Some(EndReason::CancelledByUser)) => "ended: cancelled by its user",
        (OrderState::Ended, Some(EndReason::CancelledByAdmin)) => {
            "ended: cancelled by an administrator"
        }
        (OrderState::Ended, Some(EndReason::EventCancelled)) => "ended: its event was called off",
        (OrderState::Ended, None) => "ended",
    }
}

fn show(output: &Output, order: &OrderDetail) -> String {
    let instant = |at: Option<tiketi_gateway::api::Timestamp>| {
        at.map_or_else(|| "-".to_owned(), |at| seoul(at.0))
    };
    let payment = order.payment.as_ref().map_or_else(
        || "none".to_owned(),
        |payment| {
            let paid = match payment.paid_at {
                Some(at) => format!("paid {}", seoul(at.0)),
                None => "not paid".to_owned(),
            };
            let begun = seoul(payment.started_at.0);
            format!("{}, attempt {} begun {begun}, {paid}", payment.method, payment.attempt)
        },
    );
    let mut text = fields(
        output,
        &[
            ("number", order.reservation_number.clone()),
            ("id", order.id.to_string()),
            ("event", format!("{} ({})", order.event_title, gone_or(order.event_id))),
            ("user", format!("{} <{}>", order.user_name, order.user_email)),
            ("state", state_name(order).to_owned()),
            ("amount", won(order.total_amount)),
            ("made", seoul(order.created_at.0)),
            ("deadline", instant(order.expires_at)),
            ("ended", instant(order.ended_at)),
            ("payment", payment),
            ("log", format!("record {}", order.lsn)),
        ],
    );
    let mut items = Table::new(&[
        ("ITEM", Align::Left),
        ("QUANTITY", Align::Right),
        ("PRICE", Align::Right),
        ("SUM", Align::Right),
    ]);
    for item in &order.items {
        items.row([
            item.ticket_type_name.clone(),
            number(item.quantity.into()),
            won(item.unit_price.into()),
            won(item.subtotal),
        ]);
    }
    text.push('\n');
    text.push_str(&items.render(output));
    if !order.charges.is_empty() {
        text.push('\n');
        text.push_str(&trails(output, &order.charges));
    }
    text
}
