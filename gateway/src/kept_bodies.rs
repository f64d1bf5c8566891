//! Bodies that are encoded once for all who ask for the same.
//!
//! A body is kept beside all that it shows; whoever finds the same shown again gets it, compressed
//! already. So nothing is ever stale: what is saved is encoding.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use parking_lot::RwLock;

use crate::compression::CachedBody;

/// Kept at once; each has one place where it can be.
const PLACES: usize = 1_024;
/// Larger ones are not kept, so that all of one kind take 64 MiB at most, and their variants less.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// Bodies by what they show.
pub(crate) struct KeptBodies<S> {
    places: Box<[RwLock<Option<Kept<S>>>]>,
    hasher: RandomState,
}

struct Kept<S> {
    shows: S,
    body: Arc<CachedBody>,
}

impl<S: Hash + Eq> KeptBodies<S> {
    /// The body that shows this, if it is kept.
    pub(crate) fn get(&self, shows: &S) -> Option<Arc<CachedBody>> {
        let kept = self.place(shows).read();
        kept.as_ref().filter(|kept| kept.shows == *shows).map(|kept| Arc::clone(&kept.body))
    }

    /// Keeps a body in place of another one.
    pub(crate) fn keep(&self, shows: S, body: &Arc<CachedBody>) {
        if body.len() <= KEPT_BYTES_MAX {
            let mut kept = self.place(&shows).write();
            *kept = Some(Kept { shows, body: Arc::clone(body) });
        }
    }

    fn place(&self, shows: &S) -> &RwLock<Option<Kept<S>>> {
        &self.places[(self.hasher.hash_one(shows) % PLACES as u64) as usize]
    }
}

impl<S> Default for KeptBodies<S> {
    fn default() -> Self {
        let places = (0..PLACES).map(|_| RwLock::new(None)).collect();
        KeptBodies { places, hasher: RandomState::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_decides_and_memory_is_bounded() {
        let bodies = KeptBodies::default();
        for shows in 0..10 * PLACES {
            assert!(bodies.get(&shows).is_none());
            let body = CachedBody::json(&shows).expect("a number");
            bodies.keep(shows, &body);
            assert!(bodies.get(&shows).is_some_and(|kept| Arc::ptr_eq(&kept, &body)));
        }
        let kept = (0..10 * PLACES).filter(|shows| bodies.get(shows).is_some()).count();
        assert!((1..=PLACES).contains(&kept), "{kept} kept");

        let large = CachedBody::json(&" ".repeat(KEPT_BYTES_MAX)).expect("a text");
        bodies.keep(0, &large);
        assert!(bodies.get(&0).is_none_or(|kept| !Arc::ptr_eq(&kept, &large)));
    }
}
