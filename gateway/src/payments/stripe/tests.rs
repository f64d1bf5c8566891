use hyper::header::HeaderValue;
use serde_json::{Value, json};

use super::*;
use crate::payments::answer::{Captured, Field, Means, Mistake, Stage, Unknown};
use crate::payments::hint::Subject;
use crate::payments::ids::{OrderId, PaymentKey};
use crate::payments::scripted::{Answer, Scripted};

const ORDER: &str = "order_1-a";
const KEY: &str = "pi_3Abc";
const AMOUNT: u64 = 50_000;

fn stripe(base_url: &str) -> Stripe {
    Stripe::new(StripeSettings {
        base_url: base_url.to_owned(),
        client_key: "pk_test_local".to_owned(),
        secret_keys: vec![Secret::new("sk_test_local")],
        webhook_secrets: vec![Secret::new("whsec_new"), Secret::new("whsec_test_secret")],
        patience: Patience::default(),
        is_production: false,
    })
    .expect("stripe")
}

fn order() -> OrderId {
    OrderId::new(ORDER).expect("order id")
}

fn key() -> PaymentKey {
    PaymentKey::new(KEY).expect("payment key")
}

fn charge() -> Charge {
    let idempotency_key = "confirm:order_1-a:1".to_owned();
    Charge { order_id: order(), payment_key: key(), amount: AMOUNT, idempotency_key }
}

fn opening() -> Opening {
    Opening { order_id: order(), amount: AMOUNT, idempotency_key: "open:order_1-a:1".to_owned() }
}

fn inquiry() -> Inquiry {
    Inquiry { order_id: order(), payment_key: Some(key()), amount: AMOUNT }
}

fn refund(amount: u64, balance: u64) -> RefundOrder {
    RefundOrder {
        order_id: order(),
        payment_key: key(),
        amount,
        balance,
        reason: "변심".to_owned(),
        idempotency_key: "cancel:7".to_owned(),
        account: None,
    }
}

/// An intent that was captured, of which `refunded` won were given back.
fn succeeded(refunded: u64) -> Value {
    json!({
        "id": KEY, "object": "payment_intent", "amount": AMOUNT, "amount_capturable": 0,
        "amount_received": AMOUNT, "currency": "krw", "status": "succeeded",
        "client_secret": "pi_3Abc_secret_1", "livemode": false, "metadata": {"order_id": ORDER},
        "latest_charge": {
            "id": "ch_1", "amount_refunded": refunded, "created": 1_795_244_405,
            "receipt_url": "https://pay.stripe.com/receipts/1",
            "payment_method_details": {"type": "kakao_pay", "kakao_pay": {}},
        },
        "something_new": [1],
    })
}

/// [`succeeded`] with some fields changed.
fn with(changes: Value) -> Value {
    let mut intent = succeeded(0);
    for (field, value) in changes.as_object().expect("an object") {
        intent[field] = value.clone();
    }
    intent
}

fn status(status: &str) -> Value {
    with(json!({"status": status, "amount_received": 0, "latest_charge": null}))
}

fn error(kind: &str, code: &str) -> Value {
    json!({"error": {"type": kind, "code": code, "message": "말"}})
}

fn taken() -> Captured {
    Captured {
        payment_key: key(),
        approved_at: Some(UnixMillis(1_795_244_405_000)),
        method: Means::EasyPay,
        receipt_url: Some("https://pay.stripe.com/receipts/1".to_owned()),
        secret: None,
    }
}

fn mismatch(field: Field) -> Unknown {
    Unknown::Mismatch(field)
}

/// What becomes of a capture that answers this, once the intent was seen to be authorised.
async fn capture_of(answer: Answer) -> Answered<Capture> {
    let server = Scripted::start([Answer::Json(200, status("requires_capture")), answer]).await;
    stripe(&server.base_url).capture(&charge()).await
}

