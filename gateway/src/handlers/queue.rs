//! The waiting room (contract/http.md 2.7, contract/domain.md 5).

use std::sync::Arc;

use tiketi_engine::error::CommandError;
use tiketi_engine::ids::{EventIndex, ExternalId, Lsn};
use tiketi_engine::journal::Pending;
use tiketi_engine::waiting_room::{QueueChange, QueueCounts, QueuePlace, QueueRefusal, Standing};

use crate::api::Id;
use crate::api::queue::{
    AdmitRequest, CheckAnswer, PassAnswer, QueueAnswer, QueueChangeRequest, QueueMessage,
    StatusAnswer, rate_milli,
};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::handlers::admin::stats;
use crate::http::{Request, Response};
use crate::refusals;

/// `POST /api/queue/check/:eventId`: lets the caller in, or gives a place in line.
pub(crate) async fn check(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (place, lsn) = place_of(app, request).await?;
    let QueuePlace { standing, counts } = place;
    let (position, estimated_wait) = match standing {
        Standing::Admitted => (None, None),
        Standing::Waiting { position, estimated_wait_s } => {
            (Some(position), Some(estimated_wait_s))
        }
    };
    let answer = CheckAnswer {
        queued: position.is_some(),
        position,
        estimated_wait,
        current_users: counts.active,
        threshold: counts.threshold,
        queue_size: counts.waiting,
    };
    Ok(app.written(Response::ok(&answer), lsn))
}

/// `GET /api/queue/status/:eventId`. To whoever is neither in line nor inside it is a check: the
/// frontend takes `queued: false` for permission.
pub(crate) async fn status(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (QueuePlace { standing, counts }, _) = place_of(app, request).await?;
    let (queued, position, estimated_wait) = match standing {
        Standing::Admitted => (false, 0, 0),
        Standing::Waiting { position, estimated_wait_s } => (true, position, estimated_wait_s),
    };
    let answer = StatusAnswer {
        queued,
        position,
        queue_size: counts.waiting,
        estimated_wait,
        current_users: counts.active,
        threshold: counts.threshold,
    };
    Ok(Response::ok(&answer))
}

/// `POST /api/queue/leave/:eventId`: forgets the caller, wherever they are.
pub(crate) async fn leave(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (event, user) = (request.event_id(0)?, request.user()?.user.index);
    let left = app.engine.queue_leave(event, user, app.clock.now());
    done(app, left, "대기열에서 나왔어요.").await
}

/// `GET /api/queue/pass/:eventId`: for whoever is inside.
pub(crate) async fn pass(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let (event, user) = (request.event_id(0)?, request.user()?.user);
    let (QueuePlace { standing, .. }, _) = place_of(app, request).await?;
    if standing != Standing::Admitted {
        return Err(ApiError::new(Code::QueueRequired));
    }
    let (pass, expires_at) = app
        .passes
        .issue(user, event, app.clock.now())
        .map_err(|error| ApiError::new(Code::Internal).cause(error))?;
    Ok(Response::ok(&PassAnswer { pass, expires_at: expires_at.into() }))
}

/// `GET /api/queue/admin/:eventId`.
pub(crate) async fn show(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let counts = app.engine.queue_counts(event).ok_or_else(|| ApiError::new(Code::NotFound))?;
    Ok(Response::ok(&answer_of(app, event, counts)))
}

/// `POST /api/queue/admin/clear/:eventId`: empties the line and the room.
pub(crate) async fn clear(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let cleared = app.engine.queue_clear(event, app.clock.now());
    done(app, cleared, "대기열을 비웠어요.").await
}

/// `PUT /api/queue/admin/:eventId`: threshold, rate, pause; each that is given.
pub(crate) async fn change(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let body: QueueChangeRequest = request.json()?;
    let rate = body.rate.map(milli).transpose()?;
    if body.threshold == Some(0) {
        return Err(refusals::invalid("한 명 이상이 들어갈 수 있어야 해요."));
    }
    // A pause comes first and its end last, so that nobody is let in on half of what was asked.
    let [pause, open] = [true, false]
        .map(|paused| body.paused.filter(|&wanted| wanted == paused).map(QueueChange::Paused));
    let changes =
        [pause, rate.map(QueueChange::Rate), body.threshold.map(QueueChange::Threshold), open];
    let mut last = None;
    for change in changes.into_iter().flatten() {
        let changed = app.engine.queue_change(event, change, app.clock.now()).map_err(refused)?;
        last = Some(changed);
    }
    let Some(pending) = last else { return show(app, request).await };
    let lsn = pending.lsn();
    let counts = app.durable(pending).await?;
    Ok(app.written(Response::ok(&answer_of(app, event, counts)), lsn))
}

