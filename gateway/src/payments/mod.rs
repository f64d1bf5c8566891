//! Payments: the intent first, then the provider, then the outcome (I11).
//!
//! No lock is held while a provider is asked. An attempt belongs to its worker and not to the
//! request that began it, so it is ended whether or not the caller waits; what a stop of the process
//! cuts off is ended at the next start.

pub mod sandbox;
pub(crate) mod simulated;
pub(crate) mod worker;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::{ApiError, Code};
use crate::payments::simulated::Simulated;

/// Attempts under way at a time; more are told to come again.
const ATTEMPTS_MAX: usize = 10_000;

/// The provider, and room for attempts.
pub(crate) struct Payments {
    pub(crate) provider: Simulated,
    room: Arc<Semaphore>,
}

impl Payments {
    pub(crate) fn new(sandbox_delay: Duration) -> Self {
        Payments {
            provider: Simulated::new(sandbox_delay),
            room: Arc::new(Semaphore::new(ATTEMPTS_MAX)),
        }
    }

    /// Room for one attempt; taken before it is begun.
    ///
    /// # Errors
    /// 503 where too many are under way.
    pub(crate) fn room(&self) -> Result<OwnedSemaphorePermit, ApiError> {
        Arc::clone(&self.room)
            .try_acquire_owned()
            .map_err(|full| ApiError::new(Code::Unavailable).cause(full))
    }
}
