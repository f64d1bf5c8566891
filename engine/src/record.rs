//! Records: the facts that the log keeps, in the past tense.
//!
//! Everything the installation knows is the fold of these (I7, [`crate::state::State::apply`]).
//! A record holds what cannot be derived: prices of seats come from the layout, reservation
//! numbers from position and instant. Deadlines are absolute. Variants are only ever added at the
//! end, and the fields of one never change: the encoding numbers variants in this order and names no
//! field (`persistence/FORMAT.md`).

mod money;
mod queue;

use serde::{Deserialize, Serialize};

use crate::ids::{
    Attempt, ChargeIndex, Epoch, EventIndex, HoldSlot, Lane, LayoutIndex, NewsIndex, OrderNumber,
    Place, RefundIndex, SeatIndex, TicketTypeIndex, UnixMillis, UserId, UserIndex,
};
use crate::inline_list::InlineList;
pub use crate::record::money::{BankAccount, Captured, Deposit, Means, Purpose, Split};
pub use crate::record::queue::{LaneShare, SEED_BYTES, Seed};

/// One logged fact.
#[expect(missing_docs, reason = "the fields say what their types say")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Record {
    /// A process took over the log; everything after it up to the next such record is its work.
    EpochStarted { epoch: Epoch, at: UnixMillis },
    /// Seats or tickets were claimed by a user.
    Held(Held),
    /// A payment was begun: written before any provider is called (I11).
    PaymentStarted(PaymentStarted),
    /// A payment ended without money; the hold goes on unless its time is over.
    PaymentFailed { order: OrderRef, attempt: Attempt, at: UnixMillis },
    /// A payment succeeded; the order is confirmed.
    Paid { order: OrderRef, attempt: Attempt, at: UnixMillis },
    /// An order ended and what it held was given back.
    OrderEnded { order: OrderRef, reason: EndReason, at: UnixMillis },
    /// Seats were taken off sale.
    SeatsBlocked { event: EventIndex, seats: Vec<SeatIndex>, reason: String, at: UnixMillis },
    /// Blocked seats were put back on sale.
    SeatsUnblocked { event: EventIndex, seats: Vec<SeatIndex>, at: UnixMillis },
    /// An account was made.
    UserRegistered(Box<UserRegistered>),
    /// An account's role was changed.
    UserRoleChanged { user: UserIndex, role: Role, at: UnixMillis },
    /// A venue layout was made.
    LayoutCreated(Box<LayoutCreated>),
    /// A Korean and an English word were declared to mean the same in searches.
    KeywordMapped(Box<KeywordMapping>),
    /// An event was made, its seats with it.
    EventCreated(Box<EventCreated>),
    /// An event's description or dates were replaced.
    EventEdited { event: EventIndex, details: Box<EventDetails>, at: UnixMillis },
    /// An event was called off; its orders end one by one, each with its own record.
    EventCancelled { event: EventIndex, at: UnixMillis },
    /// Somebody took a place in an event's line; everybody does, also who is let in at once (I12).
    QueueJoined { event: EventIndex, user: UserIndex, place: Place, at: UnixMillis },
    /// Somebody was let in from his place.
    QueueAdmitted { event: EventIndex, user: UserIndex, place: Place, at: UnixMillis },
    /// Somebody's place or session ended.
    QueueLeft { event: EventIndex, user: UserIndex, reason: LeaveReason, at: UnixMillis },
    /// An administrator sent everybody away, waiting or let in.
    QueueCleared { event: EventIndex, at: UnixMillis },
    /// Nothing is left to wait for; everybody waiting was sent away.
    QueueClosed { event: EventIndex, at: UnixMillis },
    /// How an event lets people in was changed.
    QueueChanged { event: EventIndex, settings: QueueSettings, at: UnixMillis },
    /// An administrator put somebody who waits before those who wait by place.
    QueueMovedUp { event: EventIndex, user: UserIndex, at: UnixMillis },
    /// An event's line got lanes with these shares, the first of them everybody's. Turns begin anew.
    QueueLanesSet { event: EventIndex, lanes: Vec<LaneShare>, at: UnixMillis },
    /// People were put into a lane, those who wait at the places they have.
    QueueLaneGiven { event: EventIndex, lane: Lane, users: Vec<UserIndex>, at: UnixMillis },
    /// An event's line became a lobby: nobody is let in before the draw. The seed stays secret
    /// until then; its commitment is published.
    QueueLobbyOpened { event: EventIndex, seed: Seed, at: UnixMillis },
    /// Everybody in the lobby got a new place, in the order of the draw.
    QueueDrawn { event: EventIndex, beacon: String, at: UnixMillis },
    /// Somebody is about to pay: asked for, not yet taken.
    ChargeOpened(Box<ChargeOpened>),
    /// A provider is about to be asked to take money: written before it is (I11). An order's hold
    /// goes over to being paid; points are spent.
    CaptureStarted(Box<CaptureStarted>),
    /// What became of it. An order that waits for it is paid, or held as before.
    CaptureEnded { charge: ChargeIndex, outcome: CaptureOutcome, at: UnixMillis },
    /// A provider was asked something and answered, or did not.
    ProviderAnswered(Box<ProviderAnswered>),
    /// Some seats of a paid order were given back, and their money goes back.
    SeatsReturned(Box<SeatsReturned>),
    /// What became of a refund.
    RefundEnded { refund: RefundIndex, outcome: RefundOutcome, at: UnixMillis },
    /// A buyer said where a charge's money can go back to, for those that cannot go back the way
    /// they came.
    RefundAccountGiven(Box<RefundAccountGiven>),
    /// An event was called off, if it was not before, and is shown to nobody any more; its orders end
    /// one by one and stay.
    EventDeleted { event: EventIndex, by: Option<UserIndex>, at: UnixMillis },
    /// All of an event's seats were taken away, blocked ones too; no order had any of them.
    SeatsRemoved { event: EventIndex, by: Option<UserIndex>, at: UnixMillis },
    /// Seats that were taken away are there again, all of them free.
    SeatsGenerated { event: EventIndex, by: Option<UserIndex>, at: UnixMillis },
    /// Ticket types were added to an event, after those it has.
    TicketTypesAdded(Box<TicketTypesAdded>),
    /// A ticket type was replaced. Orders keep its price and name as they were.
    TicketTypeEdited(Box<TicketTypeEdited>),
    /// An administrator confirmed an order without a payment: one that was held, or one that had
    /// ended and took the same seats or tickets again.
    OrderConfirmed(Box<OrderConfirmed>),
    /// An event was put into a category, or into none.
    EventCategorised {
        event: EventIndex,
        category: Option<String>,
        by: Option<UserIndex>,
        at: UnixMillis,
    },
    /// All events of a category went over to another one, which may have had events before.
    CategoryRenamed(Box<CategoryRenamed>),
    /// A news post was written.
    NewsPosted(Box<NewsPosted>),
    /// A news post was edited.
    NewsEdited(Box<NewsEdited>),
    /// A news post was taken down.
    NewsDeleted { news: NewsIndex, by: Option<UserIndex>, at: UnixMillis },
    /// News posts were read, some of them many times, since the last such record.
    NewsViewed { views: Vec<NewsViews>, at: UnixMillis },
    /// An account was shut out.
    UserSuspended { user: UserIndex, reason: String, by: Option<UserIndex>, at: UnixMillis },
    /// An account that was shut out may come in again.
    UserRestored { user: UserIndex, by: Option<UserIndex>, at: UnixMillis },
    /// An administrator used the rights of one: what was asked for, beside the records of what that
    /// did.
    AdminActed(Box<AdminActed>),
    /// How an event sells its tickets and lets its orders be paid was set.
    EventTermsSet(Box<EventTermsSet>),
    /// A provider knows a charge's payment by another key than its intent named.
    PaymentFound(Box<PaymentFound>),
    /// A provider gave card money of a charge back without being asked: in its own console, or
    /// because the buyer's bank said so. It counts against what is kept first, then against what is
    /// owed.
    ReturnedElsewhere { charge: ChargeIndex, card: u64, at: UnixMillis },
    /// The provider has money again that it had given back without being asked. It is owed to the
    /// buyer where the order is over.
    ReturnFailed { charge: ChargeIndex, card: u64, is_owed: bool, at: UnixMillis },
    /// A buyer's bank disputes a charge, or has decided. One that is lost takes the amount back.
    Disputed { charge: ChargeIndex, amount: u64, state: DisputeState, at: UnixMillis },
    /// Some seats or tickets of a paid order were given back, and their money goes back.
    PartReturned(Box<PartReturned>),
    /// A charge that was never confirmed is forgotten, its number stays used.
    ChargeForgotten { charge: ChargeIndex, at: UnixMillis },
    /// A provider's list of a day was compared with the books.
    DayCompared(Box<DayCompared>),
    /// As [`Record::AdminActed`], where it made something that has an id.
    AdminMade(Box<AdminMade>),
}

