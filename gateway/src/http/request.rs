//! The request as a handler gets it: matched, authenticated, its body read.

use std::ops::Range;

use bytes::Bytes;
use fastwebsockets::upgrade::{UpgradeFut, is_upgrade_request, upgrade};
use http_body_util::Empty;
use hyper::Method;
use hyper::header::{HeaderName, IF_NONE_MATCH, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL};
use hyper::http::request::Parts;
use serde::de::DeserializeOwned;
use tiketi_engine::ids::{
    EventIndex, ExternalId, Lsn, NewsIndex, ReservationId, TicketTypeIndex, UnixMillis, UserId,
};

use crate::api::amount::NOT_AN_AMOUNT;
use crate::api::strict::{Strict, Unmeant, Watch};
use crate::api::{Id, NOT_A_UUID};
use crate::auth::Caller;
use crate::error::{ApiError, Code};
use crate::http::query;
use crate::instants;
use crate::routes::Route;

/// Rows of one page, whatever the caller asks for.
const PAGE_ROWS_MAX: u64 = 1_000;
const NO_FIELDS: &str = "이 요청에는 보낼 항목이 없어요. 본문을 비우거나 {}로 보내 주세요.";
const NO_JSON: &str = "보낸 내용이 올바른 JSON이 아니에요.";
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const IDEMPOTENCY_KEY_BYTES_MAX: usize = 255;
const PASS: HeaderName = HeaderName::from_static("tiketi-pass");
const MIN_LSN: HeaderName = HeaderName::from_static("tiketi-min-lsn");

/// A request on its way to its handler.
pub(crate) struct Request {
    /// The route it matched.
    pub(crate) route: &'static Route,
    /// Who asks; `Some` on every route for users or administrators.
    pub(crate) caller: Option<Caller>,
    /// The instant it is judged by.
    pub(crate) now: UnixMillis,
    pub(super) params: Params,
    pub(super) parts: Parts,
    pub(super) body: Bytes,
}

/// Where the path parameters are in the path.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Params {
    spans: [(u16, u16); 2],
    len: u8,
}

impl Params {
    pub(crate) fn push(&mut self, start: usize, end: usize) {
        // Paths are shorter than hyper's read buffer of 16 KiB; the route table has at most two.
        if let Some(span) = self.spans.get_mut(usize::from(self.len)) {
            *span = (start as u16, end as u16);
            self.len += 1;
        }
    }

    fn get<'p>(&self, path: &'p str, position: usize) -> Option<&'p str> {
        let &(start, end) = self.spans[..usize::from(self.len)].get(position)?;
        path.get(usize::from(start)..usize::from(end))
    }
}

/// Which rows of a list are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Page {
    /// From 1.
    pub(crate) page: u64,
    /// Rows of a page, 1 to 1000.
    pub(crate) limit: u64,
}

impl Page {
    /// How many rows come before this page.
    pub(crate) fn skip(self) -> usize {
        usize::try_from((self.page - 1).saturating_mul(self.limit)).unwrap_or(usize::MAX)
    }
}

impl Request {
    pub(crate) fn new(
        route: &'static Route,
        params: Params,
        parts: Parts,
        now: UnixMillis,
    ) -> Self {
        Request { route, caller: None, now, params, parts, body: Bytes::new() }
    }

    /// Adds the body, once it is read.
    pub(crate) fn with_body(mut self, body: Bytes) -> Self {
        self.body = body;
        self
    }

    // === who ===

    /// Who asks.
    ///
    /// # Errors
    /// 401 without a token: never on a route for users, as those do not get this far.
    pub(crate) fn user(&self) -> Result<Caller, ApiError> {
        self.caller.ok_or_else(|| ApiError::new(Code::AuthRequired))
    }

    // === path ===

    /// The path as it came.
    pub(crate) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// The id at a position of the path, from 0.
    ///
    /// # Errors
    /// 400 where it is no UUID, 404 where this engine never gave it out.
    pub(crate) fn id(&self, position: usize) -> Result<ExternalId, ApiError> {
        let id = Id::parse(self.path_part(position)).ok_or_else(|| ApiError::new(Code::BadId))?;
        ExternalId::decode(id.0).ok_or_else(|| ApiError::new(Code::NotFound))
    }

    /// What stands at a position of the path, as it was sent.
    pub(crate) fn path_part(&self, position: usize) -> &str {
        self.params.get(self.parts.uri.path(), position).unwrap_or_default()
    }

