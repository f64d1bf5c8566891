//! A record in words and as JSON, with the names that the log gave things before it.

mod money;
mod people;

use serde_json::{Map, Value, json};
use tiketi_engine::ids::{
    EventIndex, ExternalId, Lsn, ReservationId, SeatIndex, UnixMillis, UserIndex,
    reservation_number,
};
use tiketi_engine::record::{
    Claim, EndReason, EventTermsSet, LeaveReason, OrderRef, Record, Section, TicketHold,
};
use tiketi_engine::state::State;
use tiketi_gateway::api::payments::method_id;
use tiketi_gateway::api::typed::TicketHoldTtl;
use tiketi_gateway::api::{Id, Timestamp, role_name};

use crate::draw::commitment;
use crate::text::{clean, seoul_exact};

/// Names learnt from the records before.
#[derive(Default)]
pub(crate) struct Names {
    users: Vec<String>,
    layouts: Vec<Vec<Section>>,
    events: Vec<(String, Option<usize>)>,
}

/// A record, described.
pub(crate) struct Described {
    /// What kind of fact, in one word.
    pub(crate) kind: &'static str,
    /// When, where the record says so.
    pub(crate) at: Option<UnixMillis>,
    /// The event it is about.
    pub(crate) event: Option<EventIndex>,
    /// The order it is about.
    pub(crate) order: Option<OrderRef>,
    /// The rest, for people.
    pub(crate) text: String,
    /// The rest, for programs.
    pub(crate) fields: Map<String, Value>,
}

impl Described {
    fn new(kind: &'static str, at: Option<UnixMillis>, text: String, fields: Value) -> Described {
        let fields = match fields {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        Described { kind, at, event: None, order: None, text, fields }
    }

    fn of_event(mut self, event: EventIndex) -> Described {
        self.event = Some(event);
        self.fields.insert("event".into(), json!(Id::from(event)));
        self
    }

    fn of_order(mut self, order: OrderRef) -> Described {
        self.order = Some(order);
        self.fields.insert("order".into(), json!(order.number.0));
        self.of_event(order.event)
    }
}

/// An instant as JSON has it.
pub(crate) fn instant(at: UnixMillis) -> Value {
    Value::from(Timestamp(at).to_string())
}

/// Why an order ended, in one word.
pub(crate) fn reason_name(reason: EndReason) -> &'static str {
    match reason {
        EndReason::Expired => "expired",
        EndReason::CancelledByUser => "cancelled_by_user",
        EndReason::CancelledByAdmin => "cancelled_by_admin",
        EndReason::EventCancelled => "event_cancelled",
    }
}

impl Names {
    /// The names a snapshot knows.
    pub(crate) fn of(state: &State) -> Names {
        Names {
            users: state.users().iter().map(|user| user.email.clone()).collect(),
            layouts: state.layouts().iter().map(|layout| layout.sections.clone()).collect(),
            events: state
                .events()
                .iter()
                .map(|event| {
                    (event.details.title.clone(), event.layout.map(|layout| layout.position()))
                })
                .collect(),
        }
    }

    /// Remembers what a record names.
    pub(crate) fn learn(&mut self, record: &Record) {
        match record {
            Record::UserRegistered(user) => self.users.push(user.email.clone()),
            Record::LayoutCreated(layout) => self.layouts.push(layout.sections.clone()),
            Record::EventCreated(event) => {
                let layout = event.layout.map(|layout| layout.position());
                self.events.push((event.details.title.clone(), layout));
            }
            Record::EventEdited { event, details, .. } => {
                if let Some((title, _)) = self.events.get_mut(event.position()) {
                    title.clone_from(&details.title);
                }
            }
            _ => {}
        }
    }

    fn event(&self, event: EventIndex) -> String {
        match self.events.get(event.position()) {
            Some((title, _)) => format!("event {event} {:?}", clean(title)),
            None => format!("event {event}"),
        }
    }

    fn user(&self, user: UserIndex) -> String {
        match self.users.get(user.position()) {
            Some(email) => format!("user {user} {}", clean(email)),
            None => format!("user {user}"),
        }
    }

    /// The label of a seat, or its number where its layout is not known.
    fn seat(&self, event: EventIndex, seat: SeatIndex) -> String {
        let layout = self.events.get(event.position()).and_then(|(_, layout)| *layout);
        let sections = layout.and_then(|layout| self.layouts.get(layout));
        let mut offset = u64::from(seat.0);
        for section in sections.into_iter().flatten() {
            let seats = u64::from(section.rows) * u64::from(section.seats_per_row);
            if offset < seats {
                let per_row = u64::from(section.seats_per_row);
                let row = u64::from(section.start_row) + offset / per_row;
                return format!("{}-{row}-{}", section.name, offset % per_row + 1);
            }
            offset -= seats;
        }
        format!("#{seat}")
    }

