//! What the buyer sees in place of Stripe's Payment Element, and where the browser goes next.

use std::fmt::Write;

use hyper::StatusCode;
use reqwest::Url;

use super::super::page::{document, escape, notice, won};
use super::super::reply::{Reply, Request};
use super::Shared;
use super::calls::told_of;
use super::errors::StripeError;
use super::intent::{Intent, Means};
use crate::http::query::parameter;

const URL_CHARS_MAX: usize = 2_048;
const NAME_CHARS_MAX: usize = 200;

/// Ways to pay.
const MEANS: [(&str, &str); 4] = [
    ("card", "해외 카드"),
    ("kr_card", "국내 카드"),
    ("kakao_pay", "카카오페이"),
    ("naver_pay", "네이버페이"),
];

/// Refusals that the window offers: now, or by the capture that follows.
const DECLINES: [(&str, &str); 4] = [
    ("insufficient_funds", "잔액 부족"),
    ("generic_decline", "카드사가 거절"),
    ("expired_card", "유효기간 지남"),
    ("fraudulent", "위험 거래 감지"),
];

/// What a window is opened with.
struct Opening {
    order_id: String,
    order_name: String,
    return_url: Url,
}

impl Opening {
    /// Reads a query or a form; the field that is wrong.
    fn read(form: &str) -> Result<Self, &'static str> {
        let text = |name| parameter(form, name).ok().flatten().filter(|text| !text.is_empty());
        let return_url = text("returnUrl").filter(|url| url.len() <= URL_CHARS_MAX);
        let return_url = return_url.and_then(|url| Url::parse(&url).ok());
        let is_web = |url: &Url| matches!(url.scheme(), "http" | "https");
        let order_name = text("orderName").unwrap_or_default();
        Ok(Opening {
            order_id: text("orderId").ok_or("orderId")?.into_owned(),
            order_name: order_name.chars().take(NAME_CHARS_MAX).collect(),
            return_url: return_url.filter(is_web).ok_or("returnUrl")?,
        })
    }
}

/// Shows what is to be paid, and every way to pay or to fail.
pub(super) fn show(shared: &Shared, request: &Request) -> Reply {
    let opening = match Opening::read(&request.query) {
        Ok(opening) => opening,
        Err(field) => return bad(field),
    };
    let html = shared.on_books(|books, _| {
        let intent = books.intent(books.of_order(&opening.order_id)?);
        Some(page(&shared.base_url, &opening, intent))
    });
    html.map_or_else(|| bad("orderId"), |html| Reply::page(StatusCode::OK, html))
}

/// What the buyer pressed: `pay:MEANS`, `decline:CODE`, or `capture:CODE` for a capture that fails.
pub(super) fn choose(shared: &Shared, request: &Request) -> Reply {
    let Ok(form) = std::str::from_utf8(&request.body) else { return bad("body") };
    let opening = match Opening::read(form) {
        Ok(opening) => opening,
        Err(field) => return bad(field),
    };
    let choice = parameter(form, "choice").ok().flatten().unwrap_or_default();
    let Some(choice) = Choice::of(&choice) else { return bad("choice") };
    let chosen = shared.on_books(|books, now| {
        let index = books.of_order(&opening.order_id)?;
        let is_agreed = books.change(index, |intent| {
            let (is_done, is_agreed) = match &choice {
                Choice::Pay(means) => (intent.agree(*means, None, now), true),
                Choice::FailLater(code) => {
                    (intent.agree(Means::Card, Some(code.clone()), now), true)
                }
                Choice::Decline(code) => (intent.decline(code), false),
            };
            (is_done && is_agreed, is_done.then(|| told_of(intent.status)))
        });
        Some(back(opening.return_url.clone(), books.intent(index), is_agreed))
    });
    chosen.unwrap_or_else(|| bad("orderId"))
}

/// A small page about a charge.
pub(super) fn receipt(shared: &Shared, charge: &str) -> Reply {
    let html = shared.on_books(|books, _| {
        let intent = books.intent(books.by_charge(charge)?);
        let about = format!("{} · {}", won(intent.received()), intent.order_id());
        Some(notice("영수증", &about))
    });
    match html {
        Some(html) => Reply::page(StatusCode::OK, html),
        None => StripeError::no_such("charge", "id").reply(),
    }
}

enum Choice {
    Pay(Means),
    Decline(String),
    FailLater(String),
}

impl Choice {
    fn of(text: &str) -> Option<Choice> {
        let (kind, value) = text.split_once(':')?;
        let is_listed = StripeError::of(value).is_some();
        match kind {
            "pay" => {
                let means = serde_json::from_value(serde_json::Value::from(value)).ok()?;
                Some(Choice::Pay(means))
            }
            "decline" if is_listed => Some(Choice::Decline(value.to_owned())),
            "capture" if is_listed => Some(Choice::FailLater(value.to_owned())),
            _ => None,
        }
    }
}

/// To the merchant's page, as Stripe's own redirect goes.
fn back(mut url: Url, intent: &Intent, is_agreed: bool) -> Reply {
    url.query_pairs_mut()
        .append_pair("payment_intent", &intent.id)
        .append_pair("payment_intent_client_secret", &intent.client_secret)
        .append_pair("redirect_status", if is_agreed { "succeeded" } else { "failed" });
    Reply::see_other(url.as_str())
}

fn bad(field: &str) -> Reply {
    Reply::page(StatusCode::BAD_REQUEST, notice("결제창을 열 수 없어요", field))
}

fn page(base_url: &str, opening: &Opening, intent: &Intent) -> String {
    let (action, name) = (escape(base_url), escape(&opening.order_name));
    let (order, sum) = (escape(&opening.order_id), won(intent.amount));
    let mut fields = String::new();
    for (field, value) in [
        ("orderId", opening.order_id.as_str()),
        ("orderName", &opening.order_name),
        ("returnUrl", opening.return_url.as_str()),
    ] {
        let value = escape(value);
        // Writing to a string cannot fail.
        let _ = write!(fields, "<input type=\"hidden\" name=\"{field}\" value=\"{value}\">");
    }
    let (pay, now) = (buttons("main", "pay", &MEANS), buttons("bad", "decline", &DECLINES));
    let later = buttons("bad", "capture", &DECLINES);
    let body = format!(
        "<form method=\"post\" action=\"{action}/window\">{fields}\
         <section class=\"card\"><span class=\"tag\">Stripe 테스트 결제 · 돈이 나가지 않아요</span>\
         <h1>{name}</h1><p class=\"sum\">{sum}</p><p class=\"soft\">주문번호 {order}</p></section>\
         <section class=\"card\">{pay}</section>\
         <details class=\"card\"><summary>실패 시험하기</summary>\
         <h2>결제창에서 실패</h2>{now}<h2>승인할 때 실패</h2>{later}</details></form>"
    );
    document("결제하기", &body)
}

fn buttons(class: &str, kind: &str, choices: &[(&str, &str)]) -> String {
    let mut html = String::new();
    for (value, label) in choices {
        let _ = write!(
            html,
            "<button class=\"{class}\" name=\"choice\" value=\"{kind}:{value}\">{label}<br>\
             <code>{value}</code></button>"
        );
    }
    html
}
