//! What administrators do with accounts (`gateway/PROTOCOL.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::admin::UserDetail;
use crate::api::reservations::ReservationRow;
use crate::api::{Id, Pagination, Timestamp};

/// `GET /api/admin/users`, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserList {
    /// A page of them.
    pub users: Vec<UserDetail>,
    /// Which page.
    pub pagination: Pagination,
}

/// Why an account is shut out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Suspension {
    /// For administrators.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
    /// The administrator who did it.
    pub by: Option<Id>,
}

/// `POST /api/admin/users/:id/suspend`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SuspendRequest {
    /// Why; the user is not told.
    #[schema(examples("매크로로 예매했어요."))]
    pub reason: String,
}

/// The answer to it, and to `.../restore`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct SuspensionAnswer {
    /// Not shown.
    pub message: String,
    /// The account.
    pub user: UserDetail,
}

/// `GET /api/admin/users/:id/orders`, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserOrders {
    /// As the user sees them.
    pub orders: Vec<ReservationRow>,
    /// Which page.
    pub pagination: Pagination,
}
