//! Refusals in the document: which codes a route has, and those of many routes said once.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::api::ErrorBody;
use crate::auth::Access;
use crate::docs::is_id;
use crate::docs::operation::{Operation, TypeOf};
use crate::error::Code;
use crate::rate_limit::RateClass;
use crate::routes::{Route, Verb};

/// A status with the same codes on many routes.
struct Shared {
    /// What the document calls it.
    name: &'static str,
    codes: &'static [Code],
    when: &'static str,
}

const SHARED: &[Shared] = &[
    Shared {
        name: "LoggedOut",
        codes: &[Code::AuthRequired, Code::TokenExpired, Code::UserNotFound],
        when: "Without a token, with one whose time is over, or of an account that is gone.",
    },
    Shared {
        name: "NotAllowed",
        codes: &[Code::Suspended, Code::TokenInvalid],
        when: "With a token that is none of this server's, or of an account that is closed.",
    },
    Shared {
        name: "NotAnAdministrator",
        codes: &[Code::AdminOnly, Code::Suspended, Code::TokenInvalid],
        when: "On routes for administrators: the same, or the account is no administrator's.",
    },
    Shared {
        name: "RequestTimeout",
        codes: &[Code::RequestTimeout],
        when: "The body did not arrive in time.",
    },
    Shared {
        name: "BodyTooLarge",
        codes: &[Code::BodyTooLarge],
        when: "The body is larger than the route takes.",
    },
    Shared {
        name: "UriTooLong",
        codes: &[Code::UriTooLong],
        when: "The address is longer than the server reads.",
    },
    Shared {
        name: "RateLimited",
        codes: &[Code::RateLimited],
        when: "Too many calls; `Retry-After` says after how many seconds to come again.",
    },
    Shared {
        name: "HeadersTooLarge",
        codes: &[Code::HeadersTooLarge],
        when: "The headers are larger than the server reads.",
    },
    Shared {
        name: "Internal",
        codes: &[Code::Internal],
        when: "A fault of the server, which is in its log under the answer's `X-Request-Id`.",
    },
    Shared {
        name: "Unavailable",
        codes: &[Code::Unavailable],
        when: "Not now, and nothing was changed; `Retry-After` says when to try again.",
    },
    Shared {
        name: "Timeout",
        codes: &[Code::Timeout],
        when: "The answer took too long; whether a change was made is not known.",
    },
];

impl Shared {
    /// The answer of a status and no other set of codes.
    fn is_for(&self, status: u16, codes: &BTreeSet<&'static str>) -> bool {
        let own: BTreeSet<_> = self.codes.iter().map(|code| code.wire()).collect();
        self.status() == status && own == *codes
    }

    /// All codes of one have the same.
    fn status(&self) -> u16 {
        self.codes[0].status().as_u16()
    }
}

/// The answers that the document describes once.
pub(super) fn shared() -> Map<String, Value> {
    let described = |shared: &Shared| {
        let codes: Vec<_> = shared.codes.iter().map(|code| code.wire()).collect();
        let mut response = refused(&format!("{}: {}", codes.join(", "), shared.when));
        // Where in the list of the statuses it stands; OpenAPI has no place for it.
        response["x-status"] = shared.status().into();
        (shared.name.to_owned(), response)
    };
    SHARED.iter().map(described).collect()
}

/// The answer of a status with these codes, or a reference to one that many routes have.
pub(super) fn response(status: u16, codes: &BTreeSet<&'static str>) -> Value {
    match SHARED.iter().find(|shared| shared.is_for(status, codes)) {
        Some(shared) => json!({"$ref": format!("#/components/responses/{}", shared.name)}),
        None => refused(&codes.iter().copied().collect::<Vec<_>>().join(", ")),
    }
}

fn refused(description: &str) -> Value {
    let schema = TypeOf::new::<ErrorBody>().reference();
    json!({"description": description, "content": {"application/json": {"schema": schema}}})
}

/// Codes by status: the route's own, and those of every route like it.
pub(super) fn of(route: &Route, operation: &Operation) -> BTreeMap<u16, BTreeSet<&'static str>> {
    use Code::{
        AdminOnly, AuthRequired, BadId, BodyTooLarge, HeadersTooLarge, IdempotencyConflict,
        Internal, RateLimited, RequestTimeout, Suspended, Timeout, TokenExpired, TokenInvalid,
        Unavailable, UriTooLong, UserNotFound, Validation,
    };
    // Any request may be too large or slow, and any answer fail.
    let mut codes =
        vec![BodyTooLarge, HeadersTooLarge, Internal, RequestTimeout, Timeout, UriTooLong];
    codes.extend(operation.refuses);
    let is_limited = route.rate != RateClass::Unlimited;
    // A body or a parameter that the route does not know.
    if operation.body.is_some() || route.verb != Verb::Get {
        codes.push(Validation);
    }
    // `Tiketi-Min-Lsn` of any read.
    if !operation.query.is_empty() || (route.verb == Verb::Get && is_limited) {
        codes.extend([Validation, Unavailable]);
    }
    if route.template.split('/').filter_map(|part| part.strip_prefix(':')).any(is_id) {
        codes.push(BadId);
    }
    if route.access != Access::Public {
        codes.extend([AuthRequired, TokenExpired, UserNotFound, TokenInvalid, Suspended]);
    }
    if route.access == Access::Admin {
        codes.push(AdminOnly);
    }
    if is_limited {
        codes.push(RateLimited);
    }
    if operation.writes {
        codes.push(Unavailable);
    }
    if operation.keyed {
        codes.extend([IdempotencyConflict, Validation]);
    }
    let mut by_status: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status().as_u16()).or_default().insert(code.wire());
    }
    by_status
}
