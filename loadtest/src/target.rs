//! Before and after a run: an event of one's own through the administrator's routes, its seats, and
//! in the end everything that the server kept.

use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow, bail, ensure};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::contract::{
    EventMade, Health, Kept, KeptReservation, LayoutMade, LayoutRow, Layouts, LoggedIn, Refusal,
    SeatMap, unix_ms,
};
use crate::hall::Hall;
use crate::http::{Answer, Client};
use crate::scenario::Scenario;
use crate::server::Server;
use crate::settings::Settings;

/// Making a large event, or a map of it, may take longer than an answer of the run.
const PATIENCE: Duration = Duration::from_secs(60);
/// Reservations read at the same time, in the end.
const READERS: usize = 32;

/// What a run is about.
pub(crate) struct Stage {
    pub(crate) event: Uuid,
    /// Nobody else sells its seats.
    pub(crate) is_own: bool,
    pub(crate) hall: Hall,
    /// The server's clock less this machine's, in milliseconds.
    pub(crate) skew_ms: i64,
    /// What whoever reads the numbers has to know.
    pub(crate) notes: Vec<String>,
}

/// Sends a request and reads its answer as `T`. A body of `null` is none.
///
/// # Errors
/// No answer, a refusal, or an answer that is something else.
pub(crate) async fn ask<T: DeserializeOwned>(
    client: &Client,
    method: &str,
    path: &str,
    token: &str,
    body: &Value,
) -> anyhow::Result<T> {
    let answer = send(client, method, path, token, body).await?;
    if !(200..300).contains(&answer.status) {
        bail!("{method} {path} was answered {} {}", answer.status, code(&answer));
    }
    answer.json().map_err(|_| nonsense(method, path, &answer))
}

async fn send(
    client: &Client,
    method: &str,
    path: &str,
    token: &str,
    body: &Value,
) -> anyhow::Result<Answer> {
    let route = client.route(method, path);
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let sent = client.send_within(PATIENCE, &route, token, &body).await;
    sent.map_err(|broken| anyhow!("{method} {path}: {broken}"))
}

fn nonsense(method: &str, path: &str, answer: &Answer) -> anyhow::Error {
    let begin: String = String::from_utf8_lossy(answer.body()).chars().take(60).collect();
    let begin = begin.escape_debug();
    anyhow!("the server answers nonsense: {method} {path} was answered {} `{begin}`", answer.status)
}

/// The code of a refusal, or its status where it has none.
pub(crate) fn code(answer: &Answer) -> String {
    let code = answer.json::<Refusal<'_>>().ok().and_then(|refusal| refusal.code);
    code.map_or_else(|| format!("HTTP {}", answer.status), |code| code.into_owned())
}

/// A number that tells this run from others.
///
/// # Errors
/// The clock stands before 1970.
pub(crate) fn run_number() -> anyhow::Result<u128> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis())
}

/// Unix milliseconds of this machine.
pub(crate) fn wall_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

/// Finds or makes the event.
///
/// # Errors
/// The server cannot be reached, refuses, or does not speak the contract.
pub(crate) async fn prepare(
    client: &Client,
    server: &Server,
    settings: &Settings,
    scenario: Scenario,
) -> anyhow::Result<Stage> {
    let mut notes = Vec::new();
    let skew_ms = skew(client, &mut notes).await?;
    let (event, is_own) = match server.event {
        Some(event) => (event, false),
        None => (make_event(client, server, settings, scenario, &mut notes).await?, true),
    };
    let path = format!("/api/seats/events/{event}");
    let map: SeatMap = ask(client, "GET", &path, "", &Value::Null).await?;
    Ok(Stage { event, is_own, hall: Hall::new(map)?, skew_ms, notes })
}

/// The first thing that is asked, so this is also where a server that is none shows itself.
async fn skew(client: &Client, notes: &mut Vec<String>) -> anyhow::Result<i64> {
    let before = wall_ms();
    // In the time of the run's answers: a server that is silent is not waited for.
    let answer = client.send(&client.route("GET", "/health"), "", "").await;
    let answer = answer.map_err(|broken| anyhow!("GET /health: {broken}"))?;
    let middle = (before + wall_ms()) / 2;
    let health = answer.json::<Health>().map_err(|_| nonsense("GET", "/health", &answer))?;
    match unix_ms(&health.timestamp) {
        Some(timestamp) => Ok(timestamp - middle),
        None => {
            notes.push("/health has no timestamp: the clocks are taken to agree".to_owned());
            Ok(0)
        }
    }
}

