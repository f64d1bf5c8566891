//! An event's inventory: the lock-free structures that decide who gets what.
//!
//! Take: bit, then log. Give back: log, then bit (I2). The caller brings the journal; nothing here
//! can fail between the last compare-and-swap and the append (I5).

pub(crate) mod best_available;
pub(crate) mod bitmap;
pub(crate) mod expiry;
pub(crate) mod hold_table;
pub mod layout;
pub(crate) mod moved;
pub(crate) mod quota;
pub(crate) mod stock;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use parking_lot::{Mutex, RwLock};

use crate::append_vec::AppendVec;
use crate::error::HoldRefusal;
use crate::ids::{EventIndex, SeatIndex, TicketTypeIndex, UnixMillis, UserIndex};
use crate::inline_list::InlineList;
use crate::inventory::bitmap::SeatBitmap;
use crate::inventory::hold_table::{HoldTable, SlotClaim};
use crate::inventory::layout::SeatPlan;
use crate::inventory::moved::MovedOrders;
use crate::inventory::quota::UserQuota;
use crate::inventory::stock::TicketStock;
use crate::limits::TICKETS_PER_USER;
use crate::record::{EventDetails, EventRules, EventTerms, SeatList, TicketHold};
use crate::sync::{AtomicBool, AtomicU32, AtomicU64, Ordering, fence};
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
    stock: AppendVec<TicketStock>,
    ticket_types: AtomicU32,
    /// Orders that live in another slot than the one of their id.
    pub(crate) moved: MovedOrders,
    /// What administrators hold, and the lock under which they change the event.
    pub(crate) admin: Mutex<AdminHold>,
    terms: RwLock<EventTerms>,
    /// Tickets by user, from the first order of some.
    tickets: OnceLock<UserQuota>,
}

/// What holds for tickets where an event says nothing of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketDefaults {
    /// Tickets that one user can hold and own of one event.
    pub max_tickets: u32,
    /// How long an unpaid order of tickets lives; `None` for as long as seats are held.
    pub hold_ttl: Option<TicketHold>,
}

impl Default for TicketDefaults {
    fn default() -> TicketDefaults {
        TicketDefaults { max_tickets: TICKETS_PER_USER, hold_ttl: None }
    }
}

/// What administrators hold of an event.
#[derive(Debug, Default)]
pub(crate) struct AdminHold {
    /// Seats off sale.
    pub(crate) blocked: BTreeSet<SeatIndex>,
    /// Whether there are no seats: the bits of all of them are the administrators' (I1).
    pub(crate) seats_removed: bool,
    /// How many tickets of each type there are.
    pub(crate) for_sale: Vec<TicketsForSale>,
}

/// How many tickets of a type there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TicketsForSale {
    /// All of them.
    pub(crate) total: u32,
    /// Those that were sold elsewhere.
    pub(crate) sold_elsewhere: u32,
}

/// Tickets of a type as they go on sale.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TicketsOnSale {
    /// How many there are.
    pub(crate) all: TicketsForSale,
    /// How many of them are left.
    pub(crate) left: u32,
    /// Won for one.
    pub(crate) price: u32,
}

/// When an event can be booked.
#[derive(Debug)]
struct SaleWindow {
    opens_at: AtomicU64,
    closes_at: AtomicU64,
    /// When the show begins.
    event_at: AtomicU64,
    cancelled: AtomicBool,
    deleted: AtomicBool,
    seats_removed: AtomicBool,
}

impl EventInventory {
    pub(crate) fn new(
        event: EventIndex,
        plan: Arc<SeatPlan>,
        rules: EventRules,
        details: &EventDetails,
        tickets: impl Iterator<Item = TicketsOnSale>,
        room: Room,
    ) -> EventInventory {
        let inventory = EventInventory {
            event,
            seats: SeatBitmap::new(&plan),
            plan,
            stock: AppendVec::new(),
            ticket_types: AtomicU32::new(0),
            moved: MovedOrders::default(),
            holds: HoldTable::new(),
            quota: rules.seats_per_user.map(|_| UserQuota::default()),
            rules,
            window: SaleWindow {
                opens_at: AtomicU64::new(0),
                closes_at: AtomicU64::new(0),
                event_at: AtomicU64::new(0),
                cancelled: AtomicBool::new(false),
                deleted: AtomicBool::new(false),
                seats_removed: AtomicBool::new(false),
            },
            waiting_room: WaitingRoom::new(room),
            admin: Mutex::default(),
            terms: RwLock::default(),
            tickets: OnceLock::new(),
        };
        inventory.add_ticket_types(&mut inventory.admin.lock(), tickets);
        inventory.set_window(details);
        inventory
    }

