//! The lanes of a line: their names and shares, and who belongs to them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::{Lane, UserIndex};
use crate::limits::{LANE_NAME_CHARS_MAX, LANE_SHARE_MAX, LANES_MAX};
pub use crate::record::LaneShare;
use crate::waiting_room::turns::Turns;

/// The lanes of one event. The first is that of everybody who was put into no other.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Lanes {
    /// Empty for a line without priorities.
    shares: Vec<LaneShare>,
    members: BTreeMap<UserIndex, Lane>,
}

impl Lanes {
    pub(crate) fn shares(&self) -> &[LaneShare] {
        &self.shares
    }

    pub(crate) fn lane_of(&self, user: UserIndex) -> Lane {
        self.members.get(&user).copied().unwrap_or(Lane::EVERYBODYS)
    }

    pub(crate) fn members(&self, lane: Lane) -> usize {
        self.members.values().filter(|&&other| other == lane).count()
    }

    pub(crate) fn all_members(&self) -> impl Iterator<Item = (UserIndex, Lane)> + '_ {
        self.members.iter().map(|(&user, &lane)| (user, lane))
    }

    /// Whether these lanes may take the place of those there are: 1 to [`LANES_MAX`] of them with
    /// names and shares in range, and none that somebody may belong to is gone or renamed.
    pub(crate) fn may_become(&self, shares: &[LaneShare]) -> bool {
        let in_range = |lane: &LaneShare| {
            (1..=LANE_NAME_CHARS_MAX).contains(&lane.name.chars().count())
                && (1..=LANE_SHARE_MAX).contains(&lane.share)
        };
        let unique = |position: usize| {
            !shares[..position].iter().any(|other| other.name == shares[position].name)
        };
        (1..=LANES_MAX).contains(&shares.len())
            && shares.iter().all(in_range)
            && (0..shares.len()).all(unique)
            && shares.len() >= self.shares.len()
            && self.shares.iter().zip(shares).all(|(old, new)| old.name == new.name)
    }

    pub(crate) fn set_shares(&mut self, shares: Vec<LaneShare>) {
        self.shares = shares;
    }

    pub(crate) fn has(&self, lane: Lane) -> bool {
        lane.position() < self.shares.len().max(1)
    }

    pub(crate) fn put(&mut self, user: UserIndex, lane: Lane) {
        match lane {
            Lane::EVERYBODYS => self.members.remove(&user),
            _ => self.members.insert(user, lane),
        };
    }

    /// Turns in which no lane had one yet.
    pub(crate) fn turns(&self) -> Turns {
        match self.shares.is_empty() {
            true => Turns::default(),
            false => Turns::new(&self.share_numbers()),
        }
    }

    pub(crate) fn share_numbers(&self) -> Vec<u16> {
        match self.shares.is_empty() {
            true => vec![1],
            false => self.shares.iter().map(|lane| lane.share).collect(),
        }
    }

    /// Whether what a snapshot has can be.
    pub(crate) fn check(&self) -> Result<(), String> {
        let lanes_fit = self.shares.is_empty() || Lanes::default().may_become(&self.shares);
        let members_fit = self.members.values().all(|&lane| lane.0 > 0 && self.has(lane));
        match lanes_fit && members_fit {
            true => Ok(()),
            false => Err("the lanes of a line are out of range".to_owned()),
        }
    }
}
