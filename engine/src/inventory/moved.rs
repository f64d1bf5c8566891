//! Orders that live in another slot than the one of their id.
//!
//! An order's id names its slot, and slots are used again. One that had ended and is confirmed all the
//! same takes a slot as any new order does; this says which. There are few of them, so who looks for
//! an order first sees whether there are any.

use std::collections::BTreeMap;

use parking_lot::Mutex;

use crate::ids::{HoldSlot, OrderNumber, ReservationId};
use crate::sync::{AtomicU32, Ordering};

/// The slots of one event's moved orders.
#[derive(Debug, Default)]
pub(crate) struct MovedOrders {
    count: AtomicU32,
    slots: Mutex<BTreeMap<OrderNumber, HoldSlot>>,
}

impl MovedOrders {
    /// The order with the slot that it lives in.
    pub(crate) fn find(&self, id: ReservationId) -> ReservationId {
        // ORDERING: Acquire pairs with the Release in `insert`, for who learnt of the move from its
        // record.
        if self.count.load(Ordering::Acquire) == 0 {
            return id;
        }
        let slot = self.slots.lock().get(&id.order).copied();
        ReservationId { slot: slot.unwrap_or(id.slot), ..id }
    }

    /// Whether an order that had ended lives again.
    pub(crate) fn contains(&self, order: OrderNumber) -> bool {
        self.slots.lock().contains_key(&order)
    }

    /// Notes where an order lives that had ended.
    pub(crate) fn insert(&self, order: OrderNumber, slot: HoldSlot) {
        let mut slots = self.slots.lock();
        slots.insert(order, slot);
        self.count.store(slots.len() as u32, Ordering::Release);
    }

    /// Forgets an order that ends.
    pub(crate) fn remove(&self, order: OrderNumber) {
        if self.count.load(Ordering::Acquire) > 0 {
            let mut slots = self.slots.lock();
            slots.remove(&order);
            self.count.store(slots.len() as u32, Ordering::Release);
        }
    }
}
