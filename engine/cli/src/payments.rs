//! `tiketi payments`: list, reconcile, end, note refunds made by hand, compare with providers.

use std::time::{Duration, Instant};

use clap::Subcommand;
use clap::builder::PossibleValue;
use serde_json::json;
use tiketi_gateway::api::toss::{
    ChargeAnswer, ChargeList, CompareAnswer, CompareRequest, Compared, EndAnswer, ReconcileAnswer,
    TrailRow,
};

use crate::client::{Client, query_value, segment};
use crate::confirm::confirm;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::progress::Progress;
use crate::text::{Align, Table, clean, number, seoul, won};

/// Between two questions to a gateway that does not wait before it answers.
const ASKED_AGAIN_AFTER: Duration = Duration::from_secs(1);

const WAITING_HELP: &str = "\
What a payment waits for:
  confirmation    its buyer to confirm it; it holds nothing, and is forgotten after a day
  provider        the provider to say what became of it: it is asked again and again, `reconcile`
                  asks it now, `end` gives the payment up
  deposit         the buyer to pay into an account; `end` closes the account
  refund          the provider to give money back: it is asked again and again
  refund_account  the buyer to say where the money goes
  bank            the buyer's bank to decide a dispute; the provider gives nothing back before
  administrator   you: the provider refused to give money back. `reconcile` asks it again. Or give
                  the money back another way and note it with `refunded-by-hand`

Examples:
  tiketi payments list --state waiting
  tiketi payments list --state refund_refused";

