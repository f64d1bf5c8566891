//! The Stripe simulator (section 2), asked as a merchant's server asks.

mod access;
mod balance;
mod console;
mod disputes;
mod faults;
mod idempotency;
mod intents;
mod refunds;
mod webhooks;
mod window;

use std::net::SocketAddr;

use reqwest::{Client, RequestBuilder, redirect};
use serde_json::{Value, json};
use tiketi_gateway::payments::sandbox::serve;
use tiketi_gateway::payments::sandbox::stripe::{Settings, StripeSandbox};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::{Answer, PATIENCE, send};

const BEARER: &str = "Bearer sk_test_local_simulator";
const FORM: &str = "application/x-www-form-urlencoded";

/// A simulator on a free port.
struct Stripe {
    client: Client,
    address: SocketAddr,
    server: JoinHandle<()>,
}

impl Drop for Stripe {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Stripe {
    async fn start() -> Stripe {
        Stripe::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Settings)) -> Stripe {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let address = listener.local_addr().expect("address");
        let mut settings = Settings::at(format!("http://{address}"));
        change(&mut settings);
        let sandbox = StripeSandbox::open(settings).expect("open");
        let server = tokio::spawn(serve(listener, sandbox, std::future::pending()));
        let client = Client::builder().timeout(PATIENCE).no_proxy();
        let client = client.redirect(redirect::Policy::none()).build().expect("client");
        Stripe { client, address, server }
    }

    /// Ends the process, as far as the simulator can tell.
    async fn stop(mut self) {
        self.server.abort();
        let _ = (&mut self.server).await;
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn post(&self, path: &str, form: &str) -> RequestBuilder {
        let request = self.client.post(self.url(path)).header("authorization", BEARER);
        request.header("content-type", FORM).body(form.to_owned())
    }

    async fn get(&self, path: &str) -> Answer {
        send(self.client.get(self.url(path)).header("authorization", BEARER)).await
    }

    async fn control(&self, name: &str, body: Value) -> Value {
        send(self.client.post(self.url(&format!("/sandbox/{name}"))).json(&body)).await.ok()
    }

    async fn fault(&self, call: &str, order: &str, fault: Value) {
        self.control("faults", json!({"orderId": order, "call": call, "fault": fault})).await;
    }

    fn create(&self, order: &str, amount: u64) -> RequestBuilder {
        let form = format!(
            "amount={amount}&currency=krw&capture_method=manual\
             &automatic_payment_methods[enabled]=true&metadata[order_id]={order}"
        );
        self.post("/v1/payment_intents", &form)
    }

    /// An intent; its id.
    async fn created(&self, order: &str, amount: u64) -> String {
        let intent = send(self.create(order, amount)).await.ok();
        intent["id"].as_str().expect("id").to_owned()
    }

    /// One that a buyer has agreed to.
    async fn authorised(&self, order: &str, amount: u64) -> String {
        let id = self.created(order, amount).await;
        self.control("authenticate", json!({ "orderId": order })).await;
        id
    }

    /// One that was captured.
    async fn captured(&self, order: &str, amount: u64) -> String {
        let id = self.authorised(order, amount).await;
        send(self.capture(&id, "")).await.ok();
        id
    }

    fn capture(&self, id: &str, form: &str) -> RequestBuilder {
        self.post(&format!("/v1/payment_intents/{id}/capture"), form)
    }

    fn cancel(&self, id: &str) -> RequestBuilder {
        self.post(&format!("/v1/payment_intents/{id}/cancel"), "")
    }

    fn refund(&self, id: &str, form: &str) -> RequestBuilder {
        self.post("/v1/refunds", &format!("payment_intent={id}{form}"))
    }

    async fn intent(&self, id: &str) -> Value {
        self.get(&format!("/v1/payment_intents/{id}?expand[]=latest_charge")).await.ok()
    }

    async fn status(&self, id: &str) -> String {
        self.intent(id).await["status"].as_str().expect("status").to_owned()
    }

    async fn books(&self, order: &str) -> Value {
        let path = format!("/sandbox/ledger?orderId={order}");
        self.get(&path).await.ok()["orders"][order].clone()
    }
}

/// Checks an error: status, type and code.
#[track_caller]
fn is(answer: &Answer, status: u16, kind: &str, code: &str) {
    let error = &answer.body["error"];
    let said = (answer.status.as_u16(), error["type"].as_str(), error["code"].as_str());
    let code = Some(code).filter(|code| !code.is_empty());
    assert_eq!(said, (status, Some(kind), code), "{answer:?}");
}
