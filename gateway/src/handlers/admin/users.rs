//! Accounts.

use std::sync::Arc;

use tiketi_engine::ids::{ExternalId, UserIndex};
use tiketi_engine::record::Role;
use tiketi_engine::state::{State, User};

use crate::api::admin::{RoleAnswer, RoleRequest, UserAnswer, UserDetail};
use crate::api::{Id, role_name};
use crate::app::App;
use crate::auth::email;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::refusals;

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
    let id = request.user_id(0)?;
    let body: RoleRequest = request.json()?;
    let role = match body.role.as_str() {
        "user" => Role::User,
        "admin" => Role::Admin,
        _ => return Err(refusals::invalid("역할은 user 또는 admin이에요.")),
    };
    // The index alone may name an account of another installation.
    if app.engine.role(id).is_none() {
        return Err(ApiError::new(Code::NotFound));
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
        reservations: reservations_of(state, user.id.index),
    }
}

fn reservations_of(state: &State, user: UserIndex) -> u64 {
    state.orders_of(user).len() as u64
}
