//! Hold slots: one cache line for each order that has not ended.
//!
//! All of an order's life goes through one word of state, and every step is the same three moves:
//! compare-and-swap to `Busy`, append the record, store the next phase. Whoever wins the swap is the
//! only one who logs (I4), and nobody can log a later step before an earlier one (I2). Phases:
//! `Free → Busy → Held ⇄ Paying → AwaitingDeposit → Paid`; `Held` and `Paid` end, `→ Busy → Free`.

use crossbeam::utils::CachePadded;

use crate::append_vec::AppendVec;
use crate::ids::{
    Attempt, HoldSlot, OrderNumber, SeatIndex, TicketTypeIndex, UnixMillis, UserIndex,
};
use crate::inline_list::InlineList;
use crate::limits::SEATS_PER_HOLD_MAX;
use crate::record::SeatList;
use crate::sync::{
    AtomicU32, AtomicU64, Ordering, fence, load_before_exchange, store_release, store_seq_cst,
};

/// The hold slots of one event.
#[derive(Debug)]
pub(crate) struct HoldTable {
    counters: CachePadded<Counters>,
    slots: AppendVec<Slot>,
    /// Where an unpaid order was found last.
    unpaid: AtomicU32,
}

/// What every new hold changes, together on one cache line: with many events each line is fetched
/// anew, and with one event in demand it travels between processors once a hold.
#[derive(Debug)]
struct Counters {
    /// A stack of free slots: upper half a tag against reuse, lower half slot + 1, 0 for none.
    free: AtomicU64,
    /// How many slots were ever used.
    used: AtomicU32,
    /// The number of the next order.
    next_order: AtomicU32,
}

/// One slot. The fields beside `state` belong to whoever moved it to `Busy` or found it free.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Slot {
    state: AtomicU64,
    /// Zero for no deadline.
    expires_at: AtomicU64,
    user: AtomicU32,
    next_free: AtomicU32,
    lines: [AtomicU32; SEATS_PER_HOLD_MAX],
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The slot holds no order.
    Free,
    /// Somebody is logging a step of the order.
    Busy,
    /// Claimed, unpaid.
    Held,
    /// A payment is under way: cannot expire (I4).
    Paying,
    /// Sold.
    Paid,
    /// The buyer pays into an account until that is due: cannot expire (I4).
    AwaitingDeposit,
}

/// The word of state: order number in bits 32.., attempt in 16..24, lines in 8..16, the kind of
/// claim in bit 7, the phase in bits 0..3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotState(u64);

const PHASE: u64 = 0b111;
const TICKETS: u64 = 1 << 7;
const LINES_SHIFT: u32 = 8;
const ATTEMPT_SHIFT: u32 = 16;
const ORDER_SHIFT: u32 = 32;

impl SlotState {
    fn new(order: OrderNumber, claim: &SlotClaim, phase: Phase) -> SlotState {
        let (kind, lines) = match claim {
            SlotClaim::Seats(seats) => (0, seats.len()),
            SlotClaim::Tickets(lines) => (TICKETS, lines.len()),
        };
        SlotState(
            u64::from(order.0) << ORDER_SHIFT | (lines as u64) << LINES_SHIFT | kind | phase as u64,
        )
    }

    /// The phase.
    pub(crate) fn phase(self) -> Phase {
        match self.0 & PHASE {
            0 => Phase::Free,
            1 => Phase::Busy,
            2 => Phase::Held,
            3 => Phase::Paying,
            4 => Phase::Paid,
            _ => Phase::AwaitingDeposit,
        }
    }

    /// The order that the slot holds, or held last.
    pub(crate) fn order(self) -> OrderNumber {
        OrderNumber((self.0 >> ORDER_SHIFT) as u32)
    }

    /// Whether this is the order's state and the order has not ended.
    pub(crate) fn is_live(self, order: OrderNumber) -> bool {
        self.order() == order && self.phase() != Phase::Free
    }

    /// The last payment attempt.
    pub(crate) fn attempt(self) -> Attempt {
        Attempt((self.0 >> ATTEMPT_SHIFT) as u8)
    }

    fn lines(self) -> usize {
        (self.0 >> LINES_SHIFT) as u8 as usize
    }

    fn with_phase(self, phase: Phase) -> SlotState {
        SlotState(self.0 & !PHASE | phase as u64)
    }

