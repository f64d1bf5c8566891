//! Users, layouts, events and blocked seats.

use tiketi_engine::ids::{EventIndex, SeatIndex, UnixMillis};
use tiketi_engine::record::{EventCreated, EventDetails, LayoutCreated, UserRegistered};

use super::finding::Rule;
use super::model::{EventModel, LayoutModel, Seat, UserModel, Window};
use super::orders::not_on_sale;
use super::terms::{is_before_show, paid_late};
use super::{Auditor, RACE_MS};

impl Auditor {
    pub(super) fn user_registered(&mut self, user: &UserRegistered) {
        self.instant(user.at);
        let index = user.user.index;
        if index.position() != self.users.len() {
            let text = format!("user {index} is made after {} users", self.users.len());
            self.find(Rule::Numbering, text);
        }
        if !self.emails.insert(user.email.clone()) {
            self.find(Rule::Numbering, format!("the address of user {index} is taken"));
        }
        self.users.push(UserModel { tag: user.user.tag });
    }

    pub(super) fn layout_created(&mut self, layout: &LayoutCreated) {
        self.instant(layout.at);
        let index = layout.layout;
        if index.position() != self.layouts.len() {
            let text = format!("layout {index} is made after {} layouts", self.layouts.len());
            self.find(Rule::Numbering, text);
        }
        if !self.layout_names.insert(layout.name.clone()) {
            self.find(Rule::Numbering, format!("the name of layout {index} is taken"));
        }
        let mut names: Vec<&str> =
            layout.sections.iter().map(|section| section.name.as_str()).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair[0] == pair[1]) {
            self.find(Rule::Numbering, format!("layout {index} has two sections of one name"));
        }
        let seats = |rows: u32, per_row: u32| u64::from(rows) * u64::from(per_row);
        let empty = layout.sections.iter().any(|one| seats(one.rows, one.seats_per_row) == 0);
        let total: u64 = layout.sections.iter().map(|one| seats(one.rows, one.seats_per_row)).sum();
        let mut sections = layout.sections.clone();
        if empty || total == 0 || total > u64::from(u32::MAX) {
            self.find(Rule::Malformed, format!("layout {index} has {total} seats"));
            sections.clear();
        }
        self.layouts.push(LayoutModel { sections });
    }

    pub(super) fn event_created(&mut self, created: &EventCreated) {
        self.instant(created.at);
        let index = created.event;
        if index.position() != self.events.len() {
            let text = format!("event {index} is made after {} events", self.events.len());
            self.find(Rule::Numbering, text);
        }
        let layout = created.layout.map(|layout| (layout, self.layouts.get(layout.position())));
        let (sections, unknown) = match layout {
            None => (Vec::new(), None),
            Some((_, Some(found))) => (found.sections.clone(), None),
            Some((layout, None)) => (Vec::new(), Some(layout)),
        };
        if let Some(layout) = unknown {
            self.find(Rule::UnknownThing, format!("event {index} has layout {layout}, unknown"));
        }
        if created.created_by.is_some_and(|user| user.position() >= self.users.len()) {
            self.find(Rule::UnknownThing, format!("event {index} is made by an unknown user"));
        }
        if created.ticket_types.iter().any(|new| new.sold_elsewhere > new.total_quantity) {
            let text = format!("event {index} sold more tickets elsewhere than there are");
            self.find(Rule::Malformed, text);
        }
        let details = &created.details;
        let made = (self.lsn, created.at);
        let types = &created.ticket_types;
        let event = EventModel::new(details, &sections, types, created.rules, made);
        self.events.push(event);
    }

    pub(super) fn event_edited(
        &mut self,
        index: EventIndex,
        details: &EventDetails,
        at: UnixMillis,
    ) {
        self.instant(at);
        let Some(event) = self.events.get_mut(index.position()) else {
            return self.find(Rule::UnknownThing, format!("event {index} is edited, unknown"));
        };
        event.title.clone_from(&details.title);
        let new = Window::of(details);
        let old = std::mem::replace(&mut event.window, new);
        event.past_windows.push((old, at));
        // A hold may have seen the new window before its record came.
        let explained = |held_at: UnixMillis| new.is_open(held_at) && at <= held_at.plus(RACE_MS);
        for (lsn, number, held_at) in std::mem::take(&mut event.doubtful) {
            if !explained(held_at) {
                let (rule, text) = not_on_sale(index, number);
                self.findings.add(lsn, rule, text);
            }
        }
        // So may a payment.
        let explained =
            |paid_at: UnixMillis| is_before_show(&new, paid_at) && at <= paid_at.plus(RACE_MS);
        for (lsn, number, paid_at) in std::mem::take(&mut event.late) {
            if !explained(paid_at) {
                let (rule, text) = paid_late(index, number);
                self.findings.add(lsn, rule, text);
            }
        }
    }

    pub(super) fn event_cancelled(&mut self, index: EventIndex, at: UnixMillis) {
        self.instant(at);
        let Some(event) = self.events.get_mut(index.position()) else {
            return self.find(Rule::UnknownThing, format!("event {index} is called off, unknown"));
        };
        let before = event.cancelled_at.replace(at);
        if before.is_some() {
            self.find(Rule::OrderOfLife, format!("event {index} is called off twice"));
        }
    }

    pub(super) fn seats_blocked(&mut self, index: EventIndex, seats: &[SeatIndex], at: UnixMillis) {
        self.instant(at);
        let Some(event) = self.events.get_mut(index.position()) else {
            let text = format!("seats of event {index} are blocked, unknown");
            return self.find(Rule::UnknownThing, text);
        };
        let mut found = Vec::new();
        for seat in seats.iter().map(|seat| seat.position()) {
            let rule = match seat < event.seats.len() {
                true => Rule::TwoOwners,
                false => Rule::UnknownThing,
            };
            if let Err(why) = event.take(seat, Seat::Blocked) {
                found.push((rule, format!("a seat of event {index} is blocked, but {why}")));
            }
        }
        self.add(found);
    }

    pub(super) fn seats_unblocked(
        &mut self,
        index: EventIndex,
        seats: &[SeatIndex],
        at: UnixMillis,
    ) {
        self.instant(at);
        let Some(event) = self.events.get_mut(index.position()) else {
            let text = format!("seats of event {index} are unblocked, unknown");
            return self.find(Rule::UnknownThing, text);
        };
        let mut found = Vec::new();
        for seat in seats.iter().map(|seat| seat.position()) {
            let rule = match seat < event.seats.len() {
                true => Rule::NotTheOwner,
                false => Rule::UnknownThing,
            };
            if let Err(why) = event.give_back(seat, Seat::Blocked) {
                found.push((rule, format!("a seat of event {index} is unblocked, but {why}")));
            }
        }
        self.add(found);
    }
}
