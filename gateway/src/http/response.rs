//! Answers: one piece of bytes with its exact length, or one of a body's kept variants.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{Empty, Full};
use hyper::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ALLOW, CACHE_CONTROL,
    CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderName, HeaderValue,
    RETRY_AFTER, VARY,
};
use hyper::{HeaderMap, StatusCode};
use serde::Serialize;
use serde_json::Value;
use tiketi_engine::ids::{Epoch, Lsn};

use crate::compression::{COMPRESSED_BYTES_MIN, CachedBody, Compressor, Encoding};
use crate::cors;
use crate::error::Allowance;
use crate::error::{ApiError, Code};
use crate::fanout::Handshake;
use crate::http::Request;
use crate::security;

/// The content type of nearly every answer.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const TIKETI_LSN: HeaderName = HeaderName::from_static("tiketi-lsn");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RATE_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
/// Headers of an answer, with room for those that [`Response::finish`] adds.
const HEADERS_EXPECTED: usize = 20;

/// A whole answer.
pub(crate) struct Response {
    pub(crate) status: StatusCode,
    headers: HeaderMap,
    payload: Payload,
    handshake: Option<Box<Handshake>>,
    allowance: Option<Allowance>,
    pub(crate) audited: Audited,
}

/// Whether what an administrator asked for is an entry of the audit list, once it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audited {
    /// On routes for administrators.
    ByRoute,
    /// On any.
    Always,
    /// On none.
    Never,
}

enum Payload {
    Once(Bytes),
    /// Compressed in itself.
    Packed(Bytes),
    Kept(Arc<CachedBody>),
}