/// What to do with payments through a provider.
#[derive(Subcommand)]
pub(crate) enum PaymentsCommand {
    /// List payments, newest first, and what each of them waits for since when
    #[command(after_help = WAITING_HELP)]
    List {
        /// Only those in a state
        #[arg(long, value_parser = states())]
        state: Option<String>,
        /// Which page of 50
        #[arg(long, default_value = "1", value_parser = clap::value_parser!(u64).range(1..))]
        page: u64,
    },
    /// Ask the provider about everything that is not settled, and again for refused refunds
    Reconcile,
    /// End a payment whose outcome the provider does not say, or whose deposit does not come
    #[command(after_help = "\
Its order is held as before, or ends where its time is over. The account of a deposit is closed at
the provider first. Money that turns up afterwards goes back by itself.

Example: tiketi payments end tk0000002a0123456789abcdef")]
    End {
        /// The payment's order id, from `tiketi payments list`
        order_id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Note that what the provider refused to give back has reached the buyer another way
    #[command(after_help = "\
Give the money back first, such as by a transfer to the buyer's account: this only notes it, and the
provider is not asked for it any more.

Example: tiketi payments refunded-by-hand tk0000002a0123456789abcdef")]
    RefundedByHand {
        /// The payment's order id, from `tiketi payments list --state refund_refused`
        order_id: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Hold each provider's list of a day against the books
    #[command(after_help = "\
The gateway does so every night by itself. Payments that differ are asked about, and the books say
afterwards what the provider says; the table has those of which it told something new.

Exit code 0 where nothing differed, 4 where something did or a transaction is in no books, 3 where
the comparison is not complete: repeat it later.

Example: tiketi payments compare --day 2026-11-27")]
    Compare {
        /// A day in Seoul, today or before
        #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
        day: String,
    },
}

/// What `--state` takes.
fn states() -> Vec<PossibleValue> {
    [
        ("open", "asked for, not confirmed by its buyer"),
        ("expired", "open, and its order is over"),
        ("confirming", "the provider was asked to take the money and has not said yet"),
        ("waiting_for_deposit", "the buyer has an account to pay into"),
        ("paid", "the money is here"),
        ("failed", "no money was taken"),
        ("reversed", "the bank took the money back"),
        ("refunding", "money is on its way back"),
        ("refund_refused", "the provider refused to give money back"),
        ("partially_refunded", "a part went back"),
        ("refunded", "all of it went back"),
        ("disputed", "the buyer's bank decides"),
        ("unknown", "confirming or waiting for a deposit"),
        ("waiting", "all that wait for anything but their buyer's confirmation"),
        ("refunded_elsewhere", "the provider gave some of it back without being asked"),
    ]
    .map(|(name, help)| PossibleValue::new(name).help(help))
    .to_vec()
}

fn day(text: &str) -> Result<String, String> {
    let wrong = || "expected a day such as 2026-11-27".to_owned();
    let day: jiff::civil::Date = text.parse().map_err(|_| wrong())?;
    if day.to_string() == text { Ok(text.to_owned()) } else { Err(wrong()) }
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
        PaymentsCommand::End { order_id, yes } => {
            let payment = payment(&client, order_id)?;
            let question = format!(
                "End payment {} of {}, {}?",
                payment.order_id,
                won(payment.amount),
                waits_for(&payment)
            );
            confirm(output, *yes, &question)?;
            settle(&client, output, order_id, "end", "ended")?;
        }
        PaymentsCommand::RefundedByHand { order_id, yes } => {
            let payment = payment(&client, order_id)?;
            let question = format!(
                "Have {} of payment {} reached the buyer another way?",
                won(payment.refund_refused),
                payment.order_id
            );
            confirm(output, *yes, &question)?;
            settle(&client, output, order_id, "refunded-by-hand", "noted")?;
        }
        PaymentsCommand::Compare { day } => return compare(&client, output, day),
    }
    Ok(Exit::Ok)
}

fn payment(client: &Client, order_id: &str) -> Result<ChargeAnswer, Failure> {
    client.admin_get(&format!("/api/payments/{}", segment(order_id)))
}

fn settle(
    client: &Client,
    output: &Output,
    order_id: &str,
    how: &str,
    done: &str,
) -> Result<(), Failure> {
    let path = format!("/api/admin/payments/{}/{how}", segment(order_id));
    let answer: EndAnswer = client.admin_post(&path, &json!({}))?;
    output.either(&answer, |output| {
        let EndAnswer { message, payment } = &answer;
        let done = output.paint(Paint::Green, done);
        let line = format!("payment {} is {}", payment.order_id, payment.status);
        format!("{done}: {} {}\n", clean(&line), clean(message))
    })
}

/// Asks until the comparison is over; each question waits some seconds at the gateway.
fn compare(client: &Client, output: &Output, day: &str) -> Result<Exit, Failure> {
    let progress = Progress::new("comparing");
    let request = CompareRequest { day: day.to_owned() };
    let answer = loop {
        let asked_at = Instant::now();
        let answer: CompareAnswer = client.admin_post("/api/admin/payments/compare", &request)?;
        if !answer.running {
            break answer;
        }
        if asked_at.elapsed() < ASKED_AGAIN_AFTER {
            std::thread::sleep(ASKED_AGAIN_AFTER);
        }
    };
    drop(progress);
    if answer.providers.is_empty() {
        let text = "this gateway takes payments through no provider: there is no list to compare";
        return Err(Failure::new(Exit::Refused, "NO_PROVIDER", text));
    }
    output.either(&answer, |output| compared(output, &answer))?;
    let is_whole = |one: &Compared| one.state == "done" && one.unanswered == 0;
    let is_same = |one: &Compared| one.differences.is_empty() && one.unknown == 0;
    Ok(match &answer.providers {
        providers if !providers.iter().all(is_whole) => Exit::Unavailable,
        providers if !providers.iter().all(is_same) => Exit::Damaged,
        _ => Exit::Ok,
    })
}

fn compared(output: &Output, answer: &CompareAnswer) -> String {
    let mut table = Table::new(&[
        ("PROVIDER", Align::Left),
        ("ORDER ID", Align::Left),
        ("STATE", Align::Left),
        ("CARD", Align::Right),
        ("ELSEWHERE", Align::Right),
        ("OWED", Align::Right),
        ("WAITS FOR", Align::Left),
    ]);
    let mut text = String::new();
    for one in &answer.providers {
        for charge in &one.differences {
            table.row([
                one.provider.clone(),
                charge.order_id.clone(),
                charge.status.clone(),
                won(charge.amount),
                won(charge.refunded_elsewhere),
                won(charge.refund_owed),
                waiting_cells(charge).0,
            ]);
        }
        text.push_str(&one_compared(output, &answer.day, one));
    }
    match table.is_empty() {
        true => text,
        false => format!("{}\n{text}", table.render(output)),
    }
}

/// What a provider's list came to, in a line or two.
fn one_compared(output: &Output, day: &str, one: &Compared) -> String {
    let name = format!("{day} of {}", one.provider);
    if one.state != "done" {
        let why = clean(one.error.as_deref().unwrap_or("no answer"));
        let failed = output.paint(Paint::Red, "not compared");
        return format!("{name}: {failed}, {why}; repeat it later\n");
    }
    let differences = one.differences.len() as u64;
    let is_same = differences == 0 && one.unknown == 0 && one.unanswered == 0;
    let paint = if is_same { Paint::Green } else { Paint::Red };
    let found = format!(
        "{} differences, {} in no books",
        number(differences),
        number(u64::from(one.unknown))
    );
    let mut text = format!(
        "{name}: {} transactions, {}\n",
        number(u64::from(one.transactions)),
        output.paint(paint, &found)
    );
    if one.unanswered > 0 {
        let unanswered = number(u64::from(one.unanswered));
        text.push_str(&format!("  {unanswered} could not be asked about: repeat it later\n"));
    }
    if !one.unknown_payments.is_empty() {
        let names = clean(&one.unknown_payments.join(" "));
        text.push_str(&format!("  in no books: {names}\n"));
    }
    text
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
        ("WAITS FOR", Align::Left),
        ("SINCE", Align::Left),
        ("LAST ANSWER", Align::Left),
    ]);
    for charge in &answer.payments {
        let last = charge.trail.iter().flatten().last();
        let last = last.map(|line| format!("{} {}", line.call, answer_of(line)));
        let (what, since) = waiting_cells(charge);
        table.row([
            charge.order_id.clone(),
            charge.status.clone(),
            won(charge.amount),
            number(charge.point_used),
            seoul(charge.requested_at.0),
            what,
            since,
            last.unwrap_or_default(),
        ]);
    }
    let pages = &answer.pagination;
    let rest =
        format!("page {} of {}, {} payments\n", pages.page, pages.total_pages, number(pages.total));
    table.render(output) + &rest
}

