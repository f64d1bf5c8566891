//! What happens at Toss without a call of the merchant's server: its staff give money back in the
//! console, a refund that was accepted is made or fails, and the bank moves money.

use hyper::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::errors::TossError;
use super::ledger::Told;
use super::payment::{BankEvent, Payment};
use super::refund::{Cancel, CancelOrder};
use super::reply::{Reply, Request};

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ConsoleRefund {
    order_id: Option<String>,
    payment_key: Option<String>,
    /// All that is left where it is absent.
    amount: Option<u64>,
    #[serde(default = "yes")]
    webhook: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct RefundTurns {
    order_id: Option<String>,
    payment_key: Option<String>,
    #[serde(default = "yes")]
    webhook: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Bank {
    order_id: Option<String>,
    payment_key: Option<String>,
    amount: Option<u64>,
    #[serde(default = "Bank::event")]
    event: BankEvent,
    #[serde(default = "yes")]
    webhook: bool,
}

impl Bank {
    fn event() -> BankEvent {
        BankEvent::Deposit
    }
}

fn yes() -> bool {
    true
}

/// `told`, or nothing where the webhook is to be lost.
fn unless_lost(webhook: bool, told: Told) -> Told {
    if webhook { told } else { Told::Nothing }
}

/// The merchant's staff give back a part or all that is left.
pub(super) fn refund(shared: &Shared, request: &Request) -> Reply {
    let Some(ConsoleRefund { order_id, payment_key, amount, webhook }) = request.json() else {
        return Reply::bad_control("orderId or paymentKey, amount?, webhook?");
    };
    let told = unless_lost(webhook, Told::Money);
    change(shared, payment_key.as_deref(), order_id.as_deref(), told, |payment, now| {
        payment.cancel(CancelOrder::by_console(amount), now).map_err(TossError::code)?;
        payment.cancels.last().cloned().ok_or("no refund")
    })
}

/// The latest refund that was accepted fails, and its money is back.
pub(super) fn fail_refund(shared: &Shared, request: &Request) -> Reply {
    turn(shared, request, Told::Money, |payment, now| payment.fail_refund(now).cloned())
}

/// The latest refund that was only accepted is made.
pub(super) fn complete_refund(shared: &Shared, request: &Request) -> Reply {
    turn(shared, request, Told::Status, |payment, _| payment.complete_refund().cloned())
}

fn turn(
    shared: &Shared,
    request: &Request,
    told: Told,
    turn: impl FnOnce(&mut Payment, u64) -> Option<Cancel>,
) -> Reply {
    let Some(RefundTurns { order_id, payment_key, webhook }) = request.json() else {
        return Reply::bad_control("orderId or paymentKey, webhook?");
    };
    let told = unless_lost(webhook, told);
    change(shared, payment_key.as_deref(), order_id.as_deref(), told, |payment, now| {
        turn(payment, now).ok_or("no such refund")
    })
}

/// Changes a payment, and answers with its refund that has changed.
fn change(
    shared: &Shared,
    payment_key: Option<&str>,
    order_id: Option<&str>,
    told: Told,
    change: impl FnOnce(&mut Payment, u64) -> Result<Cancel, &'static str>,
) -> Reply {
    let (changed, _) = shared.on_books(|books, now| {
        let index = books.ledger.named(payment_key, order_id).ok_or("no such payment")?;
        let cancel = books.ledger.change(index, |payment| {
            let result = change(payment, now);
            let told = result.is_ok().then_some(told);
            (result, told)
        })?;
        Ok(body(books.ledger.payment(index), &cancel))
    });
    match changed {
        Ok(body) => Reply::json(StatusCode::OK, &body),
        Err(reason) => Reply::bad_control(reason),
    }
}

fn body(payment: &Payment, cancel: &Cancel) -> Value {
    json!({
        "paymentKey": payment.key,
        "status": payment.status,
        "balanceAmount": payment.balance(),
        "transactionKey": cancel.transaction_key,
        "cancelAmount": cancel.amount,
        "cancelStatus": cancel.state,
    })
}

/// The bank moves the money of a virtual account.
pub(super) fn bank(shared: &Shared, request: &Request) -> Reply {
    let Some(Bank { order_id, payment_key, amount, event, webhook }) = request.json() else {
        return Reply::bad_control(
            "orderId or paymentKey, amount?, event? (deposit, reversal, expiry), webhook?",
        );
    };
    let told = match event {
        BankEvent::Expiry => Told::Nothing,
        BankEvent::Deposit | BankEvent::Reversal => unless_lost(webhook, Told::Money),
    };
    let (done, _) = shared.on_books(|books, now| {
        let index = books.ledger.named(payment_key.as_deref(), order_id.as_deref())?;
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
