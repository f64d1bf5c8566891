//! Who is calling: bearer tokens, passwords, e-mail addresses.

pub(crate) mod email;
pub(crate) mod pass;
pub(crate) mod password;
pub(crate) mod token;

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use tiketi_engine::ids::{UnixMillis, UserId};
use tiketi_engine::record::Role;

use crate::app::App;
use crate::auth::token::TokenError;
use crate::error::{ApiError, Code};

/// Somebody with a good token and an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    /// The user.
    pub(crate) user: UserId,
    /// What the account may do *now*, and the token said at login: the lesser of the two.
    role: Role,
}

impl Caller {
    /// Whether the caller may do here what administrators may.
    pub(crate) fn is_admin(&self) -> bool {
        self.role == Role::Admin
    }
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    /// Anybody.
    Public,
    /// Whoever has an account.
    User,
    /// Administrators.
    Admin,
}

/// The caller that the headers prove.
///
/// # Errors
/// No token 401, then those of [`caller_of`].
pub(crate) fn identify(
    app: &App,
    headers: &HeaderMap,
    now: UnixMillis,
) -> Result<Caller, ApiError> {
    let token = bearer(headers).ok_or_else(|| ApiError::new(Code::AuthRequired))?;
    caller_of(app, token, now)
}

/// Whom a token speaks for and what they may do at `now`: the one place where that is decided, for
/// routes and sockets alike.
///
/// # Errors
/// In this order: a wrong one 403, one whose time is over 401, no account 401, one that is suspended
/// 403.
pub(crate) fn caller_of(app: &App, token: &str, now: UnixMillis) -> Result<Caller, ApiError> {
    let claim = app.tokens.verify(token, now).map_err(|error| match error {
        TokenError::Invalid => ApiError::new(Code::TokenInvalid),
        TokenError::Expired => ApiError::new(Code::TokenExpired),
    })?;
    let account = claim.user.and_then(|user| Some((user, app.engine.standing(user)?)));
    let (user, standing) = account.ok_or_else(|| ApiError::new(Code::UserNotFound))?;
    if standing.is_suspended {
        return Err(ApiError::new(Code::Suspended));
    }
    let role = match (standing.role, claim.role) {
        (Role::Admin, Role::Admin) => Role::Admin,
        (Role::User, _) | (_, Role::User) => Role::User,
    };
    Ok(Caller { user, role })
}

/// Whether an account is shut out now.
pub(crate) fn is_suspended(app: &App, user: UserId) -> bool {
    app.engine.standing(user).is_some_and(|standing| standing.is_suspended)
}

/// Checks a caller against what a route demands.
///
/// # Errors
/// Those of [`identify`], then 403 for a user on an administrator's route.
pub(crate) fn admit(
    access: Access,
    caller: Result<Caller, ApiError>,
) -> Result<Option<Caller>, ApiError> {
    match access {
        // A stale token is no reason to refuse what anybody may see.
        Access::Public => Ok(caller.ok()),
        Access::User => caller.map(Some),
        Access::Admin => match caller? {
            caller if caller.is_admin() => Ok(Some(caller)),
            _ => Err(ApiError::new(Code::AdminOnly)),
        },
    }
}

/// What stands after the first space of `Authorization`, whatever the scheme's word.
fn bearer(headers: &HeaderMap) -> Option<&str> {
    // A value that is no ASCII is no token of ours; it must not read as absent.
    let value = match headers.get(AUTHORIZATION)?.to_str() {
        Ok(value) => value,
        Err(_) => return Some("?"),
    };
    value.split(' ').nth(1).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_stand_after_the_first_space() {
        for (value, expected) in [
            (&b"Bearer abc"[..], Some("abc")),
            (b"bearer abc", Some("abc")),
            (b"Token abc", Some("abc")),
            (b"Bearer abc def", Some("abc")),
            (b"Bearer", None),
            (b"Bearer ", None),
            (b"Bearer  abc", None),
            (b"", None),
            (b"Bearer \xff", Some("?")),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(
                AUTHORIZATION,
                hyper::header::HeaderValue::from_bytes(value).expect("value"),
            );
            assert_eq!(bearer(&headers), expected, "{}", String::from_utf8_lossy(value));
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
