//! The pages that a payment window begins and ends with, so that paying works without any frontend.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue, LOCATION};
use serde_json::{Value, json};
use tiketi_engine::ids::ChargeIndex;
use tiketi_engine::money::{Charge, ChargeState, Purpose};
use tiketi_engine::record::ProviderName;
use tiketi_engine::state::State;

use super::request::{CUSTOMER_EMAIL, CUSTOMER_NAME, Customer, success_url};
use crate::api::toss::ClientSecret;
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::payments::{STRIPE_SANDBOX_PATH, TOSS_SANDBOX_PATH, names, opening};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// Our own pages run what is in them, ask this server, and load Toss's window.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self' https://*.tosspayments.com; \
     script-src 'unsafe-inline' https://js.tosspayments.com; frame-src https://*.tosspayments.com; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

/// The same with Stripe's.
const STRIPE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self' https://api.stripe.com; \
     script-src 'unsafe-inline' https://js.stripe.com https://*.js.stripe.com; \
     frame-src https://js.stripe.com https://*.js.stripe.com https://hooks.stripe.com; \
     img-src https://*.stripe.com; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

const SUCCESS: &str = include_str!("pages/success.html");
const FAIL: &str = include_str!("pages/fail.html");
const PAY: &str = include_str!("pages/pay.html");
const PAY_BY_STRIPE: &str = include_str!("pages/stripe.html");
/// What all of them look like.
const STYLE: &str = include_str!("pages/style.css");

/// `GET /payments/success`: confirms what the window says, with the login that the browser has.
pub(crate) async fn success(_: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    Ok(page(SUCCESS, POLICY))
}

/// `GET /payments/fail`: says why the window took no money.
pub(crate) async fn fail(_: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    Ok(page(FAIL, POLICY))
}

/// `GET /payments/pay/:orderId`: opens the payment window; the sandbox's is a page of its own.
pub(crate) async fn pay(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let order_id = request.path_text(0)?;
    if !names::is_order_id(&order_id) {
        return Err(ApiError::new(Code::BadId));
    }
    let given = |name| request.parameter(name).map(|text| text.map(Cow::into_owned));
    let customer = Customer::new(given(CUSTOMER_NAME)?, given(CUSTOMER_EMAIL)?)?;
    app.catch_up(None).await?;
    let found = app.view.read(|state| {
        let (_, charge) = open_charge(state, &order_id)?;
        Some((charge.provider, charge.amount.card, order_name(state, charge)))
    });
    let (provider, amount, name) = found.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let client_key = app.payments.client_key(provider).unwrap_or_default();
    let success = success_url(app, provider, &order_id, amount);
    if provider == ProviderName::Stripe {
        return by_stripe(app, &order_id, &name, client_key, &success);
    }
    let fail = app.payments.page("fail");
    if app.payments.toss_sandbox().is_some() {
        let amount = amount.to_string();
        let query = [
            ("clientKey", client_key),
            ("customerKey", "ANONYMOUS"),
            ("orderId", order_id.as_str()),
            ("orderName", &name),
            ("amount", &amount),
            ("successUrl", &success),
            ("failUrl", &fail),
            (CUSTOMER_NAME, customer.name.as_deref().unwrap_or_default()),
        ];
        return window(TOSS_SANDBOX_PATH, &query);
    }
    let order = json!({
        "clientKey": client_key, "orderId": order_id, "orderName": name, "amount": amount,
        "successUrl": success, "failUrl": fail,
        CUSTOMER_NAME: customer.name, CUSTOMER_EMAIL: customer.email,
    });
    Ok(page(&PAY.replace("ORDER", &script_text(&order)), POLICY))
}

/// `POST /payments/pay/:orderId`: what the page shows Stripe. Whoever has the page's address may pay
/// with it, and nothing else.
pub(crate) async fn client_secret(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let order_id = request.path_text(0)?;
    if !names::is_order_id(&order_id) {
        return Err(ApiError::new(Code::BadId));
    }
    app.catch_up(None).await?;
    let found = app.view.read(|state| {
        let (index, charge) = open_charge(state, &order_id)?;
        (charge.provider == ProviderName::Stripe).then_some(index)
    });
    let index = found.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let secret = opening::prepare(app, index).await?;
    let secret = secret.ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(Response::ok(&ClientSecret { client_secret: secret.expose().to_owned() }))
}

fn by_stripe(
    app: &App,
    order_id: &str,
    name: &str,
    client_key: &str,
    success: &str,
) -> Result<Response, ApiError> {
    if app.payments.stripe_sandbox().is_some() {
        let query = [("orderId", order_id), ("orderName", name), ("returnUrl", success)];
        return window(STRIPE_SANDBOX_PATH, &query);
    }
    let order = json!({ "publishableKey": client_key, "orderName": name, "returnUrl": success });
    Ok(page(&PAY_BY_STRIPE.replace("ORDER", &script_text(&order)), STRIPE_POLICY))
}

/// To a simulator's own page.
fn window(sandbox: &str, query: &[(&str, &str)]) -> Result<Response, ApiError> {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
    let location = HeaderValue::from_str(&format!("{sandbox}/window?{query}"))
        .map_err(|error| ApiError::new(Code::Internal).cause(error))?;
    Ok(Response::empty(StatusCode::SEE_OTHER).header(LOCATION, location))
}

/// Within a script element only this would end it.
fn script_text(order: &Value) -> String {
    order.to_string().replace('<', "\\u003c")
}

fn page(html: &str, policy: HeaderValue) -> Response {
    Response::bytes(StatusCode::OK, HTML, html.replacen("STYLE", STYLE, 1))
        .header(CONTENT_SECURITY_POLICY, policy)
}

/// A charge that a window can be opened for.
fn open_charge<'s>(state: &'s State, order_id: &str) -> Option<(ChargeIndex, &'s Charge)> {
    let index = names::charge_of(state.ledger(), order_id)?;
    let charge = state.ledger().charge(index)?;
    let is_open = charge.state == ChargeState::Open && charge.amount.card > 0;
    is_open.then_some((index, charge))
}

fn order_name(state: &State, charge: &Charge) -> String {
    match charge.purpose {
        Purpose::Points => "포인트 충전".to_owned(),
        Purpose::Order(id) => {
            state.order(id).map(|(event, _)| event.details.title.clone()).unwrap_or_default()
        }
    }
}
