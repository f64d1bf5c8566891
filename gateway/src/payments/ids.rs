//! What names a payment to a provider: our order's id, the provider's key, and the idempotency keys.

use std::fmt;

/// Our name for an order at a provider: 6 to 64 of `A-Z a-z 0-9 _ -`, which every provider takes
/// and which needs no escaping in a path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct OrderId(Box<str>);

/// The provider's name for a payment. It comes through the buyer's browser, so it is no more than
/// a bounded text that is safe in a path once escaped.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct PaymentKey(Box<str>);

impl OrderId {
    const CHARS_MIN: usize = 6;
    const CHARS_MAX: usize = 64;

    /// `None` where it is too short, too long, or has another character.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let fits = (Self::CHARS_MIN..=Self::CHARS_MAX).contains(&text.len());
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        (fits && text.bytes().all(plain)).then(|| OrderId(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl PaymentKey {
    const CHARS_MAX: usize = 200;

    /// `None` where it is empty, too long, not printable ASCII, or a step in a path.
    pub(crate) fn new(text: &str) -> Option<Self> {
        let fits = (1..=Self::CHARS_MAX).contains(&text.len());
        let is_name =
            text.bytes().all(|byte| byte.is_ascii_graphic()) && !matches!(text, "." | "..");
        (fits && is_name).then(|| PaymentKey(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The idempotency key of one attempt to capture. Reused word for word on every repeat: Toss does
/// not compare bodies, so a key shared by two orders would answer with the other one's payment.
pub(crate) fn confirm_key(order: &OrderId, attempt: u32) -> String {
    format!("confirm:{order}:{attempt}")
}

/// The idempotency key of one refund.
pub(crate) fn cancel_key(refund: &str) -> String {
    format!("cancel:{refund}")
}

/// The idempotency key under which an order's payment is opened: of the order alone, unless the
/// provider failed before.
pub(crate) fn open_key(order: &OrderId, attempt: u32) -> String {
    format!("open:{order}:{attempt}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_ids_are_what_every_provider_takes() {
        for (text, good) in [
            ("abc_-9", true),
            ("abcde", false),
            (&"a".repeat(64), true),
            (&"a".repeat(65), false),
            ("abcdef=", false),
            ("abc.def", false),
            ("abc/def", false),
            ("주문번호-1", false),
        ] {
            assert_eq!(OrderId::new(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn payment_keys_cannot_leave_their_place_in_a_path() {
        for (text, good) in [
            ("tviva20240213121757MvuS8", true),
            ("a/b?c#d%2e", true),
            (&"k".repeat(200), true),
            (&"k".repeat(201), false),
            ("", false),
            (".", false),
            ("..", false),
            ("a b", false),
            ("a\r\nb", false),
            ("키", false),
        ] {
            assert_eq!(PaymentKey::new(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn idempotency_keys_name_one_operation() {
        let order = OrderId::new(&"o".repeat(64)).expect("id");
        let key = confirm_key(&order, u32::MAX);
        assert!(key.len() <= 255, "Stripe takes 255 characters, Toss 300");
        assert_ne!(key, confirm_key(&order, 1));
        assert_ne!(open_key(&order, 1), confirm_key(&order, 1));
        assert_eq!(cancel_key("rf_7"), "cancel:rf_7");
    }
}
