//! A short list without an allocation: what one order claims.

use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::de::{Deserializer, Error, SeqAccess, Visitor};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};

use crate::limits::SEATS_PER_HOLD_MAX;

/// Up to [`SEATS_PER_HOLD_MAX`] items in place. Encodes as a sequence.
#[derive(Clone, Copy)]
pub struct InlineList<T> {
    items: [T; SEATS_PER_HOLD_MAX],
    len: u8,
}

impl<T: Copy + Default> InlineList<T> {
    /// The items, or `None` where there are more than fit.
    #[must_use]
    pub fn from_slice(source: &[T]) -> Option<Self> {
        let mut list = Self::default();
        for &item in source {
            list.push(item)?;
        }
        Some(list)
    }

    /// Adds an item, or `None` where the list is full.
    pub fn push(&mut self, item: T) -> Option<()> {
        *self.items.get_mut(usize::from(self.len))? = item;
        self.len += 1;
        Some(())
    }
}

impl<T: Copy + Default> Default for InlineList<T> {
    fn default() -> Self {
        InlineList { items: [T::default(); SEATS_PER_HOLD_MAX], len: 0 }
    }
}

impl<T> Deref for InlineList<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.items[..usize::from(self.len)]
    }
}

impl<T> DerefMut for InlineList<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        &mut self.items[..usize::from(self.len)]
    }
}

impl<T: PartialEq> PartialEq for InlineList<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for InlineList<T> {}

impl<T: fmt::Debug> fmt::Debug for InlineList<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Serialize> Serialize for InlineList<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de, T: Deserialize<'de> + Copy + Default> Deserialize<'de> for InlineList<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListVisitor<T>(std::marker::PhantomData<T>);

        impl<'de, T: Deserialize<'de> + Copy + Default> Visitor<'de> for ListVisitor<T> {
            type Value = InlineList<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "at most {SEATS_PER_HOLD_MAX} items")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = InlineList::default();
                while let Some(item) = seq.next_element()? {
                    list.push(item)
                        .ok_or_else(|| A::Error::invalid_length(SEATS_PER_HOLD_MAX + 1, &self))?;
                }
                Ok(list)
            }
        }

        deserializer.deserialize_seq(ListVisitor(std::marker::PhantomData))
    }
}
