//! The payment window: what the buyer sees in place of Toss's, and where the browser goes next.

use std::borrow::Cow;

use hyper::StatusCode;
use reqwest::Url;

use super::calls::won;
use super::errors::{Language, TossError};
use super::ledger::{Index, Told};
use super::page;
use super::payment::{Choice as Chosen, Due, Method, Purchase, Status};
use super::reply::{Reply, Request};
use super::{Books, Shared};
use crate::http::query::parameter;
use crate::instants;

const ORDER_ID_CHARS: std::ops::RangeInclusive<usize> = 6..=64;
const ORDER_NAME_CHARS_MAX: usize = 100;
const CUSTOMER_KEY_CHARS: std::ops::RangeInclusive<usize> = 2..=300;
const CUSTOMER_NAME_CHARS_MAX: usize = 100;
const URL_CHARS_MAX: usize = 2_048;
/// So that sums of many payments stay far from the limits of numbers.
const AMOUNT_MAX: u64 = 10_000_000_000;

/// What a window is opened with, checked.
pub(super) struct Opening {
    pub(super) purchase: Purchase,
    pub(super) client_key: String,
    pub(super) success_url: Url,
    pub(super) fail_url: Url,
}

/// What the buyer presses.
enum Choice {
    Pay(Chosen),
    /// The window itself refuses.
    Refused(TossError),
    Closed,
}

/// Why a form has no payment.
#[derive(Clone, Copy)]
enum NotOpened {
    /// No more are kept.
    Full,
    /// The one it names is of another order or amount, or none.
    OtherPayment,
}

impl NotOpened {
    fn reply(self) -> Reply {
        match self {
            NotOpened::Full => full(),
            NotOpened::OtherPayment => bad_field("paymentKey"),
        }
    }
}

/// Opens the window; a payment is READY from here on.
pub(super) fn show(shared: &Shared, request: &Request) -> Reply {
    let opening = match Opening::read(shared, &request.query) {
        Ok(opening) => opening,
        Err(field) => return bad_field(field),
    };
    let (key, _) = shared.on_books(|books, now| {
        let index = books.ledger.open(opening.purchase.clone(), now)?;
        Some(books.ledger.payment(index).key.clone())
    });
    match key {
        Some(key) => Reply::page(StatusCode::OK, page::window(&shared.base_url, &opening, &key)),
        None => full(),
    }
}

/// What the buyer pressed. A form without `paymentKey` opens its payment itself.
pub(super) fn choose(shared: &Shared, request: &Request) -> Reply {
    let Ok(form) = std::str::from_utf8(&request.body) else { return bad_field("body") };
    let opening = match Opening::read(shared, form) {
        Ok(opening) => opening,
        Err(field) => return bad_field(field),
    };
    let choice = match field(form, "choice").and_then(|choice| Choice::of(&choice)) {
        Some(choice) => choice,
        None => return bad_field("choice"),
    };
    let Opening { purchase, success_url, fail_url, .. } = opening;
    let order_id = purchase.order_id.clone();
    let amount = purchase.amount;
    let fail = |error: TossError| failed(fail_url.clone(), error, Some(&order_id));
    let chosen = match choice {
        // Toss hears nothing of a closed window but that its time passes.
        Choice::Closed => return failed(fail_url, TossError::PAY_PROCESS_CANCELED, None),
        Choice::Refused(error) => {
            let (found, _) = shared.on_books(|books, now| {
                let index = opened(books, form, purchase, now)?;
                books.ledger.change(index, |payment| {
                    let is_open = payment.status == Status::Ready;
                    if is_open {
                        payment.abort(error);
                    }
                    ((), is_open.then_some(Told::Status))
                });
                Ok(())
            });
            return found.map_or_else(NotOpened::reply, |()| fail(error));
        }
        Choice::Pay(chosen) => chosen,
    };
    let (authenticated, _) = shared.on_books(|books, now| {
        let index = opened(books, form, purchase, now)?;
        let is_open = books.ledger.change(index, |payment| {
            let is_open = payment.authenticate(chosen, now);
            (is_open, is_open.then_some(Told::Nothing))
        });
        Ok::<_, NotOpened>(is_open.then(|| books.ledger.payment(index).key.clone()))
    });
    match authenticated {
        Err(reason) => reason.reply(),
        Ok(None) => fail(TossError::NOT_FOUND_PAYMENT_SESSION),
        Ok(Some(key)) => succeeded(success_url, &key, &order_id, amount),
    }
}

/// The payment that the form names, as it was opened, or a new one.
fn opened(books: &mut Books, form: &str, purchase: Purchase, now: u64) -> Result<Index, NotOpened> {
    let Some(key) = field(form, "paymentKey") else {
        return books.ledger.open(purchase, now).ok_or(NotOpened::Full);
    };
    let is_same = |index: &Index| {
        let payment = books.ledger.payment(*index);
        payment.order_id == purchase.order_id && payment.amount == purchase.amount
    };
    books.ledger.by_key(&key).filter(is_same).ok_or(NotOpened::OtherPayment)
}

/// A small page about a payment: its receipt, and its checkout.
pub(super) fn receipt(shared: &Shared, key: &str) -> Reply {
    let (html, _) = shared.on_books(|books, _| {
        let payment = books.ledger.payment(books.ledger.by_key(key)?);
        Some(page::receipt(payment))
    });
    match html {
        Some(html) => Reply::page(StatusCode::OK, html),
        None => Reply::refusal(TossError::NOT_FOUND_PAYMENT, Language::Korean),
    }
}

