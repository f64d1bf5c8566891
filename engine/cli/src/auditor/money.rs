//! Money: whatever was captured is a paid order, points, or on its way back (R12, R13).

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;
use tiketi_engine::ids::{Attempt, ChargeIndex, RefundIndex, UnixMillis};
use tiketi_engine::money::{ChargeState, Ledger, Purpose, RefundState, Split};
use tiketi_engine::record::{
    CaptureOutcome, CaptureStarted, ChargeOpened, OrderRef, PaymentMethod, PaymentStarted,
    ProviderName, RefundAccountGiven, RefundOutcome, SeatsReturned,
};

use super::Auditor;
use super::finding::Rule;
use super::model::{Life, order_name};

/// Charges, refunds and points, as the auditor sees them.
#[derive(Default, PartialEq)]
pub(super) struct MoneyModel {
    charges: Vec<ChargeModel>,
    refunds: Vec<RefundModel>,
    points: HashMap<u32, u64>,
}

#[derive(Clone, PartialEq)]
struct ChargeModel {
    user: u32,
    order: Option<(OrderRef, Attempt)>,
    provider: ProviderName,
    amount: Split,
    stage: Stage,
    returned: Split,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    Unknown,
    Captured,
    Failed,
    Reversed,
}

#[derive(Clone, PartialEq)]
struct RefundModel {
    charge: usize,
    card: u64,
    due: bool,
    done: bool,
}

/// What became of the money of one provider, in won: `captured` is the sum of the next three.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MoneySums {
    /// Taken from buyers.
    pub(crate) captured: u64,
    /// Orders that are paid, and points that were bought.
    pub(crate) earned: u64,
    /// Gone back.
    pub(crate) refunded: u64,
    /// On its way back, or refused by the provider.
    pub(crate) refunding: u64,
    /// Asked for, and not known to be taken or not.
    pub(crate) unknown: u64,
}

impl MoneyModel {
    /// What a snapshot says of it.
    pub(super) fn of(ledger: &Ledger) -> MoneyModel {
        let charge = |charge: &tiketi_engine::money::Charge| ChargeModel {
            user: charge.user.0,
            order: order_of(charge.purpose).map(|order| (order, charge.attempt)),
            provider: charge.provider,
            amount: charge.amount,
            stage: match charge.state {
                ChargeState::Open => Stage::Open,
                ChargeState::Capturing | ChargeState::AwaitingDeposit => Stage::Unknown,
                ChargeState::Captured => Stage::Captured,
                ChargeState::Failed => Stage::Failed,
                ChargeState::Reversed => Stage::Reversed,
            },
            returned: charge.returned,
        };
        let refund = |refund: &tiketi_engine::money::Refund| RefundModel {
            charge: refund.charge.position(),
            card: refund.card,
            due: refund.state == RefundState::Due,
            done: matches!(refund.state, RefundState::Done { .. }),
        };
        MoneyModel {
            charges: ledger.charges().iter().map(charge).collect(),
            refunds: ledger.refunds().iter().map(refund).collect(),
            points: ledger.accounts().map(|(user, account)| (user.0, account.balance)).collect(),
        }
    }

    /// Whether a snapshot says the same.
    pub(super) fn agrees_with(&self, ledger: &Ledger) -> bool {
        *self == MoneyModel::of(ledger)
    }

    fn add_points(&mut self, user: u32, points: u64) {
        if points > 0 {
            *self.points.entry(user).or_default() += points;
        }
    }

    /// Gives back some of a charge, or says why that cannot be.
    fn give_back(&mut self, index: usize, amount: Split) -> Result<(), String> {
        let charge = &mut self.charges[index];
        let card = charge.amount.card - charge.returned.card;
        let points = charge.amount.points - charge.returned.points;
        if charge.stage != Stage::Captured || amount.card > card || amount.points > points {
            return Err(format!("more goes back than charge {index} has"));
        }
        charge.returned.card += amount.card;
        charge.returned.points += amount.points;
        let user = charge.user;
        self.add_points(user, amount.points);
        if amount.card > 0 {
            self.refunds.push(RefundModel {
                charge: index,
                card: amount.card,
                due: true,
                done: false,
            });
        }
        Ok(())
    }

