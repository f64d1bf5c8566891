//! The API: who may call, what happens once only, what the switches do, and the calls themselves.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::header::AUTHORIZATION;
use hyper::{Method, StatusCode};
use serde_json::Value;
use subtle::ConstantTimeEq;

use super::super::faults::{Call, Fault, on_the_wire};
use super::super::idempotency::{Begun, Stored};
use super::super::reply::{Reply, Request};
use super::super::server::Dropped;
use super::books::{Books, Index, Told};
use super::errors::StripeError;
use super::form::Form;
use super::intent::{Intent, NewRefund, RefundStatus, Status};
use super::params::{Post, read};
use super::{Line, Shared, lists, wire};

const REQUEST_ID: &str = "request-id";
const REPLAYED: &str = "idempotent-replayed";
const IDEMPOTENCY_KEY: &str = "idempotency-key";
const KEY_CHARS_MAX: usize = 255;
/// Brings the charge along with its intent.
const LATEST_CHARGE: &str = "latest_charge";

/// What is known of a call before it is carried out.
#[derive(Clone)]
struct Context {
    call: Call,
    order_id: Option<String>,
    /// Method, address and idempotency key, where one was sent.
    scope: Option<String>,
    request_id: String,
    is_expanded: bool,
}

/// Answers a call below `v1`.
pub(super) async fn answer(shared: &Arc<Shared>, request: &Request) -> Result<Reply, Dropped> {
    let request_id = format!("req_{:014x}", rand::random::<u64>() >> 8);
    let refused = |error: StripeError| Ok(error.reply().header(REQUEST_ID, &request_id));
    if let Err(error) = authorize(shared, request) {
        return refused(error);
    }
    match request.method {
        Method::GET => get(shared, request, &request_id).await,
        Method::POST => match read(request) {
            Ok((post, form)) => self::post(shared, request, post, &form, &request_id).await,
            Err(error) => refused(error),
        },
        _ => refused(StripeError::unknown_url()),
    }
}

/// The secret key as a bearer token, or as the user of basic authentication.
fn authorize(shared: &Shared, request: &Request) -> Result<(), StripeError> {
    let value = request.header(AUTHORIZATION.as_str()).ok_or_else(StripeError::no_key)?;
    let (scheme, rest) = value.split_once(' ').ok_or_else(StripeError::no_key)?;
    let key = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => Some(rest.trim().to_owned()),
        "basic" => {
            let decoded = STANDARD.decode(rest.trim()).ok();
            let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
            decoded.and_then(|pair| pair.strip_suffix(':').map(str::to_owned))
        }
        _ => None,
    };
    let key = key.ok_or_else(StripeError::no_key)?;
    if bool::from(key.as_bytes().ct_eq(shared.secret_key.as_bytes())) {
        return Ok(());
    }
    match key.starts_with("pk_") {
        true => Err(StripeError::publishable_key()),
        false => Err(StripeError::bad_key()),
    }
}

// === calls that read ===

async fn get(shared: &Arc<Shared>, request: &Request, request_id: &str) -> Result<Reply, Dropped> {
    let (segments, form) = (request.segments(), Form::of_query(request));
    let order_id = shared.on_books(|books, _| {
        let index = subject(books, &segments, &form)?;
        Some(books.intent(index).order_id().to_owned())
    });
    on_the_wire(&shared.faults, Call::Query, order_id.as_deref(), failed, async {
        let fault = shared.faults.lock().of_the_work(Call::Query, order_id.as_deref());
        if let Some(Fault::DelayMs(delay_ms)) = fault {
            tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        }
        let reply = match fault.as_ref().and_then(forced) {
            Some(error) => error.reply(),
            None => {
                shared.on_books(|books, _| match find(books, &segments, &form, &shared.base_url) {
                    Ok(object) => Reply::json(StatusCode::OK, &object),
                    Err(error) => error.reply(),
                })
            }
        };
        reply.header(REQUEST_ID, request_id)
    })
    .await
}

/// The intent that is asked about, for switches that name its order.
fn subject(books: &Books, segments: &[&str], form: &Form) -> Option<Index> {
    match segments {
        ["v1", "payment_intents", id] => books.by_id(id),
        ["v1", "charges", id] => books.by_charge(id),
        ["v1", "refunds", id] => books.refunds.get(id).map(|(index, _)| index),
        ["v1", "disputes", id] => books.disputes.get(id).map(|(index, _)| index),
        ["v1", "balance_transactions", id] => books.moves.get(id).map(|(index, _)| index),
        _ => match (form.text("payment_intent"), form.text("charge")) {
            (Some(id), _) => books.by_id(id),
            (None, Some(id)) => books.by_charge(id),
            (None, None) => None,
        },
    }
}

