//! The auditor: walks a log record by record and says where it breaks the rules.
//!
//! Written from the specification and sharing no code with the engine's fold: it keeps its own
//! small model of seats, tickets and orders. It never stops at a finding; it takes the log's word
//! and goes on, so that one defect does not hide the next. Records of different threads may be
//! logged a moment out of order of their instants, and a hold may race with an edit or the
//! cancelling of its event: what [`RACE_MS`] explains is no finding.

mod catalog;
mod changes;
mod claims;
mod closing;
mod finding;
mod model;
mod money;
mod orders;
mod people;
mod queue;
mod seeding;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};

use tiketi_engine::ids::{EventIndex, Lsn, UnixMillis};
use tiketi_engine::record::Record;

pub(crate) use closing::{Report, Summary};
use finding::Findings;
pub(crate) use finding::Rule;
use model::{EventModel, LayoutModel, UserModel};
use money::MoneyModel;
pub(crate) use money::PointsSums;
use people::NewsModel;

/// How far apart in time two things may be that happened at once.
const RACE_MS: u64 = 10_000;

/// How long the sweeps may take to end what has to end.
const SWEEP_MS: u64 = 60_000;

/// How long an equal order without a key is the same click.
const SAME_CLICK_MS: u64 = 5_000;

/// How long an idempotency key is remembered.
const KEY_KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

/// What is known after the records seen so far.
#[derive(Default)]
pub(crate) struct Auditor {
    findings: Findings,
    first_lsn: Option<Lsn>,
    lsn: Lsn,
    records: u64,
    epoch: u64,
    /// When the running epoch began.
    epoch_at: UnixMillis,
    /// Whether any epoch began.
    in_epoch: bool,
    /// The highest instant of any record.
    latest_at: UnixMillis,
    users: Vec<UserModel>,
    emails: HashSet<String>,
    layouts: Vec<LayoutModel>,
    layout_names: HashSet<String>,
    events: Vec<EventModel>,
    money: MoneyModel,
    news: NewsModel,
    suspended: HashSet<u32>,
    /// Idempotency keys of the last day: by user and key, the order it made and when.
    keys: HashMap<(u32, u128), (EventIndex, u32, UnixMillis)>,
    keys_by_age: VecDeque<(UnixMillis, (u32, u128))>,
}

impl Auditor {
    /// An auditor that keeps at most `findings_max` findings and counts the rest.
    pub(crate) fn new(findings_max: usize) -> Auditor {
        Auditor { findings: Findings::new(findings_max), ..Auditor::default() }
    }