/// The due date of a virtual account: one of the two, or the usual one.
///
/// # Errors
/// The field that is wrong.
pub(super) fn due(
    valid_hours: Option<u64>,
    due_date: Option<&str>,
    now: u64,
) -> Result<Due, &'static str> {
    let (due, field) = match (valid_hours, due_date) {
        (Some(_), Some(_)) => return Err("validHours or dueDate, not both"),
        (Some(hours), None) => (Due::Hours(hours), "validHours"),
        (None, Some(date)) => (Due::At(instants::parse(date).ok_or("dueDate")?.0), "dueDate"),
        (None, None) => return Ok(Due::default()),
    };
    if due.is_allowed(now) { Ok(due) } else { Err(field) }
}

/// Whether Toss would open a window for this; the field that is wrong.
pub(super) fn check(purchase: &Purchase) -> Result<(), &'static str> {
    let id = purchase.order_id.as_bytes();
    let is_id = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_=.".contains(byte);
    if !ORDER_ID_CHARS.contains(&id.len()) || !id.iter().all(is_id) {
        return Err("orderId");
    }
    if !(1..=ORDER_NAME_CHARS_MAX).contains(&purchase.order_name.chars().count()) {
        return Err("orderName");
    }
    if !(1..=AMOUNT_MAX).contains(&purchase.amount) {
        return Err("amount");
    }
    let is_longer = |text: &Option<String>, max| {
        text.as_ref().is_some_and(|text: &String| text.chars().count() > max)
    };
    if is_longer(&purchase.customer_name, CUSTOMER_NAME_CHARS_MAX) {
        return Err("customerName");
    }
    Ok(())
}

impl Opening {
    /// Reads a query or a form.
    fn read(shared: &Shared, form: &str) -> Result<Self, &'static str> {
        let text = |name| field(form, name).map(Cow::into_owned);
        let client_key = text("clientKey").filter(|key| is_client_key(key)).ok_or("clientKey")?;
        let customer_key = text("customerKey");
        let is_key = |key: &String| CUSTOMER_KEY_CHARS.contains(&key.chars().count());
        if !customer_key.as_ref().is_some_and(is_key) {
            return Err("customerKey");
        }
        let amount = text("amount").and_then(|amount| won(&amount.parse().ok()?));
        let valid_hours = text("validHours").map(|hours| hours.parse().map_err(|_| "validHours"));
        let due_date = text("dueDate");
        let purchase = Purchase {
            order_id: text("orderId").ok_or("orderId")?,
            order_name: text("orderName").ok_or("orderName")?,
            amount: amount.ok_or("amount")?,
            customer_key,
            customer_name: text("customerName").filter(|name| !name.is_empty()),
            is_paired: client_key == shared.client_key,
            due: due(valid_hours.transpose()?, due_date.as_deref(), shared.clock.now())?,
        };
        check(&purchase)?;
        let url = |name| text(name).as_deref().and_then(web_address).ok_or(name);
        Ok(Opening {
            purchase,
            client_key,
            success_url: url("successUrl")?,
            fail_url: url("failUrl")?,
        })
    }
}

/// A client key by its look; only the sandbox's own has a secret key here.
fn is_client_key(key: &str) -> bool {
    const PREFIXES: [&str; 4] = ["test_ck_", "test_gck_", "live_ck_", "live_gck_"];
    const CHARS_MAX: usize = 100;
    key.len() <= CHARS_MAX && PREFIXES.iter().any(|prefix| key.starts_with(prefix))
}

/// An address that a browser may be sent to.
fn web_address(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= URL_CHARS_MAX)?;
    matches!(url.scheme(), "http" | "https").then_some(url)
}

fn field<'f>(form: &'f str, name: &str) -> Option<Cow<'f, str>> {
    parameter(form, name).ok().flatten()
}

impl Choice {
    /// A method, `close`, `decline:CODE` (in the window) or `confirm:CODE` (a card whose confirm
    /// fails).
    fn of(text: &str) -> Option<Self> {
        let pay = |method| Choice::Pay(Chosen::of(method));
        Some(match text.split_once(':') {
            Some(("decline", code)) => Choice::Refused(TossError::of(code)?),
            Some(("confirm", code)) => {
                let declines_with = Some(TossError::of(code)?);
                Choice::Pay(Chosen { declines_with, ..Chosen::of(Method::Card) })
            }
            Some(_) => return None,
            None => match text {
                "card" => pay(Method::Card),
                "easyPay" => pay(Method::EasyPay),
                "virtualAccount" => pay(Method::VirtualAccount),
                "phone" => pay(Method::Phone),
                "transfer" => pay(Method::Transfer),
                "giftCertificate" => pay(Method::GiftCertificate),
                "close" => Choice::Closed,
                _ => return None,
            },
        })
    }
}

// === where the browser goes ===

fn succeeded(mut url: Url, key: &str, order_id: &str, amount: u64) -> Reply {
    url.query_pairs_mut()
        .append_pair("paymentKey", key)
        .append_pair("orderId", order_id)
        .append_pair("amount", &amount.to_string())
        .append_pair("paymentType", "NORMAL");
    Reply::see_other(url.as_str())
}

fn failed(mut url: Url, error: TossError, order_id: Option<&str>) -> Reply {
    url.query_pairs_mut()
        .append_pair("code", error.code())
        .append_pair("message", error.message(Language::Korean));
    if let Some(order_id) = order_id {
        url.query_pairs_mut().append_pair("orderId", order_id);
    }
    Reply::see_other(url.as_str())
}

fn bad_field(name: &str) -> Reply {
    Reply::page(StatusCode::BAD_REQUEST, page::notice("결제창을 열 수 없어요", name))
}

fn full() -> Reply {
    Reply::page(StatusCode::SERVICE_UNAVAILABLE, page::notice("결제를 더 받을 수 없어요", ""))
}