impl Response {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Response {
            status,
            headers: HeaderMap::with_capacity(HEADERS_EXPECTED),
            payload: Payload::Once(Bytes::new()),
            handshake: None,
            allowance: None,
            audited: Audited::ByRoute,
        }
    }

    /// 200 with `body` as JSON.
    pub(crate) fn ok(body: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, body)
    }

    /// 201 with `body` as JSON.
    pub(crate) fn created(body: &impl Serialize) -> Self {
        Self::json(StatusCode::CREATED, body)
    }

    /// The id of what a request made, as its answer of 201 tells: its own, or that of the one object in
    /// it.
    pub(crate) fn made(&self) -> Option<String> {
        let Payload::Once(body) = &self.payload else { return None };
        let is_created = self.status == StatusCode::CREATED;
        let body: Value = serde_json::from_slice(body).ok().filter(|_| is_created)?;
        let objects = body.as_object()?.values().filter(|value| value.is_object());
        let id = std::iter::once(&body).chain(objects).find_map(|one| one["id"].as_str());
        id.map(str::to_owned)
    }

    /// `body` as JSON.
    pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Self {
        // Most answers fit; larger ones grow a few times.
        let mut bytes = Vec::with_capacity(512);
        match serde_json::to_writer(&mut bytes, body) {
            Ok(()) => Self::bytes(status, JSON, bytes),
            // Only a map with keys that are no strings: a mistake of ours that tests find.
            Err(error) => ApiError::new(Code::Internal).cause(error).into(),
        }
    }

    /// Bytes of any kind.
    pub(crate) fn bytes(
        status: StatusCode,
        content_type: HeaderValue,
        bytes: impl Into<Bytes>,
    ) -> Self {
        let mut response = Self::empty(status);
        response.headers.insert(CONTENT_TYPE, content_type);
        response.payload = Payload::Once(bytes.into());
        response
    }

    /// 200 with what is compressed in itself, such as a picture.
    pub(crate) fn packed(content_type: HeaderValue, bytes: Bytes) -> Self {
        let mut response = Self::bytes(StatusCode::OK, content_type, Bytes::new());
        response.payload = Payload::Packed(bytes);
        response
    }

    /// 200 with a kept JSON body and its `ETag`; 304 for a caller that has it.
    pub(crate) fn kept(body: &Arc<CachedBody>, request: &Request) -> Self {
        let is_known = body.etag().to_str().is_ok_and(|etag| request.has_version(etag));
        let status = if is_known { StatusCode::NOT_MODIFIED } else { StatusCode::OK };
        let mut response = Self::empty(status);
        response.headers.insert(ETAG, body.etag().clone());
        if !is_known {
            response.headers.insert(CONTENT_TYPE, JSON);
            response.payload = Payload::Kept(Arc::clone(body));
        }
        response
    }

    /// 200 with a file to be saved under `name`, of plain ASCII without quotes.
    pub(crate) fn download(
        content_type: HeaderValue,
        name: &str,
        bytes: impl Into<Bytes>,
    ) -> Result<Self, ApiError> {
        let disposition = HeaderValue::from_str(&format!("attachment; filename=\"{name}\""))
            .map_err(|error| ApiError::new(Code::Internal).cause(error))?;
        let response = Self::bytes(StatusCode::OK, content_type, bytes);
        Ok(response.header(CONTENT_DISPOSITION, disposition))
    }

    /// An administrator did this by the rights of one where `is_admins_act`, on a route that is
    /// everybody's.
    #[must_use]
    pub(crate) fn by_an_administrator(mut self, is_admins_act: bool) -> Self {
        if is_admins_act {
            self.audited = Audited::Always;
        }
        self
    }

    /// Nothing was changed.
    #[must_use]
    pub(crate) fn of_a_dry_run(mut self) -> Self {
        self.audited = Audited::Never;
        self
    }

    /// The connection becomes a socket once this answer is sent.
    pub(crate) fn switching(answer: &hyper::Response<Empty<Bytes>>, handshake: Handshake) -> Self {
        let mut response = Self::empty(answer.status());
        response.headers.extend(answer.headers().clone());
        response.handshake = Some(Box::new(handshake));
        response
    }

    /// What the connection becomes, where it does.
    pub(crate) fn take_handshake(&mut self) -> Option<Box<Handshake>> {
        self.handshake.take()
    }

    /// Adds `Tiketi-Lsn`: the position a later read can ask for.
    #[must_use]
    pub(crate) fn at(mut self, epoch: Epoch, lsn: Lsn) -> Self {
        // Two numbers of up to twenty digits and a hyphen.
        let mut text = [0_u8; 41];
        let mut rest = &mut text[..];
        let written = match write!(rest, "{epoch}-{lsn}") {
            Ok(()) => 41 - rest.len(),
            Err(_) => 0,
        };
        if let Ok(value) = HeaderValue::from_bytes(&text[..written]) {
            self.headers.insert(TIKETI_LSN, value);
        }
        self
    }

    /// Adds what is left of the caller's quota, unless a tighter one is there already.
    #[must_use]
    pub(crate) fn with_allowance(mut self, allowance: Option<Allowance>) -> Self {
        let both = self.allowance.into_iter().chain(allowance);
        self.allowance = both.min_by_key(|allowance| allowance.remaining);
        self
    }

    /// Adds a header.
    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The answer as it is sent: encoded as the caller prefers, with the headers of every answer.
    pub(crate) async fn finish(
        self,
        preferred: Encoding,
        compressor: &Compressor,
        is_behind_tls: bool,
    ) -> hyper::Response<Full<Bytes>> {
        let Response { status, mut headers, payload, allowance, handshake: _, audited: _ } = self;
        if let Some(Allowance { limit, remaining, reset_s }) = allowance {
            headers.insert(RATE_LIMIT, HeaderValue::from(limit));
            headers.insert(RATE_REMAINING, HeaderValue::from(remaining));
            headers.insert(RATE_RESET, HeaderValue::from(reset_s));
        }
        let compressible = match &payload {
            Payload::Once(bytes) => bytes.len(),
            Payload::Packed(_) => 0,
            Payload::Kept(body) => body.len(),
        };
        let is_large =
            compressible >= COMPRESSED_BYTES_MIN && !headers.contains_key(CONTENT_ENCODING);
        let preferred = if is_large { preferred } else { Encoding::Identity };
        if is_large {
            headers.insert(VARY, HeaderValue::from_static("Accept-Encoding"));
        }
        let (encoding, bytes) = match payload {
            Payload::Packed(bytes) => (Encoding::Identity, bytes),
            Payload::Once(bytes) if preferred == Encoding::Identity => (preferred, bytes),
            Payload::Once(bytes) => compressor.encode(preferred, bytes).await,
            Payload::Kept(body) => compressor.variant(preferred, body).await,
        };
        if let Some(name) = encoding.header() {
            headers.insert(CONTENT_ENCODING, name);
        }
        if !headers.contains_key(CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, NO_STORE);
        }
        headers.entry(ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(cors::ANY_ORIGIN);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, cors::EXPOSED_HEADERS);
        security::protect(&mut headers, is_behind_tls);
        let mut response = hyper::Response::new(Full::new(bytes));
        *response.status_mut() = status;
        *response.headers_mut() = headers;
        response
    }
}

impl From<ApiError> for Response {
    fn from(error: ApiError) -> Self {
        let mut response = Self::bytes(error.status(), JSON, error.body());
        if let Some(seconds) = error.retry_after_s() {
            response.headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(methods) = error.allowed_methods().and_then(|text| text.parse().ok()) {
            response.headers.insert(ALLOW, methods);
        }
        response.with_allowance(error.allowance())
    }
}