    fn left(&self, index: usize) -> Split {
        let charge = &self.charges[index];
        Split {
            card: charge.amount.card - charge.returned.card,
            points: charge.amount.points - charge.returned.points,
        }
    }
}

impl Auditor {
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
        self.money.charges.push(ChargeModel {
            user: opened.user.0,
            order: order.map(|order| (order, Attempt(0))),
            provider: opened.provider,
            amount: opened.amount,
            stage: Stage::Open,
            returned: Split::default(),
        });
        self.add(found);
    }

    pub(super) fn capture_started(&mut self, started: &CaptureStarted) {
        self.instant(started.at);
        let index = started.charge.position();
        let Some(charge) = self.money.charges.get_mut(index) else {
            return self.find(Rule::UnknownThing, format!("no charge {index} to capture"));
        };
        let mut found = Vec::new();
        if charge.stage != Stage::Open {
            found.push((Rule::Money, format!("charge {index} is captured twice")));
        }
        charge.stage = Stage::Unknown;
        let is_free = charge.amount.card + charge.amount.points == 0;
        if is_free != (started.method == PaymentMethod::Free) {
            let text = format!("charge {index} costs nothing and is paid, or costs and is not");
            found.push((Rule::Free, text));
        }
        let (user, points) = (charge.user, charge.amount.points);
        let order = charge.order.as_mut().map(|(order, attempt)| {
            *attempt = started.attempt;
            *order
        });
        if points > 0 {
            let balance = self.money.points.entry(user).or_default();
            if *balance < points {
                found.push((Rule::Money, format!("user {user} spends points that are not there")));
            }
            *balance = balance.saturating_sub(points);
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

    pub(super) fn capture_ended(
        &mut self,
        charge: ChargeIndex,
        outcome: &CaptureOutcome,
        at: UnixMillis,
    ) {
        self.instant(at);
        let index = charge.position();
        let Some(known) = self.money.charges.get_mut(index) else {
            return self.find(Rule::UnknownThing, format!("no charge {index} that was captured"));
        };
        let (before, order, user) = (known.stage, known.order, known.user);
        let (after, fits) = match outcome {
            CaptureOutcome::Captured(_) => {
                let can_be = [Stage::Unknown, Stage::Failed, Stage::Reversed];
                (Stage::Captured, can_be.contains(&before))
            }
            CaptureOutcome::Awaiting(_) => (Stage::Unknown, before == Stage::Unknown),
            CaptureOutcome::Failed => (Stage::Failed, before == Stage::Unknown),
            CaptureOutcome::Reversed => (Stage::Reversed, before == Stage::Captured),
        };
        known.stage = after;
        let amount = known.amount;
        if !fits {
            self.find(Rule::Money, format!("charge {index} goes from {before:?} to {after:?}"));
        }
        match (after, before) {
            (Stage::Captured, Stage::Failed | Stage::Reversed) if order.is_some() => {
                // Its points went back when it ended; the card's part goes now.
                self.money.charges[index].returned.points = amount.points;
                let left = self.money.left(index);
                let back = self.money.give_back(index, left);
                self.add(back.err().map(|why| (Rule::Money, why)).into_iter().collect());
            }
            (Stage::Captured, _) => match order {
                Some((order, attempt)) => self.paid(order, attempt, at),
                None => self.money.add_points(user, amount.card),
            },
            (Stage::Failed, _) => {
                self.money.add_points(user, amount.points);
                if let Some((order, attempt)) = order {
                    self.payment_failed(order, attempt, at);
                }
            }
            (Stage::Reversed, _) if order.is_none() => {
                let balance = self.money.points.entry(user).or_default();
                *balance = balance.saturating_sub(amount.card);
            }
            (Stage::Reversed, _) => {
                let points = self.money.left(index).points;
                self.money.charges[index].returned.points = amount.points;
                self.money.add_points(user, points);
            }
            _ => {}
        }
    }

    /// The money of an order that is over goes back.
    pub(super) fn money_of_ended(&mut self, order: OrderRef) {
        let of_order: Vec<usize> = (0..self.money.charges.len())
            .filter(|&index| {
                let charge = &self.money.charges[index];
                charge.stage == Stage::Captured && charge.order.is_some_and(|(of, _)| of == order)
            })
            .collect();
        for index in of_order {
            let left = self.money.left(index);
            if let Err(why) = self.money.give_back(index, left) {
                self.find(Rule::Money, why);
            }
        }
    }

    pub(super) fn seats_returned(&mut self, returned: &SeatsReturned) {
        self.instant(returned.at);
        let index = returned.charge.position();
        let Some(charge) = self.money.charges.get(index) else {
            return self.find(Rule::UnknownThing, format!("no charge {index} to give back"));
        };
        let order = charge.order.map(|(order, _)| order);
        if let Err(why) = self.money.give_back(index, returned.amount) {
            self.find(Rule::Money, why);
        }
        match order {
            Some(order) => {
                let won = returned.amount.card + returned.amount.points;
                self.part_returned(order, &returned.seats, won, returned.at);
            }
            None => self.find(Rule::Money, format!("charge {index} for points has no seats")),
        }
    }

    /// Refunds that were refused are asked for again.
    pub(super) fn refund_account_given(&mut self, given: &RefundAccountGiven) {
        self.instant(given.at);
        let charge = given.charge.position();
        if charge >= self.money.charges.len() {
            self.find(Rule::UnknownThing, format!("no charge {charge} to give an account for"));
        }
        for refund in self.money.refunds.iter_mut().filter(|refund| refund.charge == charge) {
            refund.due = !refund.done;
        }
    }

    pub(super) fn refund_ended(
        &mut self,
        refund: RefundIndex,
        outcome: RefundOutcome,
        at: UnixMillis,
    ) {
        self.instant(at);
        let Some(known) = self.money.refunds.get_mut(refund.position()) else {
            return self.find(Rule::UnknownThing, format!("no refund {refund}"));
        };
        let fits = known.due != (outcome == RefundOutcome::Again) && !known.done;
        known.due = outcome == RefundOutcome::Again;
        known.done |= outcome == RefundOutcome::Done;
        if !fits {
            self.find(Rule::Money, format!("refund {refund} ends twice"));
        }
    }

    /// Captured = earned + gone back + on its way, for each provider; and what is earned is there.
    pub(super) fn money_sums(&self) -> (BTreeMap<&'static str, MoneySums>, Vec<(Rule, String)>) {
        let mut sums: BTreeMap<&'static str, MoneySums> = BTreeMap::new();
        let mut found = Vec::new();
        for (index, charge) in self.money.charges.iter().enumerate() {
            let sum = sums.entry(name_of(charge.provider)).or_default();
            match charge.stage {
                Stage::Unknown => sum.unknown += charge.amount.card,
                Stage::Captured => {
                    let left = self.money.left(index);
                    sum.captured += charge.amount.card;
                    sum.earned += left.card;
                    let kept = left.card + left.points;
                    if let Some((order, _)) = charge.order
                        && kept > 0
                        && kept != self.paid_for(order)
                    {
                        let text = format!(
                            "{kept} won of charge {index} are kept, but {} is {} won",
                            order_name(order.event, order.number.0),
                            self.paid_for(order)
                        );
                        found.push((Rule::Money, text));
                    }
                }
                // What went back of it before the bank took it.
                Stage::Reversed => sum.captured += charge.returned.card,
                Stage::Open | Stage::Failed => {}
            }
        }
        for refund in &self.money.refunds {
            let provider = name_of(self.money.charges[refund.charge].provider);
            let sum = sums.entry(provider).or_default();
            match refund.done {
                true => sum.refunded += refund.card,
                false => sum.refunding += refund.card,
            }
        }
        for (provider, sum) in &sums {
            if sum.captured != sum.earned + sum.refunded + sum.refunding {
                found.push((Rule::Money, format!("the sums of {provider} do not add up: {sum:?}")));
            }
        }
        (sums, found)
    }

    /// What a paid order costs; nothing where it is not paid.
    fn paid_for(&self, order: OrderRef) -> u64 {
        let Some(event) = self.events.get(order.event.position()) else { return 0 };
        let order = event.orders.get(&order.number.0).filter(|order| order.life == Life::Paid);
        order.map_or(0, |order| event.amount(&order.claim))
    }
}

fn order_of(purpose: Purpose) -> Option<OrderRef> {
    match purpose {
        Purpose::Order(id) => Some(OrderRef { event: id.event, number: id.order }),
        Purpose::Points => None,
    }
}

fn name_of(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::None => "points",
        ProviderName::Toss => "toss",
        ProviderName::Stripe => "stripe",
    }
}
