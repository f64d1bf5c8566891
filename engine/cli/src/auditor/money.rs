//! Money: what was captured is kept for a paid order or as points, or has gone back, or is owed
//! (R12, R13). This file has the model and the life of a charge; `returns` has what goes back,
//! `points` the accounts, and `laws` what must hold after every record and at the end.

mod laws;
mod points;
mod returns;

use std::collections::{BTreeMap, HashMap};

use tiketi_engine::ids::{Attempt, ChargeIndex, UnixMillis};
use tiketi_engine::money::{self, ChargeState, Deposit, Ledger, Purpose, RefundState, Split};
use tiketi_engine::record::{
    CaptureOutcome, CaptureStarted, ChargeOpened, DayCompared, DisputeState, OrderRef,
    PaymentFound, PaymentMethod, PaymentStarted, ProviderName,
};
use tiketi_engine::state::State;

pub(crate) use self::laws::PointsSums;
pub(super) use self::laws::{MoneySums, Waiting};
use self::points::AccountModel;
use super::finding::Rule;
use super::{Auditor, RACE_MS};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;
const SEOUL_OFFSET_MS: u64 = 9 * 60 * 60 * 1_000;

/// Charges, refunds and points, as the auditor sees them.
#[derive(Default)]
pub(super) struct MoneyModel {
    /// By index; `None` for those that are forgotten.
    charges: Vec<Option<ChargeModel>>,
    pieces: Vec<Piece>,
    accounts: BTreeMap<u32, AccountModel>,
    of_order: HashMap<(u32, u32), Vec<usize>>,
    /// Whether a record was seen that writers of snapshot version 6 and later alone make: what they
    /// promise counts from there on.
    caps_deposits: bool,
}

struct ChargeModel {
    user: u32,
    order: Option<OrderRef>,
    attempt: Attempt,
    provider: ProviderName,
    amount: Split,
    stage: Stage,
    /// Captured, not gone back and not owed.
    kept: Split,
    /// Card money that the provider gave back without being asked.
    elsewhere: u64,
    dispute: Option<(u64, DisputeState, UnixMillis)>,
    /// What is owed of it or went back by card, oldest first.
    pieces: Vec<usize>,
    /// When it was begun, or opened where it was not.
    since: UnixMillis,
    /// Since when all of its card money is gone without an order that ended.
    gone_at: Option<UnixMillis>,
    /// Whether it was found not to add up: said once.
    is_reported: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Capturing,
    AwaitingDeposit,
    Captured,
    Failed,
    Reversed,
}

/// A piece of what is owed of a charge.
#[derive(PartialEq)]
struct Piece {
    charge: usize,
    card: u64,
    state: PieceState,
    failures: u8,
    at: UnixMillis,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PieceState {
    Due,
    Refused,
    Done,
    ByHand,
}

impl Piece {
    fn is_owed(&self) -> bool {
        matches!(self.state, PieceState::Due | PieceState::Refused)
    }
}

impl ChargeModel {
    fn of(charge: &money::Charge) -> ChargeModel {
        ChargeModel {
            user: charge.user.0,
            order: order_of(charge.purpose),
            attempt: charge.attempt,
            provider: charge.provider,
            amount: charge.amount,
            stage: match charge.state {
                ChargeState::Open => Stage::Open,
                ChargeState::Capturing => Stage::Capturing,
                ChargeState::AwaitingDeposit => Stage::AwaitingDeposit,
                ChargeState::Captured => Stage::Captured,
                ChargeState::Failed => Stage::Failed,
                ChargeState::Reversed => Stage::Reversed,
            },
            kept: charge.balance(),
            elsewhere: charge.elsewhere(),
            dispute: charge.dispute.map(|one| (one.amount, one.state, one.at)),
            pieces: Vec::new(),
            since: charge.started_at.unwrap_or(charge.opened_at),
            gone_at: None,
            is_reported: false,
        }
    }

