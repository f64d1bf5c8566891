//! The sample (contract/domain.md 11): three news posts, layouts, keyword mappings, 25 events.
//!
//! Loaded into an empty log only, each piece once and always in the same order. So what is there
//! tells what is missing: a load that was cut short goes on with the next start, and a log that
//! begins with anything else is left alone.

mod catalogue;
mod news;

use tiketi_engine::engine::Engine;
use tiketi_engine::ids::{Lsn, UnixMillis};
use tiketi_engine::journal::Journal;
use tiketi_engine::record::EventRules;
use tiketi_engine::state::State;
use tracing::info;

pub(crate) use crate::sample_data::catalogue::{events, keywords};
use crate::sample_data::catalogue::{layouts, titles};
use crate::sample_data::news::news;

/// What the log has of the sample, as numbers of posts, layouts, mappings and events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Loaded {
    news: usize,
    layouts: usize,
    keywords: usize,
    events: usize,
}

/// How much of the sample the log has, or `None` where it is not to be loaded: the log began with
/// something else, or everything is there.
pub(crate) fn missing_from(state: &State, administrator: &str) -> Option<Loaded> {
    let (layouts, keywords) = (layouts(), keywords());
    let is_prefix = state.layouts().iter().zip(&layouts).all(|(a, b)| a.name == b.name)
        && state.keywords().iter().zip(&keywords).all(|(a, b)| a == b)
        && state
            .events()
            .iter()
            .zip(titles())
            .all(|(a, title)| a.created_by.is_none() && a.details.title == title)
        && state
            .news()
            .posts()
            .zip(news())
            .all(|((_, a), b)| a.author.is_none() && a.title == b.title);
    let loaded = Loaded {
        news: state.news().next().position(),
        layouts: state.layouts().len(),
        keywords: state.keywords().len(),
        events: state.events().len(),
    };
    // Events come last: they are complete once all of them are there, whatever follows.
    if !is_prefix || loaded.events >= titles().len() {
        return None;
    }
    // Nothing but the administrator's account can come before the first piece.
    let is_new =
        loaded.layouts == 0 && !state.users().iter().any(|user| user.email != administrator);
    (is_new || loaded.layouts > 0).then_some(loaded)
}

/// Loads what is missing. Returns what has to be durable before anybody may see it.
///
/// # Errors
/// What the engine refused, in words: a mistake of ours, or a log that takes no records.
pub(crate) fn load<J: Journal>(
    engine: &Engine<J>,
    loaded: Loaded,
    rules: EventRules,
    now: UnixMillis,
) -> Result<Option<Lsn>, String> {
    let mut last = None;
    for post in news().into_iter().skip(loaded.news) {
        let post = post.check().map_err(|error| error.to_string())?;
        let made = engine.post_news(post, now).map_err(|error| error.to_string())?;
        last = Some(made.lsn());
    }
    for layout in layouts().into_iter().skip(loaded.layouts) {
        let layout = layout.check().map_err(|error| error.to_string())?;
        let made = engine.create_layout(layout, now).map_err(|error| error.to_string())?;
        last = Some(made.lsn());
    }
    for mapping in keywords().into_iter().skip(loaded.keywords) {
        let made = engine.map_keyword(mapping).map_err(|error| error.to_string())?;
        last = Some(made.lsn());
    }
    for event in events(rules, now).into_iter().skip(loaded.events) {
        let event = event.check().map_err(|error| error.to_string())?;
        let made = engine.create_event(event, now).map_err(|error| error.to_string())?;
        last = Some(made.lsn());
    }
    info!("sample data loaded");
    Ok(last)
}

#[cfg(test)]
mod tests {
    use tiketi_engine::command::NewUser;
    use tiketi_engine::journal::MemoryJournal;
    use tiketi_engine::record::Role;

    use super::*;

    const RULES: EventRules =
        EventRules { seats_per_reservation: 4, hold_ttl_ms: 300_000, seats_per_user: None };
    const NOW: UnixMillis = UnixMillis(1_795_196_714_996);
    const ADMINISTRATOR: &str = "admin@tiketi.gg";

