//! Every code with which the provider says that no money moved.

use serde_json::json;

use crate::promises;
use crate::till::Till;

const REFUSED: &[&str] = &[
    "INVALID_REJECT_CARD",
    "BELOW_MINIMUM_AMOUNT",
    "INVALID_CARD_EXPIRATION",
    "INVALID_STOPPED_CARD",
    "INVALID_CARD_LOST_OR_STOLEN",
    "INVALID_CARD_NUMBER",
    "EXCEED_MAX_CARD_INSTALLMENT_PLAN",
    "INVALID_CARD_INSTALLMENT_PLAN",
    "NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT",
    "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN",
    "NOT_ALLOWED_POINT_USE",
    "EXCEED_MAX_DAILY_PAYMENT_COUNT",
    "EXCEED_MAX_PAYMENT_AMOUNT",
    "EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT",
    "EXCEED_MAX_AMOUNT",
    "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT",
    "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT",
    "RESTRICTED_TRANSFER_ACCOUNT",
    "INVALID_ACCOUNT_INFO_RE_REGISTER",
    "NOT_AVAILABLE_PAYMENT",
    "REJECT_CARD_PAYMENT",
    "REJECT_CARD_COMPANY",
    "REJECT_ACCOUNT_PAYMENT",
    "REJECT_TOSSPAY_INVALID_ACCOUNT",
    "EXCEED_MAX_AUTH_COUNT",
    "EXCEED_MAX_ONE_DAY_AMOUNT",
    "NOT_AVAILABLE_BANK",
    "INVALID_PASSWORD",
    "FDS_ERROR",
    "NOT_FOUND_PAYMENT_SESSION",
];

/// One reservation, refused again and again, and paid in the end.
#[tokio::test]
async fn each_refusal_keeps_the_hold_and_says_why() {
    promises::each_decline_keeps_the_hold("toss", "confirm", REFUSED).await;
}

/// We asked wrongly: it fails only once the provider agrees that nothing was taken.
#[tokio::test]
async fn a_mistake_of_ours_fails_after_a_query() {
    let mut till = Till::open().await;
    let reservation = till.hold().await;
    for code in
        ["INVALID_REQUEST", "FORBIDDEN_REQUEST", "NOT_FOUND_TERMINAL_ID", "NOT_REGISTERED_BUSINESS"]
    {
        let order = till.order(&reservation, 0).await;
        let key = till.authenticate(&order, "card").await;
        till.fault(&order, "confirm", json!({"error": code}), 1).await;
        let (status, answer) = till.confirm(&order, &key).await;
        assert_eq!((status, &answer["providerCode"]), (400, &json!(code)), "{answer}");
        let path = format!("/api/payments/{}", order["orderId"].as_str().unwrap());
        let shown = till.shop.ok(&path, &till.shop.admin).await;
        let calls: Vec<&str> = shown["trail"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["call"].as_str().unwrap())
            .collect();
        assert_eq!(calls, ["capture", "query"], "{shown}");
        assert!(till.charge(&order).await.get("trail").is_none(), "for administrators alone");
    }
}
