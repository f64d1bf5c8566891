//! Accounts in bulk, for load tests: written to a data directory that no gateway uses, each with a
//! login token. Nobody can log in to them; they are what their tokens open, for a week.

use std::path::Path;

use rand::Rng;
use thiserror::Error;
use tiketi_engine::command::NewUser;
use tiketi_engine::engine::Engine;
use tiketi_engine::error::{AccountRefusal, CommandError, InvalidField};
use tiketi_engine::ids::UserId;
use tiketi_engine::record::Role;
use tiketi_persistence::{Fatal, OpenError, Options, StoreKind};

use crate::app::{StartError, jwt_secret_in};
use crate::auth::token::Tokens;
use crate::clock::Clock;
use crate::config::{LogStoreKind, Secret};

/// Accounts appended before anybody waits for the disk.
const BATCH: usize = 500;
/// No bcrypt hash, and so no password's.
const NOBODYS_PASSWORD: &str = "!";

/// An account and what opens it.
#[derive(Clone, Debug)]
pub struct Seeded {
    /// Its address; in a domain that no mail reaches.
    pub email: String,
    /// For `Authorization: Bearer`, seven days.
    pub token: String,
}

/// Why no accounts were made.
#[derive(Debug, Error)]
pub enum SeedError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The log's fold contradicts itself.
    #[error("the log is inconsistent: {0}")]
    Inconsistent(String),
    /// The secret cannot be kept.
    #[error(transparent)]
    Secret(#[from] StartError),
    /// An account breaks a rule: a mistake of ours.
    #[error("an account was not made: {0}")]
    Field(#[from] InvalidField),
    /// The log takes no account, or no more of them.
    #[error("an account was not made: {0}")]
    Account(#[from] CommandError<AccountRefusal>),
    /// A token cannot be signed.
    #[error("a token was not made: {0}")]
    Token(#[from] jsonwebtoken::errors::Error),
    /// The log has failed.
    #[error("the log has failed: {0}")]
    Log(String),
}

impl From<Fatal> for SeedError {
    fn from(fatal: Fatal) -> Self {
        SeedError::Log(fatal.to_string())
    }
}

/// Makes `count` accounts, those of earlier calls among them, and tokens for all. Without a secret
/// the tokens are those of the directory's own, as in development. Blocks.
///
/// # Errors
/// See [`SeedError`]; some accounts may have been made, and the next call goes on with them.
///
/// # Durability
/// Every account is durable when this returns.
pub fn users(
    data: &Path,
    store: LogStoreKind,
    jwt_secret: Option<&Secret>,
    count: u32,
) -> Result<Vec<Seeded>, SeedError> {
    let mut options = Options::new(data);
    options.store = match store {
        LogStoreKind::Sled => StoreKind::Sled,
        LogStoreKind::Segments => StoreKind::Segments,
    };
    let clock = Clock::start();
    let opened = tiketi_persistence::open(&options, clock.now())?;
    let clock = clock.not_before(opened.state.last_at());
    let tokens = Tokens::new(jwt_secret_in(data, jwt_secret)?.expose());
    let state = opened.state;
    let engine = Engine::from_state(&state, opened.journal).map_err(SeedError::Inconsistent)?;
    let journal = engine.journal();
    let mut seeded = Vec::with_capacity(count as usize);
    let mut pending = Vec::with_capacity(BATCH);
    let token = |user: UserId, email: String| -> Result<Seeded, SeedError> {
        let token = tokens.issue(user, &email, Role::User, clock.now())?;
        Ok(Seeded { email, token })
    };
    for number in 0..count {
        let email = format!("seed-{number}@loadtest.invalid");
        match state.user_by_email(&email) {
            Some(user) => seeded.push(token(user.id, email)?),
            None => {
                let made = engine.register_user(account(&email).check()?, clock.now())?;
                pending.push((made, email));
            }
        }
        if pending.len() == BATCH || number + 1 == count {
            for (made, email) in pending.drain(..) {
                let user = journal.committed_blocking(made);
                let user = user.map_err(|poisoned| SeedError::Log(poisoned.to_string()))?;
                seeded.push(token(user, email)?);
            }
        }
    }
    journal.close()?;
    Ok(seeded)
}

fn account(email: &str) -> NewUser {
    NewUser {
        email: email.to_owned(),
        password_hash: NOBODYS_PASSWORD.to_owned(),
        name: "구매자".to_owned(),
        phone: None,
        role: Role::User,
        tag: rand::rng().next_u64(),
    }
}
