//! The calls that change something, with their checked parameters.

use super::super::reply::Request;
use super::books::{Books, Index};
use super::errors::StripeError;
use super::form::Form;
use super::intent::{AMOUNT_MAX, AMOUNT_MIN, CaptureMethod, NewIntent};

const CANCELLATION_REASONS: [&str; 4] =
    ["duplicate", "fraudulent", "requested_by_customer", "abandoned"];
const REFUND_REASONS: [&str; 3] = ["duplicate", "fraudulent", "requested_by_customer"];

/// A call that changes something, and its checked parameters.
pub(super) enum Post {
    Create(NewIntent),
    Capture { id: String, amount: Option<u64> },
    Cancel { id: String, reason: Option<String> },
    Refund { of: Refunded, amount: Option<u64>, reason: Option<String>, form: Form },
}

/// What a refund is of.
pub(super) enum Refunded {
    Intent(String),
    Charge(String),
}

/// The call and its parameters. What is wrong about them is never kept under an idempotency key.
pub(super) fn read(request: &Request) -> Result<(Post, Form), StripeError> {
    let form = Form::of_body(request)?;
    let post = match request.segments().as_slice() {
        ["v1", "payment_intents"] => Post::Create(created(&form)?),
        ["v1", "payment_intents", id, "capture"] => {
            form.only(&["amount_to_capture", "final_capture", "metadata"])?;
            Post::Capture { id: (*id).to_owned(), amount: form.won("amount_to_capture")? }
        }
        ["v1", "payment_intents", id, "cancel"] => {
            form.only(&["cancellation_reason"])?;
            let reason = one_of(&form, "cancellation_reason", &CANCELLATION_REASONS)?;
            Post::Cancel { id: (*id).to_owned(), reason }
        }
        ["v1", "refunds"] => {
            form.only(&["payment_intent", "charge", "amount", "reason", "metadata"])?;
            let of = match (form.text("payment_intent"), form.text("charge")) {
                (Some(id), _) => Refunded::Intent(id.to_owned()),
                (None, Some(id)) => Refunded::Charge(id.to_owned()),
                (None, None) => return Err(StripeError::missing("payment_intent")),
            };
            form.metadata()?;
            let reason = one_of(&form, "reason", &REFUND_REASONS)?;
            Post::Refund { of, amount: form.won("amount")?, reason, form: form.clone() }
        }
        _ => return Err(StripeError::unknown_url()),
    };
    Ok((post, form))
}

fn created(form: &Form) -> Result<NewIntent, StripeError> {
    form.only(&[
        "amount",
        "currency",
        "automatic_payment_methods",
        "capture_method",
        "description",
        "metadata",
        "receipt_email",
    ])?;
    let amount = form.won("amount")?.ok_or_else(|| StripeError::missing("amount"))?;
    let currency = form.text("currency").ok_or_else(|| StripeError::missing("currency"))?;
    if currency != "krw" {
        return Err(StripeError::invalid("currency"));
    }
    if !(AMOUNT_MIN..=AMOUNT_MAX).contains(&amount) {
        return Err(StripeError::amount_out_of_range(amount < AMOUNT_MIN));
    }
    let capture_method = match form.text("capture_method") {
        None | Some("automatic_async") => CaptureMethod::AutomaticAsync,
        Some("automatic") => CaptureMethod::Automatic,
        Some("manual") => CaptureMethod::Manual,
        Some(_) => return Err(StripeError::invalid("capture_method")),
    };
    Ok(NewIntent {
        amount,
        capture_method,
        description: form.text("description").map(str::to_owned),
        receipt_email: form.text("receipt_email").map(str::to_owned),
        metadata: form.metadata()?,
    })
}

fn one_of(form: &Form, name: &str, values: &[&str]) -> Result<Option<String>, StripeError> {
    match form.text(name) {
        Some(value) if !values.contains(&value) => Err(StripeError::invalid(name)),
        value => Ok(value.map(str::to_owned)),
    }
}

impl Refunded {
    pub(super) fn find(&self, books: &Books) -> Result<Index, StripeError> {
        match self {
            Refunded::Intent(id) => books
                .by_id(id)
                .ok_or_else(|| StripeError::no_such("payment_intent", "payment_intent")),
            Refunded::Charge(id) => {
                books.by_charge(id).ok_or_else(|| StripeError::no_such("charge", "charge"))
            }
        }
    }
}
