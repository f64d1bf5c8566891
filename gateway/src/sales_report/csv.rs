//! CSV (RFC 4180), as spreadsheets open it: with a byte order mark, without which Excel takes Korean
//! for something else, and with no text that reads as a formula.

use std::borrow::Cow;

use crate::api::reports::SalesReport;
use crate::sales_report::table;

const BYTE_ORDER_MARK: &str = "\u{feff}";
const LINE_END: &str = "\r\n";

pub(crate) fn encode(report: &SalesReport) -> String {
    let mut text = BYTE_ORDER_MARK.to_owned();
    let heads: Vec<Cow<'_, str>> = table::heads(report.by).into_iter().map(cell).collect();
    text.push_str(&heads.join(","));
    text.push_str(LINE_END);
    for line in table::lines(report) {
        let texts = line.texts.iter().map(|text| cell(text).into_owned());
        let numbers = line.numbers.iter().map(i64::to_string);
        text.push_str(&texts.chain(numbers).collect::<Vec<_>>().join(","));
        text.push_str(LINE_END);
    }
    text
}

/// A text in quotes where it needs them, behind an apostrophe where it would be a formula.
fn cell(text: &str) -> Cow<'_, str> {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = if is_formula { Cow::Owned(format!("'{text}")) } else { Cow::Borrowed(text) };
    match text.contains(['"', ',', '\r', '\n']) {
        true => Cow::Owned(format!("\"{}\"", text.replace('"', "\"\""))),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells() {
        for (text, expected) in [
            ("봄 콘서트", "봄 콘서트"),
            ("", ""),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("+82", "'+82"),
            ("-5", "'-5"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("=HYPERLINK(\"x\",\"y\")", "\"'=HYPERLINK(\"\"x\"\",\"\"y\"\")\""),
            ("1-2", "1-2"),
        ] {
            assert_eq!(cell(text), expected);
        }
    }
}
