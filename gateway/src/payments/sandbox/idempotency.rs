//! What was answered under an idempotency key.
//!
//! Two requests are the same by key, method and address. Stripe compares their bodies as well; Toss
//! does not, unless question 3 is answered so.

use std::collections::{HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::reply::Reply;

/// An answer, as a replay gives it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stored {
    pub(super) status: u16,
    pub(super) body: Bytes,
    pub(super) trace: String,
}

/// A stored answer as a line of the ledger's file.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct AnswerLine {
    scope: String,
    body_hash: u64,
    first_used_at: u64,
    status: u16,
    trace: String,
    body: String,
}

/// What becomes of a request that carries a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// It is the first: carry it out.
    First,
    Replay(Stored),
    /// The first one is still being carried out.
    Running,
    /// The first one had another body.
    OtherBody,
}

struct Entry {
    body_hash: u64,
    first_used_at: u64,
    /// None while the first one runs.
    stored: Option<Stored>,
}

/// Answers by scope (method, address and key); the oldest are forgotten where there are too many.
pub(super) struct Answers {
    entries: HashMap<String, Entry>,
    /// Scopes by first use.
    by_age: VecDeque<(u64, String)>,
    entries_max: usize,
    /// From the first use.
    kept_ms: u64,
}

impl Answers {
    pub(super) fn new(entries_max: usize, kept_ms: u64) -> Self {
        Answers { entries: HashMap::new(), by_age: VecDeque::new(), entries_max, kept_ms }
    }

    /// A request comes.
    pub(super) fn begin(&mut self, scope: &str, body: &[u8], compares: bool, now: u64) -> Begun {
        self.forget(now);
        let body_hash = hash(body);
        match self.entries.get(scope) {
            Some(entry) if compares && entry.body_hash != body_hash => Begun::OtherBody,
            Some(Entry { stored: Some(stored), .. }) => Begun::Replay(stored.clone()),
            Some(Entry { stored: None, .. }) => Begun::Running,
            None => {
                self.insert(scope, Entry { body_hash, first_used_at: now, stored: None });
                Begun::First
            }
        }
    }

    /// The first request is answered, with what replays give again; the line to keep. Where it is not
    /// kept the next request is the first.
    pub(super) fn answered(
        &mut self,
        scope: &str,
        reply: &Reply,
        trace: &str,
        is_kept: bool,
    ) -> Option<AnswerLine> {
        if !is_kept {
            self.entries.remove(scope);
            return None;
        }
        let (status, body) = (reply.status.as_u16(), reply.body.clone());
        self.end(scope, Stored { status, body, trace: trace.to_owned() })
    }

    fn end(&mut self, scope: &str, stored: Stored) -> Option<AnswerLine> {
        let entry = self.entries.get_mut(scope)?;
        let line = AnswerLine {
            scope: scope.to_owned(),
            body_hash: entry.body_hash,
            first_used_at: entry.first_used_at,
            status: stored.status,
            trace: stored.trace.clone(),
            body: String::from_utf8_lossy(&stored.body).into_owned(),
        };
        entry.stored = Some(stored);
        Some(line)
    }

    /// An answer of an earlier start.
    pub(super) fn restore(&mut self, line: AnswerLine) {
        let AnswerLine { scope, body_hash, first_used_at, status, trace, body } = line;
        let stored = Some(Stored { status, trace, body: body.into() });
        self.insert(&scope, Entry { body_hash, first_used_at, stored });
    }

    fn insert(&mut self, scope: &str, entry: Entry) {
        self.by_age.push_back((entry.first_used_at, scope.to_owned()));
        self.entries.insert(scope.to_owned(), entry);
    }

    fn forget(&mut self, now: u64) {
        while let Some((first_used_at, _)) = self.by_age.front()
            && (first_used_at.saturating_add(self.kept_ms) <= now
                || self.by_age.len() > self.entries_max)
        {
            let Some((first_used_at, scope)) = self.by_age.pop_front() else { return };
            // One that was undone may have come again since.
            if self.entries.get(&scope).is_some_and(|entry| entry.first_used_at == first_used_at) {
                self.entries.remove(&scope);
            }
        }
    }
}

fn hash(body: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    body.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored() -> Stored {
        Stored { status: 400, body: Bytes::from_static(b"{}"), trace: "t".to_owned() }
    }

    #[test]
    fn the_first_runs_and_the_others_get_its_answer_for_a_while() {
        const KEPT_MS: u64 = 1_000;
        let mut answers = Answers::new(10, KEPT_MS);
        assert_eq!(answers.begin("a", b"1", false, 0), Begun::First);
        assert_eq!(answers.begin("a", b"1", false, 1), Begun::Running);
        assert!(answers.end("a", stored()).is_some());
        assert_eq!(answers.begin("a", b"2", false, KEPT_MS - 1), Begun::Replay(stored()));
        assert_eq!(answers.begin("a", b"2", true, KEPT_MS - 1), Begun::OtherBody);
        assert_eq!(answers.begin("a", b"2", false, KEPT_MS), Begun::First);
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut answers = Answers::new(2, 1_000);
        for scope in ["a", "b", "c", "d"] {
            assert_eq!(answers.begin(scope, b"", false, 0), Begun::First);
        }
        assert!(answers.entries.len() <= 3);
        assert_eq!(answers.begin("d", b"", false, 0), Begun::Running);
    }
}