fn find(
    books: &Books,
    segments: &[&str],
    form: &Form,
    base_url: &str,
) -> Result<Value, StripeError> {
    let links = |what| form.expands(what).then_some(base_url);
    let refund = |intent: &Intent, at: usize| wire::refund(intent, at, &intent.refunds[at]);
    let dispute = |intent: &Intent, at: usize| wire::dispute(intent, at, &intent.disputes[at]);
    match segments {
        ["v1", "payment_intents", id] => {
            let index =
                books.by_id(id).ok_or_else(|| StripeError::no_such("payment_intent", "intent"))?;
            Ok(wire::intent(books.intent(index), base_url, form.expands(LATEST_CHARGE)))
        }
        ["v1", "charges", id] => {
            let index = books.by_charge(id).ok_or_else(|| StripeError::no_such("charge", "id"))?;
            Ok(wire::charge(books.intent(index), base_url))
        }
        ["v1", "refunds"] => lists::refunds(books, form, refund),
        ["v1", "refunds", id] => {
            let found = books.refunds.get(id);
            let (index, at) = found.ok_or_else(|| StripeError::no_such("refund", "id"))?;
            Ok(refund(books.intent(index), at))
        }
        ["v1", "disputes"] => lists::disputes(books, form, dispute),
        ["v1", "disputes", id] => {
            let found = books.disputes.get(id);
            let (index, at) = found.ok_or_else(|| StripeError::no_such("dispute", "id"))?;
            Ok(dispute(books.intent(index), at))
        }
        ["v1", "balance_transactions"] => lists::moves(books, form, |intent, at| {
            wire::balance_transaction(intent, &intent.moves[at], links("data.source"))
        }),
        ["v1", "balance_transactions", id] => {
            let found = books.moves.get(id);
            let no_such = || StripeError::no_such("balance transaction", "id");
            let (index, at) = found.ok_or_else(no_such)?;
            let intent = books.intent(index);
            Ok(wire::balance_transaction(intent, &intent.moves[at], links("source")))
        }
        _ => Err(StripeError::unknown_url()),
    }
}

// === calls that change something ===

async fn post(
    shared: &Arc<Shared>,
    request: &Request,
    post: Post,
    form: &Form,
    request_id: &str,
) -> Result<Reply, Dropped> {
    let key = request.header(IDEMPOTENCY_KEY).map(str::to_owned);
    if key.as_ref().is_some_and(|key| key.chars().count() > KEY_CHARS_MAX) {
        return Ok(StripeError::key_too_long().reply().header(REQUEST_ID, request_id));
    }
    let context = Context {
        call: match post {
            Post::Create(_) => Call::Create,
            Post::Capture { .. } => Call::Capture,
            Post::Cancel { .. } => Call::Cancel,
            Post::Refund { .. } => Call::Refund,
        },
        order_id: order_of(shared, &post),
        scope: key.map(|key| format!("{} {key}", request.path)),
        request_id: request_id.to_owned(),
        is_expanded: form.expands(LATEST_CHARGE),
    };
    let order_id = context.order_id.clone();
    on_the_wire(&shared.faults, context.call, order_id.as_deref(), failed, async {
        match begin(shared, &context, &request.body) {
            Some(reply) => reply,
            None => carry_out(shared, post, context).await,
        }
    })
    .await
}

/// Whether a request under this key was answered, or is being; `None` where it is to be carried out.
fn begin(shared: &Shared, context: &Context, body: &[u8]) -> Option<Reply> {
    let scope = context.scope.as_deref()?;
    let now = shared.clock.now();
    let refused = |error: StripeError| Some(error.reply().header(REQUEST_ID, &context.request_id));
    match shared.books.lock().answers.begin(scope, body, true, now) {
        Begun::First => None,
        Begun::Running => refused(StripeError::key_in_use()),
        Begun::OtherBody => refused(StripeError::other_parameters()),
        Begun::Replay(Stored { status, body, trace }) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
            let reply = Reply::json_bytes(status, body).header(REQUEST_ID, &trace);
            Some(reply.header(REPLAYED, "true"))
        }
    }
}

/// Carries a call out, after a delay where a switch says so. That goes on where the caller leaves.
async fn carry_out(shared: &Arc<Shared>, post: Post, context: Context) -> Reply {
    let fault = shared.faults.lock().of_the_work(context.call, context.order_id.as_deref());
    let Some(Fault::DelayMs(delay_ms)) = fault else {
        return finish(shared, post, &context, fault.as_ref());
    };
    let shared = Arc::clone(shared);
    let task = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
        finish(&shared, post, &context, None)
    });
    // Only where the runtime ends.
    task.await.unwrap_or_else(|_| StripeError::internal().reply())
}

