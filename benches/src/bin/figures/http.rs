//! `POST /api/seats/reserve` beside a bare hyper server, same client, taking turns.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tiketi_engine::ids::{EventIndex, ExternalId, SeatIndex};
use tiketi_gateway::app::App;
use tiketi_gateway::config::Config;
use tiketi_gateway::rate_limit::RateLimitConfig;

use crate::Setup;
use crate::bare::{self, Server};
use crate::client::load;
use crate::table::{Table, count, median};

/// The argument that makes this binary a gateway.
pub(crate) const ROLE: &str = "--serve-gateway";

const ROUNDS: usize = 5;
/// Seats of one event; a new event is taken when they are sold.
const ROWS: u32 = 1_000;
const SEATS_PER_ROW: u32 = 50;
const SECTIONS: u32 = 20;
const EVENTS: u32 = 8;

/// Serves until killed; prints its address first.
pub(crate) fn serve(data: PathBuf) -> anyhow::Result<()> {
    bare::runtime()?.block_on(async {
        let mut config = Config::development(data);
        config.sample_data = false;
        config.rate_limit = RateLimitConfig::OFF;
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

/// Two UUIDs and what is around them.
const BODY_BYTES: usize = r#"{"eventId":"","seatIds":[""]}"#.len() + 2 * 36;

/// Requests for one distinct seat each.
struct Requests {
    head: Vec<u8>,
    next_seat: u64,
}

impl Requests {
    fn new(token: &str) -> Requests {
        let head = format!(
            "POST /api/seats/reserve HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n\
             authorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n",
            BODY_BYTES,
        );
        Requests { head: head.into_bytes(), next_seat: 0 }
    }

    fn write(&mut self, request: &mut Vec<u8>) {
        let capacity = u64::from(SECTIONS * ROWS * SEATS_PER_ROW);
        let event = EventIndex((self.next_seat / capacity) as u32);
        let seat = SeatIndex((self.next_seat % capacity) as u32);
        if event.0 >= EVENTS {
            return;
        }
        self.next_seat += 1;
        request.extend_from_slice(&self.head);
        request.extend_from_slice(b"{\"eventId\":\"");
        write_uuid(request, ExternalId::Event(event).encode());
        request.extend_from_slice(b"\",\"seatIds\":[\"");
        write_uuid(request, ExternalId::Seat(event, seat).encode());
        request.extend_from_slice(b"\"]}");
    }
}

fn write_uuid(out: &mut Vec<u8>, uuid: u128) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for place in 0..32 {
        if matches!(place, 8 | 12 | 16 | 20) {
            out.push(b'-');
        }
        out.push(DIGITS[(uuid >> (124 - 4 * place)) as usize & 15]);
    }
}

pub(crate) fn reserve(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let sections: Vec<Value> = (0..SECTIONS)
        .map(|number| {
            json!({"name": format!("S{number}"), "rows": ROWS, "seatsPerRow": SEATS_PER_ROW,
                   "price": 100_000, "startRow": number * ROWS + 1})
        })
        .collect();
    let layout = json!({"name": "field", "layout_config": {"sections": sections},
                        "sections": sections});
    let gateway = Gateway::start(setup, &layout, EVENTS)?;
    let bare = Server::start(&[bare::ROLE.as_ref()])?;
    let each = Duration::from_secs((setup.seconds / 3).max(1));
    let requests = std::rc::Rc::new(std::cell::RefCell::new(Requests::new(&gateway.token)));
    let mut bare_requests = Requests::new(&gateway.token);
    let mut body_of_bare = Vec::new();
    bare_requests.write(&mut body_of_bare);
    for (connections, reach) in [(64, "≥ 0.55 ×"), (256, "≥ 0.65 ×")] {
        let (mut ratios, mut ours, mut bares) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let request = body_of_bare.clone();
            let plain = load(bare.address, connections, each, move |_, out| {
                out.extend_from_slice(&request);
            })?;
            let requests = std::rc::Rc::clone(&requests);
            let durable = load(gateway.server.address, connections, each, move |_, out| {
                requests.borrow_mut().write(out);
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
