//! How much one user may hold and own of one event, counted in the same step as the hold.
//!
//! An event counts seats and tickets together where it caps them, and tickets alone, whose cap can
//! change while the event is on sale.

use std::collections::BTreeMap;

use dashmap::DashMap;

use crate::error::HoldRefusal;
use crate::ids::UserIndex;

/// What the users of an event hold and own.
#[derive(Debug, Default)]
pub(crate) struct UserQuota {
    by_user: DashMap<UserIndex, u32>,
}

impl UserQuota {
    /// Counts `quantity` against the cap of a user, or nothing.
    ///
    /// # Errors
    /// [`HoldRefusal::UserCap`] with what is left to the user.
    pub(crate) fn take(&self, user: UserIndex, quantity: u32, cap: u32) -> Result<(), HoldRefusal> {
        let mut count = self.by_user.entry(user).or_insert(0);
        let left = cap.saturating_sub(*count);
        if quantity > left {
            return Err(HoldRefusal::UserCap { cap, left });
        }
        *count += quantity;
        Ok(())
    }

    /// Takes back a count, after the record that ends the order or where nothing was logged.
    pub(crate) fn give_back(&self, user: UserIndex, quantity: u32) {
        self.by_user.remove_if_mut(&user, |_, count| {
            *count = count.saturating_sub(quantity);
            *count == 0
        });
    }

    /// Counts an order of the log, which may exceed a cap.
    pub(crate) fn restore(&self, user: UserIndex, quantity: u32) {
        *self.by_user.entry(user).or_insert(0) += quantity;
    }

    /// What each user who has something has.
    pub(crate) fn counts(&self) -> BTreeMap<UserIndex, u32> {
        let counts = self.by_user.iter().map(|entry| (*entry.key(), *entry.value()));
        counts.filter(|&(_, count)| count > 0).collect()
    }
}
