//! Waiting rooms: places in the order of arrival or of the draw, admissions in the order of places
//! within a lane, lanes by their shares.

use std::collections::{BTreeSet, HashMap, VecDeque};

use tiketi_engine::ids::{EventIndex, Lane, Place, UnixMillis, UserIndex};
use tiketi_engine::record::{LeaveReason, QueueSettings};
use tiketi_engine::state::Queue;
use tiketi_engine::waiting_room::draw::Seed;
use tiketi_engine::waiting_room::lanes::LaneShare;

use super::Auditor;
use super::finding::Rule;
use crate::draw;

/// An event's waiting room, as the auditor sees it.
#[derive(Default)]
pub(super) struct QueueModel {
    /// None before the first record about it.
    settings: Option<QueueSettings>,
    /// Places handed out so far.
    places: u32,
    by_user: HashMap<u32, u32>,
    lanes: LaneModels,
    active: BTreeSet<u32>,
    /// Places of those whom an administrator moved up.
    moved_up: VecDeque<u32>,
    /// The seed of a lobby that is open.
    lobby: Option<Seed>,
}

/// The lanes of a line, with those who are let in by turn.
#[derive(PartialEq)]
struct LaneModels {
    /// By lane: its share, when its next turn is due, and its places.
    lanes: Vec<(u64, u64, BTreeSet<u32>)>,
    /// Lanes of people who were put into one.
    by_user: HashMap<u32, usize>,
    /// When the last turn was due.
    now: u64,
}

impl Default for LaneModels {
    fn default() -> LaneModels {
        LaneModels { lanes: vec![(1, 0, BTreeSet::new())], by_user: HashMap::new(), now: 0 }
    }
}

impl LaneModels {
    fn of(&self, user: u32) -> usize {
        self.by_user.get(&user).copied().unwrap_or(0)
    }

    /// A lane in which nobody waited has no turns from before.
    fn add(&mut self, user: u32, place: u32) {
        let (lane, now) = (self.of(user), self.now);
        if let Some((_, due, places)) = self.lanes.get_mut(lane) {
            if places.is_empty() {
                *due = now.max(*due);
            }
            places.insert(place);
        }
    }

    fn remove(&mut self, place: u32) {
        self.lanes.iter_mut().for_each(|(.., places)| {
            places.remove(&place);
        });
    }

    fn clear(&mut self) {
        self.lanes.iter_mut().for_each(|(.., places)| places.clear());
    }

    /// The lane whose turn it is: the one that is due first.
    fn next(&self) -> Option<usize> {
        let lanes = self.lanes.iter().enumerate().filter(|(_, (.., places))| !places.is_empty());
        lanes.min_by_key(|(position, (_, due, _))| (*due, *position)).map(|(position, _)| position)
    }

    /// A turn costs a lane the more the smaller its share is; one lane alone has none.
    fn take_turn(&mut self, lane: usize) {
        if self.lanes.len() < 2 {
            return;
        }
        let common: u64 = self.lanes.iter().map(|(share, ..)| share).product();
        let (share, due, _) = &mut self.lanes[lane];
        self.now = *due;
        *due += common / *share;
    }
}

impl QueueModel {
    /// What a snapshot says of it.
    pub(super) fn of(queue: &Queue) -> QueueModel {
        let mut lanes = LaneModels { now: queue.turn(), ..LaneModels::default() };
        let shares = queue.lanes().iter().map(|lane| u64::from(lane.share));
        if !queue.lanes().is_empty() {
            lanes.lanes = shares.map(|share| (share, 0, BTreeSet::new())).collect();
        }
        lanes.by_user =
            queue.lane_members().map(|(user, lane)| (user.0, lane.position())).collect();
        let moved_up: VecDeque<u32> = queue.moved_up().iter().map(|place| place.0).collect();
        let by_user: HashMap<u32, u32> =
            queue.waiting().map(|(place, user, _)| (user.0, place.0)).collect();
        let by_turn = by_user.iter().filter(|(_, place)| !moved_up.contains(place));
        by_turn.for_each(|(&user, &place)| lanes.add(user, place));
        lanes.lanes.iter_mut().zip(queue.due()).for_each(|(lane, &due)| lane.1 = due);
        let lottery = queue.lottery().filter(|lottery| lottery.drawn.is_none());
        QueueModel {
            settings: queue.settings().copied(),
            places: queue.next_place().0.saturating_sub(1),
            by_user,
            lanes,
            active: queue.active().map(|(user, _)| user.0).collect(),
            moved_up,
            lobby: lottery.map(|lottery| lottery.seed),
        }
    }

