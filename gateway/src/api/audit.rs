//! Who changed what (`gateway/PROTOCOL.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Id, Pagination, Timestamp};

/// `GET /api/admin/audit`, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditList {
    /// A page of it.
    pub entries: Vec<AuditEntry>,
    /// Which page.
    pub pagination: Pagination,
}

/// Something that an administrator did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// The position in the log of the record that says so.
    pub lsn: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub user_id: Id,
    /// The administrator's address.
    pub user_email: String,
    /// The administrator's name.
    pub user_name: String,
    /// `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// Path and query of the request; the beginning of long ones.
    pub path: String,
    /// The beginning of what came with it, without secrets; type and size of what is no text.
    pub body: String,
    /// The id of what it made; `null` where it made nothing.
    pub made: Option<String>,
}