/// Why somebody's place or session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LeaveReason {
    /// He said so.
    Left,
    /// He was let in and did nothing for as long as a session lives.
    SessionOver,
    /// He was waiting and gave no sign of life.
    Silent,
}

/// How an event lets people in, as it is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueSettings {
    /// How many people are in at once.
    pub threshold: u32,
    /// Whether the threshold is the event's own; the server's default otherwise.
    pub own_threshold: bool,
    /// Thousandths of a person let in each second; `None` for no limit.
    pub rate_milli: Option<u64>,
    /// Whether the rate is the event's own.
    pub own_rate: bool,
    /// Whether nobody is let in for now.
    pub paused: bool,
}

/// An order as records name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OrderRef {
    /// The event.
    pub event: EventIndex,
    /// The order within the event.
    pub number: OrderNumber,
}

/// See [`Record::Held`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The new order.
    pub order: OrderRef,
    /// The hold slot it lives in while it is not ended.
    pub slot: HoldSlot,
    /// Whose it is.
    pub user: UserIndex,
    /// What it claims.
    pub claim: Claim,
    /// When it was made.
    pub at: UnixMillis,
    /// When it ends by itself unless it is being paid; `None` for tickets that are held for good.
    pub expires_at: Option<UnixMillis>,
    /// The key under which a repetition finds it.
    pub key: Option<Box<IdempotencyKey>>,
}

