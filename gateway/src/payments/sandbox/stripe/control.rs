//! The switches, as JSON, and the books as tests read them. All below `sandbox/`:
//!
//! | Call | Body, or what it answers |
//! |---|---|
//! | `POST authenticate` | `{orderId or paymentKey, means?, declineWith?, decline?, status?, cancelable?, webhook?}` → `{paymentKey, status}`: the buyer agrees, so that the capture fails with a code, is declined, or comes only so far (`requires_action`, `processing`). One that is `processing` stays so until this call lets the buyer agree or be declined; it can be cancelled where it is `cancelable` |
//! | `POST faults` | `{orderId?, call, fault, times?}`, see `faults` |
//! | `GET faults`, `DELETE faults` | → `{waiting}`: rules that are not used up; forgets all of them |
//! | `POST clock` | `{advanceMs}` → `{now}`, in seconds |
//! | `POST console-refund` | `{orderId or paymentKey, amount?, status?, webhook?}` → a refund: the merchant's staff give back a part or all that is left in the dashboard; `status`: `succeeded` (default), `pending` |
//! | `POST fail-refund` | `{orderId or paymentKey, refundId?, webhook?}` → a refund: the latest one that was accepted, or the one named, fails, and its money is back |
//! | `POST complete-refund` | `{orderId or paymentKey, refundId?, webhook?}` → a refund: the latest `pending` one (fault `pending` of `refund`), or the one named, is made |
//! | `POST refunds` | `{orderId or paymentKey, refundId?, status, webhook?}` → a refund: the last one, or the one named, comes to that status |
//! | `POST dispute` | `{orderId or paymentKey, amount?, reason?, webhook?}` → a dispute: the buyer's bank takes a part or all that is left, and nothing can be refunded |
//! | `POST close-dispute` | `{orderId or paymentKey, status, webhook?}` → a dispute: the open one is `won` (the money is back, refunds are possible) or `lost` |
//! | `GET ledger` | `?orderId=` → sums, the same for each order, and for each of its payments with their refunds and disputes |
//! | `GET webhooks` | → counts, and the latest deliveries with their attempts |
//! | `POST webhooks` | `{orderId, type, paymentKey?, secret?}`: one that Stripe never sent |
//!
//! A refund is `{paymentKey, refundId, amount, status, amountRefunded}`, a dispute `{paymentKey,
//! disputeId, amount, status}`. `orderId` means its latest intent. `webhook: false` loses the
//! webhooks of that one change; a fault `dropBefore` of `webhook` with many `times` loses all of an
//! order. The ledger's file keeps everything but faults.

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
use super::intent::{Intent, Means, Status};
use super::{Line, Shared, console};
use crate::http::query::parameter;

/// What can be made to fail.
const CALLS: [Call; 6] =
    [Call::Create, Call::Capture, Call::Cancel, Call::Refund, Call::Query, Call::Webhook];

/// A buyer without a browser.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Authenticate {
    order_id: Option<String>,
    payment_key: Option<String>,
    #[serde(default = "Authenticate::means")]
    means: Means,
    decline_with: Option<String>,
    decline: Option<String>,
    status: Option<Status>,
    /// Whether it can be cancelled while it is `processing`.
    #[serde(default)]
    cancelable: bool,
    #[serde(default = "Authenticate::webhook")]
    webhook: bool,
}

impl Authenticate {
    fn webhook() -> bool {
        true
    }

    fn means() -> Means {
        Means::Card
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Advance {
    advance_ms: u64,
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
        (&Method::POST, "console-refund") => console::refund(shared, request),
        (&Method::POST, "fail-refund") => console::fail_refund(shared, request),
        (&Method::POST, "complete-refund") => console::complete_refund(shared, request),
        (&Method::POST, "refunds") => console::turn_refund(shared, request),
        (&Method::POST, "dispute") => console::dispute(shared, request),
        (&Method::POST, "close-dispute") => console::close_dispute(shared, request),
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
        return Reply::bad_control(
            "orderId or paymentKey, means?, declineWith?, decline?, status?, cancelable?, webhook?",
        );
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
        let index = books.named(body.payment_key.as_deref(), body.order_id.as_deref())?;
        books.change(index, |intent| {
            let is_done = match (&body.decline, body.status) {
                (Some(code), _) => intent.decline(code),
                (None, Some(status)) => intent.linger(status, body.cancelable),
                (None, None) => intent.agree(body.means, body.decline_with.clone(), now),
            };
            let told = if body.webhook { told_of(intent.status) } else { Told::Nothing };
            ((), is_done.then_some(told))
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

/// Sums of what was captured, given back by whom, failed, disputed and kept: of all, by order and by
/// payment. `?orderId=` shows one.
fn ledger(shared: &Shared, request: &Request) -> Reply {
    let only = parameter(&request.query, "orderId").ok().flatten();
    let body = shared.on_books(|books, _| {
        let orders = books.orders(only.as_deref()).map(|(order_id, intents)| {
            let mut order = sums(Totals::of(intents.iter().copied()));
            order.insert("payments".to_owned(), intents.into_iter().map(payment).collect());
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

fn payment(intent: &Intent) -> Value {
    let refunds = intent.refunds.iter().map(|refund| {
        json!({
            "refundId": refund.id,
            "amount": refund.amount,
            "status": refund.status,
            "byConsole": refund.is_by_console,
        })
    });
    let disputes = intent.disputes.iter().map(|dispute| {
        json!({"disputeId": dispute.id, "amount": dispute.amount, "status": dispute.status})
    });
    let mut body = sums(Totals::of(std::iter::once(intent)));
    let fields = [
        ("paymentKey", json!(intent.id)),
        ("status", json!(intent.status)),
        ("amount", json!(intent.amount)),
        ("refunds", refunds.collect()),
        ("disputes", disputes.collect()),
    ];
    body.extend(fields.map(|(name, value)| (name.to_owned(), value)));
    Value::Object(body)
}

fn sums(totals: Totals) -> Map<String, Value> {
    let sums = [
        ("captured", totals.captured),
        ("refunded", totals.refunded()),
        ("refundedByUs", totals.refunded_by_us),
        ("refundedByConsole", totals.refunded_by_console),
        ("failedRefunds", totals.failed_refunds),
        // Stripe has no deposits that banks take back; the name is there because Toss's books have it.
        ("reversed", 0),
        ("disputed", totals.disputed),
        ("balance", totals.balance()),
        ("captures", totals.captures),
        ("authorised", totals.authorised),
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