    /// Whether a snapshot says the same.
    pub(super) fn agrees_with(&self, queue: &Queue) -> bool {
        let other = QueueModel::of(queue);
        self.settings == other.settings
            && self.places == other.places
            && self.by_user == other.by_user
            && self.lanes == other.lanes
            && self.active == other.active
            && self.moved_up == other.moved_up
            && self.lobby == other.lobby
    }

    fn join(&mut self, user: u32, place: u32) {
        self.places = self.places.max(place);
        self.by_user.insert(user, place);
        self.lanes.add(user, place);
    }

    fn leave_line(&mut self, user: u32) -> bool {
        let Some(place) = self.by_user.remove(&user) else {
            return false;
        };
        self.lanes.remove(place);
        self.moved_up.retain(|&other| other != place);
        true
    }

    fn clear_line(&mut self) {
        self.by_user.clear();
        self.lanes.clear();
        self.moved_up.clear();
    }

    /// The place whose turn it is.
    fn first(&self) -> Option<u32> {
        let by_turn = || self.lanes.lanes[self.lanes.next()?].2.first().copied();
        self.moved_up.front().copied().or_else(by_turn)
    }
}

impl Auditor {
    pub(super) fn queue_joined(
        &mut self,
        event: EventIndex,
        user: UserIndex,
        place: Place,
        at: UnixMillis,
    ) {
        if user.position() >= self.users.len() {
            let text = format!("user {user} joins the line of event {event}, unknown");
            self.find(Rule::UnknownThing, text);
        }
        let Some(queue) = self.queue(event, at) else { return };
        let mut found = Vec::new();
        if place.0 != queue.places.wrapping_add(1) {
            let text = format!("place {place} of event {event} comes after {}", queue.places);
            found.push((Rule::Numbering, text));
        }
        if queue.by_user.contains_key(&user.0) || queue.active.contains(&user.0) {
            let text = format!("user {user} takes another place at event {event}");
            found.push((Rule::TwoPlaces, text));
            queue.leave_line(user.0);
            queue.active.remove(&user.0);
        }
        queue.join(user.0, place.0);
        self.add(found);
    }

    pub(super) fn queue_admitted(
        &mut self,
        event: EventIndex,
        user: UserIndex,
        place: Place,
        at: UnixMillis,
    ) {
        let Some(queue) = self.queue(event, at) else { return };
        let mut found = Vec::new();
        if queue.active.contains(&user.0) {
            found.push((Rule::TwoPlaces, format!("user {user} is let in twice at event {event}")));
        }
        if queue.by_user.get(&user.0) != Some(&place.0) {
            let text = format!("user {user} is let in at event {event}, not waiting at {place}");
            found.push((Rule::Overtaking, text));
        } else if let Some(first) = queue.first().filter(|&first| first != place.0) {
            let text = format!("place {place} of event {event} is let in before place {first}");
            found.push((Rule::Overtaking, text));
        }
        let is_moved_up = queue.moved_up.contains(&place.0);
        if !is_moved_up && queue.by_user.contains_key(&user.0) {
            let lane = queue.lanes.of(user.0);
            queue.lanes.take_turn(lane);
        }
        queue.leave_line(user.0);
        queue.active.insert(user.0);
        let active = queue.active.len() as u64;
        if queue.lobby.is_some() && !is_moved_up {
            let text = format!("user {user} is let in at event {event} before the draw");
            found.push((Rule::Overtaking, text));
        }
        match queue.settings {
            None => {
                let text = format!("event {event} lets people in by settings not known");
                found.push((Rule::Threshold, text));
            }
            Some(settings) => {
                if active > u64::from(settings.threshold) {
                    let text = format!(
                        "{active} people are in at event {event}, allowed are {}",
                        settings.threshold
                    );
                    found.push((Rule::Threshold, text));
                }
                if settings.paused && !is_moved_up {
                    let text = format!("user {user} is let in while event {event} is paused");
                    found.push((Rule::Threshold, text));
                }
            }
        }
        self.add(found);
    }

    pub(super) fn queue_left(
        &mut self,
        event: EventIndex,
        user: UserIndex,
        reason: LeaveReason,
        at: UnixMillis,
    ) {
        let Some(queue) = self.queue(event, at) else { return };
        let waited = queue.leave_line(user.0);
        let was_in = queue.active.remove(&user.0);
        let fits = match reason {
            LeaveReason::Left => waited || was_in,
            LeaveReason::SessionOver => was_in,
            LeaveReason::Silent => waited,
        };
        if !fits {
            let text = format!("user {user} leaves event {event} ({reason:?}), where he is not");
            self.find(Rule::OrderOfLife, text);
        }
    }

    pub(super) fn queue_cleared(&mut self, event: EventIndex, at: UnixMillis) {
        if let Some(queue) = self.queue(event, at) {
            queue.clear_line();
            queue.active.clear();
        }
    }