    /// What stands at a position of the path, decoded.
    ///
    /// # Errors
    /// 400 where it is not percent-encoded UTF-8.
    pub(crate) fn path_text(&self, position: usize) -> Result<String, ApiError> {
        // A plus is itself in a path.
        let text = self.path_part(position).replace('+', "%2B");
        let decoded = query::decode(&text).map(std::borrow::Cow::into_owned);
        decoded.ok_or_else(|| ApiError::new(Code::BadId))
    }

    /// An event's id in the path. Errors as [`Request::id`], or 404 for an id of another kind.
    pub(crate) fn event_id(&self, position: usize) -> Result<EventIndex, ApiError> {
        match self.id(position)? {
            ExternalId::Event(event) => Ok(event),
            _ => Err(ApiError::new(Code::NotFound)),
        }
    }

    /// A reservation's id in the path. Errors as [`Request::event_id`].
    pub(crate) fn reservation_id(&self, position: usize) -> Result<ReservationId, ApiError> {
        match self.id(position)? {
            ExternalId::Reservation(reservation) => Ok(reservation),
            _ => Err(ApiError::new(Code::NotFound)),
        }
    }

    /// A ticket type's id in the path. Errors as [`Request::event_id`].
    pub(crate) fn ticket_type_id(
        &self,
        position: usize,
    ) -> Result<(EventIndex, TicketTypeIndex), ApiError> {
        match self.id(position)? {
            ExternalId::TicketType(event, ticket_type) => Ok((event, ticket_type)),
            _ => Err(ApiError::new(Code::NotFound)),
        }
    }

    /// A news post's id in the path. Errors as [`Request::event_id`].
    pub(crate) fn news_id(&self, position: usize) -> Result<NewsIndex, ApiError> {
        match self.id(position)? {
            ExternalId::News(news) => Ok(news),
            _ => Err(ApiError::new(Code::NotFound)),
        }
    }

    /// A user's id in the path. Errors as [`Request::event_id`].
    pub(crate) fn user_id(&self, position: usize) -> Result<UserId, ApiError> {
        match self.id(position)? {
            ExternalId::User(user) => Ok(user),
            _ => Err(ApiError::new(Code::NotFound)),
        }
    }

    // === query ===

    /// The names of all query parameters, as they came.
    pub(crate) fn parameter_names(&self) -> impl Iterator<Item = &str> {
        query::names(self.parts.uri.query().unwrap_or_default())
    }

