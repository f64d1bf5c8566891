//! Text in columns: how wide it is on a terminal, tables, numbers and instants.

use tiketi_engine::ids::UnixMillis;

use crate::output::{Output, Paint};

/// Columns that text takes on a terminal: Korean, Chinese and Japanese letters take two.
pub(crate) fn width(text: &str) -> usize {
    text.chars().map(char_width).sum()
}

/// East Asian Wide and Fullwidth take two columns, marks and joiners none. Source: Unicode UAX #11.
fn char_width(c: char) -> usize {
    match u32::from(c) {
        0..0x20 | 0x7f..0xa0 => 0,
        0x0300..=0x036f | 0x200b..=0x200f | 0xfe00..=0xfe0f | 0x1160..=0x11ff => 0,
        0x1100..=0x115f
        | 0x2e80..=0x303e
        | 0x3041..=0x33ff
        | 0x3400..=0x4dbf
        | 0x4e00..=0x9fff
        | 0xa000..=0xa4cf
        | 0xa960..=0xa97f
        | 0xac00..=0xd7a3
        | 0xf900..=0xfaff
        | 0xfe30..=0xfe6f
        | 0xff00..=0xff60
        | 0xffe0..=0xffe6
        | 0x1f300..=0x1f64f
        | 0x1f680..=0x1f6ff
        | 0x1f900..=0x1faff
        | 0x20000..=0x3fffd => 2,
        _ => 1,
    }
}

/// Text on one line and without anything a terminal would obey.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Text of at most so many columns, its end cut where it is longer.
pub(crate) fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 0;
    for c in text.chars() {
        if used + char_width(c) + 1 > columns {
            break;
        }
        used += char_width(c);
        fitted.push(c);
    }
    fitted.push('…');
    fitted
}

/// Text with blanks up to so many columns.
pub(crate) fn pad(text: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(width(text));
    format!("{text}{}", " ".repeat(blanks))
}

/// Text with blanks before it.
pub(crate) fn pad_left(text: &str, columns: usize) -> String {
    let blanks = columns.saturating_sub(width(text));
    format!("{}{text}", " ".repeat(blanks))
}

/// A number with commas.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Money.
pub(crate) fn won(amount: u64) -> String {
    format!("{}원", number(amount))
}

/// An instant as Seoul reads it: `2026-12-31 19:00:00`.
pub(crate) fn seoul(at: UnixMillis) -> String {
    seoul_as(at, "%Y-%m-%d %H:%M:%S")
}

/// The same with milliseconds.
pub(crate) fn seoul_exact(at: UnixMillis) -> String {
    seoul_as(at, "%Y-%m-%d %H:%M:%S%.3f")
}

fn seoul_as(at: UnixMillis, format: &str) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(9));
    let millis = i64::try_from(at.0).ok();
    match millis.and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok()) {
        Some(instant) => instant.to_zoned(zone).strftime(format).to_string(),
        None => "the end of time".to_owned(),
    }
}

/// Which side of its column a cell is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Align {
    Left,
    Right,
}

