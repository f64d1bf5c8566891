//! Which keys belong together, and which may not be used where.

use thiserror::Error;
use tiketi_engine::record::ProviderName;

use crate::config::Secret;
use crate::payments::link::{Link, LinkError};

/// Why a pair of keys is not used. None of these names the secret one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub(crate) enum KeyProblem {
    #[error("the client key is not a public key of this provider")]
    BadClientKey,
    #[error("a secret key is not a secret key of this provider")]
    BadSecretKey,
    #[error("the client key and a secret key are of different families")]
    MixedFamilies,
    #[error("the client key and a secret key mix test and live")]
    MixedModes,
    #[error("production refuses test keys")]
    TestKeyInProduction,
    #[error("live keys are refused outside of production")]
    LiveKeyInDevelopment,
    #[error("a live key is only sent over https")]
    LiveKeyUnencrypted,
}

/// Why a provider is not made with these settings.
#[derive(Debug, Error)]
pub(crate) enum SetupError {
    #[error("no secret key")]
    NoSecretKey,
    #[error("no webhook secret")]
    NoWebhookSecret,
    #[error(transparent)]
    Key(#[from] KeyProblem),
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// Where a key's money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Test,
    Live,
}

/// What a pair of keys is for; both halves are of the same one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    TossApi,
    TossWidget,
    Stripe,
}

const CLIENT_KEYS: [(&str, Mode, Family); 6] = [
    ("test_ck_", Mode::Test, Family::TossApi),
    ("live_ck_", Mode::Live, Family::TossApi),
    ("test_gck_", Mode::Test, Family::TossWidget),
    ("live_gck_", Mode::Live, Family::TossWidget),
    ("pk_test_", Mode::Test, Family::Stripe),
    ("pk_live_", Mode::Live, Family::Stripe),
];

const SECRET_KEYS: [(&str, Mode, Family); 8] = [
    ("test_sk_", Mode::Test, Family::TossApi),
    ("live_sk_", Mode::Live, Family::TossApi),
    ("test_gsk_", Mode::Test, Family::TossWidget),
    ("live_gsk_", Mode::Live, Family::TossWidget),
    ("sk_test_", Mode::Test, Family::Stripe),
    ("sk_live_", Mode::Live, Family::Stripe),
    ("rk_test_", Mode::Test, Family::Stripe),
    ("rk_live_", Mode::Live, Family::Stripe),
];

/// Whether a client key and a secret key go together and may be used here. Live keys move real
/// money, so they are kept out of development as test keys are kept out of production.
///
/// # Errors
/// See [`KeyProblem`], in its order.
pub(crate) fn check_keys(
    provider: ProviderName,
    client_key: &str,
    secret_key: &Secret,
    is_production: bool,
) -> Result<(), KeyProblem> {
    let client = kind(&CLIENT_KEYS, provider, client_key).ok_or(KeyProblem::BadClientKey)?;
    let secret =
        kind(&SECRET_KEYS, provider, secret_key.expose()).ok_or(KeyProblem::BadSecretKey)?;
    match (client, secret) {
        ((_, a), (_, b)) if a != b => Err(KeyProblem::MixedFamilies),
        ((a, _), (b, _)) if a != b => Err(KeyProblem::MixedModes),
        ((Mode::Test, _), _) if is_production => Err(KeyProblem::TestKeyInProduction),
        ((Mode::Live, _), _) if !is_production => Err(KeyProblem::LiveKeyInDevelopment),
        _ => Ok(()),
    }
}

/// Whether a provider may be reached over `link` with these keys; the first one that it takes is
/// used, so that an old and a new one can both be named while they change.
///
/// # Errors
/// No secret key at all; then the first that [`check_keys`] refuses, or that is live and would
/// travel in the open.
pub(crate) fn check_all(
    provider: ProviderName,
    client_key: &str,
    secret_keys: &[Secret],
    link: &Link,
    is_production: bool,
) -> Result<(), SetupError> {
    if secret_keys.is_empty() {
        return Err(SetupError::NoSecretKey);
    }
    for secret_key in secret_keys {
        check_keys(provider, client_key, secret_key, is_production)?;
        if is_live(secret_key) && !link.is_encrypted() {
            return Err(KeyProblem::LiveKeyUnencrypted.into());
        }
    }
    Ok(())
}

