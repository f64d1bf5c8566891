//! The fold: everything the installation knows, derived from the log (I7).
//!
//! [`State::apply`] is the only place where a record becomes knowledge: recovery, snapshots, live
//! reads and followers all run it. It reads no clock. A record that cannot follow from the ones
//! before it is an error, never a guess.

mod event;
mod fold;
mod fold_catalog;
mod order;
mod order_index;
mod people;
mod queue;
mod stored;
mod sums;

use std::collections::{BTreeMap, HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ids::{
    Epoch, EventIndex, LayoutIndex, Lsn, ReservationId, UnixMillis, UserId, UserIndex,
};
use crate::limits::IDEMPOTENCY_KEPT_MS;
use crate::money::Ledger;
use crate::record::{KeywordMapping, OrderRef, Role, Section};
pub use crate::state::event::{Block, Event, FormerName, SectionCounts, TicketType};
pub use crate::state::order::{Order, OrderState, Payment, SeatStatus};
pub use crate::state::order_index::{OrderClass, OrderIndex};
pub use crate::state::people::{AdminAction, Audit, News, Post, Suspension};
pub use crate::state::queue::{Admission, Draw, Lottery, Queue};
pub use crate::state::stored::{State1, State2, State3, State4, State5};
pub use crate::state::sums::{OrderSums, Sales};

/// A record that cannot follow the ones before it.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("record {lsn} does not follow from the log before it: {why}")]
pub struct FoldError {
    /// Its position.
    pub lsn: Lsn,
    /// What is wrong.
    pub why: String,
}

/// The fold of a prefix of the log.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "stored::StoredState")]
pub struct State {
    lsn: Lsn,
    epoch: Epoch,
    last_at: UnixMillis,
    users: Vec<User>,
    layouts: Vec<Layout>,
    keywords: Vec<KeywordMapping>,
    events: Vec<Event>,
    /// By age, oldest first.
    keys: VecDeque<Key>,
    /// By event.
    queues: Vec<Queue>,
    ledger: Ledger,
    news: News,
    suspensions: BTreeMap<UserIndex, Suspension>,
    audit: Audit,

    #[serde(skip)]
    by_email: HashMap<String, UserIndex>,
    /// Orders of each user, oldest first.
    #[serde(skip)]
    orders_by_user: Vec<Vec<OrderRef>>,
    #[serde(skip)]
    order_index: OrderIndex,
    #[serde(skip)]
    by_key: HashMap<(UserIndex, u128), Key>,
    #[serde(skip)]
    sales: Sales,
    /// How many of `events` are deleted.
    #[serde(skip)]
    deleted_events: u64,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// Normalised address, unique.
    pub email: String,
    /// As bcrypt prints it.
    pub password_hash: String,
    /// Shown to others.
    pub name: String,
    /// Free form.
    pub phone: Option<String>,
    /// What it may do.
    pub role: Role,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// A venue layout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// Unique.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// In the order of their seats.
    pub sections: Vec<Section>,
    /// When it was made.
    pub created_at: UnixMillis,
}

impl Layout {
    /// How many seats it has.
    #[must_use]
    pub fn total_seats(&self) -> u32 {
        self.sections.iter().map(|section| section.rows * section.seats_per_row).sum()
    }
}

/// An idempotency key and what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// Whose.
    pub user: UserIndex,
    /// Hash of the key and the operation.
    pub key: u128,
    /// Hash of the content.
    pub content: u64,
    /// The order it made or paid.
    pub reservation: ReservationId,
    /// The record it was first seen in.
    pub lsn: Lsn,
    /// When.
    pub at: UnixMillis,
}

impl State {
    /// The last record folded in.
    #[must_use]
    pub fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// The epoch of the last [`crate::record::Record::EpochStarted`].
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The latest instant that any record names as its own.
    #[must_use]
    pub fn last_at(&self) -> UnixMillis {
        self.last_at
    }

    /// All accounts, by index.
    #[must_use]
    pub fn users(&self) -> &[User] {
        &self.users
    }

    /// The account of a user of this installation.
    #[must_use]
    pub fn user(&self, id: UserId) -> Option<&User> {
        self.users.get(id.index.position()).filter(|user| user.id == id)
    }

    /// The account with a normalised address.
    #[must_use]
    pub fn user_by_email(&self, email: &str) -> Option<&User> {
        self.users.get(self.by_email.get(email)?.position())
    }

    /// All layouts, by index.
    #[must_use]
    pub fn layouts(&self) -> &[Layout] {
        &self.layouts
    }

    /// All keyword mappings.
    #[must_use]
    pub fn keywords(&self) -> &[KeywordMapping] {
        &self.keywords
    }

