//! The part of the state that a snapshot stores; the rest is derived from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Deserialize;

use crate::ids::{
    Epoch, EventIndex, HoldSlot, LayoutIndex, Lsn, OrderNumber, TicketTypeIndex, UnixMillis,
    UserIndex,
};
use crate::inventory::layout::SeatPlan;
use crate::money::{ChargeState, Ledger, Purpose, StoredLedger3, StoredLedger5};
use crate::record::{EventDetails, EventRules, EventTerms, KeywordMapping, OrderRef, Section};
use crate::state::event::{Block, Event, TicketType};
use crate::state::order::{Order, OrderState};
use crate::state::people::{Audit, News, StoredAudit5, Suspension};
use crate::state::queue::StoredFormerQueue;
use crate::state::sums::OrderSums;
use crate::state::{Key, Layout, Queue, State, User};

/// The stored fields of [`State`], in its order.
pub(super) type StoredState = WithPeople<StoredEvent, Ledger, Audit>;

/// The stored fields of a [`State`] as they were before events had terms, before the ledger of version
/// 6, and before the audit list knew what was made.
type StoredState5 = WithPeople<StoredEvent5, StoredLedger5, StoredAudit5>;

/// The stored fields of a [`State`] as they were before events could be deleted, their seats taken
/// away and their ticket types edited, and before there were news, suspensions and an audit list.
type StoredState4 = WithoutPeople<StoredEvent4, StoredLedger5>;

/// All fields: events, a ledger and an audit list of these kinds.
#[derive(Deserialize)]
pub(super) struct WithPeople<E, L, A> {
    without_people: WithoutPeople<E, L>,
    news: News,
    suspensions: BTreeMap<UserIndex, Suspension>,
    audit: A,
}

/// The fields up to the ledger.
#[derive(Deserialize)]
struct WithoutPeople<E, L> {
    without_queues: StoredBase<E>,
    queues: Vec<Queue>,
    ledger: L,
}

/// The stored fields of a [`State`] as they were before buyers gave accounts for refunds.
#[derive(Deserialize)]
struct StoredState3 {
    without_queues: StoredBase<StoredEvent4>,
    queues: Vec<Queue>,
    ledger: StoredLedger3,
}

/// The stored fields of a [`State`] as they were before lines had lanes and lotteries, and before
/// there was a ledger.
#[derive(Deserialize)]
struct StoredState2 {
    without_queues: StoredBase<StoredEvent4>,
    queues: Vec<StoredFormerQueue>,
}

/// The stored fields of a [`State`] as they were before there were queues.
type StoredState1 = StoredBase<StoredEvent4>;

/// What every version stores first, in the order of [`State`].
#[derive(Deserialize)]
struct StoredBase<E> {
    lsn: Lsn,
    epoch: Epoch,
    last_at: UnixMillis,
    users: Vec<User>,
    layouts: Vec<Layout>,
    keywords: Vec<KeywordMapping>,
    events: Vec<E>,
    keys: Vec<Key>,
}

/// A state as snapshots of version 1 have it, with nobody in line: decodes from that encoding.
#[derive(Debug, Deserialize)]
#[serde(try_from = "StoredState1")]
pub struct State1(State);

/// A state as snapshots of version 2 have it, with one lane in every line: decodes from that
/// encoding.
#[derive(Debug, Deserialize)]
#[serde(try_from = "StoredState2")]
pub struct State2(State);

/// A state as snapshots of version 3 have it, without accounts for refunds: decodes from that
/// encoding.
#[derive(Debug, Deserialize)]
#[serde(try_from = "StoredState3")]
pub struct State3(State);

/// A state as snapshots of version 4 have it, without changes to ticket types, without news, suspensions
/// and an audit list: decodes from that encoding.
#[derive(Debug, Deserialize)]
#[serde(try_from = "StoredState4")]
pub struct State4(State);

/// A state as snapshots of version 5 have it, without terms of events and without what providers do
/// on their own: decodes from that encoding.
#[derive(Debug, Deserialize)]
#[serde(try_from = "StoredState5")]
pub struct State5(State);

impl From<State1> for State {
    fn from(former: State1) -> State {
        former.0
    }
}

impl From<State2> for State {
    fn from(former: State2) -> State {
        former.0
    }
}

impl From<State3> for State {
    fn from(former: State3) -> State {
        former.0
    }
}

impl From<State4> for State {
    fn from(former: State4) -> State {
        former.0
    }
}

impl From<State5> for State {
    fn from(former: State5) -> State {
        former.0
    }
}

impl TryFrom<StoredState1> for State1 {
    type Error = String;

    fn try_from(stored: StoredState1) -> Result<State1, String> {
        let queues = stored.events.iter().map(|_| Queue::default()).collect();
        restore4(stored, queues, Ledger::default()).map(State1)
    }
}

impl TryFrom<StoredState2> for State2 {
    type Error = String;

