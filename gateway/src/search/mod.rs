//! Finding events: the list with its filters, and suggestions while somebody types.
//!
//! Both are answered from one [`Catalogue`] in memory, derived from the view and never stored. The
//! view's thread notes which events' descriptions a batch touches; the next search reads those
//! anew. So a search shows all that the view shows, and costs nothing while nobody searches. Seats
//! and stock are not in the catalogue: what depends on them is read from the view.

mod catalogue;
mod entry;
mod filter;
mod hangul;
mod letters;
mod names;
mod order;
mod terms;
mod texts;
mod words;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::{Mutex, RwLock};
use tiketi_engine::ids::EventIndex;
use tiketi_engine::record::Record;
use tiketi_engine::state::State;
use tiketi_persistence::View;

pub use crate::search::catalogue::Catalogue;
pub use crate::search::filter::{Filter, Sort};

/// Events read anew under one lock of the view; in between its writer gets its turn.
const READ_AT_ONCE: usize = 1_000;

/// The catalogue that requests share, kept up to date.
pub(crate) struct SearchIndex {
    catalogue: RwLock<Catalogue>,
    changes: Arc<Changes>,
}

/// What the catalogue has not seen yet of what the view shows.
#[derive(Default)]
pub(crate) struct Changes {
    is_any: AtomicBool,
    /// Changes of what is described of events, since the start.
    described: AtomicU64,
    events: Mutex<BTreeSet<EventIndex>>,
}

impl SearchIndex {
    /// The catalogue of a state, and where to note what changes after it.
    pub(crate) fn of(state: &State) -> SearchIndex {
        let catalogue = RwLock::new(Catalogue::of(state));
        SearchIndex { catalogue, changes: Arc::default() }
    }

    /// For the view's thread.
    pub(crate) fn changes(&self) -> Arc<Changes> {
        Arc::clone(&self.changes)
    }

    /// Reads the catalogue as of what the view shows now, or later.
    pub(crate) fn read<T>(&self, view: &View, read: impl FnOnce(&Catalogue) -> T) -> T {
        // ORDERING: Acquire, with the Release of `note`: the view let go of its lock after it, and
        // whoever comes here has seen the view's position since.
        if self.changes.is_any.load(Ordering::Acquire) {
            let mut catalogue = self.catalogue.write();
            while !view.read(|state| self.catch_up(&mut catalogue, state)) {}
        }
        read(&self.catalogue.read())
    }

    /// A number that is another one whenever what is described of any event has changed: all of it
    /// but seats, stock and what the clock says. To be asked under the view's lock; it is of what
    /// the view shows.
    pub(crate) fn described(&self) -> u64 {
        // ORDERING: Relaxed; written under the view's lock.
        self.changes.described.load(Ordering::Relaxed)
    }

    /// Takes in some of what changed; whether that was all of what `state` shows.
    fn catch_up(&self, catalogue: &mut Catalogue, state: &State) -> bool {
        catalogue.pair(state.keywords());
        // Nothing is noted meanwhile: whoever notes has the view's lock to itself.
        let mut events = self.changes.events.lock();
        for _ in 0..READ_AT_ONCE {
            let Some(event) = events.pop_first() else {
                self.changes.is_any.store(false, Ordering::Release);
                return true;
            };
            catalogue.put(event, state);
        }
        false
    }
}

impl Changes {
    /// A record is being folded, under the view's lock.
    pub(crate) fn note(&self, record: &Record) {
        let Some(described) = described(record) else {
            return;
        };
        self.described.fetch_add(1, Ordering::Relaxed);
        let mut events = self.events.lock();
        match described {
            Described::Event(event) => drop(events.insert(event)),
            Described::Keyword => {}
            // Read from the view.
            Described::Category => return,
        }
        self.is_any.store(true, Ordering::Release);
    }
}

/// What a record says of events or the words for them.
enum Described {
    Event(EventIndex),
    Keyword,
    Category,
}

/// Exhaustive, so that a new record does not compile before somebody has thought of searches.
fn described(record: &Record) -> Option<Described> {
    match record {
        Record::EventCreated(created) => Some(Described::Event(created.event)),
        Record::EventEdited { event, .. }
        | Record::EventCancelled { event, .. }
        | Record::EventDeleted { event, .. }
        | Record::SeatsRemoved { event, .. }
        | Record::SeatsGenerated { event, .. } => Some(Described::Event(*event)),
        Record::TicketTypesAdded(added) => Some(Described::Event(added.event)),
        Record::TicketTypeEdited(edited) => Some(Described::Event(edited.event)),
        Record::EventTermsSet(set) => Some(Described::Event(set.event)),
        Record::KeywordMapped(_) => Some(Described::Keyword),
        Record::EventCategorised { .. } | Record::CategoryRenamed(_) => Some(Described::Category),
        Record::EpochStarted { .. }
        | Record::Held(_)
        | Record::PaymentStarted(_)
        | Record::PaymentFailed { .. }
        | Record::Paid { .. }
        | Record::OrderEnded { .. }
        | Record::SeatsBlocked { .. }
        | Record::SeatsUnblocked { .. }
        | Record::UserRegistered(_)
        | Record::UserRoleChanged { .. }
        | Record::LayoutCreated(_)
        | Record::QueueJoined { .. }
        | Record::QueueAdmitted { .. }
        | Record::QueueLeft { .. }
        | Record::QueueCleared { .. }
        | Record::QueueClosed { .. }
        | Record::QueueChanged { .. }
        | Record::QueueMovedUp { .. }
        | Record::QueueLanesSet { .. }
        | Record::QueueLaneGiven { .. }
        | Record::QueueLobbyOpened { .. }
        | Record::QueueDrawn { .. }
        | Record::ChargeOpened(_)
        | Record::CaptureStarted(_)
        | Record::CaptureEnded { .. }
        | Record::ProviderAnswered(_)
        | Record::SeatsReturned(_)
        | Record::RefundEnded { .. }
        | Record::RefundAccountGiven(_)
        | Record::OrderConfirmed(_)
        | Record::NewsPosted(_)
        | Record::NewsEdited(_)
        | Record::NewsDeleted { .. }
        | Record::NewsViewed { .. }
        | Record::UserSuspended { .. }
        | Record::UserRestored { .. }
        | Record::AdminActed(_)
        | Record::AdminMade(_)
        | Record::PartReturned(_)
        | Record::PaymentFound(_)
        | Record::ReturnedElsewhere { .. }
        | Record::ReturnFailed { .. }
        | Record::Disputed { .. }
        | Record::ChargeForgotten { .. }
        | Record::DayCompared(_) => None,
    }
}
