//! Waiting rooms: places in the order of arrival, admissions in the order of places.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use tiketi_engine::ids::{EventIndex, Place, UnixMillis, UserIndex};
use tiketi_engine::record::{LeaveReason, QueueSettings};
use tiketi_engine::state::Queue;

use super::Auditor;
use super::finding::Rule;

/// An event's waiting room, as the auditor sees it.
#[derive(Default)]
pub(super) struct QueueModel {
    /// None before the first record about it.
    settings: Option<QueueSettings>,
    /// Places handed out so far.
    places: u32,
    by_place: BTreeMap<u32, u32>,
    by_user: HashMap<u32, u32>,
    active: BTreeSet<u32>,
    /// Places of those whom an administrator moved up.
    moved_up: VecDeque<u32>,
}

impl QueueModel {
    /// What a snapshot says of it.
    pub(super) fn of(queue: &Queue) -> QueueModel {
        let by_place: BTreeMap<u32, u32> =
            queue.waiting().map(|(place, user, _)| (place.0, user.0)).collect();
        QueueModel {
            settings: queue.settings().copied(),
            places: queue.next_place().0.saturating_sub(1),
            by_user: by_place.iter().map(|(&place, &user)| (user, place)).collect(),
            by_place,
            active: queue.active().map(|(user, _)| user.0).collect(),
            moved_up: queue.moved_up().iter().map(|place| place.0).collect(),
        }
    }

    /// Whether a snapshot says the same.
    pub(super) fn agrees_with(&self, queue: &Queue) -> bool {
        let other = QueueModel::of(queue);
        self.settings == other.settings
            && self.places == other.places
            && self.by_place == other.by_place
            && self.active == other.active
            && self.moved_up == other.moved_up
    }

    fn leave_line(&mut self, user: u32) -> bool {
        let Some(place) = self.by_user.remove(&user) else {
            return false;
        };
        self.by_place.remove(&place);
        self.moved_up.retain(|&other| other != place);
        true
    }

    fn clear_line(&mut self) {
        self.by_place.clear();
        self.by_user.clear();
        self.moved_up.clear();
    }

    /// The place whose turn it is.
    fn first(&self) -> Option<u32> {
        let by_place = || self.by_place.keys().next().copied();
        self.moved_up.front().copied().or_else(by_place)
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
        queue.places = queue.places.max(place.0);
        queue.by_place.insert(place.0, user.0);
        queue.by_user.insert(user.0, place.0);
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
        queue.leave_line(user.0);
        queue.active.insert(user.0);
        let active = queue.active.len() as u64;
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
            Some(&place) if !queue.moved_up.contains(&place) => queue.moved_up.push_back(place),
            _ => {
                let text = format!("user {user} is moved up at event {event}, not waiting there");
                self.find(Rule::OrderOfLife, text);
            }
        }
    }

    fn queue(&mut self, event: EventIndex, at: UnixMillis) -> Option<&mut QueueModel> {
        self.instant(at);
        if event.position() >= self.events.len() {
            self.find(Rule::UnknownThing, format!("a queue of event {event}, unknown"));
        }
        self.events.get_mut(event.position()).map(|event| &mut event.queue)
    }
}