    fn try_from(stored: StoredState2) -> Result<State2, String> {
        let StoredState2 { without_queues, queues } = stored;
        let queues = queues.into_iter().map(Queue::try_from).collect::<Result<_, _>>()?;
        restore4(without_queues, queues, Ledger::default()).map(State2)
    }
}

impl TryFrom<StoredState3> for State3 {
    type Error = String;

    fn try_from(stored: StoredState3) -> Result<State3, String> {
        let StoredState3 { without_queues, queues, ledger } = stored;
        restore4(without_queues, queues, ledger.try_into()?).map(State3)
    }
}

impl TryFrom<StoredState4> for State4 {
    type Error = String;

    fn try_from(stored: StoredState4) -> Result<State4, String> {
        let WithoutPeople { without_queues, queues, ledger } = stored;
        restore4(without_queues, queues, ledger.try_into()?).map(State4)
    }
}

impl TryFrom<StoredState5> for State5 {
    type Error = String;

    fn try_from(stored: StoredState5) -> Result<State5, String> {
        let WithPeople { without_people, news, suspensions, audit } = stored;
        let WithoutPeople { without_queues, queues, ledger } = without_people;
        let without_queues = without_queues.map(StoredEvent::from);
        let without_people = WithoutPeople { without_queues, queues, ledger: ledger.try_into()? };
        let audit = Audit::from(audit);
        State::try_from(WithPeople { without_people, news, suspensions, audit }).map(State5)
    }
}

/// What versions up to 4 have, and nothing of what came with version 5.
fn restore4(
    stored: StoredBase<StoredEvent4>,
    queues: Vec<Queue>,
    ledger: Ledger,
) -> Result<State, String> {
    let without_queues = stored.map(|event| StoredEvent::from(StoredEvent5::from(event)));
    let without_people = WithoutPeople { without_queues, queues, ledger };
    WithPeople {
        without_people,
        news: News::default(),
        suspensions: BTreeMap::new(),
        audit: Audit::default(),
    }
    .try_into()
}

impl<E> StoredBase<E> {
    fn map<F>(self, event: impl FnMut(E) -> F) -> StoredBase<F> {
        StoredBase {
            lsn: self.lsn,
            epoch: self.epoch,
            last_at: self.last_at,
            users: self.users,
            layouts: self.layouts,
            keywords: self.keywords,
            events: self.events.into_iter().map(event).collect(),
            keys: self.keys,
        }
    }
}

/// The stored fields of [`Event`], in its order.
#[derive(Deserialize)]
pub(super) struct StoredEvent {
    before_terms: StoredEvent5,
    terms: EventTerms,
    standing: BTreeSet<TicketTypeIndex>,
    returned: BTreeMap<OrderNumber, u32>,
}

/// The stored fields of an [`Event`] in version 5.
#[derive(Deserialize)]
struct StoredEvent5 {
    before_deletion: StoredEventBase<TicketType>,
    deleted: bool,
    seats_removed: bool,
    category: Option<String>,
    moved: BTreeMap<OrderNumber, HoldSlot>,
}

impl From<StoredEvent5> for StoredEvent {
    fn from(before_terms: StoredEvent5) -> StoredEvent {
        StoredEvent {
            before_terms,
            terms: EventTerms::default(),
            standing: BTreeSet::new(),
            returned: BTreeMap::new(),
        }
    }
}

/// The stored fields of an [`Event`] up to version 4.
type StoredEvent4 = StoredEventBase<TicketType4>;

/// What every version stores of an event first, in the order of [`Event`].
#[derive(Deserialize)]
struct StoredEventBase<T> {
    details: EventDetails,
    layout: Option<LayoutIndex>,
    ticket_types: Vec<T>,
    rules: EventRules,
    created_by: Option<UserIndex>,
    created_at: UnixMillis,
    updated_at: UnixMillis,
    cancelled: bool,
    orders: Vec<Option<Order>>,
    blocks: Vec<Block>,
    inventory_lsn: Lsn,
}

/// The stored fields of a [`TicketType`] up to version 4: made with its event, never edited.
#[derive(Deserialize)]
struct TicketType4 {
    name: String,
    price: u32,
    total_quantity: u32,
    sold_elsewhere: u32,
    in_orders: u32,
    description: Option<String>,
}

impl From<StoredEvent4> for StoredEvent5 {
    fn from(stored: StoredEvent4) -> StoredEvent5 {
        let created_at = stored.created_at;
        let ticket_type = |former: TicketType4| TicketType {
            name: former.name,
            price: former.price,
            total_quantity: former.total_quantity,
            sold_elsewhere: former.sold_elsewhere,
            in_orders: former.in_orders,
            description: former.description,
            created_at,
            updated_at: created_at,
            former_names: Vec::new(),
        };
        let before_deletion = StoredEventBase {
            details: stored.details,
            layout: stored.layout,
            ticket_types: stored.ticket_types.into_iter().map(ticket_type).collect(),
            rules: stored.rules,
            created_by: stored.created_by,
            created_at,
            updated_at: stored.updated_at,
            cancelled: stored.cancelled,
            orders: stored.orders,
            blocks: stored.blocks,
            inventory_lsn: stored.inventory_lsn,
        };
        StoredEvent5 {
            before_deletion,
            deleted: false,
            seats_removed: false,
            category: None,
            moved: BTreeMap::new(),
        }
    }
}

