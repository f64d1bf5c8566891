//! An event as the fold knows it: its orders, who owns each seat, and the sums.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ids::{
    HoldSlot, LayoutIndex, Lsn, OrderNumber, SeatIndex, TicketTypeIndex, UnixMillis, UserIndex,
};
use crate::inventory::layout::SeatPlan;
use crate::record::{Claim, EventDetails, EventRules, EventTerms, NewTicketType, Section};
use crate::state::order::{Order, SeatStatus};
use crate::state::sums::{Counted, OrderSums};

/// An event.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// What is shown of it.
    pub details: EventDetails,
    /// Its seats; `None` for ticket types only.
    pub layout: Option<LayoutIndex>,
    /// Its ticket types.
    pub ticket_types: Vec<TicketType>,
    /// Its booking rules.
    pub rules: EventRules,
    /// Who made it.
    pub created_by: Option<UserIndex>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last edited or called off.
    pub updated_at: UnixMillis,
    /// Whether it was called off.
    pub cancelled: bool,
    /// By order number; `None` where a crash came between number and record.
    pub(super) orders: Vec<Option<Order>>,
    /// Seats off sale.
    pub(super) blocks: Vec<Block>,
    /// The last record that changed a seat or a ticket.
    pub(super) inventory_lsn: Lsn,
    /// Whether it is shown to nobody any more; what is here is for its orders.
    pub(super) deleted: bool,
    /// Whether its seats were taken away. Its layout stays, for them to come back and for orders
    /// that had some.
    pub seats_removed: bool,
    /// What kind of event it is, in an administrator's word.
    pub category: Option<String>,
    /// Orders that had ended and were confirmed, and the slots they live in.
    pub(super) moved: BTreeMap<OrderNumber, HoldSlot>,
    /// How it sells tickets and lets orders be paid.
    pub terms: EventTerms,
    /// The ticket types that are sold beside its seats; the others are for show there.
    pub standing: BTreeSet<TicketTypeIndex>,
    /// How many seats or tickets of an order were given back singly.
    pub(super) returned: BTreeMap<OrderNumber, u32>,

    /// Prices, for seats.
    #[serde(skip)]
    pub(super) sections: Arc<[Section]>,
    #[serde(skip)]
    pub(super) plan: Arc<SeatPlan>,
    /// By seat: 0 for free, [`BLOCKED`] for blocked or taken away, or order number + 1.
    #[serde(skip)]
    pub(super) owners: Vec<u32>,
    /// By section.
    #[serde(skip)]
    pub(super) counts: Vec<SectionCounts>,
    #[serde(skip)]
    pub(super) sums: OrderSums,
}

pub(super) const BLOCKED: u32 = u32::MAX;

/// A kind of ticket without seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketType {
    /// Shown to buyers.
    pub name: String,
    /// Won for one.
    pub price: u32,
    /// How many there are.
    pub total_quantity: u32,
    /// How many of them were sold elsewhere.
    pub sold_elsewhere: u32,
    /// How many are in orders that have not ended.
    pub in_orders: u32,
    /// Free text.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When it was last edited.
    pub updated_at: UnixMillis,
    /// What it was called before, oldest first.
    pub former_names: Vec<FormerName>,
}

/// What a ticket type was called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FormerName {
    /// The name.
    pub name: String,
    /// The record that replaced it.
    pub until: Lsn,
}

impl TicketType {
    pub(super) fn new(new: &NewTicketType, at: UnixMillis) -> TicketType {
        TicketType {
            name: new.name.clone(),
            price: new.price,
            total_quantity: new.total_quantity,
            sold_elsewhere: new.sold_elsewhere,
            in_orders: 0,
            description: new.description.clone(),
            created_at: at,
            updated_at: at,
            former_names: Vec::new(),
        }
    }

    /// What it was called when the record at `lsn` was made.
    #[must_use]
    pub fn name_at(&self, lsn: Lsn) -> &str {
        let former = self.former_names.iter().find(|former| lsn < former.until);
        former.map_or(&self.name, |former| &former.name)
    }

    /// How many are left.
    #[must_use]
    pub fn available(&self) -> u32 {
        self.total_quantity.saturating_sub(self.sold_elsewhere).saturating_sub(self.in_orders)
    }
}

/// Seats taken off sale together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Ascending.
    pub seats: Vec<SeatIndex>,
    /// Why.
    pub reason: String,
    /// Since when.
    pub at: UnixMillis,
}

