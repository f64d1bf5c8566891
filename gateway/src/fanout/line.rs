//! Where the waiting room meets the sockets: who is told what in `queue:{event}`.
//!
//! What is told comes from the commit stream, like everything on a socket (I8). That a socket is open
//! is a sign of life, which goes the other way.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use tiketi_engine::ids::{EventIndex, UserId, UserIndex};
use tokio::time::MissedTickBehavior;

use crate::api::{Id, Timestamp};
use crate::app::App;
use crate::fanout::hub::Room;
use crate::fanout::socketio;

const TICK: Duration = Duration::from_secs(1);
/// Each client answers `queue-updated` with a status call: so they are told this seldom, and more
/// seldom the more there are.
const UPDATES_EVERY: Duration = Duration::from_secs(2);
const ANSWERS_PER_SECOND: usize = 1_000;
/// Shorter than the least that a silent person may be given.
const PRESENT_EVERY: Duration = Duration::from_secs(20);
/// How long somebody may choose seats without any call.
const CHOOSING_MAX: Duration = Duration::from_secs(600);

/// What the log says of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// This user was let in.
    Admitted(UserIndex),
    /// Positions changed: somebody left, or there was a draw.
    Moved,
    /// An administrator sent everybody away.
    Cleared,
    /// Nothing is left to wait for.
    Closed,
}

/// Lines that moved, and when the people in them were last told so.
#[derive(Default)]
pub(super) struct Moved {
    events: HashSet<EventIndex>,
    told_at: HashMap<EventIndex, Instant>,
}

/// Tells news in the order of the log. The view shows them.
pub(super) fn tell(app: &App, news: impl Iterator<Item = (EventIndex, News)>) {
    for (event, news) in news {
        match news {
            News::Admitted(user) => {
                app.hub.moved.lock().events.insert(event);
                let found = app.view.read(|state| {
                    let admission = state.queue(event)?.admission(user)?;
                    Some((state.users().get(user.position())?.id, admission))
                });
                app.hub.admissions.lock().note(event, found.map(|(_, admission)| admission));
                // Gone again already: there is nothing to go in to.
                let Some((id, admission)) = found else { continue };
                let waited_ms = admission.admitted_at.0.saturating_sub(admission.joined_at.0);
                app.metrics.event(event).queue_wait.observe(waited_ms as f64 / 1_000.0);
                // Nobody's business but theirs: any client that gets it goes in.
                app.hub.to_user(app, event, user, "queue-entry-allowed", &allowed(id));
            }
            News::Moved => {
                app.hub.moved.lock().events.insert(event);
            }
            News::Cleared => tell_all(
                app,
                event,
                "queue-cleared",
                &json!({
                    "message": "관리자가 대기열을 초기화했어요. 다시 시도해 주세요."
                }),
            ),
            News::Closed => tell_all(
                app,
                event,
                "queue-cleared",
                &json!({
                    "message": "남은 좌석이 없어 대기열이 종료됐어요."
                }),
            ),
        }
    }
}

/// After part of the log was missed: whoever is in and still looks at the line is told again.
pub(super) fn tell_again(app: &App) {
    for (user, room, _) in app.hub.present() {
        let Room::Queue(event) = room else { continue };
        if let Some(id) = admitted(app, event, user) {
            app.hub.to_user(app, event, user, "queue-entry-allowed", &allowed(id));
        }
    }
}

/// What a socket that has just joined `queue:{event}` is told at once: `queue-entry-allowed` where this
/// user is admitted already (contract/socket.md 5). It is in the room by then, so an admission that
/// comes meanwhile reaches it in any case.
pub(super) async fn joined(app: &App, event: EventIndex, user: UserId) -> Option<Bytes> {
    app.engine.queue_seen(event, user.index, app.clock.now());
    // Whoever was told by HTTP may be ahead of the view; where it does not get there, the next
    // status call tells.
    let _ = app.catch_up(None).await;
    let id = admitted(app, event, user.index)?;
    app.metrics.sockets.sent("queue-entry-allowed", 1);
    Some(allowed(id))
}

/// Tells lines that they moved and the engine who is there, until the gateway stops.
pub(crate) async fn keep(app: Arc<App>) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut present_at = Instant::now();
    loop {
        tick.tick().await;
        tell_moved(&app);
        if present_at.elapsed() >= PRESENT_EVERY {
            present_at = Instant::now();
            note_presence(&app);
        }
    }
}

fn tell_moved(app: &App) {
    let now = Instant::now();
    let due: Vec<EventIndex> = {
        let mut moved = app.hub.moved.lock();
        let Moved { events, told_at } = &mut *moved;
        let is_due = |event: &EventIndex| {
            let members = app.hub.members(Room::Queue(*event));
            let pause =
                UPDATES_EVERY.max(Duration::from_secs((members / ANSWERS_PER_SECOND) as u64));
            told_at.get(event).is_none_or(|&at| now.duration_since(at) >= pause)
        };
        let due: Vec<EventIndex> = events.extract_if(is_due).collect();
        told_at.extend(due.iter().map(|&event| (event, now)));
        due
    };
    for event in due {
        let size = app.view.read(|state| Some(state.queue(event)?.waiting_count()));
        let timestamp = Timestamp(app.clock.now());
        let update = json!({"queueSize": size.unwrap_or_default(), "timestamp": timestamp});
        tell_all(app, event, "queue-updated", &update);
    }
}

/// An open socket in line keeps a place; one at a seat map keeps a session, for a while.
fn note_presence(app: &App) {
    let now = app.clock.now();
    for (user, room, since) in app.hub.present() {
        let lives = match room {
            // Whoever was let in has no business in line any more.
            Room::Queue(event) => !app.engine.queue_is_admitted(event, user, now),
            Room::Seats(_) => since.elapsed() < CHOOSING_MAX,
            Room::Event(_) | Room::Map(_) | Room::MapBinary(_) => false,
        };
        if lives {
            app.engine.queue_seen(room.event(), user, now);
        }
    }
}

/// The id of a user who is in, as far as the log is durable.
fn admitted(app: &App, event: EventIndex, user: UserIndex) -> Option<UserId> {
    app.view.read(|state| {
        state.queue(event)?.admission(user)?;
        Some(state.users().get(user.position())?.id)
    })
}

fn allowed(user: UserId) -> Bytes {
    let payload = json!({"userId": Id::from(user), "message": "입장할 차례예요."});
    socketio::event("queue-entry-allowed", &payload)
}

/// Whoever cannot take it is closed and comes back.
fn tell_all(app: &App, event: EventIndex, name: &'static str, payload: &impl Serialize) {
    app.hub.to_room(app, Room::Queue(event), name, &socketio::event(name, payload));
}
