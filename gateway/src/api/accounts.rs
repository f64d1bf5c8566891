//! What administrators do with accounts (`gateway/PROTOCOL.md`).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

/// An account, without its password.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UserDetail {
    /// The user.
    pub id: Id,
    /// Normalised.
    pub email: String,
    /// Shown to others.
    pub name: String,
    /// Free form.
    pub phone: Option<String>,
    /// `user` or `admin`.
    pub role: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// How many reservations it has made.
    pub reservations: u64,
    /// Since when and why it is shut out; `null` where it is not.
    pub suspension: Option<Suspension>,
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
