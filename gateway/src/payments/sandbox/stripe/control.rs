//! The switches, as JSON, and the books as tests read them. All below `sandbox/`:
//!
//! | Call | Body, or what it answers |
//! |---|---|
//! | `POST authenticate` | `{orderId, means?, declineWith?, decline?, status?}` → `{paymentKey, status}`: the buyer agrees, so that the capture fails with a code, is declined, or comes only so far |
//! | `POST faults` | `{orderId?, call, fault, times?}`, see `faults` |
//! | `GET faults`, `DELETE faults` | → `{waiting}`: rules that are not used up; forgets all of them |
//! | `POST clock` | `{advanceMs}` → `{now}`, in seconds |
//! | `POST refunds` | `{orderId, status}`: what becomes of the order's last refund |
//! | `GET ledger` | `?orderId=` → sums, and the same for each order with its payments |
//! | `GET webhooks` | → counts, and the latest deliveries with their attempts |
//! | `POST webhooks` | `{orderId, type, paymentKey?, secret?}`: one that Stripe never sent |

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::faults::{Call, NewRule};
use super::super::questions::EarlyWebhook;
use super::super::reply::{Reply, Request};
use super::books::{Told, Totals};
use super::calls::told_of;
use super::errors::StripeError;
use super::events::Forgery;
use super::intent::{Means, RefundStatus, Status};
use super::{Line, Shared};
use crate::http::query::parameter;

/// What can be made to fail.
const CALLS: [Call; 6] =
    [Call::Create, Call::Capture, Call::Cancel, Call::Refund, Call::Query, Call::Webhook];

/// A buyer without a browser.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Authenticate {
    order_id: String,
    #[serde(default = "Authenticate::means")]
    means: Means,
    decline_with: Option<String>,
    decline: Option<String>,
    status: Option<Status>,
}

impl Authenticate {
    fn means() -> Means {
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
struct RefundTurns {
    order_id: String,
    status: RefundStatus,
}

/// Answers a call below `sandbox`.
pub(super) fn answer(shared: &Shared, request: &Request, name: &str) -> Reply {
    match (&request.method, name) {
        (&Method::POST, "authenticate") => authenticate(shared, request),
        (&Method::POST, "faults") => add_fault(shared, request),
        (&Method::GET, "faults") => ok(&json!({ "waiting": shared.faults.lock().waiting() })),
        (&Method::DELETE, "faults") => {
            shared.faults.lock().clear();
            ok(&json!({}))
        }
        (&Method::POST, "clock") => advance(shared, request),
        (&Method::POST, "refunds") => turn_refund(shared, request),
        (&Method::GET, "ledger") => ledger(shared, request),
        (&Method::POST, "webhooks") => forge(shared, request),
        (&Method::GET, "webhooks") => Reply::json(StatusCode::OK, &shared.webhooks.overview()),
        _ => StripeError::unknown_url().reply(),
    }
}

fn ok(body: &Value) -> Reply {
    Reply::json(StatusCode::OK, body)
}

fn authenticate(shared: &Shared, request: &Request) -> Reply {
    let Some(body) = request.json::<Authenticate>() else {
        return Reply::bad_control("orderId, means?, declineWith?, decline?, status?");
    };
    let codes = [body.decline_with.as_deref(), body.decline.as_deref()];
    if codes.into_iter().flatten().any(|code| StripeError::of(code).is_none()) {
        return Reply::bad_control("a decline names no listed code");
    }
    let is_underway = |status| matches!(status, Status::RequiresAction | Status::Processing);
    if body.status.is_some_and(|status| !is_underway(status)) {
        return Reply::bad_control("status: requires_action or processing");
    }
    let done = shared.on_books(|books, now| {
        let index = books.of_order(&body.order_id)?;
        books.change(index, |intent| {
            let is_done = match (&body.decline, body.status) {
                (Some(code), _) => intent.decline(code),
                (None, Some(status)) => {
                    intent.status = status;
                    true
                }
                (None, None) => intent.agree(body.means, body.decline_with.clone(), now),
            };
            ((), is_done.then(|| told_of(intent.status)))
        });
        let intent = books.intent(index);
        Some(json!({ "paymentKey": intent.id, "status": intent.status }))
    });
    done.map_or_else(|| Reply::bad_control("no intent of this order"), |done| ok(&done))
}

fn add_fault(shared: &Shared, request: &Request) -> Reply {
    let rule = request.json::<NewRule>();
    let is_listed = |code: &str| StripeError::of(code).is_some();
    match rule.is_some_and(|rule| shared.faults.lock().add(rule, &CALLS, is_listed)) {
        true => ok(&json!({})),
        false => Reply::bad_control("orderId?, call, fault that fits the call, times?"),
    }
}

fn advance(shared: &Shared, request: &Request) -> Reply {
    let Some(Advance { advance_ms }) = request.json() else {
        return Reply::bad_control("advanceMs");
    };
    let offset = shared.clock.advance(Duration::from_millis(advance_ms));
    shared.on_books(|_, _| shared.journal.append(&Line::AdvancedMs(offset)));
    shared.webhooks.wake.notify_one();
    ok(&json!({ "now": shared.clock.now() / 1000 }))
}

fn turn_refund(shared: &Shared, request: &Request) -> Reply {
    let Some(RefundTurns { order_id, status }) = request.json() else {
        return Reply::bad_control("orderId, status of its last refund");
    };
    let done = shared.on_books(|books, _| {
        let index = books.of_order(&order_id)?;
        let last = books.intent(index).refunds.len().checked_sub(1)?;
        let name = if status.counts() { "refund.updated" } else { "refund.failed" };
        books.change(index, |intent| {
            intent.refunds[last].status = status;
            (Some(json!({})), Some(Told::Refund(name, last)))
        })
    });
    done.map_or_else(|| Reply::bad_control("no refund of this order"), |done| ok(&done))
}

/// Sums and, by order, what was captured, refunded and kept. `?orderId=` shows one.
fn ledger(shared: &Shared, request: &Request) -> Reply {
    let only = parameter(&request.query, "orderId").ok().flatten();
    let body = shared.on_books(|books, _| {
        let orders = books.orders(only.as_deref()).map(|(order_id, intents)| {
            let mut order = sums(Totals::of(intents.iter().copied()));
            let payments = intents.iter().map(|intent| {
                json!({ "paymentKey": intent.id, "status": intent.status, "amount": intent.amount })
            });
            order.insert("payments".to_owned(), payments.collect());
            (order_id.to_owned(), Value::Object(order))
        });
        let orders: Map<String, Value> = orders.collect();
        let mut body = sums(books.totals());
        body.insert("payments".to_owned(), json!(books.len()));
        body.insert("orders".to_owned(), Value::Object(orders));
        Value::Object(body)
    });
    ok(&body)
}

fn sums(totals: Totals) -> Map<String, Value> {
    let Totals { captured, refunded, captures, authorised } = totals;
    let sums = [
        ("captured", captured),
        ("refunded", refunded),
        ("balance", captured - refunded),
        ("captures", captures),
        ("authorised", authorised),
    ];
    sums.into_iter().map(|(name, sum)| (name.to_owned(), json!(sum))).collect()
}

fn forge(shared: &Shared, request: &Request) -> Reply {
    let Some(forgery) = request.json::<Forgery>().filter(|_| shared.webhooks.is_on()) else {
        return Reply::bad_control("orderId, type, paymentKey?, secret?; a webhook URL");
    };
    let now = shared.clock.now();
    let events = vec![forgery.event(now)];
    shared.webhooks.emit(events, &shared.faults, EarlyWebhook::Sometimes, now);
    ok(&json!({}))
}
