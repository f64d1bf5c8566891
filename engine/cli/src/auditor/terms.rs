//! The terms of an event: how many tickets for one user, until when, of which types beside seats, and
//! that nothing is paid once the show has begun.
//!
//! An event of which no record says terms was made by a program without them: what its terms would
//! forbid is no finding there.

use tiketi_engine::ids::{EventIndex, UnixMillis};
use tiketi_engine::limits::{HOLD_TTL_MS_MAX, HOLD_TTL_MS_MIN};
use tiketi_engine::record::{
    EventTermsSet, Held, PaymentMethod, PaymentStarted, TicketHold, TicketLine,
};

use super::finding::Rule;
use super::model::{ClaimModel, EventModel, TermsModel, Window, order_name};
use super::{Auditor, RACE_MS};

impl Auditor {
    pub(super) fn event_terms_set(&mut self, set: &EventTermsSet) {
        self.instant(set.at);
        let index = set.event;
        let Some(event) = self.changed_event(index, "gets terms") else { return };
        let types = event.tickets.len();
        let new = TermsModel {
            max_tickets: set.terms.max_tickets,
            ticket_hold_ttl: set.terms.ticket_hold_ttl,
            standing: set.standing.iter().map(|ticket_type| ticket_type.0).collect(),
        };
        let old = event.terms.replace(new);
        // Those that come with an event hold from its first moment.
        if old.is_some() || set.at > event.created_at {
            event.past_terms.push((old, set.at));
        }
        if set.standing.iter().any(|ticket_type| ticket_type.position() >= types) {
            let text = format!("the terms of event {index} name a ticket type, unknown");
            self.find(Rule::UnknownThing, text);
        }
    }

    /// Whether an order may be paid at all, and whether what is paid by nothing costs nothing.
    pub(super) fn payable(&mut self, started: &PaymentStarted) -> Vec<(Rule, String)> {
        let (lsn, number) = (self.lsn, started.order.number.0);
        let name = order_name(started.order.event, number);
        let mut found = Vec::new();
        let Some(event) = self.events.get_mut(started.order.event.position()) else {
            return found;
        };
        if event.terms.is_some() && !is_in_time(event, started.at) {
            event.late.push((lsn, number, started.at));
        }
        let won = event.orders.get(&number).map(|order| event.amount(&order.claim));
        if let (PaymentMethod::Free, Some(won @ 1..)) = (started.method, won) {
            found.push((Rule::Free, format!("{name} costs {won} won and is paid by nothing")));
        }
        found
    }
}

/// A payment that no date of its event explains, once it is known that none will.
pub(super) fn paid_late(event: EventIndex, number: u32) -> (Rule, String) {
    let name = order_name(event, number);
    (Rule::EventOver, format!("the payment of {name} began after its event was over"))
}

/// Whether a payment that began at `at` is one of an event that is not over.
pub(super) fn is_before_show(window: &Window, at: UnixMillis) -> bool {
    at <= window.event_at
}

fn is_in_time(event: &EventModel, at: UnixMillis) -> bool {
    let was = |(window, until): &(Window, UnixMillis)| {
        is_before_show(window, at) && at <= until.plus(RACE_MS)
    };
    is_before_show(&event.window, at) || event.past_windows.iter().any(was)
}

/// How many tickets, until when, and of which types.
pub(super) fn as_terms_say(
    event: &mut EventModel,
    held: &Held,
    lines: &[TicketLine],
    name: &str,
) -> Vec<(Rule, String)> {
    let of_user = event.tickets_by_user.entry(held.user.0).or_default();
    *of_user += lines.iter().map(|line| u64::from(line.quantity)).sum::<u64>();
    let of_user = *of_user;
    let mut found = Vec::new();
    if !event.terms_at(held.at).any(|terms| is_deadline(terms, held)) {
        let text = format!("the deadline of {name} is not what its event's terms say");
        found.push((Rule::Deadline, text));
    }
    if !event.terms_at(held.at).any(|terms| is_within_cap(terms, of_user)) {
        let text = format!("{name} makes {of_user} tickets for user {}, above the cap", held.user);
        found.push((Rule::Terms, text));
    }
    let may_have = |terms: Option<&TermsModel>| {
        let is_standing = |terms: &TermsModel| {
            lines.iter().all(|line| terms.standing.contains(&line.ticket_type.0))
        };
        terms.is_none_or(is_standing)
    };
    if !event.sections.is_empty() && !event.terms_at(held.at).any(may_have) {
        let text = format!("{name} has tickets that are for show beside the seats of its event");
        found.push((Rule::Terms, text));
    }
    found
}

/// An order that ends counts for its user no more.
pub(super) fn tickets_back(event: &mut EventModel, user: u32, claim: &ClaimModel) {
    if let (ClaimModel::Tickets(_), Some(of_user)) = (claim, event.tickets_by_user.get_mut(&user)) {
        *of_user = of_user.saturating_sub(claim.quantity());
    }
}

/// Tickets that an order has again, by an administrator's word.
pub(super) fn tickets_again(
    event: &mut EventModel,
    user: u32,
    claim: &ClaimModel,
    at: UnixMillis,
    name: &str,
) -> Option<(Rule, String)> {
    let ClaimModel::Tickets(_) = claim else { return None };
    let of_user = event.tickets_by_user.entry(user).or_default();
    *of_user += claim.quantity();
    let of_user = *of_user;
    let is_right = event.terms_at(at).any(|terms| is_within_cap(terms, of_user));
    let text = || format!("{name} makes {of_user} tickets for user {user}, above the cap");
    (!is_right).then(|| (Rule::Terms, text()))
}

fn is_within_cap(terms: Option<&TermsModel>, tickets: u64) -> bool {
    // The server's own setting is not in the log.
    terms.and_then(|terms| terms.max_tickets).is_none_or(|cap| tickets <= u64::from(cap))
}

fn is_deadline(terms: Option<&TermsModel>, held: &Held) -> bool {
    let lives_ms = held.expires_at.map(|deadline| deadline.0.wrapping_sub(held.at.0));
    match terms.and_then(|terms| terms.ticket_hold_ttl) {
        Some(TicketHold::Never) => lives_ms.is_none(),
        Some(TicketHold::Millis(ms)) => lives_ms == Some(ms),
        // The server's own setting, or a program that held tickets for good.
        None => lives_ms.is_none_or(|ms| (HOLD_TTL_MS_MIN..=HOLD_TTL_MS_MAX).contains(&ms)),
    }
}

impl EventModel {
    /// The terms at about an instant; `None` for none that are known.
    fn terms_at(&self, at: UnixMillis) -> impl Iterator<Item = Option<&TermsModel>> {
        let past = self.past_terms.iter().filter(move |(_, until)| at <= until.plus(RACE_MS));
        std::iter::once(self.terms.as_ref()).chain(past.map(|(terms, _)| terms.as_ref()))
    }
}
