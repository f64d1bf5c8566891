//! A payment intent and its rules.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::errors::StripeError;
use super::moves::{Dispute, Move, MoveKind};

/// How long an authorisation holds; then it is let go.
const AUTHORISED_FOR_MS: u64 = 7 * 24 * 60 * 60_000;
/// The least that the Korean methods take, in won.
pub(super) const AMOUNT_MIN: u64 = 100;
/// The most that any intent is for.
pub(super) const AMOUNT_MAX: u64 = 99_999_999;

/// How far an intent is; as on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Status {
    RequiresPaymentMethod,
    RequiresConfirmation,
    RequiresAction,
    Processing,
    RequiresCapture,
    Succeeded,
    Canceled,
}

impl Status {
    /// On the wire.
    pub(super) fn name(self) -> &'static str {
        match self {
            Status::RequiresPaymentMethod => "requires_payment_method",
            Status::RequiresConfirmation => "requires_confirmation",
            Status::RequiresAction => "requires_action",
            Status::Processing => "processing",
            Status::RequiresCapture => "requires_capture",
            Status::Succeeded => "succeeded",
            Status::Canceled => "canceled",
        }
    }

    /// Whether a buyer can still agree to it.
    fn is_open(self) -> bool {
        match self {
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresAction
            | Status::Processing => true,
            Status::RequiresCapture | Status::Succeeded | Status::Canceled => false,
        }
    }
}

/// When money is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CaptureMethod {
    Automatic,
    AutomaticAsync,
    Manual,
}

/// How the buyer pays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Means {
    Card,
    KrCard,
    KakaoPay,
    NaverPay,
    Payco,
    SamsungPay,
}

/// What an intent is made of.
pub(super) struct NewIntent {
    pub(super) amount: u64,
    pub(super) capture_method: CaptureMethod,
    pub(super) description: Option<String>,
    pub(super) receipt_email: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Intent {
    pub(super) id: String,
    pub(super) client_secret: String,
    /// In won.
    pub(super) amount: u64,
    pub(super) capture_method: CaptureMethod,
    pub(super) description: Option<String>,
    pub(super) receipt_email: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) created_at: u64,
    pub(super) status: Status,
    pub(super) means: Option<Means>,
    /// The code that the capture is to fail with.
    pub(super) declines_with: Option<String>,
    /// The code of the attempt that failed last.
    pub(super) last_error: Option<String>,
    /// There since the buyer agreed.
    pub(super) charge: Option<Charge>,
    pub(super) canceled_at: Option<u64>,
    pub(super) cancellation_reason: Option<String>,
    pub(super) refunds: Vec<Refund>,
    #[serde(default)]
    pub(super) disputes: Vec<Dispute>,
    /// Balance transactions.
    #[serde(default)]
    pub(super) moves: Vec<Move>,
    /// Whether a switch lets it be cancelled while it is `processing`.
    #[serde(default)]
    is_cancelable_in_processing: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Charge {
    pub(super) id: String,
    pub(super) created_at: u64,
    /// In won; 0 until it is captured.
    pub(super) captured: u64,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Refund {
    pub(super) id: String,
    pub(super) amount: u64,
    pub(super) created_at: u64,
    pub(super) reason: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) status: RefundStatus,
    /// The merchant's staff made it in the dashboard.
    #[serde(default)]
    pub(super) is_by_console: bool,
}

/// A refund to be.
#[derive(Debug, Default)]
pub(super) struct NewRefund {
    /// All that is left where it is absent.
    pub(super) amount: Option<u64>,
    pub(super) reason: Option<String>,
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) status: RefundStatus,
    pub(super) is_by_console: bool,
}

/// How far a refund is; as on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum RefundStatus {
    Pending,
    RequiresAction,
    #[default]
    Succeeded,
    Failed,
    Canceled,
}

impl RefundStatus {
    /// Whether its money is on its way, or there.
    pub(super) fn counts(self) -> bool {
        match self {
            RefundStatus::Pending | RefundStatus::RequiresAction | RefundStatus::Succeeded => true,
            RefundStatus::Failed | RefundStatus::Canceled => false,
        }
    }
}

/// `pi_3` and 24 characters of its kind.
pub(super) fn new_id(kind: &str) -> String {
    format!("{kind}_3{:024x}", rand::random::<u128>() >> 32)
}

impl Intent {
    pub(super) fn new(new: NewIntent, now: u64) -> Self {
        let id = new_id("pi");
        Intent {
            client_secret: format!("{id}_secret_{:024x}", rand::random::<u128>() >> 32),
            id,
            amount: new.amount,
            capture_method: new.capture_method,
            description: new.description,
            receipt_email: new.receipt_email,
            metadata: new.metadata,
            created_at: now,
            status: Status::RequiresPaymentMethod,
            means: None,
            declines_with: None,
            last_error: None,
            charge: None,
            canceled_at: None,
            cancellation_reason: None,
            refunds: Vec::new(),
            disputes: Vec::new(),
            moves: Vec::new(),
            is_cancelable_in_processing: false,
        }
    }

