//! All events as searches see them: what is described of each, the order of the list, the names.

use tiketi_engine::ids::{EventIndex, UnixMillis};
use tiketi_engine::record::{EventDetails, KeywordMapping};
use tiketi_engine::state::State;

use crate::api::events::Suggestion;
use crate::search::entry::Entry;
use crate::search::filter::Filter;
use crate::search::names::{Kind, Names};
use crate::search::terms::Terms;
use crate::search::texts::Texts;

/// Everything that searches read without the view's lock.
#[derive(Default)]
pub struct Catalogue {
    /// By index; `None` for an event that is not shown.
    entries: Vec<Option<Entry>>,
    /// By the start of their sale, then by index.
    order: Vec<(UnixMillis, EventIndex)>,
    /// Title, artist, venue and address of each in lower case.
    texts: Texts,
    keywords: Vec<KeywordMapping>,
    names: Names,
}

impl Catalogue {
    /// The catalogue of a state.
    #[must_use]
    pub fn of(state: &State) -> Catalogue {
        let mut catalogue = Catalogue::default();
        catalogue.pair(state.keywords());
        for index in 0..state.events().len() {
            catalogue.put(EventIndex(index as u32), state);
        }
        catalogue
    }

    /// An event was made, changed or removed.
    pub(super) fn put(&mut self, index: EventIndex, state: &State) {
        let position = index.position();
        if self.entries.len() <= position {
            self.entries.resize_with(position + 1, || None);
        }
        if let Some(old) = self.entries[position].take() {
            old.names.into_iter().for_each(|name| self.names.remove(name));
            let place = (old.schedule.sale_starts_at, index);
            if let Ok(at) = self.order.binary_search(&place) {
                self.order.remove(at);
            }
        }
        let Some(event) = state.event(index) else {
            self.texts.remove(index);
            return;
        };
        self.texts.put(index, &haystack(&event.details));
        let place = (event.details.sale_starts_at, index);
        if let Err(at) = self.order.binary_search(&place) {
            self.order.insert(at, place);
        }
        let names = names(&event.details).map(|(kind, text)| self.names.add(kind, text)).collect();
        self.entries[position] = Some(Entry::of(event, names));
    }

    /// Takes in the mappings that are new; they are only ever added.
    pub(super) fn pair(&mut self, keywords: &[KeywordMapping]) {
        for mapping in &keywords[self.keywords.len()..] {
            self.names.pair(&mapping.korean, &mapping.english);
            self.keywords.push(mapping.clone());
        }
    }

    /// Names that somebody may be typing, the best first.
    #[must_use]
    pub fn suggest(&self, typed: &str, limit: usize) -> Vec<Suggestion> {
        self.names.suggest(typed, limit)
    }

    /// How many events there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.order.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Some events in the order of the list.
    #[must_use]
    pub fn page(&self, skip: usize, limit: usize) -> Vec<EventIndex> {
        self.order.iter().skip(skip).take(limit).map(|&(_, index)| index).collect()
    }

    /// The events that pass a filter but for its category, in the order of the list. On sale and
    /// sold out are one here: what is left of them is not described.
    #[must_use]
    pub fn find(&self, filter: &Filter, now: UnixMillis) -> Vec<EventIndex> {
        let terms = Terms::new(&filter.query, &self.keywords);
        let has_term = terms.map(|terms| terms.find_in(&self.texts, self.entries.len()));
        let places = self.order.iter().map(|&(_, index)| index);
        let found =
            places.filter(|index| has_term.as_ref().is_none_or(|has| has[index.position()]));
        let passes = |entry: &Entry| filter.passes(entry, now);
        found.filter(|&index| self.entry(index).is_some_and(passes)).collect()
    }

    pub(super) fn entry(&self, index: EventIndex) -> Option<&Entry> {
        self.entries.get(index.position())?.as_ref()
    }
}