async fn make_event(
    client: &Client,
    server: &Server,
    settings: &Settings,
    scenario: Scenario,
    notes: &mut Vec<String>,
) -> anyhow::Result<Uuid> {
    let login = json!({"email": server.admin_email, "password": server.admin_password});
    let admin: LoggedIn = ask(client, "POST", "/api/auth/login", "", &login).await?;
    let layout = layout(client, settings, &admin.token, notes).await?;
    let event = json!({
        "title": format!("loadtest {} {}", scenario.name(), run_number()?),
        "venue": "loadtest",
        "description": "",
        "address": "",
        "artistName": "",
        "posterImageUrl": "",
        "eventDate": "2099-12-31T19:00:00",
        "saleStartDate": "2020-01-01T00:00:00",
        "saleEndDate": "2099-12-30T00:00:00",
        "seatLayoutId": layout,
        "ticketTypes": [],
        "maxSeats": settings.group,
    });
    let made: EventMade = ask(client, "POST", "/api/admin/events", &admin.token, &event).await?;
    let id = made.event.id;
    if settings.threshold.is_some() || settings.queue_rate.is_some() {
        let path = format!("/api/queue/admin/{id}");
        let mut queue = json!({"rate": settings.queue_rate});
        if let Some(threshold) = settings.threshold {
            queue["threshold"] = threshold.into();
        }
        let answer = send(client, "PUT", &path, &admin.token, &queue).await?;
        match answer.status {
            200..300 => {}
            404 | 405 => notes.push("the server's own threshold counts: it takes none".to_owned()),
            status => bail!("PUT {path} was answered {status} {}", code(&answer)),
        }
    }
    Ok(id)
}

/// The hall asked for, made once; or of those there are the one nearest in size.
async fn layout(
    client: &Client,
    settings: &Settings,
    admin: &str,
    notes: &mut Vec<String>,
) -> anyhow::Result<Uuid> {
    let (sections, rows, width) = (settings.sections, settings.rows, settings.seats_per_row);
    let name = format!("loadtest {sections}x{rows}x{width}");
    let all: Layouts = ask(client, "GET", "/api/seats/layouts", "", &Value::Null).await?;
    if let Some(layout) = all.layouts.iter().find(|layout| layout.name == name) {
        return Ok(layout.id);
    }
    let section = |number: u32| {
        let price = 50_000 + 10_000 * (sections - number);
        json!({"name": format!("S{}", number + 1), "rows": rows, "seatsPerRow": width,
               "price": price, "startRow": 1})
    };
    let made = json!({"name": name, "sections": (0..sections).map(section).collect::<Vec<_>>()});
    let path = "/api/admin/seat-layouts";
    let answer = send(client, "POST", path, admin, &made).await?;
    match answer.status {
        200..300 => {
            let made: LayoutMade = answer.json().map_err(|_| nonsense("POST", path, &answer))?;
            Ok(made.layout.id)
        }
        404 | 405 => {
            let nearest = |layout: &&LayoutRow| layout.total_seats.abs_diff(settings.seats());
            let layout = all.layouts.iter().min_by_key(nearest);
            let layout = layout.context("the server has no layouts")?;
            notes.push(format!(
                "the server takes no layouts: `{}` with {} seats it is",
                layout.name, layout.total_seats
            ));
            Ok(layout.id)
        }
        status => bail!("POST {path} was answered {status} {}", code(&answer)),
    }
}

/// The seats as they are now.
///
/// # Errors
/// They cannot be read.
pub(crate) async fn seat_map(client: &Client, event: Uuid) -> anyhow::Result<SeatMap> {
    ask(client, "GET", &format!("/api/seats/events/{event}"), "", &Value::Null).await
}

/// A reservation as it was kept, or `None` where the server knows none.
async fn kept(client: &Client, id: Uuid, token: &str) -> anyhow::Result<Option<KeptReservation>> {
    let path = format!("/api/seats/reservation/{id}");
    let answer = send(client, "GET", &path, token, &Value::Null).await?;
    match answer.status {
        404 => Ok(None),
        200..300 => {
            let kept: Kept = answer.json().map_err(|_| nonsense("GET", &path, &answer))?;
            Ok(Some(kept.reservation))
        }
        status => bail!("GET {path} was answered {status} {}", code(&answer)),
    }
}

/// Reservations as they were kept, each read by its buyer, in the order asked for.
///
/// # Errors
/// One cannot be read.
pub(crate) async fn all_kept(
    client: &Rc<Client>,
    sales: Vec<(Uuid, String)>,
) -> anyhow::Result<Vec<Option<KeptReservation>>> {
    let count = sales.len();
    let sales = Rc::new(sales);
    let mut tasks = JoinSet::new();
    for reader in 0..READERS.min(count) {
        let (client, sales) = (Rc::clone(client), Rc::clone(&sales));
        tasks.spawn_local(async move {
            let mut found = Vec::new();
            for number in (reader..count).step_by(READERS) {
                let (id, token) = &sales[number];
                found.push((number, kept(&client, *id, token).await?));
            }
            anyhow::Ok(found)
        });
    }
    let mut all = vec![None; count];
    while let Some(some) = tasks.join_next().await {
        for (number, kept) in some?? {
            all[number] = kept;
        }
    }
    ensure!(all.len() == count, "reservations were left out");
    Ok(all)
}
