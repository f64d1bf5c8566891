//! Admission passes: what a person who was let in can show to any node of an installation.
//!
//! A JWT like the login tokens, under a key of its own derived from the same secret, so that neither
//! can ever be taken for the other. It lives for a minute: whoever is still inside asks for another.

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use tiketi_engine::ids::{EventIndex, ExternalId, UnixMillis, UserId};

use crate::api::Id;

const LIFETIME_S: u64 = 60;
const AUDIENCE: &str = "tiketi-admission";
const KEY_CONTEXT: &str = "tiketi 2026-11-21 admission pass v1";

/// Issues and verifies passes under one secret.
pub(crate) struct Passes {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
}

/// A pass is forged, another's, another event's, or its time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BadPass;

#[derive(Serialize, Deserialize)]
struct Claims {
    aud: String,
    sub: Id,
    event: Id,
    exp: u64,
}

impl Passes {
    pub(crate) fn new(secret: &str) -> Self {
        let key = blake3::derive_key(KEY_CONTEXT, secret.as_bytes());
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_audience(&[AUDIENCE]);
        validation.set_required_spec_claims(&["aud", "sub", "exp"]);
        // The app's clock judges, in `verify`.
        validation.validate_exp = false;
        Passes {
            encoding: EncodingKey::from_secret(&key),
            decoding: DecodingKey::from_secret(&key),
            validation,
        }
    }

    /// A pass for a user who is inside now, and when it ends.
    ///
    /// # Errors
    /// Only what the signing library may say; HS256 with a secret never fails.
    pub(crate) fn issue(
        &self,
        user: UserId,
        event: EventIndex,
        now: UnixMillis,
    ) -> Result<(String, UnixMillis), jsonwebtoken::errors::Error> {
        let exp = now.0 / 1000 + LIFETIME_S;
        let claims =
            Claims { aud: AUDIENCE.to_owned(), sub: user.into(), event: event.into(), exp };
        let pass = jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)?;
        Ok((pass, UnixMillis(exp * 1000)))
    }

    /// Whether a pass lets this user into this event at `now`.
    ///
    /// # Errors
    /// [`BadPass`]; why is not told apart, as no honest caller can mend it.
    pub(crate) fn verify(
        &self,
        pass: &str,
        user: UserId,
        event: EventIndex,
        now: UnixMillis,
    ) -> Result<(), BadPass> {
        let claims = jsonwebtoken::decode::<Claims>(pass, &self.decoding, &self.validation)
            .map_err(|_| BadPass)?
            .claims;
        let is_theirs =
            matches!(ExternalId::decode(claims.sub.0), Some(ExternalId::User(sub)) if sub == user);
        let is_here = matches!(ExternalId::decode(claims.event.0), Some(ExternalId::Event(of)) if of == event);
        match is_theirs && is_here && now.0 / 1000 < claims.exp {
            true => Ok(()),
            false => Err(BadPass),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::token::Tokens;
    use tiketi_engine::ids::UserIndex;
    use tiketi_engine::record::Role;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const USER: UserId = UserId { index: UserIndex(7), tag: 3 };
    const OTHER: UserId = UserId { index: UserIndex(8), tag: 3 };
    const EVENT: EventIndex = EventIndex(2);

    #[test]
    fn a_pass_holds_for_one_person_one_event_and_a_minute() {
        let passes = Passes::new(SECRET);
        let (pass, until) = passes.issue(USER, EVENT, NOW).expect("pass");
        assert_eq!(until, NOW.plus(60_000));
        assert_eq!(passes.verify(&pass, USER, EVENT, UnixMillis(until.0 - 1)), Ok(()));
        assert_eq!(passes.verify(&pass, USER, EVENT, until), Err(BadPass));
        assert_eq!(passes.verify(&pass, OTHER, EVENT, NOW), Err(BadPass));
        assert_eq!(passes.verify(&pass, USER, EventIndex(3), NOW), Err(BadPass));
        assert_eq!(Passes::new("another").verify(&pass, USER, EVENT, NOW), Err(BadPass));
        assert_eq!(passes.verify(&format!("{pass}x"), USER, EVENT, NOW), Err(BadPass));
    }

    #[test]
    fn neither_a_login_token_nor_a_pass_is_taken_for_the_other() {
        let (passes, tokens) = (Passes::new(SECRET), Tokens::new(SECRET));
        let token = tokens.issue(USER, "a@b.kr", Role::User, NOW).expect("token");
        let (pass, _) = passes.issue(USER, EVENT, NOW).expect("pass");
        assert_eq!(passes.verify(&token, USER, EVENT, NOW), Err(BadPass));
        assert!(tokens.verify(&pass, NOW).is_err());
    }
}
