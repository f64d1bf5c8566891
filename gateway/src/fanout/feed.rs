//! One event's rooms: who is in them, what they were told, and which seats changed when.
//!
//! Everything a member gets of an event is read from the view and queued under the feed's lock, so
//! each socket sees positions of the log that only ever rise. A frame is encoded once, whoever gets
//! it; so is the state that late comers and those who fell behind are given.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use tiketi_engine::ids::{EventIndex, ExternalId, Lsn, SeatIndex, TicketTypeIndex};
use tiketi_engine::record::Claim;
use tiketi_engine::state::{self, Event};

use crate::api::seats::SeatStatus;
use crate::api::{Id, Timestamp};
use crate::app::App;
use crate::fanout::client::{Client, ClientId};
use crate::fanout::hub::{Room, Touched};
use crate::fanout::{frames, map, socketio};
use crate::metrics::SocketMetrics;

/// Frames of many seats go out in pieces of about this size, a whole number of frames each.
const PIECE_BYTES: usize = 16 * 1024;

/// A seat and what it is to a buyer.
pub(super) type SeatState = (SeatIndex, SeatStatus);

/// See the module.
pub(super) struct EventFeed {
    event: EventIndex,
    /// By [`slot`] of the room.
    members: [HashMap<ClientId, Arc<Client>>; ROOMS],
    /// Members have had everything up to here, unless they are behind.
    published: Lsn,
    /// By seat, the last record that touched it; empty while none did.
    changed: Vec<Lsn>,
    /// Up to here any seat may have changed.
    unknown_up_to: Lsn,
    /// The states asked for last, by [`slot`].
    kept: [Option<Kept>; ROOMS],
}

const ROOMS: usize = 5;

struct Kept {
    since: Lsn,
    /// Of the event's inventory.
    as_of: Lsn,
    /// What is touched later than this, by then, was not known to be: it went to the members of
    /// then, and is for those who come after to be told.
    published: Lsn,
    frames: Arc<[Bytes]>,
}

fn slot(room: Room) -> usize {
    match room {
        Room::Event(_) => 0,
        Room::Queue(_) => 1,
        Room::Seats(_) => 2,
        Room::Map(_) => 3,
        Room::MapBinary(_) => 4,
    }
}

/// What a publication tells.
struct Fresh {
    /// The last record that changed the event's seats or tickets.
    as_of: Lsn,
    seats: Vec<SeatState>,
    tickets: Vec<TicketUpdate>,
}

/// `ticket-updated`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TicketUpdate {
    ticket_type_id: Id,
    available_quantity: u32,
    total_quantity: u32,
    timestamp: Timestamp,
}

/// `seat-selected`, `seat-released`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SeatUpdate {
    seat_id: Id,
    status: SeatStatus,
    timestamp: Timestamp,
}

impl EventFeed {
    pub(super) fn new(event: EventIndex, unknown_up_to: Lsn) -> Self {
        EventFeed {
            event,
            members: Default::default(),
            published: Lsn::ZERO,
            changed: Vec::new(),
            unknown_up_to,
            kept: Default::default(),
        }
    }

    // === members ===

    pub(super) fn enter(&mut self, room: Room, client: &Arc<Client>) {
        self.members[slot(room)].insert(client.id, Arc::clone(client));
    }

    pub(super) fn leave(&mut self, room: Room, client: ClientId) {
        let members = &mut self.members[slot(room)];
        members.remove(&client);
        if members.is_empty() {
            // What ten thousand needed is not kept for nobody.
            *members = HashMap::new();
            self.kept[slot(room)] = None;
        }
    }

    pub(super) fn count(&self, room: Room) -> usize {
        self.members[slot(room)].len()
    }

    /// A frame that no later one makes up for; returns how many it went to.
    pub(super) fn tell(&self, room: Room, frame: &Bytes) -> usize {
        let members = &self.members[slot(room)];
        members.values().for_each(|client| client.must_get(frame));
        members.len()
    }

    // === publishing ===