/// Text in rows and columns.
pub(crate) struct Table {
    columns: Vec<(&'static str, Align)>,
    rows: Vec<Vec<(String, Paint)>>,
    /// The column that gives way where the terminal is narrow.
    flexible: Option<usize>,
}

/// What a flexible column is never narrower than.
const FLEXIBLE_MIN: usize = 12;

impl Table {
    pub(crate) fn new(columns: &[(&'static str, Align)]) -> Table {
        Table { columns: columns.to_vec(), rows: Vec::new(), flexible: None }
    }

    /// Lets a column be cut where the terminal is narrow.
    pub(crate) fn flexible(mut self, column: usize) -> Table {
        self.flexible = Some(column);
        self
    }

    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.painted(cells.map(|cell| (cell, Paint::Plain)));
    }

    pub(crate) fn painted<const N: usize>(&mut self, cells: [(String, Paint); N]) {
        self.rows.push(cells.into_iter().map(|(text, paint)| (clean(&text), paint)).collect());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines.
    pub(crate) fn render(&self, output: &Output) -> String {
        let mut widths: Vec<usize> = self.columns.iter().map(|(name, _)| width(name)).collect();
        for row in &self.rows {
            for (column, (text, _)) in row.iter().enumerate() {
                widths[column] = widths[column].max(width(text));
            }
        }
        let total = widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1);
        if let Some(column) = self.flexible.filter(|_| output.is_terminal()) {
            let over = total.saturating_sub(output.width());
            let least = FLEXIBLE_MIN.min(widths[column]);
            widths[column] = widths[column].saturating_sub(over).max(least);
        }
        let head: Vec<(String, Paint)> =
            self.columns.iter().map(|(name, _)| ((*name).to_owned(), Paint::Dim)).collect();
        let mut text = String::new();
        for row in std::iter::once(&head).chain(&self.rows) {
            text.push_str(&self.line(output, row, &widths));
            text.push('\n');
        }
        text
    }

    fn line(&self, output: &Output, row: &[(String, Paint)], widths: &[usize]) -> String {
        let mut line = String::new();
        for (column, (text, paint)) in row.iter().enumerate() {
            let last = column + 1 == row.len();
            let text = fit(text, widths[column]);
            let padded = match self.columns[column].1 {
                Align::Right => pad_left(&text, widths[column]),
                Align::Left if last => text,
                Align::Left => pad(&text, widths[column]),
            };
            line.push_str(&output.paint(*paint, &padded));
            if !last {
                line.push_str("  ");
            }
        }
        line
    }
}

/// Lines of `name  value`, the values in one column.
pub(crate) fn fields(output: &Output, fields: &[(&str, String)]) -> String {
    let widest = fields.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    fields
        .iter()
        .map(|(name, value)| {
            format!("{}  {}\n", output.paint(Paint::Dim, &pad(name, widest)), clean(value))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn korean_letters_take_two_columns() {
        for (text, columns) in [
            ("", 0),
            ("abc", 3),
            ("콘서트", 6),
            ("서울 A", 6),
            ("①", 1),
            ("e\u{301}", 1),
            ("🎫", 2),
        ] {
            assert_eq!(width(text), columns, "{text}");
        }
    }

    #[test]
    fn text_is_cut_by_columns() {
        for (text, columns, cut) in [
            ("콘서트", 6, "콘서트"),
            ("콘서트", 5, "콘서…"),
            ("콘서트", 4, "콘…"),
            ("abc", 2, "a…"),
        ] {
            assert_eq!(fit(text, columns), cut);
            assert!(width(cut) <= columns);
        }
    }

    #[test]
    fn numbers_have_commas() {
        for (plain, grouped) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (150_000, "150,000"),
            (1_234_567, "1,234,567"),
        ] {
            assert_eq!(number(plain), grouped);
        }
    }

    #[test]
    fn instants_are_seoul_time() {
        assert_eq!(seoul(UnixMillis(1_798_711_200_000)), "2026-12-31 19:00:00");
        assert_eq!(seoul_exact(UnixMillis(7)), "1970-01-01 09:00:00.007");
        assert_eq!(seoul(UnixMillis(u64::MAX)), "the end of time");
    }

    #[test]
    fn columns_line_up_whatever_the_script() {
        let mut table =
            Table::new(&[("NAME", Align::Left), ("SEATS", Align::Right), ("X", Align::Left)]);
        table.row(["콘서트".into(), "12".into(), "a".into()]);
        table.row(["ab\u{1b}[31m".into(), "1,234".into(), "b".into()]);
        let text = table.render(&Output::plain(80));
        assert_eq!(text, "NAME     SEATS  X\n콘서트      12  a\nab [31m  1,234  b\n");
        assert!(text.lines().all(|line| width(line) == 17));
    }
}