    fn with_attempt(self, attempt: Attempt) -> SlotState {
        SlotState(self.0 & !(0xff << ATTEMPT_SHIFT) | u64::from(attempt.0) << ATTEMPT_SHIFT)
    }
}

/// What an order holds, as far as giving it back needs to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SlotClaim {
    /// Seats, ascending.
    Seats(SeatList),
    /// Numbers of tickets by type.
    Tickets(InlineList<(TicketTypeIndex, u32)>),
}

/// An order as its slot knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SlotOrder {
    /// Its number: the generation of the slot.
    pub(crate) order: OrderNumber,
    /// Whose it is.
    pub(crate) user: UserIndex,
    /// When it expires; `None` for never.
    pub(crate) expires_at: Option<UnixMillis>,
    /// What it holds.
    pub(crate) claim: SlotClaim,
}

/// What a command asks of an order before it tries to step on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    /// Whose it is.
    pub(crate) user: UserIndex,
    /// When it expires; `None` for never.
    pub(crate) expires_at: Option<UnixMillis>,
}

/// The right to log the next step of one order; the slot is `Busy` until it is used.
#[derive(Debug)]
#[must_use = "a busy slot stays busy until it is settled, released or put back"]
pub(crate) struct Step<'a> {
    slot: &'a Slot,
    index: HoldSlot,
    before: SlotState,
}

impl HoldTable {
    pub(crate) fn new() -> HoldTable {
        HoldTable {
            counters: CachePadded::new(Counters {
                free: AtomicU64::new(0),
                used: AtomicU32::new(0),
                next_order: AtomicU32::new(0),
            }),
            slots: AppendVec::new(),
            unpaid: AtomicU32::new(0),
        }
    }

    /// The next order's number. Handed out after the seats are taken, so a number without a record
    /// means a crash between the two.
    pub(crate) fn next_order_number(&self) -> OrderNumber {
        // ORDERING: Relaxed, the counter only hands out distinct numbers.
        OrderNumber(self.counters.next_order.fetch_add(1, Ordering::Relaxed))
    }

    /// Continues numbering after the orders of the log.
    pub(crate) fn set_next_order(&self, next: OrderNumber) {
        self.counters.next_order.store(next.0, Ordering::Relaxed);
    }

