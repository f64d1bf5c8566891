//! Idempotency keys: a repeated command finds the first one's order instead of making another.

use std::collections::VecDeque;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use parking_lot::Mutex;

use crate::ids::{Lsn, ReservationId, UnixMillis, UserIndex};
use crate::limits::IDEMPOTENCY_KEPT_MS;
use crate::record::IdempotencyKey;

/// What a key did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub(crate) content: u64,
    pub(crate) reservation: ReservationId,
    /// What has to be durable before the answer leaves again (I6).
    pub(crate) lsn: Lsn,
    /// When.
    pub(crate) at: UnixMillis,
}

/// The keys of the last day, by user.
#[derive(Debug, Default)]
pub(crate) struct IdempotencyKeys {
    by_key: DashMap<(UserIndex, u128), Remembered>,
    by_age: Mutex<VecDeque<(UnixMillis, (UserIndex, u128))>>,
}

/// What a key was found to be.
pub(crate) enum Known {
    /// The same command was carried out before.
    Same(Remembered),
    /// The key came with other content.
    Reused,
}

impl IdempotencyKeys {
    /// Runs `command` unless the key is known and still `counts`; a second caller with the same key
    /// waits here for the first, whose command is synchronous and short. Refusals are not remembered:
    /// they changed nothing.
    pub(crate) fn once<T, E>(
        &self,
        user: UserIndex,
        key: IdempotencyKey,
        at: UnixMillis,
        counts: impl FnOnce(&Remembered) -> bool,
        command: impl FnOnce() -> Result<T, E>,
        remember: impl FnOnce(&T) -> (ReservationId, Lsn),
    ) -> Result<Result<T, Known>, E> {
        let name = (user, key.key);
        let entry = self.by_key.entry(name);
        if let Entry::Occupied(known) = &entry
            && counts(known.get())
        {
            let known = *known.get();
            let same = known.content == key.content;
            return Ok(Err(if same { Known::Same(known) } else { Known::Reused }));
        }
        let done = command()?;
        let (reservation, lsn) = remember(&done);
        entry.insert(Remembered { content: key.content, reservation, lsn, at });
        self.by_age.lock().push_back((at, name));
        Ok(Ok(done))
    }

    /// Adds a key found in the log; of two the later one counts.
    pub(crate) fn restore(&self, user: UserIndex, key: u128, known: Remembered) {
        self.by_key.insert((user, key), known);
        self.by_age.lock().push_back((known.at, (user, key)));
    }

    /// Forgets keys older than a day.
    pub(crate) fn forget_old(&self, now: UnixMillis) {
        let mut by_age = self.by_age.lock();
        while by_age.front().is_some_and(|(at, _)| at.plus(IDEMPOTENCY_KEPT_MS) <= now) {
            if let Some((at, name)) = by_age.pop_front() {
                // It may have been used again since.
                self.by_key.remove_if(&name, |_, known| known.at == at);
            }
        }
    }
}
