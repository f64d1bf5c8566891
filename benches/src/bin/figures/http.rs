//! `POST /api/seats/reserve` beside a bare hyper server, same client, taking turns.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use serde_json::{Value, json};
use tiketi_engine::ids::{EventIndex, ExternalId, SeatIndex};
use tiketi_gateway::api::Id;
use tiketi_gateway::app::App;
use tiketi_gateway::config::{Config, Secret, TossKeys};
use tiketi_gateway::payments::sandbox::{CLIENT_KEY, SECRET_KEY};
use tiketi_gateway::rate_limit::RateLimitConfig;

use crate::Setup;
use crate::bare::{self, Server};
use crate::client::load;
use crate::table::{Table, count, median};

/// The argument that makes this binary a gateway.
pub(crate) const ROLE: &str = "--serve-gateway";
/// The same with a payment provider.
pub(crate) const PAID_ROLE: &str = "--serve-paid-gateway";

/// Signs the tokens of the gateway that this starts.
pub(crate) const SECRET: &str = "figures figures figures figures figures";

const ROUNDS: usize = 5;
/// Seats of one event; a new event is taken when they are sold.
const ROWS: u32 = 1_000;
const SEATS_PER_ROW: u32 = 50;
const SECTIONS: u32 = 20;
const EVENTS: u32 = 8;

/// Serves until killed; prints its address first.
pub(crate) fn serve(
    data: PathBuf,
    threshold: Option<u32>,
    provider: Option<String>,
) -> anyhow::Result<()> {
    bare::runtime()?.block_on(async {
        let mut config = Config::development(data);
        config.sample_data = false;
        config.rate_limit = RateLimitConfig::OFF;
        config.jwt_secret = Some(Secret::new(SECRET));
        if let Some(threshold) = threshold {
            config.queue_threshold = threshold;
        }
        config.toss = provider.map(|url| TossKeys {
            url,
            client_key: CLIENT_KEY.to_owned(),
            secret_keys: vec![Secret::new(SECRET_KEY)],
        });
        config.connections_max = 20_000;
        config.connections_per_address_max = 20_000;
        let running = App::start(config).await?;
        bare::announce(running.address())?;
        std::future::pending::<()>().await;
        drop(running);
        Ok(())
    })
}

/// A gateway with events and a buyer's token.
pub(crate) struct Gateway {
    pub(crate) server: Server,
    pub(crate) token: String,
    _data: tempfile::TempDir,
}

impl Gateway {
    pub(crate) fn start(setup: &Setup, layout: &Value, events: u32) -> anyhow::Result<Gateway> {
        let data = tempfile::tempdir_in(&setup.dir)?;
        let server = Server::start(&[ROLE.as_ref(), data.path().as_os_str()])?;
        Gateway::stocked(server, data, layout, events)
    }

    /// The same, paid through a provider.
    pub(crate) fn paid_through(
        setup: &Setup,
        layout: &Value,
        events: u32,
        provider: SocketAddr,
    ) -> anyhow::Result<Gateway> {
        let data = tempfile::tempdir_in(&setup.dir)?;
        let url = format!("http://{provider}");
        let role = [PAID_ROLE.as_ref(), data.path().as_os_str(), url.as_ref()];
        let server = Server::start(&role)?;
        Gateway::stocked(server, data, layout, events)
    }

    fn stocked(
        server: Server,
        data: tempfile::TempDir,
        layout: &Value,
        events: u32,
    ) -> anyhow::Result<Gateway> {
        let login = json!({"email": "admin@tiketi.gg", "password": "admin123"});
        let answer = post(server.address, "/api/auth/login", None, &login)?;
        let token = answer["token"].as_str().context("no token")?.to_owned();
        let layout = post(server.address, "/api/admin/seat-layouts", Some(&token), layout)?;
        let layout = layout["layout"]["id"].as_str().context("no layout")?.to_owned();
        for number in 0..events {
            let event = json!({
                "title": format!("Concert {number}"), "venue": "Hall",
                "eventDate": "2099-01-01T19:00:00", "saleStartDate": "2020-01-01T00:00:00",
                "saleEndDate": "2098-01-01T00:00:00", "seatLayoutId": layout,
            });
            post(server.address, "/api/admin/events", Some(&token), &event)?;
        }
        Ok(Gateway { server, token, _data: data })
    }
}

