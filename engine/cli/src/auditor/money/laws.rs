//! What must hold of money: for each charge after every record, and for all of them at the end.

use std::collections::BTreeMap;

use serde::Serialize;
use tiketi_engine::ids::{Lsn, UnixMillis};
use tiketi_engine::record::{DisputeState, OrderRef, ProviderName};
use tiketi_gateway::api::Timestamp;

use super::super::finding::Rule;
use super::super::model::{Life, OrderModel, order_name};
use super::super::{Auditor, SWEEP_MS};
use super::{ChargeModel, PieceState, Stage};

/// Payments listed in the summary; all are counted.
const WAITING_LISTED_MAX: usize = 100;

/// What became of the money of one provider, in won: `captured` is the sum of the next five.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MoneySums {
    /// Taken from buyers.
    pub(crate) captured: u64,
    /// Orders that are paid, and points that were bought.
    pub(crate) earned: u64,
    /// Gone back because we asked for it.
    pub(crate) refunded: u64,
    /// Gone back another way because an administrator saw to it; the provider has it.
    pub(crate) by_hand: u64,
    /// On its way back, or refused by the provider.
    pub(crate) refunding: u64,
    /// Given back by the provider without being asked.
    pub(crate) elsewhere: u64,
    /// Asked for, and not known to be taken or not.
    pub(crate) unknown: u64,
    /// In disputes that no bank has decided; a part of what was captured.
    pub(crate) disputed: u64,
}

/// What became of all points, each worth a won: `issued` - `spent` + `forgiven` is `balances` -
/// `debts`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PointsSums {
    /// Kept of what was captured for them.
    pub(crate) issued: u64,
    /// In orders that are paid or being paid.
    pub(crate) spent: u64,
    /// What accounts can spend.
    pub(crate) balances: u64,
    /// What accounts owe.
    pub(crate) debts: u64,
    /// Debts that earlier versions forgot.
    pub(crate) forgiven: u64,
}

/// Payments that wait for something at the end of the log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Waiting {
    /// How many.
    pub(crate) total: u64,
    /// By what they wait for.
    pub(crate) by_what: BTreeMap<&'static str, u64>,
    /// The oldest of them.
    pub(crate) payments: Vec<WaitingPayment>,
}

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct WaitingPayment {
    /// Its number in the log.
    pub(crate) charge: usize,
    /// `provider` to say what became of it, `deposit`, `bank` to decide a dispute, `refund` to be
    /// made, or `administrator`, as the provider refused a refund.
    #[serde(rename = "for")]
    pub(crate) what: &'static str,
    /// How much is at stake.
    pub(crate) won: u64,
    /// Since when.
    pub(crate) since: Timestamp,
}

impl Auditor {
    /// Whether a charge's order is paid, and by it.
    pub(super) fn is_paid_by(&self, index: usize) -> bool {
        let order = self.money.charge(index).and_then(|charge| charge.order);
        let order = order.and_then(|order| self.order(order));
        order.is_some_and(|order| order.life == Life::Paid && order.paid_by == Some(index))
    }

    fn order(&self, order: OrderRef) -> Option<&OrderModel> {
        self.events.get(order.event.position())?.orders.get(&order.number.0)
    }

    /// What was captured of a charge is all there, and what is kept of it is an order's.
    pub(super) fn check_charge(&mut self, index: usize) {
        let Some(charge) = self.money.charge(index) else { return };
        let wrong = match charge.is_reported {
            true => None,
            false => self.not_all_there(index, charge).or_else(|| self.kept_for(index, charge)),
        };
        if let Some(text) = wrong {
            self.find(Rule::Money, text);
            if let Some(charge) = self.money.charge_mut(index) {
                charge.is_reported = true;
            }
        }
    }

    /// Captured = kept + gone back + given back by hand + owed + gone back elsewhere.
    fn not_all_there(&self, index: usize, charge: &ChargeModel) -> Option<String> {
        let pieces: u64 = self.money.pieces_of(index).map(|piece| piece.card).sum();
        let sum = charge.kept.card + pieces + charge.elsewhere;
        let captured = charge.amount.card;
        let is_right = match charge.stage {
            Stage::Captured => sum == captured,
            Stage::Reversed => sum <= captured && charge.kept.card == 0,
            _ => sum == 0,
        };
        (!is_right).then(|| {
            format!(
                "charge {index} is {:?} with {captured} won: {} kept + {pieces} back or owed + {} \
                 elsewhere",
                charge.stage, charge.kept.card, charge.elsewhere
            )
        })
    }

    /// What is kept is what its order still has, but for what went back elsewhere.
    fn kept_for(&self, index: usize, charge: &ChargeModel) -> Option<String> {
        let of = charge.order?;
        let kept = charge.kept.card + charge.kept.points;
        if kept == 0 {
            return None;
        }
        let name = || order_name(of.event, of.number.0);
        if !self.is_paid_by(index) {
            let life = self.order(of).map_or("unknown", |order| order.life.name());
            let text = format!("{kept} won of charge {index} are kept, but {} is {life}", name());
            return Some(text);
        }
        let event = self.events.get(of.event.position())?;
        let cost = event.amount(&self.order(of)?.claim);
        let is_right = kept <= cost && cost <= kept + charge.elsewhere;
        (!is_right)
            .then(|| format!("{kept} won of charge {index} are kept, but {} is {cost} won", name()))
    }

