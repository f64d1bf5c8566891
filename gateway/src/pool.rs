//! Threads for work that takes a processor for long: passwords, images.
//!
//! They have low priority and a queue of bounded length: what does not fit is answered with 503, and
//! neither a storm of logins nor of uploads holds up a booking.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::{ApiError, Code};

/// When a refused caller may find room again.
const RETRY_AFTER: Duration = Duration::from_secs(3);

/// Some threads and their queue. Dropping it ends them.
pub(crate) struct Pool {
    jobs: SyncSender<Job>,
}

type Job = Box<dyn FnOnce() + Send>;

impl Pool {
    /// `threads` threads called `name`; `waiting_max` callers may wait for them.
    ///
    /// # Errors
    /// Where the system starts no thread.
    pub(crate) fn start(name: &str, threads: usize, waiting_max: usize) -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(waiting_max);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..threads {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name(name.into()).spawn(move || work(&queue))?;
        }
        Ok(Pool { jobs })
    }

    /// Does `work` on one of the threads. It is left out where the caller has gone before its turn.
    ///
    /// # Errors
    /// 503 where too many wait, 500 where it panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        self.queue(None, work).await
    }

    /// Does `work` on one of the threads. It is left out where its turn comes at `deadline` or later:
    /// for callers that never go, as they stand in for others who may have.
    ///
    /// # Errors
    /// 503 where too many wait or the turn comes too late, 500 where it panics.
    pub(crate) async fn run_before<T: Send + 'static>(
        &self,
        deadline: Instant,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        self.queue(Some(deadline), work).await
    }

    async fn queue<T: Send + 'static>(
        &self,
        deadline: Option<Instant>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(move || {
            let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if !reply.is_closed() {
                // Nobody may wait any more, which is as good.
                let _ = reply.send((!is_late).then(work));
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => busy("the pool is full"),
            TrySendError::Disconnected(_) => {
                ApiError::new(Code::Internal).cause("the pool has ended")
            }
        })?;
        match answer.await {
            Ok(Some(done)) => Ok(done),
            Ok(None) => Err(busy("its turn came too late")),
            Err(_) => Err(ApiError::new(Code::Internal).cause("work of a pool panicked")),
        }
    }
}

fn busy(cause: &'static str) -> ApiError {
    ApiError::new(Code::Unavailable).retry_after(RETRY_AFTER).cause(cause)
}

fn work(queue: &Mutex<Receiver<Job>>) {
    // On Linux this is the priority of this thread alone. Without it the work is still done, it only
    // competes with bookings.
    let _ = rustix::process::nice(10);
    loop {
        let job = queue.lock().recv();
        let Ok(job) = job else { return };
        // The panic hook has written what and where; the caller is told by the reply it loses.
        let _ = catch_unwind(AssertUnwindSafe(job));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused_at_once() {
        let pool = Arc::new(Pool::start("test", 1, 2).expect("threads"));
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let (begun, begins) = oneshot::channel();
        let busy = {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move {
                pool.run(move || {
                    begun.send(()).expect("awaited");
                    wait.recv()
                })
                .await
            })
        };
        begins.await.expect("begins");
        let waiting: Vec<_> = (0..2).map(|number| Box::pin(pool.run(move || number))).collect();
        let (first, second) = {
            let mut waiting = waiting.into_iter();
            (waiting.next().expect("first"), waiting.next().expect("second"))
        };
        let (first, second, refused, released) = tokio::join!(
            first,
            second,
            // Polled third: the queue has its two.
            pool.run(|| 3),
            async { release.send(()) }
        );
        assert_eq!((first.ok(), second.ok()), (Some(0), Some(1)));
        let refused = refused.expect_err("no room");
        assert_eq!(refused.code(), Code::Unavailable);
        assert!(refused.retry_after_s().is_some());
        assert!(released.is_ok() && busy.await.is_ok());
    }

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_thread_goes_on() {
        let pool = Pool::start("test", 1, 2).expect("threads");
        let error = pool.run::<()>(|| panic!("on purpose")).await.expect_err("panicked");
        assert_eq!(error.code(), Code::Internal);
        assert_eq!(pool.run(|| 1).await.ok(), Some(1));
    }

    #[tokio::test]
    async fn work_whose_time_is_over_is_left_out() {
        let pool = Pool::start("test", 1, 2).expect("threads");
        let now = Instant::now();
        let late = pool.run_before::<()>(now, || unreachable!("too late")).await.expect_err("late");
        assert_eq!(late.code(), Code::Unavailable);
        let hour = Duration::from_secs(3600);
        assert_eq!(pool.run_before(now + hour, || 1).await.ok(), Some(1));
    }
}