    pub(super) fn queue_closed(&mut self, event: EventIndex, at: UnixMillis) {
        if let Some(queue) = self.queue(event, at) {
            queue.clear_line();
        }
    }

    pub(super) fn queue_changed(
        &mut self,
        event: EventIndex,
        settings: QueueSettings,
        at: UnixMillis,
    ) {
        if let Some(queue) = self.queue(event, at) {
            queue.settings = Some(settings);
        }
    }

    pub(super) fn queue_moved_up(&mut self, event: EventIndex, user: UserIndex, at: UnixMillis) {
        let Some(queue) = self.queue(event, at) else { return };
        match queue.by_user.get(&user.0) {
            Some(&place) if !queue.moved_up.contains(&place) => {
                queue.moved_up.push_back(place);
                queue.lanes.remove(place);
            }
            _ => {
                let text = format!("user {user} is moved up at event {event}, not waiting there");
                self.find(Rule::OrderOfLife, text);
            }
        }
    }

    pub(super) fn queue_lanes_set(
        &mut self,
        event: EventIndex,
        lanes: &[LaneShare],
        at: UnixMillis,
    ) {
        let Some(queue) = self.queue(event, at) else { return };
        let known = std::mem::take(&mut queue.lanes);
        let places = |position: usize| {
            known.lanes.get(position).map(|(.., places)| places.clone()).unwrap_or_default()
        };
        let new = lanes.iter().enumerate();
        queue.lanes = LaneModels {
            lanes: new
                .map(|(position, lane)| (u64::from(lane.share), 0, places(position)))
                .collect(),
            by_user: known.by_user,
            now: 0,
        };
        let is_wrong = lanes.len() < known.lanes.len() || lanes.iter().any(|lane| lane.share == 0);
        if is_wrong {
            let text = format!("event {event} gets lanes that cannot be");
            self.find(Rule::OrderOfLife, text);
        }
    }

    pub(super) fn queue_lane_given(
        &mut self,
        event: EventIndex,
        lane: Lane,
        users: &[UserIndex],
        at: UnixMillis,
    ) {
        let Some(queue) = self.queue(event, at) else { return };
        if lane.position() >= queue.lanes.lanes.len() {
            let text = format!("people get lane {lane} of event {event}, which it does not have");
            self.find(Rule::UnknownThing, text);
            return;
        }
        for user in users {
            let place = queue.by_user.get(&user.0).filter(|place| !queue.moved_up.contains(place));
            match lane {
                Lane::EVERYBODYS => queue.lanes.by_user.remove(&user.0),
                _ => queue.lanes.by_user.insert(user.0, lane.position()),
            };
            if let Some(&place) = place {
                let waits_there = queue.lanes.lanes[lane.position()].2.contains(&place);
                if !waits_there {
                    queue.lanes.remove(place);
                    queue.lanes.add(user.0, place);
                }
            }
        }
    }

    pub(super) fn queue_lobby_opened(&mut self, event: EventIndex, seed: Seed, at: UnixMillis) {
        let Some(queue) = self.queue(event, at) else { return };
        let is_late = !queue.by_user.is_empty();
        queue.lobby = Some(seed);
        if is_late {
            let text = format!("event {event} gets a lobby while people wait in line");
            self.find(Rule::Overtaking, text);
        }
    }

    /// Gives everybody the place that the seed says, whatever the engine made of it.
    pub(super) fn queue_drawn(&mut self, event: EventIndex, beacon: &str, at: UnixMillis) {
        let Some(queue) = self.queue(event, at) else { return };
        let Some(seed) = queue.lobby.take() else {
            self.find(Rule::OrderOfLife, format!("event {event} has a draw without a lobby"));
            return;
        };
        let users: HashMap<u32, u32> =
            queue.by_user.iter().map(|(&user, &place)| (place, user)).collect();
        let order = draw::order(&seed, beacon, users.keys().copied());
        let moved_up: Vec<u32> = queue.moved_up.iter().map(|place| users[place]).collect();
        let due: Vec<u64> = queue.lanes.lanes.iter().map(|&(_, due, _)| due).collect();
        queue.clear_line();
        for ticket in order {
            queue.join(users[&ticket], queue.places + 1);
        }
        for user in moved_up {
            let place = queue.by_user[&user];
            queue.lanes.remove(place);
            queue.moved_up.push_back(place);
        }
        queue.lanes.lanes.iter_mut().zip(due).for_each(|(lane, due)| lane.1 = due);
    }

    fn queue(&mut self, event: EventIndex, at: UnixMillis) -> Option<&mut QueueModel> {
        self.instant(at);
        if event.position() >= self.events.len() {
            self.find(Rule::UnknownThing, format!("a queue of event {event}, unknown"));
        }
        self.events.get_mut(event.position()).map(|event| &mut event.queue)
    }
}
