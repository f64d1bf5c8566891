//! Query parameters. Of a repeated parameter the first one counts.

use std::borrow::Cow;

use crate::error::{ApiError, Code};

/// The value of `name`, decoded; `None` where it is absent.
///
/// # Errors
/// 400 where the value is not percent-encoded UTF-8.
pub(crate) fn parameter<'q>(query: &'q str, name: &str) -> Result<Option<Cow<'q, str>>, ApiError> {
    for pair in query.split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        // Names of ours are plain ASCII, so one that needs decoding is none of ours.
        if key == name {
            let wrong = || ApiError::new(Code::Validation).cause(format!("query parameter {name}"));
            return decode(value).map(Some).ok_or_else(wrong);
        }
    }
    Ok(None)
}

/// The names of all parameters, as they came.
pub(crate) fn names(query: &str) -> impl Iterator<Item = &str> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').map_or(pair, |(name, _)| name))
}

/// Text of a query, decoded: `+` is a blank.
pub(crate) fn decode(text: &str) -> Option<Cow<'_, str>> {
    if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(Cow::Borrowed(text));
    }
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            b'+' => b' ',
            plain => plain,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).map(|value| value as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        for (query, expected) in [
            ("", Some(None)),
            ("q", Some(Some(""))),
            ("q=", Some(Some(""))),
            ("a=1&q=2&q=3", Some(Some("2"))),
            ("q=%EC%8B%B8%EC%9D%B4+PSY", Some(Some("싸이 PSY"))),
            ("q=a%3Db", Some(Some("a=b"))),
            ("q=a=b", Some(Some("a=b"))),
            ("Q=1", Some(None)),
            ("q=%", None),
            ("q=%zz", None),
            ("q=%+1", None),
            ("q=%FF", None),
        ] {
            let found = parameter(query, "q").ok();
            assert_eq!(found.as_ref().map(|value| value.as_deref()), expected, "{query}");
        }
    }
}