    /// Follows edited dates. An event whose show has begun is over, whatever its sale window says.
    pub(crate) fn set_window(&self, details: &EventDetails) {
        let closes_at = details.sale_ends_at.0.min(details.event_at.0.saturating_add(1));
        self.window.opens_at.store(details.sale_starts_at.0, Ordering::Relaxed);
        self.window.closes_at.store(closes_at, Ordering::Relaxed);
        self.window.event_at.store(details.event_at.0, Ordering::Relaxed);
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

    /// Whether the show has begun: no payment begins any more. A hold made before the end of sales can
    /// be paid after it.
    pub(crate) fn has_begun(&self, now: UnixMillis) -> bool {
        now.0 > self.window.event_at.load(Ordering::Relaxed)
    }

    /// How it sells tickets and lets orders be paid.
    pub(crate) fn terms(&self) -> EventTerms {
        *self.terms.read()
    }

    /// The ticket types that are sold beside seats, ascending.
    pub(crate) fn standing(&self) -> BTreeSet<TicketTypeIndex> {
        let standing = self.ticket_types().filter(|(_, stock)| stock.is_standing());
        standing.map(|(ticket_type, _)| ticket_type).collect()
    }

    /// Follows what an administrator set, after the record that says so.
    pub(crate) fn set_terms(&self, terms: EventTerms, standing: &BTreeSet<TicketTypeIndex>) {
        *self.terms.write() = terms;
        for (ticket_type, stock) in self.ticket_types() {
            stock.set_standing(standing.contains(&ticket_type));
        }
    }

    /// Whether orders can have this type: an event with seats, also while they are taken away, sells
    /// beside them only what its terms name.
    pub(crate) fn sells(&self, stock: &TicketStock) -> bool {
        self.plan.seat_count() == 0 || stock.is_standing()
    }

    /// How long an unpaid order of this lives, in milliseconds; `None` for one that does not end by
    /// itself.
    pub(crate) fn hold_ttl_ms(&self, claim: &SlotClaim, defaults: &TicketDefaults) -> Option<u64> {
        let of_seats = self.rules.hold_ttl_ms;
        match claim {
            SlotClaim::Seats(_) => Some(of_seats),
            SlotClaim::Tickets(_) => match self.terms().ticket_hold_ttl.or(defaults.hold_ttl) {
                None => Some(of_seats),
                Some(TicketHold::Millis(ms)) => Some(ms),
                Some(TicketHold::Never) => None,
            },
        }
    }

    /// Whether nothing is free and nothing that is taken can come back but by a cancelled sale: no
    /// seat, no ticket, no order that is not paid. As of a moment ago, as all of it is in motion.
    pub(crate) fn is_sold_out(&self) -> bool {
        let is_gone = |stock: &TicketStock| stock.peek() == 0 || !self.sells(stock);
        let nothing_free =
            || self.ticket_types().all(|(_, stock)| is_gone(stock)) && self.seats.is_full();
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

    /// Shows the event to nobody any more, once it is called off.
    pub(crate) fn set_deleted(&self) {
        self.window.deleted.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.window.deleted.load(Ordering::Relaxed)
    }

    /// Notes for who asks for a seat whether it is taken or none is there; the bits decide (I1).
    pub(crate) fn set_seats_removed(&self, admin: &mut AdminHold, removed: bool) {
        admin.seats_removed = removed;
        self.window.seats_removed.store(removed, Ordering::Relaxed);
    }

    pub(crate) fn has_seats(&self) -> bool {
        !self.window.seats_removed.load(Ordering::Relaxed)
    }

    /// The stock of a ticket type.
    pub(crate) fn stock(&self, ticket_type: TicketTypeIndex) -> Option<&TicketStock> {
        // ORDERING: Acquire pairs with the Release in `add_ticket_types`.
        let known = u32::from(ticket_type.0) < self.ticket_types.load(Ordering::Acquire);
        known.then(|| self.stock.at(ticket_type.0.into()))
    }

    /// All ticket types.
    pub(crate) fn ticket_types(&self) -> impl Iterator<Item = (TicketTypeIndex, &TicketStock)> {
        let all = (0..self.ticket_types.load(Ordering::Acquire) as u16).map(TicketTypeIndex);
        all.filter_map(|ticket_type| Some((ticket_type, self.stock(ticket_type)?)))
    }

    /// Puts more types on sale, after the record that says so.
    pub(crate) fn add_ticket_types(
        &self,
        admin: &mut AdminHold,
        tickets: impl Iterator<Item = TicketsOnSale>,
    ) {
        for TicketsOnSale { all, left, price } in tickets {
            let index = admin.for_sale.len() as u32;
            self.stock.at(index).open(left, price);
            admin.for_sale.push(all);
            // ORDERING: Release publishes the stock.
            self.ticket_types.store(index + 1, Ordering::Release);
        }
    }

    /// Takes what an order claims, all of it or nothing.
    ///
    /// # Errors
    /// In this order: the user's caps for this event, seats that are taken, stock that is short.
    pub(crate) fn take(
        &self,
        user: UserIndex,
        claim: &SlotClaim,
        defaults: &TicketDefaults,
    ) -> Result<(), HoldRefusal> {
        self.take_quota(user, claim, defaults)?;
        let taken = match claim {
            SlotClaim::Seats(seats) => self.take_seats(seats),
            SlotClaim::Tickets(lines) => self.take_tickets(lines),
        };
        if taken.is_err() {
            self.give_back_quota(user, claim);
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
        self.give_back_quota(user, claim);
    }

    /// Tickets that each user holds and owns.
    pub(crate) fn tickets_of_users(&self) -> BTreeMap<UserIndex, u32> {
        self.tickets.get().map(UserQuota::counts).unwrap_or_default()
    }

    /// Counts an order found in the log against its user's cap.
    pub(crate) fn restore_quota(&self, user: UserIndex, claim: &SlotClaim) {
        if let Some(quota) = &self.quota {
            quota.restore(user, claim.quantity());
        }
        if let SlotClaim::Tickets(_) = claim {
            self.tickets.get_or_init(UserQuota::default).restore(user, claim.quantity());
        }
    }

    fn take_quota(
        &self,
        user: UserIndex,
        claim: &SlotClaim,
        defaults: &TicketDefaults,
    ) -> Result<(), HoldRefusal> {
        let quantity = claim.quantity();
        if let (Some(quota), Some(cap)) = (&self.quota, self.rules.seats_per_user) {
            quota.take(user, quantity, cap)?;
        }
        if let SlotClaim::Tickets(_) = claim {
            let cap = self.terms().max_tickets.unwrap_or(defaults.max_tickets);
            let tickets = self.tickets.get_or_init(UserQuota::default);
            return tickets.take(user, quantity, cap).inspect_err(|_| {
                if let Some(quota) = &self.quota {
                    quota.give_back(user, quantity);
                }
            });
        }
        Ok(())
    }

    fn give_back_quota(&self, user: UserIndex, claim: &SlotClaim) {
        if let Some(quota) = &self.quota {
            quota.give_back(user, claim.quantity());
        }
        if let (SlotClaim::Tickets(_), Some(tickets)) = (claim, self.tickets.get()) {
            tickets.give_back(user, claim.quantity());
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
            if let Err(left) = self.stock.at(ticket_type.0.into()).take(quantity) {
                for &(earlier, mine) in &lines[..position] {
                    self.stock.at(earlier.0.into()).give_back(mine);
                }
                return Err(HoldRefusal::OutOfStock { ticket_type, left });
            }
        }
        Ok(())
    }

    fn give_back_tickets(&self, lines: &InlineList<(TicketTypeIndex, u32)>) {
        for &(ticket_type, quantity) in lines.iter() {
            self.stock.at(ticket_type.0.into()).give_back(quantity);
        }
    }
}

impl SlotClaim {
    /// What is left without `part`; `None` where that is of another kind, is nothing, has something
    /// that is not here, or is all.
    pub(crate) fn without(&self, part: &SlotClaim) -> Option<SlotClaim> {
        match (self, part) {
            (SlotClaim::Seats(own), SlotClaim::Seats(part)) => {
                own.without(part).map(SlotClaim::Seats)
            }
            (SlotClaim::Tickets(own), SlotClaim::Tickets(part)) => {
                let mut rest: Vec<(TicketTypeIndex, u32)> = own.to_vec();
                for &(ticket_type, taken) in part.iter() {
                    let line = rest.iter_mut().find(|line| line.0 == ticket_type)?;
                    line.1 = line.1.checked_sub(taken).filter(|_| taken > 0)?;
                }
                rest.retain(|line| line.1 > 0);
                let is_some_of_it = !part.is_empty() && !rest.is_empty();
                InlineList::from_slice(&rest).filter(|_| is_some_of_it).map(SlotClaim::Tickets)
            }
            _ => None,
        }
    }

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
