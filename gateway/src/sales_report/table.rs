//! A sales report as a table: what CSV and XLSX have in common.

use crate::api::reports::{SalesBy, SalesReport, SalesRow, SalesSums};

/// Heads of the columns of numbers.
const NUMBERS: [&str; 5] = ["주문", "티켓", "매출", "환불", "순매출"];
const TOTALS: &str = "합계";

/// A line: texts first, then [`NUMBERS`].
pub(super) struct Line {
    pub(super) texts: Vec<String>,
    pub(super) numbers: [i64; 5],
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

fn numbers(sums: &SalesSums) -> [i64; 5] {
    let &SalesSums { orders, tickets, gross, refunds, net } = sums;
    [orders.cast_signed(), tickets.cast_signed(), gross.cast_signed(), refunds.cast_signed(), net]
}
