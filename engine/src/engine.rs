//! The commands, one function each: refuse early, take, append, publish.
//!
//! Every function is synchronous. After the comment `from here it must succeed` nothing can fail up
//! to the append (I5). What a function returns is [`Pending`]: it may leave once its record is
//! durable (I6).

mod agreement;
mod audit;
mod booking;
mod catalog;
mod confirm;
mod money;
mod news;
mod queue;
mod restore;
mod seats;
mod suspension;
mod terms;
mod ticket_types;

use std::collections::VecDeque;
use std::sync::OnceLock;

use parking_lot::Mutex;

use crate::accounts::Accounts;
pub use crate::accounts::Standing;
use crate::append_vec::AppendVec;
use crate::command::{Checked, NewUser};
use crate::engine::catalog::Layouts;
use crate::engine::news::Board;
use crate::error::{AccountRefusal, CommandError};
use crate::idempotency::IdempotencyKeys;
use crate::ids::{Attempt, EventIndex, ReservationId, UnixMillis, UserId, UserIndex};
use crate::inventory::EventInventory;
pub use crate::inventory::TicketDefaults;
use crate::inventory::expiry::ExpiryLines;
use crate::journal::{Journal, Pending, Purpose};
use crate::limits::USERS_MAX;
use crate::money::Ledger;
use crate::record::{Claim, Record, Role, UserRegistered};
use crate::waiting_room::QueueDefaults;

pub use crate::engine::confirm::{Confirmation, EndedOrder};
pub use crate::engine::money::{CaptureIntent, NewCharge};

/// Decides commands for one installation and logs what they did.
#[derive(Debug)]
pub struct Engine<J> {
    journal: J,
    accounts: Accounts,
    layouts: Mutex<Layouts>,
    events: AppendVec<OnceLock<Box<EventInventory>>>,
    expiry: ExpiryLines,
    keys: IdempotencyKeys,
    ledger: Mutex<Ledger>,
    news: Mutex<Board>,
    /// Cancelled events that may still have orders to end.
    closing: Mutex<VecDeque<EventIndex>>,
    queue_defaults: Mutex<QueueDefaults>,
    ticket_defaults: TicketDefaults,
    /// Events whose waiting rooms have people in them: those that the tick visits.
    rooms_in_use: Mutex<Vec<EventIndex>>,
}

/// A new order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub reservation: ReservationId,
    /// What it claims.
    pub claim: Claim,
    /// When it was made.
    pub held_at: UnixMillis,
    /// When it ends by itself; `None` for tickets that are held for good.
    pub expires_at: Option<UnixMillis>,
}

/// What a command under an idempotency key came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Once<T> {
    /// It was carried out now.
    Done(T),
    /// The same command was carried out before, for this order; the fold has the answer.
    Repeated(ReservationId),
}

/// A payment that was begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaymentIntent {
    /// The order.
    pub reservation: ReservationId,
    /// Which attempt.
    pub attempt: Attempt,
}

/// How a payment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// Money was captured.
    Captured,
    /// Definitely no money was captured.
    Declined,
}

/// What became of an order when its payment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AfterPayment {
    /// It is confirmed.
    Paid,
    /// It is held as before.
    Held,
    /// It is held until a deposit is made or due.
    Awaiting,
    /// Its deadline passed during the payment.
    Expired,
    /// Its event was called off during the payment; captured money goes back.
    EventCancelled,
}

impl<J: Journal> Engine<J> {
    /// The journal that records go to.
    pub fn journal(&self) -> &J {
        &self.journal
    }

    /// What a user is and may do, or `None` where this installation has no such user. Takes no lock.
    pub fn standing(&self, user: UserId) -> Option<Standing> {
        self.accounts.standing(user)
    }

    /// Makes an account.
    ///
    /// # Errors
    /// The address is taken; no more accounts fit; the journal takes no record.
    pub fn register_user(
        &self,
        new: Checked<NewUser>,
        now: UnixMillis,
    ) -> Result<Pending<UserId>, CommandError<AccountRefusal>> {
        let NewUser { email, password_hash, name, phone, role, tag } = new.into_inner();
        let mut by_email = self.accounts.by_email.lock();
        if by_email.contains_key(email.as_str()) {
            return Err(AccountRefusal::EmailTaken.into());
        }
        let index = by_email.len() as u32;
        if index >= USERS_MAX {
            return Err(AccountRefusal::Full.into());
        }
        let permit = self.journal.reserve(Purpose::NewWork)?;
        // From here it must succeed.
        let user = UserId { index: UserIndex(index), tag };
        let key = email.clone().into_boxed_str();
        let record = UserRegistered { user, email, password_hash, name, phone, role, at: now };
        let lsn = self.journal.append(permit, &Record::UserRegistered(Box::new(record)));
        self.accounts.publish(user, role);
        by_email.insert(key, user.index);
        Ok(Pending::new(user, lsn))
    }

    /// Changes what an account may do.
    ///
    /// # Errors
    /// There is no such account; the journal takes no record.
    pub fn set_role(
        &self,
        user: UserIndex,
        role: Role,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<AccountRefusal>> {
        let _one_at_a_time = self.accounts.by_email.lock();
        let standing = self.accounts.at(user).ok_or(AccountRefusal::Unknown(user))?;
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let lsn = self.journal.append(permit, &Record::UserRoleChanged { user, role, at: now });
        self.accounts.set(user, Standing { role, ..standing });
        Ok(Pending::new((), lsn))
    }

    /// Whether there is such an event to show.
    pub fn has_event(&self, event: EventIndex) -> bool {
        self.listed(event).is_some()
    }

    /// An event that was not deleted.
    fn listed(&self, event: EventIndex) -> Option<&EventInventory> {
        self.inventory(event).filter(|inventory| !inventory.is_deleted())
    }

    /// An event, or what is left of one for its orders.
    fn inventory(&self, event: EventIndex) -> Option<&EventInventory> {
        self.events.get(event.0)?.get().map(|inventory| &**inventory)
    }
}
