//! An event's inventory: the lock-free structures that decide who gets what.
//!
//! Take: bit, then log. Give back: log, then bit (I2). The caller brings the journal; nothing here
//! can fail between the last compare-and-swap and the append (I5).

pub(crate) mod best_available;
pub(crate) mod bitmap;
pub(crate) mod expiry;
pub(crate) mod hold_table;
pub mod layout;
pub(crate) mod quota;
pub(crate) mod stock;

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::error::HoldRefusal;
use crate::ids::{EventIndex, SeatIndex, TicketTypeIndex, UnixMillis, UserIndex};
use crate::inline_list::InlineList;
use crate::inventory::bitmap::SeatBitmap;
use crate::inventory::hold_table::{HoldTable, SlotClaim};
use crate::inventory::layout::SeatPlan;
use crate::inventory::quota::UserQuota;
use crate::inventory::stock::TicketStock;
use crate::record::{EventDetails, EventRules, SeatList};
use crate::sync::{AtomicBool, AtomicU64, Ordering, fence};
use crate::waiting_room::{Room, WaitingRoom};

/// Everything about one event that a booking command decides on.
///
/// In this order: what every hold reads comes first and lies together, see `benches` row `scale`.
#[derive(Debug)]
#[repr(C, align(64))]
pub(crate) struct EventInventory {
    window: SaleWindow,
    /// Who may hold, once more people came than are let in at once.
    pub(crate) waiting_room: WaitingRoom,
    pub(crate) event: EventIndex,
    pub(crate) plan: Arc<SeatPlan>,
    pub(crate) seats: SeatBitmap,
    pub(crate) rules: EventRules,
    quota: Option<UserQuota>,
    pub(crate) holds: HoldTable,
    pub(crate) stock: Box<[TicketStock]>,
    /// Won for one ticket of each type.
    pub(crate) prices: Box<[u32]>,
    /// What was blocked, and the lock under which administrators change the event.
    pub(crate) admin: Mutex<BTreeSet<SeatIndex>>,
}

/// When an event can be booked.
#[derive(Debug)]
struct SaleWindow {
    opens_at: AtomicU64,
    closes_at: AtomicU64,
    cancelled: AtomicBool,
}

impl EventInventory {
    pub(crate) fn new(
        event: EventIndex,
        plan: Arc<SeatPlan>,
        rules: EventRules,
        details: &EventDetails,
        tickets: impl Iterator<Item = (u32, u32)>,
        room: Room,
    ) -> EventInventory {
        let (left, prices): (Vec<u32>, Vec<u32>) = tickets.unzip();
        let inventory = EventInventory {
            event,
            seats: SeatBitmap::new(&plan),
            plan,
            stock: left.into_iter().map(TicketStock::new).collect(),
            prices: prices.into(),
            holds: HoldTable::new(),
            quota: rules.seats_per_user.map(UserQuota::new),
            rules,
            window: SaleWindow {
                opens_at: AtomicU64::new(0),
                closes_at: AtomicU64::new(0),
                cancelled: AtomicBool::new(false),
            },
            waiting_room: WaitingRoom::new(room),
            admin: Mutex::new(BTreeSet::new()),
        };
        inventory.set_window(details);
        inventory
    }

    /// Follows edited dates. An event whose show has begun is over, whatever its sale window says.
    pub(crate) fn set_window(&self, details: &EventDetails) {
        let closes_at = details.sale_ends_at.0.min(details.event_at.0.saturating_add(1));
        self.window.opens_at.store(details.sale_starts_at.0, Ordering::Relaxed);
        self.window.closes_at.store(closes_at, Ordering::Relaxed);
    }

    /// Whether holds are taken at `now`.
    pub(crate) fn is_on_sale(&self, now: UnixMillis) -> bool {
        let opens_at = self.window.opens_at.load(Ordering::Relaxed);
        let closes_at = self.window.closes_at.load(Ordering::Relaxed);
        (opens_at..closes_at).contains(&now.0) && !self.is_cancelled()
    }

    /// Whether no hold will ever be taken again, unless the dates are edited.
    pub(crate) fn is_over(&self, now: UnixMillis) -> bool {
        self.is_cancelled() || now.0 >= self.window.closes_at.load(Ordering::Relaxed)
    }

    /// Whether nothing is free and nothing that is taken can come back but by a cancelled sale: no
    /// seat, no ticket, no order that is not paid. As of a moment ago, as all of it is in motion.
    pub(crate) fn is_sold_out(&self) -> bool {
        let nothing_free =
            || self.stock.iter().all(|stock| stock.peek() == 0) && self.seats.is_full();
        // Again at the end: an order that was given back between the looks is neither.
        nothing_free() && !self.holds.has_unpaid() && nothing_free()
    }

