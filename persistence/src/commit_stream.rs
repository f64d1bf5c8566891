//! The committed batches, in order, for everything that follows the log.
//!
//! Views, statistics, mail, fan-out and replication read from here: only durable batches, each
//! once, none missing (I6, I8). The bytes are shared, not copied per subscriber; without
//! subscribers a batch costs one relaxed load.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use tiketi_engine::ids::{Epoch, Lsn};
use tiketi_engine::record::Record;

use crate::batch::{self, BatchDefect, HEADER_BYTES};

/// A durable batch.
pub struct CommittedBatch {
    /// The process life that wrote it.
    pub epoch: Epoch,
    /// Position of its first record.
    pub first_lsn: Lsn,
    /// Position of its last record.
    pub last_lsn: Lsn,
    bytes: Vec<u8>,
}

impl CommittedBatch {
    pub(crate) fn new(epoch: Epoch, first_lsn: Lsn, last_lsn: Lsn, bytes: Vec<u8>) -> Self {
        CommittedBatch { epoch, first_lsn, last_lsn, bytes }
    }

    /// Header and frames, as they are in the log.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The frames alone.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// Hands every record and its position to `visit`, in order, and stops at its first error.
    ///
    /// # Errors
    /// Those of `visit`; [`BatchDefect`] only after memory was damaged.
    pub fn records<E: From<BatchDefect>>(
        &self,
        visit: impl FnMut(Lsn, Record) -> Result<(), E>,
    ) -> Result<(), E> {
        let count = (self.last_lsn.0 - self.first_lsn.0 + 1) as u32;
        batch::records(self.first_lsn, count, self.body(), visit)
    }
}

impl std::fmt::Debug for CommittedBatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CommittedBatch")
            .field("epoch", &self.epoch)
            .field("first_lsn", &self.first_lsn)
            .field("last_lsn", &self.last_lsn)
            .field("bytes", &self.bytes.len())
            .finish()
    }
}

/// What happens when a subscriber's channel is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The journal waits for it, and every acknowledgement after this batch with it. For followers
    /// that must see everything and never wait for the journal themselves, such as the view.
    Wait,
    /// The subscriber is cut off: its channel ends after what it holds. It subscribes again and
    /// catches up from a view. For followers that may be slow, or that append records themselves.
    Disconnect,
}

/// Batches after a known position.
#[derive(Debug)]
pub struct Subscription {
    /// The first batch received begins right after this position.
    pub after: Lsn,
    /// The batches. Ends when the journal closes, or see [`WhenFull::Disconnect`].
    pub batches: Receiver<Arc<CommittedBatch>>,
}

/// Hands committed batches to subscribers. Cheap to clone; all clones are one stream.
#[derive(Clone, Debug)]
pub struct CommitStream {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// How many subscribers there are, readable without the lock.
    count: AtomicUsize,
    subscribers: Mutex<Subscribers>,
}

#[derive(Debug)]
struct Subscribers {
    published: Lsn,
    closed: bool,
    list: Vec<(Sender<Arc<CommittedBatch>>, WhenFull)>,
}

impl CommitStream {
    pub(crate) fn new(published: Lsn) -> Self {
        let subscribers = Subscribers { published, closed: false, list: Vec::new() };
        CommitStream {
            shared: Arc::new(Shared {
                count: AtomicUsize::new(0),
                subscribers: Mutex::new(subscribers),
            }),
        }
    }

    /// Every batch from now on. `capacity` batches wait for a slow receiver, see [`WhenFull`].
    /// Dropping the receiver ends the subscription.
    #[must_use]
    pub fn subscribe(&self, capacity: usize, when_full: WhenFull) -> Subscription {
        let (sender, batches) = bounded(capacity.max(1));
        let mut subscribers = self.shared.subscribers.lock();
        if !subscribers.closed {
            subscribers.list.push((sender, when_full));
            // ORDERING: Relaxed; the lock orders it, see `publish`.
            self.shared.count.store(subscribers.list.len(), Ordering::Relaxed);
        }
        Subscription { after: subscribers.published, batches }
    }

