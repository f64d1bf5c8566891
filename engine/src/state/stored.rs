//! The part of the state that a snapshot stores; the rest is derived from it.

use std::sync::Arc;

use serde::Deserialize;

use crate::ids::{Epoch, EventIndex, LayoutIndex, Lsn, UnixMillis, UserIndex};
use crate::inventory::layout::SeatPlan;
use crate::record::{EventDetails, EventRules, KeywordMapping, OrderRef, Section};
use crate::state::event::{Block, Event, Order, TicketType};
use crate::state::{Key, Layout, Queue, State, User};

/// The stored fields of [`State`], in its order.
#[derive(Deserialize)]
pub(super) struct StoredState {
    without_queues: StoredFormerState,
    queues: Vec<Queue>,
}

/// The stored fields of a [`State`] as they were before there were queues, in its order.
#[derive(Deserialize)]
struct StoredFormerState {
    lsn: Lsn,
    epoch: Epoch,
    last_at: UnixMillis,
    users: Vec<User>,
    layouts: Vec<Layout>,
    keywords: Vec<KeywordMapping>,
    events: Vec<StoredEvent>,
    keys: Vec<Key>,
}

/// A state stored before there were queues: decodes from that encoding, with nobody in line.
#[derive(Debug, Deserialize)]
#[serde(try_from = "StoredFormerState")]
pub struct FormerState(State);

impl FormerState {
    /// The state.
    #[must_use]
    pub fn into_state(self) -> State {
        self.0
    }
}

impl TryFrom<StoredFormerState> for FormerState {
    type Error = String;

    fn try_from(stored: StoredFormerState) -> Result<FormerState, String> {
        let queues = stored.events.iter().map(|_| Queue::default()).collect();
        State::try_from(StoredState { without_queues: stored, queues }).map(FormerState)
    }
}

/// The stored fields of [`Event`], in its order.
#[derive(Deserialize)]
struct StoredEvent {
    details: EventDetails,
    layout: Option<LayoutIndex>,
    ticket_types: Vec<TicketType>,
    rules: EventRules,
    created_by: Option<UserIndex>,
    created_at: UnixMillis,
    updated_at: UnixMillis,
    cancelled: bool,
    orders: Vec<Option<Order>>,
    blocks: Vec<Block>,
    inventory_lsn: Lsn,
}

impl TryFrom<StoredState> for State {
    type Error = String;

    fn try_from(stored: StoredState) -> Result<State, String> {
        let StoredState { without_queues: stored, queues } = stored;
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
            state.events.push(event);
        }
        state.index_orders()?;
        stored.keys.into_iter().for_each(|key| state.remember(key));
        Ok(state)
    }
}

impl State {
    fn restore_event(&self, stored: StoredEvent) -> Result<Event, String> {
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
            inventory_lsn: stored.inventory_lsn,
        };
        event.derive(sections)?;
        Ok(event)
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

    /// Fills `orders_by_user`, oldest first.
    fn index_orders(&mut self) -> Result<(), String> {
        let mut orders: Vec<(Lsn, UserIndex, OrderRef)> = Vec::new();
        for (index, event) in self.events.iter().enumerate() {
            let event_index = EventIndex(index as u32);
            orders.extend(event.orders().map(|(number, order)| {
                (order.held_lsn, order.user, OrderRef { event: event_index, number })
            }));
        }
        orders.sort_unstable_by_key(|&(held_lsn, ..)| held_lsn);
        for (_, user, order) in orders {
            self.orders_by_user
                .get_mut(user.position())
                .ok_or_else(|| format!("user {user} does not exist"))?
                .push(order);
        }
        Ok(())
    }
}
