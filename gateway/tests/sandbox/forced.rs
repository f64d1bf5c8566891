//! Sections 1.8, 1.9 and 1.12: every listed error, by switch and by header.

use serde_json::json;

use crate::support::{Toss, send};

const CONFIRM: [(u16, &str); 5] = [
    (
        400,
        "ALREADY_PROCESSED_PAYMENT PROVIDER_ERROR INVALID_REQUEST INVALID_API_KEY \
         INVALID_REJECT_CARD BELOW_MINIMUM_AMOUNT INVALID_CARD_EXPIRATION INVALID_STOPPED_CARD \
         INVALID_CARD_LOST_OR_STOLEN INVALID_CARD_NUMBER CARD_PROCESSING_ERROR \
         EXCEED_MAX_CARD_INSTALLMENT_PLAN INVALID_CARD_INSTALLMENT_PLAN \
         NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN \
         NOT_ALLOWED_POINT_USE EXCEED_MAX_DAILY_PAYMENT_COUNT EXCEED_MAX_PAYMENT_AMOUNT \
         EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT EXCEED_MAX_AMOUNT EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT \
         EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT RESTRICTED_TRANSFER_ACCOUNT \
         INVALID_ACCOUNT_INFO_RE_REGISTER NOT_AVAILABLE_PAYMENT INVALID_AUTHORIZE_AUTH \
         UNAPPROVED_ORDER_ID NOT_FOUND_TERMINAL_ID INVALID_UNREGISTERED_SUBMALL \
         NOT_REGISTERED_BUSINESS",
    ),
    (401, "UNAUTHORIZED_KEY"),
    (
        403,
        "REJECT_CARD_PAYMENT REJECT_CARD_COMPANY REJECT_ACCOUNT_PAYMENT \
         REJECT_TOSSPAY_INVALID_ACCOUNT EXCEED_MAX_AUTH_COUNT EXCEED_MAX_ONE_DAY_AMOUNT \
         NOT_AVAILABLE_BANK INVALID_PASSWORD FDS_ERROR FORBIDDEN_REQUEST \
         INCORRECT_BASIC_AUTH_FORMAT",
    ),
    (404, "NOT_FOUND_PAYMENT NOT_FOUND_PAYMENT_SESSION"),
    (
        500,
        "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING FAILED_INTERNAL_SYSTEM_PROCESSING \
         UNKNOWN_PAYMENT_ERROR",
    ),
];

const CANCEL: [(u16, &str); 6] = [
    (
        400,
        "ALREADY_CANCELED_PAYMENT ALREADY_REFUND_PAYMENT INVALID_REFUND_ACCOUNT_INFO \
         INVALID_REFUND_ACCOUNT_NUMBER INVALID_BANK EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT \
         NOT_MATCHES_REFUNDABLE_AMOUNT FORBIDDEN_BANK_REFUND_REQUEST REFUND_REJECTED \
         PROVIDER_ERROR INVALID_REQUEST",
    ),
    (401, "UNAUTHORIZED_KEY"),
    (
        403,
        "NOT_CANCELABLE_AMOUNT NOT_CANCELABLE_PAYMENT EXCEED_MAX_REFUND_DUE EXCEED_CANCEL_LIMIT \
         NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT NOT_ALLOWED_PARTIAL_REFUND \
         NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER FORBIDDEN_CONSECUTIVE_REQUEST \
         NOT_AVAILABLE_BANK FORBIDDEN_REQUEST INCORRECT_BASIC_AUTH_FORMAT",
    ),
    (404, "NOT_FOUND_PAYMENT"),
    (409, "IDEMPOTENT_REQUEST_PROCESSING"),
    (
        500,
        "FAILED_REFUND_PROCESS FAILED_METHOD_HANDLING_CANCEL FAILED_PARTIAL_REFUND COMMON_ERROR \
         FAILED_INTERNAL_SYSTEM_PROCESSING FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING",
    ),
];

fn each(table: &'static [(u16, &str)]) -> impl Iterator<Item = (u16, &'static str)> {
    table.iter().flat_map(|(status, codes)| codes.split_whitespace().map(|code| (*status, code)))
}

