//! Cross-origin answers: any origin may call, without credentials. At `/socket.io/` it is the
//! frontend's origin alone, with credentials, as Socket.IO's own server has it.
//!
//! Every answer carries the two headers below, errors too: without them the frontend sees a network
//! error instead of the status.

use hyper::StatusCode;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, HeaderMap,
    HeaderValue, VARY,
};

use crate::http::Response;

pub(crate) const ANY_ORIGIN: HeaderValue = HeaderValue::from_static("*");
pub(crate) const EXPOSED_HEADERS: HeaderValue = HeaderValue::from_static(
    "Content-Disposition, ETag, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset, Retry-After, \
     Tiketi-Lsn, X-Request-Id",
);
const METHODS: HeaderValue = HeaderValue::from_static("GET,HEAD,PUT,PATCH,POST,DELETE");
const USUAL_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, tiketi-min-lsn");
/// What Chromium honours at most.
const MAX_AGE: HeaderValue = HeaderValue::from_static("7200");

/// The answer to `OPTIONS`: whatever headers the browser asks for are allowed.
pub(crate) fn preflight(request: &HeaderMap) -> Response {
    let headers = request.get(ACCESS_CONTROL_REQUEST_HEADERS).cloned().unwrap_or(USUAL_HEADERS);
    Response::empty(StatusCode::NO_CONTENT)
        .header(ACCESS_CONTROL_ALLOW_METHODS, METHODS)
        .header(ACCESS_CONTROL_ALLOW_HEADERS, headers)
        .header(ACCESS_CONTROL_MAX_AGE, MAX_AGE)
        .header(VARY, HeaderValue::from_static("Access-Control-Request-Headers"))
}

/// Whether a path is that of Socket.IO.
pub(crate) fn is_of_socket_io(path: &str) -> bool {
    path.trim_end_matches('/').eq_ignore_ascii_case("/socket.io")
}

/// An answer that a page of the frontend may read with its credentials.
pub(crate) fn for_frontend(response: Response, frontend_url: &HeaderValue) -> Response {
    response
        .header(ACCESS_CONTROL_ALLOW_ORIGIN, frontend_url.clone())
        .header(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"))
        .header(VARY, HeaderValue::from_static("Origin, Access-Control-Request-Headers"))
}
