//! Login tokens: JWT, HS256 and nothing else, seven days.
//!
//! Verifying takes 1.8 µs, most of it base64 and JSON, a fifth of what a whole request costs; so the
//! tokens verified last are remembered in a table of fixed size, where finding one takes 30 ns. A
//! slot is found by a keyed hash of the signature and taken only where the whole token is equal, so
//! a hit proves exactly what verifying proved. The time is judged on every call.

use std::hash::{BuildHasher, RandomState};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tiketi_engine::ids::{ExternalId, UnixMillis, UserId};
use tiketi_engine::record::Role;

use crate::api::{Id, role_name};

const LIFETIME_S: u64 = 7 * 24 * 60 * 60;
/// A power of two. At some 300 bytes a token, full slots take 5 MB.
const SLOTS: usize = 1 << 14;
/// Longer tokens are verified each time.
const REMEMBERED_BYTES_MAX: usize = 512;
/// Bytes at the end of a token that its signature fills, base64url.
const SIGNATURE_BYTES: usize = 43;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Whose it is; `None` where the id is none that this engine gives out.
    pub(crate) user: Option<UserId>,
    /// What the account could do at login.
    pub(crate) role: Role,
}

/// Why a token counts for nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenError {
    /// Not one of ours.
    Invalid,
    /// Ours, but its time is over.
    Expired,
}

/// Issues and verifies tokens under one secret.
pub(crate) struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    hasher: RandomState,
    slots: Box<[Mutex<Option<Remembered>>]>,
}

struct Remembered {
    hash: u64,
    token: Box<str>,
    verified: Verified,
}

#[derive(Clone, Copy)]
struct Verified {
    claim: Claim,
    expires_s: u64,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    #[serde(rename = "userId")]
    user_id: Id,
    email: String,
    role: String,
    iat: u64,
    exp: u64,
    #[serde(default, skip_serializing)]
    nbf: Option<u64>,
}

