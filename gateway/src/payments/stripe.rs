//! Stripe: payment intents that are authorised in the browser and captured here.
//!
//! An intent carries our order's id in its metadata, and an answer about another order, amount or
//! currency is unknown. The key of an intent comes through the buyer's browser, so the intent is read
//! before money is taken of it: whose it is would be known too late by the answer. Stripe has no
//! guard against two refunds of one balance, so it is read before each of those, too.
//!
//! `judge` says what answers mean.

mod errors;
mod intent;
mod judge;
mod signature;
#[cfg(test)]
mod tests;
mod webhook;

use hyper::HeaderMap;
use reqwest::RequestBuilder;
use reqwest::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;
use tiketi_engine::ids::UnixMillis;
use tiketi_engine::record::ProviderName;

use crate::config::Secret;
use crate::payments::answer::{
    Answered, Capture, Found, Health, Listed, Opened, ProviderCall, Refund, Refusal, bounded,
};
use crate::payments::credentials::{SetupError, check_all};
use crate::payments::hint::{BadHint, Hint};
use crate::payments::ids::PaymentKey;
use crate::payments::link::{self, Link, Patience};
use crate::payments::provider::{Call, Charge, Inquiry, ListPage, Opening, Provider, RefundOrder};
use crate::payments::stripe::errors::Class;
use crate::payments::stripe::intent::{CURRENCY, Intent, List, RefundObject};
use crate::payments::stripe::judge::{Failure, Readiness, Reply, Standing};

const API_VERSION: &str = "2026-10-28.endive";
const TRACE_HEADER: &str = "request-id";
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Brings along what was refunded, how it was paid and where the receipt is.
const EXPAND: (&str, &str) = ("expand[]", "latest_charge");
/// Where an object says whose it is.
const METADATA_ORDER_ID: &str = "metadata[order_id]";
/// Why an intent is closed that nobody has agreed to.
const ABANDONED: (&str, &str) = ("cancellation_reason", "abandoned");
/// As many as Stripe lists at once.
const TRANSACTIONS_PER_PAGE: &str = "100";
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

impl<T: DeserializeOwned> Object for List<T> {
    fn status(&self) -> Option<&str> {
        None
    }
}

impl Stripe {
    /// # Errors
    /// A base URL that is none, keys that do not belong together or not here, no webhook secret.
    pub(crate) fn new(settings: StripeSettings) -> Result<Self, SetupError> {
        let link = Link::new(&settings.base_url, settings.patience)?;
        let StripeSettings { client_key, secret_keys, webhook_secrets, is_production, .. } =
            settings;
        check_all(ProviderName::Stripe, &client_key, &secret_keys, &link, is_production)?;
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
        let reply = judge::parse::<O>(&said);
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

    /// The intent, and where it was ever disputed how that stands.
    async fn find(&self, asked: &Inquiry, key: &PaymentKey) -> Answered<Found> {
        let mut disputed = None;
        let look = || self.look(key.as_str());
        let judge = |reply: Reply<Intent>| match reply {
            Ok(intent) => {
                let found = judge::found_intent(asked, &intent);
                disputed = Some(intent).filter(Intent::is_disputed);
                found
            }
            Err(failure) => judge::not_found(failure),
        };
        let first = self.call(ProviderCall::Query, look, judge).await;
        let is_taken = matches!(first.outcome, Found::Captured { .. } | Found::Refunded { .. });
        let Some(intent) = disputed.filter(|_| is_taken) else {
            return first;
        };
        let query = [("payment_intent", key.as_str())];
        let request = || self.link.get_with(&["v1", "disputes"], &query);
        self.call(ProviderCall::Query, request, |reply| judge::disputed(&intent, reply)).await
    }

    async fn take(&self, charge: &Charge) -> Answered<Capture> {
        let key = charge.payment_key.as_str();
        let look = || self.look(key);
        let seen = self.call(ProviderCall::Query, look, |reply| Readiness::of(charge, reply)).await;
        match seen.outcome {
            Readiness::Settled(outcome) => {
                Answered { outcome, trail: seen.trail, health: seen.health }
            }
            Readiness::Authorised => self.capture_authorised(charge).await,
            Readiness::NotAgreed(refusal) => self.close(charge, refusal).await,
        }
    }

    async fn capture_authorised(&self, charge: &Charge) -> Answered<Capture> {
        let amount = charge.amount.to_string();
        let path = ["v1", "payment_intents", charge.payment_key.as_str(), "capture"];
        let fields = [("amount_to_capture", amount.as_str()), EXPAND];
        let request = || self.form(&path, &fields, &charge.idempotency_key);
        self.call(ProviderCall::Capture, request, |reply| judge::captured(charge, reply)).await
    }

    /// The buyer has not agreed: once nobody can any more, it is certain that no money moves.
    async fn close(&self, charge: &Charge, refusal: Refusal) -> Answered<Capture> {
        let path = ["v1", "payment_intents", charge.payment_key.as_str(), "cancel"];
        let idempotency_key = format!("{}:close", charge.idempotency_key);
        let request = || self.form(&path, &[ABANDONED], &idempotency_key);
        self.call(ProviderCall::Capture, request, |reply| judge::closed(charge, refusal, reply))
            .await
    }

    async fn give_back(&self, refund: &RefundOrder) -> Answered<Refund> {
        let key = refund.payment_key.as_str();
        // In the trail it is a question: what it is answered ends no refund that may be under way.
        let seen =
            self.call(ProviderCall::Query, || self.look(key), |reply| Standing::of(refund, reply));
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
        self.call(ProviderCall::Refund, request, |reply| judge::released(refund, reply)).await
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
        self.call(ProviderCall::Refund, request, |reply| judge::paid_back(refund, reply)).await
    }
}

impl Provider for Stripe {
    fn client_key(&self) -> &str {
        &self.client_key
    }

    fn open<'a>(&'a self, opening: &'a Opening) -> Option<Call<'a, Opened>> {
        let amount = opening.amount.to_string();
        let request = move || {
            let fields = [
                ("amount", amount.as_str()),
                ("currency", CURRENCY),
                ("capture_method", "manual"),
                ("automatic_payment_methods[enabled]", "true"),
                (METADATA_ORDER_ID, opening.order_id.as_str()),
            ];
            self.form(&["v1", "payment_intents"], &fields, &opening.idempotency_key)
        };
        let judge = |reply| judge::opened(opening, reply);
        Some(Box::pin(self.call(ProviderCall::Open, request, judge)))
    }

    fn capture<'a>(&'a self, charge: &'a Charge) -> Call<'a, Capture> {
        Box::pin(self.take(charge))
    }

    fn query<'a>(&'a self, payment: &'a Inquiry) -> Call<'a, Found> {
        // Its key goes to the browser with the intent: where we have none, nobody could pay.
        let Some(key) = &payment.payment_key else {
            return Box::pin(async { Answered::unasked(ProviderCall::Query, Found::Missing) });
        };
        Box::pin(self.find(payment, key))
    }

    fn transactions<'a>(&'a self, page: &'a ListPage) -> Call<'a, Listed> {
        let [from, to] = [page.from, page.to].map(|at| (at.0 / 1_000).to_string());
        let request = move || {
            let mut query = vec![
                ("created[gte]", from.as_str()),
                ("created[lt]", &to),
                ("limit", TRANSACTIONS_PER_PAGE),
                ("expand[]", "data.source"),
            ];
            query.extend(page.after.as_deref().map(|after| ("starting_after", after)));
            self.link.get_with(&["v1", "balance_transactions"], &query)
        };
        Box::pin(self.call(ProviderCall::Query, request, judge::listed))
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
