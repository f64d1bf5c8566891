//! A live state that follows the commit stream.
//!
//! Reads are answered from here and never from the engine's live structures (I8): whatever the view
//! shows is durable (I6).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::RwLock;
use tiketi_engine::ids::Lsn;
use tiketi_engine::record::Record;
use tiketi_engine::state::{FoldError, State};

use crate::batch::BatchDefect;
use crate::commit_stream::{CommitStream, CommittedBatch, Subscription, WhenFull};
use crate::error::{Fatal, FatalHook, panic_message};
use crate::watermark::{Poisoned, Watermark};

/// Batches that may wait for the view before commits do.
const CAPACITY: usize = 1024;

/// How long the view lets batches gather unless a reader asks for one of them.
const REST: Duration = Duration::from_millis(1);

/// The fold of the committed log, kept up to date by a thread of its own.
#[derive(Debug)]
pub struct View {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    state: RwLock<State>,
    applied: Watermark,
}

enum Apply {
    Fold(FoldError),
    Batch(BatchDefect),
}

impl From<FoldError> for Apply {
    fn from(error: FoldError) -> Self {
        Apply::Fold(error)
    }
}

impl From<BatchDefect> for Apply {
    fn from(defect: BatchDefect) -> Self {
        Apply::Batch(defect)
    }
}

impl View {
    /// Follows the stream from `state` on. Call it before the first append after the start.
    ///
    /// # Panics
    /// Where the stream is ahead of `state`.
    #[must_use]
    pub fn start(state: State, commits: &CommitStream, on_fatal: FatalHook) -> View {
        View::watched(state, commits, on_fatal, |_| {})
    }

    /// As [`View::start`], and calls `watch` with each record that is folded in, before anybody can
    /// read what it did. Keep it short, and read nothing of the view in it.
    ///
    /// # Panics
    /// As [`View::start`].
    #[must_use]
    pub fn watched(
        state: State,
        commits: &CommitStream,
        on_fatal: FatalHook,
        mut watch: impl FnMut(&Record) + Send + 'static,
    ) -> View {
        let subscription = commits.subscribe(CAPACITY, WhenFull::Wait);
        assert!(subscription.after <= state.lsn(), "batches before the view's start are gone");
        let applied = Watermark::new(state.lsn());
        let shared = Arc::new(Shared { state: RwLock::new(state), applied });
        let thread = {
            let shared = shared.clone();
            thread::Builder::new().name("tiketi-view".to_owned()).spawn(move || {
                let result =
                    catch_unwind(AssertUnwindSafe(|| shared.follow(&subscription, &mut watch)));
                shared.applied.poison();
                let fatal = match result {
                    Ok(Ok(())) => return,
                    Ok(Err(Apply::Fold(error))) => Fatal::Fold(error),
                    Ok(Err(Apply::Batch(defect))) => {
                        Fatal::Panicked { thread: "tiketi-view", message: defect.to_string() }
                    }
                    Err(panic) => {
                        let message = panic_message(&*panic);
                        Fatal::Panicked { thread: "tiketi-view", message }
                    }
                };
                on_fatal.call(&fatal);
            })
        };
        match thread {
            Ok(thread) => View { shared, thread: Some(thread) },
            Err(error) => panic!("the view's thread cannot be started: {error}"),
        }
    }

    /// Reads the state as of [`View::applied_lsn`] or a little later. Keep it short: the log's
    /// followers wait meanwhile.
    pub fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.shared.state.read())
    }

    /// Reads the state as of `lsn` or later: what a caller that was told this position must see.
    ///
    /// # Errors
    /// [`Poisoned`] where the journal has ended.
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn read_at<T>(
        &self,
        lsn: Lsn,
        read: impl FnOnce(&State) -> T,
    ) -> Result<T, Poisoned> {
        self.at(lsn).await?;
        Ok(self.read(read))
    }

    /// Waits until the view has applied `lsn`.
    ///
    /// # Errors
    /// [`Poisoned`] where the journal has ended.
    pub async fn at(&self, lsn: Lsn) -> Result<Lsn, Poisoned> {
        if let (Some(thread), true) = (&self.thread, self.applied_lsn() < lsn) {
            thread.thread().unpark();
        }
        self.shared.applied.wait(lsn).await
    }

    /// How far the view has applied the log, and the way to wait for it.
    #[must_use]
    pub fn applied(&self) -> &Watermark {
        &self.shared.applied
    }

    /// The last record applied.
    #[must_use]
    pub fn applied_lsn(&self) -> Lsn {
        self.shared.applied.get()
    }

    /// Waits for the thread, which ends once the journal is closed and everything is applied.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            // Its panics were caught and reported.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn follow(
        &self,
        subscription: &Subscription,
        watch: &mut dyn FnMut(&Record),
    ) -> Result<(), Apply> {
        for batch in &subscription.batches {
            self.apply(&batch, watch)?;
            for waiting in subscription.batches.try_iter() {
                self.apply(&waiting, watch)?;
            }
            // While nobody waits to read, several batches are folded at one waking.
            thread::park_timeout(REST);
        }
        Ok(())
    }

    /// A whole batch under one lock: readers never see half of it.
    fn apply(&self, batch: &CommittedBatch, watch: &mut dyn FnMut(&Record)) -> Result<(), Apply> {
        if batch.last_lsn <= self.applied.get() {
            // The state was taken after this batch.
            return Ok(());
        }
        let mut state = self.state.write();
        batch.records(|lsn, record| {
            watch(&record);
            state.apply(lsn, &record).map_err(Apply::from)
        })?;
        drop(state);
        self.applied.advance(batch.last_lsn);
        Ok(())
    }
}
