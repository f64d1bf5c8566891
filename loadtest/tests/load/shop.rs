//! A small server that speaks the contract from memory, honestly or with one fault.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;

/// What is wrong with a shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// Every third hold takes seats whoever has them.
    SellsTwice,
    /// Every third paid sale is gone in the end.
    Forgets,
    /// Every third payment is acknowledged and not kept.
    DropsPayments,
    /// A payment takes one won more than is due.
    Overcharges,
    /// Who came last is let in first.
    AdmitsOutOfTurn,
    /// After some holds the answers are of another kind.
    TurnsToNonsense,
    /// After some holds no connection is served any more.
    Dies,
    /// Holds stand still for a second, from a second after the first one on.
    Stalls,
}

/// A shop that is open until it is dropped.
pub(crate) struct Shop {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// Ends with the shop.
    _runtime: Runtime,
}

#[derive(Default)]
struct State {
    seats: Vec<Seat>,
    sales: BTreeMap<u128, Sale>,
    users: u32,
    threshold: usize,
    inside: BTreeSet<String>,
    line: Vec<String>,
    first_hold: Option<Instant>,
    /// Seats of each hold asked for, in the order of asking.
    asked: Vec<String>,
    payments: u32,
    is_dead: bool,
}

struct Seat {
    id: String,
    row: u64,
    number: u64,
    status: &'static str,
}

struct Sale {
    seats: Vec<usize>,
    status: &'static str,
    payment_status: &'static str,
}

const PRICE: u64 = 1_000;
/// Holds before a shop that goes wrong later does so.
const GOOD_HOLDS: usize = 40;

impl Shop {
    pub(crate) fn open(fault: Fault) -> Shop {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("listen");
        let address = listener.local_addr().expect("address");
        let state = Arc::new(Mutex::new(State { threshold: 1_000_000, ..State::default() }));
        runtime.spawn(accept(listener, Arc::clone(&state), fault));
        Shop { address, state, _runtime: runtime }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The seats of all holds that were asked for, sorted.
    pub(crate) fn asked(&self) -> Vec<String> {
        let mut asked = self.state.lock().expect("lock").asked.clone();
        asked.sort_unstable();
        asked
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>, fault: Fault) {
    while let Ok((stream, _)) = listener.accept().await {
        let state = Arc::clone(&state);
        tokio::spawn(async move {
            let service = service_fn(|request| serve(Arc::clone(&state), fault, request));
            let connection = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service);
            // A client that goes in the middle of a request is no matter.
            let _ = connection.await;
        });
    }
}

type Answer = Response<Full<Bytes>>;

async fn serve(
    state: Arc<Mutex<State>>,
    fault: Fault,
    request: Request<Incoming>,
) -> Result<Answer, std::io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.expect("body").to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let bearer = head.headers.get("authorization").and_then(|value| value.to_str().ok());
    let user = bearer.unwrap_or_default().trim_start_matches("Bearer ").to_owned();
    let path = head.uri.path().to_owned();
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    let is_hold = path == "/api/seats/reserve";
    if is_hold && fault == Fault::Stalls {
        stall(&state).await;
    }
    let mut state = state.lock().expect("lock");
    let holds = state.asked.len();
    if fault == Fault::Dies && (state.is_dead || is_hold && holds >= GOOD_HOLDS) {
        state.is_dead = true;
        return Err(std::io::Error::other("dead"));
    }
    if fault == Fault::TurnsToNonsense && is_hold && holds >= GOOD_HOLDS {
        return Ok(Response::new(Full::from("<html>maintenance</html>")));
    }
    let (status, answer) = state.answer(head.method.as_str(), &parts, &user, &body, fault);
    let text = answer.to_string();
    let mut response = Response::new(Full::from(text));
    *response.status_mut() = StatusCode::from_u16(status).expect("status");
    Ok(response)
}

async fn stall(state: &Mutex<State>) {
    let first = *state.lock().expect("lock").first_hold.get_or_insert_with(Instant::now);
    let (from, to) = (first + Duration::from_secs(1), first + Duration::from_secs(2));
    if (from..to).contains(&Instant::now()) {
        tokio::time::sleep_until(to.into()).await;
    }
}

fn refusal(status: u16, code: &str) -> (u16, Value) {
    (status, json!({"success": false, "error": code, "message": code, "code": code}))
}

