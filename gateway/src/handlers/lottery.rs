//! Lobbies and draws of the waiting room (`tiketi_engine::waiting_room::draw`).

use std::sync::Arc;

use rand::Rng;
use tiketi_engine::ids::{Place, UserIndex};
use tiketi_engine::state::{Draw, Queue};
use tiketi_engine::waiting_room::draw::{SEED_BYTES, commitment};

use crate::api::queue::{DrawAnswer, DrawRequest, LobbyAnswer, QueueMessage};
use crate::api::{Pagination, hex};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Page, Request, Response};
use crate::refusals;

/// Tickets on one page of a draw, where nobody asks for fewer.
const TICKETS_PER_PAGE: u64 = 1_000;

/// `POST /api/queue/admin/:eventId/lobby`. The seed is nowhere but in the log until the draw.
pub(crate) async fn open(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let mut seed = [0; SEED_BYTES];
    rand::rng().fill_bytes(&mut seed);
    let opened =
        app.engine.queue_open_lobby(event, seed, app.clock.now()).map_err(refusals::queue)?;
    let lsn = opened.lsn();
    // Who published before that might have to publish another.
    app.durable(opened).await?;
    let answer = LobbyAnswer {
        message: "추첨 대기실을 열었어요.".to_owned(),
        commitment: hex(&commitment(&seed)),
    };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// `POST /api/queue/admin/:eventId/draw`.
pub(crate) async fn draw(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let DrawRequest { beacon } = request.json()?;
    if beacon.len() > tiketi_engine::limits::BEACON_BYTES_MAX {
        return Err(refusals::invalid("추첨에 더하는 값은 200바이트까지예요."));
    }
    // Many people take a while: no worker is kept from others meanwhile.
    let (drawing, now) = (Arc::clone(app), app.clock.now());
    let drawn = tokio::task::spawn_blocking(move || drawing.engine.queue_draw(event, &beacon, now));
    let pending = drawn
        .await
        .map_err(|panic| ApiError::new(Code::Internal).cause(panic))?
        .map_err(refusals::queue)?;
    let lsn = pending.lsn();
    let entrants = app.durable(pending).await?;
    app.shown(lsn).await?;
    let message = format!("{entrants}명의 순서를 추첨했어요.");
    Ok(app.written(Response::ok(&QueueMessage { message }), lsn))
}

/// `GET /api/queue/draw/:eventId`.
pub(crate) async fn show(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let page = request.page(TICKETS_PER_PAGE)?;
    let user = request.caller.map(|caller| caller.user.index);
    let answer =
        app.view.read(|state| state.queue(event).and_then(|queue| tell(queue, page, user)));
    match answer {
        Some(answer) => Ok(Response::ok(&answer)),
        None => Err(ApiError::new(Code::NotFound)),
    }
}

fn tell(queue: &Queue, page: Page, user: Option<UserIndex>) -> Option<DrawAnswer> {
    let lottery = queue.lottery()?;
    let drawn = lottery.drawn.as_ref();
    let entrants = drawn.map_or(0, |draw| draw.tickets.len());
    let place = user.and_then(|user| queue.place(user)).map(|(place, _)| place);
    let ticket = match drawn {
        Some(draw) => place.and_then(|place| ticket_of(draw, place)),
        None => place.map(|place| place.0),
    };
    let on_page = |draw: &Draw| -> Vec<u32> {
        let tickets = draw.tickets.iter().skip(page.skip()).take(page.limit as usize);
        tickets.map(|ticket| ticket.0).collect()
    };
    Some(DrawAnswer {
        drawn: drawn.is_some(),
        commitment: hex(&commitment(&lottery.seed)),
        opened_at: lottery.opened_at.into(),
        seed: drawn.map(|_| hex(&lottery.seed)),
        beacon: drawn.map(|draw| draw.beacon.clone()),
        drawn_at: drawn.map(|draw| draw.at.into()),
        first_place: drawn.map(|draw| draw.first.0),
        entrants: drawn.map(|_| entrants as u32),
        tickets: drawn.map(on_page).unwrap_or_default(),
        ticket,
        pagination: Pagination::new(page.page, page.limit, entrants as u64),
    })
}

/// The ticket that was drawn for a place; who joined later has none.
fn ticket_of(draw: &Draw, place: Place) -> Option<u32> {
    let position = place.0.checked_sub(draw.first.0)?;
    draw.tickets.get(position as usize).map(|ticket| ticket.0)
}
