//! Names for requests: each answer says its request's, and so do the lines of the logs about it.

use std::sync::atomic::{AtomicU64, Ordering};

use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};
use rand::Rng;

/// Where a caller may say a name of its own, and where the answer says it.
pub(crate) const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Of a caller's own name: a UUID and more, and no token.
const CHARS_MAX: usize = 64;

/// Names requests: unlikely to repeat over restarts, cheap to make.
pub(crate) struct RequestIds {
    salt: u32,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new() -> Self {
        RequestIds { salt: rand::rng().next_u32(), next: AtomicU64::new(1) }
    }

    /// What the caller calls the request, where that can stand in a log: up to 64 letters, digits,
    /// dots, hyphens and underscores. Else a name of ours.
    pub(crate) fn of(&self, headers: &HeaderMap) -> HeaderValue {
        match headers.get(X_REQUEST_ID) {
            Some(id) if is_well_formed(id.as_bytes()) => id.clone(),
            _ => self.next(),
        }
    }

    /// A name of ours.
    pub(crate) fn next(&self) -> HeaderValue {
        // ORDERING: Relaxed; only uniqueness counts.
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let text = format!("{:08x}-{number:x}", self.salt);
        // Digits and a hyphen always are a header's value.
        HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("-"))
    }
}

fn is_well_formed(id: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    (1..=CHARS_MAX).contains(&id.len()) && id.iter().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_callers_name_is_kept_where_it_can_stand_in_a_log() {
        let ids = RequestIds::new();
        let of = |value: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(X_REQUEST_ID, HeaderValue::from_bytes(value).expect("value"));
            ids.of(&headers)
        };
        for kept in
            [&b"a"[..], b"7e4f0a9c-8b1d-4f63-9a57-0d2f6f1c3b21", b"trace_1.2-3", &[b'x'; 64]]
        {
            assert_eq!(of(kept), kept);
        }
        for replaced in [&b""[..], b"a b", b"a@b.kr", b"a\"b", b"\xed\x82\xa4", b"a=b", &[b'x'; 65]]
        {
            let id = of(replaced);
            assert_ne!(id, replaced);
            assert!(is_well_formed(id.as_bytes()));
        }
        assert_ne!(ids.of(&HeaderMap::new()), ids.next());
    }
}
