//! A position in the log that only rises, and the tasks that wait for it.
//!
//! Reading it is one atomic load. Raising it wakes exactly the waiters it covers. Runs on any
//! executor: waiters leave a [`Waker`], a blocked thread is one too.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use parking_lot::Mutex;
use thiserror::Error;
use tiketi_engine::ids::Lsn;

/// The journal has failed. Whether the awaited record is in the log is unknown until the next start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the journal has failed; whether the record was kept is unknown")]
pub struct Poisoned;

/// A position that only rises.
#[derive(Debug)]
pub struct Watermark {
    lsn: AtomicU64,
    poisoned: AtomicBool,
    waiters: Mutex<Waiters>,
}

#[derive(Debug, Default)]
struct Waiters {
    /// Ascending by LSN, then by ticket. Waiters come nearly in order, so the place of a new one
    /// is found from the back.
    queue: VecDeque<Waiter>,
    next_ticket: u64,
    /// Reused by `advance`, so that waking allocates nothing.
    woken: Vec<Waker>,
}

#[derive(Debug)]
struct Waiter {
    lsn: Lsn,
    ticket: u64,
    waker: Waker,
}

impl Watermark {
    /// A watermark at `lsn`.
    #[must_use]
    pub fn new(lsn: Lsn) -> Self {
        Watermark {
            lsn: AtomicU64::new(lsn.0),
            poisoned: AtomicBool::new(false),
            waiters: Mutex::default(),
        }
    }

    /// Where it stands.
    #[must_use]
    pub fn get(&self) -> Lsn {
        // ORDERING: Acquire pairs with the Release in `advance`: whoever sees the position sees
        // what was done before it was reached.
        Lsn(self.lsn.load(Ordering::Acquire))
    }

    /// Whether it will never rise again.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        // ORDERING: Acquire pairs with the Release in `poison`.
        self.poisoned.load(Ordering::Acquire)
    }

    /// Waits until it reaches `lsn`; returns where it stands then.
    ///
    /// # Errors
    /// [`Poisoned`] where it will never get there.
    ///
    /// # Cancel safety
    /// Dropping the future forgets the waiter and changes nothing else.
    pub fn wait(&self, lsn: Lsn) -> Wait<'_> {
        Wait { watermark: self, lsn, ticket: None }
    }

    /// As [`Watermark::wait`], blocking the thread.
    ///
    /// # Errors
    /// [`Poisoned`] where it will never get there.
    pub fn wait_blocking(&self, lsn: Lsn) -> Result<Lsn, Poisoned> {
        let mut wait = self.wait(lsn);
        // Most often it is there already; then no waker is made.
        if let Some(done) = wait.done() {
            return done;
        }
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut context = Context::from_waker(&waker);
        loop {
            match Pin::new(&mut wait).poll(&mut context) {
                Poll::Ready(done) => return done,
                // May return early; the loop polls again.
                Poll::Pending => thread::park(),
            }
        }
    }

    /// Raises it to `lsn` and wakes the waiters up to there, outside the lock. One thread at a time
    /// calls this; a lower position than before changes nothing.
    pub fn advance(&self, lsn: Lsn) {
        if lsn <= self.get() {
            return;
        }
        let mut woken = {
            let mut waiters = self.waiters.lock();
            // ORDERING: Release pairs with `get`. Stored under the lock, which a waiter takes
            // before it registers and under which it looks again: so either it sees this
            // position or it is in the queue below. No wake-up is lost.
            self.lsn.store(lsn.0, Ordering::Release);
            let covered = waiters.queue.partition_point(|waiter| waiter.lsn <= lsn);
            let mut woken = std::mem::take(&mut waiters.woken);
            woken.extend(waiters.queue.drain(..covered).map(|waiter| waiter.waker));
            woken
        };
        for waker in woken.drain(..) {
            waker.wake();
        }
        let mut waiters = self.waiters.lock();
        if waiters.woken.capacity() < woken.capacity() {
            waiters.woken = woken;
        }
    }

    /// Fails every waiter, now and later, that waits for a position not yet reached.
    pub fn poison(&self) {
        let woken: Vec<Waker> = {
            let mut waiters = self.waiters.lock();
            // ORDERING: Release pairs with `is_poisoned`; under the lock for the same reason as
            // in `advance`.
            self.poisoned.store(true, Ordering::Release);
            waiters.queue.drain(..).map(|waiter| waiter.waker).collect()
        };
        for waker in woken {
            waker.wake();
        }
    }

    /// How many wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiters.lock().queue.len()
    }
}

impl Waiters {
    /// Where a waiter is or would be.
    fn position(&self, lsn: Lsn, ticket: u64) -> usize {
        // From the back: new waiters nearly always wait for the highest position.
        let mut position = self.queue.len();
        let mut steps = 0;
        while position > 0 {
            let before = &self.queue[position - 1];
            if (before.lsn, before.ticket) < (lsn, ticket) {
                return position;
            }
            position -= 1;
            steps += 1;
            if steps == 8 {
                return self
                    .queue
                    .partition_point(|waiter| (waiter.lsn, waiter.ticket) < (lsn, ticket));
            }
        }
        0
    }
}

/// See [`Watermark::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Wait<'a> {
    watermark: &'a Watermark,
    lsn: Lsn,
    ticket: Option<u64>,
}

