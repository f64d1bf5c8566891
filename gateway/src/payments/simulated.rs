//! The contract's own simulated payment, without a provider: every charge is captured, after a delay.

use std::time::Duration;

use tiketi_engine::engine::PaymentOutcome;

/// The built-in provider.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Simulated {
    delay: Duration,
}

impl Simulated {
    pub(crate) fn new(delay: Duration) -> Self {
        Simulated { delay }
    }

    /// Captures a charge.
    pub(crate) async fn capture(&self) -> PaymentOutcome {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        PaymentOutcome::Captured
    }

    /// What became of a charge that an earlier process asked for. The simulation keeps nothing, so it
    /// has captured nothing.
    pub(crate) async fn outcome_of_earlier(&self) -> PaymentOutcome {
        PaymentOutcome::Declined
    }
}
