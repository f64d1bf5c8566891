//! The pages that a payment window begins and ends with, so that paying works without any frontend.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue, LOCATION};
use serde_json::json;
use tiketi_engine::money::{Charge, ChargeState, Purpose};
use tiketi_engine::state::State;

use super::request::{CUSTOMER_EMAIL, CUSTOMER_NAME, Customer};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::payments::{SANDBOX_PATH, names};

const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
/// Our own pages run what is in them, ask this server, and load the provider's window.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'unsafe-inline'; connect-src 'self' https://*.tosspayments.com; \
     script-src 'unsafe-inline' https://js.tosspayments.com; frame-src https://*.tosspayments.com; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
);

const SUCCESS: &str = include_str!("pages/success.html");
const FAIL: &str = include_str!("pages/fail.html");
const PAY: &str = include_str!("pages/pay.html");
/// What all of them look like.
const STYLE: &str = include_str!("pages/style.css");

/// `GET /payments/success`: confirms what the window says, with the login that the browser has.
pub(crate) async fn success(_: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    Ok(page(SUCCESS))
}

/// `GET /payments/fail`: says why the window took no money.
pub(crate) async fn fail(_: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    Ok(page(FAIL))
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
        let index = names::charge_of(state.ledger(), &order_id)?;
        let charge = state.ledger().charge(index)?;
        let is_open = charge.state == ChargeState::Open && charge.amount.card > 0;
        is_open.then(|| (charge.amount.card, order_name(state, charge)))
    });
    let (amount, name) = found.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let client_key = app.payments.client_key().unwrap_or_default();
    let (success, fail) = (app.payments.page("success"), app.payments.page("fail"));
    if app.payments.sandbox().is_some() {
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
        let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let window = format!("{SANDBOX_PATH}/window?{query}");
        let location = HeaderValue::from_str(&window)
            .map_err(|error| ApiError::new(Code::Internal).cause(error))?;
        return Ok(Response::empty(StatusCode::SEE_OTHER).header(LOCATION, location));
    }
    let order = json!({
        "clientKey": client_key, "orderId": order_id, "orderName": name, "amount": amount,
        "successUrl": success, "failUrl": fail,
        CUSTOMER_NAME: customer.name, CUSTOMER_EMAIL: customer.email,
    });
    // Within a script element only this would end it.
    let order = order.to_string().replace('<', "\\u003c");
    Ok(page(&PAY.replace("ORDER", &order)))
}

fn page(html: &str) -> Response {
    Response::bytes(StatusCode::OK, HTML, html.replacen("STYLE", STYLE, 1))
        .header(CONTENT_SECURITY_POLICY, POLICY)
}

fn order_name(state: &State, charge: &Charge) -> String {
    match charge.purpose {
        Purpose::Points => "포인트 충전".to_owned(),
        Purpose::Order(id) => {
            state.order(id).map(|(event, _)| event.details.title.clone()).unwrap_or_default()
        }
    }
}
