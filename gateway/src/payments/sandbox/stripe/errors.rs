//! Stripe's errors: their type, status, code and, for declined cards, the reason.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::super::reply::Reply;
use super::intent::Intent;
use super::wire;

/// A refusal as Stripe words it.
#[derive(Clone, Debug)]
pub(super) struct StripeError {
    pub(super) status: u16,
    kind: &'static str,
    code: Option<String>,
    decline_code: Option<&'static str>,
    message: String,
    param: Option<String>,
    /// The intent that it is about.
    intent: Option<Box<Value>>,
}

const CARD: &str = "card_error";
const INVALID: &str = "invalid_request_error";
const IDEMPOTENCY: &str = "idempotency_error";
const API: &str = "api_error";

/// Why a card is declined: all of them 402, `card_error`, `card_declined`.
const DECLINES: [&str; 16] = [
    "generic_decline",
    "insufficient_funds",
    "lost_card",
    "stolen_card",
    "do_not_honor",
    "fraudulent",
    "card_not_supported",
    "card_velocity_exceeded",
    "currency_not_supported",
    "invalid_account",
    "pickup_card",
    "restricted_card",
    "transaction_not_allowed",
    "try_again_later",
    "withdrawal_count_limit_exceeded",
    "authentication_required",
];

/// The other codes with their status and type.
const CODES: [(&str, u16, &str); 25] = [
    ("expired_card", 402, CARD),
    ("incorrect_cvc", 402, CARD),
    ("incorrect_number", 402, CARD),
    ("processing_error", 402, CARD),
    ("payment_intent_authentication_failure", 402, CARD),
    ("payment_method_provider_decline", 402, CARD),
    ("amount_too_small", 400, INVALID),
    ("amount_too_large", 400, INVALID),
    ("charge_already_captured", 400, INVALID),
    ("charge_already_refunded", 400, INVALID),
    ("charge_disputed", 400, INVALID),
    ("charge_expired_for_capture", 400, INVALID),
    ("parameter_invalid_integer", 400, INVALID),
    ("parameter_missing", 400, INVALID),
    ("parameter_unknown", 400, INVALID),
    ("payment_intent_unexpected_state", 400, INVALID),
    ("idempotency_error", 400, IDEMPOTENCY),
    ("api_key_expired", 401, INVALID),
    ("more_permissions_required", 403, INVALID),
    ("resource_missing", 404, INVALID),
    ("idempotency_key_in_use", 409, IDEMPOTENCY),
    ("external_dependency_failed", 424, API),
    ("lock_timeout", 429, INVALID),
    ("rate_limit", 429, INVALID),
    ("api_error", 500, API),
];

impl StripeError {
    fn new(status: u16, kind: &'static str, code: Option<&str>, message: &str) -> Self {
        StripeError {
            status,
            kind,
            code: code.map(str::to_owned),
            decline_code: None,
            message: message.to_owned(),
            param: None,
            intent: None,
        }
    }

    fn about(self, param: &str) -> Self {
        StripeError { param: Some(param.to_owned()), ..self }
    }

    /// The error of a code or a decline code; `None` where Stripe does not list it.
    pub(super) fn of(name: &str) -> Option<Self> {
        if let Some(&decline_code) = DECLINES.iter().find(|&&code| code == name) {
            let declined = Self::new(402, CARD, Some("card_declined"), "Your card was declined.");
            return Some(StripeError { decline_code: Some(decline_code), ..declined });
        }
        let &(code, status, kind) = CODES.iter().find(|(code, ..)| *code == name)?;
        // Types are no codes.
        let code = Some(code).filter(|code| !matches!(*code, "idempotency_error" | "api_error"));
        Some(Self::new(status, kind, code, "The simulator was told to say so."))
    }

    /// A code that is on no list.
    pub(super) fn unlisted(code: &str, status: u16) -> Self {
        Self::new(status, INVALID, Some(code), "")
    }

    pub(super) fn internal() -> Self {
        Self::failed(500)
    }

    pub(super) fn failed(status: u16) -> Self {
        Self::new(status, API, None, "An unexpected error occurred.")
    }

    pub(super) fn rate_limit() -> Self {
        Self::new(429, INVALID, Some("rate_limit"), "Too many requests hit the API too quickly.")
    }

    pub(super) fn unknown_url() -> Self {
        Self::new(404, INVALID, None, "Unrecognized request URL.")
    }

    pub(super) fn no_body(status: StatusCode) -> Self {
        Self::new(status.as_u16(), INVALID, None, "No such body.")
    }

    pub(super) fn full() -> Self {
        Self::new(503, API, None, "No more payment intents are kept.")
    }

    // === keys ===

    pub(super) fn no_key() -> Self {
        Self::new(401, INVALID, None, "You did not provide an API key.")
    }

    pub(super) fn bad_key() -> Self {
        Self::new(401, INVALID, None, "Invalid API Key provided.")
    }

    pub(super) fn publishable_key() -> Self {
        let message = "This API call cannot be made with a publishable API key.";
        Self::new(401, INVALID, Some("secret_key_required"), message)
    }

    // === parameters ===

    pub(super) fn missing(param: &str) -> Self {
        let message = format!("Missing required param: {param}.");
        Self::new(400, INVALID, Some("parameter_missing"), &message).about(param)
    }