    fn says_the_same(&self, other: &ChargeModel) -> bool {
        let who = |one: &ChargeModel| (one.user, one.order, one.attempt, one.provider, one.amount);
        let how = |one: &ChargeModel| (one.stage, one.kept, one.elsewhere, one.dispute, one.since);
        who(self) == who(other) && how(self) == how(other) && self.pieces == other.pieces
    }

    /// Whether the money that its order was paid with is not there any more.
    fn is_gone(&self) -> bool {
        match self.stage {
            Stage::Reversed => true,
            Stage::Captured => self.elsewhere > 0 && self.kept.card == 0,
            _ => false,
        }
    }
}

impl MoneyModel {
    /// What a snapshot says of it.
    pub(super) fn of(state: &State) -> MoneyModel {
        let ledger = state.ledger();
        let mut model = MoneyModel::default();
        for number in 0..ledger.charge_count() {
            let charge = ledger.charge(ChargeIndex(number)).map(ChargeModel::of);
            model.add_charge(charge);
        }
        for refund in ledger.refunds() {
            let charge = refund.charge.position();
            if let Some(Some(of)) = model.charges.get_mut(charge) {
                of.pieces.push(model.pieces.len());
            }
            model.pieces.push(Piece {
                charge,
                card: refund.card,
                state: match refund.state {
                    RefundState::Due => PieceState::Due,
                    RefundState::Refused { .. } => PieceState::Refused,
                    RefundState::Done { .. } => PieceState::Done,
                    RefundState::ByHand { .. } => PieceState::ByHand,
                },
                failures: refund.failures,
                at: refund.at,
            });
        }
        for charge in model.charges.iter_mut().flatten().filter(|charge| charge.is_gone()) {
            charge.gone_at = Some(state.last_at());
        }
        model.accounts = accounts(ledger);
        model.forgive_as_before(ledger);
        model
    }

    /// What a snapshot says otherwise; of each kind the first.
    pub(super) fn differences(&self, state: &State) -> Vec<String> {
        let other = MoneyModel::of(state);
        let same = |(own, other): &(&Option<ChargeModel>, &Option<ChargeModel>)| match (own, other)
        {
            (Some(own), Some(other)) => own.says_the_same(other),
            (own, other) => own.is_none() && other.is_none(),
        };
        let counts = |model: &MoneyModel| (model.charges.len(), model.pieces.len());
        let mut found = Vec::new();
        if counts(self) != counts(&other) {
            let (own, other) = (counts(self), counts(&other));
            found.push(format!(
                "{} charges and {} refunds in the snapshot, {} and {} in the log",
                other.0, other.1, own.0, own.1
            ));
        }
        let mut charges = self.charges.iter().zip(&other.charges);
        if let Some(index) = charges.position(|pair| !same(&pair)) {
            found.push(format!("charge {index} differs in the snapshot"));
        }
        let mut pieces = self.pieces.iter().zip(&other.pieces);
        if let Some(index) = pieces.position(|(own, other)| own != other) {
            found.push(format!("refund {index} differs in the snapshot"));
        }
        if let Some(user) = self.other_points(&other) {
            found.push(format!("the points of user {user} differ in the snapshot"));
        }
        found
    }

    /// A record was seen that writers of snapshot version 6 and later alone make.
    pub(super) fn is_of_version_6(&mut self) {
        self.caps_deposits = true;
    }

    fn add_charge(&mut self, charge: Option<ChargeModel>) {
        if let Some(order) = charge.as_ref().and_then(|charge| charge.order) {
            let key = (order.event.0, order.number.0);
            self.of_order.entry(key).or_default().push(self.charges.len());
        }
        self.charges.push(charge);
    }

    fn charge(&self, index: usize) -> Option<&ChargeModel> {
        self.charges.get(index)?.as_ref()
    }

    fn charge_mut(&mut self, index: usize) -> Option<&mut ChargeModel> {
        self.charges.get_mut(index)?.as_mut()
    }

    fn account(&mut self, user: u32) -> &mut AccountModel {
        self.accounts.entry(user).or_default()
    }

