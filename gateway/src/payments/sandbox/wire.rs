//! The Payment object and its relatives, as Toss serialises them.

use serde::Serialize;
use serde_json::{Value, json};

use super::clock::seoul_time;
use super::errors::{Language, TossError};
use super::payment::{Method, Move, Payment, Status};
use super::refund::{Cancel, CancelState};

/// What a widget key is fixed to.
const VERSION: &str = "2022-11-16";
/// At most fourteen characters.
const MERCHANT: &str = "tiketi_sandbox";
/// A refund of a deposit arrives after this long.
const REFUND_MS: u64 = 2 * 24 * 60 * 60_000;
/// The account of a refund is shown for this long.
const ACCOUNT_SHOWN_MS: u64 = 30 * 60_000;

/// A refusal.
#[derive(Serialize)]
pub(super) struct ErrorBody<'a> {
    pub(super) code: &'a str,
    pub(super) message: &'a str,
}

/// The Payment object of section 1.7.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentBody<'a> {
    m_id: &'static str,
    last_transaction_key: Option<&'a str>,
    payment_key: &'a str,
    order_id: &'a str,
    order_name: &'a str,
    tax_exemption_amount: u64,
    status: Status,
    requested_at: String,
    approved_at: Option<String>,
    use_escrow: bool,
    culture_expense: bool,
    card: Option<CardBody>,
    virtual_account: Option<AccountBody<'a>>,
    transfer: Option<Value>,
    mobile_phone: Option<Value>,
    gift_certificate: Option<Value>,
    cash_receipt: Option<Value>,
    cash_receipts: Option<Value>,
    discount: Option<Value>,
    cancels: Option<Vec<CancelBody<'a>>>,
    /// `None` leaves it out.
    #[serde(skip_serializing_if = "Option::is_none")]
    secret: Option<Option<&'a str>>,
    r#type: &'static str,
    easy_pay: Option<EasyPayBody>,
    country: &'static str,
    failure: Option<ErrorBody<'a>>,
    is_partial_cancelable: bool,
    receipt: Option<Link>,
    checkout: Option<Link>,
    currency: &'static str,
    total_amount: u64,
    balance_amount: u64,
    supplied_amount: u64,
    vat: u64,
    tax_free_amount: u64,
    method: Option<&'static str>,
    version: &'static str,
    metadata: Option<Value>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CardBody {
    issuer_code: &'static str,
    acquirer_code: &'static str,
    number: &'static str,
    installment_plan_months: u32,
    is_interest_free: bool,
    interest_payer: Option<&'static str>,
    approve_no: &'static str,
    use_card_point: bool,
    card_type: &'static str,
    owner_type: &'static str,
    acquire_status: &'static str,
    amount: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EasyPayBody {
    provider: &'static str,
    amount: u64,
    discount_amount: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountBody<'a> {
    account_type: &'static str,
    account_number: String,
    bank_code: &'static str,
    customer_name: &'a str,
    depositor_name: Option<&'a str>,
    due_date: String,
    expired: bool,
    settlement_status: &'static str,
    refund_status: &'static str,
    refund_receive_account: Option<RefundAccountBody<'a>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RefundAccountBody<'a> {
    bank_code: &'a str,
    account_number: &'a str,
    holder_name: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CancelBody<'a> {
    transaction_key: &'a str,
    cancel_reason: &'a str,
    tax_exemption_amount: u64,
    canceled_at: String,
    card_discount_amount: u64,
    transfer_discount_amount: u64,
    easy_pay_discount_amount: u64,
    receipt_key: Option<&'static str>,
    cancel_amount: u64,
    tax_free_amount: u64,
    refundable_amount: u64,
    cancel_status: CancelState,
    cancel_request_id: Option<&'a str>,
}

#[derive(Serialize)]
struct Link {
    url: String,
}

/// How an object is to be written.
#[derive(Clone, Copy)]
pub(super) struct Manner<'a> {
    /// The sandbox's own address, for links.
    pub(super) base_url: &'a str,
    pub(super) language: Language,
    pub(super) now: u64,
}

impl<'a> PaymentBody<'a> {
    /// The object with its secret, as queries answer it.
    pub(super) fn of(payment: &'a Payment, manner: Manner<'_>) -> Self {
        let Manner { base_url, language, now } = manner;
        let amount = payment.amount;
        let vat = vat(amount);
        // An expired payment has forgotten what it was to be paid with (1.5).
        let method = payment.method.filter(|_| payment.status != Status::Expired);
        let is_approved = !payment.moves.is_empty();
        let failure = payment.failure.as_deref().map(|code| ErrorBody {
            code,
            message: TossError::of(code).map_or("", |error| error.message(language)),
        });
        PaymentBody {
            m_id: MERCHANT,
            last_transaction_key: payment.moves.last().map(|last| last.key.as_str()),
            payment_key: &payment.key,
            order_id: &payment.order_id,
            order_name: &payment.order_name,
            tax_exemption_amount: 0,
            status: payment.status,
            requested_at: seoul_time(payment.opened_at),
            approved_at: payment.approved_at.map(seoul_time),
            use_escrow: false,
            culture_expense: false,
            card: (method == Some(Method::Card)).then(|| card(payment)),
            virtual_account: account(payment, now),
            transfer: (method == Some(Method::Transfer))
                .then(|| json!({"bankCode": "20", "settlementStatus": "INCOMPLETED"})),
            mobile_phone: (method == Some(Method::Phone)).then(|| {
                json!({
                    "customerMobilePhone": "010****5678",
                    "settlementStatus": "INCOMPLETED",
                    "receiptUrl": format!("{base_url}/receipts/{}", payment.key),
                })
            }),
            gift_certificate: (method == Some(Method::GiftCertificate))
                .then(|| json!({"approveNo": "00000000", "settlementStatus": "INCOMPLETED"})),
            cash_receipt: None,
            cash_receipts: None,
            discount: None,
            cancels: (!payment.cancels.is_empty())
                .then(|| payment.cancels.iter().map(cancel).collect()),
            secret: Some(Some(&payment.secret)),
            r#type: "NORMAL",
            easy_pay: (method == Some(Method::EasyPay)).then_some(EasyPayBody {
                provider: match language {
                    Language::Korean => "토스페이",
                    Language::English => "TOSSPAY",
                },
                amount,
                discount_amount: 0,
            }),
            country: "KR",
            failure,
            is_partial_cancelable: payment.is_partial_cancelable,
            receipt: is_approved
                .then(|| Link { url: format!("{base_url}/receipts/{}", payment.key) }),
            checkout: Some(Link {
                url: format!("{base_url}/v1/payments/{}/checkout", payment.key),
            }),
            currency: "KRW",
            total_amount: amount,
            balance_amount: payment.balance(),
            supplied_amount: amount - vat,
            vat,
            tax_free_amount: 0,
            method: method.map(|method| name(method, language)),
            version: VERSION,
            metadata: None,
        }
    }

    /// The object with another secret, with none (`Some(None)`), or without the field.
    pub(super) fn with_secret(mut self, secret: Option<Option<&'a str>>) -> Self {
        self.secret = secret;
        self
    }
}

/// An eleventh, rounded; nothing is free of tax here.
fn vat(amount: u64) -> u64 {
    amount.saturating_mul(2).saturating_add(11) / 22
}

fn name(method: Method, language: Language) -> &'static str {
    match (method, language) {
        (Method::Card, Language::Korean) => "카드",
        (Method::EasyPay, Language::Korean) => "간편결제",
        (Method::VirtualAccount, Language::Korean) => "가상계좌",
        (Method::Phone, Language::Korean) => "휴대폰",
        (Method::Transfer, Language::Korean) => "계좌이체",
        (Method::GiftCertificate, Language::Korean) => "문화상품권",
        (Method::Card, Language::English) => "Card",
        (Method::EasyPay, Language::English) => "Easy Pay",
        (Method::VirtualAccount, Language::English) => "Virtual Account",
        (Method::Phone, Language::English) => "Mobile Phone",
        (Method::Transfer, Language::English) => "Transfer",
        (Method::GiftCertificate, Language::English) => "Culture Gift Certificate",
    }
}

