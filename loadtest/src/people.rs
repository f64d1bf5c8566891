//! The people of a run: accounts with tokens, from a file or made over HTTP.

use std::path::Path;
use std::rc::Rc;

use anyhow::{Context, ensure};
use serde_json::json;
use tokio::task::JoinSet;

use crate::contract::LoggedIn;
use crate::http::Client;
use crate::target;

/// Accounts made at the same time; a server hashes a password for each.
const REGISTRATIONS: u32 = 4;
/// Longer ones would not fit into a request's head.
const TOKEN_BYTES_MAX: usize = 4 << 10;

/// Everybody who may come. Where more come than there are, accounts come again.
pub(crate) struct People {
    tokens: Vec<String>,
}

impl People {
    /// One account a line: its token is what stands last on it.
    ///
    /// # Errors
    /// The file cannot be read, is empty, or has a line without a token.
    pub(crate) fn read(path: &Path) -> anyhow::Result<People> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the tokens in {}", path.display()))?;
        let mut tokens = Vec::new();
        for (line, number) in text.lines().zip(1..) {
            let token = line.split_whitespace().next_back().unwrap_or_default();
            let is_token = token.split('.').count() == 3
                && token.len() <= TOKEN_BYTES_MAX
                && token.bytes().all(|byte| byte.is_ascii_graphic());
            ensure!(is_token, "{} line {number} has no token", path.display());
            tokens.push(token.to_owned());
        }
        ensure!(!tokens.is_empty(), "{} has no tokens", path.display());
        Ok(People { tokens })
    }

    /// Registers so many.
    ///
    /// # Errors
    /// The first refusal.
    pub(crate) async fn register(
        client: &Rc<Client>,
        run: u128,
        count: u32,
    ) -> anyhow::Result<People> {
        let mut tasks = JoinSet::new();
        for first in 0..REGISTRATIONS.min(count) {
            let client = Rc::clone(client);
            tasks.spawn_local(async move {
                let mut tokens = Vec::new();
                for number in (first..count).step_by(REGISTRATIONS as usize) {
                    let account = json!({
                        "email": format!("loadtest-{run}-{number}@example.com"),
                        "password": "loadtest",
                        "name": "buyer",
                        "phone": "",
                    });
                    let path = "/api/auth/register";
                    let made = target::ask::<LoggedIn>(&client, "POST", path, "", &account).await?;
                    tokens.push(made.token);
                }
                anyhow::Ok(tokens)
            });
        }
        let mut tokens = Vec::new();
        while let Some(some) = tasks.join_next().await {
            tokens.extend(some??);
        }
        Ok(People { tokens })
    }

    pub(crate) fn count(&self) -> usize {
        self.tokens.len()
    }

    /// The account that somebody comes with, as a number.
    pub(crate) fn account(&self, person: u32) -> u32 {
        person % self.tokens.len() as u32
    }

    pub(crate) fn token(&self, account: u32) -> &str {
        &self.tokens[account as usize % self.tokens.len()]
    }

    /// Whether nobody came with this account before.
    pub(crate) fn is_new(&self, person: u32) -> bool {
        (person as usize) < self.tokens.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_files() {
        let file = std::env::temp_dir().join(format!("tokens-{}", std::process::id()));
        for (text, expected) in [
            ("a@b.kr a.b.c\nd.e.f\n", Ok(2)),
            ("", Err("has no tokens")),
            ("a.b.c\n\nd.e.f\n", Err("line 2 has no token")),
            ("a@b.kr\n", Err("line 1 has no token")),
        ] {
            std::fs::write(&file, text).expect("write");
            match (People::read(&file), expected) {
                (Ok(people), Ok(count)) => {
                    assert_eq!(people.count(), count);
                    assert_eq!(people.token(0), "a.b.c");
                    assert!(people.is_new(1) && !people.is_new(2));
                    assert_eq!(people.account(2), 0);
                }
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
                _ => panic!("{text:?}"),
            }
        }
        std::fs::remove_file(&file).expect("remove");
        assert!(People::read(&file).is_err());
    }
}
