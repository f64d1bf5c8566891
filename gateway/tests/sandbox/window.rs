//! Section 1.3: the payment window, by form posts as a browser sends them.

use reqwest::Url;
use serde_json::json;

use crate::support::{Answer, MINUTE_MS, Toss, send};

const FIELDS: [(&str, &str); 7] = [
    ("clientKey", "test_gck_local_simulator"),
    ("orderId", "order-1"),
    ("orderName", "콘서트 <b>\"표\"</b>"),
    ("amount", "50000"),
    ("customerKey", "customer-1"),
    ("successUrl", "https://shop.example/ok?kept=1"),
    ("failUrl", "http://shop.example/fail"),
];

/// The fields, with some of them replaced or added, as a query or a form.
fn form(changes: &[(&str, &str)]) -> String {
    let mut url = Url::parse("http://x/").unwrap();
    let changed = |name: &str| changes.iter().find(|(changed, _)| *changed == name);
    let kept = FIELDS.iter().filter(|(name, _)| changed(name).is_none());
    url.query_pairs_mut().extend_pairs(kept.chain(changes));
    url.query().unwrap().to_owned()
}

async fn open(toss: &Toss, changes: &[(&str, &str)]) -> Answer {
    send(toss.client.get(toss.url(&format!("/window?{}", form(changes))))).await
}

async fn press(toss: &Toss, changes: &[(&str, &str)]) -> Answer {
    let request = toss.client.post(toss.url("/window")).body(form(changes));
    send(request.header("content-type", "application/x-www-form-urlencoded")).await
}

/// Where the browser is sent, and the parameters it takes along.
fn redirect(answer: &Answer) -> (String, serde_json::Value) {
    assert_eq!(answer.status, 303, "{answer:?}");
    let url = Url::parse(answer.header("location")).unwrap();
    let parameters: serde_json::Map<_, _> =
        url.query_pairs().map(|(name, value)| (name.into_owned(), json!(value))).collect();
    (url.path().to_owned(), json!(parameters))
}

/// The value of a hidden field.
fn hidden<'p>(page: &'p str, name: &str) -> &'p str {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

#[tokio::test]
async fn a_buyer_pays_by_card() {
    let toss = Toss::start().await;
    let page = open(&toss, &[]).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("50,000원"));
    assert!(
        page.text.contains("콘서트 &lt;b&gt;&quot;표&quot;&lt;/b&gt;")
            && !page.text.contains("<b>")
    );
    assert!(page.header("content-security-policy").contains("default-src 'none'"));
    assert_eq!(toss.status("order-1").await, "READY");
    let key = hidden(&page.text, "paymentKey");
    let (path, parameters) =
        redirect(&press(&toss, &[("paymentKey", key), ("choice", "card")]).await);
    assert_eq!(path, "/ok");
    let expected = json!({"kept": "1", "paymentKey": key, "orderId": "order-1", "amount": "50000",
        "paymentType": "NORMAL"});
    assert_eq!(parameters, expected);
    assert_eq!(toss.status("order-1").await, "IN_PROGRESS");
    let payment = send(toss.confirm(key, "order-1", 50_000)).await.ok();
    assert_eq!(payment["orderName"], FIELDS[2].1);
    let receipt = payment["receipt"]["url"].as_str().unwrap();
    assert!(send(toss.client.get(receipt)).await.text.contains("결제 완료"));
}

#[tokio::test]
async fn every_way_to_pay() {
    let toss = Toss::start().await;
    for (order, choice, object) in [
        ("order-card", "card", "card"),
        ("order-easy", "easyPay", "easyPay"),
        ("order-bank", "virtualAccount", "virtualAccount"),
        ("order-transfer", "transfer", "transfer"),
        ("order-phone", "phone", "mobilePhone"),
        ("order-gift", "giftCertificate", "giftCertificate"),
    ] {
        let pressed = press(&toss, &[("orderId", order), ("choice", choice)]).await;
        let (_, parameters) = redirect(&pressed);
        let key = parameters["paymentKey"].as_str().unwrap();
        let payment = send(toss.confirm(key, order, 50_000)).await.ok();
        assert!(payment[object].is_object(), "{payment}");
    }
}

#[tokio::test]
async fn the_due_date_of_an_account_goes_through_the_window() {
    let toss = Toss::start().await;
    let page = open(&toss, &[("validHours", "3")]).await;
    assert_eq!(hidden(&page.text, "validHours"), "3");
    let key = hidden(&page.text, "paymentKey");
    press(&toss, &[("paymentKey", key), ("choice", "virtualAccount")]).await;
    send(toss.confirm(key, "order-1", 50_000)).await.ok();
    toss.advance(3 * 60 * MINUTE_MS + 1).await;
    assert_eq!(toss.by_order("order-1").await["virtualAccount"]["expired"], true);
}

