//! Starts sandboxes in this process and talks to them as a merchant's server does.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Client, RequestBuilder, Response, StatusCode, redirect};
use serde_json::{Value, json};
use tiketi_gateway::payments::sandbox::{Sandbox, SandboxSettings, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Long enough for anything that happens at all on a busy machine; never decides what a test says.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
/// `test_gsk_local_simulator:`, the vector of the notes on providers.
pub(crate) const BASIC: &str = "Basic dGVzdF9nc2tfbG9jYWxfc2ltdWxhdG9yOg==";
pub(crate) const MINUTE_MS: u64 = 60_000;

/// A sandbox on a free port.
pub(crate) struct Toss {
    pub(crate) client: Client,
    pub(crate) address: SocketAddr,
    server: JoinHandle<()>,
}

impl Drop for Toss {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) async fn read(response: Response) -> Answer {
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("body");
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status, headers, text, body }
    }

    /// Checks a refusal.
    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str) {
        assert_eq!(
            (self.status.as_u16(), self.body["code"].as_str()),
            (status, Some(code)),
            "{self:?}"
        );
    }

    /// Checks a success, and gives the payment.
    #[track_caller]
    pub(crate) fn ok(self) -> Value {
        assert_eq!(self.status, 200, "{self:?}");
        self.body
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Toss {
    pub(crate) async fn start() -> Toss {
        Toss::with(|_| {}).await
    }

    /// With some settings changed.
    pub(crate) async fn with(change: impl FnOnce(&mut SandboxSettings)) -> Toss {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let address = listener.local_addr().expect("address");
        let mut settings = SandboxSettings::at(format!("http://{address}"));
        change(&mut settings);
        let sandbox = Sandbox::open(settings).expect("open");
        let server = tokio::spawn(serve(listener, sandbox, std::future::pending()));
        let client = Client::builder().timeout(PATIENCE).no_proxy();
        let client = client.redirect(redirect::Policy::none()).build().expect("client");
        Toss { client, address, server }
    }

    /// Ends the process, as far as the sandbox can tell.
    pub(crate) async fn stop(mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> RequestBuilder {
        self.client.post(self.url(path)).header("authorization", BASIC).json(body)
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        let request = self.client.get(self.url(path)).header("authorization", BASIC);
        Answer::read(request.send().await.expect("answer")).await
    }

    /// A switch; it has to be taken.
    pub(crate) async fn control(&self, name: &str, body: Value) -> Value {
        let path = format!("/sandbox/{name}");
        send(self.client.post(self.url(&path)).json(&body)).await.ok()
    }

    pub(crate) async fn advance(&self, ms: u64) {
        self.control("clock", json!({ "advanceMs": ms })).await;
    }

    pub(crate) async fn fault(&self, call: &str, order: &str, fault: Value) {
        self.control("faults", json!({"orderId": order, "call": call, "fault": fault})).await;
    }

    /// Waits until every fault has befallen somebody.
    pub(crate) async fn until_no_fault_waits(&self) {
        while self.get("/sandbox/faults").await.ok()["waiting"] != 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// A buyer who has authenticated; the payment's key.
    pub(crate) async fn authenticated(&self, order: &str, amount: u64, method: &str) -> String {
        let body = json!({"orderId": order, "amount": amount, "method": method});
        let answer = self.control("authenticate", body).await;
        answer["paymentKey"].as_str().expect("key").to_owned()
    }

    pub(crate) fn confirm(&self, key: &str, order: &str, amount: u64) -> RequestBuilder {
        let body = json!({"paymentKey": key, "orderId": order, "amount": amount});
        self.post("/v1/payments/confirm", &body)
    }

    /// A paid order; the payment's key.
    pub(crate) async fn paid(&self, order: &str, amount: u64, method: &str) -> String {
        let key = self.authenticated(order, amount, method).await;
        send(self.confirm(&key, order, amount)).await.ok();
        key
    }

    pub(crate) fn cancel(&self, key: &str, body: Value) -> RequestBuilder {
        self.post(&format!("/v1/payments/{key}/cancel"), &body)
    }

    pub(crate) async fn by_order(&self, order: &str) -> Value {
        self.get(&format!("/v1/payments/orders/{order}")).await.ok()
    }

    pub(crate) async fn status(&self, order: &str) -> String {
        self.by_order(order).await["status"].as_str().expect("status").to_owned()
    }

    /// The books of one order.
    pub(crate) async fn ledger(&self, order: &str) -> Value {
        self.get(&format!("/sandbox/ledger?orderId={order}")).await.ok()["orders"][order].clone()
    }
}

pub(crate) async fn send(request: RequestBuilder) -> Answer {
    Answer::read(request.send().await.expect("answer")).await
}
