//! The switches, as JSON, and the books as tests read them. All below `sandbox/`:
//!
//! | Call | Body, or what it answers |
//! |---|---|
//! | `POST authenticate` | `{orderId, amount, orderName?, method?, customerName?, declineWith?, clientKey?}` → `{paymentKey}` |
//! | `POST faults` | `{orderId?, call, fault, times?}`, see `faults` |
//! | `GET faults`, `DELETE faults` | → `{waiting}`: rules that are not used up; forgets all of them |
//! | `POST questions`, `GET questions` | `{"1": answer, ...}` → all answers, see `questions` |
//! | `POST clock` | `{advanceMs}` → `{now}` |
//! | `POST deposit` | `{orderId, amount?, event?}` → `{done, status}` |
//! | `GET ledger` | `?orderId=` → sums, and the same for each order with its payments |
//! | `GET webhooks` | → counts, and the latest deliveries with their attempts |
//! | `POST webhooks` | `{orderId, status, paymentKey?, secret?, deposit?}`: one that Toss never sent |

use std::sync::Arc;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Shared;
use super::errors::TossError;
use super::events::Forgery;
use super::faults::{Call, NewRule};
use super::kept::Line;
use super::ledger::{Ledger, Told, Totals};
use super::payment::{BankEvent, Method as Means, Purchase};
use super::questions::{EarlyWebhook, NewAnswers};
use super::reply::{Reply, Request};
use super::server::unknown;
use super::window;
use crate::http::query::parameter;

/// What can be made to fail.
const CALLS: [Call; 4] = [Call::Confirm, Call::Cancel, Call::Query, Call::Webhook];

/// A buyer without a browser.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Authenticate {
    order_id: String,
    amount: u64,
    #[serde(default = "Authenticate::order_name")]
    order_name: String,
    #[serde(default = "Authenticate::method")]
    method: Means,
    customer_name: Option<String>,
    /// The code that the confirm is to fail with.
    decline_with: Option<String>,
    client_key: Option<String>,
}

impl Authenticate {
    fn order_name() -> String {
        "입장권".to_owned()
    }