async fn found_of(answer: Answer) -> Answered<Found> {
    let server = Scripted::start([answer]).await;
    stripe(&server.base_url).query(&inquiry()).await
}

async fn refund_of(order: &RefundOrder, script: Vec<Answer>) -> Refund {
    let server = Scripted::start(script).await;
    stripe(&server.base_url).refund(order).await.outcome
}

#[tokio::test]
async fn an_intent_is_opened_for_its_order() {
    let intent = status("requires_payment_method");
    let server = Scripted::start([Answer::Json(200, intent)]).await;
    let stripe = stripe(&server.base_url);
    let answered = stripe.open(&opening()).expect("a call").await;
    let client_secret = Secret::new("pi_3Abc_secret_1");
    assert!(!format!("{answered:?}").contains("_secret_1"));
    assert_eq!(answered.outcome, Opened::Ready { payment_key: key(), client_secret });
    let [request] = server.heard().try_into().expect("one request");
    assert_eq!((&*request.method, &*request.path), ("POST", "/v1/payment_intents"));
    assert_eq!(
        request.body,
        "amount=50000&currency=krw&capture_method=manual\
         &automatic_payment_methods%5Benabled%5D=true&metadata%5Border_id%5D=order_1-a"
    );
    assert_eq!(request.headers["authorization"], "Bearer sk_test_local");
    assert_eq!(request.headers["stripe-version"], API_VERSION);
    assert_eq!(request.headers["idempotency-key"], "open:order_1-a:1");
    assert_eq!(request.headers["content-type"], "application/x-www-form-urlencoded");
    assert_eq!(stripe.client_key(), "pk_test_local");
}

#[tokio::test]
async fn an_intent_that_was_not_opened_is_a_mistake_or_unknown() {
    let mistake = |code: &str, is_key| Opened::Mistake(Mistake { code: code.to_owned(), is_key });
    for (answer, expected) in [
        (
            Answer::Json(400, error("invalid_request_error", "amount_too_small")),
            mistake("amount_too_small", false),
        ),
        (Answer::Json(401, error("invalid_request_error", "bad")), mistake("bad", true)),
        (Answer::Json(429, error("invalid_request_error", "rate_limit")), {
            Opened::Unknown(Unknown::Code)
        }),
        (Answer::Json(200, with(json!({"amount": 1}))), {
            Opened::Unknown(mismatch(Field::Amount))
        }),
        (Answer::Json(200, with(json!({"client_secret": null}))), {
            Opened::Unknown(Unknown::NotUnderstood)
        }),
    ] {
        let server = Scripted::start([answer]).await;
        assert_eq!(
            stripe(&server.base_url).open(&opening()).expect("a call").await.outcome,
            expected
        );
    }
}

#[tokio::test]
async fn capture_takes_what_was_authorised() {
    let authorised = Answer::Json(200, status("requires_capture"));
    let server = Scripted::start([authorised, Answer::Json(200, succeeded(0))]).await;
    let answered = stripe(&server.base_url).capture(&charge()).await;
    assert_eq!(answered.outcome, Capture::Captured(taken()));
    assert_eq!(answered.trail.code.as_deref(), Some("succeeded"));
    assert_eq!(answered.trail.trace_id.as_deref(), Some("req_1"));
    let [look, request] = server.heard().try_into().expect("two requests");
    assert_eq!((&*look.method, &*look.path), {
        ("GET", "/v1/payment_intents/pi_3Abc?expand%5B%5D=latest_charge")
    });
    assert_eq!(request.path, "/v1/payment_intents/pi_3Abc/capture");
    assert_eq!(request.body, "amount_to_capture=50000&expand%5B%5D=latest_charge");
}

