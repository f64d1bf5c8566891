//! What a caller is told when a request is not carried out.
//!
//! An [`ApiError`] has two sides: status, code and a short Korean text for the caller, and a
//! private cause for the log. It is logged once, by the server, where the answer is made. Refusals
//! are 4xx, *unavailable* is 503 with `Retry-After`; a fatal error never gets here (I9).

use std::borrow::Cow;
use std::error::Error;
use std::fmt;
use std::time::Duration;

use hyper::StatusCode;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use tiketi_engine::error::JournalUnavailable;

/// What is left to a caller after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    /// Calls a minute.
    pub(crate) limit: u32,
    /// Calls that would be taken at once.
    pub(crate) remaining: u32,
    /// Seconds until all of them would be, rounded up.
    pub(crate) reset_s: u32,
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $wire:literal, $status:ident, $text:literal;)*) => {
        /// The stable codes. Each stands for one status and, unless the handler has a better one,
        /// one text.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// As sent.
            #[must_use]
            pub fn wire(self) -> &'static str {
                match self { $(Code::$name => $wire,)* }
            }

            /// The status it is sent with.
            #[must_use]
            pub fn status(self) -> StatusCode {
                match self { $(Code::$name => StatusCode::$status,)* }
            }

            fn text(self) -> &'static str {
                match self { $(Code::$name => $text,)* }
            }
        }
    };
}