fn card(payment: &Payment) -> CardBody {
    CardBody {
        issuer_code: "11",
        acquirer_code: "11",
        number: "94091234****567*",
        installment_plan_months: 0,
        is_interest_free: false,
        interest_payer: None,
        approve_no: "00000000",
        use_card_point: false,
        card_type: "신용",
        owner_type: "개인",
        acquire_status: match payment.status {
            Status::Canceled => "CANCELED",
            _ => "READY",
        },
        amount: payment.amount,
    }
}

fn account(payment: &Payment, now: u64) -> Option<AccountBody<'_>> {
    let due_at = payment.account_due_at()?;
    let is_paid = payment.approved_at.is_some();
    let customer_name = payment.customer_name.as_deref().unwrap_or("테스트");
    let refund = payment.cancels.last().filter(|cancel| cancel.refund_account.is_some());
    let is_shown = |cancel: &&Cancel| now < cancel.at.saturating_add(ACCOUNT_SHOWN_MS);
    let shown = refund.filter(is_shown).and_then(|cancel| cancel.refund_account.as_ref());
    Some(AccountBody {
        account_type: "일반",
        // An `X` in front, so that nobody pays into it.
        account_number: format!("X{:013}", payment.opened_at % 10_u64.pow(13)),
        bank_code: "20",
        customer_name,
        depositor_name: is_paid.then_some(customer_name),
        due_date: seoul_time(due_at),
        expired: payment.account_is_expired(now),
        settlement_status: "INCOMPLETED",
        refund_status: refund.map_or("NONE", |cancel| refund_status(cancel, payment.amount, now)),
        refund_receive_account: shown.map(|account| RefundAccountBody {
            bank_code: &account.bank,
            account_number: &account.number,
            holder_name: &account.holder,
        }),
    })
}