    fn seats(&self, event: EventIndex, seats: &[SeatIndex]) -> Vec<String> {
        seats.iter().map(|&seat| self.seat(event, seat)).collect()
    }

    fn order(&self, order: OrderRef) -> String {
        format!("order {} of {}", order.number, self.event(order.event))
    }

    /// Describes a record.
    pub(crate) fn describe(&self, lsn: Lsn, record: &Record) -> Described {
        let new = Described::new;
        match record {
            Record::EpochStarted { epoch, at } => {
                new("epoch-started", Some(*at), format!("epoch {epoch}"), json!({"epoch": epoch.0}))
            }
            Record::Held(held) => {
                let id = ExternalId::Reservation(ReservationId {
                    event: held.order.event,
                    slot: held.slot,
                    order: held.order.number,
                });
                let number = reservation_number(held.at, lsn);
                let (claim, claimed) = self.claim(held.order.event, &held.claim);
                let until = match held.expires_at {
                    Some(at) => format!(" until {}", seoul_exact(at)),
                    None => String::new(),
                };
                let who = self.user(held.user);
                let what = self.order(held.order);
                let text = format!("{what} {number} for {who}: {claim}{until}");
                let fields = json!({
                    "reservation": Id::from(id),
                    "number": number,
                    "slot": held.slot.0,
                    "user": held.user.0,
                    "claim": claimed,
                    "expiresAt": held.expires_at.map(instant),
                    "keyed": held.key.is_some(),
                });
                new("held", Some(held.at), text, fields).of_order(held.order)
            }
            Record::PaymentStarted(started) => {
                let method = method_id(started.method);
                let attempt = started.attempt.0;
                let text = format!("{}, attempt {attempt}, {method}", self.order(started.order));
                let fields = json!({"attempt": attempt, "method": method});
                new("payment-started", Some(started.at), text, fields).of_order(started.order)
            }
            Record::PaymentFailed { order, attempt, at } => {
                let text = format!("{}, attempt {attempt}", self.order(*order));
                let fields = json!({"attempt": attempt.0});
                new("payment-failed", Some(*at), text, fields).of_order(*order)
            }
            Record::Paid { order, attempt, at } => {
                let text = format!("{}, attempt {attempt}", self.order(*order));
                new("paid", Some(*at), text, json!({"attempt": attempt.0})).of_order(*order)
            }
            Record::OrderEnded { order, reason, at } => {
                let reason = reason_name(*reason);
                let text = format!("{}: {reason}", self.order(*order));
                new("order-ended", Some(*at), text, json!({"reason": reason})).of_order(*order)
            }
            Record::SeatsBlocked { event, seats, reason, at } => {
                let seats = self.seats(*event, seats);
                let text =
                    format!("{}: {} ({})", self.event(*event), seats.join(" "), clean(reason));
                let fields = json!({"seats": seats, "reason": reason});
                new("seats-blocked", Some(*at), text, fields).of_event(*event)
            }
            Record::SeatsUnblocked { event, seats, at } => {
                let seats = self.seats(*event, seats);
                let text = format!("{}: {}", self.event(*event), seats.join(" "));
                new("seats-unblocked", Some(*at), text, json!({"seats": seats})).of_event(*event)
            }
            _ => self.describe_catalog(record),
        }
    }

    /// Accounts, layouts and events. A password's hash is not shown.
    fn describe_catalog(&self, record: &Record) -> Described {
        let new = Described::new;
        match record {
            Record::UserRegistered(user) => {
                let role = role_name(user.role);
                let index = user.user.index;
                let text = format!("user {index} {} ({role})", clean(&user.email));
                let fields = json!({
                    "user": index.0, "id": Id::from(user.user), "email": user.email,
                    "name": user.name, "role": role,
                });
                new("user-registered", Some(user.at), text, fields)
            }
            Record::UserRoleChanged { user, role, at } => {
                let role = role_name(*role);
                let text = format!("{} is now {role}", self.user(*user));
                new("user-role-changed", Some(*at), text, json!({"user": user.0, "role": role}))
            }
            Record::LayoutCreated(layout) => {
                let seats =
                    |section: &Section| u64::from(section.rows) * u64::from(section.seats_per_row);
                let total: u64 = layout.sections.iter().map(seats).sum();
                let text =
                    format!("layout {} {:?}, {total} seats", layout.layout, clean(&layout.name));
                let fields = json!({
                    "layout": layout.layout.0, "name": layout.name, "sections": layout.sections,
                });
                new("layout-created", Some(layout.at), text, fields)
            }
            Record::KeywordMapped(mapping) => {
                let text = format!("{} = {}", clean(&mapping.korean), clean(&mapping.english));
                new("keyword-mapped", None, text, json!({"mapping": mapping}))
            }
            Record::EventCreated(event) => {
                let title = clean(&event.details.title);
                let seats = match event.layout {
                    Some(layout) => format!("layout {layout}"),
                    None => "no seats".to_owned(),
                };
                let types = event.ticket_types.len();
                let text =
                    format!("event {} {title:?}, {seats}, {types} ticket types", event.event);
                let fields = json!({
                    "details": event.details, "layout": event.layout,
                    "ticketTypes": event.ticket_types, "rules": event.rules,
                });
                new("event-created", Some(event.at), text, fields).of_event(event.event)
            }
            Record::EventEdited { event, details, at } => {
                let text = self.event(*event);
                new("event-edited", Some(*at), text, json!({"details": details})).of_event(*event)
            }
            Record::EventCancelled { event, at } => {
                new("event-cancelled", Some(*at), self.event(*event), json!({})).of_event(*event)
            }
            _ => self.describe_people(record),
        }
    }

