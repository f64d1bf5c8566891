//! From a text to the rows that a spreadsheet shows of it.

use std::io::Read;

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::error::ApiError;
use crate::refusals;
use crate::sheet::{mistake, mistaken};

/// Read after each table, as a row of its own unless a quote is still open: no table has these
/// characters.
const END: &[u8] = b"\n\0,\0\n";
const END_CELLS: [&str; 2] = ["\0", "\0"];

/// What a spreadsheet shows in one row, blanks around cells left out.
pub(super) struct Row {
    /// Its number.
    pub(super) number: u64,
    pub(super) record: StringRecord,
}

impl Row {
    /// How many cells there are up to the last one that says something: spreadsheets write as many
    /// commas in every row.
    pub(super) fn width(&self) -> usize {
        self.record.len() - self.record.iter().rev().take_while(|cell| cell.is_empty()).count()
    }
}

/// The rows of a text that say something; the first one is the heading.
///
/// # Errors
/// 400 for a quote that is never closed.
pub(super) fn rows(text: &[u8]) -> Result<Vec<Row>, ApiError> {
    let reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(text.chain(END));
    let unreadable = |error| refusals::invalid("CSV 파일을 읽을 수 없어요.").cause(error);
    let mut rows: Vec<Row> = Vec::new();
    let mut number = 0;
    for record in reader.into_records() {
        let record = record.map_err(unreadable)?;
        let start = record.position().map_or(0, csv::Position::byte);
        number += 1 + blank_lines(text, usize::try_from(start).unwrap_or(usize::MAX));
        let row = Row { number, record };
        if row.width() > 0 {
            rows.push(row);
        }
    }
    let last = rows.pop();
    let Some(open) = last.filter(|last| last.record != END_CELLS[..]) else {
        return Ok(rows);
    };
    let heading = rows.first().map_or(&open.record, |heading| &heading.record);
    let column = heading.get(open.record.len() - 1).filter(|_| !rows.is_empty());
    let message = "따옴표가 닫히지 않았어요.";
    Err(mistaken(vec![mistake(open.number, column.unwrap_or_default(), message)]))
}

/// Empty lines from `start` on, where a record is looked for: the reader says nothing of them.
fn blank_lines(text: &[u8], start: usize) -> u64 {
    let (before, rest) = text.split_at(start.min(text.len()));
    // The break after the record before may be two characters, of which it has read one.
    let rest = match before.last() {
        Some(b'\r') => rest.strip_prefix(b"\n").unwrap_or(rest),
        _ => rest,
    };
    let end = rest.iter().position(|byte| !matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
    let pairs = rest[..end].windows(2).filter(|pair| pair == b"\r\n").count();
    (end - pairs) as u64
}
