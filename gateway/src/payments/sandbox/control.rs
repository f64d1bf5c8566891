//! The switches, as JSON, and the books as tests read them. All below `sandbox/`:
//!
//! | Call | Body, or what it answers |
//! |---|---|
//! | `POST authenticate` | `{orderId, amount, orderName?, method?, customerName?, declineWith?, clientKey?, partialCancelable?, validHours?, dueDate?}` → `{paymentKey}`; each call is a window of its own. `method`: `card` (default), `easyPay`, `virtualAccount`, `phone` (no parts unless `partialCancelable`), `transfer`, `giftCertificate` |
//! | `POST faults` | `{orderId?, call, fault, times?}`, see `faults` |
//! | `GET faults`, `DELETE faults` | → `{waiting}`: rules that are not used up; forgets all of them |
//! | `POST questions`, `GET questions` | `{"1": answer, ...}` → all answers, see `questions` |
//! | `POST clock` | `{advanceMs}` → `{now}` |
//! | `POST deposit` | `{orderId or paymentKey, amount?, event?, webhook?}` → `{done, status}`; `event`: `deposit` (default), `reversal`, `expiry` |
//! | `POST console-refund` | `{orderId or paymentKey, amount?, webhook?}` → a refund: the merchant's staff give back a part or all that is left in Toss's console |
//! | `POST fail-refund` | `{orderId or paymentKey, webhook?}` → a refund: the latest one that was accepted fails, and its money is back |
//! | `POST complete-refund` | `{orderId or paymentKey, webhook?}` → a refund: the latest one that was only accepted (fault `pending` of `cancel`) is made |
//! | `GET ledger` | `?orderId=` → sums, the same for each order, and for each of its payments with their refunds |
//! | `GET webhooks` | → counts, and the latest deliveries with their attempts |
//! | `POST webhooks` | `{orderId, status, paymentKey?, secret?, deposit?}`: one that Toss never sent |
//!
//! A refund is `{paymentKey, status, balanceAmount, transactionKey, cancelAmount, cancelStatus}`.
//! `orderId` means its payment whose money moved last. `webhook: false` loses the webhooks of that
//! one change; a fault `dropBefore` of `webhook` with many `times` loses all of an order. The
//! ledger's file keeps everything but faults.

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
use super::payment::{Choice, Method as Means, MoveKind, Payment, Purchase};
use super::questions::{EarlyWebhook, NewAnswers};
use super::reply::{Reply, Request};
use super::server::unknown;
use super::{console, window};
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
    /// Whether a part can be cancelled; the method decides where it is absent.
    partial_cancelable: Option<bool>,
    /// Until when a virtual account takes a deposit, as the next one: one of them.
    valid_hours: Option<u64>,
    due_date: Option<String>,
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
        (&Method::POST, "deposit") => console::bank(shared, request),
        (&Method::POST, "console-refund") => console::refund(shared, request),
        (&Method::POST, "fail-refund") => console::fail_refund(shared, request),
        (&Method::POST, "complete-refund") => console::complete_refund(shared, request),
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
            "orderId, amount, orderName?, method?, customerName?, declineWith?, clientKey?, \
             partialCancelable?, validHours?, dueDate?",
        );
    };
    let declines_with = match body.decline_with.as_deref().map(TossError::of) {
        Some(None) => return Reply::bad_control("declineWith names no listed code"),
        Some(error) => error,
        None => None,
    };
    let due = match window::due(body.valid_hours, body.due_date.as_deref(), shared.clock.now()) {
        Ok(due) => due,
        Err(field) => return Reply::bad_control(field),
    };
    let client_key = body.client_key.as_deref();
    let purchase = Purchase {
        order_id: body.order_id,
        order_name: body.order_name,
        amount: body.amount,
        customer_key: None,
        customer_name: body.customer_name,
        is_paired: client_key.is_none_or(|key| key == shared.client_key),
        due,
    };
    let choice = Choice {
        method: body.method,
        declines_with,
        is_partial_cancelable: body.partial_cancelable,
    };
    if let Err(field) = window::check(&purchase) {
        return Reply::bad_control(field);
    }
    let (key, _) = shared.on_books(|books, now| {
        let index = books.ledger.open(purchase, now)?;
        books.ledger.change(index, |payment| {
            payment.authenticate(choice, now);
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
    let answered = {
        let mut questions = shared.questions.lock();
        questions.answer(answers);
        shared.journal.append(&Line::Questions(&questions));
        *questions
    };
    shared.journal.flush();
    Reply::json(StatusCode::OK, &answered)
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

/// Sums of what was captured, given back by whom, failed, taken back and kept: of all, by order and
/// by payment. `?orderId=` shows one.
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
        let mut order = sums(totals);
        order.insert("payments".to_owned(), payments.map(payment).collect());
        (order_id.to_owned(), Value::Object(order))
    });
    orders.collect()
}

fn payment(payment: &Payment) -> Value {
    let mut body = sums(Totals::of(payment));
    let fields = [
        ("paymentKey", json!(payment.key)),
        ("status", json!(payment.status)),
        ("amount", json!(payment.amount)),
        ("refunds", refunds(payment)),
    ];
    body.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(body)
}

/// What was given back; an account that was closed unpaid is none of it.
fn refunds(payment: &Payment) -> Value {
    let is_void = |key: &str| {
        payment.moves.iter().any(|made| made.kind == MoveKind::Voided && made.key == key)
    };
    let refunds = payment.cancels.iter().filter(|cancel| !is_void(&cancel.transaction_key));
    let refunds = refunds.map(|cancel| {
        json!({
            "transactionKey": cancel.transaction_key,
            "amount": cancel.amount,
            "status": cancel.state,
            "byConsole": cancel.is_by_console,
        })
    });
    refunds.collect()
}

fn sums(totals: Totals) -> Map<String, Value> {
    let sums = [
        ("captured", totals.captured),
        ("refunded", totals.refunded()),
        ("refundedByUs", totals.refunded_by_us()),
        ("refundedByConsole", totals.refunded_by_console()),
        ("failedRefunds", totals.failed_refunds()),
        ("reversed", totals.reversed),
        // Toss has no disputes; the name is there because Stripe's books have it.
        ("disputed", 0),
        ("balance", totals.balance()),
        ("captures", totals.captures),
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