    /// Whether anybody would receive a batch.
    pub(crate) fn has_subscribers(&self) -> bool {
        // ORDERING: Relaxed; a subscriber that comes a moment later is told a later position.
        self.shared.count.load(Ordering::Relaxed) > 0
    }

    /// Tells the position without a batch; `false` where somebody has subscribed meanwhile and
    /// must get the batch itself.
    pub(crate) fn skip(&self, last_lsn: Lsn) -> bool {
        let mut subscribers = self.shared.subscribers.lock();
        if subscribers.list.is_empty() {
            subscribers.published = last_lsn;
        }
        subscribers.list.is_empty()
    }

    /// The last record handed out or skipped.
    pub(crate) fn published(&self) -> Lsn {
        self.shared.subscribers.lock().published
    }

    /// Hands out a batch. One thread at a time calls this.
    pub(crate) fn publish(&self, batch: &Arc<CommittedBatch>) {
        let mut waiting = Vec::new();
        {
            let mut subscribers = self.shared.subscribers.lock();
            subscribers.published = batch.last_lsn;
            subscribers.list.retain(|(sender, when_full)| match sender.try_send(batch.clone()) {
                Ok(()) => true,
                Err(TrySendError::Disconnected(_)) => false,
                Err(TrySendError::Full(_)) if *when_full == WhenFull::Disconnect => false,
                Err(TrySendError::Full(_)) => {
                    waiting.push(sender.clone());
                    true
                }
            });
            // ORDERING: Relaxed; the lock orders it.
            self.shared.count.store(subscribers.list.len(), Ordering::Relaxed);
        }
        // Outside the lock: a full channel must not block a new subscriber.
        for sender in waiting {
            // A receiver that was dropped meanwhile is removed with the next batch.
            let _ = sender.send(batch.clone());
        }
    }

    /// Ends every subscription, after what its channel holds.
    pub(crate) fn close(&self) {
        let mut subscribers = self.shared.subscribers.lock();
        subscribers.closed = true;
        subscribers.list.clear();
        // ORDERING: Relaxed; the lock orders it.
        self.shared.count.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn batch(lsn: u64) -> Arc<CommittedBatch> {
        Arc::new(CommittedBatch::new(Epoch(1), Lsn(lsn), Lsn(lsn), vec![0; HEADER_BYTES]))
    }

    fn received(subscription: &Subscription) -> Vec<u64> {
        subscription.batches.try_iter().map(|batch| batch.first_lsn.0).collect()
    }

    #[test]
    fn subscribers_get_what_follows_their_position() {
        let stream = CommitStream::new(Lsn(4));
        assert!(!stream.has_subscribers());
        assert!(stream.skip(Lsn(5)));
        let early = stream.subscribe(10, WhenFull::Wait);
        assert!(!stream.skip(Lsn(6)));
        stream.publish(&batch(6));
        let late = stream.subscribe(10, WhenFull::Disconnect);
        stream.publish(&batch(7));
        assert_eq!((early.after, received(&early)), (Lsn(5), vec![6, 7]));
        assert_eq!((late.after, received(&late)), (Lsn(6), vec![7]));
        drop(early);
        stream.publish(&batch(8));
        assert_eq!(stream.shared.count.load(Ordering::Relaxed), 1);
        stream.close();
        assert_eq!(received(&late), vec![8]);
        assert!(late.batches.recv().is_err());
        assert!(stream.subscribe(1, WhenFull::Wait).batches.recv().is_err());
    }

    #[test]
    fn a_slow_one_is_cut_off_or_waited_for() {
        let stream = CommitStream::new(Lsn(0));
        let lossy = stream.subscribe(2, WhenFull::Disconnect);
        let steady = stream.subscribe(2, WhenFull::Wait);
        std::thread::scope(|scope| {
            let reader = scope.spawn(|| {
                (1..=5).map(|_| steady.batches.recv().unwrap().first_lsn.0).collect::<Vec<_>>()
            });
            (1..=5).for_each(|lsn| stream.publish(&batch(lsn)));
            assert_eq!(reader.join().unwrap(), vec![1, 2, 3, 4, 5]);
        });
        assert_eq!(received(&lossy), vec![1, 2]);
        assert!(lossy.batches.recv().is_err());
    }
}