/// `POST /api/queue/admin/:eventId/admit`: lets somebody in out of turn.
pub(crate) async fn admit(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let event = request.event_id(0)?;
    let body: AdmitRequest = request.json()?;
    let user = match ExternalId::decode(body.user_id.0) {
        Some(ExternalId::User(user)) if app.has_account(user) => user.index,
        _ => return Err(refusals::unknown("없는 계정이에요.")),
    };
    let admitted = app.engine.queue_admit(event, user, app.clock.now());
    done(app, admitted, "입장시켰어요.").await
}

/// What comes before a hold. A pass that is sent has to be good. Where nobody has to wait, whoever
/// buys is let in by that: deep links to the seat page never call `check` (contract/http.md, D2). Where
/// somebody waits the engine refuses whoever was not let in.
///
/// # Errors
/// 403 for a pass that is forged, another's, another event's or over.
pub(crate) fn before_hold(app: &App, request: &Request, event: EventIndex) -> Result<(), ApiError> {
    let (user, now) = (request.user()?.user, app.clock.now());
    if let Some(pass) = request.pass() {
        app.passes
            .verify(pass, user, event, now)
            .map_err(|_| ApiError::new(Code::QueueRequired).cause("admission pass"))?;
    }
    // A refusal is the hold's to make.
    let _ = app.engine.queue_let_in(event, user.index, now);
    Ok(())
}

impl App {
    /// A call about an event is a sign of life of whoever is inside it or waits.
    pub(crate) fn seen(&self, request: &Request, event: EventIndex) {
        if let Some(caller) = request.caller {
            self.engine.queue_seen(event, caller.user.index, self.clock.now());
        }
    }
}

async fn place_of(app: &Arc<App>, request: &Request) -> Result<(QueuePlace, Lsn), ApiError> {
    let (event, user) = (request.event_id(0)?, request.user()?.user.index);
    let pending = app.engine.queue_check(event, user, app.clock.now()).map_err(refused)?;
    let lsn = pending.lsn();
    let mut place = app.durable(pending).await?;
    if let Standing::Waiting { position, .. } = place.standing {
        // Counted before the caller came, who is in the line by now: the page divides by it.
        place.counts.waiting = place.counts.waiting.max(position);
    }
    Ok((place, lsn))
}

async fn done<T>(
    app: &Arc<App>,
    result: Result<Pending<T>, CommandError<QueueRefusal>>,
    message: &str,
) -> Result<Response, ApiError> {
    let pending = result.map_err(refused)?;
    let lsn = pending.lsn();
    app.durable(pending).await?;
    Ok(app.written(Response::ok(&QueueMessage { message: message.to_owned() }), lsn))
}

fn refused(error: CommandError<QueueRefusal>) -> ApiError {
    refusals::queue(error)
}

fn answer_of(app: &App, event: EventIndex, counts: QueueCounts) -> QueueAnswer {
    let stock = app.view.read(|state| state.event(event).map(stats::stock));
    let (seats, tickets) = stock.unwrap_or_default();
    let mut admissions = app.hub.admissions.lock();
    QueueAnswer {
        event_id: Id::from(event),
        queue_size: counts.waiting,
        current_users: counts.active,
        threshold: counts.threshold,
        available: i64::from(counts.threshold) - i64::from(counts.active),
        rate: counts.rate_milli.map(|milli| milli as f64 / 1000.0),
        paused: counts.paused,
        lobby: counts.lobby,
        admitted: admissions.count(event),
        wait_seconds: admissions.waits(event, app.clock.now()),
        seats,
        tickets,
    }
}

/// People a second, in thousandths.
fn milli(rate: Option<f64>) -> Result<Option<u64>, ApiError> {
    let wrong = || refusals::invalid("초당 입장 인원은 0.001명부터 정할 수 있어요.");
    rate.map(|rate| rate_milli(rate).ok_or_else(wrong)).transpose()
}