/// What it waits for, and since when; nothing for one that has ended.
fn waiting_cells(charge: &ChargeAnswer) -> (String, String) {
    match &charge.waiting {
        Some(waiting) => (waiting.what.clone(), seoul(waiting.since.0)),
        None => (String::new(), String::new()),
    }
}

fn waits_for(charge: &ChargeAnswer) -> String {
    match &charge.waiting {
        Some(waiting) => {
            format!("which waits for {} since {}", waiting.what, seoul(waiting.since.0))
        }
        None => format!("which is {}", charge.status),
    }
}

fn answer_of(line: &TrailRow) -> String {
    let answer = match line.status {
        0 => format!("no answer: {}", line.code),
        status => format!("{status} {}", line.code),
    };
    match line.times {
        ..=1 => answer,
        times => format!("{} ({} times)", answer.trim_end(), number(u64::from(times))),
    }
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
            let blank = String::new;
            let asked = line.call.clone();
            table.row([blank(), blank(), blank(), seoul(line.at.0), asked, answer_of(line)]);
        }
        if charge.waiting.is_some() {
            let blank = String::new;
            let (what, since) = waiting_cells(charge);
            table.row([blank(), blank(), blank(), since, "waits for".to_owned(), what]);
        }
    }
    table.render(output)
}