/// See [`Record::PaymentStarted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentStarted {
    /// The order being paid.
    pub order: OrderRef,
    /// Which attempt this is.
    pub attempt: Attempt,
    /// How it is paid.
    pub method: PaymentMethod,
    /// When it was begun.
    pub at: UnixMillis,
    /// The key under which a repetition finds it.
    pub key: Option<Box<IdempotencyKey>>,
}

/// See [`Record::ChargeOpened`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeOpened {
    /// Its number.
    pub charge: ChargeIndex,
    /// Who pays.
    pub user: UserIndex,
    /// For what.
    pub purpose: Purpose,
    /// Who takes the card's part.
    pub provider: ProviderName,
    /// How much.
    pub amount: Split,
    /// Makes the provider's order id nobody else's.
    pub tag: u64,
    /// The provider's name for it, where it has one before it is paid; empty otherwise.
    pub payment_key: String,
    /// When.
    pub at: UnixMillis,
}

/// See [`Record::CaptureStarted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureStarted {
    /// The charge.
    pub charge: ChargeIndex,
    /// The attempt of the order; 0 for points.
    pub attempt: Attempt,
    /// How it is paid.
    pub method: PaymentMethod,
    /// The provider's name for the payment; empty for points alone.
    pub payment_key: String,
    /// When.
    pub at: UnixMillis,
}

