//! What Stripe's errors mean: by their type, and by the few codes that change what the type says.

use serde::Deserialize;

use crate::payments::answer::{CODE_CHARS_MAX, MESSAGE_CHARS_MAX, Mistake, Refusal, bounded};

/// What an error says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// The request was fine, the payment failed: no money moved.
    Refused,
    /// It was given back before.
    AlreadyRefunded,
    NotFound,
    /// Too many requests.
    Busy,
    Mistake,
    /// Our key is not taken, or may not do this.
    Key,
    Unknown,
}

#[derive(Deserialize)]
pub(super) struct ErrorBody {
    error: StripeError,
}

/// Also what an intent says of the attempt that failed last.
#[derive(Deserialize)]
pub(super) struct StripeError {
    r#type: String,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    decline_code: Option<String>,
    #[serde(default)]
    message: Option<String>,
}

impl ErrorBody {
    pub(super) fn class(&self, status: u16) -> Class {
        match (status, self.error.r#type.as_str(), self.error.code.as_deref()) {
            // Another call under the same key is under way, or the intent is in another state than
            // we believe: it may be our own earlier success.
            (409 | 424, ..) => Class::Unknown,
            (_, _, Some("payment_intent_unexpected_state")) => Class::Unknown,
            (429, ..) => Class::Busy,
            (401 | 403, "invalid_request_error", _) => Class::Key,
            (404, "invalid_request_error", Some("resource_missing")) => Class::NotFound,
            (400, "invalid_request_error", Some("charge_already_refunded")) => {
                Class::AlreadyRefunded
            }
            (400..500, "card_error", _) => Class::Refused,
            (400, "invalid_request_error" | "idempotency_error", _) => Class::Mistake,
            _ => Class::Unknown,
        }
    }

    pub(super) fn code(&self) -> String {
        self.error.code()
    }

    pub(super) fn refusal(&self) -> Refusal {
        self.error.refusal()
    }

    pub(super) fn mistake(&self, class: Class) -> Mistake {
        Mistake { code: self.code(), is_key: class == Class::Key }
    }
}

impl StripeError {
    /// The narrowest name that the error has for itself.
    fn code(&self) -> String {
        let StripeError { r#type, code, decline_code, .. } = self;
        let name = decline_code.as_ref().or(code.as_ref()).unwrap_or(r#type);
        bounded(name, CODE_CHARS_MAX)
    }

    pub(super) fn refusal(&self) -> Refusal {
        let message = self.message.as_deref().unwrap_or_default();
        Refusal { code: self.code(), message: bounded(message, MESSAGE_CHARS_MAX) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_type_and_status_has_its_class() {
        for (status, kind, code, class) in [
            (402, "card_error", "card_declined", Class::Refused),
            (400, "card_error", "expired_card", Class::Refused),
            (400, "invalid_request_error", "parameter_missing", Class::Mistake),
            (400, "invalid_request_error", "amount_too_small", Class::Mistake),
            (400, "invalid_request_error", "charge_already_refunded", Class::AlreadyRefunded),
            (400, "invalid_request_error", "payment_intent_unexpected_state", Class::Unknown),
            (400, "idempotency_error", "", Class::Mistake),
            (401, "invalid_request_error", "", Class::Key),
            (403, "invalid_request_error", "", Class::Key),
            (404, "invalid_request_error", "resource_missing", Class::NotFound),
            (404, "invalid_request_error", "", Class::Unknown),
            (409, "idempotency_error", "idempotency_key_in_use", Class::Unknown),
            (409, "invalid_request_error", "idempotency_key_in_use", Class::Unknown),
            (424, "api_error", "", Class::Unknown),
            (429, "invalid_request_error", "rate_limit", Class::Busy),
            (429, "card_error", "", Class::Busy),
            (500, "api_error", "", Class::Unknown),
            (502, "card_error", "", Class::Unknown),
            (400, "api_error", "", Class::Unknown),
            (402, "type_of_tomorrow", "card_declined", Class::Unknown),
        ] {
            let body = json!({"error": {"type": kind, "code": code, "doc_url": "x"}});
            let body: ErrorBody = serde_json::from_value(body).expect("an error");
            assert_eq!(body.class(status), class, "{status} {kind} {code}");
        }
    }

    #[test]
    fn the_narrowest_code_is_kept() {
        for (error, code) in [
            (
                json!({"type": "card_error", "code": "card_declined", "decline_code": "lost_card"}),
                "lost_card",
            ),
            (
                json!({"type": "card_error", "code": "expired_card", "decline_code": null}),
                "expired_card",
            ),
            (json!({"type": "api_error"}), "api_error"),
        ] {
            let body: ErrorBody =
                serde_json::from_value(json!({"error": error})).expect("an error");
            assert_eq!(body.code(), code);
        }
    }
}
