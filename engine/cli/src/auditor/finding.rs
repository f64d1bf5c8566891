//! What the auditor has to say.

use std::fmt;

use serde::Serialize;
use tiketi_engine::ids::Lsn;

/// The rule that a finding breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Rule {
    /// Positions in the log are dense from 1.
    LsnGap,
    /// Epochs only rise, and the first record begins one.
    Epoch,
    /// Instants do not fall.
    Instant,
    /// A record names only what an earlier one made.
    UnknownThing,
    /// Users, layouts, events and news are numbered densely; names and addresses are unique.
    Numbering,
    /// What a record describes cannot exist.
    Malformed,
    /// No seat, hold slot or order number has two owners.
    TwoOwners,
    /// Only the owner of a seat gives it back.
    NotTheOwner,
    /// Held, then paying, then paid or held again, then ended: in this order, ended once. Suspended,
    /// then restored.
    OrderOfLife,
    /// A hold expires at its deadline, not before, and is not paid after it.
    Deadline,
    /// Holds are made inside the sale window of an event that goes on.
    NotOnSale,
    /// What the event's rules allow in one order and to one user.
    Limit,
    /// Tickets are sold as the event's terms say: so many to one user, and beside seats only those that
    /// they name.
    Terms,
    /// No payment begins once the show has begun.
    EventOver,
    /// What is paid by nothing costs nothing.
    Free,
    /// Tickets are not oversold and cost what they cost.
    Stock,
    /// An idempotency key makes one order, and so does an equal click of a moment ago.
    Idempotency,
    /// Nobody has two places in one line, or is let in twice without leaving.
    TwoPlaces,
    /// People are let in in the order of their places, but for those moved up.
    Overtaking,
    /// No more people are in than the settings of that moment allow.
    Threshold,
    /// Free, held, sold and blocked seats make up every section.
    Sum,
    /// What is paid is an order that owns what it claims.
    SaleWithoutOrder,
    /// Money that was captured is a paid order, points, or on its way back; points are not spent
    /// twice.
    Money,
    /// What has to end has ended.
    Overdue,
    /// A snapshot is the fold of the log up to its position.
    Snapshot,
    /// What lies on disk can be read.
    Damage,
}

impl Rule {
    /// Its name in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Rule::LsnGap => "lsn-gap",
            Rule::Epoch => "epoch",
            Rule::Instant => "instant",
            Rule::UnknownThing => "unknown-thing",
            Rule::Numbering => "numbering",
            Rule::Malformed => "malformed",
            Rule::TwoOwners => "two-owners",
            Rule::NotTheOwner => "not-the-owner",
            Rule::OrderOfLife => "order-of-life",
            Rule::Deadline => "deadline",
            Rule::NotOnSale => "not-on-sale",
            Rule::Limit => "limit",
            Rule::Terms => "terms",
            Rule::EventOver => "event-over",
            Rule::Free => "free",
            Rule::Stock => "stock",
            Rule::Idempotency => "idempotency",
            Rule::TwoPlaces => "two-places",
            Rule::Overtaking => "overtaking",
            Rule::Threshold => "threshold",
            Rule::Sum => "sum",
            Rule::SaleWithoutOrder => "sale-without-order",
            Rule::Money => "money",
            Rule::Overdue => "overdue",
            Rule::Snapshot => "snapshot",
            Rule::Damage => "damage",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A place in the log where a rule is broken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// The record that breaks it, or the one that made what is wrong at the end.
    pub(crate) lsn: u64,
    /// Which rule.
    pub(crate) rule: Rule,
    /// What is wrong.
    pub(crate) text: String,
}

/// Findings, up to a bound.
#[derive(Default)]
pub(super) struct Findings {
    kept: Vec<Finding>,
    max: usize,
    total: u64,
}

impl Findings {
    pub(super) fn new(max: usize) -> Findings {
        Findings { kept: Vec::new(), max, total: 0 }
    }

    pub(super) fn add(&mut self, lsn: Lsn, rule: Rule, text: String) {
        self.total += 1;
        if self.kept.len() < self.max {
            self.kept.push(Finding { lsn: lsn.0, rule, text });
        }
    }

    /// The kept findings by position, and how many there were.
    pub(super) fn finish(mut self) -> (Vec<Finding>, u64) {
        self.kept.sort_by_key(|finding| finding.lsn);
        (self.kept, self.total)
    }
}
