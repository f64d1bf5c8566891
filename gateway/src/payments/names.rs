//! A charge's name at a provider, and back.
//!
//! `tk`, the charge's number in eight hexadecimal digits, and its random tag in sixteen: what every
//! provider takes, unlike any of another installation, and not to be guessed.

use tiketi_engine::ids::{ChargeIndex, RefundIndex};
use tiketi_engine::money::{Charge, ChargeState, Ledger};
use tiketi_engine::record::ProviderName;

use crate::payments::ids::OrderId;

/// The provider's order id of a charge.
pub(crate) fn order_id(index: ChargeIndex, charge: &Charge) -> Option<OrderId> {
    OrderId::new(&format!("tk{:08x}{:016x}", index.0, charge.tag))
}

/// Whether a text can be an order id of ours.
pub(crate) fn is_order_id(text: &str) -> bool {
    let digits = text.strip_prefix("tk").filter(|digits| digits.len() == 24);
    digits.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// The charge of an order id; `None` for any other text.
pub(crate) fn charge_of(ledger: &Ledger, order_id: &str) -> Option<ChargeIndex> {
    let number = order_id.strip_prefix("tk")?.get(..8)?;
    let index = ChargeIndex(u32::from_str_radix(number, 16).ok()?);
    let charge = ledger.charge(index)?;
    (self::order_id(index, charge)?.as_str() == order_id).then_some(index)
}

/// The charge of a provider's payment: the one that has its money, or else the last that named it.
pub(crate) fn charge_of_payment(
    ledger: &Ledger,
    provider: ProviderName,
    payment_key: &str,
) -> Option<ChargeIndex> {
    let of_provider = |index: &ChargeIndex| {
        ledger.charge(*index).is_some_and(|charge| charge.provider == provider)
    };
    let has_money = |index: &ChargeIndex| {
        let state = ledger.charge(*index).map(|charge| charge.state);
        matches!(state, Some(ChargeState::Captured | ChargeState::Reversed))
    };
    let mut charges = ledger.of_payment(payment_key).iter().copied().filter(of_provider);
    charges.clone().rfind(has_money).or_else(|| charges.next_back())
}

/// What a refund's idempotency keys are made of. Another try gets another name, as a provider repeats
/// its first answer to the same one; so does another amount, as a provider may not look at it.
pub(crate) fn refund_name(index: RefundIndex, charge: &Charge, attempt: u32, won: u64) -> String {
    format!("{:08x}{:016x}-{attempt}-{won}", index.0, charge.tag)
}
