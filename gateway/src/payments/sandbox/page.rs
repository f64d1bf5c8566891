//! The sandbox's pages: Korean, for a phone's width, light and dark, without scripts or network.

use std::fmt::Write;

use super::clock::seoul_time;
use super::payment::{Due, Payment, Status};
use super::window::Opening;

const STYLE: &str = "\
:root{color-scheme:light dark;--page:#f2f4f6;--card:#fff;--text:#191f28;--soft:#6b7684;\
--line:#e5e8eb;--main:#3182f6;--bad:#e5484d}\
@media(prefers-color-scheme:dark){:root{--page:#101013;--card:#1c1c20;--text:#f2f4f6;\
--soft:#9ea3ab;--line:#2f3036;--main:#4593fc;--bad:#ff6369}}\
*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--text);\
font:16px/1.5 system-ui,-apple-system,'Apple SD Gothic Neo','Malgun Gothic',sans-serif}\
main{max-width:420px;margin:0 auto;padding:20px 16px 40px}\
.card{background:var(--card);border-radius:20px;padding:24px 20px;margin-bottom:12px}\
.tag{display:inline-block;font-size:12px;color:var(--soft);border:1px solid var(--line);\
border-radius:999px;padding:2px 10px;margin-bottom:12px}\
h1{font-size:20px;margin:0 0 4px;overflow-wrap:anywhere}.sum{font-size:30px;font-weight:700;\
margin:0}.soft{color:var(--soft);font-size:14px;margin:8px 0 0;overflow-wrap:anywhere}\
button{display:block;width:100%;min-height:52px;margin-top:10px;border:1px solid var(--line);\
border-radius:14px;background:transparent;color:inherit;font:inherit;text-align:left;\
padding:0 18px;cursor:pointer}button:hover{border-color:var(--main)}\
button:focus-visible,summary:focus-visible{outline:3px solid var(--main);outline-offset:2px}\
.main{background:var(--main);border-color:var(--main);color:#fff;font-weight:600;\
text-align:center}.bad{color:var(--bad)}.plain{border:0;text-align:center;color:var(--soft)}\
summary{cursor:pointer;font-weight:600;min-height:32px}h2{font-size:14px;color:var(--soft);\
margin:16px 0 0}code{font-size:12px;color:var(--soft)}.main code{color:inherit;opacity:.85}";

/// Refusals that the window offers, in its own name.
const DECLINES: [(&str, &str); 3] = [
    ("REJECT_CARD_COMPANY", "카드사가 거절"),
    ("INVALID_CARD_NUMBER", "카드번호 오류"),
    ("PAY_PROCESS_ABORTED", "결제 중단"),
];

/// Refusals of the confirm that follows.
const LATE_DECLINES: [(&str, &str); 4] = [
    ("REJECT_CARD_PAYMENT", "한도 초과·잔액 부족"),
    ("INVALID_STOPPED_CARD", "정지된 카드"),
    ("EXCEED_MAX_DAILY_PAYMENT_COUNT", "하루 횟수 초과"),
    ("FDS_ERROR", "위험 거래 감지"),
];