impl TryFrom<StoredState> for State {
    type Error = String;

    fn try_from(stored: StoredState) -> Result<State, String> {
        let WithPeople { without_people, news, suspensions, audit } = stored;
        let WithoutPeople { without_queues: stored, queues, ledger } = without_people;
        if queues.len() != stored.events.len() {
            return Err(format!("{} queues for {} events", queues.len(), stored.events.len()));
        }
        let mut state = State {
            lsn: stored.lsn,
            epoch: stored.epoch,
            last_at: stored.last_at,
            users: stored.users,
            layouts: stored.layouts,
            keywords: stored.keywords,
            queues,
            ledger,
            news,
            suspensions,
            audit,
            ..State::default()
        };
        for (position, user) in state.users.iter().enumerate() {
            if user.id.index.position() != position {
                return Err(format!("user {position} is stored as {}", user.id.index));
            }
            state.by_email.insert(user.email.clone(), user.id.index);
        }
        state.orders_by_user = vec![Vec::new(); state.users.len()];
        for (position, event) in stored.events.into_iter().enumerate() {
            let event =
                state.restore_event(event).map_err(|why| format!("event {position}: {why}"))?;
            state.deleted_events += u64::from(event.deleted);
            state.events.push(event);
        }
        state.mark_awaited_deposits();
        state.index_orders()?;
        stored.keys.into_iter().for_each(|key| state.remember(key));
        Ok(state)
    }
}

impl State {
    fn restore_event(&self, stored: StoredEvent) -> Result<Event, String> {
        let StoredEvent { before_terms, terms, standing, returned } = stored;
        let StoredEvent5 { before_deletion: stored, deleted, seats_removed, category, moved } =
            before_terms;
        let sections = self.sections_of(stored.layout)?;
        let mut event = Event {
            details: stored.details,
            layout: stored.layout,
            ticket_types: stored.ticket_types,
            rules: stored.rules,
            created_by: stored.created_by,
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            cancelled: stored.cancelled,
            orders: stored.orders,
            blocks: stored.blocks,
            sections: Arc::default(),
            plan: Arc::new(SeatPlan::new(&[])),
            owners: Vec::new(),
            counts: Vec::new(),
            sums: OrderSums::default(),
            inventory_lsn: stored.inventory_lsn,
            deleted,
            seats_removed,
            category,
            moved,
            terms,
            standing,
            returned,
        };
        event.derive(sections)?;
        Ok(event)
    }

    /// Snapshots up to version 5 have orders whose deposit is awaited among those being paid.
    fn mark_awaited_deposits(&mut self) {
        for index in self.ledger.unresolved() {
            let Some(charge) = self.ledger.charge(index) else { continue };
            let (Purpose::Order(id), ChargeState::AwaitingDeposit) = (charge.purpose, charge.state)
            else {
                continue;
            };
            let event = self.events.get_mut(id.event.position());
            let order = event.and_then(|event| event.orders.get_mut(id.order.position()));
            if let Some(Some(order)) = order
                && order.state == OrderState::Paying
            {
                order.state = OrderState::AwaitingDeposit;
            }
        }
    }

    /// The sections of a layout, or none for no layout.
    pub(super) fn sections_of(
        &self,
        layout: Option<LayoutIndex>,
    ) -> Result<Arc<[Section]>, String> {
        match layout {
            None => Ok(Arc::default()),
            Some(layout) => match self.layout(layout) {
                Some(found) => Ok(found.sections.as_slice().into()),
                None => Err(format!("layout {layout} does not exist")),
            },
        }
    }

    /// Fills `orders_by_user`, the index of all orders, oldest first, and the sums over them.
    fn index_orders(&mut self) -> Result<(), String> {
        let mut orders: Vec<(Lsn, UserIndex, OrderRef)> = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            let event_index = EventIndex(index as u32);
            orders.extend(event.orders().map(|(number, order)| {
                (order.held_lsn, order.user, OrderRef { event: event_index, number })
            }));
        }
        orders.sort_unstable_by_key(|&(held_lsn, ..)| held_lsn);
        self.events.iter().flat_map(Event::counted).for_each(|order| self.sales.add(order));
        for (_, user, order) in orders {
            self.orders_by_user
                .get_mut(user.position())
                .ok_or_else(|| format!("user {user} does not exist"))?
                .push(order);
            let found = self.events[order.event.position()].orders.get_mut(order.number.position());
            if let Some(Some(found)) = found {
                found.seq = self.order_index.push(order, found.class());
            }
        }
        Ok(())
    }
}
