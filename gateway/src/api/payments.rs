//! Payments (contract/http.md 2.6).

use serde::{Deserialize, Serialize};
use tiketi_engine::record::PaymentMethod;
use utoipa::ToSchema;

use crate::api::{Id, Timestamp};

/// The method of a name, as the wire spells it.
#[must_use]
pub fn parse_method(name: &str) -> Option<PaymentMethod> {
    METHODS.into_iter().find(|&method| method_id(method) == name)
}

/// The simulated methods, in the order they are offered.
pub const METHODS: [PaymentMethod; 3] =
    [PaymentMethod::NaverPay, PaymentMethod::KakaoPay, PaymentMethod::BankTransfer];

/// A method's name, as the wire spells it.
#[must_use]
pub fn method_id(method: PaymentMethod) -> &'static str {
    match method {
        PaymentMethod::NaverPay => "naver_pay",
        PaymentMethod::KakaoPay => "kakao_pay",
        PaymentMethod::BankTransfer => "bank_transfer",
        PaymentMethod::Card => "CARD",
        PaymentMethod::Point => "POINT",
        PaymentMethod::Mixed => "MIXED",
        PaymentMethod::Free => "FREE",
    }
}

/// A method's name, as people read it.
#[must_use]
pub fn method_display_name(method: PaymentMethod) -> &'static str {
    match method {
        PaymentMethod::NaverPay => "네이버페이",
        PaymentMethod::KakaoPay => "카카오페이",
        PaymentMethod::BankTransfer => "계좌이체",
        PaymentMethod::Card => "카드",
        PaymentMethod::Point => "포인트",
        PaymentMethod::Mixed => "카드와 포인트",
        PaymentMethod::Free => "무료",
    }
}

/// `POST /api/payments/process`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PaymentRequest {
    /// What to pay.
    pub reservation_id: Id,
    /// `naver_pay`, `kakao_pay` or `bank_transfer`; an order that costs nothing takes any of them, and
    /// `FREE`.
    #[schema(examples("naver_pay"))]
    pub payment_method: String,
}

/// The answer to it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaymentAnswer {
    /// Always true.
    pub success: bool,
    /// Not shown.
    pub message: String,
    /// The payment.
    pub payment: Payment,
    /// What was paid for.
    pub reservation: PaidReservation,
}

/// A payment.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// What was paid.
    pub reservation_id: Id,
    /// Its public number.
    pub reservation_number: String,
    /// The method, as people read it.
    pub payment_method: String,
    /// Won.
    pub total_amount: u64,
    /// When it was captured.
    pub paid_at: Timestamp,
}

/// What was paid for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaidReservation {
    /// The event.
    pub event: PaidEvent,
    /// The seats; none of ticket types.
    pub seats: Vec<PaidSeat>,
}

/// The event that was paid for.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PaidEvent {
    /// Title.
    pub title: String,
    /// Name of the venue.
    pub venue: String,
    /// When the show begins.
    pub event_date: Timestamp,
}

/// A seat that was paid for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PaidSeat {
    /// The seat.
    pub id: Id,
    /// Section, row and number.
    pub seat_label: String,
    /// The name of its section.
    pub section: String,
    /// As printed on the ticket.
    pub row_number: u32,
    /// As printed on the ticket.
    pub seat_number: u32,
    /// Won for it.
    pub unit_price: u32,
}

/// `GET /api/payments/methods`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MethodList {
    /// In the order to offer them.
    pub methods: Vec<MethodRow>,
}

/// A way to pay.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MethodRow {
    /// For requests.
    pub id: String,
    /// For people.
    pub name: String,
    /// For people.
    pub description: String,
    /// Address of a picture.
    pub icon: String,
}