codes! {
    /// The token is good, its account is not there.
    UserNotFound = "USER_NOT_FOUND", UNAUTHORIZED, "계정을 찾을 수 없어요. 다시 로그인해 주세요.";
    /// No token.
    AuthRequired = "AUTH_REQUIRED", UNAUTHORIZED, "로그인이 필요해요.";
    /// The token's time is over.
    TokenExpired = "TOKEN_EXPIRED", UNAUTHORIZED, "로그인이 만료됐어요. 다시 로그인해 주세요.";
    /// Not a token of ours.
    TokenInvalid = "TOKEN_INVALID", FORBIDDEN, "로그인 정보가 올바르지 않아요.";
    /// The account is shut out. Never 401, which would read as logged out.
    Suspended = "SUSPENDED", FORBIDDEN, "이용이 정지된 계정이에요. 고객센터에 문의해 주세요.";
    /// The caller is no administrator.
    AdminOnly = "ADMIN_ONLY", FORBIDDEN, "관리자만 할 수 있어요.";
    /// The thing is somebody else's.
    Forbidden = "FORBIDDEN", FORBIDDEN, "권한이 없어요.";
    /// A field, parameter, header or body is not as it has to be.
    Validation = "VALIDATION", BAD_REQUEST, "입력값을 확인해 주세요.";
    /// An id is not a UUID.
    BadId = "BAD_ID", BAD_REQUEST, "잘못된 주소예요.";
    /// No such thing or route.
    NotFound = "NOT_FOUND", NOT_FOUND, "찾을 수 없어요.";
    /// A body or path names something that does not exist, where the contract says 400.
    NotFoundInBody = "NOT_FOUND", BAD_REQUEST, "찾을 수 없어요.";
    /// The route exists for other methods.
    MethodNotAllowed = "METHOD_NOT_ALLOWED", METHOD_NOT_ALLOWED, "지원하지 않는 요청이에요.";
    /// Somebody registered with this address.
    EmailTaken = "EMAIL_TAKEN", BAD_REQUEST, "이미 사용 중인 이메일이에요.";
    /// Unknown address or wrong password; which of them is not told.
    BadCredentials = "BAD_CREDENTIALS", UNAUTHORIZED, "이메일 또는 비밀번호를 확인해 주세요.";
    /// A seat is held or sold.
    SeatUnavailable = "SEAT_UNAVAILABLE", BAD_REQUEST, "방금 다른 분이 선택한 좌석이에요.";
    /// More seats than one reservation may have.
    SeatLimit = "SEAT_LIMIT", BAD_REQUEST, "한 번에 예매할 수 있는 좌석 수를 넘었어요.";
    /// Too few tickets left.
    OutOfStock = "OUT_OF_STOCK", BAD_REQUEST, "남은 수량이 부족해요.";
    /// Outside the sale window, or called off.
    NotOnSale = "NOT_ON_SALE", BAD_REQUEST, "지금은 예매할 수 없어요.";
    /// People are waiting in line.
    QueueRequired = "QUEUE_REQUIRED", FORBIDDEN, "대기열에서 순서를 기다려 주세요.";
    /// The hold's time is over.
    HoldExpired = "HOLD_EXPIRED", BAD_REQUEST, "결제 가능 시간이 지났어요.";
    /// Paid before.
    AlreadyPaid = "ALREADY_PAID", BAD_REQUEST, "이미 결제된 예매예요.";
    /// Cancelled before.
    AlreadyCancelled = "ALREADY_CANCELLED", BAD_REQUEST, "이미 취소된 예매예요.";
    /// In no state to be paid.
    NotPayable = "NOT_PAYABLE", BAD_REQUEST, "결제할 수 없는 예매예요.";
    /// Would contradict what is there.
    Conflict = "CONFLICT", BAD_REQUEST, "지금 상태에서는 할 수 없어요.";
    /// The provider took no money.
    PaymentDeclined = "PAYMENT_DECLINED", BAD_REQUEST, "결제가 승인되지 않았어요. 다시 시도해 주세요.";
    /// The same request, by its idempotency key, is still being carried out.
    InProgress = "IN_PROGRESS", CONFLICT, "같은 요청을 처리하고 있어요. 잠시 후 다시 확인해 주세요.";
    /// The idempotency key came with another request before.
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT", UNPROCESSABLE_ENTITY, "같은 요청 번호로 다른 요청이 왔어요.";
    /// Too many calls.
    RateLimited = "RATE_LIMITED", TOO_MANY_REQUESTS, "요청이 너무 많아요. 잠시 후 다시 시도해 주세요.";
    /// The body did not arrive in time.
    RequestTimeout = "REQUEST_TIMEOUT", REQUEST_TIMEOUT, "요청이 너무 오래 걸렸어요. 다시 시도해 주세요.";
    /// The body is larger than allowed.
    BodyTooLarge = "BODY_TOO_LARGE", PAYLOAD_TOO_LARGE, "보낸 내용이 너무 커요.";
    /// The headers are larger than allowed.
    HeadersTooLarge = "HEADERS_TOO_LARGE", REQUEST_HEADER_FIELDS_TOO_LARGE, "요청 헤더가 너무 커요.";
    /// The address is longer than allowed.
    UriTooLong = "URI_TOO_LONG", URI_TOO_LONG, "주소가 너무 길어요.";
    /// Not HTTP as it should be.
    BadRequest = "BAD_REQUEST", BAD_REQUEST, "잘못된 요청이에요.";
    /// The answer took too long; whether a change was made is not known.
    Timeout = "TIMEOUT", GATEWAY_TIMEOUT, "응답이 늦어지고 있어요. 결과를 확인한 뒤 다시 시도해 주세요.";
    /// Not now; nothing was changed.
    Unavailable = "UNAVAILABLE", SERVICE_UNAVAILABLE, "지금은 처리할 수 없어요. 잠시 후 다시 시도해 주세요.";
    /// Our fault.
    Internal = "INTERNAL", INTERNAL_SERVER_ERROR, "문제가 생겼어요. 잠시 후 다시 시도해 주세요.";
}

/// A request that was not carried out.
#[derive(Debug)]
pub(crate) struct ApiError {
    code: Code,
    message: Cow<'static, str>,
    cause: Option<Box<dyn Error + Send + Sync>>,
    extra: Option<Box<Map<String, Value>>>,
    allow: Option<Box<str>>,
    retry_after_s: Option<u32>,
    allowance: Option<Allowance>,
}

