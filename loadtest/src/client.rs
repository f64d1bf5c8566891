//! The contract, as a buyer and an administrator speak it.

use anyhow::{Context, bail};
use reqwest::{Client, Method};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tiketi_gateway::api::admin::{AdminEventAnswer, NewEventRequest, NewLayoutRequest};
use tiketi_gateway::api::payments::{PaymentAnswer, PaymentRequest};
use tiketi_gateway::api::seats::{BestRequest, ReserveAnswer, SeatMap};
use tiketi_gateway::api::{AuthAnswer, ErrorBody, Id, LoginRequest, RegisterRequest};

/// A caller of one server, with or without a token.
#[derive(Clone)]
pub(crate) struct Api {
    http: Client,
    base: String,
    token: Option<String>,
}

/// A refusal of the server: its status and stable code.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) code: String,
}

/// An answer, or a refusal that the contract foresees.
pub(crate) type Answer<T> = Result<T, Refused>;

impl Api {
    pub(crate) fn new(base: &str) -> anyhow::Result<Api> {
        let http = Client::builder().no_proxy().build()?;
        Ok(Api { http, base: base.trim_end_matches('/').to_owned(), token: None })
    }

    /// The same server with somebody's token.
    pub(crate) async fn logged_in(&self, email: &str, password: &str) -> anyhow::Result<Api> {
        let login = LoginRequest { email: email.to_owned(), password: password.to_owned() };
        let answer: AuthAnswer = self.done(Method::POST, "/api/auth/login", Some(&login)).await?;
        Ok(Api { token: Some(answer.token), ..self.clone() })
    }

    /// The same server with a new account's token.
    pub(crate) async fn registered(&self, email: &str) -> anyhow::Result<Api> {
        let account = RegisterRequest {
            email: email.to_owned(),
            password: "loadtest".to_owned(),
            name: "buyer".to_owned(),
            phone: None,
        };
        let answer: AuthAnswer =
            self.done(Method::POST, "/api/auth/register", Some(&account)).await?;
        Ok(Api { token: Some(answer.token), ..self.clone() })
    }

    pub(crate) async fn create_event(
        &self,
        title: String,
        layout: NewLayoutRequest,
    ) -> anyhow::Result<Id> {
        let event = NewEventRequest {
            title,
            description: None,
            venue: "loadtest".to_owned(),
            address: None,
            artist_name: None,
            poster_image_url: None,
            event_date: "2099-12-31T19:00:00".to_owned(),
            sale_start_date: "2020-01-01T00:00:00".to_owned(),
            sale_end_date: "2099-12-30T00:00:00".to_owned(),
            seat_layout_id: None,
            layout: Some(layout),
            ticket_types: None,
            max_seats: None,
            hold_ttl: None,
            max_per_user: None,
        };
        let answer: AdminEventAnswer =
            self.done(Method::POST, "/api/admin/events", Some(&event)).await?;
        Ok(answer.event.id)
    }

    pub(crate) async fn hold_best(
        &self,
        event: Id,
        count: u32,
    ) -> anyhow::Result<Answer<ReserveAnswer>> {
        let best = BestRequest { event_id: event, count, section: None };
        self.call(Method::POST, "/api/seats/best", Some(&best)).await
    }

    pub(crate) async fn pay(&self, reservation: Id) -> anyhow::Result<Answer<PaymentAnswer>> {
        let payment =
            PaymentRequest { reservation_id: reservation, payment_method: "kakao_pay".to_owned() };
        self.call(Method::POST, "/api/payments/process", Some(&payment)).await
    }

    pub(crate) async fn seat_map(&self, event: Id) -> anyhow::Result<SeatMap> {
        self.done(Method::GET, &format!("/api/seats/events/{event}"), None::<&()>).await
    }

    async fn done<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<T> {
        match self.call(method, path, body).await? {
            Ok(answer) => Ok(answer),
            Err(refused) => bail!("{path} answered {} {}", refused.status, refused.code),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&impl Serialize>,
    ) -> anyhow::Result<Answer<T>> {
        let mut request = self.http.request(method, format!("{}{path}", self.base));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response =
            request.send().await.with_context(|| format!("cannot reach {}", self.base))?;
        let status = response.status();
        let bytes = response.bytes().await?;
        let not_the_contract = || format!("{path} answered {status} with something else");
        if status.is_success() {
            let answer = serde_json::from_slice(&bytes).with_context(not_the_contract)?;
            return Ok(Ok(answer));
        }
        let error: ErrorBody = serde_json::from_slice(&bytes).with_context(not_the_contract)?;
        Ok(Err(Refused { status: status.as_u16(), code: error.code }))
    }
}
