//! The one place that picks synchronisation primitives: `std` in every build, `loom` under
//! `--cfg loom`, so that the code a model explores is the code that ships.

#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering, fence};

/// The value that a compare-and-swap loop starts from.
#[cfg(not(loom))]
#[inline]
pub(crate) fn load_before_exchange<A: Exchanged>(atomic: &A, order: Ordering) -> A::Value {
    atomic.load(order)
}

/// Releases a value to the next exchange.
#[cfg(not(loom))]
#[inline]
pub(crate) fn store_release<A: Exchanged>(atomic: &A, value: A::Value) {
    atomic.store(value, Ordering::Release);
}

/// Releases a value before anything that this thread loads sequentially consistently.
#[cfg(not(loom))]
#[inline]
pub(crate) fn store_seq_cst<A: Exchanged>(atomic: &A, value: A::Value) {
    // A swap: one instruction, where a store would need a fence behind it.
    atomic.swap(value, Ordering::SeqCst);
}

/// With a fence: loom takes sequentially consistent operations for acquire and release.
#[cfg(loom)]
pub(crate) fn store_seq_cst<A: Exchanged>(atomic: &A, value: A::Value) {
    atomic.swap(value, Ordering::AcqRel);
    fence(Ordering::SeqCst);
}

/// As a read-modify-write: loom 0.7 remembers only the last access of a cell, so a plain load would
/// hide other threads' accesses from the exchange that follows, and schedules would go unexplored.
#[cfg(loom)]
pub(crate) fn load_before_exchange<A: Exchanged>(atomic: &A, _: Ordering) -> A::Value {
    atomic.fetch_add(A::ZERO, Ordering::AcqRel)
}

/// As a read-modify-write: loom 0.7 would order a plain store before an earlier one of the above.
#[cfg(loom)]
pub(crate) fn store_release<A: Exchanged>(atomic: &A, value: A::Value) {
    atomic.swap(value, Ordering::AcqRel);
}

/// Atomics that are exchanged.
#[allow(dead_code, reason = "each build uses one half of the methods")]
pub(crate) trait Exchanged {
    type Value;
    const ZERO: Self::Value;
    fn load(&self, order: Ordering) -> Self::Value;
    fn store(&self, value: Self::Value, order: Ordering);
    fn fetch_add(&self, value: Self::Value, order: Ordering) -> Self::Value;
    fn swap(&self, value: Self::Value, order: Ordering) -> Self::Value;
}

macro_rules! exchanged {
    ($atomic:ty, $value:ty) => {
        impl Exchanged for $atomic {
            type Value = $value;
            const ZERO: $value = 0;

            #[inline]
            fn load(&self, order: Ordering) -> $value {
                <$atomic>::load(self, order)
            }

            #[inline]
            fn store(&self, value: $value, order: Ordering) {
                <$atomic>::store(self, value, order);
            }

            #[inline]
            fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                <$atomic>::fetch_add(self, value, order)
            }

            #[inline]
            fn swap(&self, value: $value, order: Ordering) -> $value {
                <$atomic>::swap(self, value, order)
            }
        }
    };
}

exchanged!(AtomicU32, u32);
exchanged!(AtomicU64, u64);
