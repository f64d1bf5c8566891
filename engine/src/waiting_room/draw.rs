//! The draw of a lottery: who came before the sale stands in an order that nobody chose.
//!
//! A seed is fixed, and its commitment published, before the first ticket is handed out. The draw
//! reveals the seed, and may add a beacon: a public value that nobody knew while tickets were handed
//! out, so that not even who knows the seed could choose tickets. Each ticket then has a number:
//!
//! ```text
//! commitment = SHA-256("tiketi draw commitment" ‖ seed)
//! number     = SHA-256(seed ‖ SHA-256(beacon) ‖ ticket as 4 bytes, big end first)
//! ```
//!
//! The line stands in the order of the first eight bytes of the numbers, equal ones by ticket. A
//! number depends on nobody else, so whoever leaves moves nobody, and all can be computed again by
//! anybody with a SHA-256 (FIPS 180-4).

use sha2::{Digest, Sha256};

use crate::ids::Place;
pub use crate::record::{SEED_BYTES, Seed};

/// What is published before.
#[must_use]
pub fn commitment(seed: &Seed) -> [u8; SEED_BYTES] {
    Sha256::new().chain_update("tiketi draw commitment").chain_update(seed).finalize().into()
}

/// Gives tickets their numbers.
#[derive(Clone, Debug)]
pub struct Drawing {
    /// The hash after what is the same for all: one block, so that a number costs one more.
    common: Sha256,
}

impl Drawing {
    /// A draw from a seed and a beacon, which may be empty.
    #[must_use]
    pub fn new(seed: &Seed, beacon: &str) -> Drawing {
        Drawing { common: Sha256::new().chain_update(seed).chain_update(Sha256::digest(beacon)) }
    }

    /// The number of a ticket. The lowest goes first.
    #[must_use]
    pub fn number(&self, ticket: Place) -> u64 {
        let hash = self.common.clone().chain_update(ticket.0.to_be_bytes()).finalize();
        hash.iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
    }

    /// Brings tickets into their order.
    pub fn sort(&self, tickets: &mut [Place]) {
        tickets.sort_by_cached_key(|&ticket| (self.number(ticket), ticket));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Computed with Python's hashlib.
    #[test]
    fn anybody_gets_the_same_numbers() {
        let seed: Seed = std::array::from_fn(|position| position as u8);
        assert_eq!(
            hex(&commitment(&seed)),
            "01f5ac37a63bc75558eb3c3a6df9b95bca8f17500feabb02a531b318b3168c93"
        );
        let drawing = Drawing::new(&seed, "1197: 3 11 15 29 35 44");
        assert_eq!(format!("{:016x}", drawing.number(Place(1))), "7d1a4f9f63fc328c");
        assert_eq!(format!("{:016x}", drawing.number(Place(70_000))), "03bc187d74723056");
    }

    #[test]
    fn seed_and_beacon_decide_the_order() {
        let sorted = |first: u8, beacon: &str| {
            let mut tickets: Vec<Place> = (1..=1_000).map(Place).collect();
            Drawing::new(&[first; SEED_BYTES], beacon).sort(&mut tickets);
            tickets
        };
        let order = sorted(1, "");
        assert_eq!(order, sorted(1, ""));
        assert_ne!(order, sorted(2, ""));
        assert_ne!(order, sorted(1, "another"));
        // Nobody's number depends on who else is there.
        let mut some: Vec<Place> = (1..=1_000).step_by(3).map(Place).collect();
        Drawing::new(&[1; SEED_BYTES], "").sort(&mut some);
        let kept: Vec<Place> = order.into_iter().filter(|ticket| ticket.0 % 3 == 1).collect();
        assert_eq!(some, kept);
    }
}
