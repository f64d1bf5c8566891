//! The waiting room: joining, looking up a position, how much room a line takes, and over HTTP.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::{Method, Request, Uri};
use jsonwebtoken::{EncodingKey, Header};
use serde_json::json;
use tiketi_benches::{NOW, stock, undurable};
use tiketi_engine::engine::Engine;
use tiketi_engine::error::CommandError;
use tiketi_engine::ids::{EventIndex, UserId, UserIndex};
use tiketi_engine::journal::{Journal, MemoryJournal};
use tiketi_engine::state::State;
use tiketi_engine::waiting_room::{QueueTimes, Standing};
use tiketi_gateway::api::Id;
use tiketi_persistence::{Options, make_snapshot, open};

use crate::recovery::opened_elsewhere;
use tiketi_benches::Setup;
use tiketi_benches::bare::{self, Server};
use tiketi_benches::client::load;
use tiketi_benches::gateway::{ROLE, SECRET};
use tiketi_benches::table::{Table, count, median};

const EVENT: EventIndex = EventIndex(0);
const TIMES: QueueTimes = QueueTimes { session_ttl_ms: 300_000, silence_ms: 120_000 };
const ROUNDS: usize = 5;

/// Lets one person in; everybody after that waits.
fn engine() -> anyhow::Result<Engine<MemoryJournal>> {
    let engine = Engine::from_state(&State::default(), MemoryJournal::default())
        .map_err(anyhow::Error::msg)?;
    engine.set_queue_defaults(1, None, TIMES);
    stock(&engine, 1, 200, 1)?;
    engine.journal().forget();
    Ok(engine)
}

fn join<J: Journal>(engine: &Engine<J>, people: std::ops::Range<u32>) -> anyhow::Result<()> {
    for person in people {
        let checked = loop {
            match engine.queue_check(EVENT, UserIndex(person), NOW) {
                // The disk is behind; a caller would be told to come again.
                Err(CommandError::Unavailable(_)) => std::thread::yield_now(),
                checked => break checked?,
            }
        };
        undurable(checked);
    }
    Ok(())
}

pub(crate) fn joins_and_positions(_: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const JOINS: u32 = 1_000_000;
    const WAITING: u32 = 10_000_000;
    const LOOKUPS: u32 = 1_000_000;
    let mut rates = Vec::new();
    let engine = engine()?;
    for round in 0..WAITING / JOINS {
        let started = Instant::now();
        for part in 0..JOINS / 1_000 {
            let from = round * JOINS + part * 1_000;
            join(&engine, from..from + 1_000)?;
            engine.journal().forget();
        }
        rates.push(f64::from(JOINS) / started.elapsed().as_secs_f64());
    }
    let bare = bare_inserts_per_second(WAITING);
    table.row(
        "join the line, one thread, engine with an in-memory journal",
        format!("{}/s, the median of ten million", count(median(&mut rates))),
        format!("a number into a hash map: {}/s", count(bare)),
        "≥ 2 M/s",
    );
    let started = Instant::now();
    let mut person = 1_u32;
    for _ in 0..LOOKUPS {
        // A full cycle modulo ten million: Knuth's conditions hold.
        person = (u64::from(person) * 21 + 7_654_321).rem_euclid(u64::from(WAITING)) as u32;
        let place = undurable(engine.queue_check(EVENT, UserIndex(person), NOW)?);
        anyhow::ensure!(person == 0 || place.standing != Standing::Admitted, "let in");
    }
    let nanoseconds = started.elapsed().as_nanos() as f64 / f64::from(LOOKUPS);
    table.row(
        "look up a random person's position, 10 million waiting",
        format!("{:.2} µs", nanoseconds / 1e3),
        format!("{:.1} × the insert beside the row above", nanoseconds / (1e9 / bare)),
        "≤ 2 µs",
    );
    Ok(())
}

fn bare_inserts_per_second(people: u32) -> f64 {
    let mut map = std::collections::HashMap::new();
    let started = Instant::now();
    for person in 0..people {
        map.insert(person, person);
    }
    std::hint::black_box(map.len());
    f64::from(people) / started.elapsed().as_secs_f64()
}

pub(crate) fn fourteen_million(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const WAITING: u32 = 14_000_000;
    let line = line_of(setup, WAITING)?;
    let empty = line_of(setup, 1)?;
    let (_, from_log) = opened_elsewhere(line.path())?;
    make_snapshot(line.path())?;
    make_snapshot(empty.path())?;
    let (bytes, from_snapshot) = opened_elsewhere(line.path())?;
    let (bytes_without, _) = opened_elsewhere(empty.path())?;
    table.row(
        "14 million people waiting: memory, fold and engine together",
        format!("{:.2} GB", (bytes - bytes_without) / 1e9),
        format!("{:.0} bytes a person", (bytes - bytes_without) / f64::from(WAITING)),
        "≤ 1.5 GB",
    );
    table.row(
        "14 million people waiting: start",
        format!("{from_log:.1} s from the log, {from_snapshot:.1} s from a snapshot"),
        "their records alone would be the log".to_owned(),
        "≤ 30 s",
    );
    Ok(())
}