/// Whether a key moves real money.
fn is_live(secret_key: &Secret) -> bool {
    SECRET_KEYS
        .iter()
        .any(|&(start, mode, _)| mode == Mode::Live && secret_key.expose().starts_with(start))
}

/// What a key says of itself; a start alone is no key, and neither is a text with odd characters.
fn kind(
    keys: &[(&str, Mode, Family)],
    provider: ProviderName,
    key: &str,
) -> Option<(Mode, Family)> {
    let &(start, mode, family) = keys.iter().find(|(start, ..)| key.starts_with(start))?;
    let of = match family {
        Family::TossApi | Family::TossWidget => ProviderName::Toss,
        Family::Stripe => ProviderName::Stripe,
    };
    let is_whole = key.len() > start.len() && key.bytes().all(|byte| byte.is_ascii_graphic());
    (of == provider && is_whole && !key.contains(':')).then_some((mode, family))
}

#[cfg(test)]
mod tests {
    use super::*;
    use KeyProblem::*;
    use ProviderName::{Stripe, Toss};

    #[test]
    fn keys_go_in_pairs() {
        for (provider, client, secret, is_production, expected) in [
            (Toss, "test_gck_local_simulator", "test_gsk_local_simulator", false, Ok(())),
            (Toss, "test_ck_a", "test_sk_b", false, Ok(())),
            (Toss, "live_ck_a", "live_sk_b", true, Ok(())),
            (Toss, "live_gck_a", "live_gsk_b", true, Ok(())),
            (Stripe, "pk_test_a", "sk_test_b", false, Ok(())),
            (Stripe, "pk_live_a", "rk_live_b", true, Ok(())),
            (Toss, "test_gck_a", "test_sk_b", false, Err(MixedFamilies)),
            (Toss, "test_ck_a", "test_gsk_b", false, Err(MixedFamilies)),
            (Toss, "test_ck_a", "live_sk_b", true, Err(MixedModes)),
            (Toss, "live_ck_a", "test_sk_b", false, Err(MixedModes)),
            (Toss, "test_ck_a", "test_sk_b", true, Err(TestKeyInProduction)),
            (Toss, "live_ck_a", "live_sk_b", false, Err(LiveKeyInDevelopment)),
            (Stripe, "pk_test_a", "sk_test_b", true, Err(TestKeyInProduction)),
            (Toss, "test_sk_b", "test_sk_b", false, Err(BadClientKey)),
            (Toss, "test_ck_a", "test_ck_a", false, Err(BadSecretKey)),
            (Toss, "pk_test_a", "sk_test_b", false, Err(BadClientKey)),
            (Stripe, "test_ck_a", "test_sk_b", false, Err(BadClientKey)),
            (Toss, "", "", false, Err(BadClientKey)),
            (Toss, "test_ck_", "test_sk_b", false, Err(BadClientKey)),
            (Toss, "test_ck_a", "test_sk_", false, Err(BadSecretKey)),
            (Toss, "test_ck_a", "test_sk_b\r\n", false, Err(BadSecretKey)),
            (Toss, "test_ck_a", "test_sk_b:", false, Err(BadSecretKey)),
            (Toss, "TEST_CK_a", "test_sk_b", false, Err(BadClientKey)),
        ] {
            let checked = check_keys(provider, client, &Secret::new(secret), is_production);
            assert_eq!(checked, expected, "{client} {secret}");
        }
        assert!(is_live(&Secret::new("live_gsk_x")) && !is_live(&Secret::new("test_gsk_x")));
    }
}
