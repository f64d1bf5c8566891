//! `tiketi payments`: list, reconcile.

use clap::Subcommand;
use serde_json::json;
use tiketi_gateway::api::toss::{ChargeAnswer, ChargeList, ReconcileAnswer};

use crate::client::{Client, query_value};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::text::{Align, Table, number, seoul, won};

/// What to do with payments through a provider.
#[derive(Subcommand)]
pub(crate) enum PaymentsCommand {
    /// List payments, newest first
    List {
        /// Only those that are open, confirming, waiting_for_deposit, paid, failed, reversed,
        /// refunding or refunded; unknown for those whose outcome nobody knows yet
        #[arg(long)]
        state: Option<String>,
        /// Which page of 50
        #[arg(long, default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
        page: u64,
    },
    /// Ask the provider about everything that is not settled, and again for refused refunds
    Reconcile,
}

pub(crate) fn run(
    command: &PaymentsCommand,
    client: &dyn Fn() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    let client = client()?;
    match command {
        PaymentsCommand::List { state, page } => {
            let state = query_value(state.as_deref().unwrap_or_default());
            let path = format!("/api/admin/payments?state={state}&page={page}");
            let answer: ChargeList = client.admin_get(&path)?;
            output.either(&answer, |output| listed(output, &answer))?;
        }
        PaymentsCommand::Reconcile => {
            let answer: ReconcileAnswer =
                client.admin_post("/api/admin/payments/reconcile", &json!({}))?;
            output.either(&answer, |output| {
                format!(
                    "{} {} payments, {} refunds ({} of them refused before)\n",
                    output.paint(Paint::Green, "asking about"),
                    number(answer.unknown as u64),
                    number(answer.refunds_due as u64),
                    number(answer.refunds_again as u64)
                )
            })?;
        }
    }
    Ok(Exit::Ok)
}

fn listed(output: &Output, answer: &ChargeList) -> String {
    if answer.payments.is_empty() {
        return "no payments\n".to_owned();
    }
    let mut table = Table::new(&[
        ("ORDER ID", Align::Left),
        ("STATE", Align::Left),
        ("CARD", Align::Right),
        ("POINTS", Align::Right),
        ("ASKED FOR", Align::Left),
        ("LAST ANSWER", Align::Left),
    ]);
    for charge in &answer.payments {
        let last = charge.trail.iter().flatten().last();
        let last = last.map(|line| format!("{} {} {}", line.call, line.status, line.code));
        table.row([
            charge.order_id.clone(),
            charge.status.clone(),
            won(charge.amount),
            number(charge.point_used),
            seoul(charge.requested_at.0),
            last.unwrap_or_default(),
        ]);
    }
    let pages = &answer.pagination;
    let rest =
        format!("page {} of {}, {} payments\n", pages.page, pages.total_pages, number(pages.total));
    table.render(output) + &rest
}

/// The charges of an order with their trails, for `tiketi order show`.
pub(crate) fn trails(output: &Output, charges: &[ChargeAnswer]) -> String {
    let mut table = Table::new(&[
        ("PAYMENT", Align::Left),
        ("STATE", Align::Left),
        ("AMOUNT", Align::Right),
        ("WHEN", Align::Left),
        ("ASKED", Align::Left),
        ("ANSWER", Align::Left),
    ]);
    for charge in charges {
        table.row([
            charge.order_id.clone(),
            charge.status.clone(),
            won(charge.amount + charge.point_used),
            seoul(charge.requested_at.0),
            "opened".to_owned(),
            String::new(),
        ]);
        for line in charge.trail.iter().flatten() {
            let answer = match line.status {
                0 => format!("no answer: {}", line.code),
                status => format!("{status} {}", line.code),
            };
            let blank = String::new;
            table.row([blank(), blank(), blank(), seoul(line.at.0), line.call.clone(), answer]);
        }
    }
    table.render(output)
}
