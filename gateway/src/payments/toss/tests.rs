use std::time::Duration;

use hyper::header::HeaderValue;
use serde_json::{Value, json};
use tiketi_engine::money::BankAccount;

use super::codes::{CancelClass, ConfirmClass, of_cancel, of_confirm};
use super::*;
use crate::payments::answer::{Deposit, Means, Movement, Stage, Transaction};
use crate::payments::hint::Subject;
use crate::payments::ids::PaymentKey;
use crate::payments::scripted::{Answer, Scripted};

const ORDER: &str = "order_1-a";
const KEY: &str = "tviva20261121Mv/1";
const AMOUNT: u64 = 132_000;
/// For answers that never come whole; no test waits this long for one that does.
const IMPATIENT: Patience =
    Patience { connect: Duration::from_millis(50), answer: Duration::from_millis(50) };

fn settings(base_url: &str) -> TossSettings {
    TossSettings {
        base_url: base_url.to_owned(),
        client_key: "test_gck_local_simulator".to_owned(),
        secret_keys: vec![Secret::new("test_gsk_local_simulator")],
        patience: Patience::default(),
        is_production: false,
    }
}

fn toss(base_url: &str) -> Toss {
    Toss::new(settings(base_url)).expect("toss")
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

fn inquiry() -> Inquiry {
    Inquiry { order_id: order(), payment_key: Some(key()), amount: AMOUNT }
}

fn refund(amount: u64, balance: u64) -> RefundOrder {
    RefundOrder {
        order_id: order(),
        payment_key: key(),
        amount,
        balance,
        reason: "변심".repeat(200),
        idempotency_key: "cancel:7".to_owned(),
        account: None,
    }
}

/// A payment by card as the 2022-11-16 version has it, with a field nobody knows.
fn done() -> Value {
    json!({
        "version": "2022-11-16", "mId": "tvivarepublica", "type": "NORMAL",
        "orderId": ORDER, "paymentKey": KEY, "orderName": "콘서트", "currency": "KRW",
        "method": "카드", "status": "DONE", "totalAmount": AMOUNT, "balanceAmount": AMOUNT,
        "requestedAt": "2026-11-21T16:00:00+09:00", "approvedAt": "2026-11-21T16:00:05+09:00",
        "secret": "ps_1", "lastTransactionKey": "tx_1", "virtualAccount": null, "easyPay": null,
        "cancels": null, "card": {"amount": AMOUNT, "number": "43301234****123*", "cardType": "신용"},
        "receipt": {"url": "https://dashboard.tosspayments.com/receipt/1"},
        "somethingNew": {"a": [1, 2]},
    })
}

/// [`done`] with some fields changed.
fn with(changes: Value) -> Value {
    let mut payment = done();
    for (field, value) in changes.as_object().expect("an object") {
        payment[field] = value.clone();
    }
    payment
}

fn error(code: &str) -> Value {
    json!({"code": code, "message": "메시지", "data": null})
}

fn taken() -> crate::payments::answer::Captured {
    crate::payments::answer::Captured {
        payment_key: key(),
        approved_at: Some(UnixMillis(1_795_244_405_000)),
        method: Means::Card,
        receipt_url: Some("https://dashboard.tosspayments.com/receipt/1".to_owned()),
        secret: Some(Secret::new("ps_1")),
    }
}

async fn capture_of(answer: Answer) -> Answered<Capture> {
    let comes = !matches!(answer, Answer::Silence | Answer::HalfABody);
    let server = Scripted::start([answer]).await;
    let patience = if comes { Patience::default() } else { IMPATIENT };
    let settings = TossSettings { patience, ..settings(&server.base_url) };
    Toss::new(settings).expect("toss").capture(&charge()).await
}

async fn found_of(answer: Answer) -> Answered<Found> {
    let server = Scripted::start([answer]).await;
    toss(&server.base_url).query(&inquiry()).await
}

async fn refund_of(order: &RefundOrder, answer: Answer) -> Answered<Refund> {
    let server = Scripted::start([answer]).await;
    toss(&server.base_url).refund(order).await
}

#[tokio::test]
async fn confirm_is_sent_as_toss_wants_it() {
    let server = Scripted::start([Answer::Json(200, done())]).await;
    let answered = toss(&server.base_url).capture(&charge()).await;
    assert_eq!(answered.outcome, Capture::Captured(taken()));
    assert_eq!(answered.health, Health::Up);
    assert_eq!(answered.trail.http_status, Some(200));
    assert_eq!(answered.trail.code.as_deref(), Some("DONE"));
    assert_eq!(answered.trail.trace_id.as_deref(), Some("trace-1"));
    let [request] = server.heard().try_into().expect("one request");
    assert_eq!((&*request.method, &*request.path), ("POST", "/v1/payments/confirm"));
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    assert_eq!(body, json!({"paymentKey": KEY, "orderId": ORDER, "amount": AMOUNT}));
    let header = |name| request.headers.get(name).map(|value| value.to_str().expect("text"));
    let basic = "Basic dGVzdF9nc2tfbG9jYWxfc2ltdWxhdG9yOg==";
    assert_eq!(header("authorization"), Some(basic));
    assert_eq!(header("idempotency-key"), Some("confirm:order_1-a:1"));
    assert_eq!(header("content-type"), Some("application/json"));
    assert_eq!(header("accept-language"), None);
}

#[tokio::test]
async fn a_payment_that_is_not_the_orders_is_never_a_success() {
    for (changes, field) in [
        (json!({"orderId": "order_2"}), Field::OrderId),
        (json!({"paymentKey": "another"}), Field::PaymentKey),
        (json!({"totalAmount": AMOUNT - 1}), Field::Amount),
        (json!({"currency": "USD"}), Field::Currency),
    ] {
        let payment = with(changes);
        let captured = capture_of(Answer::Json(200, payment.clone())).await.outcome;
        assert_eq!(captured, Capture::Unknown(Unknown::Mismatch(field)));
        // Under another key of the same order the money is the order's.
        if field != Field::PaymentKey {
            let found = found_of(Answer::Json(200, payment)).await.outcome;
            let is_certain = field == Field::OrderId;
            assert_eq!(found, Found::Foreign { field, is_certain });
        }
    }
}

#[tokio::test]
async fn what_is_not_a_payment_is_unknown() {
    use Health::{Down, Up};
    use Unknown::{Code, Connection, NotUnderstood, Status, Timeout, TooLarge};
    for (answer, unknown, health) in [
        (Answer::Html(502, "<html>Bad Gateway</html>"), NotUnderstood, Down),
        (Answer::Html(200, "<html>Sign in</html>"), NotUnderstood, Up),
        (Answer::Html(200, ""), NotUnderstood, Up),
        (Answer::Json(200, json!([1])), NotUnderstood, Up),
        (Answer::Json(200, json!({"status": "DONE"})), NotUnderstood, Up),
        (Answer::Json(200, with(json!({"totalAmount": "132000"}))), NotUnderstood, Up),
        (Answer::Json(200, with(json!({"totalAmount": 132_000.5}))), NotUnderstood, Up),
        (Answer::Json(200, with(json!({"totalAmount": -1}))), NotUnderstood, Up),
        (Answer::Json(200, with(json!({"status": 7}))), NotUnderstood, Up),
        (Answer::Json(201, done()), NotUnderstood, Up),
        (Answer::Json(400, json!({"error": {"type": "card_error"}})), NotUnderstood, Up),
        (Answer::Json(200, with(json!({"status": "CANCELED"}))), Status, Up),
        (Answer::Json(200, with(json!({"status": "IN_PROGRESS"}))), Status, Up),
        (Answer::Json(200, with(json!({"status": "SETTLED_BY_MOON"}))), Status, Up),
        (Answer::Json(200, with(json!({"status": "WAITING_FOR_DEPOSIT"}))), NotUnderstood, Up),
        (Answer::Json(400, error("A_CODE_OF_TOMORROW")), Code, Up),
        (Answer::Json(403, error("REJECT_OF_TOMORROW")), Code, Up),
        (Answer::Json(409, error("IDEMPOTENT_REQUEST_PROCESSING")), Code, Up),
        (Answer::Json(429, error("TOO_MANY_REQUESTS")), Code, Up),
        (Answer::Json(403, error("FORBIDDEN_CONSECUTIVE_REQUEST")), Code, Up),
        (Answer::Json(500, error("FAILED_INTERNAL_SYSTEM_PROCESSING")), Code, Down),
        (Answer::Huge { is_announced: true }, TooLarge, Up),
        (Answer::Huge { is_announced: false }, TooLarge, Up),
        (Answer::HalfABody, Timeout, Down),
        (Answer::Silence, Timeout, Down),
        (Answer::Reset, Connection, Down),
        (Answer::Redirect("/elsewhere".to_owned()), NotUnderstood, Up),
    ] {
        let answered = capture_of(answer).await;
        assert_eq!(answered.outcome, Capture::Unknown(unknown));
        assert_eq!(answered.health, health, "{unknown:?}");
    }
}

#[tokio::test]
async fn nobody_there_is_unknown_and_a_redirect_is_not_followed() {
    let answered = toss("http://127.0.0.1:1").query(&inquiry()).await;
    assert_eq!(answered.outcome, Found::Unknown(Unknown::Connection));
    assert_eq!(answered.health, Health::Down);
    assert_eq!(answered.trail.http_status, None);
    let elsewhere = Scripted::start([Answer::Json(200, done())]).await;
    let there = Answer::Redirect(format!("{}/v1/payments/confirm", elsewhere.base_url));
    capture_of(there).await;
    assert!(elsewhere.heard().is_empty(), "the key stays here");
}

/// Every row of providers.md 1.8, and what 1.10 makes of it.
#[test]
fn every_code_of_confirm_has_its_class() {
    use ConfirmClass::{Mistake, Refused, Unknown};
    for (status, code, class) in [
        (400, "ALREADY_PROCESSED_PAYMENT", Unknown),
        (400, "PROVIDER_ERROR", Unknown),
        (400, "INVALID_REQUEST", Mistake),
        (400, "INVALID_API_KEY", Mistake),
        (400, "INVALID_REJECT_CARD", Refused),
        (400, "BELOW_MINIMUM_AMOUNT", Refused),
        (400, "INVALID_CARD_EXPIRATION", Refused),
        (400, "INVALID_STOPPED_CARD", Refused),
        (400, "INVALID_CARD_LOST_OR_STOLEN", Refused),
        (400, "INVALID_CARD_NUMBER", Refused),
        (400, "CARD_PROCESSING_ERROR", Unknown),
        (400, "EXCEED_MAX_CARD_INSTALLMENT_PLAN", Refused),
        (400, "INVALID_CARD_INSTALLMENT_PLAN", Refused),
        (400, "NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT", Refused),
        (400, "NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN", Refused),
        (400, "NOT_ALLOWED_POINT_USE", Refused),
        (400, "EXCEED_MAX_DAILY_PAYMENT_COUNT", Refused),
        (400, "EXCEED_MAX_PAYMENT_AMOUNT", Refused),
        (400, "EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT", Refused),
        (400, "EXCEED_MAX_AMOUNT", Refused),
        (400, "EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT", Refused),
        (400, "EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT", Refused),
        (400, "RESTRICTED_TRANSFER_ACCOUNT", Refused),
        (400, "INVALID_ACCOUNT_INFO_RE_REGISTER", Refused),
        (400, "NOT_AVAILABLE_PAYMENT", Refused),
        (400, "INVALID_AUTHORIZE_AUTH", Unknown),
        (400, "UNAPPROVED_ORDER_ID", Unknown),
        (400, "NOT_FOUND_TERMINAL_ID", Mistake),
        (400, "INVALID_UNREGISTERED_SUBMALL", Mistake),
        (400, "NOT_REGISTERED_BUSINESS", Mistake),
        (400, "INVALID_IDEMPOTENCY_KEY", Mistake),
        (401, "UNAUTHORIZED_KEY", Mistake),
        (403, "REJECT_CARD_PAYMENT", Refused),
        (403, "REJECT_CARD_COMPANY", Refused),
        (403, "REJECT_ACCOUNT_PAYMENT", Refused),
        (403, "REJECT_TOSSPAY_INVALID_ACCOUNT", Refused),
        (403, "EXCEED_MAX_AUTH_COUNT", Refused),
        (403, "EXCEED_MAX_ONE_DAY_AMOUNT", Refused),
        (403, "NOT_AVAILABLE_BANK", Refused),
        (403, "INVALID_PASSWORD", Refused),
        (403, "FDS_ERROR", Refused),
        (403, "FORBIDDEN_REQUEST", Mistake),
        (403, "INCORRECT_BASIC_AUTH_FORMAT", Mistake),
        (404, "NOT_FOUND_PAYMENT", Unknown),
        (404, "NOT_FOUND_PAYMENT_SESSION", Refused),
        (409, "IDEMPOTENT_REQUEST_PROCESSING", Unknown),
        (500, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING", Unknown),
        (500, "FAILED_INTERNAL_SYSTEM_PROCESSING", Unknown),
        (500, "UNKNOWN_PAYMENT_ERROR", Unknown),
        // Codes under a status that contradicts them.
        (500, "REJECT_CARD_PAYMENT", Unknown),
        (409, "REJECT_CARD_PAYMENT", Unknown),
        (429, "INVALID_REQUEST", Unknown),
        (302, "INVALID_REQUEST", Unknown),
        (400, "reject_card_payment", Unknown),
        (400, "", Unknown),
    ] {
        assert_eq!(of_confirm(status, code), class, "{status} {code}");
    }
}

/// Every row of providers.md 1.9.
#[test]
fn every_code_of_cancel_has_its_class() {
    use CancelClass::{Already, Later, Mistake, Refused, Unknown};
    for (status, code, class) in [
        (400, "ALREADY_CANCELED_PAYMENT", Already),
        (400, "ALREADY_REFUND_PAYMENT", Already),
        (400, "INVALID_REFUND_ACCOUNT_INFO", Refused),
        (400, "INVALID_REFUND_ACCOUNT_NUMBER", Refused),
        (400, "INVALID_BANK", Refused),
        (400, "EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT", Refused),
        (400, "NOT_MATCHES_REFUNDABLE_AMOUNT", Already),
        (400, "FORBIDDEN_BANK_REFUND_REQUEST", Refused),
        (400, "REFUND_REJECTED", Refused),
        (400, "PROVIDER_ERROR", Later),
        (400, "INVALID_REQUEST", Mistake),
        (401, "UNAUTHORIZED_KEY", Mistake),
        (403, "NOT_CANCELABLE_AMOUNT", Already),
        (403, "NOT_CANCELABLE_PAYMENT", Refused),
        (403, "EXCEED_MAX_REFUND_DUE", Refused),
        (403, "EXCEED_CANCEL_LIMIT", Later),
        (403, "NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT", Refused),
        (403, "NOT_ALLOWED_PARTIAL_REFUND", Refused),
        (403, "NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER", Refused),
        (403, "FORBIDDEN_CONSECUTIVE_REQUEST", Later),
        (403, "NOT_AVAILABLE_BANK", Later),
        (403, "FORBIDDEN_REQUEST", Mistake),
        (403, "INCORRECT_BASIC_AUTH_FORMAT", Mistake),
        (404, "NOT_FOUND_PAYMENT", Unknown),
        (409, "IDEMPOTENT_REQUEST_PROCESSING", Unknown),
        (429, "TOO_MANY_REQUESTS", Later),
        (500, "FAILED_REFUND_PROCESS", Later),
        (500, "FAILED_METHOD_HANDLING_CANCEL", Later),
        (500, "FAILED_PARTIAL_REFUND", Later),
        (500, "COMMON_ERROR", Later),
        (500, "FAILED_INTERNAL_SYSTEM_PROCESSING", Unknown),
        (500, "FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING", Unknown),
        (500, "NOT_CANCELABLE_PAYMENT", Unknown),
        (400, "A_CODE_OF_TOMORROW", Unknown),
    ] {
        assert_eq!(of_cancel(status, code), class, "{status} {code}");
    }
}

/// Also both answers of each open question of appendix D.
#[tokio::test]
async fn errors_of_confirm_become_outcomes() {
    let refused =
        |code: &str| Capture::Refused(Refusal { code: code.into(), message: "메시지".into() });
    let mistake = |code: &str, is_key| Capture::Mistake(Mistake { code: code.into(), is_key });
    for (status, code, outcome, health) in [
        (403, "REJECT_CARD_PAYMENT", refused("REJECT_CARD_PAYMENT"), Health::Up),
        (404, "NOT_FOUND_PAYMENT_SESSION", refused("NOT_FOUND_PAYMENT_SESSION"), Health::Up),
        (404, "NOT_FOUND_PAYMENT", Capture::Unknown(Unknown::Code), Health::Up),
        (400, "INVALID_REQUEST", mistake("INVALID_REQUEST", false), Health::Up),
        (403, "FORBIDDEN_REQUEST", mistake("FORBIDDEN_REQUEST", false), Health::Up),
        (401, "UNAUTHORIZED_KEY", mistake("UNAUTHORIZED_KEY", true), Health::Down),
        (400, "INVALID_API_KEY", mistake("INVALID_API_KEY", true), Health::Down),
    ] {
        let answered = capture_of(Answer::Json(status, error(code))).await;
        assert_eq!(answered.outcome, outcome);
        assert_eq!(answered.health, health, "{code}");
        assert_eq!(answered.trail.code.as_deref(), Some(code));
    }
    let long = json!({"code": "X".repeat(1_000), "message": "m"});
    let answered = capture_of(Answer::Json(400, long)).await;
    assert_eq!(answered.trail.code.map(|code| code.len()), Some(64));
    let code = "REJECT_CARD_PAYMENT";
    let long = json!({"code": code, "message": "가".repeat(1_000)});
    match capture_of(Answer::Json(403, long)).await.outcome {
        Capture::Refused(refusal) => assert_eq!(refusal.message, "가".repeat(200)),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_virtual_account_waits_for_its_deposit() {
    let waiting = with(json!({
        "status": "WAITING_FOR_DEPOSIT", "approvedAt": null, "card": null,
        "virtualAccount": {
            "accountNumber": "X6505636518308", "bankCode": "20", "customerName": "김토스",
            "dueDate": "2026-11-28T16:00:00+09:00", "accountType": "일반", "expired": false,
        },
    }));
    let deposit = Deposit {
        payment_key: key(),
        bank: "20".to_owned(),
        account_number: "X6505636518308".to_owned(),
        holder: Some("김토스".to_owned()),
        due_at: Some(UnixMillis(1_795_849_200_000)),
        secret: Some(Secret::new("ps_1")),
    };
    let captured = capture_of(Answer::Json(200, waiting.clone())).await.outcome;
    assert_eq!(captured, Capture::AwaitingDeposit(deposit.clone()));
    let found = found_of(Answer::Json(200, waiting)).await.outcome;
    assert_eq!(found, Found::AwaitingDeposit(deposit));
}

#[tokio::test]
async fn the_method_is_seen_from_what_is_there() {
    let account = json!({"accountNumber": "X1", "bankCode": "20"});
    for (changes, method) in [
        (json!({"method": "휴대폰"}), Means::Card),
        (json!({"easyPay": {"provider": "토스페이"}}), Means::EasyPay),
        (json!({"card": null, "transfer": {}}), Means::Transfer),
        (json!({"card": null, "virtualAccount": account}), Means::VirtualAccount),
        (json!({"card": null, "mobilePhone": {}}), Means::Phone),
        (json!({"card": null, "giftCertificate": {}}), Means::GiftCertificate),
        (json!({"card": null, "method": null}), Means::Other),
    ] {
        match capture_of(Answer::Json(200, with(changes))).await.outcome {
            Capture::Captured(captured) => assert_eq!(captured.method, method),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn every_status_has_its_meaning() {
    let row = json!({"cancelAmount": 32_000, "transactionKey": "tx_2", "cancelStatus": "DONE",
        "canceledAt": "2026-11-21T17:00:00+09:00", "cancelReason": "변심"});
    let part = json!({"status": "PARTIAL_CANCELED", "balanceAmount": 100_000, "cancels": [row]});
    let rest = json!({"status": "PARTIAL_CANCELED", "balanceAmount": 0, "cancels": [row]});
    let all = json!({"status": "CANCELED", "balanceAmount": 0, "cancels": [row]});
    let unpaid = json!({"status": "CANCELED", "approvedAt": null, "cancels": [row]});
    let expired = json!({"status": "EXPIRED", "method": null, "approvedAt": null, "card": null,
        "lastTransactionKey": null, "receipt": null, "balanceAmount": null,
        "failure": {"code": "EXPIRED_PAYMENT", "message": "결제가 만료되었습니다."}});
    let whole = Found::Captured { captured: taken(), balance: AMOUNT, dispute: None };
    for (changes, expected) in [
        (json!({}), whole),
        (json!({"totalAmount": 132_000.0}), {
            Found::Captured { captured: taken(), balance: AMOUNT, dispute: None }
        }),
        (part, Found::Captured { captured: taken(), balance: 100_000, dispute: None }),
        (rest, Found::Refunded { captured: taken() }),
        (all, Found::Refunded { captured: taken() }),
        (unpaid, Found::NotApproved),
        (expired, Found::NotApproved),
        (json!({"status": "ABORTED"}), Found::NotApproved),
        (json!({"status": "READY"}), Found::Open(Stage::Started)),
        (json!({"status": "IN_PROGRESS"}), Found::Open(Stage::Authenticated)),
        (json!({"status": "OF_TOMORROW"}), Found::Unknown(Unknown::Status)),
        (json!({"balanceAmount": null}), Found::Unknown(Unknown::NotUnderstood)),
    ] {
        let found = found_of(Answer::Json(200, with(changes.clone()))).await.outcome;
        assert_eq!(found, expected, "{changes}");
    }
}

#[tokio::test]
async fn a_query_asks_by_key_and_by_order_and_knows_its_errors() {
    let server = Scripted::start([Answer::Json(404, error("NOT_FOUND_PAYMENT"))]).await;
    assert_eq!(toss(&server.base_url).query(&inquiry()).await.outcome, Found::Missing);
    let [by_key, by_order] = server.heard().try_into().expect("two requests");
    assert_eq!(by_key.method, "GET");
    assert_eq!(by_key.path, "/v1/payments/tviva20261121Mv%2F1");
    assert_eq!(by_order.path, format!("/v1/payments/orders/{ORDER}"));
    let mistake = |code: &str, is_key| Found::Mistake(Mistake { code: code.into(), is_key });
    for (status, code, expected) in [
        (401, "UNAUTHORIZED_KEY", mistake("UNAUTHORIZED_KEY", true)),
        (400, "INVALID_REQUEST", mistake("INVALID_REQUEST", false)),
        (404, "NOT_FOUND", Found::Unknown(Unknown::Code)),
        (400, "NOT_FOUND_PAYMENT", Found::Unknown(Unknown::Code)),
        (429, "TOO_MANY_REQUESTS", Found::Unknown(Unknown::Code)),
        (500, "FAILED_INTERNAL_SYSTEM_PROCESSING", Found::Unknown(Unknown::Code)),
    ] {
        assert_eq!(found_of(Answer::Json(status, error(code))).await.outcome, expected);
    }
    assert_eq!(
        found_of(Answer::Html(404, "<html>not here</html>")).await.outcome,
        Found::Unknown(Unknown::NotUnderstood),
    );
}

#[tokio::test]
async fn money_is_found_under_any_key_of_the_order_and_another_payment_is_none() {
    let other_key = || json!({"paymentKey": "tviva_other"});
    let changed = |changes: &[Value]| {
        let mut body = done();
        for (name, value) in changes.iter().filter_map(Value::as_object).flatten() {
            body[name] = value.clone();
        }
        Answer::Json(200, body)
    };
    let foreign = || changed(&[json!({"orderId": "someone_elses"})]);
    let missing = || Answer::Json(404, error("NOT_FOUND_PAYMENT"));
    let expired = || changed(&[json!({"status": "EXPIRED", "approvedAt": null})]);
    let newest = || changed(&[other_key(), json!({"status": "READY", "approvedAt": null})]);
    let captured = |payment_key: &str| Found::Captured {
        captured: crate::payments::answer::Captured {
            payment_key: PaymentKey::new(payment_key).expect("key"),
            ..taken()
        },
        balance: AMOUNT,
        dispute: None,
    };
    let certain = |field, is_certain| Found::Foreign { field, is_certain };
    for (by_key, by_order, expected, calls) in [
        // The newest window of the order is not the one that was confirmed.
        (changed(&[]), newest(), captured(KEY), 1),
        (expired(), changed(&[other_key()]), captured("tviva_other"), 2),
        (missing(), changed(&[other_key()]), captured("tviva_other"), 2),
        (foreign(), changed(&[other_key()]), captured("tviva_other"), 2),
        (foreign(), newest(), certain(Field::OrderId, true), 2),
        (foreign(), missing(), certain(Field::OrderId, true), 2),
        (foreign(), Answer::Json(500, error("X")), Found::Unknown(Unknown::Code), 2),
        (expired(), newest(), Found::NotApproved, 2),
        (
            changed(&[json!({"totalAmount": 1, "status": "IN_PROGRESS"})]),
            missing(),
            certain(Field::Amount, true),
            2,
        ),
        // Money of another amount than the order's: an administrator has to look.
        (changed(&[json!({"totalAmount": 1})]), missing(), certain(Field::Amount, false), 2),
    ] {
        let server = Scripted::start([by_key, by_order]).await;
        let found = toss(&server.base_url).query(&inquiry()).await.outcome;
        assert_eq!((found, server.heard().len()), (expected, calls));
    }
}

#[tokio::test]
async fn transactions_are_listed_in_pages() {
    let row = |key: String, status: &str, amount: i64| {
        json!({"mId": "x", "transactionKey": key, "paymentKey": KEY, "orderId": ORDER,
            "status": status, "transactionAt": "2026-11-21T17:00:00+09:00", "amount": amount})
    };
    let full: Vec<Value> = (0..500).map(|at| row(format!("tx_{at}"), "DONE", 100)).collect();
    let last = json!([
        row("a".to_owned(), "PARTIAL_CANCELED", -30),
        row("b".to_owned(), "CANCELED", 70),
        row("c".to_owned(), "WAITING_FOR_DEPOSIT", 100),
    ]);
    let server = Scripted::start([Answer::Json(200, json!(full)), Answer::Json(200, last)]).await;
    let toss = toss(&server.base_url);
    let from = UnixMillis(1_795_186_800_000);
    let mut page = ListPage { from, to: from.plus(86_400_000), after: None };
    let Listed::Page { rows, next } = toss.transactions(&page).await.outcome else {
        panic!("no page")
    };
    assert_eq!((rows.len(), next.as_deref()), (500, Some("tx_499")));
    page.after = next;
    let Listed::Page { rows, next } = toss.transactions(&page).await.outcome else {
        panic!("no page")
    };
    let movement = |movement| Transaction {
        order_id: Some(ORDER.to_owned()),
        payment_key: Some(KEY.to_owned()),
        movement,
    };
    let moved = [Movement::Returned(30), Movement::Returned(70), Movement::Other];
    assert_eq!((rows, next), (moved.map(movement).to_vec(), None));
    let paths: Vec<String> = server.heard().into_iter().map(|request| request.path).collect();
    let first = "/v1/transactions?startDate=2026-11-21T00%3A00%3A00&endDate=2026-11-21T23%3A59%3A59\
                 &limit=500";
    assert_eq!(paths, [first.to_owned(), format!("{first}&startingAfter=tx_499")]);
}

#[tokio::test]
async fn a_refund_names_the_balance_and_its_account() {
    let cancelled = with(json!({"status": "PARTIAL_CANCELED", "balanceAmount": 100_000,
        "lastTransactionKey": "tx_2",
        "cancels": [{"cancelAmount": 32_000, "transactionKey": "tx_2", "cancelStatus": "DONE"}]}));
    let server = Scripted::start([Answer::Json(200, cancelled)]).await;
    let mut order = refund(32_000, AMOUNT);
    order.account = Some(BankAccount {
        bank: "88".to_owned(),
        number: "110123456789".to_owned(),
        holder: "김토스".to_owned(),
    });
    assert!(!format!("{order:?}").contains("110123456789"));
    let done = Refund::Done { balance: 100_000, transaction_key: Some("tx_2".to_owned()) };
    assert_eq!(toss(&server.base_url).refund(&order).await.outcome, done);
    let [request] = server.heard().try_into().expect("one request");
    assert_eq!(request.path, "/v1/payments/tviva20261121Mv%2F1/cancel");
    assert_eq!(request.headers["idempotency-key"], "cancel:7");
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let account = json!({"bank": "88", "accountNumber": "110123456789", "holderName": "김토스"});
    let reason = "변심".repeat(100);
    assert_eq!(
        body,
        json!({"cancelReason": reason, "cancelAmount": 32_000, "refundableAmount": AMOUNT,
            "refundReceiveAccount": account}),
    );
    toss(&server.base_url).refund(&refund(AMOUNT, AMOUNT)).await;
    let body: Value = serde_json::from_str(&server.heard()[1].body).expect("JSON");
    assert_eq!(body, json!({"cancelReason": reason, "refundableAmount": AMOUNT}));
}

#[tokio::test]
async fn a_refund_is_done_only_where_the_numbers_agree() {
    let answer = |cancel: u64, balance: u64, state: &str| {
        with(json!({"status": "PARTIAL_CANCELED", "balanceAmount": balance,
            "lastTransactionKey": "tx_2",
            "cancels": [{"cancelAmount": 9, "transactionKey": "tx_0", "cancelStatus": "DONE"},
                {"cancelAmount": cancel, "transactionKey": "tx_2", "cancelStatus": state}]}))
    };
    let key = || Some("tx_2".to_owned());
    let mismatch = |field| Refund::Unknown(Unknown::Mismatch(field));
    let mut strange = answer(2_000, 8_000, "DONE");
    strange["orderId"] = json!("order_2");
    for (payment, expected) in [
        (answer(2_000, 8_000, "DONE"), Refund::Done { balance: 8_000, transaction_key: key() }),
        (answer(2_000, 6_000, "DONE"), mismatch(Field::Balance)),
        (answer(3_000, 8_000, "DONE"), mismatch(Field::Amount)),
        (answer(2_000, 10_000, "IN_PROGRESS"), Refund::Pending { transaction_key: key() }),
        (answer(2_000, 10_000, "ABORTED"), Refund::Unknown(Unknown::Status)),
        (strange, mismatch(Field::OrderId)),
    ] {
        let answered = refund_of(&refund(2_000, 10_000), Answer::Json(200, payment)).await;
        assert_eq!(answered.outcome, expected);
    }
    let refusal = |code: &str| Refusal { code: code.into(), message: "메시지".into() };
    let mistake = Mistake { code: "UNAUTHORIZED_KEY".into(), is_key: true };
    for (status, code, expected) in [
        (400, "ALREADY_CANCELED_PAYMENT", Refund::Already(refusal("ALREADY_CANCELED_PAYMENT"))),
        (403, "EXCEED_MAX_REFUND_DUE", Refund::Refused(refusal("EXCEED_MAX_REFUND_DUE"))),
        (500, "COMMON_ERROR", Refund::Later(refusal("COMMON_ERROR"))),
        (401, "UNAUTHORIZED_KEY", Refund::Mistake(mistake)),
        (409, "IDEMPOTENT_REQUEST_PROCESSING", Refund::Unknown(Unknown::Code)),
    ] {
        let answer = Answer::Json(status, error(code));
        assert_eq!(refund_of(&refund(2_000, 10_000), answer).await.outcome, expected);
    }
    let reset = refund_of(&refund(2_000, 10_000), Answer::Reset).await;
    assert_eq!(reset.outcome, Refund::Unknown(Unknown::Connection));
}

#[tokio::test]
async fn a_key_that_is_not_taken_makes_way_for_the_next() {
    let refused = Answer::Json(401, error("UNAUTHORIZED_KEY"));
    let server = Scripted::start([refused, Answer::Json(200, done())]).await;
    let mut settings = settings(&server.base_url);
    settings.secret_keys.push(Secret::new("test_gsk_next"));
    let answered = Toss::new(settings).expect("toss").capture(&charge()).await;
    assert_eq!(answered.outcome, Capture::Captured(taken()));
    let keys: Vec<_> =
        server.heard().iter().map(|heard| heard.headers["authorization"].clone()).collect();
    assert_eq!(keys.len(), 2);
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn it_is_not_made_with_keys_that_do_not_belong_here() {
    let made = |change: fn(&mut TossSettings)| {
        let mut settings = settings("http://127.0.0.1:1");
        change(&mut settings);
        Toss::new(settings).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(made(|_| ()), Ok(()));
    for (wrong, text) in [
        (made(|settings| settings.secret_keys.clear()), "no secret key"),
        (made(|settings| settings.is_production = true), "production refuses test keys"),
        (
            made(|settings| settings.secret_keys.push(Secret::new("live_gsk_x"))),
            "the client key and a secret key mix test and live",
        ),
        (
            made(|settings| {
                settings.client_key = "live_gck_x".to_owned();
                settings.secret_keys = vec![Secret::new("live_gsk_x")];
                settings.is_production = true;
            }),
            "a live key is only sent over https",
        ),
    ] {
        assert_eq!(wrong, Err(text.to_owned()));
    }
    assert!(made(|settings| settings.base_url = "tosspayments".to_owned()).is_err());
    let toss = toss("http://127.0.0.1:1");
    assert!(!format!("{toss:?}").contains("test_gsk"));
}

#[test]
fn webhooks_are_hints() {
    let toss = toss("http://127.0.0.1:1");
    let mut headers = HeaderMap::new();
    let id = HeaderValue::from_static("whtrans_1");
    headers.insert("tosspayments-webhook-transmission-id", id);
    let read = |body: &Value| toss.hint(&headers, body.to_string().as_bytes(), UnixMillis(0));
    let about = |payment_key: Option<&str>, secret: Option<&str>| {
        let payment_key = payment_key.and_then(PaymentKey::new);
        Some(Subject { order_id: Some(order()), payment_key, secret: secret.map(Secret::new) })
    };
    let changed = |data: Value| {
        json!({"eventType": "PAYMENT_STATUS_CHANGED", "data": data,
            "createdAt": "2026-11-21T16:00:05.000000"})
    };
    for (body, subject) in [
        (changed(done()), about(Some(KEY), Some("ps_1"))),
        (changed(with(json!({"secret": null}))), about(Some(KEY), None)),
        (
            changed(json!({"paymentKey": KEY, "status": "DONE", "orderId": ORDER})),
            about(Some(KEY), None),
        ),
        (changed(json!({"orderId": "no", "paymentKey": KEY})), None),
        (
            json!({"createdAt": "2026-11-21T16:00:05.000000", "secret": "ps_1", "status": "DONE",
                "transactionKey": "tx_1", "orderId": ORDER}),
            about(None, Some("ps_1")),
        ),
        (json!({"eventType": "CANCEL_STATUS_CHANGED", "data": {"transactionKey": "tx"}}), None),
        (json!({"eventType": "payout.changed", "entityBody": {}}), None),
        (json!({"eventType": "OF_TOMORROW", "data": 7, "orderId": ORDER}), None),
        (json!({"billingKey": "b", "reason": "r"}), None),
    ] {
        assert_eq!(read(&body), Ok(Hint { message: "whtrans_1".to_owned(), subject }), "{body}");
    }
    for body in [json!([]), json!("x"), changed(json!({"orderId": 7}))] {
        assert_eq!(read(&body), Err(BadHint::NotUnderstood), "{body}");
    }
    let unread = toss.hint(&headers, b"<html>", UnixMillis(0));
    assert_eq!(unread, Err(BadHint::NotUnderstood));

    let named = |headers: &HeaderMap, body: &str| {
        toss.hint(headers, body.as_bytes(), UnixMillis(0)).expect("a hint").message
    };
    let unnamed = HeaderMap::new();
    assert_eq!(named(&unnamed, "{}"), named(&unnamed, "{}"));
    assert_ne!(named(&unnamed, "{}"), named(&unnamed, "{ }"));
    headers.insert(
        "tosspayments-webhook-transmission-id",
        HeaderValue::from_str(&"x".repeat(129)).expect("header"),
    );
    assert_eq!(named(&headers, "{}"), named(&unnamed, "{}"));
}

#[test]
fn a_stored_secret_proves_a_message() {
    let subject = |secret: Option<&str>| Subject {
        order_id: Some(order()),
        payment_key: None,
        secret: secret.map(Secret::new),
    };
    let stored = Secret::new("ps_1");
    for (secret, proven) in
        [(Some("ps_1"), true), (Some("ps_2"), false), (Some("ps_11"), false), (None, false)]
    {
        assert_eq!(subject(secret).proves(&stored), proven, "{secret:?}");
    }
}
