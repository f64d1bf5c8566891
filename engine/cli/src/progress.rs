//! A spinner on stderr for what takes long, where somebody is looking.

use std::io::{IsTerminal, stderr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::output::note_part;
use crate::text::number;

/// Shows that work goes on until it is dropped.
pub(crate) struct Progress {
    done: Arc<AtomicU64>,
    spinner: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins; nothing is drawn where stderr is no terminal, or in the first moment.
    pub(crate) fn new(what: &'static str) -> Progress {
        let done = Arc::new(AtomicU64::new(0));
        let spinner = stderr().is_terminal().then(|| {
            let (stop, stopped) = channel();
            let counter = Arc::clone(&done);
            (stop, std::thread::spawn(move || spin(what, &counter, &stopped)))
        });
        Progress { done, spinner }
    }

    /// So many records were worked on.
    pub(crate) fn add(&self, records: u64) {
        // ORDERING: Relaxed, the number is only drawn.
        self.done.fetch_add(records, Ordering::Relaxed);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, thread)) = self.spinner.take() {
            drop(stop);
            // A spinner that panicked has nothing more to say.
            let _ = thread.join();
        }
    }
}

fn spin(what: &str, done: &AtomicU64, stopped: &Receiver<()>) {
    let mut drawn = false;
    for frame in ["|", "/", "-", "\\"].iter().cycle() {
        if stopped.recv_timeout(Duration::from_millis(150)) != Err(RecvTimeoutError::Timeout) {
            break;
        }
        // ORDERING: Relaxed, see `add`.
        let records = done.load(Ordering::Relaxed);
        let count =
            if records > 0 { format!(" {} records", number(records)) } else { String::new() };
        note_part(&format!("\r\x1b[K{frame} {what}{count}"));
        drawn = true;
    }
    if drawn {
        note_part("\r\x1b[K");
    }
}
