//! The providers: sandboxes of Toss and of Stripe in this process, served over HTTP, which outlive
//! the gateways that are killed. Their webhooks go to whichever gateway lives.

use std::collections::BTreeMap;
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
use tiketi_gateway::payments::sandbox::stripe::{self, Settings, StripeSandbox};
use tiketi_gateway::payments::sandbox::{
    CLIENT_KEY, Dropped, SECRET_KEY, Sandbox, SandboxSettings, Simulator,
};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

use crate::http::{Ask, Client};
use crate::launch::Launch;
use crate::money::gate::Gate;

/// The gateway that hears webhooks now.
type Listening = Arc<Mutex<Option<SocketAddr>>>;

/// Who takes a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum House {
    Toss,
    Stripe,
}

impl House {
    pub(crate) const ALL: [House; 2] = [House::Toss, House::Stripe];

    /// In the addresses of the gateway.
    pub(crate) fn name(self) -> &'static str {
        match self {
            House::Toss => "toss",
            House::Stripe => "stripe",
        }
    }
}

/// What a provider has of an order.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Taken {
    pub(crate) captures: u64,
    /// What it says is left; what banks dispute is not in it.
    balance: u64,
    /// Held by a dispute that is not decided.
    in_dispute: u64,
    /// An account waits for the buyer's deposit.
    pub(crate) awaits: bool,
}

impl Taken {
    /// What the gateway's books have to say is there: what a bank has not decided is not gone.
    pub(crate) fn left(self) -> u64 {
        self.balance + self.in_dispute
    }

    fn read(order: &Value) -> Taken {
        let sum = |name: &str| order[name].as_u64().unwrap_or(0);
        let payments = order["payments"].as_array().map_or(&[][..], Vec::as_slice);
        let disputes = payments.iter().filter_map(|one| one["disputes"].as_array()).flatten();
        let open = disputes.filter(|one| one["status"] != "won" && one["status"] != "lost");
        Taken {
            captures: sum("captures"),
            balance: sum("balance"),
            in_dispute: open.filter_map(|one| one["amount"].as_u64()).sum(),
            awaits: payments.iter().any(|one| one["status"] == "WAITING_FOR_DEPOSIT"),
        }
    }
}

/// The providers' own books, by order.
#[derive(Debug, Default)]
pub(crate) struct Books(BTreeMap<String, Taken>);

impl Books {
    pub(crate) fn of(&self, order: &str) -> Taken {
        self.0.get(order).copied().unwrap_or_default()
    }

    pub(crate) fn orders(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub(crate) fn left(&self) -> u64 {
        self.0.values().map(|taken| taken.left()).sum()
    }
}

pub(crate) struct Provider {
    toss: SocketAddr,
    stripe: SocketAddr,
    pub(crate) gate: Arc<Gate>,
    gateway: Listening,
    // Dropped last: it is what serves.
    _runtime: Runtime,
}

impl Provider {
    pub(crate) fn open() -> Provider {
        let runtime = Runtime::new().expect("runtime");
        let (gate, gateway) = (Arc::new(Gate::default()), Listening::default());
        let (toss, stripe) = runtime.block_on(async {
            let (calls, address, hooks) = listen(House::Toss, &gateway).await;
            let sandbox = Sandbox::open(SandboxSettings {
                webhook_url: Some(hooks),
                ..SandboxSettings::at(format!("http://{address}"))
            });
            tokio::spawn(serve_calls(calls, sandbox.expect("sandbox"), Arc::clone(&gate)));
            let toss = address;
            let (calls, address, hooks) = listen(House::Stripe, &gateway).await;
            let sandbox = StripeSandbox::open(Settings {
                webhook_url: Some(hooks),
                ..Settings::at(format!("http://{address}"))
            });
            tokio::spawn(serve_calls(calls, sandbox.expect("simulator"), Arc::clone(&gate)));
            (toss, address)
        });
        Provider { toss, stripe, gate, gateway, _runtime: runtime }
    }

    /// A gateway that takes its money here.
    pub(crate) fn launch(&self, data: &Path) -> Launch {
        let (toss, stripe) = (format!("http://{}", self.toss), format!("http://{}", self.stripe));
        [
            ("--toss-client-key", CLIENT_KEY),
            ("--toss-secret-key", SECRET_KEY),
            ("--toss-url", &toss),
            ("--stripe-publishable-key", stripe::PUBLISHABLE_KEY),
            ("--stripe-secret-key", stripe::SECRET_KEY),
            ("--stripe-webhook-secret", stripe::WEBHOOK_SECRET),
            ("--stripe-url", &stripe),
        ]
        .into_iter()
        .fold(Launch::new(data), |launch, (name, value)| launch.arg(name).arg(value))
    }

