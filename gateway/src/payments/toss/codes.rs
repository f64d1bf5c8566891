//! What Toss's error codes mean, from closed lists. A code that is on none of them says nothing for
//! certain, and neither does a listed one under a status that contradicts it.

use crate::payments::answer::Mistake;

/// What an error says about taking money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConfirmClass {
    /// No money moved.
    Refused,
    Mistake,
    Unknown,
}

/// What an error says about giving money back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CancelClass {
    /// It was given back before, or less is left than we believe.
    Already,
    /// It will never work like this.
    Refused,
    /// It may work later.
    Later,
    Mistake,
    Unknown,
}

const CONFIRM_REFUSED: [&str; 30] = [
    "REJECT_CARD_PAYMENT",
    "REJECT_CARD_COMPANY",
    "REJECT_ACCOUNT_PAYMENT",
    "REJECT_TOSSPAY_INVALID_ACCOUNT",
    "INVALID_REJECT_CARD",
    "INVALID_CARD_EXPIRATION",
    "INVALID_CARD_LOST_OR_STOLEN",
    "INVALID_CARD_NUMBER",
    "INVALID_CARD_INSTALLMENT_PLAN",
    "INVALID_STOPPED_CARD",
    "INVALID_PASSWORD",
    "EXCEED_MAX_CARD_INSTALLMENT_PLAN",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT",
    "EXCEED_MAX_PAYMENT_AMOUNT",
    "EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT",
    "EXCEED_MAX_AMOUNT",
    "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT",
    "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT",
    "EXCEED_MAX_AUTH_COUNT",
    "EXCEED_MAX_ONE_DAY_AMOUNT",
    "NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT",
    "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN",
    "NOT_ALLOWED_POINT_USE",
    "BELOW_MINIMUM_AMOUNT",
    "RESTRICTED_TRANSFER_ACCOUNT",
    "INVALID_ACCOUNT_INFO_RE_REGISTER",
    "NOT_AVAILABLE_PAYMENT",
    "NOT_AVAILABLE_BANK",
    "FDS_ERROR",
    "NOT_FOUND_PAYMENT_SESSION",
];

const MISTAKES: [&str; 6] = [
    "INVALID_IDEMPOTENCY_KEY",
    "INVALID_REQUEST",
    "FORBIDDEN_REQUEST",
    "NOT_FOUND_TERMINAL_ID",
    "INVALID_UNREGISTERED_SUBMALL",
    "NOT_REGISTERED_BUSINESS",
];

const KEY_MISTAKES: [&str; 3] =
    ["UNAUTHORIZED_KEY", "INVALID_API_KEY", "INCORRECT_BASIC_AUTH_FORMAT"];

/// The last one is also what Toss says to a refund after the last won, so it is no refusal yet.
const CANCEL_ALREADY: [&str; 4] = [
    "ALREADY_CANCELED_PAYMENT",
    "ALREADY_REFUND_PAYMENT",
    "NOT_MATCHES_REFUNDABLE_AMOUNT",
    "NOT_CANCELABLE_AMOUNT",
];

const CANCEL_REFUSED: [&str; 11] = [
    "INVALID_REFUND_ACCOUNT_INFO",
    "INVALID_REFUND_ACCOUNT_NUMBER",
    "INVALID_BANK",
    "EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT",
    "FORBIDDEN_BANK_REFUND_REQUEST",
    "REFUND_REJECTED",
    "NOT_CANCELABLE_PAYMENT",
    "EXCEED_MAX_REFUND_DUE",
    "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT",
    "NOT_ALLOWED_PARTIAL_REFUND",
    "NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER",
];

/// Some of these are 5xx, which may have moved money: a query comes before the next try.
const CANCEL_LATER: [&str; 8] = [
    "PROVIDER_ERROR",
    "FORBIDDEN_CONSECUTIVE_REQUEST",
    "NOT_AVAILABLE_BANK",
    "EXCEED_CANCEL_LIMIT",
    "FAILED_REFUND_PROCESS",
    "FAILED_METHOD_HANDLING_CANCEL",
    "FAILED_PARTIAL_REFUND",
    "COMMON_ERROR",
];

/// The class of an error of confirm.
pub(super) fn of_confirm(status: u16, code: &str) -> ConfirmClass {
    match code {
        _ if !is_definite(status) => ConfirmClass::Unknown,
        _ if CONFIRM_REFUSED.contains(&code) => ConfirmClass::Refused,
        _ if is_mistake(code) => ConfirmClass::Mistake,
        _ => ConfirmClass::Unknown,
    }
}

/// The class of an error of cancel.
pub(super) fn of_cancel(status: u16, code: &str) -> CancelClass {
    match code {
        _ if CANCEL_LATER.contains(&code) => CancelClass::Later,
        _ if status == 429 => CancelClass::Later,
        _ if !is_definite(status) => CancelClass::Unknown,
        _ if CANCEL_ALREADY.contains(&code) => CancelClass::Already,
        _ if CANCEL_REFUSED.contains(&code) => CancelClass::Refused,
        _ if is_mistake(code) => CancelClass::Mistake,
        _ => CancelClass::Unknown,
    }
}

/// What we did wrong, where a call that moves nothing fails.
pub(super) fn mistake(status: u16, code: &str) -> Option<Mistake> {
    let is_ours = is_definite(status) && is_mistake(code);
    is_ours.then(|| Mistake { code: code.to_owned(), is_key: is_key(code) })
}

/// Whether Toss does not take our key.
pub(super) fn is_key(code: &str) -> bool {
    KEY_MISTAKES.contains(&code)
}

fn is_mistake(code: &str) -> bool {
    MISTAKES.contains(&code) || is_key(code)
}

/// A client error that is about this request alone. 409 is about another one under way, 429 about
/// how many there are.
fn is_definite(status: u16) -> bool {
    (400..500).contains(&status) && !matches!(status, 409 | 429)
}
