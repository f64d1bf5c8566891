//! Payments through a provider, and points (contract/http.md 2.6 has the simulated ones).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::amount::Amount;
use crate::api::payments::{PaidReservation, Payment};
use crate::api::reservations::ReservationLine;
use crate::api::{Id, Pagination, Timestamp};

/// `POST /api/payments/toss/request`, and `stripe/request`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TossRequest {
    /// What to pay.
    pub reservation_id: Id,
    /// Points to spend, won for won; none where it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub point_used: Option<Amount>,
    /// Shown in the payment window; at most 100 characters, never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub customer_name: Option<String>,
    /// Where the provider mails its receipt; never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub customer_email: Option<String>,
}

/// `POST /api/points/charge`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PointsRequest {
    /// Points to buy, a won each.
    #[schema(examples(10_000))]
    pub amount: Amount,
}

/// What a payment window needs, for an order or for points.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TossOrder {
    /// The same as `orderId`.
    pub payment_id: String,
    /// Our name for it at the provider.
    pub order_id: String,
    /// What the card pays, in won; 0 where points pay for all of it: then it is confirmed without a
    /// window, with an empty payment key.
    pub amount: u64,
    /// Shown in the window.
    pub order_name: String,
    /// The provider's public key.
    pub client_key: String,
    /// The provider's name for the buyer.
    pub customer_key: String,
    /// What the window shows Stripe; Toss needs none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_secret: Option<String>,
    /// Where the window goes after the buyer has agreed.
    pub success_url: String,
    /// Where it goes otherwise.
    pub fail_url: String,
    /// A page that opens the window.
    pub payment_url: String,
}

/// `POST /api/payments/toss/confirm`, and `stripe/confirm`: what the window's redirect says.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TossConfirm {
    /// The provider's name for the payment.
    #[schema(examples("tgen_20301231190000abcd"))]
    pub payment_key: String,
    /// Ours.
    #[schema(examples("tiketi-order"))]
    pub order_id: String,
    /// What the card pays; has to be what was asked for.
    #[schema(examples(150_000))]
    pub amount: Amount,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TossConfirmed {
    /// Always true.
    pub success: bool,
    /// The provider's name for the payment.
    pub payment_key: String,
    /// Ours.
    pub order_id: String,
    /// When the money was taken.
    pub approved_at: Option<Timestamp>,
    /// The payment; `null` for points.
    pub payment: Option<Payment>,
    /// What was paid for; `null` for points.
    pub reservation: Option<PaidReservation>,
}

/// 202: the outcome is not known yet, or a deposit is awaited.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TossPending {
    /// Always false.
    pub success: bool,
    /// `PAYMENT_PENDING` or `WAITING_FOR_DEPOSIT`.
    pub code: String,
    /// Shown to the buyer.
    pub message: String,
    /// Ours.
    pub order_id: String,
    /// Where to pay into.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub virtual_account: Option<VirtualAccount>,
}

/// An account that waits for money.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualAccount {
    /// The bank's code.
    pub bank_code: String,
    /// The account.
    pub account_number: String,
    /// In whose name.
    pub customer_name: String,
    /// Until when.
    pub due_date: Timestamp,
}

/// `GET /api/payments/:orderId`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ChargeAnswer {
    /// Ours.
    pub order_id: String,
    /// `open`, `expired`, `confirming`, `waiting_for_deposit`, `paid`, `failed`, `reversed`,
    /// `refunding`, `refund_refused`, `partially_refunded`, `refunded` or `disputed`.
    pub status: String,
    /// What the card pays or paid.
    pub amount: u64,
    /// What points pay or paid.
    pub point_used: u64,
    /// `CARD`, `POINT` or `MIXED`.
    pub method: String,
    /// The order it is for; `null` for points.
    pub reservation_id: Option<Id>,
    /// When it was asked for.
    pub requested_at: Timestamp,
    /// When the money was taken.
    pub approved_at: Option<Timestamp>,
    /// The provider's receipt.
    pub receipt_url: Option<String>,
    /// What has gone back, is going or is owed, of both.
    pub refunded_amount: u64,
    /// Of it, what the provider gave back without being asked.
    pub refunded_elsewhere: u64,
    /// Of it, what has not reached the buyer.
    pub refund_owed: u64,
    /// Of that, what the provider refused to give back.
    pub refund_refused: u64,
    /// What the buyer is told of that; `null` where nothing was refused.
    pub message: Option<String>,
    /// The buyer's last dispute of it at the bank; `null` where there was none.
    pub dispute: Option<DisputeAnswer>,
    /// What it waits for; `null` where it has ended.
    pub waiting: Option<Waiting>,
    /// Where to pay into.
    pub virtual_account: Option<VirtualAccount>,
    /// Every call to the provider, for administrators alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trail: Option<Vec<TrailRow>>,
}