    /// Tells every room what became of what was touched, up to `seen`.
    pub(super) fn publish(&mut self, app: &App, touched: &Touched, seen: Lsn) {
        let now = Timestamp(app.clock.now());
        let fresh = app.view.read(|state| {
            let event = state.event(self.event)?;
            let (seats, tickets) = self.mark(event, touched);
            Some(Fresh {
                as_of: event.inventory_lsn(),
                seats: match self.has_seat_viewers() {
                    true => states(event, &seats),
                    false => Vec::new(),
                },
                tickets: match tickets && !self.members[0].is_empty() {
                    true => ticket_updates(self.event, event, now),
                    false => Vec::new(),
                },
            })
        });
        let Some(fresh) = fresh else { return };
        let metrics = &app.metrics.sockets;
        if !fresh.tickets.is_empty() {
            self.send(Room::Event(self.event), &ticket_frames(&fresh.tickets), metrics);
            metrics.sent("ticket-updated", fresh.tickets.len() * self.members[0].len());
        }
        if !fresh.seats.is_empty() {
            let room = Room::Seats(self.event);
            if self.count(room) > 0 {
                self.send(room, &seat_frames(self.event, &fresh.seats, now), metrics);
                let taken = fresh.seats.iter().filter(|(_, status)| is_taken(*status)).count();
                metrics.sent("seat-selected", taken * self.count(room));
                metrics.sent("seat-released", (fresh.seats.len() - taken) * self.count(room));
            }
            for room in [Room::Map(self.event), Room::MapBinary(self.event)] {
                if self.count(room) > 0 {
                    self.send(room, &[map::delta(room, fresh.as_of, &fresh.seats)], metrics);
                    metrics.sent("delta", self.count(room));
                }
            }
        }
        self.published = seen;
    }

    fn has_seat_viewers(&self) -> bool {
        self.members[2..].iter().any(|members| !members.is_empty())
    }

    /// Notes which seats were touched when; returns them, and whether tickets were.
    fn mark(&mut self, event: &Event, touched: &Touched) -> (Vec<SeatIndex>, bool) {
        if self.changed.is_empty() {
            self.changed = vec![Lsn::ZERO; event.plan().seat_count() as usize];
        }
        let mut tickets = touched.tickets;
        let mut seats: Vec<SeatIndex> = Vec::with_capacity(touched.seats.len());
        let mut mark = |seat: SeatIndex, lsn: Lsn| {
            if let Some(changed) = self.changed.get_mut(seat.position()) {
                *changed = lsn.max(*changed);
                seats.push(seat);
            }
        };
        for &(seat, lsn) in &touched.seats {
            mark(seat, lsn);
        }
        if let Some(lsn) = touched.all_seats {
            (0..event.plan().seat_count()).for_each(|seat| mark(SeatIndex(seat), lsn));
        }
        for &(order, lsn) in &touched.orders {
            match event.order(order).map(|order| &order.claim) {
                Some(Claim::Seats(seats)) => seats.iter().for_each(|&seat| mark(seat, lsn)),
                Some(Claim::Tickets(_)) => tickets = true,
                None => {}
            }
        }
        seats.sort_unstable();
        seats.dedup();
        (seats, tickets)
    }

    fn send(&self, room: Room, frames: &[Bytes], metrics: &SocketMetrics) {
        let members = self.members[slot(room)].values();
        let behind = members.filter(|client| !client.publish(room, frames, self.published)).count();
        metrics.fell_behind(behind);
    }

    /// What happened up to `lsn` is not known: everybody is behind.
    pub(super) fn lose_track(&mut self, lsn: Lsn) {
        self.unknown_up_to = lsn;
        for room in [
            Room::Event(self.event),
            Room::Seats(self.event),
            Room::Map(self.event),
            Room::MapBinary(self.event),
        ] {
            for client in self.members[slot(room)].values() {
                client.fall_behind(room, self.published);
            }
        }
        self.published = lsn;
    }

    // === states ===

