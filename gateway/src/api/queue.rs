//! The waiting room (contract/http.md 2.7).

use serde::{Deserialize, Serialize};
use tiketi_engine::limits::QUEUE_RATE_MILLI_MAX;
use utoipa::ToSchema;

use crate::api::stats::{SeatCounts, TicketCounts};
use crate::api::strict::nullable_or_absent;
use crate::api::{Id, Pagination, Timestamp};

/// `POST /api/queue/check/:eventId`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CheckAnswer {
    /// Whether the caller has to wait.
    pub queued: bool,
    /// From 1; only where the caller waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u32>,
    /// Seconds; only where the caller waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_wait: Option<u32>,
    /// People inside, before the caller was let in.
    pub current_users: u32,
    /// How many may be inside.
    pub threshold: u32,
    /// People in line.
    pub queue_size: u32,
}

/// `GET /api/queue/status/:eventId`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusAnswer {
    /// Whether the caller has to wait. False means: let in.
    pub queued: bool,
    /// From 1; 0 where the caller does not wait.
    pub position: u32,
    /// People in line.
    pub queue_size: u32,
    /// Seconds; 0 where the caller does not wait.
    pub estimated_wait: u32,
    /// People inside.
    pub current_users: u32,
    /// How many may be inside.
    pub threshold: u32,
}

/// `GET /api/queue/pass/:eventId`: what any node can verify by itself.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PassAnswer {
    /// Sent back as `Tiketi-Pass` with a reservation.
    pub pass: String,
    /// When it counts for nothing any more; ask for another before.
    pub expires_at: Timestamp,
}

/// `GET /api/queue/admin/:eventId`, and the answer to its changes.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct QueueAnswer {
    /// The event.
    pub event_id: Id,
    /// People in line.
    pub queue_size: u32,
    /// People inside.
    pub current_users: u32,
    /// How many may be inside.
    pub threshold: u32,
    /// The threshold less those inside; below zero where it was lowered since.
    pub available: i64,
    /// People let in a second at most; `null` for no limit.
    pub rate: Option<f64>,
    /// Whether nobody is let in.
    pub paused: bool,
    /// Whether the line is a lobby: nobody is let in before the draw.
    pub lobby: bool,
    /// People let in since the server started, whether they had to wait or not. Less those of moments
    /// in which the log was written faster than it could be followed.
    pub admitted: u64,
    /// Of those who stood in line and were let in within the last minute; `null` for nobody.
    pub wait_seconds: Option<WaitSeconds>,
    /// What is left to wait for, by status.
    pub seats: SeatCounts,
    /// The same of tickets without seats.
    pub tickets: TicketCounts,
}

/// How long people stood in line, from taking their place to being let in. Who was let in at once
/// has no wait and does not count.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct WaitSeconds {
    /// Half of them waited no longer, to the hundredth part.
    pub p50: f64,
    /// Of a hundred of them, one waited longer.
    pub p99: f64,
    /// How many they are.
    pub count: u64,
}

/// `PUT /api/queue/admin/:eventId`: what is absent stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct QueueChangeRequest {
    /// How many may be inside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples(1_000))]
    pub threshold: Option<u32>,
    /// People let in a second, or `null` for no limit.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "nullable_or_absent"
    )]
    #[schema(value_type = Option<f64>)]
    #[schema(examples(50.0))]
    pub rate: Option<Option<f64>>,
    /// Whether nobody is let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, examples(false))]
    pub paused: Option<bool>,
}

/// People a second in thousandths, where the engine takes so many.
pub(crate) fn rate_milli(per_second: f64) -> Option<u64> {
    let milli = (per_second * 1_000.0).round();
    (1.0..=QUEUE_RATE_MILLI_MAX as f64).contains(&milli).then_some(milli as u64)
}

/// `POST /api/queue/admin/:eventId/admit`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AdmitRequest {
    /// Who is let in out of turn.
    pub user_id: Id,
}

/// A lane of a line.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LaneRow {
    /// What people call it, 1 to 40 characters. The first lane is everybody's.
    #[schema(examples("팬클럽"))]
    pub name: String,
    /// While people wait in all lanes, so many of every `sum of the shares` are let in from this
    /// one; 1 to 100.
    #[schema(examples(3))]
    pub share: u16,
    /// People in line; not read in a request.
    #[serde(default)]
    pub waiting: u32,
    /// People who were put into it; not read in a request.
    #[serde(default)]
    pub members: u64,
}

/// `GET` and `PUT /api/queue/admin/:eventId/lanes`, both ways.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LaneList {
    /// Up to four; none where the line has no priorities.
    pub lanes: Vec<LaneRow>,
}

/// `POST /api/queue/admin/:eventId/lanes/members`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LaneMembersRequest {
    /// The lane's name.
    #[schema(examples("팬클럽"))]
    pub lane: String,
    /// E-mail addresses or ids of accounts, up to 1,000.
    #[schema(examples("buyer@example.com"))]
    pub users: Vec<String>,
}

/// What became of them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LaneMembersAnswer {
    /// Shown to the caller.
    pub message: String,
    /// How many were put into the lane.
    pub added: usize,
    /// Those of the request that are no account's.
    pub unknown: Vec<String>,
}

/// `POST /api/queue/admin/:eventId/lobby`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LobbyAnswer {
    /// Shown to the caller.
    pub message: String,
    /// What is published before anybody has a ticket, hexadecimal.
    pub commitment: String,
}

/// `POST /api/queue/admin/:eventId/draw`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct DrawRequest {
    /// A public value that nobody knew while tickets were handed out, up to 200 bytes.
    #[serde(default)]
    #[schema(examples("bitcoin 900000"))]
    pub beacon: String,
}

/// `GET /api/queue/draw/:eventId`: all that is needed to compute a draw again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DrawAnswer {
    /// Whether the draw took place; everything below but `ticket` is `null` before it.
    pub drawn: bool,
    /// SHA-256 of `tiketi draw commitment` and the seed, hexadecimal.
    pub commitment: String,
    /// When the commitment was published and the lobby opened.
    pub opened_at: Timestamp,
    /// The seed, hexadecimal.
    pub seed: Option<String>,
    /// The public value that was added.
    pub beacon: Option<String>,
    /// When it took place.
    pub drawn_at: Option<Timestamp>,
    /// The place of the first in the order; the others follow without a gap.
    pub first_place: Option<u32>,
    /// How many were drawn.
    pub entrants: Option<u32>,
    /// The tickets in the order that was drawn: this page of them.
    pub tickets: Vec<u32>,
    /// The caller's own ticket, where a token says who is asking and he was in the lobby.
    pub ticket: Option<u32>,
    /// Pages of `tickets`.
    pub pagination: Pagination,
}

/// The answer where there is nothing to tell.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct QueueMessage {
    /// Shown to the caller.
    pub message: String,
}