#[tokio::test]
async fn every_error_of_confirm_by_switch() {
    let toss = Toss::start().await;
    for (number, (status, code)) in each(&CONFIRM).enumerate() {
        let order = format!("order-{number}");
        let key = toss.authenticated(&order, 1000, "card").await;
        toss.fault("confirm", &order, json!({ "error": code })).await;
        let answer = send(toss.confirm(&key, &order, 1000)).await;
        answer.is(status, code);
        assert!(!answer.body["message"].as_str().unwrap().is_empty(), "{code}");
        assert_eq!(toss.ledger(&order).await["captured"], 0, "{code}");
    }
}

#[tokio::test]
async fn a_decline_ends_the_payment_and_a_failure_does_not() {
    let toss = Toss::start().await;
    for (order, code, then) in [
        ("order-1", "REJECT_CARD_COMPANY", "ABORTED"),
        ("order-2", "INVALID_PASSWORD", "ABORTED"),
        ("order-3", "PROVIDER_ERROR", "IN_PROGRESS"),
        ("order-4", "UNKNOWN_PAYMENT_ERROR", "IN_PROGRESS"),
        ("order-5", "INVALID_REQUEST", "IN_PROGRESS"),
    ] {
        let key = toss.authenticated(order, 1000, "card").await;
        toss.fault("confirm", order, json!({ "error": code })).await;
        send(toss.confirm(&key, order, 1000)).await;
        assert_eq!(toss.status(order).await, then, "{code}");
        let again = send(toss.confirm(&key, order, 1000)).await;
        assert_eq!(again.status == 200, then == "IN_PROGRESS", "{code}");
    }
    assert_eq!(toss.by_order("order-1").await["failure"]["code"], "REJECT_CARD_COMPANY");
}

#[tokio::test]
async fn every_error_of_cancel_by_header_and_by_switch() {
    let toss = Toss::start().await;
    let key = toss.paid("order-1", 1000, "card").await;
    let body = json!({"cancelReason": "x"});
    for (status, code) in each(&CANCEL) {
        let request = toss.cancel(&key, body.clone()).header("tosspayments-test-code", code);
        send(request).await.is(status, code);
        toss.fault("cancel", "order-1", json!({ "error": code })).await;
        send(toss.cancel(&key, body.clone())).await.is(status, code);
    }
    assert_eq!(toss.ledger("order-1").await["refunded"], 0);
    send(toss.cancel(&key, body)).await.ok();
}

#[tokio::test]
async fn the_header_goes_before_the_lookup_and_changes_nothing() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    for (code, status) in [
        ("REJECT_CARD_PAYMENT", 403),
        ("ALREADY_PROCESSED_PAYMENT", 400),
        ("IDEMPOTENT_REQUEST_PROCESSING", 409),
        ("DUPLICATED_ORDER_ID", 400),
        ("FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING", 500),
        ("COMMON_ERROR", 500),
        ("SOMETHING_UNHEARD_OF", 400),
    ] {
        for key in [key.as_str(), "unknown"] {
            let request = toss.confirm(key, "order-1", 1000);
            send(request.header("TossPayments-Test-Code", code)).await.is(status, code);
        }
    }
    send(toss.confirm(&key, "order-1", 1000)).await.ok();
}

#[tokio::test]
async fn a_code_that_is_on_no_list() {
    let toss = Toss::start().await;
    let key = toss.authenticated("order-1", 1000, "card").await;
    let fault = json!({"unlisted": {"code": "NEW_IN_2027", "status": 422}});
    toss.fault("confirm", "any", fault).await;
    send(toss.confirm(&key, "order-1", 1000)).await.is(422, "NEW_IN_2027");
}

#[tokio::test]
async fn a_query_fails_as_well() {
    let toss = Toss::start().await;
    toss.paid("order-1", 1000, "card").await;
    toss.fault("query", "order-1", json!({"error": "COMMON_ERROR"})).await;
    toss.get("/v1/payments/orders/order-1").await.is(500, "COMMON_ERROR");
    toss.by_order("order-1").await;
}