#[tokio::test]
async fn a_closed_window_names_no_order() {
    let toss = Toss::start().await;
    let page = open(&toss, &[]).await;
    let key = hidden(&page.text, "paymentKey");
    let (path, parameters) =
        redirect(&press(&toss, &[("paymentKey", key), ("choice", "close")]).await);
    assert_eq!(path, "/fail");
    assert_eq!(parameters["code"], "PAY_PROCESS_CANCELED");
    assert!(parameters["message"].is_string() && parameters.get("orderId").is_none());
    assert_eq!(toss.status("order-1").await, "READY");
    toss.advance(30 * MINUTE_MS).await;
    assert_eq!(toss.status("order-1").await, "EXPIRED");
    let late = press(&toss, &[("paymentKey", key), ("choice", "card")]).await;
    assert_eq!(redirect(&late).1["code"], "NOT_FOUND_PAYMENT_SESSION");
}

#[tokio::test]
async fn the_window_refuses_or_the_confirm_does() {
    let toss = Toss::start().await;
    let refused = press(&toss, &[("choice", "decline:REJECT_CARD_COMPANY")]).await;
    let (path, parameters) = redirect(&refused);
    assert_eq!((path.as_str(), &parameters["code"]), ("/fail", &json!("REJECT_CARD_COMPANY")));
    assert_eq!(parameters["orderId"], "order-1");
    assert_eq!(toss.status("order-1").await, "ABORTED");
    let pressed = press(&toss, &[("orderId", "order-2"), ("choice", "confirm:FDS_ERROR")]).await;
    let (_, parameters) = redirect(&pressed);
    let key = parameters["paymentKey"].as_str().unwrap();
    send(toss.confirm(key, "order-2", 50_000)).await.is(403, "FDS_ERROR");
    assert_eq!(toss.status("order-2").await, "ABORTED");
}

#[tokio::test]
async fn what_toss_would_not_open_is_not_opened() {
    let toss = Toss::start().await;
    let long = "x".repeat(101);
    for (name, value) in [
        ("clientKey", "nonsense"),
        ("orderId", "short"),
        ("orderId", "with blanks in it"),
        ("orderId", &"x".repeat(65)),
        ("orderName", ""),
        ("orderName", &long),
        ("amount", "0"),
        ("amount", "-1"),
        ("amount", "1e3x"),
        ("customerKey", "x"),
        ("customerName", &long),
        ("successUrl", "javascript:alert(1)"),
        ("successUrl", "/relative"),
        ("failUrl", "data:text/html,x"),
        ("validHours", "2161"),
        ("validHours", "soon"),
        ("dueDate", "2999-01-01T00:00:00"),
    ] {
        for answer in [
            open(&toss, &[(name, value)]).await,
            press(&toss, &[(name, value), ("choice", "card")]).await,
        ] {
            assert_eq!(answer.status, 400, "{name}={value}");
            assert!(answer.text.contains(name), "{name}={value}");
        }
    }
    assert_eq!(press(&toss, &[("choice", "decline:NO_SUCH_CODE")]).await.status, 400);
    assert_eq!(toss.get("/sandbox/ledger").await.ok()["payments"], 0);
}

#[tokio::test]
async fn a_form_cannot_change_what_was_opened() {
    let toss = Toss::start().await;
    let page = open(&toss, &[]).await;
    let key = hidden(&page.text, "paymentKey");
    let cheaper = press(&toss, &[("paymentKey", key), ("amount", "1"), ("choice", "card")]).await;
    assert_ne!(cheaper.status, 303);
    assert_eq!(toss.status("order-1").await, "READY");
}

#[tokio::test]
async fn below_a_base_path() {
    let toss = Toss::with(|settings| settings.base_url += "/sandbox/toss").await;
    let page =
        send(toss.client.get(toss.url(&format!("/sandbox/toss/window?{}", form(&[]))))).await;
    assert!(page.text.contains(&format!("action=\"{}\"", toss.url("/sandbox/toss/window"))));
    let found = toss.get("/sandbox/toss/v1/payments/orders/order-1").await.ok();
    assert_eq!(found["status"], "READY");
    let checkout = found["checkout"]["url"].as_str().unwrap();
    assert_eq!(send(toss.client.get(checkout)).await.status, 200);
    assert_eq!(toss.get("/v1/payments/orders/order-1").await.ok(), found, "relative to it");
}
