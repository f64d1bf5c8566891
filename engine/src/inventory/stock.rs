//! Counted stock: tickets without seats. A counter is to a ticket type what bits are to seats.

use crate::sync::{AtomicBool, AtomicU32, Ordering, load_before_exchange};

/// How many tickets of a type are left. Same order as seats: take then log, log then give back (I2).
#[derive(Debug, Default)]
pub(crate) struct TicketStock {
    left: AtomicU32,
    /// Won for one.
    price: AtomicU32,
    /// Whether it is sold beside seats.
    standing: AtomicBool,
}

impl TicketStock {
    /// Puts the first tickets of a type on sale; nobody knows the type before.
    pub(crate) fn open(&self, left: u32, price: u32) {
        self.set_price(price);
        self.give_back(left);
    }

    /// What orders made from now on pay.
    pub(crate) fn set_price(&self, price: u32) {
        // ORDERING: Relaxed, an order takes the price of about its moment and its record says which.
        self.price.store(price, Ordering::Relaxed);
    }

    /// Won for one.
    pub(crate) fn price(&self) -> u32 {
        self.price.load(Ordering::Relaxed)
    }

    /// Whether orders made from now on may have it beside seats.
    pub(crate) fn set_standing(&self, standing: bool) {
        // ORDERING: Relaxed, an order goes by what was so at about its moment.
        self.standing.store(standing, Ordering::Relaxed);
    }

    /// Whether it is sold beside seats.
    pub(crate) fn is_standing(&self) -> bool {
        self.standing.load(Ordering::Relaxed)
    }

    /// Takes `quantity` tickets or none.
    ///
    /// # Errors
    /// How many are left.
    pub(crate) fn take(&self, quantity: u32) -> Result<(), u32> {
        // ORDERING: Acquire pairs with the Release in `give_back`: the record that returned these
        // tickets is in the log before ours is appended.
        let mut left = load_before_exchange(&self.left, Ordering::Acquire);
        loop {
            let rest = left.checked_sub(quantity).ok_or(left)?;
            match self.left.compare_exchange_weak(left, rest, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => return Ok(()),
                Err(now) => left = now,
            }
        }
    }

    /// Returns tickets, after the record that says so or where nothing was logged for them.
    pub(crate) fn give_back(&self, quantity: u32) {
        self.left.fetch_add(quantity, Ordering::Release);
    }

    /// How many are left now: a hint (I8).
    pub(crate) fn peek(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }
}