/// Sums over the seats of a section.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SectionCounts {
    /// All seats.
    pub capacity: u32,
    /// Free ones.
    pub available: u32,
    /// Held ones, those being paid included.
    pub held: u32,
    /// Sold ones.
    pub sold: u32,
    /// Those off sale.
    pub blocked: u32,
}

impl SectionCounts {
    /// Whether the parts make up the whole (R2).
    #[must_use]
    pub fn add_up(&self) -> bool {
        self.available + self.held + self.sold + self.blocked == self.capacity
    }

    fn of(&mut self, status: SeatStatus) -> &mut u32 {
        match status {
            SeatStatus::Available => &mut self.available,
            SeatStatus::Locked => &mut self.held,
            SeatStatus::Reserved => &mut self.sold,
            SeatStatus::Blocked => &mut self.blocked,
        }
    }
}

impl Event {
    /// Whether it is shown to nobody any more.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        self.deleted
    }

    /// How many seats it has now.
    #[must_use]
    pub fn seat_count(&self) -> u32 {
        if self.seats_removed { 0 } else { self.plan.seat_count() }
    }

    /// Whether orders can have a ticket type: an event with seats, also while they are taken away, sells
    /// beside them only what its terms name.
    #[must_use]
    pub fn sells(&self, ticket_type: TicketTypeIndex) -> bool {
        self.plan.seat_count() == 0 || self.standing.contains(&ticket_type)
    }

    /// Of each ticket type, whether it is sold beside seats.
    pub fn standing_types(&self) -> impl Iterator<Item = bool> + '_ {
        let indices = (0..self.ticket_types.len()).map(|position| TicketTypeIndex(position as u16));
        indices.map(|index| self.standing.contains(&index))
    }

    /// The slot that a live order lives in: the one of its id, unless it had ended before.
    #[must_use]
    pub fn live_slot(&self, number: OrderNumber, order: &Order) -> HoldSlot {
        self.moved.get(&number).copied().unwrap_or(order.slot)
    }

    /// How many seats or tickets of an order were given back while it went on.
    #[must_use]
    pub fn returned_of(&self, number: OrderNumber) -> u32 {
        self.returned.get(&number).copied().unwrap_or(0)
    }

    pub(crate) fn is_moved(&self, number: OrderNumber) -> bool {
        self.moved.contains_key(&number)
    }

    /// Its seats' geometry, also while they are taken away.
    #[must_use]
    pub fn plan(&self) -> &Arc<SeatPlan> {
        &self.plan
    }

    /// Its sections; none for ticket types only.
    #[must_use]
    pub fn sections(&self) -> &Arc<[Section]> {
        &self.sections
    }

    /// Sums by section.
    #[must_use]
    pub fn counts(&self) -> &[SectionCounts] {
        &self.counts
    }

    /// How many of its orders are where in their life.
    #[must_use]
    pub fn sums(&self) -> &OrderSums {
        &self.sums
    }

    /// The last record that changed a seat or a ticket: a seat map made at or after it is current.
    #[must_use]
    pub fn inventory_lsn(&self) -> Lsn {
        self.inventory_lsn
    }

    /// Seats off sale, by block.
    #[must_use]
    pub fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// An order.
    #[must_use]
    pub fn order(&self, number: OrderNumber) -> Option<&Order> {
        self.orders.get(number.position())?.as_ref()
    }

    /// All orders, oldest first.
    pub fn orders(&self) -> impl DoubleEndedIterator<Item = (OrderNumber, &Order)> {
        self.orders
            .iter()
            .enumerate()
            .filter_map(|(number, order)| Some((OrderNumber(number as u32), order.as_ref()?)))
    }

    /// The number the next order gets.
    #[must_use]
    pub fn next_order(&self) -> OrderNumber {
        OrderNumber(self.orders.len() as u32)
    }

    /// What a seat is.
    ///
    /// # Panics
    /// Where the seat does not exist.
    #[must_use]
    pub fn seat_status(&self, seat: SeatIndex) -> SeatStatus {
        match self.owners[seat.position()] {
            0 => SeatStatus::Available,
            BLOCKED => SeatStatus::Blocked,
            owner => {
                self.order(OrderNumber(owner - 1)).map_or(SeatStatus::Locked, Order::seat_status)
            }
        }
    }

    /// The live order that has a seat.
    #[must_use]
    pub fn seat_owner(&self, seat: SeatIndex) -> Option<OrderNumber> {
        match *self.owners.get(seat.position())? {
            0 | BLOCKED => None,
            owner => Some(OrderNumber(owner - 1)),
        }
    }

    /// Won for a seat.
    #[must_use]
    pub fn seat_price(&self, seat: SeatIndex) -> u32 {
        self.sections[self.plan.place(seat).section].price
    }

    /// Won for everything an order claims.
    #[must_use]
    pub fn amount(&self, claim: &Claim) -> u64 {
        match claim {
            Claim::Seats(seats) => seats.iter().map(|&seat| u64::from(self.seat_price(seat))).sum(),
            Claim::Tickets(lines) => {
                lines.iter().map(|line| u64::from(line.unit_price) * u64::from(line.quantity)).sum()
            }
        }
    }

    /// All seats free, none blocked.
    pub(super) fn with_free_seats(&mut self) {
        self.owners = vec![0; self.plan.seat_count() as usize];
        self.counts = (0..self.plan.section_count())
            .map(|section| {
                let capacity = self.plan.section_capacity(section);
                SectionCounts { capacity, available: capacity, ..SectionCounts::default() }
            })
            .collect();
    }

    /// No seats: nobody owns one, and none counts.
    pub(super) fn without_seats(&mut self) {
        self.owners.fill(BLOCKED);
        self.counts.fill(SectionCounts::default());
    }

    /// Its orders as sums count them.
    pub(super) fn counted(&self) -> impl Iterator<Item = Counted> + '_ {
        self.orders().map(|(_, order)| self.as_counted(order))
    }

    /// One of its orders as sums count it.
    pub(super) fn as_counted(&self, order: &Order) -> Counted {
        Counted::of(order, self.amount(&order.claim))
    }

    /// Moves a seat from one status to another in the sums.
    pub(super) fn recount(&mut self, seat: SeatIndex, from: SeatStatus, to: SeatStatus) {
        let counts = &mut self.counts[self.plan.place(seat).section];
        *counts.of(from) -= 1;
        *counts.of(to) += 1;
    }

    /// Fills in what is derived from orders and blocks.
    ///
    /// # Errors
    /// A seat that does not exist or has two owners; more tickets than there are.
    pub(super) fn derive(&mut self, sections: Arc<[Section]>) -> Result<(), String> {
        self.plan = Arc::new(SeatPlan::new(&sections));
        self.sections = sections;
        self.with_free_seats();
        if self.seats_removed {
            self.without_seats();
        }
        let mut owned: Vec<(SeatIndex, u32, SeatStatus)> = Vec::new();
        for block in &self.blocks {
            owned.extend(block.seats.iter().map(|&seat| (seat, BLOCKED, SeatStatus::Blocked)));
        }
        for (number, order) in self.orders().filter(|(_, order)| order.is_live()) {
            if let Claim::Seats(seats) = &order.claim {
                let status = order.seat_status();
                owned.extend(seats.iter().map(|&seat| (seat, number.0 + 1, status)));
            }
        }
        for (seat, owner, status) in owned {
            match self.owners.get_mut(seat.position()) {
                Some(free @ 0) => *free = owner,
                Some(_) => return Err(format!("seat {seat} has two owners")),
                None => return Err(format!("seat {seat} does not exist")),
            }
            self.recount(seat, SeatStatus::Available, status);
        }
        let mut sums = OrderSums::default();
        self.counted().for_each(|order| sums.add(order));
        self.sums = sums;
        Ok(())
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(section) = self.counts.iter().position(|counts| !counts.add_up()) {
            return Err(format!("section {section}: {:?} do not add up", self.counts[section]));
        }
        let mut recounted = self.clone();
        recounted.derive(Arc::clone(&self.sections))?;
        if recounted.counts != self.counts || recounted.owners != self.owners {
            return Err("the sums over its seats differ from its orders".into());
        }
        if recounted.sums != self.sums {
            return Err("the sums over its orders differ from its orders".into());
        }
        let mut in_orders = vec![0_u64; self.ticket_types.len()];
        for (_, order) in self.orders().filter(|(_, order)| order.is_live()) {
            if let Claim::Tickets(lines) = &order.claim {
                for line in lines {
                    in_orders[line.ticket_type.position()] += u64::from(line.quantity);
                }
            }
        }
        for (ticket_type, counted) in self.ticket_types.iter().zip(in_orders) {
            let sellable = ticket_type.total_quantity - ticket_type.sold_elsewhere;
            if counted != u64::from(ticket_type.in_orders) || ticket_type.in_orders > sellable {
                return Err(format!("ticket type {} does not add up", ticket_type.name));
            }
        }
        Ok(())
    }
}
