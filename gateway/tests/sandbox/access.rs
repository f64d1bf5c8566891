//! Section 1.1: who may call, and in which language the answers are.

use serde_json::json;

use crate::support::{Answer, BASIC, Toss, send};

#[tokio::test]
async fn basic_authentication_row_by_row() {
    let toss = Toss::start().await;
    // base64 of the key without a colon, of another key, of the key with a password, of no text.
    for (value, status, code) in [
        (Some("Basic dGVzdF9nc2tfbG9jYWxfc2ltdWxhdG9y"), 403, "INCORRECT_BASIC_AUTH_FORMAT"),
        (Some("Basic dGVzdF9nc2tfb3RoZXI6"), 401, "UNAUTHORIZED_KEY"),
        (Some("Basic dGVzdF9nc2tfbG9jYWxfc2ltdWxhdG9yOnB3"), 401, "UNAUTHORIZED_KEY"),
        (Some("Basic !!!"), 403, "INCORRECT_BASIC_AUTH_FORMAT"),
        (Some("Bearer dGVzdF9nc2tfbG9jYWxfc2ltdWxhdG9yOg=="), 403, "INCORRECT_BASIC_AUTH_FORMAT"),
        (None, 401, "UNAUTHORIZED_KEY"),
        (Some(BASIC), 404, "NOT_FOUND_PAYMENT"),
    ] {
        let mut request = toss.client.get(toss.url("/v1/payments/orders/order-1"));
        if let Some(value) = value {
            request = request.header("authorization", value);
        }
        send(request).await.is(status, code);
    }
}

#[tokio::test]
async fn keys_of_different_pairs_cannot_be_confirmed() {
    let toss = Toss::start().await;
    let body = json!({"orderId": "order-1", "amount": 1000, "clientKey": "live_gck_of_somebody"});
    let answer = toss.control("authenticate", body).await;
    let key = answer["paymentKey"].as_str().unwrap();
    send(toss.confirm(key, "order-1", 1000)).await.is(400, "INVALID_API_KEY");
}

#[tokio::test]
async fn english_is_spoken_where_it_is_asked_for() {
    let toss = Toss::start().await;
    toss.paid("order-1", 1000, "easyPay").await;
    let ask = |path: &str, language: &'static str| {
        let request = toss.client.get(toss.url(path)).header("authorization", BASIC);
        request.header("accept-language", language).send()
    };
    for (language, method, provider, message) in [
        ("ko-KR", "간편결제", "토스페이", "존재하지 않는 결제 정보 입니다."),
        ("en-US", "Easy Pay", "TOSSPAY", "No such payment."),
    ] {
        let found = ask("/v1/payments/orders/order-1", language).await.unwrap();
        let found = Answer::read(found).await.ok();
        assert_eq!(
            (&found["method"], &found["easyPay"]["provider"]),
            (&json!(method), &json!(provider))
        );
        let lost = Answer::read(ask("/v1/payments/none", language).await.unwrap()).await;
        assert_eq!(lost.body["message"], message);
    }
}

#[tokio::test]
async fn every_answer_can_be_traced() {
    let toss = Toss::start().await;
    for path in ["/v1/payments/none", "/v1/nowhere", "/v1/transactions"] {
        assert_eq!(toss.get(path).await.header("x-tosspayments-trace-id").len(), 32, "{path}");
    }
}

#[tokio::test]
async fn large_bodies_are_refused() {
    let toss = Toss::start().await;
    let body = json!({"cancelReason": "x".repeat(70_000)});
    assert_eq!(send(toss.cancel("key", body)).await.status, 413);
}
