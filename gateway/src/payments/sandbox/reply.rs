//! Requests and answers inside the sandbox.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{
    ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue,
    LOCATION,
};
use hyper::{HeaderMap, Method, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::errors::{Language, TossError};
use super::wire::ErrorBody;

/// No script, no network: pages are text and one style.
const PAGE_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'");

/// A request, read.
pub(super) struct Request {
    pub(super) method: Method,
    /// Below the base path, without a slash in front.
    pub(super) path: String,
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Request {
    /// The parts of the path.
    pub(super) fn segments(&self) -> Vec<&str> {
        self.path.split('/').collect()
    }

    /// A header as text; one that is no text counts as none.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn language(&self) -> Language {
        match self.header(ACCEPT_LANGUAGE.as_str()) {
            Some(value) if value.trim_start().starts_with("en") => Language::English,
            _ => Language::Korean,
        }
    }

    /// The body as a JSON object of this shape.
    pub(super) fn json<T: DeserializeOwned>(&self) -> Option<T> {
        // Otherwise serde would also take the fields from a list.
        let is_object = self.body.trim_ascii_start().first() == Some(&b'{');
        serde_json::from_slice(&self.body).ok().filter(|_| is_object)
    }
}

/// A whole answer.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    headers: HeaderMap,
}

impl Reply {
    fn of(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        Reply { status, body: body.into(), headers }
    }

    pub(super) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(bytes) => Reply::json_bytes(status, bytes),
            // Only a map with keys that are no strings, of which there is none.
            Err(error) => {
                Reply::of(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", error.to_string())
            }
        }
    }

    pub(super) fn json_bytes(status: StatusCode, bytes: impl Into<Bytes>) -> Self {
        Reply::of(status, "application/json;charset=UTF-8", bytes)
    }

    /// A refusal as Toss words it.
    pub(super) fn refusal(error: TossError, language: Language) -> Self {
        Reply::failure(error.status(), error.code(), error.message(language))
    }

    /// A refusal in other words.
    pub(super) fn failure(status: StatusCode, code: &str, message: &str) -> Self {
        Reply::json(status, &ErrorBody { code, message })
    }

    /// A control call that makes no sense.
    pub(super) fn bad_control(what: &str) -> Self {
        Reply::json(StatusCode::BAD_REQUEST, &json!({"code": "BAD_CONTROL", "message": what}))
    }

    pub(super) fn page(status: StatusCode, html: String) -> Self {
        let mut reply = Reply::of(status, "text/html; charset=utf-8", html);
        reply.headers.insert(CONTENT_SECURITY_POLICY, PAGE_POLICY);
        reply
    }

    /// What a proxy says in place of a server that it cannot reach.
    pub(super) fn bad_gateway() -> Self {
        const HTML: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n\
            <center><h1>502 Bad Gateway</h1></center>\r\n</body>\r\n</html>\r\n";
        Reply::of(StatusCode::BAD_GATEWAY, "text/html", HTML)
    }

    /// Sends the browser on.
    pub(super) fn see_other(location: &str) -> Self {
        let mut reply = Reply::of(StatusCode::SEE_OTHER, "text/plain", "");
        if let Ok(location) = HeaderValue::from_str(location) {
            reply.headers.insert(LOCATION, location);
        }
        reply
    }

    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(HeaderName::from_static(name), value);
        }
        self
    }

    pub(super) fn finish(self) -> hyper::Response<Full<Bytes>> {
        let mut response = hyper::Response::new(Full::new(self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}
