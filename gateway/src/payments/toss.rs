//! Toss Payments, API version 2022-11-16 and newer.
//!
//! The browser makes the payment and the buyer authenticates it there; confirm takes the money. The
//! answer has to be about the very order: an idempotency key answers with whatever it was first
//! used for. Codes decide, from closed lists; the rest is unknown and a query settles it.

mod codes;
mod payment;
#[cfg(test)]
mod tests;
mod transaction;
mod webhook;

use hyper::HeaderMap;
use reqwest::RequestBuilder;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tiketi_engine::ids::UnixMillis;
use tiketi_engine::record::ProviderName;

use crate::config::Secret;
use crate::instants;
use crate::payments::answer::{
    Answered, CODE_CHARS_MAX, CancelState, Capture, Field, Found, Health, Listed,
    MESSAGE_CHARS_MAX, Mistake, Opened, ProviderCall, Refund, Refusal, Unknown, bounded,
};
use crate::payments::credentials::{SetupError, check_all};
use crate::payments::hint::{BadHint, Hint};
use crate::payments::ids::OrderId;
use crate::payments::link::{self, Link, Patience, Said};
use crate::payments::provider::{Call, Charge, Inquiry, ListPage, Opening, Provider, RefundOrder};
use crate::payments::toss::codes::{CancelClass, ConfirmClass};
use crate::payments::toss::payment::Payment;
use crate::payments::toss::transaction::TransactionRow;

const TRACE_HEADER: &str = "x-tosspayments-trace-id";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
const REASON_CHARS_MAX: usize = 200;
/// Asked for at once; a page of them is half of what an answer may be.
const TRANSACTIONS_PER_PAGE: usize = 500;

/// How Toss is reached.
#[derive(Clone, Debug)]
pub(crate) struct TossSettings {
    /// `https://api.tosspayments.com`, or a simulator's.
    pub(crate) base_url: String,
    /// `test_ck_…`, `live_gck_…`: public.
    pub(crate) client_key: String,
    /// In the order they are tried; at most two exist at a time.
    pub(crate) secret_keys: Vec<Secret>,
    pub(crate) patience: Patience,
    pub(crate) is_production: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Toss {
    link: Link,
    client_key: String,
    secret_keys: Vec<Secret>,
}

/// A call's answer, as far as HTTP and JSON go.
type Reply<O = Payment> = Result<O, Failure>;

/// An object that may have a status for the audit trail.
trait Object: DeserializeOwned {
    fn status(&self) -> Option<&str>;
}

impl Object for Payment {
    fn status(&self) -> Option<&str> {
        Some(&self.status)
    }
}

impl Object for Vec<TransactionRow> {
    fn status(&self) -> Option<&str> {
        None
    }
}

enum Failure {
    Error { status: u16, error: ErrorBody },
    Silence(Unknown),
}

#[derive(Deserialize)]
struct ErrorBody {
    code: String,
    #[serde(default)]
    message: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ConfirmBody<'a> {
    payment_key: &'a str,
    order_id: &'a str,
    amount: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CancelBody<'a> {
    cancel_reason: String,
    /// Left out for all that is left: an account that waits for its deposit takes nothing else.
    #[serde(skip_serializing_if = "Option::is_none")]
    cancel_amount: Option<u64>,
    /// Stops a second refund under another key.
    refundable_amount: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    refund_receive_account: Option<AccountBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountBody<'a> {
    bank: &'a str,
    account_number: &'a str,
    holder_name: &'a str,
}

impl Toss {
    /// # Errors
    /// A base URL that is none, keys that do not belong together or not here.
    pub(crate) fn new(settings: TossSettings) -> Result<Self, SetupError> {
        let TossSettings { base_url, client_key, secret_keys, patience, is_production } = settings;
        let link = Link::new(&base_url, patience)?;
        check_all(ProviderName::Toss, &client_key, &secret_keys, &link, is_production)?;
        Ok(Toss { link, client_key, secret_keys })
    }

    /// Asks by the payment's key, and by its order where that payment has no money: another window
    /// of the same order may have it.
    async fn find(&self, asked: &Inquiry) -> Answered<Found> {
        let by_order = ["v1", "payments", "orders", asked.order_id.as_str()];
        let by_order = || self.link.get(&by_order);
        let Some(key) = &asked.payment_key else {
            return self.call(ProviderCall::Query, by_order, |reply| found(asked, reply)).await;
        };
        let by_key = ["v1", "payments", key.as_str()];
        let by_key = || self.link.get(&by_key);
        let first = self.call(ProviderCall::Query, by_key, |reply| found(asked, reply)).await;
        let has_no_money = matches!(
            first.outcome,
            Found::NotApproved | Found::Missing | Found::Foreign { .. } | Found::Mistake(_)
        );
        if !has_no_money {
            return first;
        }
        let any_key = Inquiry { payment_key: None, ..asked.clone() };
        let judge = |reply| found(&any_key, reply);
        let second = self.call(ProviderCall::Query, by_order, judge).await;
        match second.outcome {
            Found::Captured { .. } | Found::AwaitingDeposit(_) | Found::Unknown(_) => second,
            _ => first,
        }
    }

