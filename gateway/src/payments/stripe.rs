//! Stripe: payment intents that are authorised in the browser and captured here.
//!
//! An intent carries our order's id in its metadata, and an answer about another order, amount or
//! currency is unknown. Stripe has no guard against two refunds of one balance, so the intent is
//! read before each.

mod errors;
mod intent;
mod signature;
#[cfg(test)]
mod tests;
mod webhook;

use hyper::HeaderMap;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use tiketi_engine::ids::UnixMillis;

use crate::config::Secret;
use crate::payments::answer::{
    Answered, Capture, Field, Found, Health, Opened, ProviderCall, Refund, Refusal, Stage, Unknown,
    bounded,
};
use crate::payments::credentials::{SetupError, check_all};
use crate::payments::hint::{BadHint, Hint};
use crate::payments::ids::OrderId;
use crate::payments::link::{self, Link, Patience, Said};
use crate::payments::provider::{
    Call, Charge, Inquiry, Opening, Provider, ProviderId, RefundOrder,
};
use crate::payments::stripe::errors::{Class, ErrorBody};
use crate::payments::stripe::intent::{CURRENCY, Intent, RefundObject};

const API_VERSION: &str = "2026-10-28.endive";
const TRACE_HEADER: &str = "request-id";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Brings along what was refunded, how it was paid and where the receipt is.
const EXPAND: (&str, &str) = ("expand[]", "latest_charge");
/// Where an object says whose it is.
const METADATA_ORDER_ID: &str = "metadata[order_id]";
/// Characters of a value in an object's metadata.
const METADATA_CHARS_MAX: usize = 500;

/// How Stripe is reached.
#[derive(Clone, Debug)]
pub(crate) struct StripeSettings {
    /// `https://api.stripe.com`, or a simulator's.
    pub(crate) base_url: String,
    /// `pk_test_…`, `pk_live_…`: public.
    pub(crate) client_key: String,
    /// In the order they are tried.
    pub(crate) secret_keys: Vec<Secret>,
    /// `whsec_…`; each may have signed a webhook.
    pub(crate) webhook_secrets: Vec<Secret>,
    pub(crate) patience: Patience,
    pub(crate) is_production: bool,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Stripe {
    link: Link,
    client_key: String,
    secret_keys: Vec<Secret>,
    webhook_secrets: Vec<Secret>,
}

/// A call's answer, as far as HTTP and JSON go.
type Reply<T> = Result<T, Failure>;

enum Failure {
    Error { class: Class, error: ErrorBody },
    Silence(Unknown),
}

/// An object that has a status for the audit trail.
trait Object: DeserializeOwned {
    fn status(&self) -> Option<&str>;
}

impl Object for Intent {
    fn status(&self) -> Option<&str> {
        Some(&self.status)
    }
}

impl Object for RefundObject {
    fn status(&self) -> Option<&str> {
        self.status.as_deref()
    }
}

impl Stripe {
    /// # Errors
    /// A base URL that is none, keys that do not belong together or not here, no webhook secret.
    pub(crate) fn new(settings: StripeSettings) -> Result<Self, SetupError> {
        let link = Link::new(&settings.base_url, settings.patience)?;
        let StripeSettings { client_key, secret_keys, webhook_secrets, is_production, .. } =
            settings;
        check_all(ProviderId::Stripe, &client_key, &secret_keys, &link, is_production)?;
        if webhook_secrets.is_empty() || webhook_secrets.contains(&Secret::new("")) {
            return Err(SetupError::NoWebhookSecret);
        }
        Ok(Stripe { link, client_key, secret_keys, webhook_secrets })
    }