    /// A slot for a new order, still invisible: it becomes `Held` with [`Step::settle`], after its
    /// record is logged. Cannot fail: every live order holds at least one seat or ticket, of which
    /// there are fewer than slots.
    pub(crate) fn claim(&self, order: &SlotOrder) -> Step<'_> {
        let index = self.pop_free().unwrap_or_else(|| {
            // ORDERING: Relaxed, the counter only hands out distinct numbers.
            HoldSlot(self.counters.used.fetch_add(1, Ordering::Relaxed))
        });
        self.fill(index, order)
    }

    /// Puts an order found in the log into the slot it had, before the table is shared.
    pub(crate) fn restore(&self, index: HoldSlot, order: &SlotOrder) -> Step<'_> {
        self.counters.used.fetch_max(index.0 + 1, Ordering::Relaxed);
        self.fill(index, order)
    }

    /// Puts every slot below the highest one used that holds nothing on the free list, lowest on
    /// top; once, after [`HoldTable::restore`].
    pub(crate) fn free_unused(&self) {
        for index in (0..self.counters.used.load(Ordering::Relaxed)).rev() {
            let state = SlotState(self.slots.at(index).state.load(Ordering::Relaxed));
            if state.phase() == Phase::Free {
                self.push_free(HoldSlot(index));
            }
        }
    }

    fn fill(&self, index: HoldSlot, order: &SlotOrder) -> Step<'_> {
        let slot = self.slots.at(index.0);
        // ORDERING: Relaxed, published by the Release in `Step::settle`.
        slot.expires_at.store(order.expires_at.map_or(0, |at| at.0), Ordering::Relaxed);
        slot.user.store(order.user.0, Ordering::Relaxed);
        slot.write(&order.claim);
        let before = SlotState::new(order.order, &order.claim, Phase::Busy);
        Step { slot, index, before }
    }

    /// What a slot holds now: a hint for choosing what to try.
    pub(crate) fn peek(&self, index: HoldSlot) -> Option<SlotState> {
        // ORDERING: Acquire pairs with the Release in `Step::settle`, for readers of the fields.
        self.slots.get(index.0).map(|slot| SlotState(slot.state.load(Ordering::Acquire)))
    }

    /// Whose the order in a slot is and when it expires, if it is this order and nobody is logging
    /// a step of it.
    pub(crate) fn terms(&self, index: HoldSlot, order: OrderNumber) -> Option<Terms> {
        let slot = self.slots.get(index.0)?;
        let is_this = |state: SlotState| {
            state.order() == order && !matches!(state.phase(), Phase::Free | Phase::Busy)
        };
        if !is_this(SlotState(slot.state.load(Ordering::Acquire))) {
            return None;
        }
        let terms = slot.terms();
        // The slot may have been used again while its fields were read.
        // ORDERING: the fence keeps the reads above before the second look at the state.
        fence(Ordering::Acquire);
        let after = SlotState(slot.state.load(Ordering::Relaxed));
        (after.order() == order && after.phase() != Phase::Free).then_some(terms)
    }

    /// Wins the right to log the next step of an order, for the phases that `allow` says yes to.
    ///
    /// # Errors
    /// The state found: another order's number, a phase not allowed, or `Busy`.
    pub(crate) fn begin(
        &self,
        index: HoldSlot,
        order: OrderNumber,
        allow: impl Fn(SlotState) -> bool,
    ) -> Result<Step<'_>, Option<SlotState>> {
        let slot = self.slots.get(index.0).ok_or(None)?;
        let mut state = SlotState(load_before_exchange(&slot.state, Ordering::Acquire));
        loop {
            let open = !matches!(state.phase(), Phase::Free | Phase::Busy);
            if !open || state.order() != order || !allow(state) {
                return Err(Some(state));
            }
            // ORDERING: the Acquire pairs with the Release in `Step::settle`: we see the slot's
            // fields, and the record of the last step is in the log before ours (I2, I4).
            match slot.state.compare_exchange_weak(
                state.0,
                state.with_phase(Phase::Busy).0,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => {
                    return Ok(Step { slot, index, before: state });
                }
                Err(now) => state = SlotState(now),
            }
        }
    }

    /// Slots ever used; every live order is in one of them.
    pub(crate) fn used(&self) -> u32 {
        self.counters.used.load(Ordering::Acquire)
    }

    /// Whether an order is neither paid nor over, as of a moment ago. Where one was found last is
    /// looked at first: while a hall is full this is asked again and again.
    pub(crate) fn has_unpaid(&self) -> bool {
        let is_unpaid = |slot: u32| {
            let phase = self.peek(HoldSlot(slot)).map(SlotState::phase);
            matches!(
                phase,
                Some(Phase::Busy | Phase::Held | Phase::Paying | Phase::AwaitingDeposit)
            )
        };
        // ORDERING: Relaxed, a hint.
        if is_unpaid(self.unpaid.load(Ordering::Relaxed)) {
            return true;
        }
        let found = (0..self.used()).find(|&slot| is_unpaid(slot));
        if let Some(slot) = found {
            self.unpaid.store(slot, Ordering::Relaxed);
        }
        found.is_some()
    }

    fn pop_free(&self) -> Option<HoldSlot> {
        // ORDERING: Acquire pairs with the Release of `push_free`, so `next_free` is the one that
        // belongs to the head we saw; the tag makes a stale head fail the exchange.
        let mut head = load_before_exchange(&self.counters.free, Ordering::Acquire);
        loop {
            let top = (head as u32).checked_sub(1)?;
            let next = self.slots.at(top).next_free.load(Ordering::Relaxed);
            let replacement = next_tag(head) | u64::from(next);
            match self.counters.free.compare_exchange_weak(
                head,
                replacement,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                Ok(_) => return Some(HoldSlot(top)),
                Err(now) => head = now,
            }
        }
    }

    fn push_free(&self, index: HoldSlot) {
        let slot = self.slots.at(index.0);
        let mut head = load_before_exchange(&self.counters.free, Ordering::Relaxed);
        loop {
            slot.next_free.store(head as u32, Ordering::Relaxed);
            let replacement = next_tag(head) | u64::from(index.0 + 1);
            // ORDERING: Release publishes `next_free`; see `pop_free`.
            match self.counters.free.compare_exchange_weak(
                head,
                replacement,
                Ordering::AcqRel,
                Ordering::Relaxed,
            ) {
                Ok(_) => return,
                Err(now) => head = now,
            }
        }
    }
}

