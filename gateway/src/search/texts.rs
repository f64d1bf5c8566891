//! What queries are looked for in: the texts of all events, one after the other in one piece of
//! memory, so that a look through all of them is one look.

use memchr::memmem;
use tiketi_engine::ids::EventIndex;

/// Texts by event; one of each at most.
#[derive(Default)]
pub(super) struct Texts {
    bytes: Vec<u8>,
    /// Without gaps, ascending.
    places: Vec<Place>,
    /// Where in `places` an event's is, by its index.
    by_event: Vec<Option<usize>>,
    /// Bytes of texts that are no longer any event's.
    left: usize,
}

struct Place {
    end: usize,
    /// `None` where it is no longer any event's.
    event: Option<EventIndex>,
}

impl Texts {
    /// The text of an event from now on.
    pub(super) fn put(&mut self, event: EventIndex, text: &str) {
        self.remove(event);
        if self.left > self.bytes.len() / 2 {
            *self = self.without_gaps();
        }
        self.push(event, text.as_bytes());
    }

    /// An event is no longer found.
    pub(super) fn remove(&mut self, event: EventIndex) {
        let place = self.by_event.get_mut(event.position()).and_then(Option::take);
        if let Some(place) = place {
            self.left += self.text(place).len();
            self.places[place].event = None;
        }
    }

    /// Calls `found` with each event that has the term in its text, in any order.
    pub(super) fn find(&self, term: &str, mut found: impl FnMut(EventIndex)) {
        let finder = memmem::Finder::new(term);
        let (mut from, mut place) = (0, 0);
        while let Some(at) = finder.find(&self.bytes[from..]).map(|after| from + after) {
            while self.places.get(place).is_some_and(|place| place.end <= at) {
                place += 1;
            }
            let Some(Place { end, event }) = self.places.get(place) else {
                return;
            };
            // The end of one text and the beginning of the next are no text.
            if at + term.len() > *end {
                from = at + 1;
                continue;
            }
            event.iter().for_each(|&event| found(event));
            from = *end;
        }
    }

    fn push(&mut self, event: EventIndex, text: &[u8]) {
        if self.by_event.len() <= event.position() {
            self.by_event.resize(event.position() + 1, None);
        }
        self.by_event[event.position()] = Some(self.places.len());
        self.bytes.extend_from_slice(text);
        self.places.push(Place { end: self.bytes.len(), event: Some(event) });
    }

    fn text(&self, place: usize) -> &[u8] {
        let start = place.checked_sub(1).map_or(0, |before| self.places[before].end);
        &self.bytes[start..self.places[place].end]
    }

    fn without_gaps(&self) -> Texts {
        let mut texts = Texts::default();
        for (place, event) in self.places.iter().map(|place| place.event).enumerate() {
            if let Some(event) = event {
                texts.push(event, self.text(place));
            }
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(texts: &Texts, term: &str) -> Vec<u32> {
        let mut events = Vec::new();
        texts.find(term, |event| events.push(event.0));
        events.sort_unstable();
        events
    }

    #[test]
    fn terms_are_found_within_texts_and_never_across_two() {
        let mut texts = Texts::default();
        assert_eq!(found(&texts, "a"), [0; 0]);
        for (event, text) in [(3, "abab"), (0, "ba"), (1, ""), (2, "방탄소년단 ab")] {
            texts.put(EventIndex(event), text);
        }
        for (term, events) in [
            ("ab", &[2, 3][..]),
            ("ba", &[0, 3]),
            ("abba", &[]),
            ("b", &[0, 2, 3]),
            ("탄소", &[2]),
            ("단 ab", &[2]),
            ("a방", &[]),
            ("\0", &[]),
        ] {
            assert_eq!(found(&texts, term), events, "{term}");
        }
    }

    #[test]
    fn changed_and_removed_texts_are_gone_and_leave_room() {
        let mut texts = Texts::default();
        for round in 0..1_000 {
            for event in 0..10 {
                texts.put(EventIndex(event), &format!("round {round} of {event}"));
            }
        }
        assert_eq!(found(&texts, "round 998"), [0; 0]);
        assert_eq!(found(&texts, "round 999"), (0..10).collect::<Vec<_>>());
        texts.remove(EventIndex(4));
        texts.remove(EventIndex(4));
        texts.remove(EventIndex(99));
        assert_eq!(found(&texts, "of 4"), [0; 0]);
        assert_eq!(found(&texts, "of").len(), 9);
        assert!(texts.bytes.len() < 1_000, "{} bytes", texts.bytes.len());
    }
}
