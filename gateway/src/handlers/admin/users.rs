//! Accounts.

use std::sync::Arc;

use tiketi_engine::command::Suspend;
use tiketi_engine::ids::{ExternalId, UserId};
use tiketi_engine::journal::Pending;
use tiketi_engine::record::Role;
use tiketi_engine::state::{State, User};

use crate::api::accounts::{
    SuspendRequest, Suspension, SuspensionAnswer, UserDetail, UserList, UserOrders,
};
use crate::api::admin::{RoleAnswer, RoleRequest, UserAnswer};
use crate::api::{Id, Pagination, role_name};
use crate::app::App;
use crate::auth::email;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::order_view::OrderView;
use crate::refusals;

const ROWS_PER_PAGE: u64 = 50;
/// Accounts that are looked at in one go.
const USERS_AT_ONCE: usize = 10_000;

/// `GET /api/admin/users/:idOrEmail`.
pub(crate) async fn show(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let name = request.path_text(0)?;
    let found = app.view.read(|state| find(state, &name).map(|user| detail(state, user)));
    match found {
        Some(user) => Ok(Response::ok(&UserAnswer { user })),
        // Neither an id nor an address.
        None if Id::parse(&name).is_none() && !name.contains('@') => {
            Err(ApiError::new(Code::BadId))
        }
        None => Err(ApiError::new(Code::NotFound)),
    }
}

/// `PUT /api/admin/users/:id/role`.
pub(crate) async fn set_role(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let id = known(app, request)?;
    let body: RoleRequest = request.json()?;
    let role = match body.role.as_str() {
        "user" => Role::User,
        "admin" => Role::Admin,
        _ => return Err(refusals::invalid("역할은 user 또는 admin이에요.")),
    };
    // Somebody has to be left who can undo it.
    if role == Role::User && id == request.user()?.user {
        return Err(ApiError::new(Code::Conflict).message("자기 권한은 내릴 수 없어요."));
    }
    let pending =
        app.engine.set_role(id.index, role, app.clock.now()).map_err(refusals::account)?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    app.shown(lsn).await?;
    let user = app.view.read(|state| state.user(id).map(|user| detail(state, user)));
    let user = user.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let answer = RoleAnswer { message: "역할을 바꿨어요.".to_owned(), user };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// `GET /api/admin/users`, the newest first; `q` is a part of an e-mail address or a name.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let page = request.page(ROWS_PER_PAGE)?;
    let part = request.parameter("q")?.unwrap_or_default().trim().to_lowercase();
    let suspended = match request.parameter("status")?.as_deref() {
        None | Some("") => None,
        Some("active") => Some(false),
        Some("suspended") => Some(true),
        Some(_) => return Err(refusals::invalid("상태는 active 또는 suspended예요.")),
    };
    let is_wanted = |state: &State, user: &User| {
        let is_suspended = state.suspension(user.id.index).is_some();
        suspended.is_none_or(|suspended| suspended == is_suspended)
            && (user.email.contains(&part) || user.name.to_lowercase().contains(&part))
    };
    let (mut users, mut total) = (Vec::new(), 0);
    let mut end = app.view.read(|state| state.users().len());
    // A part at a time, so that the log's followers never wait long.
    while end > 0 {
        let start = end.saturating_sub(USERS_AT_ONCE);
        app.view.read(|state| {
            let part = state.users().get(start..end).unwrap_or_default();
            for user in part.iter().rev().filter(|user| is_wanted(state, user)) {
                if total >= page.skip() && users.len() < page.limit as usize {
                    users.push(detail(state, user));
                }
                total += 1;
            }
        });
        end = start;
    }
    let pagination = Pagination::new(page.page, page.limit, total as u64);
    Ok(Response::ok(&UserList { users, pagination }))
}

/// `POST /api/admin/users/:id/suspend`: at once, also for sockets that are open.
pub(crate) async fn suspend(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let id = known(app, request)?;
    let body: SuspendRequest = request.json()?;
    let by = Some(request.user()?.user.index);
    let suspend = Suspend { user: id.index, reason: body.reason.trim().to_owned(), by };
    let suspend = suspend.check().map_err(refusals::field)?;
    let suspended = app.engine.suspend_user(suspend, app.clock.now()).map_err(refusals::account)?;
    let answer = changed(app, id, suspended, "계정을 정지했어요.").await;
    app.hub.shut_out(id.index);
    answer
}

/// `POST /api/admin/users/:id/restore`.
pub(crate) async fn restore(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let id = known(app, request)?;
    let by = Some(request.user()?.user.index);
    let restored =
        app.engine.restore_user(id.index, by, app.clock.now()).map_err(refusals::account)?;
    changed(app, id, restored, "계정 정지를 풀었어요.").await
}

/// `GET /api/admin/users/:id/orders`, the newest first.
pub(crate) async fn orders(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let id = known(app, request)?;
    let page = request.page(ROWS_PER_PAGE)?;
    let now = app.clock.now();
    let answer = app.view.read(|state| {
        let orders = state.orders_of(id.index);
        let rows = orders.iter().rev().skip(page.skip()).take(page.limit as usize);
        UserOrders {
            orders: rows.filter_map(|&order| Some(OrderView::of(state, order)?.row(now))).collect(),
            pagination: Pagination::new(page.page, page.limit, orders.len() as u64),
        }
    });
    Ok(Response::ok(&answer))
}

/// The account in the path. The index alone may name one of another installation.
fn known(app: &App, request: &Request) -> Result<UserId, ApiError> {
    let id = request.user_id(0)?;
    match app.has_account(id) {
        true => Ok(id),
        false => Err(ApiError::new(Code::NotFound)),
    }
}

async fn changed(
    app: &Arc<App>,
    id: UserId,
    change: Pending<()>,
    message: &str,
) -> Result<Response, ApiError> {
    let lsn = change.lsn();
    app.durable(change).await?;
    app.shown(lsn).await?;
    let user = app.view.read(|state| state.user(id).map(|user| detail(state, user)));
    let user = user.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let answer = SuspensionAnswer { message: message.to_owned(), user };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// The account with this id or e-mail address.
pub(crate) fn find<'s>(state: &'s State, name: &str) -> Option<&'s User> {
    match Id::parse(name).and_then(|id| ExternalId::decode(id.0)) {
        Some(ExternalId::User(id)) => state.user(id),
        Some(_) => None,
        None => state.user_by_email(&email::normalise(name)?),
    }
}

fn detail(state: &State, user: &User) -> UserDetail {
    UserDetail {
        id: user.id.into(),
        email: user.email.clone(),
        name: user.name.clone(),
        phone: user.phone.clone(),
        role: role_name(user.role).to_owned(),
        created_at: user.created_at.into(),
        reservations: state.orders_of(user.id.index).len() as u64,
        suspension: state.suspension(user.id.index).map(|found| Suspension {
            reason: found.reason.clone(),
            at: found.at.into(),
            by: found.by.and_then(|by| Some(state.users().get(by.position())?.id.into())),
        }),
    }
}