    /// Looks at the next record.
    pub(crate) fn record(&mut self, lsn: Lsn, record: &Record) {
        self.place(lsn);
        self.records += 1;
        match record {
            Record::EpochStarted { epoch, at } => self.epoch_started(epoch.0, *at),
            Record::Held(held) => self.held(held),
            Record::PaymentStarted(started) => self.payment_started(started),
            Record::PaymentFailed { order, attempt, at } => {
                self.payment_failed(*order, *attempt, *at);
            }
            Record::Paid { order, attempt, at } => self.paid(*order, *attempt, *at),
            Record::OrderEnded { order, reason, at } => {
                self.order_ended(*order, *reason, *at);
                self.money_of_ended(*order, *at);
            }
            Record::SeatsBlocked { event, seats, reason: _, at } => {
                self.seats_blocked(*event, seats, *at);
            }
            Record::SeatsUnblocked { event, seats, at } => {
                self.seats_unblocked(*event, seats, *at);
            }
            Record::UserRegistered(user) => self.user_registered(user),
            Record::UserRoleChanged { user, role: _, at } => {
                self.instant(*at);
                if user.position() >= self.users.len() {
                    self.find(Rule::UnknownThing, format!("no user {user} whose role changes"));
                }
            }
            Record::LayoutCreated(layout) => self.layout_created(layout),
            Record::KeywordMapped(_) => {}
            Record::EventCreated(event) => self.event_created(event),
            Record::EventEdited { event, details, at } => self.event_edited(*event, details, *at),
            Record::EventCancelled { event, at } => self.event_cancelled(*event, *at),
            Record::QueueJoined { event, user, place, at } => {
                self.queue_joined(*event, *user, *place, *at);
            }
            Record::QueueAdmitted { event, user, place, at } => {
                self.queue_admitted(*event, *user, *place, *at);
            }
            Record::QueueLeft { event, user, reason, at } => {
                self.queue_left(*event, *user, *reason, *at);
            }
            Record::QueueCleared { event, at } => self.queue_cleared(*event, *at),
            Record::QueueClosed { event, at } => self.queue_closed(*event, *at),
            Record::QueueChanged { event, settings, at } => {
                self.queue_changed(*event, *settings, *at);
            }
            Record::QueueMovedUp { event, user, at } => self.queue_moved_up(*event, *user, *at),
            Record::QueueLanesSet { event, lanes, at } => {
                self.queue_lanes_set(*event, lanes, *at);
            }
            Record::QueueLaneGiven { event, lane, users, at } => {
                self.queue_lane_given(*event, *lane, users, *at);
            }
            Record::QueueLobbyOpened { event, seed, at } => {
                self.queue_lobby_opened(*event, *seed, *at);
            }
            Record::QueueDrawn { event, beacon, at } => self.queue_drawn(*event, beacon, *at),
            Record::ChargeOpened(opened) => self.charge_opened(opened),
            Record::CaptureStarted(started) => self.capture_started(started),
            Record::CaptureEnded { charge, outcome, at } => {
                self.capture_ended(*charge, outcome, *at);
            }
            Record::ProviderAnswered(answered) => self.instant(answered.at),
            Record::SeatsReturned(returned) => self.seats_returned(returned),
            Record::RefundAccountGiven(given) => self.refund_account_given(given),
            Record::RefundEnded { refund, outcome, at } => {
                self.refund_ended(*refund, *outcome, *at);
            }
            Record::EventDeleted { event, at, .. } => self.event_deleted(*event, *at),
            Record::SeatsRemoved { event, at, .. } => self.seats_removed(*event, *at),
            Record::SeatsGenerated { event, at, .. } => self.seats_generated(*event, *at),
            Record::TicketTypesAdded(added) => self.ticket_types_added(added),
            Record::TicketTypeEdited(edited) => self.ticket_type_edited(edited),
            Record::OrderConfirmed(confirmed) => self.order_confirmed(confirmed),
            Record::EventCategorised { event, at, .. } => {
                self.instant(*at);
                if event.position() >= self.events.len() {
                    self.find(Rule::UnknownThing, format!("event {event} has a category, unknown"));
                }
            }
            Record::CategoryRenamed(renamed) => self.instant(renamed.at),
            Record::NewsPosted(posted) => self.news_posted(posted.news, posted.at),
            Record::NewsEdited(edited) => self.about_news(edited.news, edited.at),
            Record::NewsDeleted { news, by: _, at } => self.news_deleted(*news, *at),
            Record::NewsViewed { views, at } => {
                views.iter().for_each(|viewed| self.about_news(viewed.news, *at));
            }
            Record::UserSuspended { user, reason: _, by: _, at } => {
                self.user_suspended(*user, *at);
            }
            Record::UserRestored { user, by: _, at } => self.user_restored(*user, *at),
            Record::AdminActed(acted) => self.admin_acted(acted.by, acted.at),
            Record::AdminMade(made) => self.admin_acted(made.acted.by, made.acted.at),
            Record::EventTermsSet(set) => self.event_terms_set(set),
            Record::PaymentFound(found) => self.payment_found(found),
            Record::ReturnedElsewhere { charge, card, at } => {
                self.returned_elsewhere(*charge, *card, *at);
            }
            Record::ReturnFailed { charge, card, is_owed, at } => {
                self.return_failed(*charge, *card, *is_owed, *at);
            }
            Record::Disputed { charge, amount, state, at } => {
                self.disputed(*charge, *amount, *state, *at);
            }
            Record::PartReturned(returned) => self.part_returned(returned),
            Record::ChargeForgotten { charge, at } => self.charge_forgotten(*charge, *at),
            Record::DayCompared(compared) => self.day_compared(compared),
        }
    }

    /// Positions are dense (R6).
    fn place(&mut self, lsn: Lsn) {
        match self.first_lsn {
            None if lsn != self.lsn.next() => {
                let expected = self.lsn.next();
                self.findings.add(
                    lsn,
                    Rule::LsnGap,
                    format!("the log begins at {lsn}, expected {expected}"),
                );
            }
            Some(_) if lsn != self.lsn.next() => {
                let text = format!("record {lsn} comes after record {}", self.lsn);
                self.findings.add(lsn, Rule::LsnGap, text);
            }
            _ => {}
        }
        self.first_lsn.get_or_insert(lsn);
        self.lsn = lsn;
    }

    fn epoch_started(&mut self, epoch: u64, at: UnixMillis) {
        if epoch <= self.epoch {
            self.find(Rule::Epoch, format!("epoch {epoch} begins after epoch {}", self.epoch));
        }
        self.in_epoch = true;
        self.epoch = epoch;
        self.epoch_at = at;
        self.instant(at);
    }

    /// Instants do not fall by more than threads can explain (R16).
    fn instant(&mut self, at: UnixMillis) {
        if !self.in_epoch {
            self.find(Rule::Epoch, "a record before the first epoch began".into());
            self.in_epoch = true;
        }
        if at.plus(RACE_MS) < self.latest_at {
            let text = format!(
                "its instant is {} ms before that of an earlier record",
                self.latest_at.0 - at.0
            );
            self.find(Rule::Instant, text);
        }
        self.latest_at = self.latest_at.max(at);
    }

    /// The last record seen.
    pub(crate) fn lsn(&self) -> Lsn {
        self.lsn
    }

    /// Adds what somebody else found at a position.
    pub(crate) fn report(&mut self, lsn: Lsn, rule: Rule, text: String) {
        self.findings.add(lsn, rule, text);
    }

    fn find(&mut self, rule: Rule, text: String) {
        self.findings.add(self.lsn, rule, text);
    }
}
