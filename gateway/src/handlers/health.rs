//! The probes: `/health*` as the contract says, `/livez` and `/readyz` for orchestrators.
//!
//! The database and the cache of the legacy are one thing here: the log. Both probes report on it.

use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;

use crate::api::Timestamp;
use crate::api::health::{
    AllHealth, Checks, Health, Memory, Probe, ServerCheck, StoreCheck, StoreHealth,
};
use crate::app::App;
use crate::error::ApiError;
use crate::http::{Request, Response};

/// The process answers.
pub(crate) async fn health(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    Ok(Response::ok(&Health {
        status: "ok".to_owned(),
        timestamp: Timestamp(request.now),
        uptime: app.clock.uptime().as_secs_f64(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        environment: app.config.environment.name().to_owned(),
    }))
}

/// The log takes records.
pub(crate) async fn database(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    Ok(store(app, "database"))
}

/// The same store in the legacy's other role.
pub(crate) async fn redis(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    Ok(store(app, "redis"))
}

fn store(app: &App, service: &str) -> Response {
    let (status, StoreCheck { status: word, response_time, message }) = check(app);
    let service = service.to_owned();
    Response::json(status, &StoreHealth { status: word, service, response_time, message })
}

/// Everything at once.
pub(crate) async fn all(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (status, log) = check(app);
    let body = AllHealth {
        status: if status == StatusCode::OK { "ok" } else { "degraded" }.to_owned(),
        checks: Checks {
            server: ServerCheck {
                status: "ok".to_owned(),
                uptime: app.clock.uptime().as_secs_f64(),
                memory: memory(),
            },
            database: log.clone(),
            redis: log,
        },
        timestamp: Timestamp(request.now),
    };
    Ok(Response::json(status, &body))
}

/// The process is not beyond help: a restart would gain nothing.
pub(crate) async fn live(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    Ok(probe(!app.is_poisoned()))
}

/// Requests are welcome: the log takes new bookings, and shutdown has not begun.
pub(crate) async fn ready(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    Ok(probe(!app.is_poisoned() && !app.is_disk_low() && !app.is_draining()))
}

fn probe(is_ok: bool) -> Response {
    let (status, word) = match is_ok {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "error"),
    };
    Response::json(status, &Probe { status: word.to_owned() })
}

fn check(app: &App) -> (StatusCode, StoreCheck) {
    let started = Instant::now();
    match app.is_poisoned() {
        false => {
            let took = format!("{}ms", started.elapsed().as_millis());
            let status = "ok".to_owned();
            (StatusCode::OK, StoreCheck { status, response_time: Some(took), message: None })
        }
        true => {
            let (status, message) = ("error".to_owned(), "the log takes no records".to_owned());
            let check = StoreCheck { status, response_time: None, message: Some(message) };
            (StatusCode::SERVICE_UNAVAILABLE, check)
        }
    }
}

/// Megabytes resident and of the machine; 0 where the system does not tell.
fn memory() -> Memory {
    let read = |path: &str, name: &str| -> Option<u64> {
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    let megabytes = |kilobytes: Option<u64>| kilobytes.unwrap_or(0) / 1024;
    Memory {
        used: megabytes(read("/proc/self/status", "VmRSS:")),
        total: megabytes(read("/proc/meminfo", "MemTotal:")),
        unit: "MB".to_owned(),
    }
}
