//! The signature of Stripe's webhooks: HMAC-SHA256 over the time and the raw body.

use aws_lc_rs::hmac;
use tiketi_engine::ids::UnixMillis;

use crate::config::Secret;
use crate::payments::hint::BadHint;

/// How far a message's time may be from ours, either way.
const TOLERANCE_S: u64 = 300;
/// More parts than any header of Stripe's has; the rest is not looked at.
const PARTS_MAX: usize = 32;

/// Checks a `Stripe-Signature` header: `t=…,v1=…[,v1=…]`; other schemes are skipped.
///
/// # Errors
/// Unsigned: no header, no time or no `v1`; forged: none of the `secrets` made any of them; stale:
/// signed, but more than five minutes from `now`.
pub(super) fn verify(
    header: Option<&str>,
    body: &[u8],
    secrets: &[Secret],
    now: UnixMillis,
) -> Result<(), BadHint> {
    let parts = || header.unwrap_or_default().split(',').take(PARTS_MAX).filter_map(part);
    let (_, time) = parts().find(|&(name, _)| name == "t").ok_or(BadHint::Unsigned)?;
    let time_s: u64 = time.parse().map_err(|_| BadHint::Unsigned)?;
    let mut tags = parts().filter(|&(name, _)| name == "v1").map(|(_, tag)| tag).peekable();
    tags.peek().ok_or(BadHint::Unsigned)?;
    // What was signed has the time as it was written.
    let signed = [time.as_bytes(), b".", body].concat();
    let is_ours = |tag: &str| {
        let tag = unhex(tag).unwrap_or_default();
        secrets.iter().any(|secret| {
            let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
            hmac::verify(&key, &signed, &tag).is_ok()
        })
    };
    if !tags.any(is_ours) {
        return Err(BadHint::Forged);
    }
    match (now.0 / 1000).abs_diff(time_s) <= TOLERANCE_S {
        true => Ok(()),
        false => Err(BadHint::Stale),
    }
}

fn part(part: &str) -> Option<(&str, &str)> {
    part.trim().split_once('=')
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    let pair = |pair: &[u8]| match pair {
        &[high, low] => Some(digit(high)? << 4 | digit(low)?),
        _ => None,
    };
    text.as_bytes().chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use BadHint::{Forged, Stale, Unsigned};

    const BODY: &[u8] = br#"{"id":"evt_1","object":"event"}"#;
    const TAG: &str = "0c8670ed117751cc551a20e35839447075c42800ea3cf3e8a2fbda99cd1e6edd";
    const SIGNED_S: u64 = 1_700_000_000;

    fn check(header: &str, body: &[u8], secrets: &[&str], now_s: u64) -> Result<(), BadHint> {
        let secrets: Vec<_> = secrets.iter().map(|&secret| Secret::new(secret)).collect();
        verify(Some(header), body, &secrets, UnixMillis(now_s * 1000))
    }

    #[test]
    fn the_vector_holds_for_five_minutes_either_way() {
        let header = format!("t={SIGNED_S},v1={TAG}");
        for (now_s, expected) in [
            (SIGNED_S, Ok(())),
            (SIGNED_S + 300, Ok(())),
            (SIGNED_S + 301, Err(Stale)),
            (SIGNED_S - 300, Ok(())),
            (SIGNED_S - 301, Err(Stale)),
        ] {
            assert_eq!(check(&header, BODY, &["whsec_test_secret"], now_s), expected, "{now_s}");
        }
    }

    #[test]
    fn any_tag_under_any_secret_will_do_and_nothing_else() {
        let ours = ["whsec_test_secret"];
        let zero = "0".repeat(64);
        for (header, secrets, expected) in [
            (format!("t={SIGNED_S},v1={zero},v1={TAG}"), &ours[..], Ok(())),
            (format!("t={SIGNED_S},v0={zero},v1={TAG},v2=x"), &ours, Ok(())),
            (format!("v1={TAG}, t={SIGNED_S}"), &ours, Ok(())),
            (format!("t={SIGNED_S},v1={}", TAG.to_uppercase()), &ours, Ok(())),
            (format!("t={SIGNED_S},v1={TAG}"), &["whsec_new", ours[0]], Ok(())),
            (format!("t={SIGNED_S},v1={TAG}"), &["whsec_other"], Err(Forged)),
            (format!("t={SIGNED_S},v1={TAG}"), &[], Err(Forged)),
            (format!("t={},v1={TAG}", SIGNED_S + 1), &ours, Err(Forged)),
            (format!("t=0{SIGNED_S},v1={TAG}"), &ours, Err(Forged)),
            (format!("t={SIGNED_S},v1={}", &TAG[..62]), &ours, Err(Forged)),
            (format!("t={SIGNED_S},v1={}x", &TAG[..63]), &ours, Err(Forged)),
            (format!("t={SIGNED_S},v1={}", &TAG[..63]), &ours, Err(Forged)),
            (format!("t={SIGNED_S},v1="), &ours, Err(Forged)),
            (format!("t={SIGNED_S},v0={TAG}"), &ours, Err(Unsigned)),
            (format!("v1={TAG}"), &ours, Err(Unsigned)),
            (format!("t=-1,v1={TAG}"), &ours, Err(Unsigned)),
            (String::new(), &ours, Err(Unsigned)),
        ] {
            assert_eq!(check(&header, BODY, secrets, SIGNED_S), expected, "{header}");
        }
        let header = format!("t={SIGNED_S},v1={TAG}");
        assert_eq!(check(&header, b"{}", &ours, SIGNED_S), Err(Forged));
        assert_eq!(verify(None, BODY, &[], UnixMillis(0)), Err(Unsigned));
    }
}
