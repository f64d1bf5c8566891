//! Why a command was not carried out: refusals (the caller's matter) and unavailability (retry
//! helps). What is fatal never comes back as an error: the journal ends the process (I9).

use thiserror::Error;

use crate::ids::{
    ChargeIndex, EventIndex, LayoutIndex, NewsIndex, OrderNumber, RefundIndex, SeatIndex,
    TicketTypeIndex, UserIndex,
};
use crate::money::ChargeState;

/// The journal takes no record now; nothing was changed. Retrying later helps unless poisoned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum JournalUnavailable {
    /// Too much waits for the disk.
    #[error("too many records wait for the disk")]
    QueueFull,
    /// Less disk is free than new work may use.
    #[error("the disk is nearly full")]
    DiskLow,
    /// A write or sync failed; the process is about to end.
    #[error("the journal has failed")]
    Poisoned,
}

/// A command that changed nothing.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CommandError<R> {
    /// The rules say no; asking again gives the same answer until something changes.
    #[error("{0}")]
    Refused(R),
    /// No record can be written now.
    #[error("{0}")]
    Unavailable(#[from] JournalUnavailable),
}

/// A field that breaks its rule.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{field} {rule}")]
pub struct InvalidField {
    /// The field, as the contract spells it.
    pub field: &'static str,
    /// What is allowed.
    pub rule: String,
}

impl InvalidField {
    /// A field and its rule.
    pub fn new(field: &'static str, rule: impl Into<String>) -> InvalidField {
        InvalidField { field, rule: rule.into() }
    }
}

/// Why seats or tickets were not held.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum HoldRefusal {
    /// The idempotency key came before with other content.
    #[error("idempotency key used before with other content")]
    KeyReused,
    /// There is no such event.
    #[error("no event {0}")]
    UnknownEvent(EventIndex),
    /// It is not open for booking now.
    #[error("event {0} is not on sale")]
    NotOnSale(EventIndex),
    /// People stand in line for it, and this user was not let in.
    #[error("event {0} has a line, and the user was not let in")]
    NotAdmitted(EventIndex),
    /// Nothing was asked for.
    #[error("no seats named")]
    Empty,
    /// More seats than one reservation of this event may have.
    #[error("more than {max} seats in one reservation")]
    TooManySeats {
        /// The event's limit.
        max: usize,
    },
    /// The same seat twice.
    #[error("seat {0} named twice")]
    RepeatedSeat(SeatIndex),
    /// There is no such seat in this event.
    #[error("no seat {0}")]
    UnknownSeat(SeatIndex),
    /// There is no such section in this event.
    #[error("no such section")]
    UnknownSection,
    /// There is no such ticket type in this event.
    #[error("no ticket type {0}")]
    UnknownTicketType(TicketTypeIndex),
    /// The event has seats, and this ticket type is for show beside them.
    #[error("ticket type {0} is not sold beside seats")]
    NotStanding(TicketTypeIndex),
    /// Not a quantity one order can have.
    #[error("quantity of ticket type {0} out of range")]
    BadQuantity(TicketTypeIndex),
    /// More than one user may have of this event.
    #[error("more than {cap} for one user, {left} left")]
    UserCap {
        /// The event's cap.
        cap: u32,
        /// What is left to this user.
        left: u32,
    },
    /// Some of the seats are not free.
    #[error("seats {0:?} are taken")]
    SeatsTaken(Vec<SeatIndex>),
    /// No section has so many free seats.
    #[error("not enough free seats")]
    NotEnoughSeats,
    /// Too few tickets are left.
    #[error("{left} left of ticket type {ticket_type}")]
    OutOfStock {
        /// Which type.
        ticket_type: TicketTypeIndex,
        /// How many are left.
        left: u32,
    },
}

/// Why an order was not paid or cancelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum OrderRefusal {
    /// The idempotency key came before with other content.
    #[error("idempotency key used before with other content")]
    KeyReused,
    /// There is no such order.
    #[error("no order {0}")]
    Unknown(OrderNumber),
    /// It belongs to another user.
    #[error("order {0} belongs to another user")]
    NotYours(OrderNumber),
    /// It has ended; the fold says how.
    #[error("order {0} has ended")]
    Ended(OrderNumber),
    /// Its deadline has passed.
    #[error("order {0} has expired")]
    Expired(OrderNumber),
    /// Its event is over: nothing is paid any more.
    #[error("the event of order {0} is over")]
    EventOver(OrderNumber),
    /// It is paid.
    #[error("order {0} is paid")]
    AlreadyPaid(OrderNumber),
    /// A payment is under way.
    #[error("order {0} is being paid")]
    BeingPaid(OrderNumber),
    /// Its buyer has an account to pay into, which the provider has to close first.
    #[error("order {0} awaits a deposit")]
    AwaitsDeposit(OrderNumber),
    /// No such payment is under way: a late outcome of an earlier attempt.
    #[error("order {0} has no such payment under way")]
    NoSuchAttempt(OrderNumber),
    /// Another command on it is at work this instant; asking again helps.
    #[error("order {0} is busy")]
    Busy(OrderNumber),
}

