//! What a hold claims: how much, until when, at which price, and from whom.

use tiketi_engine::ids::UnixMillis;
use tiketi_engine::record::{Claim, Held};

use super::finding::Rule;
use super::model::{ClaimModel, EventModel, Seat};
use super::terms::as_terms_say;

/// How many, until when, and how many for one user.
pub(super) fn limits(event: &mut EventModel, held: &Held, name: &str) -> Vec<(Rule, String)> {
    let mut found = Vec::new();
    match &held.claim {
        Claim::Seats(seats) => {
            let max = usize::from(event.rules.seats_per_reservation);
            if seats.is_empty() || seats.len() > max {
                let text = format!("{name} has {} seats, allowed are 1 to {max}", seats.len());
                found.push((Rule::Limit, text));
            }
            let expected = Some(held.at.plus(event.rules.hold_ttl_ms));
            if held.expires_at != expected {
                let text = format!("the deadline of {name} is not what its event's rules say");
                found.push((Rule::Deadline, text));
            }
        }
        Claim::Tickets(lines) => {
            if lines.is_empty() || lines.iter().any(|line| line.quantity == 0) {
                found.push((Rule::Limit, format!("{name} claims no tickets")));
            }
            found.extend(as_terms_say(event, held, lines, name));
        }
    }
    let quantity = ClaimModel::of(&held.claim).quantity();
    let of_user = event.by_user.entry(held.user.0).or_default();
    *of_user += quantity;
    if event.rules.seats_per_user.is_some_and(|max| *of_user > u64::from(max)) {
        let text = format!("{name} makes {of_user} for user {}, above the cap", held.user);
        found.push((Rule::Limit, text));
    }
    found
}

pub(super) fn take_seats(
    event: &mut EventModel,
    seats: &[usize],
    number: u32,
    name: &str,
) -> Vec<(Rule, String)> {
    let mut found = Vec::new();
    if seats.windows(2).any(|pair| pair[0] >= pair[1]) {
        found
            .push((Rule::Malformed, format!("the seats of {name} are not distinct and ascending")));
    }
    for &seat in seats {
        let rule = match seat < event.seats.len() {
            true => Rule::TwoOwners,
            false => Rule::UnknownThing,
        };
        if let Err(why) = event.take(seat, Seat::Owned(number)) {
            found.push((rule, format!("{name} takes a seat, but {why}")));
        }
    }
    found
}

/// `at` is when they were bought; `None` for an order that takes again what it had.
pub(super) fn take_tickets(
    event: &mut EventModel,
    claim: &ClaimModel,
    at: Option<UnixMillis>,
    name: &str,
) -> Vec<(Rule, String)> {
    let ClaimModel::Tickets(lines) = claim else {
        return Vec::new();
    };
    let mut found = Vec::new();
    if lines.windows(2).any(|pair| pair[0].ticket_type >= pair[1].ticket_type) {
        let text = format!("the ticket types of {name} are not distinct and ascending");
        found.push((Rule::Malformed, text));
    }
    for line in lines {
        let Some(ticket) = event.tickets.get_mut(line.ticket_type.position()) else {
            let text = format!("{name} names ticket type {}, unknown", line.ticket_type);
            found.push((Rule::UnknownThing, text));
            continue;
        };
        ticket.in_orders += u64::from(line.quantity);
        if ticket.in_orders > ticket.for_sale {
            let text = format!(
                "{name} oversells ticket type {} ({}): {} of {}",
                line.ticket_type, ticket.name, ticket.in_orders, ticket.for_sale
            );
            found.push((Rule::Stock, text));
        }
        if at.is_some_and(|at| !ticket.costs(line.unit_price, at)) {
            let text = format!(
                "{name} pays {} for ticket type {}, which costs {}",
                line.unit_price, line.ticket_type, ticket.price
            );
            found.push((Rule::Stock, text));
        }
    }
    found
}