    async fn call<T, O: Object>(
        &self,
        kind: ProviderCall,
        request: impl Fn() -> RequestBuilder,
        judge: impl FnOnce(Reply<O>) -> T,
    ) -> Answered<T> {
        let signed = |key: &Secret| request().basic_auth(key.expose(), Some(""));
        let said = link::send(&self.secret_keys, TRACE_HEADER, signed).await;
        let reply = parse::<O>(&said);
        let (code, health) = match &reply {
            Ok(object) => (object.status(), Health::Up),
            Err(Failure::Error { error, .. }) if codes::is_key(&error.code) => {
                tracing::error!(code = error.code, "Toss does not take our key");
                (Some(error.code.as_str()), Health::Down)
            }
            Err(Failure::Error { error, .. }) => (Some(error.code.as_str()), said.health()),
            Err(Failure::Silence(_)) => (None, said.health()),
        };
        let trail = said.trail(kind, code);
        Answered { outcome: judge(reply), trail, health }
    }
}

impl Provider for Toss {
    fn client_key(&self) -> &str {
        &self.client_key
    }

    fn open<'a>(&'a self, _: &'a Opening) -> Option<Call<'a, Opened>> {
        None
    }

    fn capture<'a>(&'a self, charge: &'a Charge) -> Call<'a, Capture> {
        let body = ConfirmBody {
            payment_key: charge.payment_key.as_str(),
            order_id: charge.order_id.as_str(),
            amount: charge.amount,
        };
        let request = move || {
            let request = self.link.post(&["v1", "payments", "confirm"]).json(&body);
            request.header(IDEMPOTENCY_KEY, &charge.idempotency_key)
        };
        Box::pin(self.call(ProviderCall::Capture, request, |reply| captured(charge, reply)))
    }

    fn query<'a>(&'a self, payment: &'a Inquiry) -> Call<'a, Found> {
        Box::pin(self.find(payment))
    }

    fn refund<'a>(&'a self, refund: &'a RefundOrder) -> Call<'a, Refund> {
        let body = CancelBody {
            cancel_reason: bounded(&refund.reason, REASON_CHARS_MAX),
            cancel_amount: (refund.amount != refund.balance).then_some(refund.amount),
            refundable_amount: refund.balance,
            refund_receive_account: refund.account.as_ref().map(|account| AccountBody {
                bank: &account.bank,
                account_number: &account.number,
                holder_name: &account.holder,
            }),
        };
        let request = move || {
            let path = ["v1", "payments", refund.payment_key.as_str(), "cancel"];
            self.link.post(&path).json(&body).header(IDEMPOTENCY_KEY, &refund.idempotency_key)
        };
        Box::pin(self.call(ProviderCall::Refund, request, |reply| refunded(refund, reply)))
    }

    fn transactions<'a>(&'a self, page: &'a ListPage) -> Call<'a, Listed> {
        // Its end belongs to the list.
        let last = UnixMillis(page.to.0.saturating_sub(1));
        let (from, to) = (instants::seoul_second(page.from), instants::seoul_second(last));
        let limit = TRANSACTIONS_PER_PAGE.to_string();
        let request = move || {
            let mut query = vec![("startDate", from.as_str()), ("endDate", &to), ("limit", &limit)];
            query.extend(page.after.as_deref().map(|after| ("startingAfter", after)));
            self.link.get_with(&["v1", "transactions"], &query)
        };
        Box::pin(self.call(ProviderCall::Query, request, listed))
    }