fn finish(shared: &Shared, post: Post, context: &Context, fault: Option<&Fault>) -> Reply {
    let reply = shared.on_books(|books, now| {
        let result = decide(shared, books, post, context, fault, now);
        let is_kept = result.as_ref().err().is_none_or(StripeError::is_kept);
        let reply = match result {
            Ok(object) => Reply::json(StatusCode::OK, &object),
            Err(error) => error.reply(),
        };
        if let Some(scope) = &context.scope
            && let Some(line) = books.answers.answered(scope, &reply, &context.request_id, is_kept)
        {
            shared.journal.append(&Line::Answer(&line));
        }
        reply
    });
    reply.header(REQUEST_ID, &context.request_id)
}

/// The call itself: what is forced goes first, before anything is looked up.
fn decide(
    shared: &Shared,
    books: &mut Books,
    post: Post,
    context: &Context,
    fault: Option<&Fault>,
    now: u64,
) -> Result<Value, StripeError> {
    if let Some(error) = fault.and_then(forced) {
        if let (Post::Capture { id, .. }, Some(Fault::Error(code))) = (&post, fault)
            && error.is_decline()
        {
            decline(books, id, code, now);
        }
        return Err(error);
    }
    let no_intent = || StripeError::no_such("payment_intent", "intent");
    let index = match post {
        Post::Create(new) => books.create(new, now).ok_or_else(StripeError::full)?,
        Post::Capture { id, amount } => {
            let index = books.by_id(&id).ok_or_else(no_intent)?;
            books.change(index, |intent| {
                let before = intent.status;
                let result = intent.capture(amount, now);
                (result, (intent.status != before).then_some(told_of(intent.status)))
            })?;
            index
        }
        Post::Cancel { id, reason } => {
            let index = books.by_id(&id).ok_or_else(no_intent)?;
            books.change(index, |intent| {
                let result = intent.cancel(reason, now);
                let told = result.is_ok().then_some(Told::Intent("payment_intent.canceled"));
                (result, told)
            })?;
            index
        }
        Post::Refund { of, amount, reason, form } => {
            let index = of.find(books)?;
            let metadata = form.metadata()?;
            let status = match fault {
                Some(Fault::Pending) => RefundStatus::Pending,
                _ => RefundStatus::Succeeded,
            };
            let position = books.intent(index).refunds.len();
            let new = NewRefund { amount, reason, metadata, status, is_by_console: false };
            books.change(index, |intent| {
                let result = intent.refund(new, now);
                let told = result.is_ok().then_some(Told::Refunded(position));
                (result, told)
            })?;
            let intent = books.intent(index);
            return Ok(wire::refund(intent, position, &intent.refunds[position]));
        }
    };
    Ok(wire::intent(books.intent(index), &shared.base_url, context.is_expanded))
}

/// The event of the status that an intent has come to.
pub(super) fn told_of(status: Status) -> Told {
    Told::Intent(match status {
        Status::RequiresPaymentMethod => "payment_intent.payment_failed",
        Status::RequiresConfirmation => "payment_intent.created",
        Status::RequiresAction => "payment_intent.requires_action",
        Status::Processing => "payment_intent.processing",
        Status::RequiresCapture => "payment_intent.amount_capturable_updated",
        Status::Succeeded => "payment_intent.succeeded",
        Status::Canceled => "payment_intent.canceled",
    })
}

/// A decline that is forced ends the attempt as a real one does.
fn decline(books: &mut Books, id: &str, code: &str, now: u64) {
    let Some(index) = books.by_id(id) else { return };
    books.change(index, |intent| {
        let is_open = intent.status == Status::RequiresCapture;
        if is_open {
            intent.declines_with = Some(code.to_owned());
            // What it fails with is what is forced.
            let _ = intent.capture(None, now);
        }
        ((), is_open.then_some(told_of(intent.status)))
    });
}

fn order_of(shared: &Shared, post: &Post) -> Option<String> {
    shared.on_books(|books, _| {
        let index = match post {
            Post::Create(new) => return new.metadata.get("order_id").cloned(),
            Post::Capture { id, .. } | Post::Cancel { id, .. } => books.by_id(id)?,
            Post::Refund { of, .. } => of.find(books).ok()?,
        };
        Some(books.intent(index).order_id().to_owned())
    })
}

// === switches ===

/// What the wire says in place of an answer.
fn failed(status: u16) -> Reply {
    StripeError::failed(status).reply()
}

/// The refusal that a switch forces, where it does.
fn forced(fault: &Fault) -> Option<StripeError> {
    match fault {
        Fault::Error(code) => StripeError::of(code),
        Fault::Unlisted { code, status } => Some(StripeError::unlisted(code, *status)),
        Fault::RateLimit => Some(StripeError::rate_limit()),
        Fault::Status(status) => Some(StripeError::failed(*status)),
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
