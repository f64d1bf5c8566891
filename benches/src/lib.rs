//! What the benches share: a small installation to book in, servers in processes of their own, a
//! client, and the table that results are printed in.

pub mod bare;
pub mod client;
pub mod durable;
pub mod gateway;
pub mod table;

use std::path::PathBuf;

use tiketi_engine::command::{NewEvent, NewLayout, NewUser};
use tiketi_engine::engine::{Engine, Hold, Once};
use tiketi_engine::error::{CommandError, HoldRefusal};
use tiketi_engine::ids::{EventIndex, Lsn, UnixMillis, UserIndex};
use tiketi_engine::journal::{Journal, Pending};
use tiketi_engine::record::{EventDetails, EventRules, EventTerms, Role, Section};

/// What a run of the figures needs to know.
pub struct Setup {
    /// Holds the logs; its disk is what is measured.
    pub dir: PathBuf,
    /// The length of each timed run.
    pub seconds: u64,
}

/// An instant at which everything of [`stock`] is on sale.
pub const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

/// How long a hold of [`stock`] lives.
pub const HOLD_TTL_MS: u64 = 300_000;

/// Rows of the benches' halls have this many seats.
pub const SEATS_PER_ROW: u32 = 50;

/// Fills an engine with `events` halls of `rows` rows and with `users` users.
///
/// # Errors
/// The engine refuses one of them.
pub fn stock<J: Journal>(
    engine: &Engine<J>,
    events: u32,
    rows: u32,
    users: u32,
) -> anyhow::Result<Vec<UserIndex>> {
    let layout =
        NewLayout { name: format!("{rows} rows"), description: None, sections: sections(rows) };
    let layout = undurable(engine.create_layout(layout.check()?, NOW)?);
    for number in 0..events {
        let new = NewEvent {
            details: details(number),
            layout: Some(layout),
            ticket_types: Vec::new(),
            standing: Vec::new(),
            terms: EventTerms::default(),
            rules: EventRules {
                seats_per_reservation: 4,
                hold_ttl_ms: HOLD_TTL_MS,
                seats_per_user: None,
            },
            category: None,
            created_by: None,
        };
        let event = undurable(engine.create_event(new.check()?, NOW)?);
        anyhow::ensure!(event == EventIndex(number), "the engine was not empty");
    }
    (0..users)
        .map(|number| {
            let new = NewUser {
                email: format!("buyer{number}@example.com"),
                password_hash: "none".into(),
                name: format!("buyer {number}"),
                phone: None,
                role: Role::User,
                tag: u64::from(number),
            };
            let new = new.check()?;
            let user = loop {
                match engine.register_user(new.clone(), NOW) {
                    // The disk is behind.
                    Err(CommandError::Unavailable(_)) => std::thread::yield_now(),
                    registered => break registered?,
                }
            };
            Ok(undurable(user).index)
        })
        .collect()
}

/// Up to 1,000 rows a section.
fn sections(rows: u32) -> Vec<Section> {
    (0..rows.div_ceil(1_000))
        .map(|number| Section {
            name: format!("S{number}"),
            rows: (rows - number * 1_000).min(1_000),
            seats_per_row: SEATS_PER_ROW,
            price: 100_000,
            start_row: 1 + number * 1_000,
        })
        .collect()
}

fn details(number: u32) -> EventDetails {
    EventDetails {
        title: format!("Concert {number}"),
        description: None,
        venue: "Hall".into(),
        address: None,
        artist_name: None,
        poster_image_url: None,
        event_at: NOW.plus(90_000_000_000),
        sale_starts_at: UnixMillis(0),
        sale_ends_at: NOW.plus(80_000_000_000),
    }
}

/// The answer without waiting for the disk: for what a bench only prepares or counts.
pub fn undurable<T>(pending: Pending<T>) -> T {
    pending.acknowledge(Lsn(u64::MAX))
}

/// A hold that was made, with its position.
///
/// # Errors
/// What the engine says; a repeated command, which no bench makes.
pub fn made(
    held: Result<Pending<Once<Hold>>, CommandError<HoldRefusal>>,
) -> anyhow::Result<(Hold, Lsn)> {
    let held = held?;
    let lsn = held.lsn();
    match undurable(held) {
        Once::Done(hold) => Ok((hold, lsn)),
        Once::Repeated(id) => anyhow::bail!("repeated {id:?}"),
    }
}
