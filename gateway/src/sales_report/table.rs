//! A sales report as a table: what CSV and XLSX have in common.

use crate::api::reports::{SalesBy, SalesReport, SalesRow, SalesSums};

/// Heads of the columns of numbers.
const NUMBERS: [&str; 6] = ["주문", "티켓", "매출", "환불", "환불 대기", "순매출"];
const TOTALS: &str = "합계";

/// A line: texts first, then [`NUMBERS`].
pub(super) struct Line {
    pub(super) texts: Vec<String>,
    pub(super) numbers: [i64; 6],
}

pub(super) fn heads(by: SalesBy) -> Vec<&'static str> {
    let texts: &[&str] = match by {
        SalesBy::Day => &["날짜"],
        SalesBy::Event => &["공연", "공연 ID"],
    };
    [texts, &NUMBERS].concat()
}

/// The rows, and the totals as the last one.
pub(super) fn lines(report: &SalesReport) -> impl Iterator<Item = Line> + '_ {
    let totals = match report.by {
        SalesBy::Day => vec![TOTALS.to_owned()],
        SalesBy::Event => vec![TOTALS.to_owned(), String::new()],
    };
    let totals = Line { texts: totals, numbers: numbers(&report.totals) };
    report.rows.iter().map(line).chain(std::iter::once(totals))
}

fn line(row: &SalesRow) -> Line {
    let id = row.event_id.map(|id| id.to_string());
    let texts = [&row.day, &row.event_title, &id].into_iter().flatten().cloned();
    Line { texts: texts.collect(), numbers: numbers(&row.sums) }
}

fn numbers(sums: &SalesSums) -> [i64; 6] {
    let &SalesSums { orders, tickets, gross, refunds, refunds_owed, net } = sums;
    let [orders, tickets, gross, refunds, owed] =
        [orders, tickets, gross, refunds, refunds_owed].map(u64::cast_signed);
    [orders, tickets, gross, refunds, owed, net]
}
