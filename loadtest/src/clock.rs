//! When to do what, to some two hundred microseconds. The timers of the runtime count in milliseconds,
//! which is more than a fast server takes for its answer and would be added to it.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io;
use std::os::fd::OwnedFd;
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Whoever is due within this of one another is woken together: a ring costs more than a request.
const GRAIN: Duration = Duration::from_micros(200);

/// The run is over: whoever hears it goes home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over;

/// Wakes people at their moments. [`Clock::run`] has to be polled beside them, on the same thread.
pub(crate) struct Clock {
    timer: AsyncFd<OwnedFd>,
    sleepers: RefCell<BinaryHeap<Reverse<Sleeper>>>,
    /// What the timer is set to, if to anything.
    armed: Cell<Option<Instant>>,
    /// It does not ring before.
    quiet_until: Cell<Instant>,
    is_over: Cell<bool>,
}

struct Sleeper {
    moment: Instant,
    waker: Waker,
}

impl Clock {
    /// # Errors
    /// The system gives no timer.
    pub(crate) fn start() -> io::Result<Clock> {
        let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags)?;
        // Its successor is unsafe, as not every descriptor stays open; this one is owned.
        #[expect(deprecated, reason = "nothing here is unsafe")]
        let timer = AsyncFd::new(timer)?;
        Ok(Clock {
            timer,
            sleepers: RefCell::default(),
            armed: Cell::new(None),
            quiet_until: Cell::new(Instant::now()),
            is_over: Cell::new(false),
        })
    }

    /// Waits for a moment.
    ///
    /// # Errors
    /// The run is over, or ends while this waits.
    pub(crate) async fn until(&self, moment: Instant) -> Result<(), Over> {
        let mut is_waiting = false;
        std::future::poll_fn(|context| {
            if self.is_over.get() {
                return Poll::Ready(Err(Over));
            }
            if Instant::now() >= moment {
                return Poll::Ready(Ok(()));
            }
            if !is_waiting {
                is_waiting = true;
                let waker = context.waker().clone();
                self.sleepers.borrow_mut().push(Reverse(Sleeper { moment, waker }));
                self.arm(moment);
            }
            Poll::Pending
        })
        .await
    }

    /// Sends everybody home.
    pub(crate) fn end(&self) {
        self.is_over.set(true);
        for Reverse(sleeper) in std::mem::take(&mut *self.sleepers.borrow_mut()) {
            sleeper.waker.wake();
        }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.is_over.get()
    }

    /// Wakes people for as long as it is polled.
    ///
    /// # Errors
    /// What the system says of the timer.
    pub(crate) async fn run(&self) -> io::Result<()> {
        loop {
            // How often it rang is not read: setting it anew forgets that, and each ring is told.
            self.timer.readable().await?.clear_ready();
            self.armed.set(None);
            self.wake_due();
        }
    }

    fn wake_due(&self) {
        let now = Instant::now();
        self.quiet_until.set(now + GRAIN);
        let mut sleepers = self.sleepers.borrow_mut();
        while let Some(Reverse(next)) = sleepers.peek() {
            if next.moment > now {
                self.arm(next.moment);
                return;
            }
            if let Some(Reverse(due)) = sleepers.pop() {
                due.waker.wake();
            }
        }
    }

    /// Sets the timer, unless it rings before.
    fn arm(&self, moment: Instant) {
        let moment = moment.max(self.quiet_until.get());
        if self.armed.get().is_some_and(|armed| armed <= moment) {
            return;
        }
        // A time of zero would switch the timer off.
        let wait = moment.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let value =
            Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: value };
        // It fails for values that are none and descriptors that are none, and these are.
        if timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once).is_ok() {
            self.armed.set(Some(moment));
        }
    }
}

impl PartialEq for Sleeper {
    fn eq(&self, other: &Self) -> bool {
        self.moment == other.moment
    }
}

impl Eq for Sleeper {}

impl PartialOrd for Sleeper {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Sleeper {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.moment.cmp(&other.moment)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[tokio::test(flavor = "current_thread")]
    async fn nobody_is_woken_early_or_forgotten() {
        let clock = Rc::new(Clock::start().expect("timer"));
        let sleep = async {
            let begun = Instant::now();
            let waits = [7, 3, 3, 0, 12, 1].map(|ms| {
                let clock = Rc::clone(&clock);
                async move {
                    let moment = begun + Duration::from_millis(ms);
                    assert_eq!(clock.until(moment).await, Ok(()));
                    assert!(Instant::now() >= moment);
                }
            });
            for wait in waits {
                wait.await;
            }
        };
        tokio::select! {
            () = sleep => {}
            ended = clock.run() => panic!("{ended:?}"),
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn the_end_sends_everybody_home() {
        let clock = Clock::start().expect("timer");
        let far = Instant::now() + Duration::from_secs(1_000);
        let end = async {
            tokio::task::yield_now().await;
            clock.end();
        };
        assert_eq!(tokio::join!(clock.until(far), end).0, Err(Over));
        assert_eq!(clock.until(Instant::now()).await, Err(Over));
    }
}