impl Tokens {
    pub(crate) fn new(secret: &str) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // The app's clock judges, in `verify`; presence is checked by the type `Claims`.
        validation.validate_exp = false;
        validation.required_spec_claims.clear();
        Tokens {
            encoding: EncodingKey::from_secret(secret.as_bytes()),
            decoding: DecodingKey::from_secret(secret.as_bytes()),
            validation,
            hasher: RandomState::new(),
            slots: (0..SLOTS).map(|_| Mutex::new(None)).collect(),
        }
    }

    /// A token for a user who has just proved who they are.
    ///
    /// # Errors
    /// Only what the signing library may say; HS256 with a secret never fails.
    pub(crate) fn issue(
        &self,
        user: UserId,
        email: &str,
        role: Role,
        now: UnixMillis,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let iat = now.0 / 1000;
        let claims = Claims {
            user_id: user.into(),
            email: email.to_owned(),
            role: role_name(role).to_owned(),
            iat,
            exp: iat + LIFETIME_S,
            nbf: None,
        };
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }

    /// What a token says, if it is ours and its time is not over at `now`.
    ///
    /// # Errors
    /// See [`TokenError`]; the signature is checked before the time.
    pub(crate) fn verify(&self, token: &str, now: UnixMillis) -> Result<Claim, TokenError> {
        let tail = &token.as_bytes()[token.len().saturating_sub(SIGNATURE_BYTES)..];
        let hash = self.hasher.hash_one(tail);
        let slot = &self.slots[hash as usize % SLOTS];
        let known = match &*slot.lock() {
            Some(known) if known.hash == hash && *known.token == *token => Some(known.verified),
            _ => None,
        };
        let verified = match known {
            Some(verified) => verified,
            None => {
                let verified = self.verify_fully(token, now)?;
                if token.len() <= REMEMBERED_BYTES_MAX {
                    *slot.lock() = Some(Remembered { hash, token: token.into(), verified });
                }
                verified
            }
        };
        match now.0 / 1000 < verified.expires_s {
            true => Ok(verified.claim),
            false => Err(TokenError::Expired),
        }
    }

    fn verify_fully(&self, token: &str, now: UnixMillis) -> Result<Verified, TokenError> {
        let claims = jsonwebtoken::decode::<Claims>(token, &self.decoding, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        if claims.nbf.is_some_and(|not_before| not_before > now.0 / 1000) {
            return Err(TokenError::Invalid);
        }
        let user = match ExternalId::decode(claims.user_id.0) {
            Some(ExternalId::User(user)) => Some(user),
            _ => None,
        };
        let role = if claims.role == role_name(Role::Admin) { Role::Admin } else { Role::User };
        Ok(Verified { claim: Claim { user, role }, expires_s: claims.exp })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::encode;
    use serde_json::{Value, json};
    use tiketi_engine::ids::UserIndex;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);
    const USER: UserId = UserId { index: UserIndex(7), tag: 0x0123_4567_89ab_cdef };

    fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
        encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret.as_bytes()))
            .expect("token")
    }

    fn claims(user_id: &str, exp: Value) -> Value {
        json!({"userId": user_id, "email": "a@b.kr", "role": "user", "iat": 1, "exp": exp})
    }

    #[test]
    fn issued_tokens_hold_for_seven_days() {
        let tokens = Tokens::new(SECRET);
        let token = tokens.issue(USER, "a@b.kr", Role::Admin, NOW).expect("token");
        let claim = Claim { user: Some(USER), role: Role::Admin };
        let last = NOW.plus(LIFETIME_S * 1000 - 1);
        for _ in 0..2 {
            assert_eq!(tokens.verify(&token, NOW), Ok(claim));
            assert_eq!(tokens.verify(&token, last), Ok(claim));
            assert_eq!(tokens.verify(&token, last.plus(1)), Err(TokenError::Expired));
        }
        assert_eq!(Tokens::new("another").verify(&token, NOW), Err(TokenError::Invalid));
    }

    #[test]
    fn whatever_is_not_ours_is_invalid() {
        let tokens = Tokens::new(SECRET);
        let id = Id::from(USER).to_string();
        let good = claims(&id, json!(1_900_000_000_u64));
        let ours = signed(Algorithm::HS256, SECRET, &good);
        assert!(tokens.verify(&ours, NOW).is_ok());
        let unsigned = "eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0";
        let payload = ours.split('.').nth(1).expect("payload");
        let mut flipped = ours.clone().into_bytes();
        flipped[ours.len() - 10] ^= 1;
        for token in [
            String::new(),
            "a.b.c".to_owned(),
            format!("{unsigned}.{payload}."),
            format!("{ours}x"),
            ours[..ours.len() - 1].to_owned(),
            String::from_utf8(flipped).expect("ASCII"),
            signed(Algorithm::HS512, SECRET, &good),
            signed(Algorithm::HS256, "another", &good),
            signed(Algorithm::HS256, SECRET, &json!({"userId": id})),
            signed(Algorithm::HS256, SECRET, &claims(&id, json!("soon"))),
            signed(Algorithm::HS256, SECRET, &claims(&id, json!(-1))),
            signed(Algorithm::HS256, SECRET, &claims("7", json!(1_900_000_000_u64))),
        ] {
            assert_eq!(tokens.verify(&token, NOW), Err(TokenError::Invalid), "{token}");
        }
        let over = signed(Algorithm::HS256, SECRET, &claims(&id, json!(1)));
        assert_eq!(tokens.verify(&over, NOW), Err(TokenError::Expired));
        let foreign = "550e8400-e29b-41d4-a716-446655440000";
        let foreign = signed(Algorithm::HS256, SECRET, &claims(foreign, json!(1_900_000_000_u64)));
        assert_eq!(tokens.verify(&foreign, NOW).map(|claim| claim.user), Ok(None));
    }
}
