//! Both providers at once, and none where there must be none.

use serde_json::{Value, json};
use tiketi_gateway::app::App;
use tiketi_gateway::config::{Config, Environment, Secret, StripeKeys, TossKeys};

use crate::shop::Shop;
use crate::till::Till;

#[tokio::test]
async fn each_charge_is_its_own_providers() {
    let mut till = Till::of("stripe").await;
    let (by_stripe, stripe_order) = till.paid().await;
    till.provider = "toss";
    let (by_toss, toss_order) = till.paid().await;
    assert!(
        toss_order["clientSecret"].is_null()
            && toss_order["clientKey"] != stripe_order["clientKey"]
    );
    // One order asked for at both: whichever is confirmed first pays it.
    let third = till.hold().await;
    let at_toss = till.order(&third, 0).await;
    till.provider = "stripe";
    let at_stripe = till.order(&third, 0).await;
    assert_ne!(at_toss["orderId"], at_stripe["orderId"]);
    let key = till.authenticate(&at_stripe, "card").await;
    assert_eq!(till.confirm(&at_stripe, &key).await.0, 200);
    till.provider = "toss";
    let key = till.authenticate(&at_toss, "card").await;
    assert_eq!(till.confirm(&at_toss, &key).await.0, 400, "paid");
    till.assert_books(&at_toss, 0, 0).await;
    // Each refund goes to whoever has the money.
    for reservation in [&by_stripe, &by_toss, &third] {
        assert_eq!(till.cancel(reservation).await.0, 200);
    }
    for (provider, order) in
        [("toss", &toss_order), ("stripe", &stripe_order), ("stripe", &at_stripe)]
    {
        till.provider = provider;
        till.becomes(order, "refunded").await;
        till.assert_books(order, 1, 0).await;
    }
}

/// Stripe is down: its buyers are told to come again, and those of Toss notice nothing.
#[tokio::test]
async fn one_that_is_down_does_not_stop_the_other() {
    let mut till = Till::of("stripe").await;
    let (reservation, order, key) = till.ready().await;
    let down = json!({"call": "create", "fault": "dropBefore", "times": 99});
    till.sandbox("faults", &down).await;
    let mut refused = Value::Null;
    let waiting = till.hold().await;
    for _ in 0..6 {
        let (status, answer) = till.request(&waiting, 0).await;
        assert_eq!(status, 503, "{answer}");
        refused = answer;
    }
    let body = json!({"paymentKey": key, "orderId": order["orderId"], "amount": order["amount"]});
    let request = till.shop.gateway.request("POST", "/api/payments/stripe/confirm");
    let response = request.bearer_auth(&till.buyer).json(&body).send().await.unwrap();
    assert_eq!(response.status(), 503, "{refused}");
    assert!(response.headers().contains_key("retry-after"));
    assert_eq!(till.reservation(&reservation).await["status"], "pending");
    till.provider = "toss";
    let order = till.order(&waiting, 0).await;
    let key = till.authenticate(&order, "card").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
}

#[tokio::test]
async fn points_are_bought_at_toss_where_there_is_toss_and_else_at_stripe() {
    let till = Till::of("stripe").await;
    let (_, order) =
        till.shop.post("/api/points/charge", &till.buyer, &json!({"amount": 1_000})).await;
    assert_eq!(order["clientKey"], "test_gck_local_simulator", "{order}");
}

/// Live keys that lead nowhere: only whether there is a provider matters.
fn live_stripe() -> StripeKeys {
    StripeKeys {
        url: "https://127.0.0.1:9".to_owned(),
        publishable_key: "pk_live_x".to_owned(),
        secret_keys: vec![Secret::new("sk_live_x")],
        webhook_secrets: vec![Secret::new("whsec_x")],
    }
}

#[tokio::test]
async fn production_has_no_simulator_with_keys_or_without() {
    for stripe in [None, Some(live_stripe())] {
        let has_keys = stripe.is_some();
        let shop = Shop::with(|config| {
            config.environment = Environment::Production;
            config.stripe = stripe;
        })
        .await;
        for path in ["/sandbox/stripe/sandbox/ledger", "/sandbox/stripe/v1/payment_intents/pi_1"] {
            assert_eq!(shop.get(path, "").await.0, 404, "{path}");
        }
        let buyer = shop.gateway.user("buyer@tiketi.gg").await;
        let (status, answer) =
            shop.post("/api/points/charge", &buyer, &json!({"amount": 1_000})).await;
        assert_eq!(status, 503, "no Toss, and nobody at Stripe's address: {answer}");
        let charges = shop.ok("/api/admin/payments", &shop.admin).await;
        let opened = u64::from(has_keys);
        assert_eq!(charges["pagination"]["total"], opened, "asked of Stripe where there is one");
    }
}

#[tokio::test]
async fn keys_that_do_not_belong_here_stop_the_start() {
    let with = |change: fn(&mut StripeKeys)| {
        let mut keys = live_stripe();
        change(&mut keys);
        keys
    };
    let test_keys = |keys: &mut StripeKeys| {
        keys.publishable_key = "pk_test_x".to_owned();
        keys.secret_keys = vec![Secret::new("sk_test_x")];
    };
    for (environment, keys, why) in [
        (Environment::Production, with(test_keys), "production refuses test keys"),
        (Environment::Development, live_stripe(), "live keys are refused outside of production"),
        (
            Environment::Production,
            with(|keys| keys.secret_keys.push(Secret::new("sk_test_x"))),
            "mix test and live",
        ),
        (
            Environment::Production,
            with(|keys| keys.url = "http://127.0.0.1:9".to_owned()),
            "only sent over https",
        ),
        (
            Environment::Production,
            with(|keys| keys.webhook_secrets = vec![Secret::new("")]),
            "no webhook secret",
        ),
        (
            Environment::Production,
            with(|keys| keys.publishable_key = "test_ck_x".to_owned()),
            "not a public key of this provider",
        ),
    ] {
        let data = tempfile::tempdir().unwrap();
        let mut config = Config::development(data.path());
        config.sample_data = false;
        config.ballast_bytes = 0;
        config.environment = environment;
        config.toss = Some(TossKeys {
            url: "https://127.0.0.1:9".to_owned(),
            client_key: "live_ck_x".to_owned(),
            secret_keys: vec![Secret::new("live_sk_x")],
        })
        .filter(|_| environment == Environment::Production);
        config.stripe = Some(keys);
        let error = App::start(config).await.err().expect(why).to_string();
        assert!(error.contains("Stripe") && error.contains(why), "{error}");
        assert!(!error.contains("sk_test_x") && !error.contains("sk_live_x"), "{error}");
    }
}