#[tokio::test]
async fn nothing_is_taken_of_an_intent_that_is_not_this_orders() {
    let mut elsewhere = status("requires_capture");
    elsewhere["metadata"] = json!({"order_id": "order_2"});
    let mut cheaper = status("requires_capture");
    cheaper["amount"] = json!(500);
    let mut dollars = status("requires_capture");
    dollars["currency"] = json!("usd");
    for intent in [elsewhere, cheaper, dollars] {
        let server = Scripted::start([Answer::Json(200, intent)]).await;
        let outcome = stripe(&server.base_url).capture(&charge()).await.outcome;
        let Capture::Refused(refusal) = outcome else { panic!("{outcome:?}") };
        assert_eq!(refusal.code, "payment_mismatch");
        assert!(server.heard().iter().all(|request| request.method == "GET"));
    }
}

#[tokio::test]
async fn what_a_look_says_needs_no_capture() {
    let lost = found_capture(Answer::Json(200, succeeded(0))).await;
    assert_eq!(lost, Capture::Captured(taken()), "by a call whose answer was lost");
    for (answer, expected) in [
        (Answer::Json(200, status("processing")), Capture::Unknown(Unknown::Status)),
        (Answer::Json(500, error("api_error", "")), Capture::Unknown(Unknown::Code)),
        (Answer::Reset, Capture::Unknown(Unknown::Connection)),
    ] {
        assert_eq!(found_capture(answer).await, expected);
    }
    let canceled = found_capture(Answer::Json(200, status("canceled"))).await;
    let Capture::Refused(refusal) = canceled else { panic!("{canceled:?}") };
    assert_eq!(refusal.code, "canceled");
}

/// What becomes of a capture whose first look says this.
async fn found_capture(answer: Answer) -> Capture {
    let server = Scripted::start([answer]).await;
    let outcome = stripe(&server.base_url).capture(&charge()).await.outcome;
    assert!(server.heard().iter().all(|request| request.method == "GET"));
    outcome
}

#[tokio::test]
async fn what_nobody_agreed_to_is_closed_before_it_is_refused() {
    let mut declined = status("requires_payment_method");
    declined["last_payment_error"] = json!({"type": "card_error", "code": "card_declined",
        "decline_code": "lost_card", "message": "Your card was declined."});
    for (intent, code) in [(declined, "lost_card"), (status("requires_action"), "requires_action")]
    {
        let script = [Answer::Json(200, intent), Answer::Json(200, status("canceled"))];
        let server = Scripted::start(script).await;
        let outcome = stripe(&server.base_url).capture(&charge()).await.outcome;
        let Capture::Refused(refusal) = outcome else { panic!("{outcome:?}") };
        assert_eq!(refusal.code, code);
        let [_, close] = server.heard().try_into().expect("two requests");
        assert_eq!(close.path, "/v1/payment_intents/pi_3Abc/cancel");
        assert_eq!(close.headers["idempotency-key"], "confirm:order_1-a:1:close");
        assert_eq!(close.body, "cancellation_reason=abandoned");
    }
    // Agreed to at this very moment.
    let late = error("invalid_request_error", "payment_intent_unexpected_state");
    for (answer, unknown) in [
        (Answer::Json(400, late), Unknown::Code),
        (Answer::Json(200, status("requires_capture")), Unknown::Status),
        (Answer::Reset, Unknown::Connection),
    ] {
        let script = [Answer::Json(200, status("requires_action")), answer];
        let server = Scripted::start(script).await;
        let outcome = stripe(&server.base_url).capture(&charge()).await.outcome;
        assert_eq!(outcome, Capture::Unknown(unknown));
    }
}