    /// Who hears webhooks from now on; without a gateway the providers try again in a minute.
    pub(crate) fn tell(&self, gateway: Option<SocketAddr>) {
        *self.gateway.lock().unwrap() = gateway;
    }

    fn client(&self, house: House) -> Client {
        Client::new(match house {
            House::Toss => self.toss,
            House::Stripe => self.stripe,
        })
    }

    /// One of a sandbox's switches.
    pub(crate) fn switch(&self, house: House, name: &str, body: Value) -> Value {
        let ask = Ask::post(format!("/sandbox/{name}"), "", body);
        self.client(house).expect(200, &ask).expect("a switch of the sandbox")
    }

    /// As [`Provider::switch`]; `None` where it cannot be done now.
    pub(crate) fn try_switch(&self, house: House, name: &str, body: Value) -> Option<Value> {
        let ask = Ask::post(format!("/sandbox/{name}"), "", body);
        let answer = self.client(house).must(&ask).expect("the sandbox");
        (answer.status == 200).then_some(answer.body)
    }

    /// The next such call about an order goes wrong.
    pub(crate) fn fault(&self, house: House, order: &str, call: &str, fault: &Value) {
        let rule = json!({"orderId": order, "call": call, "fault": fault});
        self.switch(house, "faults", rule);
    }

    /// Nothing goes wrong any more but what is asked for from now on.
    pub(crate) fn clear_faults(&self, house: House) {
        let ask = Ask { method: "DELETE", path: "/sandbox/faults".to_owned(), ..Ask::default() };
        self.client(house).expect(200, &ask).expect("a switch of the sandbox");
    }

    /// So much later by both clocks.
    pub(crate) fn advance(&self, advance_ms: u64) {
        for house in House::ALL {
            self.switch(house, "clock", json!({"advanceMs": advance_ms}));
        }
    }

    /// What the providers' own books say, of one order or of all.
    pub(crate) fn books(&self, only: Option<&str>) -> Books {
        let query = only.map_or_else(String::new, |order| format!("?orderId={order}"));
        let mut all = BTreeMap::new();
        for house in House::ALL {
            let ask = Ask::get(format!("/sandbox/ledger{query}"), "");
            let books = self.client(house).expect(200, &ask).expect("the sandbox's books");
            for (name, order) in books["orders"].as_object().expect("orders") {
                all.insert(name.clone(), Taken::read(order));
            }
        }
        Books(all)
    }
}

/// Where calls come in, at which address, and where webhooks go.
async fn listen(house: House, gateway: &Listening) -> (TcpListener, SocketAddr, String) {
    let hooks = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let calls = TcpListener::bind("127.0.0.1:0").await.expect("listen");
    let address = calls.local_addr().expect("address");
    let url = format!("http://{}/", hooks.local_addr().expect("address"));
    tokio::spawn(serve_hooks(hooks, house, Arc::clone(gateway)));
    (calls, address, url)
}

async fn serve_calls(listener: TcpListener, sandbox: impl Simulator, gate: Arc<Gate>) {
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

async fn serve_hooks(listener: TcpListener, house: House, gateway: Listening) {
    let client = reqwest::Client::builder().no_proxy().build().expect("client");
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let (client, gateway) = (client.clone(), Arc::clone(&gateway));
        let service = service_fn(move |request: Request<Incoming>| {
            let (client, gateway) = (client.clone(), *gateway.lock().unwrap());
            async move {
                let mut response = Response::new(Empty::<Bytes>::new());
                *response.status_mut() = forward(client, house, gateway, request).await;
                Ok::<_, Infallible>(response)
            }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(socket), service));
    }
}

/// Hands a webhook on as it came; what the gateway answers, or that there is none.
async fn forward(
    client: reqwest::Client,
    house: House,
    gateway: Option<SocketAddr>,
    request: Request<Incoming>,
) -> StatusCode {
    const NO_GATEWAY: StatusCode = StatusCode::SERVICE_UNAVAILABLE;
    let Some(gateway) = gateway else { return NO_GATEWAY };
    let (mut parts, body) = request.into_parts();
    parts.headers.remove(HOST);
    let Ok(body) = body.collect().await else { return NO_GATEWAY };
    let url = format!("http://{gateway}/api/payments/{}/webhook", house.name());
    let answer = client.post(url).headers(parts.headers).body(body.to_bytes()).send().await;
    answer.map_or(NO_GATEWAY, |answer| answer.status())
}
