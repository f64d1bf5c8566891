//! Passwords: bcrypt, on threads of its own.
//!
//! A hash takes some 50 ms of a processor on purpose. One or two threads of low priority do nothing else,
//! and no more than [`WAITING_MAX`] callers wait for them: a storm of logins is answered with 503
//! and never holds up a booking.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::error::{ApiError, Code};

/// The contract's cost; stored hashes of another cost still verify.
const COST: u32 = 10;
/// At 50 ms each on one thread the last one waits three seconds.
const WAITING_MAX: usize = 64;
/// Verified instead where there is no such user, so that both answers take the same time.
const NOBODYS_HASH: &str = "$2b$10$otYCW15x2KfFdfnXCcg62eTi9yiuiM0eK/Cgu2H7qqzyRLdN7aOIa";

/// The threads and their queue. Dropping it ends them.
pub(crate) struct Passwords {
    jobs: SyncSender<Job>,
}

enum Job {
    Hash { password: String, reply: oneshot::Sender<Option<String>> },
    Verify { password: String, hash: Option<String>, reply: oneshot::Sender<bool> },
}

impl Passwords {
    /// # Errors
    /// Where the system starts no thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let (jobs, queue) = sync_channel(WAITING_MAX);
        let queue = Arc::new(Mutex::new(queue));
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..if processors >= 4 { 2 } else { 1 } {
            let queue = Arc::clone(&queue);
            std::thread::Builder::new().name("password".into()).spawn(move || work(&queue))?;
        }
        Ok(Passwords { jobs })
    }

    /// The bcrypt hash of a password; its first 72 bytes count.
    ///
    /// # Errors
    /// 503 where too many wait.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::Hash { password, reply })?;
        let hash = answer.await.ok().flatten();
        hash.ok_or_else(|| ApiError::new(Code::Internal).cause("password not hashed"))
    }

    /// Whether `hash` (`$2a$`, `$2b$`) is of `password`. `None` takes as long and is never true.
    ///
    /// # Errors
    /// 503 where too many wait.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::Verify { password, hash, reply })?;
        answer.await.map_err(|_| ApiError::new(Code::Internal).cause("password not verified"))
    }

    fn submit(&self, job: Job) -> Result<(), ApiError> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => ApiError::new(Code::Unavailable)
                .retry_after(Duration::from_secs(3))
                .cause("too many passwords to check"),
            TrySendError::Disconnected(_) => {
                ApiError::new(Code::Internal).cause("password threads have ended")
            }
        })
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    // On Linux this is the priority of this thread alone. Without it logins still work, they only
    // compete with bookings.
    let _ = rustix::process::nice(10);
    loop {
        let job = queue.lock().recv();
        match job {
            // Nobody waits any more: the caller hung up while queued.
            Ok(Job::Hash { reply, .. }) if reply.is_closed() => {}
            Ok(Job::Verify { reply, .. }) if reply.is_closed() => {}
            Ok(Job::Hash { password, reply }) => {
                let _ = reply.send(bcrypt::hash(password, COST).ok());
            }
            Ok(Job::Verify { password, hash, reply }) => {
                let of = hash.as_deref().unwrap_or(NOBODYS_HASH);
                // A stored hash that is no bcrypt hash matches nothing.
                let same = bcrypt::verify(password, of).unwrap_or(false);
                let _ = reply.send(same && hash.is_some());
            }
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches_and_only_72_bytes_count() {
        let passwords = Passwords::start().expect("threads");
        let long = "비".repeat(24);
        let hash = passwords.hash(long.clone()).await.expect("hash");
        assert!(hash.starts_with("$2b$10$") && hash.len() == 60);
        let old = hash.replacen("$2b$", "$2a$", 1);
        for (password, hash, expected) in [
            (long.clone(), Some(hash.clone()), true),
            (format!("{long} and more"), Some(hash.clone()), true),
            (long.clone(), Some(old), true),
            ("wrong".to_owned(), Some(hash.clone()), false),
            (String::new(), Some(hash), false),
            (long.clone(), Some("not a hash".to_owned()), false),
            (long, None, false),
        ] {
            assert_eq!(passwords.verify(password, hash).await.ok(), Some(expected));
        }
    }

    #[test]
    fn the_dummy_takes_as_long_as_a_real_one() {
        let parts: bcrypt::HashParts = NOBODYS_HASH.parse().expect("a bcrypt hash");
        assert_eq!(parts.get_cost(), COST);
    }

    #[tokio::test]
    async fn more_than_the_queue_holds_is_refused_at_once() {
        let passwords = Arc::new(Passwords::start().expect("threads"));
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..WAITING_MAX + 8 {
            let passwords = Arc::clone(&passwords);
            waiting.spawn(async move { passwords.verify("x".into(), None).await });
        }
        let refused = loop {
            match waiting.join_next().await.expect("some were refused").expect("no panic") {
                Ok(_) => {}
                Err(error) => break error,
            }
        };
        assert_eq!(refused.code(), Code::Unavailable);
        assert!(refused.retry_after_s().is_some());
    }
}