/// A call of the preparation.
fn post(
    address: SocketAddr,
    path: &str,
    token: Option<&str>,
    body: &Value,
) -> anyhow::Result<Value> {
    use std::io::{Read, Write};
    let body = body.to_string();
    let token = token.map_or(String::new(), |token| format!("authorization: Bearer {token}\r\n"));
    let mut stream = std::net::TcpStream::connect(address)?;
    write!(
        stream,
        "POST {path} HTTP/1.1\r\nhost: bench\r\nconnection: close\r\ncontent-type: \
         application/json\r\n{token}content-length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no answer")?;
    let status = head.lines().next().unwrap_or_default();
    anyhow::ensure!(status.contains(" 20"), "{path}: {status}: {body}");
    Ok(serde_json::from_str(body)?)
}

/// Requests for one distinct seat each.
struct Requests {
    authorization: HeaderValue,
    next_seat: u64,
}

impl Requests {
    fn new(token: &str) -> anyhow::Result<Requests> {
        Ok(Requests { authorization: format!("Bearer {token}").try_into()?, next_seat: 0 })
    }

    /// The request for the next seat, or `None` once all are taken.
    fn next(&mut self) -> Option<Request<Full<Bytes>>> {
        let capacity = u64::from(SECTIONS * ROWS * SEATS_PER_ROW);
        let event = EventIndex((self.next_seat / capacity) as u32);
        let seat = SeatIndex((self.next_seat % capacity) as u32);
        if event.0 >= EVENTS {
            return None;
        }
        self.next_seat += 1;
        let (event, seat) = (ExternalId::Event(event), ExternalId::Seat(event, seat));
        let body =
            format!(r#"{{"eventId":"{}","seatIds":["{}"]}}"#, Id::from(event), Id::from(seat));
        Some(self.request(body))
    }

    fn request(&self, body: String) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(Bytes::from(body)));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = Uri::from_static("/api/seats/reserve");
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("bench"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, self.authorization.clone());
        request
    }
}

pub(crate) fn reserve(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let sections: Vec<Value> = (0..SECTIONS)
        .map(|number| {
            json!({"name": format!("S{number}"), "rows": ROWS, "seatsPerRow": SEATS_PER_ROW,
                   "price": 100_000, "startRow": number * ROWS + 1})
        })
        .collect();
    let layout = json!({"name": "field", "sections": sections});
    let gateway = Gateway::start(setup, &layout, EVENTS)?;
    let bare = Server::start(&[bare::ROLE.as_ref()])?;
    let each = Duration::from_secs((setup.seconds / 3).max(1));
    let requests = Rc::new(RefCell::new(Requests::new(&gateway.token)?));
    for (connections, reach) in [(64, "≥ 0.55 ×"), (256, "≥ 0.65 ×")] {
        let (mut ratios, mut ours, mut bares) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            // The same requests; the bare server does not look at them.
            let mut same = Requests::new(&gateway.token)?;
            let plain = load(bare.address, connections, each, move || {
                same.next_seat %= 1_000;
                same.next()
            })?;
            let requests = Rc::clone(&requests);
            let durable = load(gateway.server.address, connections, each, move || {
                requests.borrow_mut().next()
            })?;
            anyhow::ensure!(durable.refused == 0, "{} holds were refused", durable.refused);
            anyhow::ensure!(durable.seconds >= each.as_secs_f64() * 0.9, "out of seats");
            ratios.push(durable.per_second() / plain.per_second());
            ours.push(durable.per_second());
            bares.push(plain.per_second());
        }
        table.row(
            format!(
                "`POST /api/seats/reserve`, durable, distinct seats, {connections} connections"
            ),
            format!("{:.2} × bare hyper ({}/s)", median(&mut ratios), count(median(&mut ours))),
            format!("bare hyper: {}/s", count(median(&mut bares))),
            reach,
        );
    }
    Ok(())
}