impl State {
    fn answer(
        &mut self,
        method: &str,
        parts: &[&str],
        user: &str,
        body: &Value,
        fault: Fault,
    ) -> (u16, Value) {
        const ID: &str = "00000000-0000-4000-8000-000000000001";
        match (method, parts) {
            ("GET", ["health"]) => (200, json!({"status": "ok", "timestamp": now(0)})),
            ("POST", ["api", "auth", "login"]) => match body["password"] == "admin123" {
                true => (200, json!({"token": "a.b.admin"})),
                false => refusal(401, "BAD_CREDENTIALS"),
            },
            ("POST", ["api", "auth", "register"]) => {
                self.users += 1;
                (201, json!({"token": format!("a.b.{}", self.users)}))
            }
            ("GET", ["api", "seats", "layouts"]) => (200, json!({"layouts": []})),
            ("POST", ["api", "admin", "seat-layouts"]) => {
                self.build(body);
                (201, json!({"layout": {"id": ID}}))
            }
            ("POST", ["api", "admin", "events"]) => (201, json!({"event": {"id": ID}})),
            ("PUT", ["api", "queue", "admin", _]) => {
                self.threshold = body["threshold"].as_u64().expect("threshold") as usize;
                (200, json!({}))
            }
            ("GET", ["api", "events", _]) => (200, json!({"event": {"id": ID}})),
            ("GET", ["api", "seats", "events", ID]) => (200, self.map()),
            ("POST", ["api", "queue", "check", _]) | ("GET", ["api", "queue", "status", _]) => {
                self.check(user, fault)
            }
            ("POST", ["api", "queue", "leave", _]) => {
                self.inside.remove(user);
                self.line.retain(|other| other != user);
                (200, json!({"message": "bye"}))
            }
            ("POST", ["api", "seats", "reserve"]) => self.hold(body, fault),
            ("POST", ["api", "payments", "process"]) => self.pay(body, fault),
            ("GET", ["api", "reservations", "my"]) => {
                let ids: Vec<String> = self.sales.keys().map(|id| text(*id)).collect();
                (200, json!({ "reservations": ids }))
            }
            ("GET", ["api", "seats", "reservation", id]) => self.kept(id),
            ("POST", ["api", "reservations", id, "cancel"]) => self.cancel(id),
            _ => refusal(404, "NOT_FOUND"),
        }
    }

    fn build(&mut self, layout: &Value) {
        let section = &layout["sections"][0];
        let (rows, width) = (section["rows"].as_u64(), section["seatsPerRow"].as_u64());
        let (rows, width) = (rows.expect("rows"), width.expect("seats"));
        let seat = |n| Seat {
            id: format!("00000000-0000-4000-9000-{n:012}"),
            row: 1 + n / width,
            number: 1 + n % width,
            status: "available",
        };
        self.seats = (0..rows * width).map(seat).collect();
    }

    fn map(&self) -> Value {
        let seat = |seat: &Seat| {
            json!({"id": seat.id, "section": "S1", "row_number": seat.row, "price": PRICE,
                   "seat_number": seat.number, "seat_label": format!("S1-{}-{}", seat.row, seat.number),
                   "status": seat.status})
        };
        json!({"event": {}, "layout": {}, "seats": self.seats.iter().map(seat).collect::<Vec<_>>()})
    }

    fn check(&mut self, user: &str, fault: Fault) -> (u16, Value) {
        if !self.inside.contains(user) && !self.line.iter().any(|other| other == user) {
            self.line.push(user.to_owned());
        }
        // An honest shop never lets anybody in whom nobody asks about; this one does not either.
        while self.inside.len() < self.threshold && !self.line.is_empty() {
            let next = if fault == Fault::AdmitsOutOfTurn { self.line.len() - 1 } else { 0 };
            let next = self.line.remove(next);
            self.inside.insert(next);
        }
        let position = self.line.iter().position(|other| other == user);
        let size = self.line.len();
        (
            200,
            json!({"queued": position.is_some(), "position": position.map_or(0, |p| p + 1),
                     "queueSize": size, "estimatedWait": 1, "currentUsers": self.inside.len(),
                     "threshold": self.threshold}),
        )
    }