/// The window: what is paid for, and every way to pay or to fail.
pub(super) fn window(base_url: &str, opening: &Opening, payment_key: &str) -> String {
    let purchase = &opening.purchase;
    let mut fields = String::new();
    let amount = purchase.amount.to_string();
    let (due_name, due) = match purchase.due {
        Due::Hours(hours) => ("validHours", hours.to_string()),
        Due::At(at) => ("dueDate", seoul_time(at)),
    };
    for (name, value) in [
        ("clientKey", opening.client_key.as_str()),
        ("orderId", &purchase.order_id),
        ("orderName", &purchase.order_name),
        ("amount", &amount),
        ("customerKey", purchase.customer_key.as_deref().unwrap_or_default()),
        ("customerName", purchase.customer_name.as_deref().unwrap_or_default()),
        ("successUrl", opening.success_url.as_str()),
        ("failUrl", opening.fail_url.as_str()),
        (due_name, &due),
        ("paymentKey", payment_key),
    ] {
        let value = escape(value);
        // Writing to a string cannot fail.
        let _ = write!(fields, "<input type=\"hidden\" name=\"{name}\" value=\"{value}\">");
    }
    let action = escape(base_url);
    let (name, order) = (escape(&purchase.order_name), escape(&purchase.order_id));
    let sum = won(purchase.amount);
    let declines = buttons("decline", &DECLINES);
    let late = buttons("confirm", &LATE_DECLINES);
    let body = format!(
        "<form method=\"post\" action=\"{action}/window\">{fields}\
         <section class=\"card\"><span class=\"tag\">테스트 결제 · 돈이 나가지 않아요</span>\
         <h1>{name}</h1><p class=\"sum\">{sum}</p><p class=\"soft\">주문번호 {order}</p></section>\
         <section class=\"card\">\
         <button class=\"main\" name=\"choice\" value=\"card\">카드로 결제하기</button>\
         <button name=\"choice\" value=\"easyPay\">간편결제</button>\
         <button name=\"choice\" value=\"virtualAccount\">가상계좌 (입금 대기)</button>\
         <button name=\"choice\" value=\"transfer\">계좌이체</button>\
         <button name=\"choice\" value=\"phone\">휴대폰</button>\
         <button name=\"choice\" value=\"giftCertificate\">문화상품권</button>\
         <button class=\"plain\" name=\"choice\" value=\"close\">결제창 닫기</button></section>\
         <details class=\"card\"><summary>실패 시험하기</summary>\
         <h2>결제창에서 실패</h2>{declines}<h2>승인할 때 실패</h2>{late}</details></form>"
    );
    document("결제하기", &body)
}

fn buttons(kind: &str, codes: &[(&str, &str)]) -> String {
    let mut html = String::new();
    for (code, label) in codes {
        let _ = write!(
            html,
            "<button class=\"bad\" name=\"choice\" value=\"{kind}:{code}\">{label}<br>\
             <code>{code}</code></button>"
        );
    }
    html
}

/// What has become of a payment.
pub(super) fn receipt(payment: &Payment) -> String {
    let (name, order) = (escape(&payment.order_name), escape(&payment.order_id));
    let status = match payment.status {
        Status::Ready | Status::InProgress => "결제 진행 중",
        Status::WaitingForDeposit => "입금 대기",
        Status::Done => "결제 완료",
        Status::Canceled => "결제 취소",
        Status::PartialCanceled => "부분 취소",
        Status::Aborted => "결제 실패",
        Status::Expired => "결제 만료",
    };
    let (sum, rest) = (won(payment.amount), won(payment.balance()));
    let body = format!(
        "<section class=\"card\"><span class=\"tag\">테스트 결제 · {status}</span><h1>{name}</h1>\
         <p class=\"sum\">{sum}</p><p class=\"soft\">주문번호 {order}</p>\
         <p class=\"soft\">취소할 수 있는 금액 {rest}</p></section>"
    );
    document("영수증", &body)
}

/// A short message, with what it is about.
pub(super) fn notice(title: &str, about: &str) -> String {
    let (title, about) = (escape(title), escape(about));
    let body = format!(
        "<section class=\"card\"><span class=\"tag\">테스트 결제</span><h1>{title}</h1>\
         <p class=\"soft\"><code>{about}</code></p></section>"
    );
    document(&title, &body)
}

pub(super) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html><html lang=\"ko\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\
         <title>{title}</title><style>{STYLE}</style></head><body><main>{body}</main></body></html>"
    )
}

/// `50,000원`.
pub(super) fn won(amount: u64) -> String {
    let digits = amount.to_string();
    let mut text = String::new();
    for (position, digit) in digits.char_indices() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text + "원"
}

/// Text for HTML, inside tags and inside quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_have_groups_of_three() {
        for (amount, expected) in
            [(0, "0원"), (100, "100원"), (1_000, "1,000원"), (1_234_567, "1,234,567원")]
        {
            assert_eq!(won(amount), expected);
        }
    }

    #[test]
    fn nothing_breaks_out_of_an_attribute() {
        assert_eq!(escape("\"><script>'&"), "&quot;&gt;&lt;script&gt;&#39;&amp;");
    }
}
