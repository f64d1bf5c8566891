//! Probes (contract/http.md 2.11).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::Timestamp;

/// `GET /health`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// `ok`.
    pub status: String,
    /// Now.
    pub timestamp: Timestamp,
    /// Seconds since the start.
    pub uptime: f64,
    /// Of the server.
    pub version: String,
    /// `development` or `production`.
    pub environment: String,
}

/// `GET /health/db`, `GET /health/redis`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreHealth {
    /// `ok` or `error`.
    pub status: String,
    /// `database` or `redis`.
    pub service: String,
    /// Like `3ms`, where it is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_time: Option<String>,
    /// What is wrong, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `GET /health/all`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AllHealth {
    /// `ok` or `degraded`.
    pub status: String,
    /// Part by part.
    pub checks: Checks,
    /// Now.
    pub timestamp: Timestamp,
}

/// The parts.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Checks {
    /// The process.
    pub server: ServerCheck,
    /// The log.
    pub database: StoreCheck,
    /// The log in its other role.
    pub redis: StoreCheck,
}

/// The process.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ServerCheck {
    /// `ok`.
    pub status: String,
    /// Seconds since the start.
    pub uptime: f64,
    /// What it takes.
    pub memory: Memory,
}

/// What a process takes of its machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Memory {
    /// Resident.
    pub used: u64,
    /// Of the machine.
    pub total: u64,
    /// `MB`.
    pub unit: String,
}

/// The log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StoreCheck {
    /// `ok` or `error`.
    pub status: String,
    /// Like `3ms`, where it is well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_time: Option<String>,
    /// What is wrong, where it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// `GET /livez`, `GET /readyz`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Probe {
    /// `ok` or `error`.
    pub status: String,
}