    /// Waiting rooms.
    fn describe_queue(&self, record: &Record) -> Described {
        let new = Described::new;
        let who = |event: EventIndex, user: UserIndex| {
            format!("{}: {}", self.event(event), self.user(user))
        };
        match record {
            Record::QueueJoined { event, user, place, at } => {
                let text = format!("{} at place {place}", who(*event, *user));
                let fields = json!({"user": user.0, "place": place.0});
                new("queue-joined", Some(*at), text, fields).of_event(*event)
            }
            Record::QueueAdmitted { event, user, place, at } => {
                let text = format!("{} from place {place}", who(*event, *user));
                let fields = json!({"user": user.0, "place": place.0});
                new("queue-admitted", Some(*at), text, fields).of_event(*event)
            }
            Record::QueueLeft { event, user, reason, at } => {
                let reason = match reason {
                    LeaveReason::Left => "left",
                    LeaveReason::SessionOver => "session_over",
                    LeaveReason::Silent => "silent",
                };
                let text = format!("{}: {reason}", who(*event, *user));
                let fields = json!({"user": user.0, "reason": reason});
                new("queue-left", Some(*at), text, fields).of_event(*event)
            }
            Record::QueueCleared { event, at } => {
                new("queue-cleared", Some(*at), self.event(*event), json!({})).of_event(*event)
            }
            Record::QueueClosed { event, at } => {
                new("queue-closed", Some(*at), self.event(*event), json!({})).of_event(*event)
            }
            Record::QueueChanged { event, settings, at } => {
                let rate = match settings.rate_milli {
                    Some(milli) => format!("{}.{:03} a second", milli / 1_000, milli % 1_000),
                    None => "any rate".to_owned(),
                };
                let paused = if settings.paused { ", paused" } else { "" };
                let text = format!(
                    "{}: {} people in, {rate}{paused}",
                    self.event(*event),
                    settings.threshold
                );
                let fields = json!({"settings": settings});
                new("queue-changed", Some(*at), text, fields).of_event(*event)
            }
            Record::QueueMovedUp { event, user, at } => {
                let fields = json!({"user": user.0});
                new("queue-moved-up", Some(*at), who(*event, *user), fields).of_event(*event)
            }
            Record::QueueLanesSet { event, lanes, at } => {
                let shares: Vec<String> =
                    lanes.iter().map(|lane| format!("{}={}", lane.name, lane.share)).collect();
                let text = format!("{}: {}", self.event(*event), shares.join(" "));
                let fields = json!({"lanes": lanes});
                new("queue-lanes-set", Some(*at), text, fields).of_event(*event)
            }
            Record::QueueLaneGiven { event, lane, users, at } => {
                let text = format!("{}: {} people to lane {lane}", self.event(*event), users.len());
                let fields = json!({"lane": lane, "users": users});
                new("queue-lane-given", Some(*at), text, fields).of_event(*event)
            }
            // The seed is secret until the draw, and so is left out.
            Record::QueueLobbyOpened { event, seed, at } => {
                let commitment = commitment(seed);
                let text = format!("{}: commitment {commitment}", self.event(*event));
                let fields = json!({"commitment": commitment});
                new("queue-lobby-opened", Some(*at), text, fields).of_event(*event)
            }
            Record::QueueDrawn { event, beacon, at } => {
                let text = format!("{}: beacon {beacon:?}", self.event(*event));
                let fields = json!({"beacon": beacon});
                new("queue-drawn", Some(*at), text, fields).of_event(*event)
            }
            _ => self.describe_money(record),
        }
    }