/// How a capture ended, or went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum CaptureOutcome {
    /// The money is here.
    Captured(Box<Captured>),
    /// The buyer pays into this account until it is due.
    Awaiting(Box<Deposit>),
    /// Definitely no money.
    Failed,
    /// The bank took the money back; points that were bought and are spent already are forgotten.
    /// Written by earlier versions.
    Reversed,
    /// The bank took the money back. Points that were bought with it are taken from the account;
    /// what is spent already becomes its debt.
    TakenBack,
}

/// See [`Record::ProviderAnswered`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProviderAnswered {
    /// About which charge.
    pub charge: ChargeIndex,
    /// What was asked.
    pub call: ProviderCall,
    /// The HTTP status; 0 where there was no answer.
    pub status: u16,
    /// The provider's code, or our word for what went wrong; empty for success.
    pub code: String,
    /// Who asked for it; `None` for the server itself.
    pub by: Option<UserIndex>,
    /// When the answer was there.
    pub at: UnixMillis,
}

/// See [`Record::SeatsReturned`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeatsReturned {
    /// The charge that paid the order.
    pub charge: ChargeIndex,
    /// Some of the order's seats, never all of them.
    pub seats: SeatList,
    /// What they cost, by where it goes back to.
    pub amount: Split,
    /// Who asked; `None` for the server itself.
    pub by: Option<UserIndex>,
    /// When.
    pub at: UnixMillis,
}

/// See [`Record::PaymentFound`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PaymentFound {
    /// The charge.
    pub charge: ChargeIndex,
    /// The provider's name for the payment that has its money.
    pub payment_key: String,
    /// When.
    pub at: UnixMillis,
}

/// How a dispute stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum DisputeState {
    /// The bank has the money and decides.
    Open,
    /// The money came back to us.
    Won,
    /// The buyer has the money.
    Lost,
}

/// See [`Record::PartReturned`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartReturned {
    /// The charge that paid the order.
    pub charge: ChargeIndex,
    /// Some of the order's seats or tickets, never all of them.
    pub part: Claim,
    /// What goes back, by where it goes back to.
    pub amount: Split,
    /// Who asked: the order's user, or an administrator.
    pub by: UserIndex,
    /// The key under which a repetition finds it.
    pub key: Option<Box<IdempotencyKey>>,
    /// When.
    pub at: UnixMillis,
}

/// See [`Record::DayCompared`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DayCompared {
    /// Whose list.
    pub provider: ProviderName,
    /// When the day began, in Seoul.
    pub day: UnixMillis,
    /// How many lines the provider's list had.
    pub transactions: u32,
    /// How many payments differed from the books and were asked about.
    pub differences: u32,
    /// Payments in the list that are not in the books.
    pub unknown: u32,
    /// When it was done.
    pub at: UnixMillis,
}

/// See [`Record::RefundAccountGiven`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefundAccountGiven {
    /// Of which charge.
    pub charge: ChargeIndex,
    /// The account.
    pub account: BankAccount,
    /// When.
    pub at: UnixMillis,
}

/// See [`Record::TicketTypesAdded`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketTypesAdded {
    /// Of which event.
    pub event: EventIndex,
    /// The first of them; the others follow it.
    pub first: TicketTypeIndex,
    /// In order.
    pub ticket_types: Vec<NewTicketType>,
    /// Who added them; `None` for the server itself.
    pub by: Option<UserIndex>,
    /// When.
    pub at: UnixMillis,
}

/// See [`Record::TicketTypeEdited`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketTypeEdited {
    /// Of which event.
    pub event: EventIndex,
    /// Which of its types.
    pub ticket_type: TicketTypeIndex,
    /// What it is from now on.
    pub details: TicketTypeDetails,
    /// Who changed it; `None` for the server itself.
    pub by: Option<UserIndex>,
    /// When.
    pub at: UnixMillis,
}

