//! The payment window, by form posts as a browser sends them.

use reqwest::Url;
use serde_json::json;

use super::Stripe;
use crate::support::{Answer, send};

const BACK: &str = "https://shop.example/back?kept=1";

fn query(order: &str, back: &str) -> String {
    let mut url = Url::parse("http://x/").unwrap();
    let pairs = [("orderId", order), ("orderName", "콘서트 <b>\"표\"</b>"), ("returnUrl", back)];
    url.query_pairs_mut().extend_pairs(pairs);
    url.query().unwrap().to_owned()
}

async fn press(stripe: &Stripe, order: &str, choice: &str) -> Answer {
    let form = format!("{}&choice={choice}", query(order, BACK));
    let request = stripe.client.post(stripe.url("/window")).body(form);
    send(request.header("content-type", super::FORM)).await
}

fn parameters(answer: &Answer) -> serde_json::Map<String, serde_json::Value> {
    assert_eq!(answer.status, 303, "{answer:?}");
    let url = Url::parse(answer.header("location")).unwrap();
    assert_eq!(url.path(), "/back");
    url.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))).collect()
}

#[tokio::test]
async fn a_buyer_agrees_or_is_declined() {
    let stripe = Stripe::start().await;
    let id = stripe.created("order-1", 50_000).await;
    let path = format!("/window?{}", query("order-1", BACK));
    let page = stripe.get(&path).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("50,000원") && !page.text.contains("<b>"), "{}", page.text);
    assert!(!page.text.contains("_secret_"), "a secret in a page");
    for (choice, redirect, status) in [
        ("decline:insufficient_funds", "failed", "requires_payment_method"),
        ("pay:naver_pay", "succeeded", "requires_capture"),
        ("pay:card", "failed", "requires_capture"),
    ] {
        let back = parameters(&press(&stripe, "order-1", choice).await);
        assert_eq!((&back["kept"], &back["payment_intent"]), (&json!("1"), &json!(id)));
        assert_eq!(back["redirect_status"], redirect, "{choice}");
        assert_eq!(stripe.status(&id).await, status, "{choice}");
    }
    let late = stripe.created("order-2", 1_000).await;
    press(&stripe, "order-2", "capture:fraudulent").await;
    assert_eq!(send(stripe.capture(&late, "")).await.status, 402);
}

#[tokio::test]
async fn what_makes_no_window_is_refused() {
    let stripe = Stripe::start().await;
    stripe.created("order-1", 1_000).await;
    for (order, back) in
        [("order-2", BACK), ("order-1", "javascript:alert(1)"), ("order-1", ""), ("", BACK)]
    {
        let answer = stripe.get(&format!("/window?{}", query(order, back))).await;
        assert_eq!(answer.status, 400, "{order} {back}");
    }
    for choice in ["", "pay", "pay:gold", "decline:no_such_code", "steal:card"] {
        assert_eq!(press(&stripe, "order-1", choice).await.status, 400, "{choice}");
    }
}