/// What a query is looked for in (contract/domain.md 6); the description is not searched.
pub(super) fn haystack(details: &EventDetails) -> String {
    let parts = [
        details.title.as_str(),
        details.artist_name.as_deref().unwrap_or_default(),
        details.venue.as_str(),
        details.address.as_deref().unwrap_or_default(),
    ];
    parts.join(" ").to_lowercase()
}

fn names(details: &EventDetails) -> impl Iterator<Item = (Kind, &str)> {
    let artist = details.artist_name.as_deref().filter(|artist| !artist.is_empty());
    [(Kind::Title, details.title.as_str()), (Kind::Venue, &details.venue)]
        .into_iter()
        .chain(artist.map(|artist| (Kind::Artist, artist)))
}

#[cfg(test)]
mod tests {
    use tiketi_engine::engine::Engine;
    use tiketi_engine::journal::MemoryJournal;
    use tiketi_engine::record::EventRules;

    use super::*;
    use crate::api::events::SuggestionKind;
    use crate::sample_data;

    fn sample() -> Catalogue {
        let rules =
            EventRules { seats_per_reservation: 4, hold_ttl_ms: 300_000, seats_per_user: None };
        let engine = Engine::from_state(&State::default(), MemoryJournal::default());
        let engine = engine.expect("empty");
        let mut state = State::default();
        let missing = sample_data::missing_from(&state, "").expect("empty");
        sample_data::load(&engine, missing, rules, UnixMillis(1_795_196_714_996)).expect("loaded");
        for record in engine.journal().take() {
            state.apply(state.lsn().next(), &record).expect("fold");
        }
        Catalogue::of(&state)
    }

    fn texts(catalogue: &Catalogue, typed: &str) -> Vec<String> {
        catalogue.suggest(typed, 10).into_iter().map(|found| found.text).collect()
    }

    #[test]
    fn suggestions_of_the_sample() {
        let sample = sample();
        for (typed, expected) in [
            (
                "아",
                &[
                    "아이유",
                    "아이유 2024 콘서트 - The Golden Hour",
                    "IVE",
                    "IVE THE PROM QUEENS TOUR",
                ][..],
            ),
            // 방탄소년단 first; 세븐틴 and 투바투 have it within.
            (
                "ㅂㅌ",
                &[
                    "BTS",
                    "BTS WORLD TOUR 2024",
                    "SEVENTEEN",
                    "SEVENTEEN FOLLOW TOUR",
                    "TXT ACT: SWEET MIRAGE",
                ],
            ),
            ("방ㅌ", &["BTS", "BTS WORLD TOUR 2024"]),
            ("bts", &["BTS", "BTS WORLD TOUR 2024"]),
            ("bst", &["BTS", "BTS WORLD TOUR 2024"]),
            ("방턴", &["BTS", "BTS WORLD TOUR 2024"]),
            ("balckpink", &["BLACKPINK", "BLACKPINK BORN PINK TOUR"]),
            ("ㅆㅇ", &["싸이", "싸이 흠뻑쇼 2024"]),
            ("ㅅㅋㅇㄷ", &["고척스카이돔"]),
            ("lesserafim", &["LE SSERAFIM", "LE SSERAFIM FLAME RISES"]),
            ("오페라", &["뮤지컬 오페라의 유령"]),
            ("gdragon", &["G-DRAGON", "G-DRAGON ACT III: MOTTE"]),
            ("qqqqqqqq", &[]),
            ("", &[]),
        ] {
            let found = texts(&sample, typed);
            // What has it within a name comes after these.
            let best = &found[..expected.len().min(found.len())];
            assert_eq!(best, expected, "{typed}");
            assert!(!expected.is_empty() || found.is_empty(), "{typed}: {found:?}");
        }
        let found = &sample.suggest("고척", 10)[0];
        assert_eq!((found.kind, found.events), (SuggestionKind::Venue, 7));
        assert_eq!(sample.suggest("ㅂㅌ", 1)[0].keyword.as_deref(), Some("방탄소년단"));
        assert_eq!(texts(&sample, "t").len(), 10);
        assert_eq!(sample.suggest("t", 3).len(), 3);
    }
}