    async fn call<O: Object, T>(
        &self,
        kind: ProviderCall,
        request: impl Fn() -> RequestBuilder,
        judge: impl FnOnce(Reply<O>) -> T,
    ) -> Answered<T> {
        let signed = |key: &Secret| {
            request().bearer_auth(key.expose()).header("Stripe-Version", API_VERSION)
        };
        let said = link::send(&self.secret_keys, TRACE_HEADER, signed).await;
        let reply = parse::<O>(&said);
        let (code, health) = match &reply {
            Ok(object) => (object.status().map(str::to_owned), Health::Up),
            Err(Failure::Error { class: Class::Key, error }) => {
                tracing::error!(code = error.code(), "Stripe does not take our key");
                (Some(error.code()), Health::Down)
            }
            Err(Failure::Error { error, .. }) => (Some(error.code()), said.health()),
            Err(Failure::Silence(_)) => (None, said.health()),
        };
        let trail = said.trail(kind, code.as_deref());
        Answered { outcome: judge(reply), trail, health }
    }

    fn form(
        &self,
        path: &[&str],
        fields: &[(&str, &str)],
        idempotency_key: &str,
    ) -> RequestBuilder {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.link
            .post(path)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(IDEMPOTENCY_KEY, idempotency_key)
            .body(body)
    }

    fn look(&self, payment_key: &str) -> RequestBuilder {
        let path = ["v1", "payment_intents", payment_key];
        self.link.get_with(&path, &[EXPAND])
    }

    async fn give_back(&self, refund: &RefundOrder) -> Answered<Refund> {
        let key = refund.payment_key.as_str();
        let seen =
            self.call(ProviderCall::Refund, || self.look(key), |reply| standing(refund, reply));
        let seen = seen.await;
        match seen.outcome {
            Standing::Settled(outcome) => {
                Answered { outcome, trail: seen.trail, health: seen.health }
            }
            Standing::Untaken => self.let_go(refund).await,
            Standing::Taken => self.pay_back(refund).await,
        }
    }

    /// Nothing was taken yet: the buyer's authorisation is given up.
    async fn let_go(&self, refund: &RefundOrder) -> Answered<Refund> {
        let path = ["v1", "payment_intents", refund.payment_key.as_str(), "cancel"];
        let fields = [("cancellation_reason", "requested_by_customer")];
        let request = || self.form(&path, &fields, &refund.idempotency_key);
        let judge = |reply: Reply<Intent>| match reply {
            Ok(intent) => released(refund, &intent),
            Err(failure) => failure.into(),
        };
        self.call(ProviderCall::Refund, request, judge).await
    }

    async fn pay_back(&self, refund: &RefundOrder) -> Answered<Refund> {
        let (amount, reason) =
            (refund.amount.to_string(), bounded(&refund.reason, METADATA_CHARS_MAX));
        let fields = [
            ("payment_intent", refund.payment_key.as_str()),
            ("amount", &amount),
            ("reason", "requested_by_customer"),
            (METADATA_ORDER_ID, refund.order_id.as_str()),
            ("metadata[reason]", &reason),
        ];
        let request = || self.form(&["v1", "refunds"], &fields, &refund.idempotency_key);
        let judge = |reply: Reply<RefundObject>| match reply {
            Err(failure) => failure.into(),
            Ok(object) => match object.mismatch(&refund.payment_key, refund.amount) {
                Some(field) => Refund::Unknown(mismatch(&refund.order_id, field)),
                None => object.outcome(refund.balance.saturating_sub(refund.amount)),
            },
        };
        self.call(ProviderCall::Refund, request, judge).await
    }
}

impl Provider for Stripe {
    fn id(&self) -> ProviderId {
        ProviderId::Stripe
    }

    fn client_key(&self) -> &str {
        &self.client_key
    }

    fn open<'a>(&'a self, opening: &'a Opening) -> Call<'a, Opened> {
        let amount = opening.amount.to_string();
        let request = move || {
            let mut fields = vec![
                ("amount", amount.as_str()),
                ("currency", CURRENCY),
                ("capture_method", "manual"),
                ("automatic_payment_methods[enabled]", "true"),
                (METADATA_ORDER_ID, opening.order_id.as_str()),
                ("description", &opening.order_name),
            ];
            fields.extend(opening.customer_email.as_deref().map(|email| ("receipt_email", email)));
            self.form(&["v1", "payment_intents"], &fields, &opening.idempotency_key)
        };
        Box::pin(self.call(ProviderCall::Open, request, |reply| opened(opening, reply)))
    }