    /// A query parameter, decoded, of a repeated one the first.
    ///
    /// # Errors
    /// 400 where it is not percent-encoded UTF-8.
    pub(crate) fn parameter(
        &self,
        name: &str,
    ) -> Result<Option<std::borrow::Cow<'_, str>>, ApiError> {
        query::parameter(self.parts.uri.query().unwrap_or_default(), name)
    }

    /// `page` and `limit`; absent or empty ones are the defaults, a limit over 1000 is 1000.
    ///
    /// # Errors
    /// 400 where one is not a whole number from 1.
    pub(crate) fn page(&self, default_limit: u64) -> Result<Page, ApiError> {
        let number = |name, default| match self.parameter(name)?.as_deref() {
            None | Some("") => Ok(default),
            Some(text) => match text.parse() {
                Ok(number) if number >= 1 => Ok(number),
                _ => Err(ApiError::new(Code::Validation)
                    .message("1 이상의 정수를 적어 주세요.")
                    .with("field", name)),
            },
        };
        let limit = number("limit", default_limit)?.min(PAGE_ROWS_MAX);
        Ok(Page { page: number("page", 1)?, limit })
    }

    /// `from` and `to`, each absent for an open end: instants, or Seoul days, the last of which is
    /// inside.
    ///
    /// # Errors
    /// 400 where one is neither, or the end is before the beginning.
    pub(crate) fn span(&self) -> Result<Range<UnixMillis>, ApiError> {
        let end = |name, parse: fn(&str) -> Option<UnixMillis>, open| match self
            .parameter(name)?
            .as_deref()
        {
            None | Some("") => Ok(open),
            Some(text) => parse(text).ok_or_else(|| {
                ApiError::new(Code::Validation)
                    .message("날짜나 시각을 적어 주세요. 예: 2026-12-01")
                    .with("field", name)
            }),
        };
        let from = end("from", instants::parse, UnixMillis(0))?;
        let to = end("to", instants::parse_end, UnixMillis(u64::MAX))?;
        if from >= to {
            return Err(ApiError::new(Code::Validation)
                .message("기간의 끝이 시작보다 빨라요.")
                .with("field", "to"));
        }
        Ok(from..to)
    }

    /// An event's id in the query; `None` where it is absent or empty.
    ///
    /// # Errors
    /// 400 where it is no UUID, 404 where it is no event's.
    pub(crate) fn event_parameter(&self) -> Result<Option<EventIndex>, ApiError> {
        match self.parameter("event")?.as_deref() {
            None | Some("") => Ok(None),
            Some(text) => {
                let id = Id::parse(text).ok_or_else(|| ApiError::new(Code::BadId))?;
                match ExternalId::decode(id.0) {
                    Some(ExternalId::Event(index)) => Ok(Some(index)),
                    _ => Err(ApiError::new(Code::NotFound)),
                }
            }
        }
    }

    // === headers and body ===

    /// Path and query as they came.
    pub(crate) fn target(&self) -> &str {
        self.parts.uri.path_and_query().map_or("", |target| target.as_str())
    }

    /// All headers.
    pub(crate) fn headers(&self) -> &hyper::HeaderMap {
        &self.parts.headers
    }

    /// The body as it came.
    pub(crate) fn body(&self) -> &Bytes {
        &self.body
    }

    /// The body as a JSON object; an absent one reads as `{}`, whatever content type it says.
    ///
    /// # Errors
    /// 400 where it is no JSON of this shape: also a key that is no field's, a key twice, and a
    /// `null` where none means anything.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        self.read(true)
    }

    /// The same where keys beside the fields mean nothing: for the one route of which the contract
    /// says so (contract/http.md 2.1, register: "Extra keys ignored").
    ///
    /// # Errors
    /// As [`Request::json`], but for those keys.
    pub(crate) fn json_and_more<T: DeserializeOwned>(&self) -> Result<T, ApiError> {
        self.read(false)
    }

    fn read<T: DeserializeOwned>(&self, refuses_unknown: bool) -> Result<T, ApiError> {
        let bytes: &[u8] = if self.body.is_empty() { b"{}" } else { &self.body };
        // Otherwise serde would also take the fields of a struct from a list, in their order.
        if bytes.trim_ascii_start().first() != Some(&b'{') {
            return Err(ApiError::new(Code::Validation).cause("the body is no JSON object"));
        }
        let parse = || -> Result<T, serde_json::Error> {
            let watch = Watch::new(refuses_unknown);
            let mut json = serde_json::Deserializer::from_slice(bytes);
            let body = T::deserialize(Strict::new(&mut json, &watch))?;
            json.end()?;
            Ok(body)
        };
        parse().map_err(|error| misread(&error, misfit::<T>(bytes, Watch::new(refuses_unknown))))
    }

    // === what else came ===

    /// For a route whose body has no fields: it is empty, or an object without keys.
    ///
    /// # Errors
    /// 400 for any other, with the first key of an object.
    pub(crate) fn no_fields(&self) -> Result<(), ApiError> {
        if self.body.is_empty() {
            return Ok(());
        }
        self.json::<Nothing>().map(|Nothing {}| ()).map_err(|error| error.message(NO_FIELDS))
    }

    /// The `Idempotency-Key`, 1 to 255 visible ASCII characters.
    ///
    /// # Errors
    /// 400 for any other.
    pub(crate) fn idempotency_key(&self) -> Result<Option<&str>, ApiError> {
        let Some(value) = self.parts.headers.get(IDEMPOTENCY_KEY) else {
            return Ok(None);
        };
        match value.to_str() {
            Ok(key) if (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&key.len()) => Ok(Some(key)),
            _ => Err(ApiError::new(Code::Validation).cause("idempotency key")),
        }
    }

    /// The admission pass, where one was sent; text that is no ASCII is a forged one.
    pub(crate) fn pass(&self) -> Option<&str> {
        self.parts.headers.get(PASS).map(|value| value.to_str().unwrap_or_default())
    }

    /// Whether the caller has the version that `etag` (`W/"…"`) names.
    pub(crate) fn has_version(&self, etag: &str) -> bool {
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        self.parts.headers.get_all(IF_NONE_MATCH).iter().any(|value| {
            let Ok(value) = value.to_str() else {
                return false;
            };
            value.split(',').any(|tag| tag.trim() == "*" || opaque(tag) == opaque(etag))
        })
    }

    /// The answer to a WebSocket handshake, and the connection to be; `None` where this is none as
    /// RFC 6455 has it.
    pub(crate) fn upgrade(&self) -> Option<(hyper::Response<Empty<Bytes>>, UpgradeFut)> {
        /// Sixteen bytes in base64.
        const KEY_CHARS: usize = 24;
        let key = self.parts.headers.get(SEC_WEBSOCKET_KEY)?;
        if self.parts.method != Method::GET || key.len() != KEY_CHARS {
            return None;
        }
        let mut request = hyper::Request::from_parts(self.parts.clone(), ());
        if !is_upgrade_request(&request) {
            return None;
        }
        upgrade(&mut request).ok()
    }

    /// The sub-protocols that a WebSocket handshake asks for.
    pub(crate) fn protocols(&self) -> impl Iterator<Item = &str> {
        let values = self.parts.headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter();
        values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .map(str::trim)
    }

    /// The position of `Tiketi-Min-Lsn: <epoch>-<lsn>`. Positions are dense over all epochs, so the
    /// epoch has to be a number and says no more.
    ///
    /// # Errors
    /// 400 where it is malformed.
    pub(crate) fn min_lsn(&self) -> Result<Option<Lsn>, ApiError> {
        let Some(value) = self.parts.headers.get(MIN_LSN) else {
            return Ok(None);
        };
        let parse = |text: &str| {
            let (epoch, lsn) = text.split_once('-')?;
            epoch.parse::<u64>().ok()?;
            lsn.parse().ok().map(Lsn)
        };
        match value.to_str().ok().and_then(parse) {
            Some(lsn) => Ok(Some(lsn)),
            None => Err(ApiError::new(Code::Validation).cause("Tiketi-Min-Lsn")),
        }
    }
}

