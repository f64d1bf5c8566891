//! People who were let in, each with a deadline of his own that activity moves.

use std::collections::{BTreeSet, HashMap};

use crate::ids::{Lsn, UnixMillis, UserIndex};
use crate::waiting_room::line::UserHash;

/// The active sessions of one event.
///
/// Activity only notes the instant. The order by deadline has one entry a session, which is looked
/// at when it comes up and put where it belongs then: once a lifetime, however active somebody is.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    by_user: HashMap<UserIndex, Session, UserHash>,
    by_deadline: BTreeSet<(UnixMillis, UserIndex)>,
    /// Nobody is taken to have been away before this: the restart.
    alive_since: UnixMillis,
}

#[derive(Debug)]
struct Session {
    seen_at: UnixMillis,
    /// His entry in `by_deadline`; the deadline itself or before it.
    looked_at: UnixMillis,
    /// The record that let him in.
    lsn: Lsn,
}

impl Sessions {
    pub(crate) fn len(&self) -> u32 {
        self.by_user.len() as u32
    }

    /// Gives everybody who is in a fresh lifetime.
    pub(crate) fn wake(&mut self, now: UnixMillis) {
        self.alive_since = now;
    }

    /// Begins a session, after its record.
    pub(crate) fn begin(&mut self, user: UserIndex, now: UnixMillis, ttl_ms: u64, lsn: Lsn) {
        let looked_at = now.plus(ttl_ms);
        self.end(user);
        self.by_user.insert(user, Session { seen_at: now, looked_at, lsn });
        self.by_deadline.insert((looked_at, user));
    }

    /// Ends a session; whether there was one.
    pub(crate) fn end(&mut self, user: UserIndex) -> bool {
        let Some(session) = self.by_user.remove(&user) else {
            return false;
        };
        self.by_deadline.remove(&(session.looked_at, user));
        true
    }

    /// The record that began a session, and whether it still lives at `now`.
    pub(crate) fn get(&self, user: UserIndex, now: UnixMillis, ttl_ms: u64) -> Option<(Lsn, bool)> {
        let session = self.by_user.get(&user)?;
        Some((session.lsn, now < self.deadline(session, ttl_ms)))
    }

    /// Notes activity. For a live session only: a session that is over does not come back.
    pub(crate) fn touch(&mut self, user: UserIndex, now: UnixMillis) {
        if let Some(session) = self.by_user.get_mut(&user) {
            session.seen_at = session.seen_at.max(now);
        }
    }

    /// The next person whose session is over at `now`; he stays until [`Sessions::end`].
    pub(crate) fn next_over(&mut self, now: UnixMillis, ttl_ms: u64) -> Option<UserIndex> {
        while let Some(&(looked_at, user)) = self.by_deadline.first() {
            if looked_at > now {
                return None;
            }
            let deadline = self.by_user.get(&user).map(|session| self.deadline(session, ttl_ms))?;
            if deadline <= now {
                return Some(user);
            }
            self.look_at(user, looked_at, deadline);
        }
        None
    }

    /// Looks at everybody again, for a lifetime that was changed.
    pub(crate) fn look_again(&mut self) {
        let users: Vec<(UnixMillis, UserIndex)> = self.by_deadline.iter().copied().collect();
        for (looked_at, user) in users {
            self.look_at(user, looked_at, UnixMillis(0));
        }
    }

    /// Everybody who is in, in no order.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserIndex> + '_ {
        self.by_user.keys().copied()
    }

    /// Ends all of them.
    pub(crate) fn clear(&mut self) {
        self.by_user.clear();
        self.by_deadline.clear();
    }

    fn deadline(&self, session: &Session, ttl_ms: u64) -> UnixMillis {
        session.seen_at.max(self.alive_since).plus(ttl_ms)
    }

    fn look_at(&mut self, user: UserIndex, before: UnixMillis, at: UnixMillis) {
        if let Some(session) = self.by_user.get_mut(&user) {
            session.looked_at = at;
            self.by_deadline.remove(&(before, user));
            self.by_deadline.insert((at, user));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: u64 = 300;

    fn over(sessions: &mut Sessions, now: u64) -> Vec<u32> {
        let mut over = Vec::new();
        while let Some(user) = sessions.next_over(UnixMillis(now), TTL) {
            assert!(sessions.end(user));
            over.push(user.0);
        }
        over
    }

    #[test]
    fn each_session_ends_at_its_own_deadline() {
        let mut sessions = Sessions::default();
        for user in 0..3 {
            sessions.begin(UserIndex(user), UnixMillis(user.into()), TTL, Lsn(7));
        }
        sessions.touch(UserIndex(0), UnixMillis(100));
        sessions.touch(UserIndex(0), UnixMillis(50));
        assert_eq!(over(&mut sessions, 300), vec![]);
        assert_eq!(sessions.get(UserIndex(1), UnixMillis(300), TTL), Some((Lsn(7), true)));
        assert_eq!(sessions.get(UserIndex(1), UnixMillis(301), TTL), Some((Lsn(7), false)));
        assert_eq!(over(&mut sessions, 399), vec![1, 2]);
        assert_eq!(over(&mut sessions, 400), vec![0]);
        assert_eq!((sessions.len(), sessions.by_deadline.len()), (0, 0));
    }

    #[test]
    fn coming_and_going_leaves_nothing_behind() {
        let mut sessions = Sessions::default();
        for round in 0..100 {
            sessions.begin(UserIndex(1), UnixMillis(round), TTL, Lsn(1));
            assert_eq!(sessions.by_deadline.len(), 1);
            if round % 2 == 0 {
                assert!(sessions.end(UserIndex(1)));
            }
        }
        assert!(sessions.end(UserIndex(1)));
        assert!(!sessions.end(UserIndex(1)));
    }

    #[test]
    fn a_restart_and_a_changed_lifetime_count_for_everybody() {
        let mut sessions = Sessions::default();
        sessions.begin(UserIndex(1), UnixMillis(0), 0, Lsn(0));
        sessions.wake(UnixMillis(1_000));
        assert_eq!(over(&mut sessions, 1_299), vec![]);
        sessions.look_again();
        let next_over = sessions.next_over(UnixMillis(1_100), 100);
        assert_eq!(next_over, Some(UserIndex(1)));
    }
}
