//! The letters of a name, and whether what somebody has typed so far begins at one of them.

use crate::search::hangul;

/// Longer names are known by their beginning.
const LETTERS_MAX: usize = 255;
/// A key tells this many letters apart; what follows is looked at.
const KEY_LETTERS: usize = 10;
const CLASS_BITS: usize = 6;
pub(super) const KEY_BITS: usize = KEY_LETTERS * CLASS_BITS;

/// Letters and digits in lower case; blanks and punctuation only part words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Letters {
    letters: Box<[char]>,
    /// Where words begin, ascending.
    words: Box<[u16]>,
}

impl Letters {
    pub(super) fn of(text: &str) -> Letters {
        let (mut letters, mut words) = (Vec::new(), Vec::new());
        let mut is_parted = true;
        for letter in text.chars().flat_map(char::to_lowercase) {
            if !letter.is_alphanumeric() {
                is_parted = true;
                continue;
            }
            if letters.len() == LETTERS_MAX {
                break;
            }
            if std::mem::take(&mut is_parted) {
                words.push(letters.len() as u16);
            }
            letters.push(letter);
        }
        Letters { letters: letters.into(), words: words.into() }
    }

    /// Where somebody may begin to type this: at each word, at each syllable, as Korean joins words
    /// without blanks, and where another script begins.
    pub(super) fn starts(&self) -> impl Iterator<Item = (u16, Place)> {
        (0..self.letters.len() as u16).filter_map(|at| {
            let is_syllable = |at: u16| hangul::initial(self.letters[usize::from(at)]).is_some();
            let place = match at {
                0 => Place::Name,
                _ if self.begins_word(at) => Place::Word,
                _ if is_syllable(at) || is_syllable(at - 1) => Place::Within,
                _ => return None,
            };
            Some((at, place))
        })
    }

    /// The classes of the letters from `at` on, in order of their sort.
    pub(super) fn key(&self, at: u16) -> u64 {
        packed(&self.letters[usize::from(at)..])
    }

    fn begins_word(&self, at: u16) -> bool {
        self.words.binary_search(&at).is_ok()
    }
}

/// Where in a name something begins; the better the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Name,
    Word,
    Within,
}

/// What was typed, to be found in names.
pub(super) struct Pattern {
    letters: Vec<char>,
    is_finished: bool,
}

impl Pattern {
    /// What somebody is typing: consonants stand for syllables that begin with them, and the last
    /// syllable may be unfinished. `None` where there is no letter in it.
    pub(super) fn typed(text: &str) -> Option<Pattern> {
        let mut letters = Vec::new();
        for &letter in &Letters::of(text).letters {
            match hangul::taken_apart(letter) {
                Some(two) => letters.extend(two.chars()),
                None => letters.push(letter),
            }
        }
        (!letters.is_empty()).then_some(Pattern { letters, is_finished: false })
    }

    /// Whole words.
    pub(super) fn words(text: &str) -> Option<Pattern> {
        let letters = Vec::from(Letters::of(text).letters);
        (!letters.is_empty()).then_some(Pattern { letters, is_finished: true })
    }

    /// The keys of everything that can match.
    pub(super) fn keys(&self) -> std::ops::RangeInclusive<u64> {
        let first = packed(&self.letters);
        let free = (KEY_LETTERS - self.letters.len().min(KEY_LETTERS)) * CLASS_BITS;
        first..=first | ((1 << free) - 1)
    }

    /// Whether `name` has this from `at` on.
    pub(super) fn begins(&self, name: &Letters, at: u16) -> bool {
        let rest = &name.letters[usize::from(at)..];
        let Some((&last, before)) = self.letters.split_last() else {
            return false;
        };
        if rest.len() < self.letters.len() {
            return false;
        }
        let end = usize::from(at) + self.letters.len();
        let is_last = match self.is_finished {
            true => {
                let is_end = end == name.letters.len() || name.begins_word(end as u16);
                last == rest[before.len()] && is_end
            }
            false => is_begun(last, &rest[before.len()..]),
        };
        is_last && before.iter().zip(rest).all(|(&typed, &letter)| stands_for(typed, letter))
    }
}

/// Whether a typed letter means this one.
fn stands_for(typed: char, letter: char) -> bool {
    typed == letter || (hangul::is_initial(typed) && hangul::initial(letter) == Some(typed))
}

/// Whether a typed letter can become the beginning of `rest` by typing on: 바 and 밧 become 바사.
fn is_begun(typed: char, rest: &[char]) -> bool {
    if stands_for(typed, rest[0]) {
        return true;
    }
    if hangul::initial(typed).is_none() {
        return false;
    }
    /// Two syllables have no more.
    const KEYS_MAX: usize = 10;
    let (mut keys, mut count) = (['\0'; KEYS_MAX], 0);
    for &letter in rest.iter().take(2) {
        hangul::keystrokes(letter, |key| {
            keys[count] = key;
            count += 1;
        });
    }
    let (mut at, mut is_same) = (0, true);
    hangul::keystrokes(typed, |key| {
        is_same &= at < count && keys[at] == key;
        at += 1;
    });
    is_same
}