    fn method() -> Means {
        Means::Card
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Advance {
    advance_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Bank {
    order_id: String,
    amount: Option<u64>,
    #[serde(default = "Bank::event")]
    event: BankEvent,
}

impl Bank {
    fn event() -> BankEvent {
        BankEvent::Deposit
    }
}

/// Answers a call below `sandbox`.
pub(super) fn answer(shared: &Arc<Shared>, request: &Request, name: &str) -> Reply {
    match (&request.method, name) {
        (&Method::POST, "authenticate") => authenticate(shared, request),
        (&Method::POST, "faults") => add_fault(shared, request),
        (&Method::GET, "faults") => {
            Reply::json(StatusCode::OK, &json!({ "waiting": shared.faults.lock().waiting() }))
        }
        (&Method::DELETE, "faults") => {
            shared.faults.lock().clear();
            done()
        }
        (&Method::POST, "questions") => answer_questions(shared, request),
        (&Method::GET, "questions") => Reply::json(StatusCode::OK, &*shared.questions.lock()),
        (&Method::POST, "clock") => advance(shared, request),
        (&Method::POST, "deposit") => bank(shared, request),
        (&Method::GET, "ledger") => ledger(shared, request),
        (&Method::POST, "webhooks") => forge(shared, request),
        (&Method::GET, "webhooks") => Reply::json(StatusCode::OK, &shared.webhooks.overview()),
        _ => unknown(),
    }
}

fn done() -> Reply {
    Reply::json(StatusCode::OK, &json!({}))
}

fn authenticate(shared: &Shared, request: &Request) -> Reply {
    let Some(body) = request.json::<Authenticate>() else {
        return Reply::bad_control(
            "orderId, amount, orderName?, method?, customerName?, declineWith?",
        );
    };
    let declines_with = match body.decline_with.as_deref().map(TossError::of) {
        Some(None) => return Reply::bad_control("declineWith names no listed code"),
        Some(error) => error,
        None => None,
    };
    let client_key = body.client_key.as_deref();
    let purchase = Purchase {
        order_id: body.order_id,
        order_name: body.order_name,
        amount: body.amount,
        customer_key: None,
        customer_name: body.customer_name,
        is_paired: client_key.is_none_or(|key| key == shared.client_key),
    };
    if let Err(field) = window::check(&purchase) {
        return Reply::bad_control(field);
    }
    let (key, _) = shared.on_books(|books, now| {
        let index = books.ledger.open(purchase, now)?;
        books.ledger.change(index, |payment| {
            payment.authenticate(body.method, declines_with, now);
            ((), Some(Told::Nothing))
        });
        Some(books.ledger.payment(index).key.clone())
    });
    match key {
        Some(key) => Reply::json(StatusCode::OK, &json!({ "paymentKey": key })),
        None => {
            Reply::failure(StatusCode::SERVICE_UNAVAILABLE, "FULL", "no more payments are kept")
        }
    }
}

fn add_fault(shared: &Shared, request: &Request) -> Reply {
    let rule = request.json::<NewRule>();
    let is_listed = |code: &str| TossError::of(code).is_some();
    match rule.is_some_and(|rule| shared.faults.lock().add(rule, &CALLS, is_listed)) {
        true => done(),
        false => Reply::bad_control("orderId?, call, fault that fits the call, times?"),
    }
}

fn answer_questions(shared: &Shared, request: &Request) -> Reply {
    let Some(answers) = request.json::<NewAnswers>() else {
        return Reply::bad_control("question number: one of its answers");
    };
    let mut questions = shared.questions.lock();
    questions.answer(answers);
    Reply::json(StatusCode::OK, &*questions)
}

fn advance(shared: &Shared, request: &Request) -> Reply {
    let Some(Advance { advance_ms }) = request.json() else {
        return Reply::bad_control("advanceMs");
    };
    let offset = shared.clock.advance(Duration::from_millis(advance_ms));
    shared.on_books(|_, _| shared.journal.append(&Line::AdvancedMs(offset)));
    shared.webhooks.wake.notify_one();
    Reply::json(StatusCode::OK, &json!({ "now": super::clock::seoul_time(shared.clock.now()) }))
}

fn bank(shared: &Shared, request: &Request) -> Reply {
    let Some(Bank { order_id, amount, event }) = request.json() else {
        return Reply::bad_control("orderId, amount?, event? (deposit, reversal, expiry)");
    };
    let (done, _) = shared.on_books(|books, now| {
        let index = books.ledger.by_order(&order_id)?;
        let told = if event == BankEvent::Expiry { Told::Nothing } else { Told::Money };
        let is_done = books.ledger.change(index, |payment| {
            let is_done = payment.bank(event, amount, now);
            (is_done, is_done.then_some(told))
        });
        Some(json!({ "done": is_done, "status": books.ledger.payment(index).status }))
    });
    match done {
        Some(done) => Reply::json(StatusCode::OK, &done),
        None => Reply::bad_control("no payment of this order"),
    }
}

/// Sums and, by order, what was captured, refunded, taken back and kept. `?orderId=` shows one.
fn ledger(shared: &Shared, request: &Request) -> Reply {
    let only = parameter(&request.query, "orderId").ok().flatten();
    let (body, _) = shared.on_books(|books, _| {
        let mut body = sums(books.ledger.totals());
        body.insert("payments".to_owned(), json!(books.ledger.len()));
        body.insert("orders".to_owned(), Value::Object(orders(&books.ledger, only.as_deref())));
        body
    });
    Reply::json(StatusCode::OK, &body)
}

fn orders(ledger: &Ledger, only: Option<&str>) -> Map<String, Value> {
    let orders = ledger.orders(only).map(|(order_id, totals, payments)| {
        let payments = payments.map(|payment| {
            json!({ "paymentKey": payment.key, "status": payment.status, "amount": payment.amount })
        });
        let payments: Vec<Value> = payments.collect();
        let mut order = sums(totals);
        order.insert("payments".to_owned(), Value::Array(payments));
        (order_id.to_owned(), Value::Object(order))
    });
    orders.collect()
}

fn sums(totals: Totals) -> Map<String, Value> {
    let Totals { captured, refunded, reversed, captures } = totals;
    let sums = [
        ("captured", captured),
        ("refunded", refunded),
        ("reversed", reversed),
        ("balance", totals.balance()),
        ("captures", captures),
    ];
    sums.into_iter().map(|(name, sum)| (name.to_owned(), json!(sum))).collect()
}

fn forge(shared: &Shared, request: &Request) -> Reply {
    let now = shared.clock.now();
    let forged = request.json::<Forgery>().and_then(|forgery| forgery.event(now));
    let Some(event) = forged.filter(|_| shared.webhooks.is_on()) else {
        return Reply::bad_control(
            "orderId, status, paymentKey?, secret?, deposit?; a webhook URL",
        );
    };
    shared.webhooks.emit(vec![event], &shared.faults, EarlyWebhook::Sometimes, now);
    done()
}
