//! What can be watched: an answer that is asked for again and again, and how it is shown.

use std::time::Instant;

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::output::Output;

/// One answer as it is shown.
pub(crate) enum Look {
    /// With `--json`.
    Json(Value),
    /// Stays where it is.
    Line(String),
    /// Takes the place of the one before, where that can be done.
    Panel(String),
}

/// What is asked for again and again, and how its answers are shown.
pub(crate) trait Sight {
    /// What the gateway answers.
    type Answer: DeserializeOwned + Send + 'static;

    /// An answer that came at an instant.
    fn look(&mut self, output: &Output, answer: Self::Answer, at: Instant) -> Look;
}