    /// The charges of an order.
    fn of_order(&self, order: OrderRef) -> &[usize] {
        self.of_order.get(&(order.event.0, order.number.0)).map_or(&[], Vec::as_slice)
    }
}

fn accounts(ledger: &Ledger) -> BTreeMap<u32, AccountModel> {
    let model = |account: &money::Account| AccountModel {
        balance: account.balance,
        debt: account.debt,
        forgiven: 0,
    };
    ledger.accounts().map(|(user, account)| (user.0, model(account))).collect()
}

impl Auditor {
    /// Begins with a snapshot's ledger, which has to add up as well.
    pub(super) fn seed_money(&mut self, state: &State) {
        self.money = MoneyModel::of(state);
        for index in 0..self.money.charges.len() {
            self.pays_by_seed(state, index);
        }
        for index in 0..self.money.charges.len() {
            self.check_charge(index);
        }
        let found = self.points_law();
        self.add(found);
    }

    /// Whether an order of a snapshot was paid by this charge: an administrator who confirms one
    /// leaves another method.
    fn pays_by_seed(&mut self, state: &State, index: usize) {
        use PaymentMethod::{Card, Free, Mixed, Point};
        let charge = state.ledger().charge(ChargeIndex(index as u32));
        let Some(charge) = charge.filter(|charge| charge.captured.is_some()) else { return };
        let Purpose::Order(id) = charge.purpose else { return };
        let payment = state.order(id).and_then(|(_, order)| order.payment);
        let is_it = payment.is_some_and(|payment| {
            payment.attempt == charge.attempt
                && matches!(payment.method, Card | Point | Mixed | Free)
        });
        let order = OrderRef { event: id.event, number: id.order };
        if let Some(order) = self.order_mut(order).filter(|_| is_it) {
            order.paid_by = Some(index);
        }
    }

    /// Whether there is such a charge; where there is none, that is a finding.
    fn has_charge(&mut self, index: usize, how: &str) -> bool {
        match self.money.charges.get(index) {
            Some(Some(_)) => return true,
            Some(None) => {
                self.find(Rule::Money, format!("charge {index} {how}, but was forgotten"));
            }
            None => self.find(Rule::UnknownThing, format!("charge {index} {how}, unknown")),
        }
        false
    }

    pub(super) fn charge_opened(&mut self, opened: &ChargeOpened) {
        self.instant(opened.at);
        let name = format!("charge {}", opened.charge);
        let mut found = Vec::new();
        if opened.charge.position() != self.money.charges.len() {
            found.push((Rule::Numbering, format!("{name} is out of order")));
        }
        if opened.user.position() >= self.users.len() {
            found.push((Rule::UnknownThing, format!("{name} is of user {}, unknown", opened.user)));
        }
        let order = order_of(opened.purpose);
        if let Some(order) = order {
            let event = self.events.get(order.event.position());
            let known = event.and_then(|event| Some((event, event.orders.get(&order.number.0)?)));
            match known {
                None => found.push((Rule::UnknownThing, format!("{name} is for no order"))),
                Some((_, of)) if of.user != opened.user.0 => {
                    found.push((Rule::Money, format!("{name} is for another user's order")));
                }
                Some((event, of)) => {
                    let total = opened.amount.card + opened.amount.points;
                    if of.life.is_live() && event.amount(&of.claim) != total {
                        let text = format!("{name} is of {total} won, its order of another sum");
                        found.push((Rule::Money, text));
                    }
                }
            }
        }
        self.money.add_charge(Some(ChargeModel {
            user: opened.user.0,
            order,
            attempt: Attempt(0),
            provider: opened.provider,
            amount: opened.amount,
            stage: Stage::Open,
            kept: Split::default(),
            elsewhere: 0,
            dispute: None,
            pieces: Vec::new(),
            since: opened.at,
            gone_at: None,
            is_reported: false,
        }));
        self.add(found);
    }

