//! The API: who may call, what happens once only, what the switches do, and the calls themselves.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::AUTHORIZATION;
use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde_json::Number;
use subtle::ConstantTimeEq;

use super::errors::{Language, TossError};
use super::faults::{Call, Fault, on_the_wire};
use super::idempotency::{Begun, Stored};
use super::kept::Line;
use super::ledger::{Index, Told};
use super::payment::Status;
use super::questions::{
    EarlyWebhook, FailedPost, OtherBody, Questions, RateLimit, TestCodeOnCancel, UnknownKey,
};
use super::refund::{CancelOrder, RefundAccount};
use super::reply::{Reply, Request};
use super::server::{Dropped, unknown};
use super::webhooks::ANSWER_TIMEOUT;
use super::wire::{PaymentBody, TransactionBody};
use super::{Books, Shared};
use crate::http::query::parameter;
use crate::instants;

const TRACE_ID: &str = "x-tosspayments-trace-id";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const TEST_CODE: &str = "tosspayments-test-code";
/// Longer idempotency keys are refused.
const KEY_CHARS_MAX: usize = 300;
/// How long they are known, from their first use.
pub(super) const ANSWERS_KEPT_MS: u64 = 15 * 24 * 60 * 60_000;
const PAYMENT_KEY_CHARS_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 200;
const REQUEST_ID_CHARS: std::ops::RangeInclusive<usize> = 6..=64;
/// Transactions in one answer, where no number is asked for and at most.
const TRANSACTIONS: usize = 100;
const TRANSACTIONS_MAX: usize = 5_000;

