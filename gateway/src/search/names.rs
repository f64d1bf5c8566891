//! Names by what people type: titles, artists, venues, and keywords that stand for others.
//!
//! One sorted set has an entry for each place where somebody may begin to type a name, ordered by
//! how good a find that place is, then by classes of letters (all syllables with the same initial
//! are one class). So ㅂㅌ, 방ㅌ and 방탄 read the same short run of the set, and a look at each name
//! in it tells which of them it is. Finding stops with the last suggestion that is wanted.

use std::collections::{BTreeSet, HashMap};

use crate::api::events::{Suggestion, SuggestionKind};
use crate::search::letters::{KEY_BITS, Letters, Pattern, Place};
use crate::search::words::Words;

/// Entries of one name; a longer one is found by its beginning.
const STARTS_PER_NAME_MAX: usize = 64;
/// Names of one kind and place that are looked at for one query, at most.
const LOOKED_AT_MAX: usize = 4_000;

/// A name's place in the list of names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct NameId(u32);

/// What a name names, in the order of suggestions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    Artist,
    Venue,
    Title,
    /// Never suggested itself: its partners are.
    Keyword,
}

const KINDS: [Kind; 4] = [Kind::Artist, Kind::Venue, Kind::Title, Kind::Keyword];
const PLACES: [Place; 3] = [Place::Name, Place::Word, Place::Within];

struct Name {
    kind: Kind,
    text: Box<str>,
    letters: Letters,
    /// How many events have it.
    events: u32,
    /// Of a keyword: what means the same.
    partners: Vec<Box<str>>,
}

/// All names, each once, however it is written.
#[derive(Default)]
pub(super) struct Names {
    names: Vec<Option<Name>>,
    free: Vec<NameId>,
    by_text: HashMap<(Kind, Box<str>), NameId>,
    starts: BTreeSet<(u64, NameId, u16)>,
    words: Words,
}

impl Names {
    /// An event has this name.
    pub(super) fn add(&mut self, kind: Kind, text: &str) -> NameId {
        let text = text.trim();
        let key = (kind, Box::from(text.to_lowercase()));
        if let Some(&id) = self.by_text.get(&key) {
            if let Some(name) = &mut self.names[id.0 as usize] {
                name.events += 1;
            }
            return id;
        }
        let letters = Letters::of(text);
        let name = Name { kind, text: text.into(), letters, events: 1, partners: Vec::new() };
        let id = self.free.pop().unwrap_or_else(|| {
            self.names.push(None);
            NameId((self.names.len() - 1) as u32)
        });
        self.starts.extend(starts(&name, id));
        self.words.add(text);
        self.by_text.insert(key, id);
        self.names[id.0 as usize] = Some(name);
        id
    }

    /// An event has this name no more.
    pub(super) fn remove(&mut self, id: NameId) {
        let Some(name) = &mut self.names[id.0 as usize] else {
            return;
        };
        name.events -= 1;
        if name.events > 0 {
            return;
        }
        if let Some(name) = self.names[id.0 as usize].take() {
            for start in starts(&name, id) {
                self.starts.remove(&start);
            }
            self.words.remove(&name.text);
            self.by_text.remove(&(name.kind, name.text.to_lowercase().into()));
            self.free.push(id);
        }
    }

    /// Two words mean the same.
    pub(super) fn pair(&mut self, korean: &str, english: &str) {
        for (word, partner) in [(korean, english), (english, korean)] {
            let id = self.add(Kind::Keyword, word);
            if let Some(name) = &mut self.names[id.0 as usize] {
                name.partners.push(partner.into());
            }
        }
    }

    /// Up to `limit` names that `typed` may become, the best first; where there is none, those of
    /// what may have been meant.
    pub(super) fn suggest(&self, typed: &str, limit: usize) -> Vec<Suggestion> {
        let mut found = Found { limit, ids: Vec::new(), suggestions: Vec::new() };
        self.find(Pattern::typed(typed), None, &mut found);
        if found.ids.is_empty() {
            for meant in self.words.corrections(typed) {
                self.find(Pattern::typed(&meant), None, &mut found);
            }
        }
        found.suggestions
    }

    /// Adds what matches; `keyword` is the word that it stands for.
    fn find(&self, pattern: Option<Pattern>, keyword: Option<&str>, found: &mut Found) {
        let Some(pattern) = pattern else { return };
        let (first, last) = pattern.keys().into_inner();
        for (place, kind) in PLACES.into_iter().flat_map(|p| KINDS.map(|kind| (p, kind))) {
            // One hop: a partner's partners are not looked for.
            if keyword.is_some() && kind == Kind::Keyword {
                continue;
            }
            let tier = tier(place, kind);
            let range = (tier | first, NameId(0), 0)..=(tier | last, NameId(u32::MAX), u16::MAX);
            for &(_, id, at) in self.starts.range(range).take(LOOKED_AT_MAX) {
                if found.is_full() {
                    return;
                }
                let name = self.names[id.0 as usize].as_ref();
                let Some(name) = name.filter(|name| pattern.begins(&name.letters, at)) else {
                    continue;
                };
                match name.kind {
                    Kind::Keyword => {
                        for partner in &name.partners {
                            self.find(Pattern::words(partner), Some(&name.text), found);
                        }
                    }
                    Kind::Artist => found.push(id, name, SuggestionKind::Artist, keyword),
                    Kind::Venue => found.push(id, name, SuggestionKind::Venue, keyword),
                    Kind::Title => found.push(id, name, SuggestionKind::Title, keyword),
                }
            }
        }
    }
}

/// What is found so far.
struct Found {
    limit: usize,
    ids: Vec<NameId>,
    suggestions: Vec<Suggestion>,
}

impl Found {
    fn is_full(&self) -> bool {
        self.ids.len() >= self.limit
    }

    fn push(&mut self, id: NameId, name: &Name, kind: SuggestionKind, keyword: Option<&str>) {
        if self.is_full() || self.ids.contains(&id) {
            return;
        }
        self.ids.push(id);
        self.suggestions.push(Suggestion {
            text: name.text.to_string(),
            kind,
            events: name.events,
            keyword: keyword.map(str::to_owned),
        });
    }
}

/// The highest bits of the keys of a kind of name, found at a place: they sort by them first.
fn tier(place: Place, kind: Kind) -> u64 {
    (place as u64 * KINDS.len() as u64 + kind as u64) << KEY_BITS
}

fn starts(name: &Name, id: NameId) -> impl Iterator<Item = (u64, NameId, u16)> {
    let starts = name.letters.starts().take(STARTS_PER_NAME_MAX);
    starts.map(move |(at, place)| (tier(place, name.kind) | name.letters.key(at), id, at))
}
