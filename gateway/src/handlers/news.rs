//! News (contract/http.md 2.8). Who writes is who the token says (⚖D5).

use std::sync::Arc;

use tiketi_engine::command::{EditPost, NewPost};
use tiketi_engine::ids::{ExternalId, Lsn, NewsIndex};
use tiketi_engine::state::{Post, State};

use crate::api::news::{NewsAnswer, NewsEditRequest, NewsList, NewsPost, NewsRequest};
use crate::api::reservations::Done;
use crate::api::{Id, Pagination};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::refusals;

const DEFAULT_LIMIT: u64 = 20;

/// `GET /api/news`.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let page = request.page(DEFAULT_LIMIT)?;
    let answer = app.view.read(|state| {
        let newest = || state.news().posts().rev();
        let pinned = newest().filter(|(_, post)| post.is_pinned);
        let others = newest().filter(|(_, post)| !post.is_pinned);
        let rows = pinned.chain(others).skip(page.skip()).take(page.limit as usize);
        NewsList {
            news: rows.map(|(index, post)| shown(app, state, index, post)).collect(),
            pagination: Pagination::new(page.page, page.limit, state.news().count() as u64),
        }
    });
    Ok(Response::ok(&answer))
}

/// `GET /api/news/:id`: a view, counted before it is answered.
pub(crate) async fn detail(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let index = request.news_id(0)?;
    // One that is not durable yet is not there, and is not counted.
    let is_there = app.view.read(|state| state.news().post(index).is_some());
    if !is_there || app.engine.view_news(index).is_none() {
        return Err(ApiError::new(Code::NotFound));
    }
    Ok(Response::ok(&answer(app, index)?))
}

/// `POST /api/news`, whoever is logged in.
pub(crate) async fn write(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let caller = request.user()?;
    let body: NewsRequest = request.json()?;
    if body.author.trim().is_empty() {
        return Err(refusals::invalid("작성자를 입력해 주세요."));
    }
    app.catch_up(None).await?;
    let (author_name, is_known) = app.view.read(|state| {
        let is_known = body.author_id.is_none_or(|id| is_account(state, id));
        (state.user(caller.user).map(|user| user.name.clone()), is_known)
    });
    if !is_known {
        return Err(refusals::unknown("없는 계정이에요."));
    }
    let is_pinned = caller.is_admin() && body.is_pinned == Some(true);
    let post = NewPost {
        title: body.title.trim().to_owned(),
        content: body.content,
        author: Some(caller.user.index),
        author_name: author_name.ok_or_else(|| ApiError::new(Code::UserNotFound))?,
        is_pinned,
        views: 0,
    };
    let post = post.check().map_err(refusals::field)?;
    let pending = app.engine.post_news(post, app.clock.now()).map_err(refusals::news)?;
    let lsn = pending.lsn();
    let index = app.durable(pending).await?;
    app.shown(lsn).await?;
    let response = Response::created(&answer(app, index)?).by_an_administrator(is_pinned);
    Ok(app.written(response, lsn))
}

/// `PUT /api/news/:id`, the author alone.
pub(crate) async fn edit(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let caller = request.user()?;
    let index = request.news_id(0)?;
    let body: NewsEditRequest = request.json()?;
    let is_pinned = body.is_pinned.filter(|_| caller.is_admin());
    let edit = EditPost {
        news: index,
        title: body.title.trim().to_owned(),
        content: body.content,
        is_pinned,
        by: caller.user.index,
    };
    let edit = edit.check().map_err(refusals::field)?;
    let pending = app.engine.edit_news(edit, app.clock.now()).map_err(refusals::news)?;
    let lsn: Lsn = pending.lsn();
    app.durable(pending).await?;
    app.shown(lsn).await?;
    let response = Response::ok(&answer(app, index)?).by_an_administrator(is_pinned.is_some());
    Ok(app.written(response, lsn))
}

/// `DELETE /api/news/:id`, the author or an administrator.
pub(crate) async fn delete(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let caller = request.user()?;
    let index = request.news_id(0)?;
    let may_any = caller.is_admin();
    let pending = app
        .engine
        .delete_news(index, caller.user.index, may_any, app.clock.now())
        .map_err(refusals::news)?;
    let lsn = pending.lsn();
    let was_anothers = app.durable(pending).await?;
    let answer = Response::ok(&Done { message: "소식을 삭제했어요.".to_owned() });
    Ok(app.written(answer, lsn).by_an_administrator(was_anothers))
}

fn answer(app: &App, index: NewsIndex) -> Result<NewsAnswer, ApiError> {
    let news = app.view.read(|state| {
        let post = state.news().post(index)?;
        Some(shown(app, state, index, post))
    });
    // Somebody may have deleted it meanwhile.
    news.map(|news| NewsAnswer { news }).ok_or_else(|| ApiError::new(Code::NotFound))
}

fn shown(app: &App, state: &State, index: NewsIndex, post: &Post) -> NewsPost {
    let author = post.author.and_then(|author| state.users().get(author.position()));
    NewsPost {
        id: index.into(),
        title: post.title.clone(),
        content: post.content.clone(),
        author: post.author_name.clone(),
        author_id: author.map(|author| author.id.into()),
        // Memory is ahead of the log by the views of the last seconds.
        views: app.engine.news_views(index).unwrap_or(post.views),
        is_pinned: post.is_pinned,
        created_at: post.created_at.into(),
        updated_at: post.updated_at.into(),
        created_at_of_list: post.created_at.into(),
        updated_at_of_list: post.updated_at.into(),
    }
}

fn is_account(state: &State, id: Id) -> bool {
    match ExternalId::decode(id.0) {
        Some(ExternalId::User(user)) => state.user(user).is_some(),
        _ => false,
    }
}