/// What an administrator can edit of a ticket type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketTypeDetails {
    /// Shown to buyers.
    pub name: String,
    /// Won for one.
    pub price: u32,
    /// How many there are, those sold included.
    pub total_quantity: u32,
    /// Free text.
    pub description: Option<String>,
}

/// See [`Record::OrderConfirmed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderConfirmed {
    /// The order.
    pub order: OrderRef,
    /// The hold slot it lives in from now on; for one that had ended mostly not the one of its id.
    pub slot: HoldSlot,
    /// How it counts as paid.
    pub method: PaymentMethod,
    /// Who confirmed it; `None` for the server itself.
    pub by: Option<UserIndex>,
    /// When.
    pub at: UnixMillis,
}

/// See [`Record::CategoryRenamed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategoryRenamed {
    /// The category that is no more.
    pub from: String,
    /// Where its events are now.
    pub to: String,
    /// Who renamed it; `None` for the server itself.
    pub by: Option<UserIndex>,
    /// When.
    pub at: UnixMillis,
}

/// See [`Record::NewsPosted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsPosted {
    /// The new post.
    pub news: NewsIndex,
    /// Title.
    pub title: String,
    /// Free text.
    pub content: String,
    /// Who wrote it; `None` for sample data.
    pub author: Option<UserIndex>,
    /// The author's name at that moment.
    pub author_name: String,
    /// Whether it stands before those that are not.
    pub is_pinned: bool,
    /// How often it was read before it came here.
    pub views: u64,
    /// When.
    pub at: UnixMillis,
}

/// See [`Record::NewsEdited`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsEdited {
    /// Which post.
    pub news: NewsIndex,
    /// Its title from now on.
    pub title: String,
    /// Its text from now on.
    pub content: String,
    /// Whether it is pinned from now on; `None` for as before.
    pub is_pinned: Option<bool>,
    /// Who edited it.
    pub by: UserIndex,
    /// When.
    pub at: UnixMillis,
}

/// How often a news post was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewsViews {
    /// Which post.
    pub news: NewsIndex,
    /// How often.
    pub count: u32,
}

/// See [`Record::AdminActed`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminActed {
    /// Who.
    pub by: UserIndex,
    /// The verb of the request.
    pub method: String,
    /// Its target, cut at [`crate::limits::AUDIT_PATH_BYTES_MAX`].
    pub path: String,
    /// The beginning of what came with it, without secrets.
    pub body: String,
    /// When it was done.
    pub at: UnixMillis,
}

/// See [`Record::EventTermsSet`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTermsSet {
    /// Of which event.
    pub event: EventIndex,
    /// All of them from now on.
    pub terms: EventTerms,
    /// The ticket types that are sold beside seats, ascending; the others are for show there.
    pub standing: Vec<TicketTypeIndex>,
    /// Who set them; `None` for the server itself.
    pub by: Option<UserIndex>,
    /// When.
    pub at: UnixMillis,
}

/// How an event sells tickets without seats and lets its orders be paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTerms {
    /// Tickets without seats that one user can hold and own of it; `None` for the server's default.
    pub max_tickets: Option<u32>,
    /// How long an unpaid order of tickets lives; `None` for the server's default.
    pub ticket_hold_ttl: Option<TicketHold>,
    /// Whether its orders may be paid into virtual accounts, which hold seats until they are due.
    pub deposits: bool,
}

impl Default for EventTerms {
    fn default() -> EventTerms {
        EventTerms { max_tickets: None, ticket_hold_ttl: None, deposits: true }
    }
}

/// How long an unpaid order of tickets lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TicketHold {
    /// Until its user or an administrator ends it.
    Never,
    /// So many milliseconds.
    Millis(u64),
}

/// See [`Record::AdminMade`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminMade {
    /// What was asked for.
    pub acted: AdminActed,
    /// The id of what it made, cut at [`crate::limits::AUDIT_MADE_BYTES_MAX`].
    pub made: String,
}

