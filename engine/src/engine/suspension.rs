//! Shutting accounts out, and letting them in again.

use crate::command::{Checked, Suspend};
use crate::engine::{Engine, Standing};
use crate::error::{AccountRefusal, CommandError};
use crate::ids::{UnixMillis, UserIndex};
use crate::journal::{Journal, Pending, Purpose};
use crate::record::Record;

impl<J: Journal> Engine<J> {
    /// Shuts an account out: whatever it asks for from now on is refused by whoever asks
    /// [`Engine::standing`]. What it holds and owns stays.
    ///
    /// # Errors
    /// In this order: no such account, one's own, suspended already; journal unavailable.
    pub fn suspend_user(
        &self,
        suspend: Checked<Suspend>,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<AccountRefusal>> {
        let Suspend { user, reason, by } = suspend.into_inner();
        let _one_at_a_time = self.accounts.by_email.lock();
        let standing = self.accounts.at(user).ok_or(AccountRefusal::Unknown(user))?;
        if by == Some(user) {
            return Err(AccountRefusal::Yourself(user).into());
        }
        if standing.is_suspended {
            return Err(AccountRefusal::AlreadySuspended(user).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let record = Record::UserSuspended { user, reason, by, at: now };
        let lsn = self.journal.append(permit, &record);
        self.accounts.set(user, Standing { is_suspended: true, ..standing });
        Ok(Pending::new((), lsn))
    }

    /// Lets an account in again.
    ///
    /// # Errors
    /// In this order: no such account, not suspended; journal unavailable.
    pub fn restore_user(
        &self,
        user: UserIndex,
        by: Option<UserIndex>,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<AccountRefusal>> {
        let _one_at_a_time = self.accounts.by_email.lock();
        let standing = self.accounts.at(user).ok_or(AccountRefusal::Unknown(user))?;
        if !standing.is_suspended {
            return Err(AccountRefusal::NotSuspended(user).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let lsn = self.journal.append(permit, &Record::UserRestored { user, by, at: now });
        self.accounts.set(user, Standing { is_suspended: false, ..standing });
        Ok(Pending::new((), lsn))
    }
}
