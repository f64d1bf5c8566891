//! Venue layouts.

use std::sync::Arc;

use tiketi_engine::command::NewLayout;
use tiketi_engine::error::{CatalogRefusal, CommandError};
use tiketi_engine::ids::{LayoutIndex, Lsn};
use tiketi_engine::record::Section;

use crate::api::admin::{LayoutAnswer, NewLayoutRequest};
use crate::api::seats::LayoutList;
use crate::app::App;
use crate::catalog_view;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::refusals;

/// `GET /api/admin/seat-layouts`, by name.
pub(crate) async fn list(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    let mut layouts = app.view.read(catalog_view::layouts);
    layouts.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(Response::ok(&LayoutList { layouts }))
}

/// `POST /api/admin/seat-layouts`.
pub(crate) async fn create(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (layout, lsn) = make(app, request.json()?).await?;
    app.shown(lsn).await?;
    let layout = app
        .view
        .read(|state| Some(catalog_view::layout(layout, state.layout(layout)?)))
        .ok_or_else(|| {
        ApiError::new(Code::Internal).cause("a new layout is not in the view")
    })?;
    let answer = LayoutAnswer { message: "좌석 배치를 만들었어요.".to_owned(), layout };
    Ok(app.written(Response::created(&answer), lsn))
}

/// Makes a layout and waits for its record.
pub(super) async fn make(
    app: &App,
    wanted: NewLayoutRequest,
) -> Result<(LayoutIndex, Lsn), ApiError> {
    let new = new_layout(wanted).check().map_err(refusals::field)?;
    let pending = app.engine.create_layout(new, app.clock.now()).map_err(refusals::catalog)?;
    let lsn = pending.lsn();
    Ok((app.durable(pending).await?, lsn))
}

/// Makes a layout unless there is one of this name and these sections.
pub(super) async fn make_or_find(
    app: &App,
    wanted: NewLayoutRequest,
) -> Result<LayoutIndex, ApiError> {
    let new = new_layout(wanted);
    let checked = new.clone().check().map_err(refusals::field)?;
    match app.engine.create_layout(checked, app.clock.now()) {
        Ok(pending) => app.durable(pending).await,
        Err(CommandError::Refused(CatalogRefusal::LayoutNameTaken)) => {
            app.catch_up(Some(app.engine.journal().appended_lsn())).await?;
            let found = app.view.read(|state| {
                let same = |layout: &tiketi_engine::state::Layout| {
                    layout.name == new.name && layout.sections == new.sections
                };
                state.layouts().iter().position(same)
            });
            // Another one of this name: the caller has to choose another.
            let taken = CommandError::Refused(CatalogRefusal::LayoutNameTaken);
            found.map(|index| LayoutIndex(index as u32)).ok_or_else(|| refusals::catalog(taken))
        }
        Err(error) => Err(refusals::catalog(error)),
    }
}

fn new_layout(wanted: NewLayoutRequest) -> NewLayout {
    NewLayout {
        name: wanted.name.trim().to_owned(),
        description: wanted.description.filter(|text| !text.is_empty()),
        sections: wanted.sections.into_iter().map(Section::from).collect(),
    }
}