    /// The state of a room for somebody who has had everything up to `since`.
    pub(super) fn state(&mut self, app: &App, room: Room, since: Lsn) -> Arc<[Bytes]> {
        let now = Timestamp(app.clock.now());
        match room {
            Room::Queue(_) => Arc::default(),
            Room::Event(_) => {
                let updates = app
                    .view
                    .read(|state| Some(ticket_updates(self.event, state.event(self.event)?, now)));
                let updates = updates.unwrap_or_default();
                app.metrics.sockets.sent("ticket-updated", updates.len());
                ticket_frames(&updates).into()
            }
            Room::Seats(_) => self.kept(app, room, since, |feed, event| {
                seat_frames(feed.event, &states(event, &feed.changed_since(since, event)), now)
            }),
            Room::Map(_) | Room::MapBinary(_) => {
                // The whole map, whatever they had.
                self.kept(app, room, Lsn::ZERO, |feed, event| {
                    vec![map::snapshot(room, feed.event, event)]
                })
            }
        }
    }

    /// The frames made before, where nothing has changed meanwhile.
    fn kept(
        &mut self,
        app: &App,
        room: Room,
        since: Lsn,
        make: impl FnOnce(&EventFeed, &Event) -> Vec<Bytes>,
    ) -> Arc<[Bytes]> {
        let made = app.view.read(|state| {
            let event = state.event(self.event)?;
            let as_of = event.inventory_lsn();
            if let Some(kept) = &self.kept[slot(room)]
                && (kept.since, kept.as_of, kept.published) == (since, as_of, self.published)
            {
                return Some(Err(Arc::clone(&kept.frames)));
            }
            Some(Ok((as_of, make(self, event))))
        });
        match made {
            None => Arc::default(),
            Some(Err(frames)) => frames,
            Some(Ok((as_of, frames))) => {
                let frames: Arc<[Bytes]> = frames.into();
                let published = self.published;
                self.kept[slot(room)] =
                    Some(Kept { since, as_of, published, frames: Arc::clone(&frames) });
                frames
            }
        }
    }

    /// Seats that changed after `since`, as far as the stream has been followed; what is later is
    /// still to be published to everybody.
    fn changed_since(&self, since: Lsn, event: &Event) -> Vec<SeatIndex> {
        if since < self.unknown_up_to {
            return (0..event.plan().seat_count()).map(SeatIndex).collect();
        }
        let changed = self.changed.iter().enumerate().filter(|(_, lsn)| **lsn > since);
        changed.map(|(seat, _)| SeatIndex(seat as u32)).collect()
    }
}

fn is_taken(status: SeatStatus) -> bool {
    status != SeatStatus::Available
}

fn states(event: &Event, seats: &[SeatIndex]) -> Vec<SeatState> {
    seats.iter().map(|&seat| (seat, event.seat_status(seat).into())).collect()
}

fn ticket_updates(index: EventIndex, event: &Event, timestamp: Timestamp) -> Vec<TicketUpdate> {
    let update = |(position, kind): (usize, &state::TicketType)| TicketUpdate {
        ticket_type_id: ExternalId::TicketType(index, TicketTypeIndex(position as u16)).into(),
        available_quantity: kind.available(),
        total_quantity: kind.total_quantity,
        timestamp,
    };
    event.ticket_types.iter().enumerate().map(update).collect()
}

fn ticket_frames(updates: &[TicketUpdate]) -> Vec<Bytes> {
    updates.iter().map(|update| socketio::event("ticket-updated", update)).collect()
}

fn seat_frames(event: EventIndex, seats: &[SeatState], timestamp: Timestamp) -> Vec<Bytes> {
    let mut pieces = Vec::new();
    let mut piece = Vec::new();
    let mut packet = Vec::new();
    for &(seat, status) in seats {
        let name = if is_taken(status) { "seat-selected" } else { "seat-released" };
        let update =
            SeatUpdate { seat_id: ExternalId::Seat(event, seat).into(), status, timestamp };
        packet.clear();
        socketio::put_event(&mut packet, name, &update);
        frames::put_text(&mut piece, &packet);
        if piece.len() >= PIECE_BYTES {
            pieces.push(Bytes::from(std::mem::take(&mut piece)));
        }
    }
    if !piece.is_empty() {
        pieces.push(Bytes::from(piece));
    }
    pieces
}