    /// Issued - spent = balance - debt, for every account; and none has points while it owes some.
    pub(super) fn points_law(&self) -> Vec<(Rule, String)> {
        let flows = self.money.points_flows();
        let mut found = Vec::new();
        for (user, account) in &self.money.accounts {
            let flow = flows.get(user).copied().unwrap_or_default();
            let there = account.balance + flow.spent;
            let bought = account.debt + flow.issued + account.forgiven;
            if there != bought {
                let text = format!(
                    "user {user} has {} points, owes {} and spent {}, of {} that were bought",
                    account.balance, account.debt, flow.spent, flow.issued
                );
                found.push((Rule::Money, text));
            }
            if account.balance > 0 && account.debt > 0 {
                let text = format!("user {user} has points and owes some at once");
                found.push((Rule::Money, text));
            }
        }
        found
    }

    /// The sums by provider, and what does not add up.
    pub(in crate::auditor) fn money_sums(
        &self,
    ) -> (BTreeMap<&'static str, MoneySums>, Vec<(Rule, String)>) {
        let mut sums: BTreeMap<&'static str, MoneySums> = BTreeMap::new();
        for (index, charge) in self.money.charges.iter().enumerate() {
            let Some(charge) = charge else { continue };
            let sum = sums.entry(name_of(charge.provider)).or_default();
            let mut gone = charge.elsewhere;
            for piece in self.money.pieces_of(index) {
                gone += piece.card;
                match piece.state {
                    PieceState::Due | PieceState::Refused => sum.refunding += piece.card,
                    PieceState::Done => sum.refunded += piece.card,
                    PieceState::ByHand => sum.by_hand += piece.card,
                }
            }
            sum.elsewhere += charge.elsewhere;
            match charge.stage {
                Stage::Capturing | Stage::AwaitingDeposit => sum.unknown += charge.amount.card,
                Stage::Captured => {
                    sum.captured += charge.amount.card;
                    sum.earned += charge.kept.card;
                    sum.disputed += match charge.dispute {
                        Some((amount, DisputeState::Open, _)) => amount,
                        _ => 0,
                    };
                }
                // What went back of it before the bank took the rest.
                Stage::Reversed => sum.captured += gone,
                Stage::Open | Stage::Failed => {}
            }
        }
        let mut found = Vec::new();
        for (provider, sum) in &sums {
            let whole = sum.earned + sum.refunded + sum.by_hand + sum.refunding + sum.elsewhere;
            if sum.captured != whole {
                found.push((Rule::Money, format!("the sums of {provider} do not add up: {sum:?}")));
            }
        }
        found.extend(self.points_law());
        (sums, found)
    }

    pub(in crate::auditor) fn points_sums(&self) -> PointsSums {
        let mut sums = PointsSums::default();
        for flow in self.money.points_flows().values() {
            sums.issued += flow.issued;
            sums.spent += flow.spent;
        }
        for account in self.money.accounts.values() {
            sums.balances += account.balance;
            sums.debts += account.debt;
            sums.forgiven += account.forgiven;
        }
        sums
    }

    /// What has a next step and has not taken it: no finding.
    pub(in crate::auditor) fn waiting(&self) -> Waiting {
        let mut waiting = Waiting::default();
        for (index, charge) in self.money.charges.iter().enumerate() {
            let found = charge.as_ref().and_then(|charge| self.waits_for(index, charge));
            let Some((what, won, since)) = found else { continue };
            waiting.total += 1;
            *waiting.by_what.entry(what).or_default() += 1;
            waiting.payments.push(WaitingPayment { charge: index, what, won, since: since.into() });
        }
        waiting.payments.sort_by_key(|payment| (payment.since, payment.charge));
        waiting.payments.truncate(WAITING_LISTED_MAX);
        waiting
    }

    fn waits_for(
        &self,
        index: usize,
        charge: &ChargeModel,
    ) -> Option<(&'static str, u64, UnixMillis)> {
        match charge.stage {
            Stage::Capturing => return Some(("provider", charge.amount.card, charge.since)),
            Stage::AwaitingDeposit => return Some(("deposit", charge.amount.card, charge.since)),
            Stage::Captured | Stage::Reversed => {}
            Stage::Open | Stage::Failed => return None,
        }
        if let Some((amount, DisputeState::Open, at)) = charge.dispute {
            return Some(("bank", amount, at));
        }
        let first = |state| self.money.pieces_of(index).find(move |piece| piece.state == state);
        let due = first(PieceState::Due).map(|piece| ("refund", piece));
        let refused = || first(PieceState::Refused).map(|piece| ("administrator", piece));
        let (what, piece) = due.or_else(refused)?;
        Some((what, self.money.owed(index), piece.at))
    }

    /// Orders whose money is gone end soon, unless the log does.
    pub(in crate::auditor) fn unpaid_for(&self) -> Vec<(Lsn, Rule, String)> {
        let mut found = Vec::new();
        for (index, charge) in self.money.charges.iter().enumerate() {
            let Some(charge) = charge.as_ref().filter(|charge| charge.is_gone()) else { continue };
            let (Some(of), Some(gone_at)) = (charge.order, charge.gone_at) else { continue };
            let is_late = gone_at.max(self.epoch_at).plus(SWEEP_MS) < self.latest_at;
            if let Some(order) = self.order(of).filter(|_| is_late && self.is_paid_by(index)) {
                let name = order_name(of.event, of.number.0);
                let text = format!("{name} is paid, but the money of charge {index} is gone");
                found.push((order.held_lsn, Rule::Overdue, text));
            }
        }
        found
    }

    /// Every charge once more: what no record touched again.
    pub(in crate::auditor) fn check_charges(&mut self) {
        for index in 0..self.money.charges.len() {
            self.check_charge(index);
        }
    }
}

fn name_of(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::None => "points",
        ProviderName::Toss => "toss",
        ProviderName::Stripe => "stripe",
    }
}