/// A body without fields.
#[derive(serde::Deserialize)]
struct Nothing {}

/// The first thing of a body that is not as it has to be.
struct Misfit {
    /// Where, such as `items[0].quantity`.
    field: Option<String>,
    problem: Problem,
}

enum Problem {
    /// A key that is no field's; these are.
    Unknown(&'static [&'static str]),
    Null,
    Twice,
    /// An amount that is none.
    Amount,
    /// Missing, of another type, or not one of the values.
    Wrong,
}

impl Problem {
    fn message(&self, field: &str) -> Option<String> {
        match self {
            Problem::Unknown(fields) => {
                let known = fields.join(", ");
                Some(format!("{field}라는 항목은 없어요. 쓸 수 있는 항목: {known}"))
            }
            Problem::Null => Some(format!(
                "{field}에 null을 보낼 수 없어요. 값을 적거나 항목을 빼고 보내 주세요."
            )),
            Problem::Twice => Some(format!("{field} 항목이 두 번 왔어요. 한 번만 적어 주세요.")),
            Problem::Amount => Some(format!("{field}에는 금액을 150000처럼 숫자로만 적어 주세요.")),
            Problem::Wrong => None,
        }
    }
}

/// The refusal of a body.
fn misread(error: &serde_json::Error, misfit: Option<Misfit>) -> ApiError {
    let is_id = error.to_string().starts_with(NOT_A_UUID);
    let mut refused = ApiError::new(if is_id { Code::BadId } else { Code::Validation })
        // The place only: serde's full text quotes what was sent, which may be a password.
        .cause(format!("body, line {} column {}", error.line(), error.column()));
    if !error.is_data() {
        refused = refused.message(NO_JSON);
    }
    let Some(Misfit { field: Some(field), problem }) = misfit else {
        return refused;
    };
    if let Some(message) = problem.message(&field) {
        refused = refused.message(message);
    }
    refused.with("field", field)
}

/// What is wrong with a body that was not taken; `None` where it is no JSON. Of what was sent, a key
/// that is unknown is quoted, and nothing else.
fn misfit<T: DeserializeOwned>(bytes: &[u8], watch: Watch) -> Option<Misfit> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize::<_, T>(Strict::new(&mut json, &watch));
    let error = read.err()?;
    if !error.inner().is_data() {
        return None;
    }
    let text = error.inner().to_string();
    let named = |before| text.strip_prefix(before)?.split('`').next();
    let (part, problem) = match watch.found() {
        Some(Unmeant::Unknown(fields)) => (None, Problem::Unknown(fields)),
        Some(Unmeant::Null) => (None, Problem::Null),
        None if text.starts_with("invalid type: null") => (None, Problem::Null),
        None if text.contains(NOT_AN_AMOUNT) => (None, Problem::Amount),
        None => match (named("missing field `"), named("duplicate field `")) {
            (None, Some(twice)) => (Some(twice), Problem::Twice),
            (missing, _) => (missing, Problem::Wrong),
        },
    };
    let path = error.path().to_string();
    let field = match (part, path.as_str()) {
        (None, "." | "") => None,
        (None, path) => Some(shortened(path)),
        (Some(part), "." | "") => Some(part.to_owned()),
        (Some(part), path) => Some(shortened(&format!("{path}.{part}"))),
    };
    Some(Misfit { field, problem })
}