    pub(super) fn unknown(param: &str) -> Self {
        let message = format!("Received unknown parameter: {param}");
        Self::new(400, INVALID, Some("parameter_unknown"), &message).about(param)
    }

    pub(super) fn no_integer(param: &str) -> Self {
        let message = format!("Invalid integer: {param}");
        Self::new(400, INVALID, Some("parameter_invalid_integer"), &message).about(param)
    }

    pub(super) fn invalid(param: &str) -> Self {
        Self::new(400, INVALID, None, &format!("Invalid {param}")).about(param)
    }

    pub(super) fn no_form() -> Self {
        let message = "Request bodies are application/x-www-form-urlencoded.";
        Self::new(400, INVALID, None, message)
    }

    pub(super) fn amount_out_of_range(is_small: bool) -> Self {
        let code = if is_small { "amount_too_small" } else { "amount_too_large" };
        Self::new(400, INVALID, Some(code), "The amount is out of range.").about("amount")
    }

    // === state ===

    pub(super) fn no_such(what: &str, param: &str) -> Self {
        let message = format!("No such {what}");
        Self::new(404, INVALID, Some("resource_missing"), &message).about(param)
    }

    pub(super) fn unexpected_state(intent: &Intent, done: &str) -> Self {
        let status = intent.status.name();
        let message =
            format!("This PaymentIntent could not be {done} because it has a status of {status}.");
        let error = Self::new(400, INVALID, Some("payment_intent_unexpected_state"), &message);
        StripeError { intent: Some(Box::new(wire::intent(intent, "", false))), ..error }
    }

    pub(super) fn too_much(param: &str) -> Self {
        Self::new(400, INVALID, None, "The amount is greater than what is left.").about(param)
    }

    pub(super) fn already_refunded() -> Self {
        let message = "The charge has already been refunded.";
        Self::new(400, INVALID, Some("charge_already_refunded"), message)
    }

    pub(super) fn disputed() -> Self {
        let message = "The charge has been charged back; it cannot be refunded.";
        Self::new(400, INVALID, Some("charge_disputed"), message)
    }

    pub(super) fn not_captured(intent: &Intent) -> Self {
        let message = format!("{} does not have a successful charge to refund.", intent.id);
        Self::new(400, INVALID, Some("payment_intent_unexpected_state"), &message)
    }

    // === idempotency ===

    pub(super) fn other_parameters() -> Self {
        let message = "Keys for idempotent requests can only be used with the same parameters they were \
             first used with.";
        Self::new(400, IDEMPOTENCY, None, message)
    }

    pub(super) fn key_in_use() -> Self {
        let message = "There is currently another in-progress request using this Idempotency Key.";
        Self::new(409, IDEMPOTENCY, Some("idempotency_key_in_use"), message)
    }

    pub(super) fn key_too_long() -> Self {
        Self::new(400, IDEMPOTENCY, None, "Idempotency keys are at most 255 characters.")
    }

    // === on the wire ===

    /// Whether an idempotency key keeps it: not where nothing was begun.
    pub(super) fn is_kept(&self) -> bool {
        let is_parameter = self
            .code
            .as_deref()
            .is_some_and(|code| code.starts_with("parameter_") || code.starts_with("amount_too_"));
        !is_parameter && !matches!(self.status, 401 | 403 | 409 | 429)
    }

    /// Whether the buyer's attempt is over with it.
    pub(super) fn is_decline(&self) -> bool {
        self.kind == CARD
    }

    /// For controls.
    pub(super) fn code_or_message(self) -> String {
        self.code.unwrap_or(self.message)
    }

    pub(super) fn object(&self) -> Value {
        let mut error = json!({"type": self.kind, "message": self.message});
        if let Some(code) = &self.code {
            error["code"] = json!(code);
            error["doc_url"] = json!(format!("https://stripe.com/docs/error-codes/{code}"));
        }
        if let Some(decline_code) = self.decline_code {
            error["decline_code"] = json!(decline_code);
        }
        if let Some(param) = &self.param {
            error["param"] = json!(param);
        }
        if let Some(intent) = &self.intent {
            error["payment_intent"] = (**intent).clone();
        }
        error
    }

    pub(super) fn reply(&self) -> Reply {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Reply::json(status, &json!({"error": self.object()}))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_type_and_status() {
        for (name, status, kind, code, decline_code) in [
            ("insufficient_funds", 402, CARD, json!("card_declined"), json!("insufficient_funds")),
            ("expired_card", 402, CARD, json!("expired_card"), Value::Null),
            ("rate_limit", 429, INVALID, json!("rate_limit"), Value::Null),
            ("api_error", 500, API, Value::Null, Value::Null),
            ("idempotency_error", 400, IDEMPOTENCY, Value::Null, Value::Null),
        ] {
            let error = StripeError::of(name).expect(name);
            let object = error.object();
            assert_eq!((error.status, error.kind), (status, kind), "{name}");
            assert_eq!(
                (&object["code"], &object["decline_code"]),
                (&code, &decline_code),
                "{name}"
            );
        }
        assert!(StripeError::of("card_declined_tomorrow").is_none());
    }
}