fn next_tag(head: u64) -> u64 {
    (head >> 32).wrapping_add(1) << 32
}

impl Slot {
    // ORDERING: Relaxed, published by the Release in `Step::settle`.
    fn write(&self, claim: &SlotClaim) {
        match claim {
            SlotClaim::Seats(seats) => {
                for (line, seat) in self.lines.iter().zip(seats.iter()) {
                    line.store(seat.0, Ordering::Relaxed);
                }
            }
            SlotClaim::Tickets(tickets) => {
                for (line, (ticket_type, quantity)) in self.lines.iter().zip(tickets.iter()) {
                    line.store(u32::from(ticket_type.0) << 20 | quantity, Ordering::Relaxed);
                }
            }
        }
    }

    fn read(&self, state: SlotState) -> SlotOrder {
        let lines = &self.lines[..state.lines().min(SEATS_PER_HOLD_MAX)];
        let lines = lines.iter().map(|line| line.load(Ordering::Relaxed));
        let claim = if state.0 & TICKETS == 0 {
            SlotClaim::Seats(collect(lines.map(SeatIndex)))
        } else {
            SlotClaim::Tickets(collect(
                lines.map(|line| (TicketTypeIndex((line >> 20) as u16), line & ((1 << 20) - 1))),
            ))
        };
        let Terms { user, expires_at } = self.terms();
        SlotOrder { order: state.order(), user, expires_at, claim }
    }

    fn terms(&self) -> Terms {
        let expires_at = self.expires_at.load(Ordering::Relaxed);
        Terms {
            user: UserIndex(self.user.load(Ordering::Relaxed)),
            expires_at: (expires_at != 0).then_some(UnixMillis(expires_at)),
        }
    }
}

fn collect<T: Copy + Default>(items: impl Iterator<Item = T>) -> InlineList<T> {
    let mut list = InlineList::default();
    for item in items {
        // A slot has no more lines than the list.
        list.push(item).unwrap_or_default();
    }
    list
}

impl<'a> Step<'a> {
    /// The slot's index.
    pub(crate) fn index(&self) -> HoldSlot {
        self.index
    }

    /// The phase before the step.
    pub(crate) fn phase_before(&self) -> Phase {
        self.before.phase()
    }

    /// The order; the step owns it.
    pub(crate) fn order(&self) -> SlotOrder {
        self.slot.read(self.before)
    }

    /// The attempt that a payment beginning now gets, or `None` after 255 of them.
    pub(crate) fn next_attempt(&self) -> Option<Attempt> {
        self.before.attempt().0.checked_add(1).map(Attempt)
    }

    /// Ends the step in the next phase, after its record is logged (I2).
    pub(crate) fn settle(self, phase: Phase) {
        // ORDERING: SeqCst, see `EventInventory::set_cancelled`; the Release in it pairs with the
        // Acquire in `begin` and `peek`.
        store_seq_cst(&self.slot.state, self.before.with_phase(phase).0);
    }

    /// Ends the step in a phase that a payment attempt led to, after its record is logged.
    pub(crate) fn settle_with(self, phase: Phase, attempt: Attempt) {
        self.store(self.before.with_phase(phase).with_attempt(attempt));
    }

    /// Ends the step with less in the order and its phase as it was, after its record is logged and
    /// what it gave up is given back.
    pub(crate) fn settle_smaller(self, rest: &SlotClaim) {
        self.slot.write(rest);
        let smaller = SlotState::new(self.before.order(), rest, self.before.phase());
        // ORDERING: SeqCst, as `settle`.
        store_seq_cst(&self.slot.state, smaller.with_attempt(self.before.attempt()).0);
    }

    /// Gives up the step: the order is as it was.
    pub(crate) fn put_back(self) {
        self.store(self.before);
    }

    /// Ends the order's life and frees the slot, after the record and after its seats are given
    /// back.
    pub(crate) fn release(self, table: &HoldTable) {
        let index = self.index;
        self.store(self.before.with_phase(Phase::Free));
        table.push_free(index);
    }

    fn store(&self, state: SlotState) {
        // ORDERING: Release pairs with the Acquire in `begin`, `terms` and `peek`.
        store_release(&self.slot.state, state.0);
    }
}
