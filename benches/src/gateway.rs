//! `POST /api/seats/reserve` beside a bare hyper server, same client, taking turns.

use std::net::SocketAddr;
use std::path::PathBuf;

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

/// The argument that makes this binary a gateway.
pub const ROLE: &str = "--serve-gateway";
/// The same with a payment provider.
pub const PAID_ROLE: &str = "--serve-paid-gateway";

/// Signs the tokens of the gateway that this starts.
pub const SECRET: &str = "figures figures figures figures figures";

/// Seats of one event; a new event is taken when they are sold.
const ROWS: u32 = 1_000;
const SEATS_PER_ROW: u32 = 50;
const SECTIONS: u32 = 20;
const EVENTS: u32 = 8;

/// Serves until killed; prints its address first.
pub fn serve(
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
pub struct Gateway {
    pub server: Server,
    pub token: String,
    _data: tempfile::TempDir,
}

impl Gateway {
    /// A field of a million seats, several times: enough for a run of distinct ones.
    ///
    /// # Errors
    /// The disk, or a gateway that does not start.
    pub fn field(setup: &Setup) -> anyhow::Result<Gateway> {
        let sections: Vec<Value> = (0..SECTIONS)
            .map(|number| {
                json!({"name": format!("S{number}"), "rows": ROWS, "seatsPerRow": SEATS_PER_ROW,
                       "price": 100_000, "startRow": number * ROWS + 1})
            })
            .collect();
        Gateway::start(setup, &json!({"name": "field", "sections": sections}), EVENTS)
    }

    /// With events of one layout.
    ///
    /// # Errors
    /// The disk, or a gateway that does not start.
    pub fn start(setup: &Setup, layout: &Value, events: u32) -> anyhow::Result<Gateway> {
        let data = tempfile::tempdir_in(&setup.dir)?;
        let server = Server::start(&[ROLE.as_ref(), data.path().as_os_str()])?;
        Gateway::stocked(server, data, layout, events)
    }

    /// The same, paid through a provider.
    ///
    /// # Errors
    /// As [`Gateway::start`].
    pub fn paid_through(
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

/// Requests for one distinct seat of [`Gateway::field`] each.
pub struct Requests {
    authorization: HeaderValue,
    /// The number of the next one, over all events.
    pub next_seat: u64,
}

impl Requests {
    /// # Errors
    /// A token that is none.
    pub fn new(token: &str) -> anyhow::Result<Requests> {
        Ok(Requests { authorization: format!("Bearer {token}").try_into()?, next_seat: 0 })
    }

    /// The request for the next seat, or `None` once all are taken.
    pub fn take(&mut self) -> Option<Request<Full<Bytes>>> {
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
