//! A webhook, once read: what may have changed.

use thiserror::Error;

use crate::config::Secret;
use crate::payments::ids::{OrderId, PaymentKey};

/// Longer names of a message are taken by their hash.
const MESSAGE_CHARS_MAX: usize = 128;

/// What a webhook says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Hint {
    /// The provider's name for the message, the same each time it is delivered.
    pub(crate) message: String,
    /// `None` where it is about nothing of ours: it is acknowledged and forgotten.
    pub(crate) subject: Option<Subject>,
}

/// The payment that a webhook is about; at least one name is there.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) order_id: Option<OrderId>,
    pub(crate) payment_key: Option<PaymentKey>,
    /// What an unsigned message carries, to be [`proven`](Subject::proves) with the stored one.
    pub(crate) secret: Option<Secret>,
}

/// Why a message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum BadHint {
    #[error("no webhook of this provider")]
    NotUnderstood,
    #[error("not signed")]
    Unsigned,
    #[error("signed with none of our secrets")]
    Forged,
    #[error("signed too long ago, or in the future")]
    Stale,
}

impl Subject {
    /// Whether the message carries what was stored with the payment. Takes the same time however
    /// much of it is right.
    pub(crate) fn proves(&self, stored: &Secret) -> bool {
        self.secret.as_ref().is_some_and(|secret| {
            let (ours, theirs) = (stored.expose().as_bytes(), secret.expose().as_bytes());
            aws_lc_rs::constant_time::verify_slices_are_equal(ours, theirs).is_ok()
        })
    }
}

/// The name to know a message by: the one it came with, or else what is in it.
pub(crate) fn message_name(given: Option<&str>, body: &[u8]) -> String {
    match given {
        Some(name) if (1..=MESSAGE_CHARS_MAX).contains(&name.len()) => name.to_owned(),
        _ => blake3::hash(body).to_hex().to_string(),
    }
}
