//! What the benches share: a small installation to book in.

use tiketi_engine::command::{NewEvent, NewLayout, NewUser};
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::{EventIndex, UnixMillis, UserId};
use tiketi_engine::journal::Journal;
use tiketi_engine::record::{EventDetails, EventRules, Role, Section};

/// An instant at which everything of [`stock`] is on sale.
pub const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// Fills an engine with events of `rows` rows of `seats_per_row` seats and with users.
///
/// # Errors
/// The engine refuses one of them.
pub fn stock<J: Journal>(
    engine: &Engine<J>,
    events: u32,
    rows: u32,
    seats_per_row: u32,
    users: u32,
) -> anyhow::Result<(Vec<EventIndex>, Vec<UserId>)> {
    let section =
        Section { name: "A".into(), rows, seats_per_row, price: 100_000, start_row: 1 };
    let layout = NewLayout {
        name: format!("hall of {rows} x {seats_per_row}"),
        description: None,
        sections: vec![section],
    };
    let layout = *inner(&engine.create_layout(layout.check()?, NOW)?);
    let mut made = (Vec::new(), Vec::new());
    for number in 0..events {
        let new = NewEvent {
            details: details(number),
            layout: Some(layout),
            ticket_types: Vec::new(),
            rules: EventRules {
                seats_per_reservation: 4,
                hold_ttl_ms: 300_000,
                seats_per_user: None,
            },
            created_by: None,
        };
        made.0.push(*inner(&engine.create_event(new.check()?, NOW)?));
    }
    for number in 0..users {
        let new = NewUser {
            email: format!("buyer{number}@example.com"),
            password_hash: "none".into(),
            name: format!("buyer {number}"),
            phone: None,
            role: Role::User,
            tag: u64::from(number),
        };
        made.1.push(*inner(&engine.register_user(new.check()?, NOW)?));
    }
    Ok(made)
}