    /// The merchant's order, where the metadata name it.
    pub(super) fn order_id(&self) -> &str {
        self.metadata.get("order_id").map_or("", String::as_str)
    }

    /// Captured, in won.
    pub(super) fn received(&self) -> u64 {
        self.charge.as_ref().map_or(0, |charge| charge.captured)
    }

    pub(super) fn refunded(&self) -> u64 {
        let counting = self.refunds.iter().filter(|refund| refund.status.counts());
        counting.map(|refund| refund.amount).sum()
    }

    /// When an authorisation lapses.
    pub(super) fn deadline(&self) -> Option<u64> {
        let charge = self.charge.as_ref().filter(|_| self.status == Status::RequiresCapture)?;
        Some(charge.created_at.saturating_add(AUTHORISED_FOR_MS))
    }

    /// The buyer agrees; whether there was something to agree to.
    pub(super) fn agree(&mut self, means: Means, declines_with: Option<String>, now: u64) -> bool {
        if !self.status.is_open() {
            return false;
        }
        self.means = Some(means);
        self.declines_with = declines_with;
        self.last_error = None;
        let is_manual = self.capture_method == CaptureMethod::Manual;
        let captured = if is_manual { 0 } else { self.amount };
        self.charge = Some(Charge { id: new_id("ch"), created_at: now, captured });
        self.status = if is_manual { Status::RequiresCapture } else { Status::Succeeded };
        if captured > 0 {
            self.push_move(MoveKind::Captured, captured, now);
        }
        true
    }

    /// The buyer's attempt comes only as far as this status; whether there was one.
    pub(super) fn linger(&mut self, status: Status, is_cancelable: bool) -> bool {
        let is_open = self.status.is_open();
        if is_open {
            self.status = status;
            self.is_cancelable_in_processing = is_cancelable;
        }
        is_open
    }

    /// The buyer's attempt fails; whether there was one to fail.
    pub(super) fn decline(&mut self, code: &str) -> bool {
        let is_open = self.status.is_open();
        if is_open {
            self.status = Status::RequiresPaymentMethod;
            self.last_error = Some(code.to_owned());
        }
        is_open
    }

    /// Takes the money, all of it where no amount is named; the rest is let go.
    pub(super) fn capture(&mut self, amount: Option<u64>, now: u64) -> Result<(), StripeError> {
        if self.status != Status::RequiresCapture {
            return Err(StripeError::unexpected_state(self, "captured"));
        }
        let amount = amount.unwrap_or(self.amount);
        if !(1..=self.amount).contains(&amount) {
            return Err(StripeError::too_much("amount_to_capture"));
        }
        if let Some(code) = self.declines_with.take() {
            let error = StripeError::of(&code).unwrap_or_else(StripeError::internal);
            self.status = Status::RequiresPaymentMethod;
            self.last_error = Some(code);
            self.charge = None;
            return Err(error);
        }
        if let Some(charge) = &mut self.charge {
            charge.captured = amount;
        }
        self.status = Status::Succeeded;
        self.push_move(MoveKind::Captured, amount, now);
        Ok(())
    }

    /// Lets go of what was not taken.
    pub(super) fn cancel(&mut self, reason: Option<String>, now: u64) -> Result<(), StripeError> {
        let is_refused = match self.status {
            Status::Succeeded | Status::Canceled => true,
            Status::Processing => !self.is_cancelable_in_processing,
            Status::RequiresPaymentMethod
            | Status::RequiresConfirmation
            | Status::RequiresAction
            | Status::RequiresCapture => false,
        };
        if is_refused {
            return Err(StripeError::unexpected_state(self, "canceled"));
        }
        self.status = Status::Canceled;
        self.canceled_at = Some(now);
        self.cancellation_reason = reason;
        Ok(())
    }

    /// Gives money back.
    ///
    /// # Errors
    /// Nothing was captured, a dispute has taken it, nothing or less is left.
    pub(super) fn refund(&mut self, new: NewRefund, now: u64) -> Result<(), StripeError> {
        let NewRefund { amount, reason, metadata, status, is_by_console } = new;
        if self.status != Status::Succeeded {
            return Err(StripeError::not_captured(self));
        }
        if self.disputed() > 0 {
            return Err(StripeError::disputed());
        }
        let left = self.left();
        if left == 0 {
            return Err(StripeError::already_refunded());
        }
        let amount = amount.unwrap_or(left);
        if !(1..=left).contains(&amount) {
            return Err(StripeError::too_much("amount"));
        }
        let (id, position) = (new_id("re"), self.refunds.len());
        let refund =
            Refund { id, amount, created_at: now, reason, metadata, status, is_by_console };
        self.refunds.push(refund);
        self.push_move(MoveKind::Refunded(position), amount, now);
        Ok(())
    }
}
