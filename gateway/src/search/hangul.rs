//! Letters as people type them: initial consonants (초성) and keystrokes of Hangul syllables.
//!
//! A syllable of the block U+AC00 is `(initial * 21 + vowel) * 28 + final` (Unicode 3.12). On the
//! standard keyboard the compound vowels and finals are two keystrokes, doubled consonants one.

const SYLLABLES: u32 = 0xAC00;
const SYLLABLE_COUNT: u32 = 19 * 21 * 28;
const VOWELS: u32 = 21;
const FINALS: u32 = 28;

/// The consonants that begin a syllable, in its order.
const INITIALS: [char; 19] = [
    'ㄱ', 'ㄲ', 'ㄴ', 'ㄷ', 'ㄸ', 'ㄹ', 'ㅁ', 'ㅂ', 'ㅃ', 'ㅅ', 'ㅆ', 'ㅇ', 'ㅈ', 'ㅉ', 'ㅊ', 'ㅋ',
    'ㅌ', 'ㅍ', 'ㅎ',
];

/// The keystrokes of the vowels, in the order of a syllable.
const VOWEL_KEYS: [&str; VOWELS as usize] = [
    "ㅏ", "ㅐ", "ㅑ", "ㅒ", "ㅓ", "ㅔ", "ㅕ", "ㅖ", "ㅗ", "ㅗㅏ", "ㅗㅐ", "ㅗㅣ", "ㅛ", "ㅜ",
    "ㅜㅓ", "ㅜㅔ", "ㅜㅣ", "ㅠ", "ㅡ", "ㅡㅣ", "ㅣ",
];

/// The keystrokes of the finals, in the order of a syllable; the first is none.
const FINAL_KEYS: [&str; FINALS as usize] = [
    "", "ㄱ", "ㄲ", "ㄱㅅ", "ㄴ", "ㄴㅈ", "ㄴㅎ", "ㄷ", "ㄹ", "ㄹㄱ", "ㄹㅁ", "ㄹㅂ", "ㄹㅅ",
    "ㄹㅌ", "ㄹㅍ", "ㄹㅎ", "ㅁ", "ㅂ", "ㅂㅅ", "ㅅ", "ㅆ", "ㅇ", "ㅈ", "ㅊ", "ㅋ", "ㅌ", "ㅍ",
    "ㅎ",
];

/// Two consonants that keyboards join where no syllable stands before them.
const JOINED: [(char, &str); 11] = [
    ('ㄳ', "ㄱㅅ"),
    ('ㄵ', "ㄴㅈ"),
    ('ㄶ', "ㄴㅎ"),
    ('ㄺ', "ㄹㄱ"),
    ('ㄻ', "ㄹㅁ"),
    ('ㄼ', "ㄹㅂ"),
    ('ㄽ', "ㄹㅅ"),
    ('ㄾ', "ㄹㅌ"),
    ('ㄿ', "ㄹㅍ"),
    ('ㅀ', "ㄹㅎ"),
    ('ㅄ', "ㅂㅅ"),
];

/// The parts of a syllable: initial, vowel, final.
fn parts(letter: char) -> Option<(usize, usize, usize)> {
    let offset = u32::from(letter).checked_sub(SYLLABLES).filter(|&at| at < SYLLABLE_COUNT)?;
    let (lead, last) = (offset / FINALS, offset % FINALS);
    Some(((lead / VOWELS) as usize, (lead % VOWELS) as usize, last as usize))
}

/// The consonant a syllable begins with.
pub(super) fn initial(letter: char) -> Option<char> {
    parts(letter).map(|(initial, ..)| INITIALS[initial])
}

/// The number of the consonant that a syllable begins with, or that stands alone; below 19.
pub(super) fn initial_position(letter: char) -> Option<u8> {
    match parts(letter) {
        Some((initial, ..)) => Some(initial as u8),
        None => INITIALS.iter().position(|&alone| alone == letter).map(|at| at as u8),
    }
}

/// Whether this is a consonant that can begin a syllable, standing alone.
pub(super) fn is_initial(letter: char) -> bool {
    INITIALS.contains(&letter)
}

/// The consonants that a keyboard joined to `letter`.
pub(super) fn taken_apart(letter: char) -> Option<&'static str> {
    JOINED.iter().find(|(joined, _)| *joined == letter).map(|(_, two)| *two)
}

/// What is typed for a letter, as single letters; anything but a syllable is itself.
pub(super) fn keystrokes(letter: char, mut each: impl FnMut(char)) {
    match parts(letter) {
        Some((initial, vowel, last)) => {
            each(INITIALS[initial]);
            VOWEL_KEYS[vowel].chars().chain(FINAL_KEYS[last].chars()).for_each(each);
        }
        None => each(letter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn syllables_come_apart_as_they_are_typed() {
        for (text, expected) in [
            ("방탄", "ㅂㅏㅇㅌㅏㄴ"),
            ("과", "ㄱㅗㅏ"),
            ("흙", "ㅎㅡㄹㄱ"),
            ("힣", "ㅎㅣㅎ"),
            ("가", "ㄱㅏ"),
            ("싸", "ㅆㅏ"),
            ("ㅂ", "ㅂ"),
            ("bT1", "bT1"),
        ] {
            let mut keys = String::new();
            text.chars().for_each(|letter| keystrokes(letter, |key| keys.push(key)));
            assert_eq!(keys, expected, "{text}");
        }
    }

    #[test]
    fn initials() {
        for (letter, expected) in [
            ('방', Some('ㅂ')),
            ('가', Some('ㄱ')),
            ('힣', Some('ㅎ')),
            ('ㅂ', None),
            ('ㅏ', None),
            ('b', None),
            ('\u{d7a4}', None),
        ] {
            assert_eq!(initial(letter), expected, "{letter}");
        }
        assert!(is_initial('ㅂ') && is_initial('ㄲ'));
        assert!(!is_initial('ㅏ') && !is_initial('ㄳ') && !is_initial('방'));
        assert_eq!(taken_apart('ㄳ'), Some("ㄱㅅ"));
        assert_eq!(taken_apart('ㄲ'), None);
    }
}
