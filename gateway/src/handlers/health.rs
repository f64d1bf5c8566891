//! The probes: `/health*` as the contract says, `/livez` and `/readyz` for orchestrators.
//!
//! The database and the cache of the legacy are one thing here: the log. Both probes report on it.

use std::sync::Arc;
use std::time::Instant;

use hyper::StatusCode;
use serde_json::{Value, json};

use crate::api::Timestamp;
use crate::app::App;
use crate::error::ApiError;
use crate::http::{Request, Response};

/// The process answers.
pub(crate) async fn health(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    Ok(Response::ok(&json!({
        "status": "ok",
        "timestamp": Timestamp(request.now),
        "uptime": app.clock.uptime().as_secs_f64(),
        "version": env!("CARGO_PKG_VERSION"),
        "environment": app.config.environment.name(),
    })))
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
    let (is_ok, took) = check(app);
    match is_ok {
        true => Response::ok(&json!({"status": "ok", "service": service, "responseTime": took})),
        false => Response::json(
            StatusCode::SERVICE_UNAVAILABLE,
            &json!({"status": "error", "service": service, "message": "the log takes no records"}),
        ),
    }
}

/// Everything at once.
pub(crate) async fn all(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (is_ok, took) = check(app);
    let store = || match is_ok {
        true => json!({"status": "ok", "responseTime": took}),
        false => json!({"status": "error", "message": "the log takes no records"}),
    };
    let status = if is_ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = json!({
        "status": if is_ok { "ok" } else { "degraded" },
        "checks": {
            "server": {
                "status": "ok",
                "uptime": app.clock.uptime().as_secs_f64(),
                "memory": memory(),
            },
            "database": store(),
            "redis": store(),
        },
        "timestamp": Timestamp(request.now),
    });
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
    match is_ok {
        true => Response::ok(&json!({"status": "ok"})),
        false => Response::json(StatusCode::SERVICE_UNAVAILABLE, &json!({"status": "error"})),
    }
}

fn check(app: &App) -> (bool, String) {
    let started = Instant::now();
    let is_ok = !app.is_poisoned();
    (is_ok, format!("{}ms", started.elapsed().as_millis()))
}

/// Megabytes resident and of the machine; 0 where the system does not tell.
fn memory() -> Value {
    let read = |path: &str, name: &str| -> Option<u64> {
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    let megabytes = |kilobytes: Option<u64>| kilobytes.unwrap_or(0) / 1024;
    json!({
        "used": megabytes(read("/proc/self/status", "VmRSS:")),
        "total": megabytes(read("/proc/meminfo", "MemTotal:")),
        "unit": "MB",
    })
}
