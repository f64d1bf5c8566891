//! One socket as the hub sees it: a bounded queue of frames that others have encoded.
//!
//! Whoever publishes never waits for a socket. What does not fit is not queued; the room it was for
//! is remembered as *behind*, and once the socket has sent everything it has, the hub gives it the
//! present state of that room instead (`Hub::catch_up`).

use std::collections::VecDeque;
use std::task::Waker;
use std::time::Instant;

use bytes::Bytes;
use parking_lot::Mutex;
use tiketi_engine::ids::{Lsn, UserIndex};

use crate::fanout::hub::Room;

/// Frames that may wait for a socket, and their bytes.
pub(super) const QUEUE_FRAMES_MAX: usize = 256;
pub(super) const QUEUE_BYTES_MAX: usize = 64 * 1024;
/// Rooms a socket may be in: three for each of the pages one can have open.
pub(super) const ROOMS_MAX: usize = 16;
/// What a socket takes of its queue at a time.
const TAKEN_BYTES_MAX: usize = 32 * 1024;

/// Names a client; never used twice in one process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct ClientId(pub(crate) u64);

/// See the module.
pub(crate) struct Client {
    pub(crate) id: ClientId,
    outbox: Mutex<Outbox>,
}

#[derive(Default)]
struct Outbox {
    queue: VecDeque<Bytes>,
    bytes: usize,
    /// With the instant each was entered.
    rooms: Vec<(Room, Instant)>,
    /// Rooms of which something was not queued, and the last record of which everything was.
    behind: Vec<(Room, Lsn)>,
    user: Option<UserIndex>,
    /// Something was lost that no state brings back.
    is_lost: bool,
    is_shut_out: bool,
    waker: Option<Waker>,
}

/// What a socket finds to do.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// Frames are to be sent.
    Frames,
    /// The queue is empty, and the hub is to be asked for the state of a room since a record.
    CatchUp(Room, Lsn),
    /// Something that must arrive did not fit.
    Lost,
    /// Its user may not be here any more.
    ShutOut,
    /// Nothing; the waker is kept.
    Nothing,
}

impl Client {
    pub(super) fn new(id: ClientId) -> Self {
        Client { id, outbox: Mutex::default() }
    }

    // === for the hub ===

    /// Queues the frames of a room as of some record; `since` is the last one of which the socket
    /// has had everything. Returns whether they fitted.
    pub(super) fn publish(&self, room: Room, frames: &[Bytes], since: Lsn) -> bool {
        let mut outbox = self.outbox.lock();
        if outbox.behind.iter().any(|(behind, _)| *behind == room) {
            // It will get the state of then, not of now.
            return true;
        }
        let fits = outbox.fits(frames);
        match fits {
            true => outbox.queue(frames),
            false => outbox.behind.push((room, since)),
        }
        wake(outbox);
        fits
    }

    /// The room is to be given anew, from what followed `since`.
    pub(super) fn fall_behind(&self, room: Room, since: Lsn) {
        let mut outbox = self.outbox.lock();
        if !outbox.behind.iter().any(|(behind, _)| *behind == room) {
            outbox.behind.push((room, since));
        }
        wake(outbox);
    }

    /// Queues what no later state makes up for. Where it does not fit the socket is closed: the peer
    /// comes back and asks.
    pub(super) fn must_get(&self, frame: &Bytes) {
        let mut outbox = self.outbox.lock();
        let frames = std::slice::from_ref(frame);
        match outbox.fits(frames) {
            true => outbox.queue(frames),
            false => outbox.is_lost = true,
        }
        wake(outbox);
    }

    /// The socket is closed; its user may not be here any more.
    pub(super) fn shut_out(&self) {
        let mut outbox = self.outbox.lock();
        outbox.is_shut_out = true;
        wake(outbox);
    }

    /// Queues answers to the socket's own message, or the state it fell behind: it waits for them, so
    /// they are not bounded by the queue but by what was asked.
    pub(super) fn answer(&self, frames: &[Bytes]) {
        let mut outbox = self.outbox.lock();
        outbox.queue(frames);
        wake(outbox);
    }

    /// Notes a room; `false` where it is in it already or in too many.
    pub(super) fn enter(&self, room: Room) -> bool {
        let mut outbox = self.outbox.lock();
        if outbox.rooms.len() >= ROOMS_MAX || outbox.is_in(room) {
            return false;
        }
        outbox.rooms.push((room, Instant::now()));
        true
    }

    pub(super) fn leave(&self, room: Room) {
        let mut outbox = self.outbox.lock();
        outbox.rooms.retain(|(found, _)| *found != room);
        outbox.behind.retain(|(found, _)| *found != room);
    }

    pub(super) fn is_in(&self, room: Room) -> bool {
        self.outbox.lock().is_in(room)
    }

    /// The rooms it is in, and since when.
    pub(super) fn rooms(&self) -> Vec<(Room, Instant)> {
        self.outbox.lock().rooms.clone()
    }

    /// The room is not behind any more: what follows is queued.
    pub(super) fn caught_up(&self, room: Room) {
        self.outbox.lock().behind.retain(|(found, _)| *found != room);
    }

