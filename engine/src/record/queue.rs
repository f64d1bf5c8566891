//! Values of the waiting room that records carry.

use serde::{Deserialize, Serialize};

/// Bytes of a seed and of its commitment.
pub const SEED_BYTES: usize = 32;

/// What is drawn from, secret until the draw.
pub type Seed = [u8; SEED_BYTES];

/// A lane and what it gets of the admissions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneShare {
    /// What people call it.
    pub name: String,
    /// So many of every `sum of the shares` admissions go to this lane while people wait in all.
    pub share: u16,
}
