//! Headers that keep browsers from making more of an answer than it is.

use hyper::HeaderMap;
use hyper::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// Providers of payments look at whose page loads their scripts; of its address they see no more.
const ORIGIN_ALONE: HeaderValue = HeaderValue::from_static("strict-origin-when-cross-origin");
/// Pages of other origins show our pictures and read our answers.
const ANYBODY: HeaderValue = HeaderValue::from_static("cross-origin");
const OURSELVES: HeaderValue = HeaderValue::from_static("same-origin");
const NO_FRAMES: HeaderValue = HeaderValue::from_static("DENY");
/// For a page that says nothing else.
const NOTHING: HeaderValue =
    HeaderValue::from_static("default-src 'none'; base-uri 'none'; frame-ancestors 'none'");
const A_YEAR_OF_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// Adds them. Values are static: nothing is allocated.
pub(crate) fn protect(headers: &mut HeaderMap, is_behind_tls: bool) {
    headers.insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    if headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html")) {
        headers.insert(REFERRER_POLICY, ORIGIN_ALONE);
        headers.insert(RESOURCE_POLICY, OURSELVES);
        headers.insert(X_FRAME_OPTIONS, NO_FRAMES);
        headers.entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
    } else {
        headers.insert(REFERRER_POLICY, NO_REFERRER);
        headers.insert(RESOURCE_POLICY, ANYBODY);
    }
    if is_behind_tls {
        headers.insert(STRICT_TRANSPORT_SECURITY, A_YEAR_OF_TLS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_held_tighter_than_data() {
        let protected = |kind: &'static str, is_behind_tls| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            protect(&mut headers, is_behind_tls);
            headers
        };
        let data = protected("application/json; charset=utf-8", false);
        assert_eq!((&data[X_CONTENT_TYPE_OPTIONS], &data[RESOURCE_POLICY]), (&NOSNIFF, &ANYBODY));
        assert!(
            !data.contains_key(X_FRAME_OPTIONS) && !data.contains_key(STRICT_TRANSPORT_SECURITY)
        );
        let page = protected("text/html; charset=utf-8", true);
        assert_eq!(
            (&page[X_FRAME_OPTIONS], &page[CONTENT_SECURITY_POLICY]),
            (&NO_FRAMES, &NOTHING)
        );
        assert_eq!((&page[RESOURCE_POLICY], &page[REFERRER_POLICY]), (&OURSELVES, &ORIGIN_ALONE));
        assert_eq!(page[STRICT_TRANSPORT_SECURITY], A_YEAR_OF_TLS);
    }
}