    /// Whether nothing is left to wait for.
    pub(crate) fn is_nothing_left(&self, now: UnixMillis) -> bool {
        self.is_over(now) || self.is_sold_out()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.window.cancelled.load(Ordering::Relaxed)
    }

    /// Closes the event for good. Every hold is then found by the canceller's walk over the slots
    /// or finds out itself in [`EventInventory::cancelled_since`].
    pub(crate) fn set_cancelled(&self) {
        self.window.cancelled.store(true, Ordering::Relaxed);
        // ORDERING: pairs with `HoldTable` publishing a hold sequentially consistently before
        // `cancelled_since` is asked (store, then load, on both sides): either the walk that follows
        // sees the published hold, or the holder sees the flag.
        fence(Ordering::SeqCst);
    }

    /// Whether the event was called off while a step was being made; asked after settling it.
    pub(crate) fn cancelled_since(&self) -> bool {
        // ORDERING: see `set_cancelled`.
        self.window.cancelled.load(Ordering::SeqCst)
    }

    /// Takes what an order claims, all of it or nothing.
    ///
    /// # Errors
    /// In this order: the user's cap for this event, seats that are taken, stock that is short.
    pub(crate) fn take(&self, user: UserIndex, claim: &SlotClaim) -> Result<(), HoldRefusal> {
        self.take_quota(user, claim.quantity())?;
        let taken = match claim {
            SlotClaim::Seats(seats) => self.take_seats(seats),
            SlotClaim::Tickets(lines) => self.take_tickets(lines),
        };
        if taken.is_err() {
            self.give_back_quota(user, claim.quantity());
        }
        taken
    }

    /// Gives back what an order claimed, after the record that ends it (I2).
    pub(crate) fn give_back(&self, user: UserIndex, claim: &SlotClaim) {
        match claim {
            SlotClaim::Seats(seats) => {
                self.seats.give_back_all(&self.plan, seats);
            }
            SlotClaim::Tickets(lines) => self.give_back_tickets(lines),
        }
        self.give_back_quota(user, claim.quantity());
    }

    /// Counts an order found in the log against its user's cap.
    pub(crate) fn restore_quota(&self, user: UserIndex, claim: &SlotClaim) {
        if let Some(quota) = &self.quota {
            quota.restore(user, claim.quantity());
        }
    }

    fn take_quota(&self, user: UserIndex, quantity: u32) -> Result<(), HoldRefusal> {
        match &self.quota {
            Some(quota) => quota.take(user, quantity),
            None => Ok(()),
        }
    }

    fn give_back_quota(&self, user: UserIndex, quantity: u32) {
        if let Some(quota) = &self.quota {
            quota.give_back(user, quantity);
        }
    }

    fn take_seats(&self, seats: &SeatList) -> Result<(), HoldRefusal> {
        self.seats.take_all(&self.plan, seats).map_err(|conflict| {
            let taken = seats.iter().filter(|&&seat| {
                let bit = self.plan.bit(seat);
                bit.word == conflict.word && bit.mask & conflict.mask != 0
            });
            HoldRefusal::SeatsTaken(taken.copied().collect())
        })
    }

    fn take_tickets(&self, lines: &InlineList<(TicketTypeIndex, u32)>) -> Result<(), HoldRefusal> {
        for (position, &(ticket_type, quantity)) in lines.iter().enumerate() {
            if let Err(left) = self.stock[ticket_type.position()].take(quantity) {
                for &(earlier, mine) in &lines[..position] {
                    self.stock[earlier.position()].give_back(mine);
                }
                return Err(HoldRefusal::OutOfStock { ticket_type, left });
            }
        }
        Ok(())
    }

    fn give_back_tickets(&self, lines: &InlineList<(TicketTypeIndex, u32)>) {
        for &(ticket_type, quantity) in lines.iter() {
            self.stock[ticket_type.position()].give_back(quantity);
        }
    }
}

impl SlotClaim {
    /// Seats and tickets claimed.
    pub(crate) fn quantity(&self) -> u32 {
        match self {
            SlotClaim::Seats(seats) => seats.len() as u32,
            SlotClaim::Tickets(lines) => {
                lines.iter().fold(0, |sum: u32, line| sum.saturating_add(line.1))
            }
        }
    }
}