    /// All events, by index, with what is left of deleted ones.
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// All events there are to show.
    pub fn listed_events(&self) -> impl DoubleEndedIterator<Item = (EventIndex, &Event)> {
        let indexed = self.events.iter().enumerate();
        let indexed = indexed.map(|(index, event)| (EventIndex(index as u32), event));
        indexed.filter(|(_, event)| !event.deleted)
    }

    /// How many those are.
    #[must_use]
    pub fn listed_count(&self) -> u64 {
        self.events.len() as u64 - self.deleted_events
    }

    /// An event, unless it was deleted.
    #[must_use]
    pub fn event(&self, event: EventIndex) -> Option<&Event> {
        self.event_of_orders(event).filter(|event| !event.deleted)
    }

    /// An event, or what is left of a deleted one for its orders.
    #[must_use]
    pub fn event_of_orders(&self, event: EventIndex) -> Option<&Event> {
        self.events.get(event.position())
    }

    /// An event's layout.
    #[must_use]
    pub fn layout(&self, layout: LayoutIndex) -> Option<&Layout> {
        self.layouts.get(layout.position())
    }

    /// An event's waiting room, unless the event was deleted.
    #[must_use]
    pub fn queue(&self, event: EventIndex) -> Option<&Queue> {
        self.event(event)?;
        self.queues.get(event.position())
    }

    /// The waiting rooms of all events, by index, with those of deleted ones.
    #[must_use]
    pub fn queues(&self) -> &[Queue] {
        &self.queues
    }

    /// Charges, refunds and points.
    #[must_use]
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// News posts.
    #[must_use]
    pub fn news(&self) -> &News {
        &self.news
    }

    /// Why a user is shut out; `None` for one who is not.
    #[must_use]
    pub fn suspension(&self, user: UserIndex) -> Option<&Suspension> {
        self.suspensions.get(&user)
    }

    /// What administrators did.
    #[must_use]
    pub fn audit(&self) -> &Audit {
        &self.audit
    }

    /// Sums over the orders of all events.
    #[must_use]
    pub fn sales(&self) -> &Sales {
        &self.sales
    }

    /// An order with its event, which may be deleted.
    #[must_use]
    pub fn order(&self, id: ReservationId) -> Option<(&Event, &Order)> {
        let event = self.event_of_orders(id.event)?;
        let order = event.order(id.order).filter(|order| order.slot == id.slot)?;
        Some((event, order))
    }

    /// A user's orders, oldest first.
    #[must_use]
    pub fn orders_of(&self, user: UserIndex) -> &[OrderRef] {
        self.orders_by_user.get(user.position()).map_or(&[], Vec::as_slice)
    }

    /// All orders by age.
    #[must_use]
    pub fn orders(&self) -> &OrderIndex {
        &self.order_index
    }

    /// The idempotency keys of the last day before the last record.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.iter()
    }

    /// What a user's key did in the last day before the last record.
    #[must_use]
    pub fn key(&self, user: UserIndex, key: u128) -> Option<&Key> {
        self.by_key.get(&(user, key))
    }

    /// Recounts everything that is kept as a sum: available + held + sold + blocked = capacity per
    /// section, stock = total - orders, no seat in two live orders, no user twice in one queue, orders
    /// by state.
    ///
    /// # Errors
    /// The first sum that differs.
    pub fn check(&self) -> Result<(), String> {
        for (index, event) in self.events.iter().enumerate() {
            event.check().map_err(|why| format!("event {index}: {why}"))?;
        }
        for (index, queue) in self.queues.iter().enumerate() {
            queue.check().map_err(|why| format!("event {index}: {why}"))?;
        }
        if let Some(user) = self.suspensions.keys().find(|user| self.users.len() <= user.position())
        {
            return Err(format!("user {user} is suspended and does not exist"));
        }
        let mut recounted = Sales::default();
        self.events.iter().flat_map(Event::counted).for_each(|order| recounted.add(order));
        if recounted != self.sales || self.listed_events().count() as u64 != self.listed_count() {
            return Err("the sums over all orders and events differ from them".into());
        }
        self.news.check()
    }

    fn remember(&mut self, key: Key) {
        while self.keys.front().is_some_and(|old| old.at.plus(IDEMPOTENCY_KEPT_MS) <= key.at) {
            if let Some(old) = self.keys.pop_front() {
                let name = (old.user, old.key);
                // It may have been used again since.
                if self.by_key.get(&name).is_some_and(|known| known.lsn == old.lsn) {
                    self.by_key.remove(&name);
                }
            }
        }
        self.keys.push_back(key);
        self.by_key.insert((key.user, key.key), key);
    }
}
