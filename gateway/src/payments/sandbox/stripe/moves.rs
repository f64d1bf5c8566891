//! What changes the merchant's balance at Stripe: captures, refunds, refunds that failed later, and
//! disputes. Each change is a balance transaction.

use serde::{Deserialize, Serialize};

use super::intent::{Intent, RefundStatus, Status, new_id};

/// A balance transaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Move {
    pub(super) id: String,
    pub(super) at: u64,
    /// In won; below zero where the balance shrinks.
    pub(super) amount: i64,
    pub(super) kind: MoveKind,
}

/// Why the balance changes; a number is the position of the refund or dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum MoveKind {
    Captured,
    Refunded(usize),
    /// The refund was accepted and failed later: its money is back.
    RefundFailed(usize),
    /// The bank of the buyer has taken the money until the dispute is closed.
    Disputed(usize),
    /// The merchant has won: the money is back.
    DisputeWon(usize),
}

/// A buyer's bank takes a payment back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Dispute {
    pub(super) id: String,
    pub(super) amount: u64,
    pub(super) created_at: u64,
    pub(super) reason: String,
    pub(super) status: DisputeStatus,
}

/// How far a dispute is; as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum DisputeStatus {
    NeedsResponse,
    Won,
    Lost,
}

impl Intent {
    /// Notes a change of the balance: `amount` comes, or goes.
    pub(super) fn push_move(&mut self, kind: MoveKind, amount: u64, now: u64) {
        let amount = i64::try_from(amount).unwrap_or(i64::MAX);
        let amount = match kind {
            MoveKind::Captured | MoveKind::RefundFailed(_) | MoveKind::DisputeWon(_) => amount,
            MoveKind::Refunded(_) | MoveKind::Disputed(_) => -amount,
        };
        self.moves.push(Move { id: new_id("txn"), at: now, amount, kind });
    }

    /// The balance transaction of this kind.
    pub(super) fn move_of(&self, kind: MoveKind) -> Option<&Move> {
        self.moves.iter().find(|made| made.kind == kind)
    }

    /// What disputes have taken and not given back, in won.
    pub(super) fn disputed(&self) -> u64 {
        let taken = self.disputes.iter().filter(|dispute| dispute.status != DisputeStatus::Won);
        taken.map(|dispute| dispute.amount).sum()
    }

    /// Captured and neither given back nor taken by a dispute, in won.
    pub(super) fn left(&self) -> u64 {
        self.received() - self.refunded() - self.disputed()
    }

    /// The buyer's bank takes `amount`, or all that is left; the dispute's position.
    ///
    /// # Errors
    /// Why there is nothing to dispute.
    pub(super) fn dispute(
        &mut self,
        amount: Option<u64>,
        reason: String,
        now: u64,
    ) -> Result<usize, &'static str> {
        if self.status != Status::Succeeded {
            return Err("the payment is not captured");
        }
        if self.disputed() > 0 {
            return Err("it is disputed already");
        }
        let amount = amount.unwrap_or(self.left());
        if !(1..=self.left()).contains(&amount) {
            return Err("amount");
        }
        let position = self.disputes.len();
        let (id, status) = (new_id("dp"), DisputeStatus::NeedsResponse);
        self.disputes.push(Dispute { id, amount, created_at: now, reason, status });
        self.push_move(MoveKind::Disputed(position), amount, now);
        Ok(position)
    }

    /// The open dispute ends; its position, or `None` where there is none.
    pub(super) fn close_dispute(&mut self, is_won: bool, now: u64) -> Option<usize> {
        let is_open = |dispute: &Dispute| dispute.status == DisputeStatus::NeedsResponse;
        let position = self.disputes.iter().position(is_open)?;
        let dispute = &mut self.disputes[position];
        dispute.status = if is_won { DisputeStatus::Won } else { DisputeStatus::Lost };
        let amount = dispute.amount;
        if is_won {
            self.push_move(MoveKind::DisputeWon(position), amount, now);
        }
        Some(position)
    }

    /// The latest refund in a status that `is_meant`.
    pub(super) fn latest_refund(&self, is_meant: impl Fn(RefundStatus) -> bool) -> Option<usize> {
        self.refunds.iter().rposition(|refund| is_meant(refund.status))
    }

    /// What becomes of a refund; `false` where it has failed before, which is final.
    pub(super) fn turn_refund(&mut self, position: usize, status: RefundStatus, now: u64) -> bool {
        let Some(refund) = self.refunds.get_mut(position).filter(|refund| refund.status.counts())
        else {
            return false;
        };
        refund.status = status;
        let amount = refund.amount;
        if !status.counts() {
            self.push_move(MoveKind::RefundFailed(position), amount, now);
        }
        true
    }
}
