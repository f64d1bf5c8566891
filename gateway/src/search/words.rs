//! The words of all names, and those nearest to a misspelt one.
//!
//! Distances are counted in keystrokes, so that 방턴 is one away from 방탄: insertions, deletions,
//! replacements and swaps of neighbours (Damerau's distance, each letter moved at most once). A
//! signature of the letters of each word rules most of them out by a few instructions; only the rest
//! is compared.

use std::collections::HashMap;

use crate::search::hangul;

/// Shorter words are too near to too many.
const KEYS_MIN: usize = 3;
/// Longer words are known by their beginning.
const KEYS_MAX: usize = 32;
/// From this length on two mistakes are forgiven, one before it.
const LONG_KEYS_MIN: usize = 6;
/// Words that are compared for one misspelt word, at most.
const COMPARED_MAX: usize = 20_000;
/// Corrections of one word that are tried.
const CORRECTIONS_MAX: usize = 5;
/// Queries of more words are taken as they are.
const QUERY_WORDS_MAX: usize = 4;

/// Each word once, with the number of names that have it.
#[derive(Default)]
pub(super) struct Words {
    by_text: HashMap<Box<str>, u32>,
    /// By position; those with no name are free.
    words: Vec<Word>,
    signatures: Vec<Signature>,
    free: Vec<u32>,
}

struct Word {
    text: Box<str>,
    keys: Box<[u8]>,
    names: u32,
}

impl Words {
    /// A name is there.
    pub(super) fn add(&mut self, name: &str) {
        for text in split(name) {
            if let Some(&position) = self.by_text.get(text.as_str()) {
                self.words[position as usize].names += 1;
                continue;
            }
            let keys = keys(&text);
            if keys.len() < KEYS_MIN {
                continue;
            }
            let text: Box<str> = text.into();
            let signature = Signature::of(&keys);
            let word = Word { text: text.clone(), keys: keys.into(), names: 1 };
            let position = match self.free.pop() {
                Some(position) => {
                    self.words[position as usize] = word;
                    self.signatures[position as usize] = signature;
                    position
                }
                None => {
                    self.words.push(word);
                    self.signatures.push(signature);
                    (self.words.len() - 1) as u32
                }
            };
            self.by_text.insert(text, position);
        }
    }

    /// A name is gone.
    pub(super) fn remove(&mut self, name: &str) {
        for text in split(name) {
            let Some(&position) = self.by_text.get(text.as_str()) else {
                continue;
            };
            let word = &mut self.words[position as usize];
            word.names -= 1;
            if word.names == 0 {
                self.by_text.remove(text.as_str());
                // Hardly a query gets past it; what does sees that no name has the word.
                self.signatures[position as usize] = Signature::default();
                self.free.push(position);
            }
        }
    }

    /// What may have been meant by a query that nothing begins with, the likeliest first.
    pub(super) fn corrections(&self, query: &str) -> Vec<String> {
        let typed: Vec<String> = split(query).collect();
        if typed.is_empty() || typed.len() > QUERY_WORDS_MAX {
            return Vec::new();
        }
        let nearest: Vec<Vec<&str>> = typed.iter().map(|word| self.nearest(word)).collect();
        let tries = nearest.iter().map(Vec::len).max().unwrap_or_default();
        let corrected = (0..tries).map(|nth| {
            let words = typed.iter().zip(&nearest).map(|(typed, nearest)| {
                // A word with fewer corrections than another keeps its last one.
                nearest.get(nth).or(nearest.last()).map_or(typed.as_str(), |word| word)
            });
            words.collect::<Vec<&str>>().join(" ")
        });
        corrected.collect()
    }

    /// The words that are likeliest for a misspelt one, all as likely; none for a word that some
    /// word begins with.
    fn nearest(&self, typed: &str) -> Vec<&str> {
        let typed = keys(typed);
        let forgiven = match typed.len() {
            0..KEYS_MIN => return Vec::new(),
            KEYS_MIN..LONG_KEYS_MIN => 1,
            _ => 2,
        };
        let of_typed = Signature::of(&typed);
        let possible = self.signatures.iter().enumerate().filter_map(|(position, of_word)| {
            let is_near = of_typed.missing_in(of_word) <= forgiven;
            is_near.then(|| &self.words[position])
        });
        let mut best: Vec<(Rank, &str)> = Vec::with_capacity(CORRECTIONS_MAX + 1);
        for word in possible.filter(|word| word.names > 0).take(COMPARED_MAX) {
            let Some(distance) = distance(&typed, &word.keys, forgiven) else {
                continue;
            };
            if distance == 0 {
                return Vec::new();
            }
            let length = word.keys.len().abs_diff(typed.len());
            let rank = Rank { distance, length, rarity: u32::MAX - word.names };
            let entry = (rank, &*word.text);
            let at = best.partition_point(|better| *better < entry);
            if at < CORRECTIONS_MAX {
                best.insert(at, entry);
                best.truncate(CORRECTIONS_MAX);
            }
        }
        let likeliest = best.first().map(|(rank, _)| (rank.distance, rank.length));
        let as_likely = |(rank, _): &(Rank, &str)| Some((rank.distance, rank.length)) == likeliest;
        best.into_iter().filter(as_likely).map(|(_, text)| text).collect()
    }
}

/// How unlikely it is that a word was meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    distance: usize,
    /// A word that ends where the typed one does is likelier than one that is not typed out.
    length: usize,
    rarity: u32,
}

