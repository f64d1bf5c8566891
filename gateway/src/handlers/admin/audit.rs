//! The audit list.

use std::sync::Arc;

use tiketi_engine::state::{AdminAction, State};

use crate::api::Pagination;
use crate::api::audit::{AuditEntry, AuditList};
use crate::app::App;
use crate::error::ApiError;
use crate::handlers::admin::users;
use crate::http::{Request, Response, query};

const ROWS_PER_PAGE: u64 = 50;

/// `GET /api/admin/audit`, the newest first; `user` an id or an e-mail address, `path` a part of it.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let page = request.page(ROWS_PER_PAGE)?;
    let span = request.span()?;
    let user = request.parameter("user")?.filter(|user| !user.is_empty());
    let path = request.parameter("path")?.unwrap_or_default();
    let answer = app.view.read(|state| {
        // Nobody of that name did nothing.
        let by = user.as_ref().map(|name| users::find(state, name).map(|user| user.id.index));
        let is_wanted = |action: &&AdminAction| {
            by.is_none_or(|by| by == Some(action.acted.by))
                && has_part(&action.acted.path, &path)
                && span.contains(&action.acted.at)
        };
        let found = || state.audit().actions().rev().filter(is_wanted);
        let rows = found().skip(page.skip()).take(page.limit as usize);
        AuditList {
            entries: rows.filter_map(|action| entry(state, action)).collect(),
            pagination: Pagination::new(page.page, page.limit, found().count() as u64),
        }
    });
    Ok(Response::ok(&answer))
}

/// Whether a target has this in it, as it was sent or as it reads.
fn has_part(target: &str, part: &str) -> bool {
    target.contains(part) || query::decode(target).is_some_and(|reads| reads.contains(part))
}

fn entry(state: &State, action: &AdminAction) -> Option<AuditEntry> {
    let user = state.users().get(action.acted.by.position())?;
    Some(AuditEntry {
        lsn: action.lsn.0,
        at: action.acted.at.into(),
        user_id: user.id.into(),
        user_email: user.email.clone(),
        user_name: user.name.clone(),
        method: action.acted.method.clone(),
        path: action.acted.path.clone(),
        body: action.acted.body.clone(),
        made: action.made.clone(),
    })
}