    fn hold(&mut self, body: &Value, fault: Fault) -> (u16, Value) {
        self.asked.push(body["seatIds"].to_string());
        let ids = body["seatIds"].as_array().expect("seats");
        let find = |id: &Value| self.seats.iter().position(|seat| *id == *seat.id);
        let Some(seats) = ids.iter().map(find).collect::<Option<Vec<usize>>>() else {
            return refusal(400, "NOT_FOUND");
        };
        let is_free = seats.iter().all(|seat| self.seats[*seat].status == "available");
        let is_blind = fault == Fault::SellsTwice && self.asked.len().is_multiple_of(3);
        if !is_free && !is_blind {
            return refusal(400, "SEAT_UNAVAILABLE");
        }
        seats.iter().for_each(|seat| self.seats[*seat].status = "locked");
        let id = 1 + self.sales.len() as u128;
        let rows: Vec<Value> = seats
            .iter()
            .map(|seat| json!({"id": self.seats[*seat].id, "seat_label": "", "price": PRICE}))
            .collect();
        let amount = PRICE * seats.len() as u64;
        self.sales.insert(id, Sale { seats, status: "pending", payment_status: "pending" });
        (
            201,
            json!({"reservation": {"id": text(id), "totalAmount": amount,
                                     "expiresAt": now(300), "seats": rows}}),
        )
    }

    fn pay(&mut self, body: &Value, fault: Fault) -> (u16, Value) {
        self.payments += 1;
        let is_third = self.payments.is_multiple_of(3);
        let id = id_of(body["reservationId"].as_str().expect("id"));
        let Some(sale) = self.sales.get_mut(&id) else { return refusal(400, "NOT_FOUND") };
        let amount = PRICE * sale.seats.len() as u64;
        if fault == Fault::DropsPayments && is_third {
            return paid(amount);
        }
        (sale.status, sale.payment_status) = ("confirmed", "completed");
        sale.seats.iter().for_each(|seat| self.seats[*seat].status = "reserved");
        if fault == Fault::Forgets && is_third {
            for seat in self.sales.remove(&id).expect("sale").seats {
                self.seats[seat].status = "available";
            }
            // Its number must not be given out again.
            self.sales
                .insert(u128::MAX - id, Sale { seats: vec![], status: "", payment_status: "" });
        }
        paid(if fault == Fault::Overcharges { amount + 1 } else { amount })
    }

    fn kept(&self, id: &str) -> (u16, Value) {
        let Some(sale) = self.sales.get(&id_of(id)) else { return refusal(404, "NOT_FOUND") };
        let seats: Vec<Value> =
            sale.seats.iter().map(|seat| json!({"seatId": self.seats[*seat].id})).collect();
        (
            200,
            json!({"reservation": {"total_amount": PRICE * seats.len() as u64, "seats": seats,
                                     "status": sale.status, "payment_status": sale.payment_status}}),
        )
    }

    fn cancel(&mut self, id: &str) -> (u16, Value) {
        let Some(sale) = self.sales.get_mut(&id_of(id)) else { return refusal(400, "NOT_FOUND") };
        (sale.status, sale.payment_status) = ("cancelled", "refunded");
        sale.seats.iter().for_each(|seat| self.seats[*seat].status = "available");
        (200, json!({"message": "cancelled"}))
    }
}

fn paid(amount: u64) -> (u16, Value) {
    (200, json!({"success": true, "payment": {"totalAmount": amount}}))
}

fn text(id: u128) -> String {
    format!("{:08x}-0000-4000-a000-{:012x}", (id >> 48) as u32, id as u64 & 0xffff_ffff_ffff)
}

fn id_of(text: &str) -> u128 {
    u128::from_str_radix(text.rsplit('-').next().expect("id"), 16).expect("id")
}

/// So many seconds from now.
fn now(seconds: i64) -> String {
    let at = Timestamp::now() + jiff::SignedDuration::from_secs(seconds);
    at.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// A listener that accepts and then says this, or nothing.
pub(crate) fn stranger(says: &'static str) -> (SocketAddr, Runtime) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("runtime");
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("listen");
    let address = listener.local_addr().expect("address");
    runtime.spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let written = tokio::io::AsyncWriteExt::write_all(&mut stream, says.as_bytes()).await;
            open.push((stream, written.is_ok()));
        }
        Ok::<(), Infallible>(())
    });
    (address, runtime)
}
