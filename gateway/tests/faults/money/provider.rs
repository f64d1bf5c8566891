//! The provider: a sandbox of Toss in this process, served over HTTP, which outlives the gateways
//! that are killed. Its webhooks go to whichever gateway lives.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::header::HOST;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tiketi_gateway::payments::sandbox::{
    CLIENT_KEY, Dropped, SECRET_KEY, Sandbox, SandboxSettings,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::http::{Ask, Client};
use crate::launch::Launch;
use crate::money::gate::Gate;

/// The gateway that hears webhooks now.
type Listening = Arc<Mutex<Option<SocketAddr>>>;

pub(crate) struct Provider {
    address: SocketAddr,
    pub(crate) gate: Arc<Gate>,
    gateway: Listening,
    // Dropped last: it is what serves.
    _runtime: Runtime,
}

impl Provider {
    pub(crate) fn open() -> Provider {
        let runtime = Runtime::new().expect("runtime");
        let (gate, gateway) = (Arc::new(Gate::default()), Listening::default());
        let address = runtime.block_on(async {
            let hooks = TcpListener::bind("127.0.0.1:0").await.expect("listen");
            let calls = TcpListener::bind("127.0.0.1:0").await.expect("listen");
            let address = calls.local_addr().expect("address");
            let sandbox = Sandbox::open(SandboxSettings {
                webhook_url: Some(format!("http://{}/", hooks.local_addr().expect("address"))),
                ..SandboxSettings::at(format!("http://{address}"))
            });
            let sandbox = sandbox.expect("sandbox");
            tokio::spawn(serve_calls(calls, sandbox, Arc::clone(&gate)));
            tokio::spawn(serve_hooks(hooks, Arc::clone(&gateway)));
            address
        });
        Provider { address, gate, gateway, _runtime: runtime }
    }

    /// A gateway that takes its money here.
    pub(crate) fn launch(&self, data: &Path) -> Launch {
        let url = format!("http://{}", self.address);
        ["--toss-client-key", CLIENT_KEY, "--toss-secret-key", SECRET_KEY, "--toss-url", &url]
            .into_iter()
            .fold(Launch::new(data), |launch, arg| launch.arg(arg))
    }

    /// Who hears webhooks from now on; with nobody there the provider tries again in a minute.
    pub(crate) fn tell(&self, gateway: Option<SocketAddr>) {
        *self.gateway.lock().unwrap() = gateway;
    }

    /// One of the sandbox's switches.
    pub(crate) fn switch(&self, name: &str, body: Value) -> Value {
        let ask = Ask::post(format!("/sandbox/{name}"), "", body);
        Client::new(self.address).expect(200, &ask).expect("a switch of the sandbox")
    }

    /// The next such call about an order goes wrong.
    pub(crate) fn fault(&self, order: &str, call: &str, fault: Value) {
        self.switch("faults", json!({"orderId": order, "call": call, "fault": fault}));
    }

    /// What the provider's own books say.
    pub(crate) fn books(&self) -> Value {
        let books = Client::new(self.address).expect(200, &Ask::get("/sandbox/ledger", ""));
        books.expect("the sandbox's books")
    }
}

async fn serve_calls(listener: TcpListener, sandbox: Sandbox, gate: Arc<Gate>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let (sandbox, gate) = (sandbox.clone(), Arc::clone(&gate));
        let service = service_fn(move |request: Request<Incoming>| {
            let (sandbox, gate) = (sandbox.clone(), Arc::clone(&gate));
            async move {
                let (parts, body) = request.into_parts();
                // A caller that was killed in the middle of its request asked for nothing.
                let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
                let request = Request::from_parts(parts, Full::new(body.clone()));
                gate.pass(sandbox, request, &body).await
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

async fn serve_hooks(listener: TcpListener, gateway: Listening) {
    let client = reqwest::Client::builder().no_proxy().build().expect("client");
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let (client, gateway) = (client.clone(), Arc::clone(&gateway));
        let service = service_fn(move |request: Request<Incoming>| {
            let (client, gateway) = (client.clone(), *gateway.lock().unwrap());
            async move {
                let mut response = Response::new(Empty::<Bytes>::new());
                *response.status_mut() = forward(client, gateway, request).await;
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

/// Hands a webhook on as it came; what the gateway answers, or that there is none.
async fn forward(
    client: reqwest::Client,
    gateway: Option<SocketAddr>,
    request: Request<Incoming>,
) -> StatusCode {
    const NOBODY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
    let Some(gateway) = gateway else { return NOBODY };
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(HOST);
    let Ok(body) = body.collect().await else { return NOBODY };
    let request = client.post(format!("http://{gateway}/api/payments/toss/webhook"));
    let answer = request.headers(parts.headers).body(body.to_bytes()).send().await;
    answer.map_or(NOBODY, |answer| answer.status())
}
