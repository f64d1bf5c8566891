//! The auditor's own idea of seats, tickets and orders.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tiketi_engine::ids::{EventIndex, Lsn, UnixMillis};
use tiketi_engine::record::{
    Claim, EndReason, EventDetails, EventRules, NewTicketType, Section, TicketHold, TicketLine,
};
use tiketi_engine::state::Event;

use super::RACE_MS;
use super::queue::QueueModel;

/// A user, as far as the auditor cares.
pub(super) struct UserModel {
    pub(super) tag: u64,
}

/// A layout.
pub(super) struct LayoutModel {
    pub(super) sections: Vec<Section>,
}

/// An event.
pub(super) struct EventModel {
    pub(super) title: String,
    pub(super) sections: Vec<SectionModel>,
    pub(super) seats: Vec<Seat>,
    pub(super) tickets: Vec<TicketModel>,
    pub(super) rules: EventRules,
    pub(super) orders: BTreeMap<u32, OrderModel>,
    /// Live orders by hold slot.
    pub(super) slots: HashMap<u32, u32>,
    /// Seats and tickets in live orders, by user.
    pub(super) by_user: HashMap<u32, u64>,
    /// Tickets in live orders, by user.
    pub(super) tickets_by_user: HashMap<u32, u64>,
    /// `None` where no record says any.
    pub(super) terms: Option<TermsModel>,
    /// Terms of the past, and when each was replaced.
    pub(super) past_terms: Vec<(Option<TermsModel>, UnixMillis)>,
    /// Payments that began after the show did; an edit just after them may explain them.
    pub(super) late: Vec<(Lsn, u32, UnixMillis)>,
    pub(super) window: Window,
    /// Sale windows of the past, and when each was replaced.
    pub(super) past_windows: Vec<(Window, UnixMillis)>,
    /// Holds outside every window known so far; an edit just after them may explain them.
    pub(super) doubtful: Vec<(Lsn, u32, UnixMillis)>,
    pub(super) cancelled_at: Option<UnixMillis>,
    pub(super) deleted: bool,
    /// Whether its seats were taken away: all of them are blocked then.
    pub(super) seats_removed: bool,
    pub(super) queue: QueueModel,
    pub(super) created_lsn: Lsn,
    pub(super) created_at: UnixMillis,
}

/// What the terms of an event say of tickets.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct TermsModel {
    pub(super) max_tickets: Option<u32>,
    pub(super) ticket_hold_ttl: Option<TicketHold>,
    pub(super) standing: BTreeSet<u16>,
}

impl TermsModel {
    /// What a snapshot says of them.
    pub(super) fn of(event: &Event) -> TermsModel {
        TermsModel {
            max_tickets: event.terms.max_tickets,
            ticket_hold_ttl: event.terms.ticket_hold_ttl,
            standing: event.standing.iter().map(|ticket_type| ticket_type.0).collect(),
        }
    }
}

/// A section and where its seats begin.
#[derive(Clone)]
pub(super) struct SectionModel {
    pub(super) name: String,
    pub(super) first_seat: usize,
    pub(super) seats: usize,
    pub(super) seats_per_row: usize,
    pub(super) start_row: u32,
    pub(super) price: u32,
}

/// Who has a seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seat {
    Free,
    Blocked,
    Owned(u32),
}

/// A ticket type.
pub(super) struct TicketModel {
    pub(super) name: String,
    pub(super) price: u32,
    /// Prices of the past, and when each was replaced.
    pub(super) past_prices: Vec<(u32, UnixMillis)>,
    /// When it was edited last before what is known begins.
    pub(super) edited_before: Option<UnixMillis>,
    pub(super) for_sale: u64,
    pub(super) total: u64,
    pub(super) in_orders: u64,
}

/// When holds may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) opens_at: UnixMillis,
    pub(super) closes_at: UnixMillis,
    pub(super) event_at: UnixMillis,
}