#[tokio::test]
async fn what_does_not_match_or_is_not_known_is_no_success() {
    use Health::{Down, Up};
    let elsewhere = || json!({"metadata": {"order_id": "order_2"}});
    for (answer, unknown, health) in [
        (Answer::Json(200, with(elsewhere())), mismatch(Field::OrderId), Up),
        (Answer::Json(200, with(json!({"metadata": {}}))), mismatch(Field::OrderId), Up),
        (Answer::Json(200, with(json!({"id": "pi_4"}))), mismatch(Field::PaymentKey), Up),
        (Answer::Json(200, with(json!({"amount": 500}))), mismatch(Field::Amount), Up),
        (Answer::Json(200, with(json!({"amount_received": 9}))), mismatch(Field::Amount), Up),
        (Answer::Json(200, with(json!({"currency": "usd"}))), mismatch(Field::Currency), Up),
        (Answer::Json(200, with(json!({"amount": "50000"}))), Unknown::NotUnderstood, Up),
        (Answer::Json(200, status("processing")), Unknown::Status, Up),
        (Answer::Json(200, status("requires_capture")), Unknown::Status, Up),
        (Answer::Json(200, status("of_tomorrow")), Unknown::Status, Up),
        (
            Answer::Json(400, error("invalid_request_error", "payment_intent_unexpected_state")),
            Unknown::Code,
            Up,
        ),
        (
            Answer::Json(409, error("idempotency_error", "idempotency_key_in_use")),
            { Unknown::Code },
            Up,
        ),
        (Answer::Json(429, error("invalid_request_error", "rate_limit")), Unknown::Code, Up),
        (Answer::Json(500, error("api_error", "")), Unknown::Code, Down),
        (Answer::Html(502, "<html>"), Unknown::NotUnderstood, Down),
        (Answer::Html(200, "<html>"), Unknown::NotUnderstood, Up),
        (Answer::Huge { is_announced: false }, Unknown::TooLarge, Up),
        (Answer::Reset, Unknown::Connection, Down),
    ] {
        let answered = capture_of(answer).await;
        assert_eq!(answered.outcome, Capture::Unknown(unknown));
        assert_eq!(answered.health, health, "{unknown:?}");
    }
}

#[tokio::test]
async fn errors_of_capture_become_outcomes() {
    let declined = json!({"error": {"type": "card_error", "code": "card_declined",
        "decline_code": "insufficient_funds", "message": "Your card has insufficient funds."}});
    let refusal = Refusal {
        code: "insufficient_funds".to_owned(),
        message: "Your card has insufficient funds.".to_owned(),
    };
    let mistake = |code: &str, is_key| Capture::Mistake(Mistake { code: code.to_owned(), is_key });
    for (answer, expected, health) in [
        (Answer::Json(402, declined), Capture::Refused(refusal), Health::Up),
        (Answer::Json(400, error("idempotency_error", "")), mistake("", false), Health::Up),
        (
            Answer::Json(404, error("invalid_request_error", "resource_missing")),
            mistake("resource_missing", false),
            Health::Up,
        ),
        (
            Answer::Json(403, error("invalid_request_error", "forbidden")),
            mistake("forbidden", true),
            Health::Down,
        ),
    ] {
        let answered = capture_of(answer).await;
        assert_eq!((answered.outcome, answered.health), (expected, health));
    }
}

#[tokio::test]
async fn every_status_has_its_meaning() {
    let captured = |balance| Found::Captured { captured: taken(), balance, dispute: None };
    for (intent, expected) in [
        (status("requires_payment_method"), Found::Open(Stage::Started)),
        (status("requires_confirmation"), Found::Open(Stage::Started)),
        (status("requires_action"), Found::Open(Stage::Started)),
        (status("processing"), Found::Open(Stage::Processing)),
        (status("requires_capture"), Found::Open(Stage::Authenticated)),
        (status("canceled"), Found::NotApproved),
        (status("of_tomorrow"), Found::Unknown(Unknown::Status)),
        (succeeded(0), captured(AMOUNT)),
        (succeeded(20_000), captured(30_000)),
        (succeeded(AMOUNT), Found::Refunded { captured: taken() }),
        (succeeded(AMOUNT + 1), Found::Unknown(Unknown::NotUnderstood)),
        (with(json!({"latest_charge": "ch_1"})), Found::Unknown(Unknown::NotUnderstood)),
        (with(json!({"amount": 1})), Found::Foreign { field: Field::Amount, is_certain: true }),
    ] {
        assert_eq!(found_of(Answer::Json(200, intent.clone())).await.outcome, expected, "{intent}");
    }
    let missing = Answer::Json(404, error("invalid_request_error", "resource_missing"));
    assert_eq!(found_of(missing).await.outcome, Found::Missing);
    let server = Scripted::start([Answer::Json(200, succeeded(0))]).await;
    let stripe = stripe(&server.base_url);
    let unopened = Inquiry { payment_key: None, ..inquiry() };
    assert_eq!(stripe.query(&unopened).await.outcome, Found::Missing);
    assert!(server.heard().is_empty(), "there is nothing to ask for");
    stripe.query(&inquiry()).await;
    let path = "/v1/payment_intents/pi_3Abc?expand%5B%5D=latest_charge";
    assert_eq!(server.heard()[0].path, path);
}