    /// What administrators change of events, tickets and orders.
    fn describe_changes(&self, record: &Record) -> Described {
        let new = Described::new;
        let who = |by: &Option<UserIndex>| json!(by.map(|user| user.0));
        match record {
            Record::EventDeleted { event, by, at } => {
                let fields = json!({"by": who(by)});
                new("event-deleted", Some(*at), self.event(*event), fields).of_event(*event)
            }
            Record::SeatsRemoved { event, by, at } => {
                let fields = json!({"by": who(by)});
                new("seats-removed", Some(*at), self.event(*event), fields).of_event(*event)
            }
            Record::SeatsGenerated { event, by, at } => {
                let fields = json!({"by": who(by)});
                new("seats-generated", Some(*at), self.event(*event), fields).of_event(*event)
            }
            Record::TicketTypesAdded(added) => {
                let names: Vec<String> =
                    added.ticket_types.iter().map(|new| clean(&new.name).to_string()).collect();
                let text = format!("{}: {}", self.event(added.event), names.join(", "));
                let fields = json!({
                    "first": added.first, "ticketTypes": added.ticket_types, "by": who(&added.by),
                });
                new("ticket-types-added", Some(added.at), text, fields).of_event(added.event)
            }
            Record::TicketTypeEdited(edited) => {
                let details = &edited.details;
                let text = format!(
                    "type {} of {}: {}, {} at {}",
                    edited.ticket_type,
                    self.event(edited.event),
                    clean(&details.name),
                    details.total_quantity,
                    details.price
                );
                let fields = json!({
                    "ticketType": edited.ticket_type, "details": details, "by": who(&edited.by),
                });
                new("ticket-type-edited", Some(edited.at), text, fields).of_event(edited.event)
            }
            Record::OrderConfirmed(confirmed) => {
                let method = method_id(confirmed.method);
                let text = format!("{}: {method}", self.order(confirmed.order));
                let fields = json!({
                    "slot": confirmed.slot.0, "method": method, "by": who(&confirmed.by),
                });
                new("order-confirmed", Some(confirmed.at), text, fields).of_order(confirmed.order)
            }
            Record::EventCategorised { event, category, by, at } => {
                let text = match category {
                    Some(category) => format!("{}: {}", self.event(*event), clean(category)),
                    None => format!("{}: none", self.event(*event)),
                };
                let fields = json!({"category": category, "by": who(by)});
                new("event-categorised", Some(*at), text, fields).of_event(*event)
            }
            Record::CategoryRenamed(renamed) => {
                let text = format!("{} is now {}", clean(&renamed.from), clean(&renamed.to));
                let fields =
                    json!({"from": renamed.from, "to": renamed.to, "by": who(&renamed.by)});
                new("category-renamed", Some(renamed.at), text, fields)
            }
            Record::EventTermsSet(set) => {
                let terms = set.terms;
                let text = format!("{}: {}", self.event(set.event), terms_text(set));
                let fields = json!({
                    "maxTickets": terms.max_tickets,
                    "ticketHoldTtl": terms.ticket_hold_ttl.map(TicketHoldTtl::from),
                    "deposits": terms.deposits,
                    "standing": set.standing,
                    "by": who(&set.by),
                });
                new("event-terms-set", Some(set.at), text, fields).of_event(set.event)
            }
            // Described above, before this is called.
            other => new("other", None, format!("{other:?}"), json!({})),
        }
    }

    fn claim(&self, event: EventIndex, claim: &Claim) -> (String, Value) {
        match claim {
            Claim::Seats(seats) => {
                let seats = self.seats(event, seats);
                (seats.join(" "), json!({ "seats": seats }))
            }
            Claim::Tickets(lines) => {
                let line = |line: &tiketi_engine::record::TicketLine| {
                    format!("{} x type {} at {}", line.quantity, line.ticket_type, line.unit_price)
                };
                let words: Vec<String> = lines.iter().map(line).collect();
                (words.join(", "), json!({ "tickets": lines }))
            }
        }
    }
}

/// Terms in one line.
fn terms_text(set: &EventTermsSet) -> String {
    let max_tickets = match set.terms.max_tickets {
        Some(max) => format!("{max} tickets a user"),
        None => "tickets a user as the server says".to_owned(),
    };
    let held = match set.terms.ticket_hold_ttl {
        Some(TicketHold::Never) => "held for good",
        Some(TicketHold::Millis(ms)) => &format!("held for {} s", ms / 1_000),
        None => "held as long as the server says",
    };
    let deposits = if set.terms.deposits { "deposits" } else { "no deposits" };
    let standing: Vec<String> = set.standing.iter().map(ToString::to_string).collect();
    let standing = match standing.is_empty() {
        true => "no standing types".to_owned(),
        false => format!("standing types {}", standing.join(" ")),
    };
    format!("{max_tickets}, {held}, {deposits}, {standing}")
}