    fn hint(&self, headers: &HeaderMap, body: &[u8], _: UnixMillis) -> Result<Hint, BadHint> {
        webhook::read(headers, body)
    }
}

fn parse<O: Object>(said: &Said) -> Reply<O> {
    let heard = said.heard.as_ref().map_err(|&unknown| Failure::Silence(unknown))?;
    let unreadable = |_| Failure::Silence(Unknown::NotUnderstood);
    match heard.status.as_u16() {
        200 => serde_json::from_slice(&heard.body).map_err(unreadable),
        status => {
            let mut error: ErrorBody = serde_json::from_slice(&heard.body).map_err(unreadable)?;
            error.code = bounded(&error.code, CODE_CHARS_MAX);
            Err(Failure::Error { status, error })
        }
    }
}

fn captured(charge: &Charge, reply: Reply) -> Capture {
    let payment = match reply {
        Ok(payment) => payment,
        Err(Failure::Silence(unknown)) => return Capture::Unknown(unknown),
        Err(Failure::Error { status, error }) => {
            return match codes::of_confirm(status, &error.code) {
                ConfirmClass::Refused => Capture::Refused(error.into()),
                ConfirmClass::Mistake => Capture::Mistake(error.into()),
                ConfirmClass::Unknown => Capture::Unknown(Unknown::Code),
            };
        }
    };
    let field = payment.mismatch(&charge.order_id, Some(&charge.payment_key), Some(charge.amount));
    if let Some(field) = field {
        return Capture::Unknown(mismatch(&charge.order_id, field));
    }
    match payment.status.as_str() {
        "DONE" => payment.captured().map_or_else(Capture::Unknown, Capture::Captured),
        "WAITING_FOR_DEPOSIT" => {
            payment.deposit().map_or_else(Capture::Unknown, Capture::AwaitingDeposit)
        }
        _ => Capture::Unknown(Unknown::Status),
    }
}

fn found(asked: &Inquiry, reply: Reply) -> Found {
    let payment = match reply {
        Ok(payment) => payment,
        Err(Failure::Silence(unknown)) => return Found::Unknown(unknown),
        Err(Failure::Error { status: 404, error }) if error.code == "NOT_FOUND_PAYMENT" => {
            return Found::Missing;
        }
        Err(Failure::Error { status, error }) => {
            let mistake = codes::mistake(status, &error.code);
            return mistake.map_or(Found::Unknown(Unknown::Code), Found::Mistake);
        }
    };
    match payment.mismatch(&asked.order_id, asked.payment_key.as_ref(), Some(asked.amount)) {
        Some(field) => {
            mismatch(&asked.order_id, field);
            // A payment keeps its order and its amount; what was asked by a key was that payment.
            let has_money = matches!(
                payment.found(),
                Found::Captured { .. } | Found::AwaitingDeposit(_) | Found::Unknown(_)
            );
            let is_other_order = field == Field::OrderId;
            let is_certain = asked.payment_key.is_some() && (is_other_order || !has_money);
            Found::Foreign { field, is_certain }
        }
        None => payment.found(),
    }
}

/// The next page begins behind the last transaction of this one.
fn listed(reply: Reply<Vec<TransactionRow>>) -> Listed {
    let rows = match reply {
        Ok(rows) => rows,
        Err(Failure::Silence(unknown)) => return Listed::Unknown(unknown),
        Err(Failure::Error { status, error }) => {
            let mistake = codes::mistake(status, &error.code);
            return mistake.map_or(Listed::Unknown(Unknown::Code), Listed::Mistake);
        }
    };
    let is_last = rows.len() < TRANSACTIONS_PER_PAGE;
    let next = rows.last().filter(|_| !is_last).map(|row| row.transaction_key.clone());
    Listed::Page { rows: rows.into_iter().map(TransactionRow::read).collect(), next }
}

fn refunded(refund: &RefundOrder, reply: Reply) -> Refund {
    let payment = match reply {
        Ok(payment) => payment,
        Err(Failure::Silence(unknown)) => return Refund::Unknown(unknown),
        Err(Failure::Error { status, error }) => {
            return match codes::of_cancel(status, &error.code) {
                CancelClass::Already => Refund::Already(error.into()),
                CancelClass::Refused => Refund::Refused(error.into()),
                CancelClass::Later => Refund::Later(error.into()),
                CancelClass::Mistake => Refund::Mistake(error.into()),
                CancelClass::Unknown => Refund::Unknown(Unknown::Code),
            };
        }
    };
    if let Some(field) = payment.mismatch(&refund.order_id, Some(&refund.payment_key), None) {
        return Refund::Unknown(mismatch(&refund.order_id, field));
    }
    let transaction_key = payment.transaction_key();
    match payment.last_cancel() {
        Some(cancel) if cancel.amount != refund.amount => {
            return Refund::Unknown(mismatch(&refund.order_id, Field::Amount));
        }
        Some(cancel) if cancel.state == CancelState::Pending => {
            return Refund::Pending { transaction_key: cancel.transaction_key };
        }
        Some(cancel) if cancel.state == CancelState::Failed => {
            return Refund::Unknown(Unknown::Status);
        }
        Some(_) | None => {}
    }
    let left = refund.balance.checked_sub(refund.amount);
    match payment.balance() {
        Some(balance) if Some(balance) == left => Refund::Done { balance, transaction_key },
        _ => Refund::Unknown(mismatch(&refund.order_id, Field::Balance)),
    }
}

/// Never a success, and never quiet: somebody has to look.
fn mismatch(order_id: &OrderId, field: Field) -> Unknown {
    tracing::error!(%order_id, ?field, "Toss answers about another payment than was asked for");
    Unknown::Mismatch(field)
}

impl From<ErrorBody> for Refusal {
    fn from(error: ErrorBody) -> Self {
        let message = error.message.unwrap_or_default();
        Refusal { message: bounded(&message, MESSAGE_CHARS_MAX), code: error.code }
    }
}

impl From<ErrorBody> for Mistake {
    fn from(error: ErrorBody) -> Self {
        Mistake { is_key: codes::is_key(&error.code), code: error.code }
    }
}
