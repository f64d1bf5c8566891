//! From the seat to the ticket as a browser goes: page, window, redirect, confirmation.

use reqwest::redirect::Policy;
use reqwest::{Client, Url};
use serde_json::{Value, json};

use crate::shop::Shop;
use crate::till::Till;
use tiketi_gateway::config::{Secret, StripeKeys};

fn browser() -> Client {
    Client::builder().redirect(Policy::none()).no_proxy().build().unwrap()
}

/// Opens the payment page of an order: the window's address, and what is in it.
async fn window(till: &Till, order: &Value) -> (Url, String) {
    let pay = browser().get(order["paymentUrl"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(pay.status(), 303);
    let location = pay.headers()["location"].to_str().unwrap().to_owned();
    let url = Url::parse(&till.shop.gateway.url(&location)).unwrap();
    let page = browser().get(url.clone()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    (url, page.text().await.unwrap())
}

/// Presses a button in it: where the browser goes then.
async fn press(till: &Till, url: &Url, choice: &str) -> Url {
    let form = format!("{}&choice={choice}", url.query().unwrap());
    let request = browser().post(till.shop.gateway.url("/sandbox/stripe/window")).body(form);
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 303);
    Url::parse(answer.headers()["location"].to_str().unwrap()).unwrap()
}

fn parameter(url: &Url, name: &str) -> String {
    let found = url.query_pairs().find(|(given, _)| given == name);
    found.unwrap_or_else(|| panic!("{name}: {url}")).1.into_owned()
}

#[tokio::test]
async fn a_buyer_pays_in_the_window() {
    let mut till = Till::of("stripe").await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    let (url, page) = window(&till, &order).await;
    assert!(page.contains("150,000원"), "{page}");
    let secret = order["clientSecret"].as_str().unwrap();
    assert!(!url.as_str().contains(secret) && !page.contains(secret), "a secret in a page");

    let back = press(&till, &url, "pay:kakao_pay").await;
    assert_eq!(back.path(), "/payments/success");
    assert_eq!(parameter(&back, "redirect_status"), "succeeded");
    let success = browser().get(back.clone()).send().await.unwrap();
    assert_eq!(success.status(), 200);
    // What the page's script sends.
    let amount: u64 = parameter(&back, "amount").parse().unwrap();
    let body = json!({"paymentKey": parameter(&back, "payment_intent"),
        "orderId": parameter(&back, "orderId"), "amount": amount});
    let path = format!("/api/payments/{}/confirm", parameter(&back, "provider"));
    let (status, answer) = till.shop.post(&path, &till.buyer, &body).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(till.reservation(&reservation).await["status"], "confirmed");
    let charge = till.charge(&order).await;
    assert_eq!(charge["status"], "paid");
    assert!(charge["receiptUrl"].as_str().unwrap().contains("/sandbox/stripe/receipts/ch_"));
    let receipt = browser().get(charge["receiptUrl"].as_str().unwrap()).send().await.unwrap();
    assert!(receipt.text().await.unwrap().contains("150,000원"));
    till.assert_books(&order, 1, 150_000).await;
    assert_eq!(till.shop.counts(&till.event).await.2, 1);
}

#[tokio::test]
async fn a_buyer_who_is_declined_tries_again_in_the_same_window() {
    let mut till = Till::of("stripe").await;
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    let (url, _) = window(&till, &order).await;
    let back = press(&till, &url, "decline:insufficient_funds").await;
    assert_eq!(parameter(&back, "redirect_status"), "failed");
    assert_eq!(till.charge(&order).await["status"], "open");
    let back = press(&till, &url, "pay:card").await;
    let key = parameter(&back, "payment_intent");
    assert_eq!(till.confirm(&order, &key).await.0, 200);
    till.assert_books(&order, 1, 150_000).await;
}

/// With keys of Stripe there is no simulator, and the page loads Stripe's own script.
#[tokio::test]
async fn with_keys_the_page_opens_stripes_element() {
    let mut till = Till::of("stripe").await;
    // The first process's simulator is what the second one takes for Stripe.
    let stripe = Shop::open().await;
    let url = stripe.gateway.url("/sandbox/stripe");
    till.shop = till
        .shop
        .restart(|config| {
            config.stripe = Some(StripeKeys {
                url,
                publishable_key: "pk_test_local_simulator".to_owned(),
                secret_keys: vec![
                    Secret::new("sk_test_gone"),
                    Secret::new("sk_test_local_simulator"),
                ],
                webhook_secrets: vec![Secret::new("whsec_x")],
            });
        })
        .await;
    let (status, _) = till.shop.get("/sandbox/stripe/sandbox/ledger", "").await;
    assert_eq!(status, 404);
    let reservation = till.hold().await;
    let order = till.order(&reservation, 0).await;
    let page = browser().get(order["paymentUrl"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("default-src 'none'") && !policy.contains("tosspayments"), "{policy}");
    assert!(policy.contains("script-src 'unsafe-inline' https://js.stripe.com"), "{policy}");
    let text = page.text().await.unwrap();
    let secret = order["clientSecret"].as_str().unwrap();
    assert!(text.contains("https://js.stripe.com/") && text.contains("pk_test_local_simulator"));
    assert!(!text.contains(secret) && !text.contains("sk_test"), "a secret in a page");
    // The page's own script fetches it.
    let path = format!("/payments/pay/{}", order["orderId"].as_str().unwrap());
    let (status, answer) = till.shop.post(&path, "", &json!({})).await;
    assert_eq!((status.as_u16(), &answer["clientSecret"]), (200, &json!(secret)));

    let body = json!({"orderId": order["orderId"]});
    let path = "/sandbox/stripe/sandbox/authenticate";
    let (_, agreed) = stripe.post(path, "", &body).await;
    let key = agreed["paymentKey"].as_str().unwrap();
    assert_eq!(till.confirm(&order, key).await.0, 200);
    let path = format!("/payments/pay/{}", order["orderId"].as_str().unwrap());
    assert_eq!(till.shop.post(&path, "", &json!({})).await.0, 404, "paid");
}