    /// An engine, and the fold of the first `records` records of its journal.
    fn after(records: usize, fill: impl FnOnce(&Engine<MemoryJournal>)) -> State {
        let engine = Engine::from_state(&State::default(), MemoryJournal::default());
        let engine = engine.expect("empty");
        fill(&engine);
        let mut state = State::default();
        for record in engine.journal().take().iter().take(records) {
            state.apply(state.lsn().next(), record).expect("fold");
        }
        state
    }

    fn register(engine: &Engine<MemoryJournal>, email: &str) {
        let user = NewUser {
            email: email.to_owned(),
            password_hash: "x".to_owned(),
            name: "x".to_owned(),
            phone: None,
            role: Role::Admin,
            tag: 1,
        };
        let _ = engine.register_user(user.check().expect("user"), NOW).expect("registered");
    }

    fn load_all(engine: &Engine<MemoryJournal>) {
        let loaded = Loaded { news: 0, layouts: 0, keywords: 0, events: 0 };
        load(engine, loaded, RULES, NOW).expect("loaded");
    }

    #[test]
    fn the_sample_is_what_the_contract_says() {
        let state = after(usize::MAX, load_all);
        let totals: Vec<u32> = state.layouts().iter().map(|layout| layout.total_seats()).collect();
        assert_eq!(totals, [265, 1_250, 4_900]);
        assert_eq!(state.keywords().len(), 41);
        assert_eq!(state.events().len(), 25);
        let views: Vec<u64> = state.news().posts().map(|(_, post)| post.views).collect();
        assert_eq!(views, [125, 89, 45]);
        let seats: u32 = state.events().iter().map(|event| event.plan().seat_count()).sum();
        assert_eq!(seats, 34_320);
        let left = |at: usize| -> Vec<u32> {
            state.events()[at].ticket_types.iter().map(|of| of.available()).collect()
        };
        assert_eq!(
            [left(0), left(1), left(2)].concat(),
            [95, 180, 250, 320, 75, 140, 185, 48, 280, 450]
        );
        let posters = state.events().iter().filter_map(|e| e.details.poster_image_url.as_deref());
        let posters: std::collections::HashSet<&str> = posters.collect();
        assert_eq!(posters.len(), 25);
        assert_eq!(missing_from(&state, ADMINISTRATOR), None);
    }

    #[test]
    fn a_load_cut_anywhere_goes_on_where_it_was_cut() {
        let whole = after(usize::MAX, load_all);
        // An event is two records, the second of its terms.
        for cut in 0..3 + 3 + 41 + 2 * 25 - 1 {
            let state = after(cut, load_all);
            let missing = missing_from(&state, ADMINISTRATOR).expect("missing");
            let mut resumed = state.clone();
            let engine = Engine::from_state(&state, MemoryJournal::after(state.lsn()));
            let engine = engine.expect("state");
            load(&engine, missing, RULES, NOW).expect("loaded");
            for record in engine.journal().take() {
                resumed.apply(resumed.lsn().next(), &record).expect("fold");
            }
            // One that was cut from its terms has those that it would have had.
            let without_terms = whole.lsn().0 - resumed.lsn().0;
            assert!(without_terms <= 1, "cut at {cut}");
            let terms = |state: &State| -> Vec<_> {
                state.events().iter().map(|event| (event.terms, event.standing.len())).collect()
            };
            assert_eq!(terms(&resumed), terms(&whole), "cut at {cut}");
            assert_eq!(missing_from(&resumed, ADMINISTRATOR), None);
        }
    }

    #[test]
    fn only_an_empty_log_is_filled() {
        let administrator = after(usize::MAX, |engine| register(engine, ADMINISTRATOR));
        assert!(missing_from(&administrator, ADMINISTRATOR).is_some());
        let user = after(usize::MAX, |engine| register(engine, "buyer@example.com"));
        assert_eq!(missing_from(&user, ADMINISTRATOR), None);
        let own = after(usize::MAX, |engine| {
            let mut layout = layouts().remove(0);
            layout.name = "hall".to_owned();
            let _ = engine.create_layout(layout.check().expect("layout"), NOW).expect("made");
        });
        assert_eq!(missing_from(&own, ADMINISTRATOR), None);
    }
}