/// How a refund ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefundOutcome {
    /// The money went back.
    Done,
    /// The provider will not.
    Refused,
    /// An administrator wants a refused one tried again.
    Again,
    /// The provider had taken it on, and has the money again: it is due once more, or refused where
    /// that happened before.
    Failed,
    /// An administrator gave a refused one back another way.
    ByHand,
}

/// Who takes money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ProviderName {
    /// Nobody: points alone.
    None,
    /// Toss Payments.
    Toss,
    /// Stripe.
    Stripe,
}

/// What a provider is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ProviderCall {
    /// Make a payment that the buyer can then confirm.
    Open,
    /// Take the money.
    Capture,
    /// Say what became of it.
    Query,
    /// Give it back.
    Refund,
}

/// What an order claims.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// Seats of the event's layout, ascending.
    Seats(SeatList),
    /// Tickets of types without seats, by ascending type.
    Tickets(Box<[TicketLine]>),
}

/// Seats of one order, ascending and distinct.
pub type SeatList = InlineList<SeatIndex>;

impl SeatList {
    /// What is left without `part`; `None` where that has no seat, one that is not here, or all.
    #[must_use]
    pub fn without(&self, part: &SeatList) -> Option<SeatList> {
        let mut rest = SeatList::default();
        for &seat in self.iter().filter(|seat| !part.contains(seat)) {
            rest.push(seat)?;
        }
        let is_some_of_it = !part.is_empty() && !rest.is_empty();
        (is_some_of_it && rest.len() + part.len() == self.len()).then_some(rest)
    }
}

impl Claim {
    /// What is left without `part`; `None` where that is of another kind, is nothing, has something
    /// that is not here, or is all.
    #[must_use]
    pub fn without(&self, part: &Claim) -> Option<Claim> {
        match (self, part) {
            (Claim::Seats(own), Claim::Seats(part)) => own.without(part).map(Claim::Seats),
            (Claim::Tickets(own), Claim::Tickets(part)) => {
                tickets_without(own, part).map(Claim::Tickets)
            }
            _ => None,
        }
    }

    /// How many seats or tickets.
    #[must_use]
    pub fn count(&self) -> u64 {
        match self {
            Claim::Seats(seats) => seats.len() as u64,
            Claim::Tickets(lines) => lines.iter().map(|line| u64::from(line.quantity)).sum(),
        }
    }
}

/// A type stands once in each list, ascending.
fn tickets_without(own: &[TicketLine], part: &[TicketLine]) -> Option<Box<[TicketLine]>> {
    let mut rest = own.to_vec();
    for taken in part {
        let line = rest.iter_mut().find(|line| line.ticket_type == taken.ticket_type)?;
        line.quantity = line.quantity.checked_sub(taken.quantity).filter(|_| taken.quantity > 0)?;
    }
    rest.retain(|line| line.quantity > 0);
    (!part.is_empty() && !rest.is_empty()).then(|| rest.into_boxed_slice())
}

/// A number of tickets of one type at the price of that moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketLine {
    /// The ticket type.
    pub ticket_type: TicketTypeIndex,
    /// How many.
    pub quantity: u32,
    /// Won for one.
    pub unit_price: u32,
}

/// The hash of a client's idempotency key and of the request it came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct IdempotencyKey {
    /// Of the key and the operation.
    pub key: u128,
    /// Of the request's content; the same key with other content is refused.
    pub content: u64,
}

impl IdempotencyKey {
    /// The key of a request that came without one, from the hash of what it asks for: it finds the
    /// same request for a few seconds only.
    #[must_use]
    pub fn of_content(hash: u128) -> IdempotencyKey {
        IdempotencyKey { key: hash, content: hash as u64 }
    }

    /// Whether it was made from the content alone. The hashes of a client's key and of its content
    /// agree in 64 bits by chance only.
    #[must_use]
    pub fn is_of_content(&self) -> bool {
        self.content == self.key as u64
    }
}