/// What a payment waits for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Waiting {
    /// `confirmation` of the buyer, `provider` to say what became of it, `deposit`, `refund` to be
    /// made, `refund_account` of the buyer, `bank` to decide a dispute, or `administrator`.
    #[serde(rename = "for")]
    pub what: String,
    /// Since when.
    pub since: Timestamp,
}

/// A buyer's complaint at the bank.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DisputeAnswer {
    /// Won in dispute.
    pub amount: u64,
    /// `open`, `won` or `lost`.
    pub state: String,
    /// Since when it stands like this.
    pub since: Timestamp,
}

/// A call to the provider.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrailRow {
    /// `open`, `capture`, `query` or `refund`.
    pub call: String,
    /// HTTP; 0 where there was no answer.
    pub status: u16,
    /// The provider's code or the payment's status.
    pub code: String,
    /// When the answer was there, the first time.
    pub at: Timestamp,
    /// How many times in a row the provider said so.
    pub times: u32,
    /// When it said so last.
    #[serde(rename = "lastAt")]
    pub last_at: Timestamp,
}

/// `POST /api/admin/payments/compare`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CompareRequest {
    /// A day in Seoul, today or before.
    #[schema(examples("2026-11-27"))]
    pub day: String,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CompareAnswer {
    /// Shown to the caller.
    pub message: String,
    /// The day.
    pub day: String,
    /// Whether a comparison is still under way: asking again waits for it.
    pub running: bool,
    /// By provider.
    pub providers: Vec<Compared>,
}

/// A provider's list of a day against the books.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Compared {
    /// `toss` or `stripe`.
    pub provider: String,
    /// `running`, `done` or `failed`.
    pub state: String,
    /// Why it failed; `null` where it did not.
    pub error: Option<String>,
    /// Lines of the provider's list.
    pub transactions: u32,
    /// Payments of which it told something new, as they are in the books now.
    pub differences: Vec<ChargeAnswer>,
    /// Payments that differ and could not be asked about: compare the day again later.
    pub unanswered: u32,
    /// Transactions that are in no books.
    pub unknown: u32,
    /// Some of them, by order id or the provider's name.
    pub unknown_payments: Vec<String>,
}

/// `POST /api/admin/payments/:orderId/end`, and `…/refunded-by-hand`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EndAnswer {
    /// Shown to the caller.
    pub message: String,
    /// The payment as it is since.
    pub payment: ChargeAnswer,
}

/// `GET /api/admin/payments`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChargeList {
    /// Newest first, with their trails.
    pub payments: Vec<ChargeAnswer>,
    /// Of those in the state that was asked for.
    pub pagination: Pagination,
}

/// `POST /api/admin/payments/reconcile`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReconcileAnswer {
    /// Shown to the caller.
    pub message: String,
    /// Payments that the provider is asked about now.
    pub unknown: usize,
    /// Refunds that it is asked for.
    pub refunds_due: usize,
    /// Of those, the ones that it had refused.
    pub refunds_again: usize,
}

/// `POST /api/payments/:orderId/refund`. All of the order goes back by an empty body or by `all`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundRequest {
    /// True, for all of the order; the same as an empty body, and not beside a part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub all: Option<bool>,
    /// The seats that go back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub seat_ids: Option<Vec<Id>>,
    /// The tickets without seats that go back, in place of seats.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub tickets: Option<Vec<ReservationLine>>,
    /// Where the money goes; needed for what was paid into a virtual account, and taken for nothing
    /// else. It may be given later, too: alone, it is for what is on its way back already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refund_account: Option<RefundAccount>,
}

/// A buyer's own account.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundAccount {
    /// The bank's code at the provider.
    pub bank: String,
    /// At most 20 digits.
    pub account_number: String,
    /// At most 60 characters.
    pub holder_name: String,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RefundAnswer {
    /// Shown to the caller.
    pub message: String,
    /// What has gone back or is going of this payment, all its refunds together, in won.
    pub refunded_amount: u64,
    /// What is still paid by it.
    pub remaining_amount: u64,
}

/// `GET /api/points/balance`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PointsBalance {
    /// What can be spent.
    pub balance: u64,
    /// Points that were spent before the bank took their money back: what is bought or given back
    /// next pays them first.
    pub debt: u64,
}

/// `GET /api/points/history`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PointsHistory {
    /// Newest first.
    pub history: Vec<PointsRow>,
    /// Of all of them.
    pub pagination: Pagination,
}

/// A change of a balance.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PointsRow {
    /// `CHARGE`, `USE`, `REFUND`, `CANCEL`, or `DEBT` where an earlier debt was paid.
    #[serde(rename = "type")]
    pub kind: String,
    /// Negative where points were taken.
    pub amount: i64,
    /// The balance after it.
    pub balance_after: u64,
    /// The order id of the payment it belongs to.
    pub reference: String,
    /// When.
    pub created_at: Timestamp,
}

/// `POST /payments/pay/:orderId`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClientSecret {
    /// What the window shows Stripe.
    pub client_secret: String,
}

/// The answer to a webhook: it need not be sent again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct WebhookTaken {}
