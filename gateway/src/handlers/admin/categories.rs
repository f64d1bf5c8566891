//! Categories: a short word for what kind of event it is. One exists while an event has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use tiketi_engine::command::Category;
use tiketi_engine::state::State;

use crate::api::changes::{CategoryAnswer, CategoryList, CategoryRequest, CategoryRow};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::refusals;

/// `GET /api/admin/categories`, by name.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    app.catch_up(request.min_lsn()?).await?;
    let counts = app.view.read(count);
    let row = |(name, events)| CategoryRow { name, events };
    Ok(Response::ok(&CategoryList { categories: counts.into_iter().map(row).collect() }))
}

/// `PUT /api/admin/categories/:name`: its events go over to the new name, which may be in use.
pub(crate) async fn rename(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let category = |name: &str| Category::new(name).map_err(refusals::field);
    // What cannot be a category is none.
    let from = category(&request.path_text(0)?).map_err(|_| ApiError::new(Code::NotFound))?;
    let body: CategoryRequest = request.json()?;
    let to = category(&body.name)?;
    app.catch_up(None).await?;
    let is_in_use = |state: &State| {
        state.listed_events().any(|(_, event)| event.category.as_deref() == Some(from.name()))
    };
    if !app.view.read(is_in_use) {
        return Err(ApiError::new(Code::NotFound));
    }
    let name = to.name().to_owned();
    let by = Some(request.user()?.user.index);
    let pending =
        app.engine.rename_category(from, to, by, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    app.shown(lsn).await?;
    let events = app.view.read(count).get(&name).copied().unwrap_or(0);
    let category = CategoryRow { name, events };
    let answer = CategoryAnswer { message: "분류 이름을 바꿨어요.".to_owned(), category };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// How many events are in each.
fn count(state: &State) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for (_, event) in state.listed_events() {
        if let Some(category) = &event.category {
            *counts.entry(category.clone()).or_insert(0) += 1;
        }
    }
    counts
}