/// How an order is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum PaymentMethod {
    /// 네이버페이
    NaverPay,
    /// 카카오페이
    KakaoPay,
    /// 계좌이체
    BankTransfer,
    /// Through a provider of payments.
    Card,
    /// By points alone.
    Point,
    /// By both.
    Mixed,
    /// By nothing: it costs nothing.
    Free,
}

/// Why an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum EndReason {
    /// Its deadline passed.
    Expired,
    /// Its user cancelled it.
    CancelledByUser,
    /// An administrator cancelled it.
    CancelledByAdmin,
    /// Its event was called off.
    EventCancelled,
}

/// What an account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Role {
    /// Book.
    User,
    /// Also administer.
    Admin,
}

/// See [`Record::UserRegistered`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRegistered {
    /// The new user.
    pub user: UserId,
    /// Normalised address, unique.
    pub email: String,
    /// As bcrypt prints it.
    pub password_hash: String,
    /// Shown to others.
    pub name: String,
    /// Free form.
    pub phone: Option<String>,
    /// What the account may do.
    pub role: Role,
    /// When it was made.
    pub at: UnixMillis,
}

/// See [`Record::LayoutCreated`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayoutCreated {
    /// The new layout.
    pub layout: LayoutIndex,
    /// Unique.
    pub name: String,
    /// Free text.
    pub description: Option<String>,
    /// In the order of their seats.
    pub sections: Vec<Section>,
    /// When it was made.
    pub at: UnixMillis,
}

/// A block of rows at one price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Section {
    /// Unique within the layout.
    pub name: String,
    /// How many rows.
    pub rows: u32,
    /// Seats in each row.
    pub seats_per_row: u32,
    /// Won for a seat.
    pub price: u32,
    /// The number of the first row.
    pub start_row: u32,
}

/// What kind of thing a keyword names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum KeywordKind {
    /// A performer.
    Artist,
    /// A place.
    Venue,
    /// Anything else.
    General,
}

/// Two words that mean the same in searches.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct KeywordMapping {
    /// The Korean word.
    pub korean: String,
    /// The English word.
    pub english: String,
    /// What they name.
    pub kind: KeywordKind,
}

/// See [`Record::EventCreated`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventCreated {
    /// The new event.
    pub event: EventIndex,
    /// What is shown of it.
    pub details: EventDetails,
    /// Its seats; `None` for an event of ticket types only.
    pub layout: Option<LayoutIndex>,
    /// Its ticket types.
    pub ticket_types: Vec<NewTicketType>,
    /// Its booking rules.
    pub rules: EventRules,
    /// Who made it; `None` for sample data.
    pub created_by: Option<UserIndex>,
    /// When it was made.
    pub at: UnixMillis,
}

/// What an administrator can edit of an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventDetails {
    /// Title.
    pub title: String,
    /// Free text.
    pub description: Option<String>,
    /// Name of the venue.
    pub venue: String,
    /// Its address.
    pub address: Option<String>,
    /// Who performs.
    pub artist_name: Option<String>,
    /// Address of a picture.
    pub poster_image_url: Option<String>,
    /// When the show begins.
    pub event_at: UnixMillis,
    /// When sales open.
    pub sale_starts_at: UnixMillis,
    /// When sales close; this instant is outside.
    pub sale_ends_at: UnixMillis,
}

/// A kind of ticket without seats.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewTicketType {
    /// Shown to buyers.
    pub name: String,
    /// Won for one.
    pub price: u32,
    /// How many there are.
    pub total_quantity: u32,
    /// How many of them were sold elsewhere and are not for sale here.
    pub sold_elsewhere: u32,
    /// Free text.
    pub description: Option<String>,
}

/// How an event may be booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRules {
    /// Seats in one reservation, 1 to [`crate::limits::SEATS_PER_HOLD_MAX`].
    pub seats_per_reservation: u8,
    /// How long a hold lives, in milliseconds.
    pub hold_ttl_ms: u64,
    /// Seats and tickets one user can hold and own of this event; `None` for no cap.
    pub seats_per_user: Option<u32>,
}
