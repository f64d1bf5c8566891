//! What happens at Stripe without a call of the merchant's server: its staff give money back in the
//! dashboard, refunds are made or fail later, and banks dispute payments.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::reply::{Reply, Request};
use super::Shared;
use super::books::Told;
use super::intent::{Intent, NewRefund, RefundStatus};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ConsoleRefund {
    order_id: Option<String>,
    payment_key: Option<String>,
    /// All that is left where it is absent.
    amount: Option<u64>,
    #[serde(default = "ConsoleRefund::status")]
    status: RefundStatus,
    #[serde(default = "yes")]
    webhook: bool,
}

impl ConsoleRefund {
    fn status() -> RefundStatus {
        RefundStatus::Succeeded
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RefundTurns {
    order_id: Option<String>,
    payment_key: Option<String>,
    /// The latest one that fits where it is absent.
    refund_id: Option<String>,
    /// Given where the call does not say it.
    status: Option<RefundStatus>,
    #[serde(default = "yes")]
    webhook: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct NewDispute {
    order_id: Option<String>,
    payment_key: Option<String>,
    /// All that is left where it is absent.
    amount: Option<u64>,
    #[serde(default = "NewDispute::reason")]
    reason: String,
    #[serde(default = "yes")]
    webhook: bool,
}

impl NewDispute {
    fn reason() -> String {
        "fraudulent".to_owned()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct DisputeEnds {
    order_id: Option<String>,
    payment_key: Option<String>,
    status: End,
    #[serde(default = "yes")]
    webhook: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum End {
    Won,
    Lost,
}

fn yes() -> bool {
    true
}

/// The payment that a call names: by its key, else the order's latest.
struct Named {
    payment_key: Option<String>,
    order_id: Option<String>,
}

/// The merchant's staff give back a part or all that is left.
pub(super) fn refund(shared: &Shared, request: &Request) -> Reply {
    let Some(body) = request.json::<ConsoleRefund>().filter(|body| body.status.counts()) else {
        return Reply::bad_control(
            "orderId or paymentKey, amount?, status? (succeeded, pending), webhook?",
        );
    };
    let ConsoleRefund { order_id, payment_key, amount, status, webhook } = body;
    change(shared, Named { payment_key, order_id }, webhook, |intent, now| {
        let new = NewRefund { amount, status, is_by_console: true, ..NewRefund::default() };
        intent.refund(new, now).map_err(|error| error.code_or_message())?;
        let position = intent.refunds.len() - 1;
        Ok((refund_body(intent, position), Told::Refunded(position)))
    })
}

/// A refund comes to the status that the body names.
pub(super) fn turn_refund(shared: &Shared, request: &Request) -> Reply {
    turn(shared, request, None, |_| true)
}

/// A refund that was accepted fails, and its money is back.
pub(super) fn fail_refund(shared: &Shared, request: &Request) -> Reply {
    turn(shared, request, Some(RefundStatus::Failed), RefundStatus::counts)
}

/// A refund that was only accepted is made.
pub(super) fn complete_refund(shared: &Shared, request: &Request) -> Reply {
    let is_open = |status| matches!(status, RefundStatus::Pending | RefundStatus::RequiresAction);
    turn(shared, request, Some(RefundStatus::Succeeded), is_open)
}

fn turn(
    shared: &Shared,
    request: &Request,
    to: Option<RefundStatus>,
    is_meant: impl Fn(RefundStatus) -> bool,
) -> Reply {
    let body = request.json::<RefundTurns>();
    let told = body.and_then(|body| match (body.status, to) {
        (Some(status), None) | (None, Some(status)) => Some((status, body)),
        (None, None) | (Some(_), Some(_)) => None,
    });
    let Some((status, body)) = told else {
        return Reply::bad_control(
            "orderId or paymentKey, refundId?, webhook?; status for `refunds` alone",
        );
    };
    let RefundTurns { order_id, payment_key, refund_id, webhook, .. } = body;
    change(shared, Named { payment_key, order_id }, webhook, |intent, now| {
        let position = match &refund_id {
            Some(id) => intent.refunds.iter().position(|refund| refund.id == *id),
            None => intent.latest_refund(is_meant),
        };
        let position = position.filter(|&position| intent.turn_refund(position, status, now));
        let position = position.ok_or("no such refund, or one that has failed before")?;
        let name = if status.counts() { "refund.updated" } else { "refund.failed" };
        Ok((refund_body(intent, position), Told::Refund(name, position)))
    })
}

/// The buyer's bank takes a part or all that is left.
pub(super) fn dispute(shared: &Shared, request: &Request) -> Reply {
    let Some(NewDispute { order_id, payment_key, amount, reason, webhook }) = request.json() else {
        return Reply::bad_control("orderId or paymentKey, amount?, reason?, webhook?");
    };
    change(shared, Named { payment_key, order_id }, webhook, |intent, now| {
        let position = intent.dispute(amount, reason, now)?;
        Ok((dispute_body(intent, position), Told::Disputed(position)))
    })
}

/// The open dispute is won, and the money is back, or lost.
pub(super) fn close_dispute(shared: &Shared, request: &Request) -> Reply {
    let Some(DisputeEnds { order_id, payment_key, status, webhook }) = request.json() else {
        return Reply::bad_control("orderId or paymentKey, status (won, lost), webhook?");
    };
    change(shared, Named { payment_key, order_id }, webhook, |intent, now| {
        let position = intent.close_dispute(status == End::Won, now).ok_or("no open dispute")?;
        Ok((dispute_body(intent, position), Told::DisputeClosed(position)))
    })
}

/// Changes an intent; nothing is told where the webhook is to be lost.
fn change(
    shared: &Shared,
    named: Named,
    webhook: bool,
    change: impl FnOnce(&mut Intent, u64) -> Result<(Value, Told), String>,
) -> Reply {
    let Named { payment_key, order_id } = named;
    let changed = shared.on_books(|books, now| {
        let index = books
            .named(payment_key.as_deref(), order_id.as_deref())
            .ok_or_else(|| "no such payment".to_owned())?;
        books.change(index, |intent| match change(intent, now) {
            Ok((body, told)) => (Ok(body), Some(if webhook { told } else { Told::Nothing })),
            Err(reason) => (Err(reason), None),
        })
    });
    match changed {
        Ok(body) => Reply::json(StatusCode::OK, &body),
        Err(reason) => Reply::bad_control(&reason),
    }
}

fn refund_body(intent: &Intent, position: usize) -> Value {
    let refund = intent.refunds.get(position);
    json!({
        "paymentKey": intent.id,
        "refundId": refund.map(|refund| &refund.id),
        "amount": refund.map(|refund| refund.amount),
        "status": refund.map(|refund| refund.status),
        "amountRefunded": intent.refunded(),
    })
}

fn dispute_body(intent: &Intent, position: usize) -> Value {
    let dispute = intent.disputes.get(position);
    json!({
        "paymentKey": intent.id,
        "disputeId": dispute.map(|dispute| &dispute.id),
        "amount": dispute.map(|dispute| dispute.amount),
        "status": dispute.map(|dispute| dispute.status),
    })
}