    /// A charge that was never confirmed took no money.
    pub(super) fn charge_forgotten(&mut self, charge: ChargeIndex, at: UnixMillis) {
        self.is_new(at);
        let index = charge.position();
        if !self.has_charge(index, "is forgotten") {
            return;
        }
        let Some(forgotten) = self.money.charges[index].take() else { return };
        if let Some(order) = forgotten.order
            && let Some(all) = self.money.of_order.get_mut(&(order.event.0, order.number.0))
        {
            all.retain(|&other| other != index);
        }
        if forgotten.stage != Stage::Open {
            let text = format!("charge {index} is forgotten while it is {:?}", forgotten.stage);
            self.find(Rule::Money, text);
        }
    }

    pub(super) fn capture_started(&mut self, started: &CaptureStarted) {
        self.instant(started.at);
        let index = started.charge.position();
        if !self.has_charge(index, "is to be captured") {
            return;
        }
        let Some(charge) = self.money.charge_mut(index) else { return };
        let before = std::mem::replace(&mut charge.stage, Stage::Capturing);
        charge.attempt = started.attempt;
        charge.since = started.at;
        let (user, points, order) = (charge.user, charge.amount.points, charge.order);
        let is_free = charge.amount == Split::default();
        let mut found = Vec::new();
        if before != Stage::Open {
            found.push((Rule::Money, format!("charge {index} is captured twice")));
        }
        if is_free != (started.method == PaymentMethod::Free) {
            let text = format!("charge {index} costs nothing and is paid, or costs and is not");
            found.push((Rule::Free, text));
        }
        if points > 0 && !self.money.account(user).spend(points) {
            found.push((Rule::Money, format!("user {user} spends points that are not there")));
        }
        self.add(found);
        if let Some(order) = order {
            self.payment_started(&PaymentStarted {
                order,
                attempt: started.attempt,
                method: started.method,
                at: started.at,
                key: None,
            });
        }
    }

    /// The provider knows the money of a charge that was begun under another name.
    pub(super) fn payment_found(&mut self, found: &PaymentFound) {
        self.is_new(found.at);
        let index = found.charge.position();
        if !self.has_charge(index, "is found under another payment") {
            return;
        }
        if self.money.charge(index).is_some_and(|charge| charge.stage == Stage::Open) {
            let text = format!("charge {index} is found under another payment before it was begun");
            self.find(Rule::Money, text);
        }
        if found.payment_key.is_empty() {
            self.find(Rule::Malformed, format!("the payment of charge {index} has no key"));
        }
    }

    pub(super) fn capture_ended(
        &mut self,
        charge: ChargeIndex,
        outcome: &CaptureOutcome,
        at: UnixMillis,
    ) {
        self.instant(at);
        let index = charge.position();
        if !self.has_charge(index, "was captured") {
            return;
        }
        let Some(before) = self.money.charge(index).map(|charge| charge.stage) else { return };
        let is_under_way = matches!(before, Stage::Capturing | Stage::AwaitingDeposit);
        let is_over = matches!(before, Stage::Failed | Stage::Reversed);
        let (after, fits) = match outcome {
            CaptureOutcome::Captured(_) => (Stage::Captured, is_under_way || is_over),
            CaptureOutcome::Awaiting(_) => (Stage::AwaitingDeposit, is_under_way),
            CaptureOutcome::Failed => (Stage::Failed, is_under_way),
            CaptureOutcome::Reversed | CaptureOutcome::TakenBack => {
                (Stage::Reversed, before == Stage::Captured)
            }
        };
        if !fits {
            self.find(Rule::Money, format!("charge {index} goes from {before:?} to {after:?}"));
        }
        if let Some(charge) = self.money.charge_mut(index) {
            charge.stage = after;
        }
        match outcome {
            CaptureOutcome::Captured(_) if is_over => self.captured_late(index, at),
            CaptureOutcome::Captured(_) => self.captured(index, at),
            CaptureOutcome::Awaiting(deposit) => self.awaits_deposit(index, deposit, at),
            CaptureOutcome::Failed => self.capture_failed(index, at),
            CaptureOutcome::Reversed => self.taken_back(index, false, at),
            CaptureOutcome::TakenBack => {
                self.is_new(at);
                self.taken_back(index, true, at);
            }
        }
        self.check_charge(index);
    }