/// A name of the caller's own, as long as it is shown.
pub(crate) fn shortened(name: &str) -> String {
    const CHARS_MAX: usize = 64;
    match name.char_indices().nth(CHARS_MAX) {
        Some((end, _)) => format!("{}…", &name[..end]),
        None => name.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::routes::ROUTES;
    use tiketi_engine::ids::LayoutIndex;

    fn request(uri: &str, headers: &[(&str, &str)], body: &'static str) -> Request {
        let mut builder = hyper::Request::builder().uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        let (parts, ()) = builder.body(()).expect("request").into_parts();
        let mut params = Params::default();
        params.push(1, parts.uri.path().len());
        Request::new(&ROUTES[0], params, parts, UnixMillis(0))
            .with_body(Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn ids_in_the_path() {
        let event = Id::from(ExternalId::Event(EventIndex(7))).to_string();
        let layout = Id::from(ExternalId::Layout(LayoutIndex(7))).to_string();
        for (id, expected) in [
            (event.clone(), Ok(EventIndex(7))),
            (event.to_uppercase(), Ok(EventIndex(7))),
            (event.replace('-', ""), Err(Code::BadId)),
            (format!("{event}0"), Err(Code::BadId)),
            ("1".to_owned(), Err(Code::BadId)),
            ("%00".to_owned(), Err(Code::BadId)),
            (layout, Err(Code::NotFound)),
            ("00000000-0000-0000-0000-000000000000".to_owned(), Err(Code::NotFound)),
        ] {
            let found = request(&format!("/{id}"), &[], "").event_id(0);
            assert_eq!(found.map_err(|error| error.code()), expected, "{id}");
        }
    }

    #[test]
    fn pages() {
        for (query, expected) in [
            ("", Some((1, 10))),
            ("page=2&limit=1000", Some((2, 1000))),
            ("limit=5000", Some((1, 1000))),
            ("page=&limit=", Some((1, 10))),
            ("page=0", None),
            ("page=-1", None),
            ("page=abc", None),
            ("limit=0", None),
            ("page=1.5", None),
            ("page=99999999999999999999", None),
        ] {
            let page = request(&format!("/x?{query}"), &[], "").page(10);
            assert_eq!(page.ok().map(|page| (page.page, page.limit)), expected, "{query}");
        }
        assert_eq!(Page { page: u64::MAX, limit: 1000 }.skip(), usize::MAX);
    }

    #[test]
    fn bodies() {
        let parse = |body| request("/x", &[], body).json::<serde_json::Map<_, _>>();
        let parse = |body| parse(body).map(|map| map.len()).map_err(|error| error.code());
        assert_eq!(parse(""), Ok(0));
        assert_eq!(parse("{}"), Ok(0));
        assert_eq!(parse("{\"a\":1}"), Ok(1));
        for wrong in ["[]", "null", "{", "{\"a\":}", "\u{0}", "{} {}"] {
            assert_eq!(parse(wrong), Err(Code::Validation), "{wrong}");
        }
        let deep: &str = Box::leak(format!("{{\"a\":{}", "[".repeat(50_000)).into_boxed_str());
        assert_eq!(parse(deep), Err(Code::Validation));
        let secret = request("/x", &[], "{\"password\":\"hunter2").json::<serde_json::Value>();
        assert!(!secret.expect_err("broken").to_string().contains("hunter2"));
    }

    #[test]
    fn headers() {
        for (value, expected) in [
            ("1-42", Some(Lsn(42))),
            ("42", None),
            ("a-42", None),
            ("1-", None),
            ("1--2", None),
            ("1-99999999999999999999999", None),
        ] {
            let found = request("/x", &[("tiketi-min-lsn", value)], "").min_lsn();
            assert_eq!(found.ok().flatten(), expected, "{value}");
        }
        assert_eq!(request("/x", &[], "").min_lsn().ok(), Some(None));

        let key = |value: &str| {
            request("/x", &[("idempotency-key", value)], "").idempotency_key().map(|k| k.is_some())
        };
        assert_eq!(key("a").ok(), Some(true));
        assert!(key("").is_err() && key("키").is_err() && key(&"k".repeat(256)).is_err());

        for (header, expected) in [
            ("W/\"1-2\"", true),
            ("\"1-2\"", true),
            ("\"0\", W/\"1-2\"", true),
            ("*", true),
            ("\"1-3\"", false),
        ] {
            let request = request("/x", &[("if-none-match", header)], "");
            assert_eq!(request.has_version("W/\"1-2\""), expected, "{header}");
        }
    }
}