impl Wait<'_> {
    fn done(&self) -> Option<Result<Lsn, Poisoned>> {
        let reached = self.watermark.get();
        if reached >= self.lsn {
            Some(Ok(reached))
        } else if self.watermark.is_poisoned() {
            Some(Err(Poisoned))
        } else {
            None
        }
    }
}

impl Future for Wait<'_> {
    type Output = Result<Lsn, Poisoned>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if let Some(done) = self.done() {
            return Poll::Ready(done);
        }
        let mut waiters = self.watermark.waiters.lock();
        // Looked at again under the lock: see `advance`.
        if let Some(done) = self.done() {
            return Poll::Ready(done);
        }
        if let Some(ticket) = self.ticket {
            let position = waiters.position(self.lsn, ticket);
            if let Some(waiter) = waiters.queue.get_mut(position) {
                waiter.waker.clone_from(context.waker());
            }
        } else {
            let ticket = waiters.next_ticket;
            waiters.next_ticket += 1;
            let position = waiters.position(self.lsn, ticket);
            let waker = context.waker().clone();
            waiters.queue.insert(position, Waiter { lsn: self.lsn, ticket, waker });
            drop(waiters);
            self.ticket = Some(ticket);
        }
        Poll::Pending
    }
}

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let Some(ticket) = self.ticket else { return };
        let mut waiters = self.watermark.waiters.lock();
        let position = waiters.position(self.lsn, ticket);
        // Gone already where it was woken.
        if waiters.queue.get(position).is_some_and(|waiter| waiter.ticket == ticket) {
            waiters.queue.remove(position);
        }
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::sync::atomic::AtomicUsize;

    use super::*;

    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn counted() -> (Arc<Count>, Waker) {
        let count = Arc::new(Count(AtomicUsize::new(0)));
        (count.clone(), Waker::from(count))
    }

    fn poll(wait: &mut Wait<'_>, waker: &Waker) -> Poll<Result<Lsn, Poisoned>> {
        Pin::new(wait).poll(&mut Context::from_waker(waker))
    }

    #[test]
    fn wakes_exactly_the_covered_ones() {
        let watermark = Watermark::new(Lsn(0));
        let order = [5, 3, 9, 3, 1, 7, 8, 20, 2, 19, 18, 17, 16, 15, 14, 13, 4];
        let mut waits: Vec<_> =
            order.iter().map(|&lsn| (lsn, watermark.wait(Lsn(lsn)), counted())).collect();
        for (_, wait, (_, waker)) in &mut waits {
            assert_eq!(poll(wait, waker), Poll::Pending);
        }
        for reached in 1..=20 {
            watermark.advance(Lsn(reached));
            for (lsn, _, (count, _)) in &waits {
                let expected = usize::from(*lsn <= reached);
                assert_eq!(count.0.load(Ordering::Relaxed), expected, "{lsn} at {reached}");
            }
        }
        for (_, wait, (_, waker)) in &mut waits {
            assert_eq!(poll(wait, waker), Poll::Ready(Ok(Lsn(20))));
        }
    }

    #[test]
    fn a_dropped_wait_is_forgotten_and_others_stay() {
        let watermark = Watermark::new(Lsn(0));
        let (kept, waker) = counted();
        let (dropped, other) = counted();
        let mut first = watermark.wait(Lsn(2));
        let mut second = watermark.wait(Lsn(2));
        assert_eq!(poll(&mut first, &waker), Poll::Pending);
        assert_eq!(poll(&mut second, &other), Poll::Pending);
        assert_eq!(poll(&mut first, &waker), Poll::Pending);
        assert_eq!(watermark.waiting(), 2);
        drop(second);
        assert_eq!(watermark.waiting(), 1);
        watermark.advance(Lsn(2));
        assert_eq!(kept.0.load(Ordering::Relaxed), 1);
        assert_eq!(dropped.0.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn poison_fails_only_what_is_not_reached() {
        let watermark = Watermark::new(Lsn(0));
        let (count, waker) = counted();
        let mut wait = watermark.wait(Lsn(2));
        assert_eq!(poll(&mut wait, &waker), Poll::Pending);
        watermark.advance(Lsn(1));
        watermark.poison();
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
        assert_eq!(poll(&mut wait, &waker), Poll::Ready(Err(Poisoned)));
        assert_eq!(watermark.wait_blocking(Lsn(1)), Ok(Lsn(1)));
        assert_eq!(watermark.wait_blocking(Lsn(2)), Err(Poisoned));
    }

    #[test]
    fn no_wake_up_is_lost_between_threads() {
        let watermark = Watermark::new(Lsn(0));
        thread::scope(|scope| {
            for stride in 1..=3_u64 {
                let watermark = &watermark;
                scope.spawn(move || {
                    for lsn in (1..=20_000).step_by(stride as usize) {
                        assert!(watermark.wait_blocking(Lsn(lsn)).unwrap() >= Lsn(lsn));
                    }
                });
            }
            for lsn in 1..=20_000 {
                watermark.advance(Lsn(lsn));
                if lsn % 64 == 0 {
                    thread::yield_now();
                }
            }
        });
        assert_eq!(watermark.waiting(), 0);
    }
}