/// An order.
pub(super) struct OrderModel {
    pub(super) slot: u32,
    pub(super) user: u32,
    pub(super) claim: ClaimModel,
    pub(super) held_lsn: Lsn,
    pub(super) expires_at: Option<UnixMillis>,
    pub(super) life: Life,
    pub(super) last_attempt: u8,
    pub(super) was_paid: bool,
    /// The charge whose money it rests on, where one paid it.
    pub(super) paid_by: Option<usize>,
    /// When its life last changed.
    pub(super) changed_at: UnixMillis,
    /// Whether it was made after its event was called off.
    pub(super) after_cancel: bool,
}

/// What an order claims.
#[derive(Clone)]
pub(super) enum ClaimModel {
    Seats(Vec<usize>),
    Tickets(Vec<TicketLine>),
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Held,
    Paying,
    AwaitingDeposit,
    Paid,
    Ended(EndReason),
}

impl Life {
    pub(super) fn is_live(self) -> bool {
        !matches!(self, Life::Ended(_))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Life::Held => "held",
            Life::Paying => "being paid",
            Life::AwaitingDeposit => "awaiting deposit",
            Life::Paid => "paid",
            Life::Ended(_) => "ended",
        }
    }
}

impl TicketModel {
    pub(super) fn new(new: &NewTicketType) -> TicketModel {
        TicketModel {
            name: new.name.clone(),
            price: new.price,
            past_prices: Vec::new(),
            edited_before: None,
            for_sale: u64::from(new.total_quantity.saturating_sub(new.sold_elsewhere)),
            total: u64::from(new.total_quantity),
            in_orders: 0,
        }
    }

    /// Whether it had this price at about that moment.
    pub(super) fn costs(&self, price: u32, at: UnixMillis) -> bool {
        let was = |&(past, until): &(u32, UnixMillis)| past == price && at <= until.plus(RACE_MS);
        let is_unknown = self.edited_before.is_some_and(|edited| at <= edited.plus(RACE_MS));
        self.price == price || is_unknown || self.past_prices.iter().any(was)
    }
}

impl Window {
    pub(super) fn of(details: &EventDetails) -> Window {
        Window {
            opens_at: details.sale_starts_at,
            closes_at: details.sale_ends_at,
            event_at: details.event_at,
        }
    }

    /// Over at the end of sales, or after the instant of the show.
    pub(super) fn is_open(&self, at: UnixMillis) -> bool {
        self.opens_at <= at && at < self.closes_at && at <= self.event_at
    }
}

impl ClaimModel {
    pub(super) fn of(claim: &Claim) -> ClaimModel {
        match claim {
            Claim::Seats(seats) => {
                ClaimModel::Seats(seats.iter().map(|seat| seat.0 as usize).collect())
            }
            Claim::Tickets(lines) => ClaimModel::Tickets(lines.to_vec()),
        }
    }

    /// Seats and tickets.
    pub(super) fn quantity(&self) -> u64 {
        match self {
            ClaimModel::Seats(seats) => seats.len() as u64,
            ClaimModel::Tickets(lines) => lines.iter().map(|line| u64::from(line.quantity)).sum(),
        }
    }
}

impl EventModel {
    pub(super) fn new(
        details: &EventDetails,
        sections: &[Section],
        ticket_types: &[NewTicketType],
        rules: EventRules,
        (created_lsn, created_at): (Lsn, UnixMillis),
    ) -> EventModel {
        let mut first_seat = 0;
        let sections: Vec<SectionModel> = sections
            .iter()
            .map(|section| {
                let seats = section.rows as usize * section.seats_per_row as usize;
                let model = SectionModel {
                    name: section.name.clone(),
                    first_seat,
                    seats,
                    seats_per_row: section.seats_per_row as usize,
                    start_row: section.start_row,
                    price: section.price,
                };
                first_seat += seats;
                model
            })
            .collect();
        EventModel {
            title: details.title.clone(),
            sections,
            seats: vec![Seat::Free; first_seat],
            tickets: ticket_types.iter().map(TicketModel::new).collect(),
            rules,
            orders: BTreeMap::new(),
            slots: HashMap::new(),
            by_user: HashMap::new(),
            tickets_by_user: HashMap::new(),
            terms: None,
            past_terms: Vec::new(),
            late: Vec::new(),
            window: Window::of(details),
            past_windows: Vec::new(),
            doubtful: Vec::new(),
            queue: QueueModel::default(),
            cancelled_at: None,
            deleted: false,
            seats_removed: false,
            created_lsn,
            created_at,
        }
    }

