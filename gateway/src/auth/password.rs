//! Passwords: bcrypt, on threads of its own.
//!
//! A hash takes some 50 ms of a processor on purpose: see [`Pool`] for how that is kept from holding
//! up bookings.

use crate::error::{ApiError, Code};
use crate::pool::Pool;

/// The contract's cost; stored hashes of another cost still verify.
const COST: u32 = 10;
/// At 50 ms each on one thread the last one waits three seconds.
const WAITING_MAX: usize = 64;
/// Verified instead where there is no such user, so that both answers take the same time.
const NOBODYS_HASH: &str = "$2b$10$otYCW15x2KfFdfnXCcg62eTi9yiuiM0eK/Cgu2H7qqzyRLdN7aOIa";

/// Hashes and verifies.
pub(crate) struct Passwords {
    pool: Pool,
}

impl Passwords {
    /// # Errors
    /// Where the system starts no thread.
    pub(crate) fn start() -> std::io::Result<Self> {
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if processors >= 4 { 2 } else { 1 };
        Ok(Passwords { pool: Pool::start("password", threads, WAITING_MAX)? })
    }

    /// The bcrypt hash of a password; its first 72 bytes count.
    ///
    /// # Errors
    /// 503 where too many wait.
    pub(crate) async fn hash(&self, password: String) -> Result<String, ApiError> {
        let hash = self.pool.run(move || bcrypt::hash(password, COST)).await?;
        hash.map_err(|error| ApiError::new(Code::Internal).cause(error))
    }

    /// Whether `hash` (`$2a$`, `$2b$`) is of `password`. `None` takes as long and is never true.
    ///
    /// # Errors
    /// 503 where too many wait.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<String>,
    ) -> Result<bool, ApiError> {
        let verify = move || {
            let of = hash.as_deref().unwrap_or(NOBODYS_HASH);
            // A stored hash that is no bcrypt hash matches nothing.
            bcrypt::verify(password, of).unwrap_or(false) && hash.is_some()
        };
        self.pool.run(verify).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches_and_only_72_bytes_count() {
        let passwords = Passwords::start().expect("threads");
        let long = "비".repeat(24);
        let hash = passwords.hash(long.clone()).await.expect("hash");
        assert!(hash.starts_with("$2b$10$") && hash.len() == 60);
        let old = hash.replacen("$2b$", "$2a$", 1);
        for (password, hash, expected) in [
            (long.clone(), Some(hash.clone()), true),
            (format!("{long} and more"), Some(hash.clone()), true),
            (long.clone(), Some(old), true),
            ("wrong".to_owned(), Some(hash.clone()), false),
            (String::new(), Some(hash), false),
            (long.clone(), Some("not a hash".to_owned()), false),
            (long, None, false),
        ] {
            assert_eq!(passwords.verify(password, hash).await.ok(), Some(expected));
        }
    }

    #[test]
    fn the_dummy_takes_as_long_as_a_real_one() {
        let parts: bcrypt::HashParts = NOBODYS_HASH.parse().expect("a bcrypt hash");
        assert_eq!(parts.get_cost(), COST);
    }
}
