//! Every error that Toss lists for confirm, query and cancel, with its status and text, in one table.

use hyper::StatusCode;

macro_rules! errors {
    ($($name:ident $status:literal $korean:literal, $english:literal;)*) => {
        /// A refusal, named as Toss names it.
        #[allow(non_camel_case_types, reason = "the names are the codes on the wire")]
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum TossError { $($name,)* }

        impl TossError {
            /// The code on the wire.
            pub(super) fn code(self) -> &'static str {
                match self { $(TossError::$name => stringify!($name),)* }
            }

            /// The error of a code; `None` where Toss does not list it.
            pub(super) fn of(code: &str) -> Option<Self> {
                match code { $(stringify!($name) => Some(TossError::$name),)* _ => None }
            }

            fn row(self) -> (u16, &'static str, &'static str) {
                match self { $(TossError::$name => ($status, $korean, $english),)* }
            }

            #[cfg(test)]
            const ALL: &[TossError] = &[$(TossError::$name,)*];
        }
    };
}

errors! {
    // Confirm.
    ALREADY_PROCESSED_PAYMENT 400 "이미 처리된 결제 입니다.", "This payment was processed before.";
    PROVIDER_ERROR 400 "일시적인 오류가 발생했습니다. 잠시 후 다시 시도해주세요.", "A temporary error. Please try again later.";
    INVALID_REQUEST 400 "잘못된 요청입니다.", "The request is not valid.";
    INVALID_API_KEY 400 "잘못된 시크릿키 연동 정보 입니다.", "The secret key does not belong here.";
    INVALID_IDEMPOTENCY_KEY 400 "멱등키는 300자 이하여야 합니다.", "An idempotency key has at most 300 characters.";
    INVALID_REJECT_CARD 400 "카드 사용이 거절되었습니다. 카드사 문의가 필요합니다.", "The card was refused. Please ask its issuer.";
    BELOW_MINIMUM_AMOUNT 400 "신용카드는 결제금액이 100원 이상, 계좌는 200원이상부터 결제가 가능합니다.", "At least 100 won by card and 200 won by account.";
    INVALID_CARD_EXPIRATION 400 "카드 정보를 다시 확인해주세요. (유효기간)", "Please check the card. (expiry date)";
    INVALID_STOPPED_CARD 400 "정지된 카드 입니다.", "The card is suspended.";
    INVALID_CARD_LOST_OR_STOLEN 400 "분실 혹은 도난 카드입니다.", "The card was reported lost or stolen.";
    INVALID_CARD_NUMBER 400 "카드번호를 다시 확인해주세요.", "Please check the card number.";
    CARD_PROCESSING_ERROR 400 "카드사에서 오류가 발생했습니다.", "The card issuer reported an error.";
    EXCEED_MAX_CARD_INSTALLMENT_PLAN 400 "설정 가능한 최대 할부 개월 수를 초과했습니다.", "Too many monthly instalments.";
    INVALID_CARD_INSTALLMENT_PLAN 400 "할부 개월 정보가 잘못되었습니다.", "The number of instalments is not valid.";
    NOT_SUPPORTED_INSTALLMENT_PLAN_CARD_OR_MERCHANT 400 "할부가 지원되지 않는 카드 또는 가맹점 입니다.", "This card or merchant has no instalments.";
    NOT_SUPPORTED_MONTHLY_INSTALLMENT_PLAN 400 "할부가 지원되지 않는 카드입니다.", "This card has no instalments.";
    NOT_ALLOWED_POINT_USE 400 "포인트 사용이 불가한 카드로 카드 포인트 결제에 실패했습니다.", "This card cannot pay with points.";
    EXCEED_MAX_DAILY_PAYMENT_COUNT 400 "하루 결제 가능 횟수를 초과했습니다.", "Too many payments today.";
    EXCEED_MAX_PAYMENT_AMOUNT 400 "하루 결제 가능 금액을 초과했습니다.", "Over the amount of a day.";
    EXCEED_MAX_MONTHLY_PAYMENT_AMOUNT 400 "당월 결제 가능금액을 초과 하셨습니다.", "Over the amount of a month.";
    EXCEED_MAX_AMOUNT 400 "거래금액 한도를 초과했습니다.", "Over the amount of a payment.";
    EXCEED_MAX_ONE_DAY_WITHDRAW_AMOUNT 400 "1일 출금 한도를 초과했습니다.", "Over the withdrawals of a day.";
    EXCEED_MAX_ONE_TIME_WITHDRAW_AMOUNT 400 "1회 출금 한도를 초과했습니다.", "Over the amount of a withdrawal.";
    RESTRICTED_TRANSFER_ACCOUNT 400 "계좌는 등록 후 12시간 뒤부터 결제할 수 있습니다. 관련 정책은 해당 은행으로 문의해주세요.", "A new account can pay after 12 hours. Please ask the bank.";
    INVALID_ACCOUNT_INFO_RE_REGISTER 400 "유효하지 않은 계좌입니다. 계좌 재등록 후 시도해주세요.", "The account is not valid. Please register it again.";
    NOT_AVAILABLE_PAYMENT 400 "결제가 불가능한 시간대입니다.", "No payments at this hour.";
    INVALID_AUTHORIZE_AUTH 400 "유효하지 않은 인증 방식입니다.", "This way of authentication is not valid.";
    UNAPPROVED_ORDER_ID 400 "아직 승인되지 않은 주문번호입니다.", "The order was not approved yet.";
    NOT_FOUND_TERMINAL_ID 400 "단말기번호(Terminal Id)가 없습니다. 토스페이먼츠로 문의 바랍니다.", "No terminal id. Please ask Toss Payments.";
    INVALID_UNREGISTERED_SUBMALL 400 "등록되지 않은 서브몰입니다.", "The sub-mall is not registered.";
    NOT_REGISTERED_BUSINESS 400 "등록되지 않은 사업자 번호입니다.", "The business number is not registered.";
    DUPLICATED_ORDER_ID 400 "이미 승인 및 취소가 진행된 중복된 주문번호 입니다. 다른 주문번호로 진행해주세요.", "The order id was used before.";
    UNAUTHORIZED_KEY 401 "인증되지 않은 시크릿 키 혹은 클라이언트 키 입니다.", "The key is unknown.";
    REJECT_CARD_PAYMENT 403 "한도초과 혹은 잔액부족으로 결제에 실패했습니다.", "Over the limit, or too little money.";
    REJECT_CARD_COMPANY 403 "결제 승인이 거절되었습니다.", "The payment was refused.";
    REJECT_ACCOUNT_PAYMENT 403 "잔액부족으로 결제에 실패했습니다.", "Too little money.";
    REJECT_TOSSPAY_INVALID_ACCOUNT 403 "선택하신 출금 계좌가 출금이체 등록이 되어 있지 않아요. 계좌를 다시 등록해 주세요.", "The account is not registered for withdrawals.";
    EXCEED_MAX_AUTH_COUNT 403 "최대 인증 횟수를 초과했습니다. 카드사로 문의해주세요.", "Too many tries. Please ask the card issuer.";
    EXCEED_MAX_ONE_DAY_AMOUNT 403 "일일 한도를 초과했습니다.", "Over the limit of a day.";
    NOT_AVAILABLE_BANK 403 "은행 서비스 시간이 아닙니다.", "The bank is closed.";
    INVALID_PASSWORD 403 "결제 비밀번호가 일치하지 않습니다.", "The payment password is wrong.";
    FDS_ERROR 403 "위험거래가 감지되어 결제가 제한됩니다.", "The payment looks risky and is blocked.";
    FORBIDDEN_REQUEST 403 "허용되지 않은 요청입니다.", "The request is not allowed.";
    INCORRECT_BASIC_AUTH_FORMAT 403 "잘못된 요청입니다. ':' 를 포함해 인코딩해주세요.", "Please encode the key with its ':'.";
    NOT_FOUND_PAYMENT 404 "존재하지 않는 결제 정보 입니다.", "No such payment.";
    NOT_FOUND_PAYMENT_SESSION 404 "결제 시간이 만료되어 결제 진행 데이터가 존재하지 않습니다.", "The payment's time is over.";
    IDEMPOTENT_REQUEST_PROCESSING 409 "이전 멱등 요청이 처리중입니다.", "The same request is being processed.";
    TOO_MANY_REQUESTS 429 "요청이 너무 많습니다. 잠시 후 다시 시도해주세요.", "Too many requests. Please try again later.";
    FAILED_PAYMENT_INTERNAL_SYSTEM_PROCESSING 500 "결제가 완료되지 않았어요. 다시 시도해주세요.", "The payment was not completed. Please try again.";
    FAILED_INTERNAL_SYSTEM_PROCESSING 500 "내부 시스템 처리 작업이 실패했습니다. 잠시 후 다시 시도해주세요.", "Something failed inside. Please try again later.";
    UNKNOWN_PAYMENT_ERROR 500 "결제에 실패했어요. 같은 문제가 반복된다면 은행이나 카드사로 문의해주세요.", "The payment failed. Please ask your bank.";

    // Cancel.
    ALREADY_CANCELED_PAYMENT 400 "이미 취소된 결제 입니다.", "This payment was cancelled before.";
    ALREADY_REFUND_PAYMENT 400 "이미 환불된 결제입니다.", "This payment was refunded before.";
    INVALID_REFUND_ACCOUNT_INFO 400 "환불 계좌번호와 예금주명이 일치하지 않습니다.", "The refund account has another holder.";
    INVALID_REFUND_ACCOUNT_NUMBER 400 "잘못된 환불 계좌번호입니다.", "The refund account number is not valid.";
    INVALID_BANK 400 "유효하지 않은 은행입니다.", "The bank is not valid.";
    EXCEED_CANCEL_AMOUNT_DISCOUNT_AMOUNT 400 "즉시할인금액보다 적은 금액은 부분취소가 불가능합니다.", "Less than the discount cannot be cancelled.";
    NOT_MATCHES_REFUNDABLE_AMOUNT 400 "잔액 결과가 일치하지 않습니다.", "The balance is another.";
    FORBIDDEN_BANK_REFUND_REQUEST 400 "고객 계좌가 입금이 되지 않는 상태입니다.", "The account takes no deposits.";
    REFUND_REJECTED 400 "환불이 거절됐습니다. 결제사에 문의 부탁드립니다.", "The refund was refused.";
    NOT_CANCELABLE_AMOUNT 403 "취소 할 수 없는 금액 입니다.", "This amount cannot be cancelled.";
    NOT_CANCELABLE_PAYMENT 403 "취소 할 수 없는 결제 입니다.", "This payment cannot be cancelled.";
    EXCEED_MAX_REFUND_DUE 403 "환불 가능한 기간이 지났습니다.", "The time for refunds is over.";
    EXCEED_CANCEL_LIMIT 403 "취소 한도 금액을 초과 하였습니다.", "Over the limit of cancellations.";
    NOT_ALLOWED_PARTIAL_REFUND_WAITING_DEPOSIT 403 "입금 대기중인 결제는 부분 환불이 불가합니다.", "No partial refund before the deposit.";
    NOT_ALLOWED_PARTIAL_REFUND 403 "에스크로 주문, 현금 카드 결제일 때는 부분 환불이 불가합니다.", "No partial refund for this payment.";
    NOT_CANCELABLE_PAYMENT_FOR_DORMANT_USER 403 "휴면 처리된 회원의 결제는 취소할 수 없습니다.", "Payments of dormant users cannot be cancelled.";
    FORBIDDEN_CONSECUTIVE_REQUEST 403 "반복적인 요청은 허용되지 않습니다. 잠시 후 다시 시도해주세요.", "Too many requests in a row. Please try again later.";
    FAILED_REFUND_PROCESS 500 "은행 응답시간 지연이나 일시적인 오류로 환불요청에 실패했습니다.", "The bank did not answer; the refund failed.";
    FAILED_METHOD_HANDLING_CANCEL 500 "취소 중 결제 시 사용한 결제 수단 처리과정에서 일시적인 오류가 발생했습니다.", "A temporary error while cancelling.";
    FAILED_PARTIAL_REFUND 500 "은행 점검, 해약 계좌 등의 사유로 부분 환불이 실패했습니다.", "The partial refund failed.";
    COMMON_ERROR 500 "일시적인 오류가 발생했습니다. 잠시 후 다시 시도해주세요.", "A temporary error. Please try again later.";

    // The payment window, and what a payment says of its own end.
    PAY_PROCESS_CANCELED 400 "사용자가 결제를 취소하였습니다", "The buyer closed the payment window.";
    PAY_PROCESS_ABORTED 400 "결제 진행 중 승인에 실패하여 결제가 중단되었습니다", "The payment was broken off.";
    EXPIRED_PAYMENT 400 "결제가 만료되었습니다. 다시 시도해주세요.", "The payment expired. Please try again.";
}