    pub(super) fn set_user(&self, user: Option<UserIndex>) {
        self.outbox.lock().user = user;
    }

    pub(super) fn user(&self) -> Option<UserIndex> {
        self.outbox.lock().user
    }

    /// Frames and bytes that wait.
    #[cfg(test)]
    pub(super) fn queued(&self) -> (usize, usize) {
        let outbox = self.outbox.lock();
        (outbox.queue.len(), outbox.bytes)
    }

    // === for the socket ===

    /// What there is to do; `sent_all` says that nothing taken before is still unsent.
    pub(super) fn work(&self, sent_all: bool, waker: &Waker) -> Work {
        let mut outbox = self.outbox.lock();
        if outbox.is_shut_out {
            return Work::ShutOut;
        }
        if outbox.is_lost {
            return Work::Lost;
        }
        if !outbox.queue.is_empty() {
            return Work::Frames;
        }
        if let (true, Some(&(room, since))) = (sent_all, outbox.behind.first()) {
            return Work::CatchUp(room, since);
        }
        match &mut outbox.waker {
            Some(known) => known.clone_from(waker),
            none => *none = Some(waker.clone()),
        }
        Work::Nothing
    }

    /// Takes some frames off the queue.
    pub(super) fn take(&self, to: &mut VecDeque<Bytes>) {
        let mut outbox = self.outbox.lock();
        let mut taken = 0;
        while taken < TAKEN_BYTES_MAX
            && let Some(frame) = outbox.queue.pop_front()
        {
            taken += frame.len();
            to.push_back(frame);
        }
        outbox.bytes -= taken;
        if outbox.queue.is_empty() {
            // Most sockets are idle most of the time.
            outbox.queue = VecDeque::new();
        }
    }
}

impl Outbox {
    /// An empty queue takes anything: what is one change is not cut.
    fn fits(&self, frames: &[Bytes]) -> bool {
        let bytes: usize = frames.iter().map(Bytes::len).sum();
        self.queue.is_empty()
            || self.queue.len() + frames.len() <= QUEUE_FRAMES_MAX
                && self.bytes + bytes <= QUEUE_BYTES_MAX
    }

    fn is_in(&self, room: Room) -> bool {
        self.rooms.iter().any(|(found, _)| *found == room)
    }

    fn queue(&mut self, frames: &[Bytes]) {
        self.bytes += frames.iter().map(Bytes::len).sum::<usize>();
        self.queue.extend(frames.iter().cloned());
    }
}

/// Wakes the socket's task, after the lock is given back.
fn wake(mut outbox: parking_lot::MutexGuard<'_, Outbox>) {
    let waker = outbox.waker.take();
    drop(outbox);
    if let Some(waker) = waker {
        waker.wake();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tiketi_engine::ids::EventIndex;

    const ROOM: Room = Room::Seats(EventIndex(0));

    fn frame(bytes: usize) -> Bytes {
        Bytes::from(vec![0; bytes])
    }

    #[test]
    fn a_full_queue_is_behind_until_it_has_caught_up() {
        let client = Client::new(ClientId(1));
        assert!(client.publish(ROOM, &[frame(60_000)], Lsn(0)));
        assert!(!client.publish(ROOM, &[frame(6_000)], Lsn(1)), "full");
        // What comes meanwhile is neither queued nor forgotten.
        assert!(client.publish(ROOM, &[frame(1)], Lsn(2)));
        let waker = Waker::noop();
        assert_eq!(client.work(true, waker), Work::Frames);
        let mut taken = VecDeque::new();
        client.take(&mut taken);
        assert_eq!(taken.len(), 1);
        assert_eq!(client.work(false, waker), Work::Nothing);
        assert_eq!(client.work(true, waker), Work::CatchUp(ROOM, Lsn(1)));
        client.caught_up(ROOM);
        assert_eq!(client.work(true, waker), Work::Nothing);
        assert!(client.publish(ROOM, &[frame(1)], Lsn(3)));
        assert_eq!(client.work(true, waker), Work::Frames);
    }

    #[test]
    fn what_must_arrive_and_does_not_fit_ends_the_socket() {
        let client = Client::new(ClientId(1));
        for _ in 0..QUEUE_FRAMES_MAX {
            client.must_get(&frame(1));
        }
        assert_eq!(client.work(true, Waker::noop()), Work::Frames);
        client.must_get(&frame(1));
        assert_eq!(client.work(true, Waker::noop()), Work::Lost);
    }

    #[test]
    fn rooms_are_bounded() {
        let client = Client::new(ClientId(1));
        let rooms: Vec<_> = (0..20).map(|event| Room::Event(EventIndex(event))).collect();
        assert_eq!(rooms.iter().filter(|&&room| client.enter(room)).count(), ROOMS_MAX);
        assert!(!client.enter(rooms[0]) && client.is_in(rooms[0]) && !client.is_in(rooms[19]));
        client.leave(rooms[0]);
        assert!(client.enter(rooms[19]));
    }
}