/// The words of a text: letters and digits in lower case, parted by blanks.
fn split(text: &str) -> impl Iterator<Item = String> {
    let letters = |word: &str| -> String {
        word.chars()
            .flat_map(char::to_lowercase)
            .filter(|letter| letter.is_alphanumeric())
            .collect()
    };
    text.split_whitespace().map(letters).filter(|word| !word.is_empty())
}

/// The keystrokes of a word, each as a byte of its own; rare letters share some.
fn keys(word: &str) -> Vec<u8> {
    let mut keys = Vec::with_capacity(KEYS_MAX + 4);
    for letter in word.chars().take(KEYS_MAX) {
        hangul::keystrokes(letter, |key| {
            keys.push(match key {
                '\0'..='\x7f' => key as u8,
                'ㄱ'..='ㅣ' => 128 + (u32::from(key) - u32::from('ㄱ')) as u8,
                other => 192 + (u32::from(other) % 64) as u8,
            });
        });
    }
    keys.truncate(KEYS_MAX);
    keys
}

/// A bit for each letter that is there once, twice, three times or more often: a mistake takes one
/// of them away at most.
#[derive(Clone, Copy, Debug, Default)]
struct Signature([u64; 3]);

impl Signature {
    fn of(keys: &[u8]) -> Signature {
        let mut times = Signature::default();
        for key in keys {
            let letter = 1 << (key % 64);
            if let Some(bits) = times.0.iter_mut().find(|bits| **bits & letter == 0) {
                *bits |= letter;
            }
        }
        times
    }

    /// How many letters of this one the other lacks, at least.
    fn missing_in(&self, other: &Signature) -> usize {
        let missing = self.0.iter().zip(&other.0).map(|(mine, others)| mine & !others);
        missing.map(|bits| bits.count_ones() as usize).sum()
    }
}

/// The distance of `typed` to the beginning of `word` that is nearest, if it is at most `max`.
///
/// Source: the optimal string alignment distance, row by row over the word.
fn distance(typed: &[u8], word: &[u8], max: usize) -> Option<usize> {
    let width = typed.len() + 1;
    let (mut older, mut old, mut new) = ([0; KEYS_MAX + 1], [0; KEYS_MAX + 1], [0; KEYS_MAX + 1]);
    (0..width).for_each(|at| old[at] = at);
    let (mut best, mut least_old) = (old[typed.len()], 0);
    for (row, &key) in word.iter().take(typed.len() + max).enumerate() {
        new[0] = row + 1;
        let mut least = new[0];
        for at in 1..width {
            let replaced = old[at - 1] + usize::from(typed[at - 1] != key);
            let mut cost = replaced.min(old[at] + 1).min(new[at - 1] + 1);
            if row > 0 && at > 1 && typed[at - 1] == word[row - 1] && typed[at - 2] == key {
                cost = cost.min(older[at - 2] + 1);
            }
            new[at] = cost;
            least = least.min(cost);
        }
        best = best.min(new[typed.len()]);
        // A swap may still come from the row before.
        if least > max && least_old >= max {
            break;
        }
        least_old = least;
        (older, old, new) = (old, new, older);
    }
    (best <= max).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_to_the_nearest_beginning() {
        for (typed, word, expected) in [
            ("bst", "bts", Some(1)),
            ("bts", "bts", Some(0)),
            ("bla", "blackpink", Some(0)),
            ("blakp", "blackpink", Some(1)),
            ("balckpnik", "blackpink", Some(2)),
            ("lbackpink", "blackpink", Some(1)),
            ("vlackpink", "blackpink", Some(1)),
            ("방턴", "방탄소년단", Some(1)),
            ("아이우", "아이유", Some(1)),
            ("abcdef", "uvwxyz", None),
            ("abc", "cab", None),
        ] {
            let (typed, word) = (keys(typed), keys(word));
            let max = if typed.len() < LONG_KEYS_MIN { 1 } else { 2 };
            let found = distance(&typed, &word, max);
            assert_eq!(found, expected, "{typed:?} {word:?}");
            let missing = Signature::of(&typed).missing_in(&Signature::of(&word));
            assert!(found.is_none_or(|distance| missing <= distance), "{typed:?} {word:?}");
        }
    }

    #[test]
    fn corrections_come_from_words_that_are_there() {
        let mut words = Words::default();
        for name in ["BTS WORLD TOUR", "BLACKPINK", "BTS", "Best of", "방탄소년단", "G-DRAGON"]
        {
            words.add(name);
        }
        for (query, expected) in [
            ("bst", &["bts"][..]),
            ("bts wrold", &["bts world"]),
            ("balckpink", &["blackpink"]),
            ("방턴", &["방탄소년단"]),
            ("gdargon", &["gdragon"]),
            ("g-dragno", &["gdragon"]),
            ("black", &[]),
            ("zz", &[]),
            ("zzzzzz", &[]),
            ("a b c d e", &[]),
            ("", &[]),
        ] {
            assert_eq!(words.corrections(query), expected, "{query}");
        }
        words.remove("BTS");
        assert_eq!(words.corrections("bst"), ["bts"]);
        words.remove("BTS WORLD TOUR");
        assert_eq!(words.corrections("bst"), ["best"]);
        words.add("busted");
        assert_eq!(words.words.len(), 7, "a free place is used again");
    }
}
