//! The draw of a lottery computed again, from its description and not with the engine's code: who
//! checks a draw should not have to believe who made it.

use sha2::{Digest, Sha256};
use tiketi_gateway::api::hex;

/// The hexadecimal text of the commitment to a seed.
pub(crate) fn commitment(seed: &[u8]) -> String {
    hex(&Sha256::digest([b"tiketi draw commitment", seed].concat()))
}

/// Tickets in the order that a seed and a beacon give them.
pub(crate) fn order(seed: &[u8], beacon: &str, tickets: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let prefix = [seed, Sha256::digest(beacon).as_slice()].concat();
    let mut drawn: Vec<([u8; 8], u32)> = tickets
        .into_iter()
        .map(|ticket| {
            let hash = Sha256::digest([prefix.as_slice(), &ticket.to_be_bytes()].concat());
            (std::array::from_fn(|position| hash[position]), ticket)
        })
        .collect();
    drawn.sort_unstable();
    drawn.into_iter().map(|(_, ticket)| ticket).collect()
}

/// The bytes of [`hex`], or `None` for anything else.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}