/// Why a command about money was not carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MoneyRefusal {
    /// An amount that cannot be, or is more than is left.
    #[error("the amount is out of range")]
    WrongAmount,
    /// The order cannot be paid.
    #[error(transparent)]
    Order(OrderRefusal),
    /// The account has fewer points.
    #[error("{left} points are left")]
    NotEnoughPoints {
        /// What can be spent.
        left: u64,
    },
    /// There is no such charge, or it is another user's.
    #[error("no charge {0}")]
    UnknownCharge(ChargeIndex),
    /// What was asked cannot be done with a charge in this state.
    #[error("charge {0} is {1:?}")]
    NotOpen(ChargeIndex, ChargeState),
    /// The provider's name for the payment is missing or too long.
    #[error("the payment key is out of range")]
    WrongPaymentKey,
    /// What is to go back is not part of what it paid for, or all of it.
    #[error("not some of the seats or tickets that charge {0} paid for")]
    NotPartOfIt(ChargeIndex),
    /// The provider has refused to give back a part of it.
    #[error("the provider gives no parts of charge {0} back")]
    NoParts(ChargeIndex),
    /// The charge needs no account to go back to, or this cannot be one.
    #[error("not an account that charge {0} can go back to")]
    WrongAccount(ChargeIndex),
    /// The idempotency key came before with other content.
    #[error("idempotency key used before with other content")]
    KeyReused,
    /// There is no such refund in a state of which that can be said.
    #[error("no refund {0} of which that can be said")]
    NoSuchRefund(RefundIndex),
    /// No more charges fit.
    #[error("no more charges fit")]
    Full,
}

/// Why an account was not made or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AccountRefusal {
    /// The address belongs to an account.
    #[error("e-mail address in use")]
    EmailTaken,
    /// No more accounts fit.
    #[error("no more accounts fit")]
    Full,
    /// There is no such account.
    #[error("no user {0}")]
    Unknown(UserIndex),
    /// Nobody shuts himself out.
    #[error("user {0} asks for his own suspension")]
    Yourself(UserIndex),
    /// The account is shut out already.
    #[error("user {0} is suspended")]
    AlreadySuspended(UserIndex),
    /// The account is not shut out.
    #[error("user {0} is not suspended")]
    NotSuspended(UserIndex),
}

/// Why a news post was not written or changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NewsRefusal {
    /// There is no such post.
    #[error("no news post {0}")]
    Unknown(NewsIndex),
    /// It is another's.
    #[error("news post {0} is another's")]
    NotYours(NewsIndex),
    /// No more fit.
    #[error("no more news posts fit")]
    Full,
}

/// Why the catalogue was not changed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CatalogRefusal {
    /// A layout has this name.
    #[error("layout name in use")]
    LayoutNameTaken,
    /// There is no such layout.
    #[error("no layout {0}")]
    UnknownLayout(LayoutIndex),
    /// There is no such event.
    #[error("no event {0}")]
    UnknownEvent(EventIndex),
    /// The event was called off already.
    #[error("event {0} is cancelled")]
    AlreadyCancelled(EventIndex),
    /// There are no seats to take away.
    #[error("event {0} has no seats")]
    NoSeats(EventIndex),
    /// It has no seats that could be generated.
    #[error("event {0} has no layout")]
    NoLayout(EventIndex),
    /// Its seats are there.
    #[error("event {event} has {seats} seats")]
    SeatsExist {
        /// The event.
        event: EventIndex,
        /// How many seats it has.
        seats: u32,
    },
    /// Orders have seats that are to be taken away.
    #[error("seats of event {0} are held or sold")]
    SeatsInUse(EventIndex),
    /// There is no such ticket type.
    #[error("event {0} has no ticket type {1}")]
    UnknownTicketType(EventIndex, TicketTypeIndex),
    /// More tickets are sold than there would be.
    #[error("more of ticket type {ticket_type} are sold")]
    BelowSold {
        /// Which type.
        ticket_type: TicketTypeIndex,
    },
    /// No more fit.
    #[error("no more fit")]
    Full,
}

/// Why an administrator's confirmation was not made.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ConfirmRefusal {
    /// The order cannot be confirmed as it is.
    #[error(transparent)]
    Order(#[from] OrderRefusal),
    /// Its event was called off.
    #[error("event {0} is cancelled")]
    EventCancelled(EventIndex),
    /// Real money was taken for it, or may have been.
    #[error("a provider was paid for order {0}")]
    MoneyTaken(OrderNumber),
    /// What it had is not to be had any more.
    #[error(transparent)]
    NotToBeHad(#[from] HoldRefusal),
}

/// Why seats were not blocked or unblocked.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum BlockRefusal {
    /// There is no such event.
    #[error("no event {0}")]
    UnknownEvent(EventIndex),
    /// There is no such seat in this event.
    #[error("no seat {0}")]
    UnknownSeat(SeatIndex),
    /// No seats or too many were named.
    #[error("between 1 and {max} seats can be named")]
    BadCount {
        /// The limit.
        max: usize,
    },
    /// Some of the seats are held, sold or blocked.
    #[error("seats {0:?} are taken")]
    SeatsTaken(Vec<SeatIndex>),
    /// Some of the seats are not blocked.
    #[error("seats {0:?} are not blocked")]
    NotBlocked(Vec<SeatIndex>),
}

impl<R> From<R> for CommandError<R>
where
    R: Refusal,
{
    fn from(refusal: R) -> Self {
        CommandError::Refused(refusal)
    }
}

/// The refusals of this crate, so that `?` turns one into a [`CommandError`].
pub trait Refusal {}

impl Refusal for HoldRefusal {}
impl Refusal for OrderRefusal {}
impl Refusal for MoneyRefusal {}
impl Refusal for AccountRefusal {}
impl Refusal for NewsRefusal {}
impl Refusal for CatalogRefusal {}
impl Refusal for BlockRefusal {}
impl Refusal for ConfirmRefusal {}
impl Refusal for crate::waiting_room::QueueRefusal {}
