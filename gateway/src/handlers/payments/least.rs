//! The least that each provider takes: an order below it is refused before a window opens.

use tiketi_engine::record::ProviderName;

use crate::error::ApiError;
use crate::refusals;

/// What a buyer pays with, as far as the least amounts differ.
struct Least {
    provider: ProviderName,
    /// As buyers call it.
    means: &'static str,
    won: u64,
}

/// Source: Toss Payments, "minimum amount" of cards and of account transfers and virtual accounts;
/// Stripe, minimum charge in KRW. The buyer chooses in the provider's window, so that only what is
/// below every line of a provider is refused here; the window refuses the rest.
const LEAST: &[Least] = &[
    Least { provider: ProviderName::Toss, means: "카드", won: 100 },
    Least { provider: ProviderName::Toss, means: "계좌이체와 가상계좌", won: 200 },
    Least { provider: ProviderName::Stripe, means: "카드", won: 100 },
];

/// Whether a provider takes so little by anything that it offers.
///
/// # Errors
/// 400 with what it takes at least.
pub(super) fn check(provider: ProviderName, won: u64) -> Result<(), ApiError> {
    let of_provider = || LEAST.iter().filter(|least| least.provider == provider);
    if of_provider().next().is_none() || of_provider().any(|least| won >= least.won) {
        return Ok(());
    }
    let offers: Vec<String> =
        of_provider().map(|least| format!("{} {}원", least.means, least.won)).collect();
    Err(refusals::invalid(format!(
        "{won}원은 결제할 수 없는 금액이에요. {}부터 결제할 수 있어요.",
        offers.join(", ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_below_every_line_are_refused_with_the_reason() {
        for (provider, won, told) in [
            (ProviderName::Toss, 0, Some("카드 100원, 계좌이체와 가상계좌 200원부터")),
            (ProviderName::Toss, 99, Some("99원은")),
            (ProviderName::Toss, 100, None),
            (ProviderName::Stripe, 99, Some("카드 100원부터")),
            (ProviderName::Stripe, 100, None),
            // Points pay: no provider, no least.
            (ProviderName::None, 0, None),
        ] {
            let refused = check(provider, won).err().map(|error| error.body());
            let text = refused.map(|body| String::from_utf8(body).expect("text"));
            assert_eq!(text.is_some(), told.is_some(), "{provider:?} {won}");
            let says_why = text.zip(told).is_none_or(|(text, told)| text.contains(told));
            assert!(says_why, "{provider:?} {won}");
        }
    }
}