#[tokio::test]
async fn a_refund_looks_first_and_then_gives_back() {
    let refunded = |state: &str| {
        json!({"id": "re_1", "object": "refund", "amount": 20_000, "currency": "krw",
            "payment_intent": KEY, "status": state, "failure_reason": "expired_or_canceled_card"})
    };
    let transaction_key = || Some("re_1".to_owned());
    let card = Refusal { code: "expired_or_canceled_card".to_owned(), message: String::new() };
    let mut strange = refunded("succeeded");
    strange["amount"] = json!(AMOUNT);
    for (answer, expected) in [
        (refunded("succeeded"), {
            Refund::Done { balance: 30_000, transaction_key: transaction_key() }
        }),
        (refunded("pending"), Refund::Pending { transaction_key: transaction_key() }),
        (refunded("requires_action"), Refund::Pending { transaction_key: transaction_key() }),
        (refunded("failed"), Refund::Refused(card.clone())),
        (refunded("canceled"), Refund::Refused(card)),
        (refunded("of_tomorrow"), Refund::Unknown(Unknown::Status)),
        (strange, Refund::Unknown(mismatch(Field::Amount))),
    ] {
        let script = vec![Answer::Json(200, succeeded(0)), Answer::Json(200, answer)];
        assert_eq!(refund_of(&refund(20_000, AMOUNT), script).await, expected);
    }
    let script = [Answer::Json(200, succeeded(0)), Answer::Json(200, refunded("succeeded"))];
    let server = Scripted::start(script).await;
    stripe(&server.base_url).refund(&refund(20_000, AMOUNT)).await;
    let [_, request] = server.heard().try_into().expect("two requests");
    assert_eq!(request.path, "/v1/refunds");
    assert_eq!(request.headers["idempotency-key"], "cancel:7");
    assert_eq!(
        request.body,
        "payment_intent=pi_3Abc&amount=20000&reason=requested_by_customer\
         &metadata%5Border_id%5D=order_1-a&metadata%5Breason%5D=%EB%B3%80%EC%8B%AC"
    );
}

#[tokio::test]
async fn a_refund_whose_balance_is_wrong_moves_nothing() {
    for intent in [succeeded(20_000), succeeded(AMOUNT), status("canceled")] {
        let server = Scripted::start([Answer::Json(200, intent)]).await;
        let outcome = stripe(&server.base_url).refund(&refund(20_000, AMOUNT)).await.outcome;
        assert!(matches!(outcome, Refund::Already(_)), "{outcome:?}");
        assert!(server.heard().iter().all(|request| request.method == "GET"));
    }
    let look = || Answer::Json(200, succeeded(0));
    let refusal = |code: &str| Refusal { code: code.to_owned(), message: "말".to_owned() };
    for (status, kind, code, expected) in [
        (400, "invalid_request_error", "charge_already_refunded", {
            Refund::Already(refusal("charge_already_refunded"))
        }),
        (429, "invalid_request_error", "rate_limit", Refund::Later(refusal("rate_limit"))),
        (500, "api_error", "", Refund::Unknown(Unknown::Code)),
        (400, "idempotency_error", "", {
            Refund::Mistake(Mistake { code: String::new(), is_key: false })
        }),
    ] {
        let script = vec![look(), Answer::Json(status, error(kind, code))];
        assert_eq!(refund_of(&refund(20_000, AMOUNT), script).await, expected);
    }
}

