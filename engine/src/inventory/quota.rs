//! How much one user may hold and own of one event, counted in the same step as the hold.

use dashmap::DashMap;

use crate::error::HoldRefusal;
use crate::ids::UserIndex;

/// Seats and tickets by user, for an event that caps them.
#[derive(Debug)]
pub(crate) struct UserQuota {
    cap: u32,
    by_user: DashMap<UserIndex, u32>,
}

impl UserQuota {
    pub(crate) fn new(cap: u32) -> UserQuota {
        UserQuota { cap, by_user: DashMap::new() }
    }

    /// Counts `quantity` against the user's cap, or nothing.
    ///
    /// # Errors
    /// [`HoldRefusal::UserCap`] with what is left to the user.
    pub(crate) fn take(&self, user: UserIndex, quantity: u32) -> Result<(), HoldRefusal> {
        let mut count = self.by_user.entry(user).or_insert(0);
        let left = self.cap.saturating_sub(*count);
        if quantity > left {
            return Err(HoldRefusal::UserCap { cap: self.cap, left });
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
}
