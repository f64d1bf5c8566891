//! Priority lanes of the waiting room (`tiketi_engine::waiting_room::lanes`).

use std::sync::Arc;

use tiketi_engine::ids::{EventIndex, Lane, UserIndex};
use tiketi_engine::waiting_room::lanes::LaneShare;

use crate::api::queue::{LaneList, LaneMembersAnswer, LaneMembersRequest, LaneRow};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::handlers::admin::users;
use crate::http::{Request, Response};
use crate::refusals;

/// People of one request.
const MEMBERS_PER_REQUEST_MAX: usize = 1_000;

/// `GET /api/queue/admin/:eventId/lanes`.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let lanes = lanes(app, event).ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(Response::ok(&LaneList { lanes }))
}

/// `PUT /api/queue/admin/:eventId/lanes`.
pub(crate) async fn set(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let body: LaneList = request.json()?;
    let share = |row: LaneRow| LaneShare { name: row.name, share: row.share };
    let shares = body.lanes.into_iter().map(share).collect();
    let set =
        app.engine.queue_set_lanes(event, shares, app.clock.now()).map_err(refusals::queue)?;
    let lsn = set.lsn();
    app.durable(set).await?;
    app.shown(lsn).await?;
    let lanes = lanes(app, event).unwrap_or_default();
    Ok(app.written(Response::ok(&LaneList { lanes }), lsn))
}

/// `POST /api/queue/admin/:eventId/lanes/members`.
pub(crate) async fn add_members(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let body: LaneMembersRequest = request.json()?;
    if body.users.is_empty() || body.users.len() > MEMBERS_PER_REQUEST_MAX {
        return Err(refusals::invalid("한 번에 1명부터 1,000명까지 넣을 수 있어요."));
    }
    let (lane, found) = app.view.read(|state| {
        let lanes = state.queue(event).map(|queue| queue.lanes()).unwrap_or_default();
        let lane = lanes.iter().position(|lane| lane.name == body.lane);
        let found: Vec<Option<UserIndex>> = body
            .users
            .iter()
            .map(|name| users::find(state, name).map(|user| user.id.index))
            .collect();
        (lane.map(|position| Lane(position as u8)), found)
    });
    let lane = lane.ok_or_else(|| refusals::unknown("없는 줄이에요."))?;
    let unknown = body.users.into_iter().zip(&found).filter(|(_, found)| found.is_none());
    let unknown: Vec<String> = unknown.map(|(name, _)| name).collect();
    let members: Vec<UserIndex> = found.into_iter().flatten().collect();
    let added = members.len();
    let given = app
        .engine
        .queue_give_lane(event, lane, members, app.clock.now())
        .map_err(refusals::queue)?;
    let lsn = given.lsn();
    app.durable(given).await?;
    let message = format!("{added}명을 줄에 넣었어요.");
    Ok(app.written(Response::ok(&LaneMembersAnswer { message, added, unknown }), lsn))
}

fn lanes(app: &App, event: EventIndex) -> Option<Vec<LaneRow>> {
    app.view.read(|state| {
        let queue = state.queue(event)?;
        let row = |(position, lane): (usize, &LaneShare)| {
            let index = Lane(position as u8);
            LaneRow {
                name: lane.name.clone(),
                share: lane.share,
                waiting: queue.waiting_in(index),
                members: queue.members(index) as u64,
            }
        };
        Some(queue.lanes().iter().enumerate().map(row).collect())
    })
}