    pub(super) fn section_of(&self, seat: usize) -> Option<&SectionModel> {
        self.sections.iter().find(|section| {
            (section.first_seat..section.first_seat + section.seats).contains(&seat)
        })
    }

    /// A seat as people call it.
    pub(super) fn label(&self, seat: usize) -> String {
        match self.section_of(seat) {
            None => format!("seat {seat}"),
            Some(section) => {
                let offset = seat - section.first_seat;
                let row = section.start_row as usize + offset / section.seats_per_row;
                let number = offset % section.seats_per_row + 1;
                format!("seat {}-{row}-{number}", section.name)
            }
        }
    }

    /// Won for what an order claims.
    pub(super) fn amount(&self, claim: &ClaimModel) -> u64 {
        match claim {
            ClaimModel::Seats(seats) => seats
                .iter()
                .filter_map(|&seat| self.section_of(seat))
                .map(|section| u64::from(section.price))
                .sum(),
            ClaimModel::Tickets(lines) => {
                lines.iter().map(|line| u64::from(line.unit_price) * u64::from(line.quantity)).sum()
            }
        }
    }

    /// Puts tickets back on sale.
    pub(super) fn return_tickets(&mut self, lines: &[TicketLine]) {
        for line in lines {
            if let Some(ticket) = self.tickets.get_mut(line.ticket_type.position()) {
                ticket.in_orders = ticket.in_orders.saturating_sub(line.quantity.into());
            }
        }
    }

    /// Whether `due` is before the event and the end of its sale, as they were at about `at`.
    pub(super) fn is_before_it(&self, due: UnixMillis, at: UnixMillis) -> bool {
        let is_before = |window: &Window| due <= window.closes_at.min(window.event_at);
        let was_in_force = |until: UnixMillis| at <= until.plus(RACE_MS);
        let mut past = self.past_windows.iter();
        is_before(&self.window)
            || past.any(|(window, until)| was_in_force(*until) && is_before(window))
    }

    /// Gives a free seat to an owner, or says who has it.
    pub(super) fn take(&mut self, seat: usize, owner: Seat) -> Result<(), String> {
        let label = self.label(seat);
        match self.seats.get_mut(seat) {
            Some(found @ Seat::Free) => {
                *found = owner;
                Ok(())
            }
            Some(Seat::Blocked) => Err(format!("{label} is blocked")),
            Some(Seat::Owned(order)) => Err(format!("{label} is order {order}'s")),
            None => Err(format!("{label} does not exist")),
        }
    }

    /// Frees a seat of its owner, or says whose it is.
    pub(super) fn give_back(&mut self, seat: usize, owner: Seat) -> Result<(), String> {
        let label = self.label(seat);
        match self.seats.get_mut(seat) {
            Some(found) if *found == owner => {
                *found = Seat::Free;
                Ok(())
            }
            Some(Seat::Free) => Err(format!("{label} is free")),
            Some(Seat::Blocked) => Err(format!("{label} is blocked")),
            Some(Seat::Owned(order)) => Err(format!("{label} is order {order}'s")),
            None => Err(format!("{label} does not exist")),
        }
    }
}

/// An order as findings name it.
pub(super) fn order_name(event: EventIndex, number: u32) -> String {
    format!("order {number} of event {event}")
}