/// A data directory whose log has so many people in line.
fn line_of(setup: &Setup, people: u32) -> anyhow::Result<tempfile::TempDir> {
    let dir = tempfile::tempdir_in(&setup.dir)?;
    let mut options = Options::new(dir.path());
    options.generation_bytes = u64::MAX;
    let opened = open(&options, NOW)?;
    let engine = Engine::from_state(&opened.state, opened.journal).map_err(anyhow::Error::msg)?;
    engine.set_queue_defaults(1, None, TIMES);
    stock(&engine, 1, 200, 1)?;
    join(&engine, 0..people)?;
    engine.journal().close()?;
    Ok(dir)
}

/// People with accounts, and their tokens.
pub(crate) struct Crowd {
    tokens: Vec<HeaderValue>,
    next: usize,
}

impl Crowd {
    /// Beside two events, written straight into the log of `data`: hashing so many passwords would take hours.
    pub(crate) fn new(data: &Path, people: u32) -> anyhow::Result<Crowd> {
        let opened = open(&Options::new(data), NOW)?;
        let engine =
            Engine::from_state(&opened.state, opened.journal).map_err(anyhow::Error::msg)?;
        let users = stock(&engine, 2, 200, people)?;
        engine.journal().close()?;
        let key = EncodingKey::from_secret(SECRET.as_bytes());
        let token = |user: UserIndex| {
            let id = Id::from(UserId { index: user, tag: u64::from(user.0) });
            let claims = json!({"userId": id.to_string(), "email": "", "role": "user", "iat": 1,
                                "exp": 4_000_000_000_u64});
            let token = jsonwebtoken::encode(&Header::default(), &claims, &key)?;
            Ok(HeaderValue::try_from(format!("Bearer {token}"))?)
        };
        let tokens = users.into_iter().map(token).collect::<anyhow::Result<_>>()?;
        Ok(Crowd { tokens, next: 0 })
    }

    /// A person's `Authorization`.
    pub(crate) fn token(&self, person: usize) -> anyhow::Result<&str> {
        Ok(self.tokens.get(person).context("no such person")?.to_str()?)
    }

    /// The next person's check; after the last one the first calls again.
    fn check(&mut self) -> Request<Full<Bytes>> {
        let token = self.tokens[self.next % self.tokens.len()].clone();
        self.next += 1;
        let mut request = Request::new(Full::new(Bytes::from_static(b"{}")));
        *request.method_mut() = Method::POST;
        let path = format!("/api/queue/check/{}", Id::from(EVENT));
        *request.uri_mut() = Uri::try_from(path).expect("a path");
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("bench"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(AUTHORIZATION, token);
        request
    }
}

/// A gateway that lets one person in; everybody after that waits.
pub(crate) fn one_inside(data: &Path) -> anyhow::Result<Server> {
    Server::start(&[ROLE.as_ref(), data.as_os_str(), "1".as_ref()])
}

pub(crate) fn check_over_http(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    const CONNECTIONS: usize = 64;
    const JOINING: u32 = 1_500_000;
    const POLLING: u32 = 20_000;
    let each = Duration::from_secs((setup.seconds / 3).clamp(1, 3));
    for (what, people) in [
        ("`POST /api/queue/check`, 20,000 people in line who call again and again", POLLING),
        ("`POST /api/queue/check`, newcomers, each a durable record", JOINING),
    ] {
        let data = tempfile::tempdir_in(&setup.dir)?;
        let crowd = Rc::new(RefCell::new(Crowd::new(data.path(), people)?));
        let gateway = one_inside(data.path())?;
        let bare = Server::start(&[bare::ROLE.as_ref()])?;
        let (mut ratios, mut ours, mut bares) = (Vec::new(), Vec::new(), Vec::new());
        let run = |server: &Server, crowd: &Rc<RefCell<Crowd>>| {
            let crowd = Rc::clone(crowd);
            load(server.address, CONNECTIONS, each, move || Some(crowd.borrow_mut().check()))
        };
        if people == POLLING {
            // The first calls are joins.
            while crowd.borrow().next < POLLING as usize {
                run(&gateway, &crowd)?;
            }
        }
        let same = Rc::new(RefCell::new(Crowd { tokens: crowd.borrow().tokens.clone(), next: 0 }));
        for _ in 0..ROUNDS {
            let plain = run(&bare, &same)?;
            let checked = run(&gateway, &crowd)?;
            anyhow::ensure!(checked.refused == 0, "{} checks were refused", checked.refused);
            ratios.push(checked.per_second() / plain.per_second());
            ours.push(checked.per_second());
            bares.push(plain.per_second());
        }
        anyhow::ensure!(people == POLLING || crowd.borrow().next <= JOINING as usize, "all joined");
        table.row(
            format!("{what}, {CONNECTIONS} connections"),
            format!("{:.2} × bare hyper ({}/s)", median(&mut ratios), count(median(&mut ours))),
            format!("bare hyper: {}/s", count(median(&mut bares))),
            "≥ 0.6 ×",
        );
    }
    Ok(())
}
