//! What a query means (contract/domain.md 6).
//!
//! A term matches by substring, whatever the case; `%` and `_` are plain characters. The terms are
//! the query and every partner of each keyword mapping with a side that contains the query: one
//! hop, no ranking.

use tiketi_engine::record::KeywordMapping;

use crate::search::texts::Texts;

/// A query with the words that mean the same.
pub(super) struct Terms {
    /// Lower case.
    terms: Vec<String>,
}

impl Terms {
    /// `None` for a blank query: everything matches.
    pub(super) fn new(query: &str, keywords: &[KeywordMapping]) -> Option<Terms> {
        let query = query.trim().to_lowercase();
        if query.is_empty() {
            return None;
        }
        let mut terms = vec![query];
        for mapping in keywords {
            let (korean, english) = (mapping.korean.to_lowercase(), mapping.english.to_lowercase());
            let (in_korean, in_english) =
                (korean.contains(terms[0].as_str()), english.contains(terms[0].as_str()));
            for (is_partner, word) in [(in_korean, english), (in_english, korean)] {
                if is_partner && !terms.contains(&word) {
                    terms.push(word);
                }
            }
        }
        Some(Terms { terms })
    }

    /// Whether one of them is in an event's text, which is in lower case; by the event's index, for
    /// `events` of them.
    pub(super) fn find_in(&self, texts: &Texts, events: usize) -> Vec<bool> {
        let mut has_one = vec![false; events];
        for term in &self.terms {
            texts.find(term, |event| has_one[event.position()] = true);
        }
        has_one
    }
}

#[cfg(test)]
mod tests {
    use tiketi_engine::ids::{EventIndex, UnixMillis};
    use tiketi_engine::record::EventRules;

    use super::*;
    use crate::sample_data;
    use crate::search::catalogue::haystack;

    fn hits(query: &str) -> Vec<String> {
        let keywords = sample_data::keywords();
        let rules =
            EventRules { seats_per_reservation: 4, hold_ttl_ms: 300_000, seats_per_user: None };
        let events = sample_data::events(rules, UnixMillis(1_795_196_714_996));
        let mut texts = Texts::default();
        for (index, event) in events.iter().enumerate() {
            texts.put(EventIndex(index as u32), &haystack(&event.details));
        }
        let terms = Terms::new(query, &keywords);
        let has_one = terms.map(|terms| terms.find_in(&texts, events.len()));
        let titles = events.into_iter().map(|event| event.details.title).enumerate();
        let found =
            titles.filter(|&(index, _)| has_one.as_ref().is_none_or(|has_one| has_one[index]));
        found.map(|(_, title)| title).collect()
    }

    #[test]
    fn the_contracts_vectors() {
        for (queries, count) in [
            (&["방탄", "bts", "psy", "싸이", "아이유", "지드래곤", "sol", "태양"][..], 1),
            (&["아이브", "ive", "TXT", "투바투", "스트레이 키즈", "뮤지컬", "musical", "YES24"], 1),
            (&["콘서트", "concert"], 2),
            (&["잠실", "Jamsil"], 6),
            (&["고척", "  고척 "], 7),
            (&["2024"], 8),
            (&["돔", "dome"], 10),
            (&["tour", "투어"], 14),
            (&["seoul", "", "   "], 25),
            (&["gd", "공연", "xyz"], 0),
        ] {
            for query in queries {
                assert_eq!(hits(query).len(), count, "{query}: {:?}", hits(query));
            }
        }
        for (query, title) in [
            ("방탄", "BTS WORLD TOUR 2024"),
            ("bts", "BTS WORLD TOUR 2024"),
            ("psy", "싸이 흠뻑쇼 2024"),
            ("지드래곤", "G-DRAGON ACT III: MOTTE"),
            ("sol", "태양 WHITE NIGHT TOUR"),
            ("ive", "IVE THE PROM QUEENS TOUR"),
            ("투바투", "TXT ACT: SWEET MIRAGE"),
            ("스트레이 키즈", "Stray Kids 5-STAR TOUR"),
            ("musical", "뮤지컬 오페라의 유령"),
            ("YES24", "ZICO KING OF THE ZUNGLE"),
        ] {
            assert_eq!(hits(query), [title], "{query}");
        }
    }

    #[test]
    fn wildcards_of_other_languages_are_plain_characters() {
        for query in ["%", "_", "%2024%", "20_4", ".*", "\\", "'"] {
            assert_eq!(hits(query), [""; 0], "{query}");
        }
        assert_eq!(hits("-"), hits(" - "));
    }
}