impl ApiError {
    /// The error of a code, with the code's own text.
    pub(crate) fn new(code: Code) -> Self {
        let retry_after_s = (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        ApiError {
            code,
            message: Cow::Borrowed(code.text()),
            cause: None,
            extra: None,
            allow: None,
            retry_after_s,
            allowance: None,
        }
    }

    /// Another text for the caller: short, Korean, nothing internal.
    #[must_use]
    pub(crate) fn message(mut self, message: impl Into<Cow<'static, str>>) -> Self {
        self.message = message.into();
        self
    }

    /// What really happened, for the log. No secrets, tokens or bodies.
    #[must_use]
    pub(crate) fn cause(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// An extra key of the body.
    #[must_use]
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extra.get_or_insert_default().insert(key.to_owned(), value.into());
        self
    }

    /// When a retry may help, rounded up to whole seconds.
    #[must_use]
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        self.retry_after_s = Some(u32::try_from(seconds).unwrap_or(u32::MAX));
        self
    }

    /// What is left of a quota that another one than the route's gives the caller.
    #[must_use]
    pub(crate) fn with_allowance(mut self, allowance: Option<Allowance>) -> Self {
        self.allowance = allowance;
        self
    }

    /// The methods a 405 lists.
    #[must_use]
    pub(crate) fn allow(mut self, methods: impl Into<Box<str>>) -> Self {
        self.allow = Some(methods.into());
        self
    }

    pub(crate) fn code(&self) -> Code {
        self.code
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.code.status()
    }

    pub(crate) fn retry_after_s(&self) -> Option<u32> {
        self.retry_after_s
    }

    pub(crate) fn allowance(&self) -> Option<Allowance> {
        self.allowance
    }

    pub(crate) fn allowed_methods(&self) -> Option<&str> {
        self.allow.as_deref()
    }

    pub(crate) fn private_cause(&self) -> Option<&(dyn Error + Send + Sync)> {
        self.cause.as_deref()
    }

    /// The body of the answer.
    pub(crate) fn body(&self) -> Vec<u8> {
        // A map of strings and values always serializes.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code.wire())?;
        match &self.cause {
            Some(cause) => write!(f, ": {cause}"),
            None => Ok(()),
        }
    }
}

impl Error for ApiError {}

impl From<JournalUnavailable> for ApiError {
    fn from(unavailable: JournalUnavailable) -> Self {
        let error = match unavailable {
            // Tens of milliseconds of work wait; a second is plenty.
            JournalUnavailable::QueueFull => ApiError::new(Code::Unavailable),
            JournalUnavailable::DiskLow => {
                ApiError::new(Code::Unavailable).retry_after(Duration::from_secs(60))
            }
            JournalUnavailable::Poisoned => {
                ApiError::new(Code::Unavailable).retry_after(Duration::from_secs(5))
            }
        };
        error.cause(unavailable)
    }
}

impl Serialize for ApiError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("success", &false)?;
        map.serialize_entry("error", &self.message)?;
        map.serialize_entry("message", &self.message)?;
        map.serialize_entry("code", self.code.wire())?;
        for (key, value) in self.extra.iter().flat_map(|extra| extra.iter()) {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_the_contract_shape_and_no_cause() {
        let error = ApiError::new(Code::SeatUnavailable)
            .message("방금 다른 분이 선택한 좌석이에요. (VIP-1-5)")
            .cause("seat 4 of event 0 is held by user 7")
            .with("unavailableSeats", vec!["VIP-1-5"]);
        let body: Value = serde_json::from_slice(&error.body()).expect("JSON");
        let expected = serde_json::json!({
            "success": false,
            "error": "방금 다른 분이 선택한 좌석이에요. (VIP-1-5)",
            "message": "방금 다른 분이 선택한 좌석이에요. (VIP-1-5)",
            "code": "SEAT_UNAVAILABLE",
            "unavailableSeats": ["VIP-1-5"],
        });
        assert_eq!(body, expected);
        assert!(error.to_string().contains("user 7"));
    }

    #[test]
    fn waiting_times_are_whole_seconds_rounded_up() {
        for (wait_ms, seconds) in [(0, 1), (1, 1), (1_000, 1), (1_001, 2), (60_000, 60)] {
            let error =
                ApiError::new(Code::RateLimited).retry_after(Duration::from_millis(wait_ms));
            assert_eq!(error.retry_after_s(), Some(seconds));
        }
        assert_eq!(ApiError::new(Code::Unavailable).retry_after_s(), Some(1));
        assert_eq!(ApiError::new(Code::NotFound).retry_after_s(), None);
    }
}