/// How far the refund of a deposit of `amount` is.
fn refund_status(cancel: &Cancel, amount: u64, now: u64) -> &'static str {
    match cancel.state {
        CancelState::InProgress => "PENDING",
        CancelState::Aborted if cancel.amount < amount => "PARTIAL_FAILED",
        CancelState::Aborted => "FAILED",
        CancelState::Done if now < cancel.at.saturating_add(REFUND_MS) => "PENDING",
        CancelState::Done => "COMPLETED",
    }
}

fn cancel(cancel: &Cancel) -> CancelBody<'_> {
    CancelBody {
        transaction_key: &cancel.transaction_key,
        cancel_reason: &cancel.reason,
        tax_exemption_amount: 0,
        canceled_at: seoul_time(cancel.at),
        card_discount_amount: 0,
        transfer_discount_amount: 0,
        easy_pay_discount_amount: 0,
        receipt_key: None,
        cancel_amount: cancel.amount,
        tax_free_amount: cancel.tax_free_amount,
        refundable_amount: cancel.balance_after,
        cancel_status: cancel.state,
        cancel_request_id: cancel.request_id.as_deref(),
    }
}

/// One line of `GET /v1/transactions`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TransactionBody<'a> {
    m_id: &'static str,
    transaction_key: &'a str,
    payment_key: &'a str,
    order_id: &'a str,
    method: Option<&'static str>,
    customer_key: Option<&'a str>,
    use_escrow: bool,
    receipt_url: String,
    status: Status,
    transaction_at: String,
    currency: &'static str,
    amount: u64,
}

impl<'a> TransactionBody<'a> {
    pub(super) fn of(payment: &'a Payment, made: &'a Move, manner: Manner<'_>) -> Self {
        TransactionBody {
            m_id: MERCHANT,
            transaction_key: &made.key,
            payment_key: &payment.key,
            order_id: &payment.order_id,
            method: payment.method.map(|method| name(method, manner.language)),
            customer_key: payment.customer_key.as_deref(),
            use_escrow: false,
            receipt_url: format!("{}/receipts/{}", manner.base_url, payment.key),
            status: made.status,
            transaction_at: seoul_time(made.at),
            currency: "KRW",
            amount: made.amount,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tax_is_an_eleventh_rounded() {
        for (amount, expected) in
            [(0, 0), (5, 0), (6, 1), (11, 1), (9_026, 821), (30_000, 2_727), (50_000, 4_545)]
        {
            assert_eq!(vat(amount), expected, "{amount}");
        }
    }
}