fn packed(letters: &[char]) -> u64 {
    let classes = letters.iter().take(KEY_LETTERS).map(|&letter| class(letter));
    let key = classes.clone().fold(0, |key, class| key << CLASS_BITS | class);
    key << ((KEY_LETTERS - classes.len()) * CLASS_BITS)
}

/// A letter's class: syllables with the same initial are one, and so are rare letters.
fn class(letter: char) -> u64 {
    let offset = |from: char| u64::from(u32::from(letter) - u32::from(from));
    match letter {
        'a'..='z' => 1 + offset('a'),
        '0'..='9' => 27 + offset('0'),
        _ => match hangul::initial_position(letter) {
            Some(position) => 37 + u64::from(position),
            None => 56 + u64::from(u32::from(letter) % 8),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where in `name` the typed text begins.
    fn places(typed: &str, name: &str) -> Vec<Place> {
        let name = Letters::of(name);
        let Some(pattern) = Pattern::typed(typed) else {
            return Vec::new();
        };
        let starts = name.starts().filter(|&(at, _)| pattern.begins(&name, at));
        starts
            .inspect(|&(at, _)| assert!(pattern.keys().contains(&name.key(at)), "{typed}"))
            .map(|(_, place)| place)
            .collect()
    }

    #[test]
    fn what_is_typed_on_the_way_to_a_name_finds_it() {
        // Each keystroke of 방탄소년단 on a Korean keyboard.
        for typed in [
            "ㅂ",
            "바",
            "방",
            "방ㅌ",
            "방타",
            "방탄",
            "방탄ㅅ",
            "방탄소",
            "방탄손",
            "방탄소녀",
            "방탄소년",
            "방탄소년ㄷ",
            "방탄소년다",
            "방탄소년단",
            "ㅂㅌ",
            "ㅂㅌㅅㄴㄷ",
            "ㅂ탄",
            " 방 탄 ",
        ] {
            assert_eq!(places(typed, "방탄소년단"), [Place::Name], "{typed}");
        }
        for typed in
            ["방턴", "방탕", "ㅂㅅ", "밤", "ㅂㅏ", "탄방", "방탄소년단들", "bts", "", " - "]
        {
            assert_eq!(places(typed, "방탄소년단"), [], "{typed}");
        }
    }

    #[test]
    fn names_are_found_at_words_and_syllables_whatever_their_punctuation() {
        use Place::{Name, Within, Word};
        for (typed, name, expected) in [
            ("g-dragon", "G-DRAGON ACT III", &[Name][..]),
            ("gdragon", "G-DRAGON ACT III", &[Name]),
            ("DRAGON act", "G-DRAGON ACT III", &[Word]),
            ("ragon", "G-DRAGON ACT III", &[]),
            ("스카이", "고척스카이돔", &[Within]),
            ("ㅅㅋㅇㄷ", "고척스카이돔", &[Within]),
            ("고", "과자 고고", &[Name, Word, Within]),
            ("갑", "가방", &[Name]),
            ("값", "갑사", &[Name]),
            ("ㄳ", "가수 구슬", &[Name, Word]),
            ("iu", "가수IU", &[Within]),
            ("2024", "콘서트 2024", &[Word]),
            ("é", "Café É", &[Word]),
            ("東", "東京", &[Name]),
        ] {
            assert_eq!(places(typed, name), expected, "{typed} in {name}");
        }
    }

    #[test]
    fn finished_words_end_where_words_end() {
        for (words, name, expected) in [
            ("SOL", "태양 SOL", true),
            ("sol", "Solo", false),
            ("sky dome", "KSPO Sky-Dome 2", true),
            ("돔", "고척스카이돔", true),
            ("돔", "돔구장", false),
        ] {
            let (name, pattern) = (Letters::of(name), Pattern::words(words).expect("letters"));
            let found = name.starts().any(|(at, _)| pattern.begins(&name, at));
            assert_eq!(found, expected, "{words}");
        }
    }

    #[test]
    fn classes_keep_scripts_apart() {
        let all: std::collections::HashSet<u64> =
            "abcz019가까나다따라마바빠사싸아자짜차카타파하".chars().map(class).collect();
        assert_eq!(all.len(), 7 + 19);
        assert!(all.iter().all(|class| (1..56).contains(class)));
        assert!((56..64).contains(&class('東')) && class('가') == class('ㄱ'));
    }
}
