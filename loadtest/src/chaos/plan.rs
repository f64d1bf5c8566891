//! Which fault comes when: a seed decides it before the run, whatever the server does.

use std::time::Duration;

use anyhow::{anyhow, ensure};
use serde::Serialize;

use crate::dice::Dice;

/// Something that is done to the server or to its connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// `kill -9`, and a start over the same directory.
    Kill,
    /// `SIGSTOP`, and later `SIGCONT`.
    Pause,
    /// Nothing fits on the disk of the data directory any more.
    Disk,
    /// All connections end at once, some in the middle of an answer.
    Cut,
    /// Bytes come late and a few at a time.
    Slow,
}

impl Kind {
    const ALL: [Kind; 5] = [Kind::Kill, Kind::Pause, Kind::Disk, Kind::Cut, Kind::Slow];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Kill => "kill",
            Kind::Pause => "pause",
            Kind::Disk => "disk",
            Kind::Cut => "cut",
            Kind::Slow => "slow",
        }
    }

    /// Seconds, at least and at most, that it lasts; of a kill, until the server is started again.
    fn lasts(self) -> (f64, f64) {
        match self {
            Kind::Kill => (0.1, 1.0),
            Kind::Pause => (0.5, 2.0),
            Kind::Disk => (1.0, 2.0),
            Kind::Cut => (0.0, 0.2),
            Kind::Slow => (0.5, 2.0),
        }
    }

    /// Kinds by their names, with commas between them; all of them for no name at all.
    ///
    /// # Errors
    /// A name that none of them has.
    pub(crate) fn parse(names: &str) -> anyhow::Result<Vec<Kind>> {
        if names.is_empty() {
            return Ok(Kind::ALL.to_vec());
        }
        let kind = |name: &str| Kind::ALL.into_iter().find(|kind| kind.name() == name);
        let unknown =
            |name: &str| anyhow!("--chaos knows kill, pause, disk, cut, slow; not {name:?}");
        let mut kinds = Vec::new();
        for name in names.split(',') {
            let kind = kind(name).ok_or_else(|| unknown(name))?;
            ensure!(!kinds.contains(&kind), "--chaos: {name} twice");
            kinds.push(kind);
        }
        Ok(kinds)
    }
}

/// A fault that is to come.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// From the beginning of the run.
    pub(crate) at: Duration,
    pub(crate) lasts: Duration,
}

/// The faults of a run, in order. Each kind comes before any comes again.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    dice: Dice,
    kinds: Vec<Kind>,
    /// Kinds that have not come in this round.
    left: Vec<Kind>,
    every: f64,
    number: u32,
}

impl Plan {
    /// One fault in every so many seconds, somewhere in the first half of them, so that the server
    /// has the second half for itself.
    pub(crate) fn new(seed: u64, kinds: Vec<Kind>, every: f64) -> Plan {
        // No person has this number.
        let dice = Dice::of(seed, u64::MAX);
        Plan { dice, kinds, left: Vec::new(), every, number: 0 }
    }
}

impl Iterator for Plan {
    type Item = Fault;

    fn next(&mut self) -> Option<Fault> {
        if self.left.is_empty() {
            self.left.clone_from(&self.kinds);
        }
        let next = self.dice.below(self.left.len());
        let kind = self.left.get(next).copied()?;
        self.left.remove(next);
        let at = self.every * (f64::from(self.number) + 0.5 * self.dice.share());
        let (least, most) = kind.lasts();
        let lasts = least + (most - least) * self.dice.share();
        self.number += 1;
        let (at, lasts) = (Duration::from_secs_f64(at), Duration::from_secs_f64(lasts));
        Some(Fault { kind, at, lasts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(Kind::parse("").expect("all"), Kind::ALL);
        assert_eq!(Kind::parse("slow,kill").expect("two"), [Kind::Slow, Kind::Kill]);
        for wrong in ["fire", "kill,", "kill,kill", "kill pause"] {
            assert!(Kind::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_seed_decides_everything() {
        let plan = |seed| Plan::new(seed, Kind::ALL.to_vec(), 3.0).take(50).collect::<Vec<_>>();
        assert_eq!(plan(7), plan(7));
        assert_ne!(plan(7), plan(8));
        for round in plan(7).chunks(5) {
            assert!(Kind::ALL.iter().all(|kind| round.iter().any(|fault| fault.kind == *kind)));
        }
        for (fault, number) in plan(7).iter().zip(0..) {
            let from = 3.0 * f64::from(number);
            let at = fault.at.as_secs_f64();
            assert!((from..from + 1.5).contains(&at), "{number}: {at}");
        }
    }
}