impl TossError {
    pub(super) fn status(self) -> StatusCode {
        StatusCode::from_u16(self.row().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    pub(super) fn message(self, language: Language) -> &'static str {
        let (_, korean, english) = self.row();
        match language {
            Language::Korean => korean,
            Language::English => english,
        }
    }

    /// Whether a confirm that fails with it ends the payment: the buyer's means were refused, and
    /// no money moved.
    pub(super) fn ends_the_payment(self) -> bool {
        const FAMILIES: [&str; 6] = [
            "REJECT_",
            "INVALID_CARD_",
            "EXCEED_MAX_",
            "NOT_AVAILABLE_",
            "NOT_SUPPORTED_",
            "NOT_ALLOWED_POINT",
        ];
        let is_single = matches!(
            self,
            TossError::INVALID_STOPPED_CARD
                | TossError::INVALID_REJECT_CARD
                | TossError::INVALID_PASSWORD
                | TossError::BELOW_MINIMUM_AMOUNT
                | TossError::RESTRICTED_TRANSFER_ACCOUNT
                | TossError::INVALID_ACCOUNT_INFO_RE_REGISTER
                | TossError::FDS_ERROR
        );
        is_single || FAMILIES.iter().any(|family| self.code().starts_with(family))
    }
}

/// Of messages and of names of methods: `Accept-Language: en-US` asks for English.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Language {
    #[default]
    Korean,
    English,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_found_again_and_have_a_status_and_two_texts() {
        for &error in TossError::ALL {
            assert_eq!(TossError::of(error.code()), Some(error));
            assert!(error.status().is_client_error() || error.status().is_server_error());
            assert_ne!(error.message(Language::Korean), error.message(Language::English));
        }
        assert_eq!(TossError::of("NO_SUCH_CODE"), None);
    }
}
