//! A vector that only grows and whose items never move, readable while it grows.

use std::sync::OnceLock;

/// Items in buckets of doubling size, each made on first use.
///
/// A read is one acquire load and two indexings; nothing is ever copied or freed.
#[derive(Debug)]
pub(crate) struct AppendVec<T> {
    buckets: [OnceLock<Box<[T]>>; BUCKETS],
}

/// Small under loom, which tracks every atomic that exists.
const FIRST_BUCKET: u64 = if cfg!(loom) { 2 } else { 16 };
const BUCKETS: usize = 33 - FIRST_BUCKET.ilog2() as usize;

impl<T: Default> AppendVec<T> {
    pub(crate) fn new() -> Self {
        AppendVec { buckets: [const { OnceLock::new() }; BUCKETS] }
    }

    /// The item, or `None` where its bucket was never asked for with [`AppendVec::at`].
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        let (bucket, offset) = locate(index);
        self.buckets[bucket].get().map(|items| &items[offset])
    }

    /// The item, made with its bucket where it is new.
    pub(crate) fn at(&self, index: u32) -> &T {
        let (bucket, offset) = locate(index);
        let items = self.buckets[bucket]
            .get_or_init(|| (0..FIRST_BUCKET << bucket).map(|_| T::default()).collect());
        &items[offset]
    }
}

/// With `n` for `FIRST_BUCKET`: bucket `b` holds the indices from `n * (2^b - 1)` on, `n * 2^b` of them.
fn locate(index: u32) -> (usize, usize) {
    let shifted = u64::from(index) + FIRST_BUCKET;
    let bucket = shifted.ilog2() - FIRST_BUCKET.ilog2();
    (bucket as usize, (shifted - (FIRST_BUCKET << bucket)) as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_fill_buckets_without_gaps() {
        let mut expected = (0, 0);
        for index in 0..100_000 {
            assert_eq!(locate(index), expected);
            expected.1 += 1;
            if expected.1 as u64 == FIRST_BUCKET << expected.0 {
                expected = (expected.0 + 1, 0);
            }
        }
        assert!(locate(u32::MAX).0 < BUCKETS);
    }

    #[test]
    fn unmade_items_are_absent() {
        let vec: AppendVec<u32> = AppendVec::new();
        assert_eq!(vec.get(40), None);
        assert_eq!(*vec.at(40), 0);
        assert_eq!(vec.get(40), Some(&0));
        assert_eq!(vec.get(0), None);
    }
}