    fn capture<'a>(&'a self, charge: &'a Charge) -> Call<'a, Capture> {
        let amount = charge.amount.to_string();
        let request = move || {
            let path = ["v1", "payment_intents", charge.payment_key.as_str(), "capture"];
            let fields = [("amount_to_capture", amount.as_str()), EXPAND];
            self.form(&path, &fields, &charge.idempotency_key)
        };
        Box::pin(self.call(ProviderCall::Capture, request, |reply| captured(charge, reply)))
    }

    fn query<'a>(&'a self, payment: &'a Inquiry) -> Call<'a, Found> {
        // Its key goes to the browser with the intent: where we have none, nobody could pay.
        let Some(key) = &payment.payment_key else {
            return Box::pin(async { Answered::unasked(ProviderCall::Query, Found::Missing) });
        };
        let request = || self.look(key.as_str());
        Box::pin(self.call(ProviderCall::Query, request, |reply| found(payment, reply)))
    }

    fn refund<'a>(&'a self, refund: &'a RefundOrder) -> Call<'a, Refund> {
        Box::pin(self.give_back(refund))
    }

    fn hint(&self, headers: &HeaderMap, body: &[u8], now: UnixMillis) -> Result<Hint, BadHint> {
        let header = headers.get("stripe-signature").and_then(|header| header.to_str().ok());
        signature::verify(header, body, &self.webhook_secrets, now)?;
        webhook::read(body)
    }
}

/// What has to be done to give money back.
enum Standing {
    Taken,
    Untaken,
    Settled(Refund),
}

fn parse<O: Object>(said: &Said) -> Reply<O> {
    let heard = said.heard.as_ref().map_err(|&unknown| Failure::Silence(unknown))?;
    let unreadable = |_| Failure::Silence(Unknown::NotUnderstood);
    match heard.status.as_u16() {
        200 => serde_json::from_slice(&heard.body).map_err(unreadable),
        status => {
            let error: ErrorBody = serde_json::from_slice(&heard.body).map_err(unreadable)?;
            Err(Failure::Error { class: error.class(status), error })
        }
    }
}

fn opened(opening: &Opening, reply: Reply<Intent>) -> Opened {
    let intent = match reply {
        Ok(intent) => intent,
        Err(Failure::Silence(unknown)) => return Opened::Unknown(unknown),
        Err(Failure::Error { class, error }) => {
            return match class {
                // Nothing about a card is known yet: whatever is refused was asked wrongly.
                Class::Mistake | Class::Key | Class::Refused | Class::NotFound => {
                    Opened::Mistake(error.mistake(class))
                }
                Class::AlreadyRefunded | Class::Busy | Class::Unknown => {
                    Opened::Unknown(Unknown::Code)
                }
            };
        }
    };
    if let Some(field) = intent.mismatch(&opening.order_id, None, Some(opening.amount)) {
        return Opened::Unknown(mismatch(&opening.order_id, field));
    }
    match (intent.key(), intent.client_secret()) {
        (Ok(payment_key), Some(client_secret)) => Opened::Ready { payment_key, client_secret },
        _ => Opened::Unknown(Unknown::NotUnderstood),
    }
}

fn captured(charge: &Charge, reply: Reply<Intent>) -> Capture {
    let intent = match reply {
        Ok(intent) => intent,
        Err(Failure::Silence(unknown)) => return Capture::Unknown(unknown),
        Err(Failure::Error { class, error }) => {
            return match class {
                Class::Refused => Capture::Refused(error.refusal()),
                Class::Mistake | Class::Key | Class::NotFound => {
                    Capture::Mistake(error.mistake(class))
                }
                Class::AlreadyRefunded | Class::Busy | Class::Unknown => {
                    Capture::Unknown(Unknown::Code)
                }
            };
        }
    };
    let field = intent.mismatch(&charge.order_id, Some(&charge.payment_key), Some(charge.amount));
    if let Some(field) = field {
        return Capture::Unknown(mismatch(&charge.order_id, field));
    }
    match intent.status.as_str() {
        "succeeded" => intent.captured().map_or_else(Capture::Unknown, Capture::Captured),
        _ => Capture::Unknown(Unknown::Status),
    }
}

fn found(asked: &Inquiry, reply: Reply<Intent>) -> Found {
    let intent = match reply {
        Ok(intent) => intent,
        Err(Failure::Silence(unknown)) => return Found::Unknown(unknown),
        Err(Failure::Error { class, error }) => {
            return match class {
                Class::NotFound => Found::Missing,
                Class::Mistake | Class::Key => Found::Mistake(error.mistake(class)),
                Class::Refused | Class::AlreadyRefunded | Class::Busy | Class::Unknown => {
                    Found::Unknown(Unknown::Code)
                }
            };
        }
    };
    match intent.mismatch(&asked.order_id, asked.payment_key.as_ref(), Some(asked.amount)) {
        Some(field) => Found::Unknown(mismatch(&asked.order_id, field)),
        None => intent.found(),
    }
}

/// How the payment of a refund stands, and whether our balance is right.
fn standing(refund: &RefundOrder, reply: Reply<Intent>) -> Standing {
    let intent = match reply {
        Ok(intent) => intent,
        Err(failure) => return Standing::Settled(failure.into()),
    };
    if let Some(field) = intent.mismatch(&refund.order_id, Some(&refund.payment_key), None) {
        return Standing::Settled(Refund::Unknown(mismatch(&refund.order_id, field)));
    }
    let already = |code: &str| {
        Standing::Settled(Refund::Already(Refusal {
            code: code.to_owned(),
            message: String::new(),
        }))
    };
    match intent.found() {
        Found::Captured { balance, .. } if balance == refund.balance => Standing::Taken,
        Found::Captured { .. } | Found::Refunded { .. } => already("balance_differs"),
        Found::Open(Stage::Started | Stage::Authenticated) => Standing::Untaken,
        Found::NotApproved => already("canceled"),
        Found::Unknown(unknown) => Standing::Settled(Refund::Unknown(unknown)),
        Found::Open(Stage::Processing)
        | Found::AwaitingDeposit(_)
        | Found::Missing
        | Found::Mistake(_) => Standing::Settled(Refund::Unknown(Unknown::Status)),
    }
}

fn released(refund: &RefundOrder, intent: &Intent) -> Refund {
    match intent.mismatch(&refund.order_id, Some(&refund.payment_key), None) {
        Some(field) => Refund::Unknown(mismatch(&refund.order_id, field)),
        None if intent.status == "canceled" => Refund::Done { balance: 0, transaction_key: None },
        None => Refund::Unknown(Unknown::Status),
    }
}

/// Never a success, and never quiet: somebody has to look.
fn mismatch(order_id: &OrderId, field: Field) -> Unknown {
    tracing::error!(%order_id, ?field, "Stripe answers about another payment than was asked for");
    Unknown::Mismatch(field)
}

impl From<Failure> for Refund {
    fn from(failure: Failure) -> Self {
        let (class, error) = match failure {
            Failure::Silence(unknown) => return Refund::Unknown(unknown),
            Failure::Error { class, error } => (class, error),
        };
        match class {
            Class::AlreadyRefunded => Refund::Already(error.refusal()),
            Class::Refused => Refund::Refused(error.refusal()),
            Class::Busy => Refund::Later(error.refusal()),
            Class::Mistake | Class::Key | Class::NotFound => Refund::Mistake(error.mistake(class)),
            Class::Unknown => Refund::Unknown(Unknown::Code),
        }
    }
}
