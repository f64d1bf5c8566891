//! The open connections: how many there may be, and how they are told to finish.
//!
//! A connection is a task. At shutdown each one is woken once and finds [`Connections::is_draining`]
//! set; until then that costs one relaxed load a poll.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Waker;

use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

/// All connections of one server.
pub(crate) struct Connections {
    draining: AtomicBool,
    room: Arc<Semaphore>,
    per_address_max: usize,
    open: Mutex<Open>,
    one_closed: Notify,
}

#[derive(Default)]
struct Open {
    next_id: u64,
    by_address: HashMap<IpAddr, usize>,
    tasks: HashMap<u64, Task>,
}

#[derive(Default)]
struct Task {
    waker: Option<Waker>,
    abort: Option<AbortHandle>,
}

/// One open connection; dropping it gives its place back.
pub(crate) struct Place {
    connections: Arc<Connections>,
    id: u64,
    pub(crate) address: IpAddr,
    _room: OwnedSemaphorePermit,
}

impl Connections {
    pub(crate) fn new(max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Connections {
            draining: AtomicBool::new(false),
            room: Arc::new(Semaphore::new(max)),
            per_address_max,
            open: Mutex::default(),
            one_closed: Notify::new(),
        })
    }

    /// Waits until one more connection may be open. While none may, new ones wait in the kernel.
    pub(crate) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.room).acquire_owned().await.ok()
    }

    /// A place for a connection, or `None` where its address has too many and is not `shared` by
    /// many people.
    pub(crate) fn place(
        self: &Arc<Self>,
        address: IpAddr,
        is_shared: bool,
        room: OwnedSemaphorePermit,
    ) -> Option<Place> {
        let mut open = self.open.lock();
        let of_address = open.by_address.entry(address).or_default();
        if *of_address >= self.per_address_max && !is_shared {
            return None;
        }
        *of_address += 1;
        let id = open.next_id;
        open.next_id += 1;
        open.tasks.insert(id, Task::default());
        Some(Place { connections: Arc::clone(self), id, address, _room: room })
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        self.open.lock().tasks.len()
    }

    /// Keeps what ends a connection's task by force.
    pub(crate) fn set_abort(&self, id: u64, abort: AbortHandle) {
        if let Some(task) = self.open.lock().tasks.get_mut(&id) {
            task.abort = Some(abort);
        }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Relaxed)
    }

    /// Tells every connection to finish its request in flight and close.
    pub(crate) fn drain(&self) {
        let mut open = self.open.lock();
        // ORDERING: Relaxed, as the lock orders it: whoever registers a waker later sees the flag,
        // whoever registered before is woken here.
        self.draining.store(true, Ordering::Relaxed);
        for task in open.tasks.values_mut() {
            if let Some(waker) = task.waker.take() {
                waker.wake();
            }
        }
    }

    /// Waits until none is open.
    pub(crate) async fn all_closed(&self) {
        loop {
            let one_closed = self.one_closed.notified();
            if self.count() == 0 {
                return;
            }
            one_closed.await;
        }
    }

    /// Ends those that are still open; returns how many.
    pub(crate) fn abort_all(&self) -> usize {
        let mut open = self.open.lock();
        for task in open.tasks.values_mut() {
            if let Some(abort) = task.abort.take() {
                abort.abort();
            }
        }
        open.tasks.len()
    }
}

impl Place {
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// Says whom to wake when draining begins; once is enough, as a task keeps its waker. Returns
    /// whether it has begun.
    pub(crate) fn wake_when_draining(&self, waker: &Waker) -> bool {
        let mut open = self.connections.open.lock();
        if let Some(task) = open.tasks.get_mut(&self.id) {
            task.waker = Some(waker.clone());
        }
        self.connections.is_draining()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.connections.is_draining()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock();
        open.tasks.remove(&self.id);
        if let Some(of_address) = open.by_address.get_mut(&self.address) {
            *of_address -= 1;
            if *of_address == 0 {
                open.by_address.remove(&self.address);
            }
        }
        drop(open);
        self.connections.one_closed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_has_a_share_of_the_places() {
        let connections = Connections::new(3, 2);
        let here = IpAddr::from([192, 0, 2, 1]);
        let there = IpAddr::from([192, 0, 2, 2]);
        let first = connections.place(here, false, connections.room().await.expect("room"));
        let second = connections.place(here, false, connections.room().await.expect("room"));
        assert!(first.is_some() && second.is_some());
        assert!(connections.place(here, false, connections.room().await.expect("room")).is_none());
        let shared = connections.place(here, true, connections.room().await.expect("room"));
        assert!(shared.is_some());
        drop(shared);
        let third = connections.place(there, false, connections.room().await.expect("room"));
        assert_eq!((third.is_some(), connections.count()), (true, 3));
        let more = tokio::time::timeout(std::time::Duration::ZERO, connections.room()).await;
        assert!(more.is_err(), "full");
        drop(first);
        assert!(connections.place(here, false, connections.room().await.expect("room")).is_some());
        drop((second, third));
        connections.all_closed().await;
        assert!(connections.open.lock().by_address.is_empty());
    }
}