#[tokio::test]
async fn money_that_was_not_taken_is_let_go() {
    let script =
        [Answer::Json(200, status("requires_capture")), Answer::Json(200, status("canceled"))];
    let server = Scripted::start(script).await;
    let outcome = stripe(&server.base_url).refund(&refund(AMOUNT, AMOUNT)).await.outcome;
    assert_eq!(outcome, Refund::Done { balance: 0, transaction_key: None });
    let [_, request] = server.heard().try_into().expect("two requests");
    assert_eq!(request.path, "/v1/payment_intents/pi_3Abc/cancel");
    assert_eq!(request.body, "cancellation_reason=requested_by_customer");
}

#[test]
fn only_signed_events_are_hints() {
    const NOW: UnixMillis = UnixMillis(1_700_000_000_000);
    let stripe = stripe("http://127.0.0.1:1");
    let read = |body: &Value| {
        let body = body.to_string();
        let secret = hmac_key("whsec_test_secret");
        let signed = format!("{}.{body}", NOW.0 / 1000);
        let tag = aws_lc_rs::hmac::sign(&secret, signed.as_bytes());
        let tag: String = tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        let mut headers = HeaderMap::new();
        let header = format!("t={},v1={tag}", NOW.0 / 1000);
        headers.insert("stripe-signature", HeaderValue::from_str(&header).expect("header"));
        stripe.hint(&headers, body.as_bytes(), NOW)
    };
    let event = |kind: &str, object: Value| json!({"id": "evt_1", "object": "event", "type": kind, "data": {"object": object}});
    let about = |order_id| Some(Subject { order_id, payment_key: Some(key()), secret: None });
    for (body, subject) in [
        (event("payment_intent.succeeded", succeeded(0)), about(Some(order()))),
        (event("payment_intent.amount_capturable_updated", succeeded(0)), about(Some(order()))),
        (event("charge.refunded", json!({"id": "ch_1", "payment_intent": KEY})), about(None)),
        (event("charge.dispute.created", json!({"payment_intent": KEY})), about(None)),
        (event("refund.failed", json!({"id": "re_1", "payment_intent": KEY})), about(None)),
        (event("refund.failed", json!({"id": "re_1", "payment_intent": null})), None),
        (event("customer.created", json!({"id": "cus_1"})), None),
        (event("of.tomorrow", json!(7)), None),
    ] {
        assert_eq!(read(&body), Ok(Hint { message: "evt_1".to_owned(), subject }), "{body}");
    }
    assert_eq!(read(&json!({"id": "evt_1"})), Err(BadHint::NotUnderstood));
    let unsigned = event("payment_intent.succeeded", succeeded(0)).to_string();
    let unsigned = stripe.hint(&HeaderMap::new(), unsigned.as_bytes(), NOW);
    assert_eq!(unsigned, Err(BadHint::Unsigned));
}

fn hmac_key(secret: &str) -> aws_lc_rs::hmac::Key {
    aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes())
}

#[test]
fn it_is_not_made_without_a_webhook_secret() {
    for webhook_secrets in [Vec::new(), vec![Secret::new("")]] {
        let made = Stripe::new(StripeSettings {
            base_url: "http://127.0.0.1:1".to_owned(),
            client_key: "pk_test_local".to_owned(),
            secret_keys: vec![Secret::new("sk_test_local")],
            webhook_secrets,
            patience: Patience::default(),
            is_production: false,
        });
        assert!(matches!(made, Err(SetupError::NoWebhookSecret)));
    }
}