    fn captured(&mut self, index: usize, at: UnixMillis) {
        let Some(charge) = self.money.charge_mut(index) else { return };
        charge.kept = charge.amount;
        let (user, order, attempt, card) =
            (charge.user, charge.order, charge.attempt, charge.amount.card);
        let Some(order) = order else { return self.money.account(user).credit(card) };
        self.paid(order, attempt, at);
        if let Some(order) = self.order_mut(order) {
            order.paid_by = Some(index);
        }
    }

    /// No order waits for it any more: its points went back when it ended, and the card's part goes
    /// back now.
    fn captured_late(&mut self, index: usize, at: UnixMillis) {
        let gone: u64 = self.money.pieces_of(index).map(|piece| piece.card).sum();
        let Some(charge) = self.money.charge_mut(index) else { return };
        let card = charge.amount.card.saturating_sub(gone + charge.elsewhere);
        charge.kept = Split { card, points: 0 };
        charge.gone_at = None;
        let (user, kept) = (charge.user, charge.kept);
        match charge.order {
            None => self.money.account(user).credit(card),
            Some(_) => {
                let back = self.money.give_back(index, kept, at);
                self.add(back.err().map(|why| (Rule::Money, why)).into_iter().collect());
            }
        }
    }

    fn awaits_deposit(&mut self, index: usize, deposit: &Deposit, at: UnixMillis) {
        let Some(charge) = self.money.charge(index) else { return };
        let attempt = charge.attempt;
        if let Some(order) = charge.order {
            let due_at = self.money.caps_deposits.then_some(deposit.due_at);
            self.deposit_awaited(order, attempt, due_at, at);
        }
    }

    fn capture_failed(&mut self, index: usize, at: UnixMillis) {
        let Some(charge) = self.money.charge(index) else { return };
        let (user, order, attempt, points) =
            (charge.user, charge.order, charge.attempt, charge.amount.points);
        self.money.account(user).credit(points);
        if let Some(order) = order {
            self.payment_failed(order, attempt, at);
        }
    }

    /// The bank took the money back. Earlier versions forgot points that were spent, and went on
    /// owing what there was no money for.
    fn taken_back(&mut self, index: usize, keeps_debt: bool, at: UnixMillis) {
        let Some(charge) = self.money.charge_mut(index) else { return };
        let kept = std::mem::take(&mut charge.kept);
        charge.gone_at = Some(at);
        let (user, is_for_points) = (charge.user, charge.order.is_none());
        if keeps_debt {
            let owed = self.money.owed(index);
            self.money.owe_less(index, owed);
        }
        let account = self.money.account(user);
        match (is_for_points, keeps_debt) {
            (true, true) => account.take_back(kept.card),
            (true, false) => account.forgive(kept.card),
            (false, _) => account.credit(kept.points),
        }
    }

    /// A provider's list of a whole day in Seoul was looked through, after its end.
    pub(super) fn day_compared(&mut self, compared: &DayCompared) {
        self.is_new(compared.at);
        let DayCompared { provider, day, at, .. } = *compared;
        let begins_a_day = (day.0 + SEOUL_OFFSET_MS).is_multiple_of(DAY_MS);
        if provider == ProviderName::None || !begins_a_day {
            let text = format!("what was compared with {provider:?} is no day of a provider");
            self.find(Rule::Malformed, text);
        }
        if at.plus(RACE_MS) < day.plus(DAY_MS) {
            self.find(Rule::Instant, "a day was compared before it was over".to_owned());
        }
    }

    /// The instant of a record that writers of version 6 and later alone make.
    fn is_new(&mut self, at: UnixMillis) {
        self.instant(at);
        self.money.is_of_version_6();
    }
}

fn order_of(purpose: Purpose) -> Option<OrderRef> {
    match purpose {
        Purpose::Order(id) => Some(OrderRef { event: id.event, number: id.order }),
        Purpose::Points => None,
    }
}