/// A call that changes something, read; `None` where its body is not as it has to be.
enum Post {
    Confirm(Option<Confirm>),
    Cancel { key: String, order: Option<CancelOrder> },
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Confirm {
    payment_key: String,
    order_id: String,
    amount: Number,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CancelBody {
    cancel_reason: String,
    cancel_amount: Option<Number>,
    refundable_amount: Option<Number>,
    tax_free_amount: Option<Number>,
    currency: Option<String>,
    cancel_request_id: Option<String>,
    refund_receive_account: Option<RefundAccountBody>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RefundAccountBody {
    bank: String,
    account_number: String,
    holder_name: String,
}

/// A call that only reads.
enum Get<'r> {
    ByKey(&'r str),
    ByOrder(&'r str),
    Transactions,
}

/// Why a call fails, in its own words.
struct Refusal {
    status: StatusCode,
    code: String,
    message: &'static str,
}

/// What is known of a call before it is carried out.
#[derive(Clone)]
struct Context {
    language: Language,
    trace: String,
    /// Method, address and idempotency key, where one was sent.
    scope: Option<String>,
    test_code: Option<String>,
    order_id: Option<String>,
}

/// Answers a call below `v1`.
pub(super) async fn answer(shared: &Arc<Shared>, request: &Request) -> Result<Reply, Dropped> {
    let trace = format!("{:032x}", rand::random::<u128>());
    let language = request.language();
    let refused = |error| Ok(Reply::refusal(error, language).header(TRACE_ID, &trace));
    if let Err(error) = authorize(shared, request) {
        return refused(error);
    }
    match (&request.method, request.segments().as_slice()) {
        (&Method::GET, ["v1", "payments", "orders", order_id]) => {
            query(shared, request, Get::ByOrder(order_id), trace).await
        }
        (&Method::GET, ["v1", "payments", key]) => {
            query(shared, request, Get::ByKey(key), trace).await
        }
        (&Method::GET, ["v1", "transactions"]) => {
            query(shared, request, Get::Transactions, trace).await
        }
        (&Method::POST, ["v1", "payments", "confirm"]) => {
            post(shared, request, Post::Confirm(request.json()), trace).await
        }
        (&Method::POST, ["v1", "payments", key, "cancel"]) => {
            let order = request.json().and_then(CancelBody::check);
            post(shared, request, Post::Cancel { key: (*key).to_owned(), order }, trace).await
        }
        _ => Ok(unknown().header(TRACE_ID, &trace)),
    }
}

/// Basic authentication: the secret key, a colon, no password.
fn authorize(shared: &Shared, request: &Request) -> Result<(), TossError> {
    let value = request.header(AUTHORIZATION.as_str()).ok_or(TossError::UNAUTHORIZED_KEY)?;
    let Some((scheme, encoded)) = value.split_once(' ') else {
        return Err(TossError::INCORRECT_BASIC_AUTH_FORMAT);
    };
    let decoded =
        STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let pair = decoded.as_deref().and_then(|pair| pair.split_once(':'));
    let Some((key, password)) = pair.filter(|_| scheme.eq_ignore_ascii_case("basic")) else {
        return Err(TossError::INCORRECT_BASIC_AUTH_FORMAT);
    };
    let is_ours = bool::from(key.as_bytes().ct_eq(shared.secret_key.as_bytes()));
    match is_ours && password.is_empty() {
        true => Ok(()),
        false => Err(TossError::UNAUTHORIZED_KEY),
    }
}

// === calls that read ===

async fn query(
    shared: &Arc<Shared>,
    request: &Request,
    get: Get<'_>,
    trace: String,
) -> Result<Reply, Dropped> {
    let order_id = match get {
        Get::ByKey(key) => order_of(shared, key),
        Get::ByOrder(order_id) => Some(order_id.to_owned()),
        Get::Transactions => None,
    };
    let language = request.language();
    on_the_wire(&shared.faults, Call::Query, order_id.as_deref(), failed, async {
        let fault = shared.faults.lock().of_the_work(Call::Query, order_id.as_deref());
        if let Some(Fault::DelayMs(delay_ms)) = fault {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        let questions = *shared.questions.lock();
        let reply = match fault.and_then(|fault| forced(&fault, &questions, language)) {
            Some(refusal) => refusal.reply(),
            None => match get {
                Get::ByKey(key) => find(shared, |books| books.ledger.by_key(key), language),
                Get::ByOrder(id) => {
                    let which = questions.query_by_order;
                    find(shared, |books| books.ledger.shown(id, which), language)
                }
                Get::Transactions => transactions(shared, request, language),
            },
        };
        reply.header(TRACE_ID, &trace)
    })
    .await
}

fn find(shared: &Shared, at: impl FnOnce(&Books) -> Option<Index>, language: Language) -> Reply {
    let (reply, _) = shared.on_books(|books, now| {
        let payment = books.ledger.payment(at(books)?);
        let body = PaymentBody::of(payment, shared.manner(language, now));
        Some(Reply::json(StatusCode::OK, &body))
    });
    reply.unwrap_or_else(|| Reply::refusal(TossError::NOT_FOUND_PAYMENT, language))
}

/// `startDate`, `endDate` (Seoul time where they name no zone), `startingAfter`, `limit`.
fn transactions(shared: &Shared, request: &Request, language: Language) -> Reply {
    let text = |name| parameter(&request.query, name).ok().flatten();
    let instant = |name| text(name).and_then(|value| instants::parse(&value)).map(|at| at.0);
    let limit = match text("limit") {
        Some(limit) => limit.parse().ok().filter(|limit| (1..=TRANSACTIONS_MAX).contains(limit)),
        None => Some(TRANSACTIONS),
    };
    let refused = || Reply::refusal(TossError::INVALID_REQUEST, language);
    let (Some(from), Some(until), Some(limit)) = (instant("startDate"), instant("endDate"), limit)
    else {
        return refused();
    };
    let (reply, _) = shared.on_books(|books, now| {
        let manner = shared.manner(language, now);
        let after = text("startingAfter");
        let moves = books.ledger.moves((from, until), after.as_deref(), limit)?;
        let bodies = moves.map(|(payment, made)| TransactionBody::of(payment, made, manner));
        Some(Reply::json(StatusCode::OK, &bodies.collect::<Vec<_>>()))
    });
    reply.unwrap_or_else(refused)
}

// === calls that change something ===

async fn post(
    shared: &Arc<Shared>,
    request: &Request,
    post: Post,
    trace: String,
) -> Result<Reply, Dropped> {
    let (call, order_id) = match &post {
        Post::Confirm(confirm) => {
            (Call::Confirm, confirm.as_ref().map(|confirm| confirm.order_id.clone()))
        }
        Post::Cancel { key, .. } => (Call::Cancel, order_of(shared, key)),
    };
    let key =
        request.headers.get(IDEMPOTENCY_KEY).map(|key| String::from_utf8_lossy(key.as_bytes()));
    let language = request.language();
    if key.as_ref().is_some_and(|key| key.chars().count() > KEY_CHARS_MAX) {
        let reply = Reply::refusal(TossError::INVALID_IDEMPOTENCY_KEY, language);
        return Ok(reply.header(TRACE_ID, &trace));
    }
    let context = Context {
        language,
        trace,
        scope: key.as_ref().map(|key| format!("{} {} {key}", request.path, request.query)),
        test_code: request.header(TEST_CODE).map(str::to_owned),
        order_id: order_id.clone(),
    };
    on_the_wire(&shared.faults, call, order_id.as_deref(), failed, async {
        match begin(shared, &context, &request.body) {
            Some(reply) => reply.header(IDEMPOTENCY_KEY, key.as_deref().unwrap_or_default()),
            None => carry_out(shared, call, post, context).await,
        }
    })
    .await
}

/// Whether a request under this key was answered, or is being; `None` where it is to be carried out.
fn begin(shared: &Shared, context: &Context, body: &[u8]) -> Option<Reply> {
    let compares = shared.questions.lock().other_body == OtherBody::Refused;
    let scope = context.scope.as_deref()?;
    let now = shared.clock.now();
    let refused =
        |error| Some(Reply::refusal(error, context.language).header(TRACE_ID, &context.trace));
    match shared.books.lock().answers.begin(scope, body, compares, now) {
        Begun::First => None,
        Begun::Running => refused(TossError::IDEMPOTENT_REQUEST_PROCESSING),
        Begun::OtherBody => refused(TossError::INVALID_REQUEST),
        Begun::Replay(Stored { status, body, trace }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let trace = format!("{}, {trace}", context.trace);
            Some(Reply::json_bytes(status, body).header(TRACE_ID, &trace))
        }
    }
}

/// Carries out a call, after a delay where a switch says so. That goes on where the caller leaves.
async fn carry_out(shared: &Arc<Shared>, call: Call, post: Post, context: Context) -> Reply {
    let fault = shared.faults.lock().of_the_work(call, context.order_id.as_deref());
    let Some(Fault::DelayMs(delay_ms)) = fault else {
        return finish(shared, &post, &context, fault).await;
    };
    let language = context.language;
    let shared = Arc::clone(shared);
    let task = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        finish(&shared, &post, &context, None).await
    });
    // Only where the runtime ends.
    let failed = |_| Reply::refusal(TossError::FAILED_INTERNAL_SYSTEM_PROCESSING, language);
    task.await.unwrap_or_else(failed)
}

async fn finish(shared: &Shared, post: &Post, context: &Context, fault: Option<Fault>) -> Reply {
    let questions = *shared.questions.lock();
    let (reply, heard) = shared.on_books(|books, now| {
        let result = decide(shared, books, post, context, fault.as_ref(), &questions, now);
        let reply = result.unwrap_or_else(|refusal| refusal.reply());
        let is_kept =
            !reply.status.is_server_error() || questions.failed_post != FailedPost::Executed;
        if let Some(scope) = &context.scope
            && let Some(line) = books.answers.answered(scope, &reply, &context.trace, is_kept)
        {
            shared.journal.append(&Line::Answer(&line));
        }
        reply
    });
    if questions.early_webhook == EarlyWebhook::Before {
        for attempted in heard {
            // A receiver that never answers is waited for as long as its webhook waits.
            let _ = tokio::time::timeout(ANSWER_TIMEOUT, attempted).await;
        }
    }
    reply.header(TRACE_ID, &context.trace)
}

/// The call itself: what is forced goes first, before anything is looked up.
fn decide(
    shared: &Shared,
    books: &mut Books,
    post: &Post,
    context: &Context,
    fault: Option<&Fault>,
    questions: &Questions,
    now: u64,
) -> Result<Reply, Refusal> {
    let language = context.language;
    let refused = |error| Refusal::of(error, language);
    let ignores_code = matches!(post, Post::Cancel { .. })
        && questions.test_code_on_cancel == TestCodeOnCancel::Ignored;
    if let Some(code) = context.test_code.as_deref().filter(|_| !ignores_code) {
        return Err(Refusal::named(code, StatusCode::BAD_REQUEST, language));
    }
    if let Some(refusal) = fault.and_then(|fault| forced(fault, questions, language)) {
        if let Post::Confirm(Some(confirm)) = post {
            abort(books, confirm, &refusal);
        }
        return Err(refusal);
    }
    let index = match post {
        Post::Confirm(None) | Post::Cancel { order: None, .. } => {
            return Err(refused(TossError::INVALID_REQUEST));
        }
        Post::Confirm(Some(confirm)) => {
            confirmed(books, confirm, questions, now).map_err(refused)?
        }
        Post::Cancel { key, order: Some(order) } => {
            let is_pending = fault == Some(&Fault::Pending);
            let order = CancelOrder { is_pending, ..order.clone() };
            cancelled(books, key, order, now).map_err(refused)?
        }
    };
    let body = PaymentBody::of(books.ledger.payment(index), shared.manner(language, now));
    Ok(Reply::json(StatusCode::OK, &body))
}

fn confirmed(
    books: &mut Books,
    confirm: &Confirm,
    questions: &Questions,
    now: u64,
) -> Result<Index, TossError> {
    let amount = won(&confirm.amount).ok_or(TossError::INVALID_REQUEST)?;
    if confirm.payment_key.chars().count() > PAYMENT_KEY_CHARS_MAX {
        return Err(TossError::INVALID_REQUEST);
    }
    let index = books.ledger.by_key(&confirm.payment_key).ok_or(match questions.unknown_key {
        UnknownKey::Session => TossError::NOT_FOUND_PAYMENT_SESSION,
        UnknownKey::Payment => TossError::NOT_FOUND_PAYMENT,
    })?;
    books.ledger.change(index, |payment| {
        let before = payment.status;
        let result = payment.confirm(&confirm.order_id, amount, questions, now);
        // A decline ends the payment, too.
        (result, (payment.status != before).then_some(Told::Status))
    })?;
    Ok(index)
}

fn cancelled(
    books: &mut Books,
    key: &str,
    order: CancelOrder,
    now: u64,
) -> Result<Index, TossError> {
    let index = books.ledger.by_key(key).ok_or(TossError::NOT_FOUND_PAYMENT)?;
    books.ledger.change(index, |payment| {
        let result = payment.cancel(order, now);
        (result, result.is_ok().then_some(Told::Money))
    })?;
    Ok(index)
}

/// A decline that is forced ends the payment as a real one does.
fn abort(books: &mut Books, confirm: &Confirm, refusal: &Refusal) {
    let error = TossError::of(&refusal.code).filter(|error| error.ends_the_payment());
    if let (Some(error), Some(index)) = (error, books.ledger.by_key(&confirm.payment_key)) {
        books.ledger.change(index, |payment| {
            let is_open = payment.status == Status::InProgress;
            if is_open {
                payment.abort(error);
            }
            ((), is_open.then_some(Told::Status))
        });
    }
}

// === switches ===

/// What the wire says in place of an answer.
fn failed(status: u16) -> Reply {
    Refusal::failed(status, Language::Korean).reply()
}

/// The refusal that a switch forces, where it does.
fn forced(fault: &Fault, questions: &Questions, language: Language) -> Option<Refusal> {
    match fault {
        Fault::Error(code) => Some(Refusal::named(code, StatusCode::BAD_REQUEST, language)),
        Fault::Unlisted { code, status } => {
            let status = StatusCode::from_u16(*status).unwrap_or(StatusCode::BAD_REQUEST);
            Some(Refusal { code: code.clone(), status, message: "" })
        }
        Fault::RateLimit => Some(Refusal::of(
            match questions.rate_limit {
                RateLimit::TooMany => TossError::TOO_MANY_REQUESTS,
                RateLimit::Consecutive => TossError::FORBIDDEN_CONSECUTIVE_REQUEST,
            },
            language,
        )),
        Fault::Status(status) => Some(Refusal::failed(*status, language)),
        Fault::DelayMs(_)
        | Fault::Timeout
        | Fault::TimeoutAfter
        | Fault::DropBefore
        | Fault::DropAfter
        | Fault::StatusAfter(_)
        | Fault::Html502
        | Fault::Duplicate
        | Fault::OutOfOrder
        | Fault::UnsignedFake
        | Fault::Pending => None,
    }
}

impl Refusal {
    fn of(error: TossError, language: Language) -> Self {
        Refusal {
            status: error.status(),
            code: error.code().to_owned(),
            message: error.message(language),
        }
    }

    /// The error of a code, or the code itself where Toss does not list it.
    fn named(code: &str, status: StatusCode, language: Language) -> Self {
        match TossError::of(code) {
            Some(error) => Refusal::of(error, language),
            None => Refusal { status, code: code.to_owned(), message: "" },
        }
    }

    fn failed(status: u16, language: Language) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Refusal { status, ..Refusal::of(TossError::FAILED_INTERNAL_SYSTEM_PROCESSING, language) }
    }

    fn reply(&self) -> Reply {
        Reply::failure(self.status, &self.code, self.message)
    }
}

// === reading ===

/// The order of a payment, for switches that name one.
fn order_of(shared: &Shared, key: &str) -> Option<String> {
    let books = shared.books.lock();
    let index = books.ledger.by_key(key)?;
    Some(books.ledger.payment(index).order_id.clone())
}

/// A whole number of won; `1000.0` is one.
pub(super) fn won(number: &Number) -> Option<u64> {
    const MAX: f64 = 9_007_199_254_740_992.0;
    let of_float = |number: &Number| {
        let value = number.as_f64().filter(|value| value.fract() == 0.0)?;
        (0.0..MAX).contains(&value).then_some(value as u64)
    };
    number.as_u64().or_else(|| of_float(number))
}

impl CancelBody {
    /// The fields, where all of them are in their bounds.
    fn check(self) -> Option<CancelOrder> {
        let positive = |number: Option<Number>| match number {
            Some(number) => won(&number).filter(|amount| *amount > 0).map(Some),
            None => Some(None),
        };
        let has_reason = (1..=REASON_CHARS_MAX).contains(&self.cancel_reason.chars().count());
        let is_won = self.currency.is_none_or(|currency| currency == "KRW");
        let request_id = self.cancel_request_id;
        let is_id = request_id.as_ref().is_none_or(|id| REQUEST_ID_CHARS.contains(&id.len()));
        if !has_reason || !is_won || !is_id {
            return None;
        }
        let believed = match self.refundable_amount {
            Some(number) => Some(won(&number)?),
            None => None,
        };
        Some(CancelOrder {
            reason: self.cancel_reason,
            amount: positive(self.cancel_amount)?,
            refundable_amount: believed,
            tax_free_amount: self.tax_free_amount.map_or(Some(0), |number| won(&number))?,
            request_id,
            refund_account: self.refund_receive_account.map(|account| RefundAccount {
                bank: account.bank,
                number: account.account_number,
                holder: account.holder_name,
            }),
            ..CancelOrder::default()
        })
    }
}
