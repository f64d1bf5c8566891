//! Tables that administrators send as CSV: read whole, and every mistake told by row and column.
//!
//! UTF-8 with or without a byte order mark; the first row names the columns, in any order and case.
//! Rows are counted as spreadsheets do: that one is row 1. Nothing is done with a table that has
//! mistakes.

use csv::{ReaderBuilder, StringRecord, Trim};

use crate::api::sheets::CellError;
use crate::error::{ApiError, Code};
use crate::refusals;

/// Rows of one table, the names of the columns left out.
const ROWS_MAX: usize = 5_000;
/// Mistakes that are told; the others are likely the same.
const ERRORS_TOLD_MAX: usize = 100;

/// A column that a table may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) is_required: bool,
}

/// A table with a heading as it should have.
pub(crate) struct Sheet {
    /// Of each column, where it is in a row.
    places: Vec<(&'static str, Option<usize>)>,
    rows: Vec<StringRecord>,
}

/// A row while it is read: what is wrong is noted, and reading goes on.
pub(crate) struct Cells<'s> {
    sheet: &'s Sheet,
    record: &'s StringRecord,
    row: u64,
    errors: Vec<CellError>,
}

impl Sheet {
    /// Reads a table.
    ///
    /// # Errors
    /// 400: no CSV in UTF-8, too many rows or none, with the heading's mistakes in `errors`.
    pub(crate) fn read(body: &[u8], columns: &[Column]) -> Result<Sheet, ApiError> {
        let text = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        if std::str::from_utf8(text).is_err() {
            return Err(refusals::invalid("UTF-8로 저장한 CSV 파일을 보내 주세요."));
        }
        let mut reader = ReaderBuilder::new().flexible(true).trim(Trim::All).from_reader(text);
        let unreadable =
            |error: csv::Error| refusals::invalid("CSV 파일을 읽을 수 없어요.").cause(error);
        let heading = reader.headers().map_err(unreadable)?.clone();
        let places = places(&heading, columns)?;
        let mut rows = Vec::new();
        for record in reader.into_records() {
            if rows.len() >= ROWS_MAX {
                return Err(refusals::invalid("한 번에 5,000줄까지 보낼 수 있어요."));
            }
            rows.push(record.map_err(unreadable)?);
        }
        match rows.is_empty() {
            true => Err(refusals::invalid("내용이 없는 파일이에요.")),
            false => Ok(Sheet { places, rows }),
        }
    }

    /// How many rows there are.
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// What each row says. `read` answers with `None` where it noted what is wrong.
    ///
    /// # Errors
    /// 400 with all mistakes in `errors`.
    pub(crate) fn read_rows<T>(
        &self,
        mut read: impl FnMut(&mut Cells<'_>) -> Option<T>,
    ) -> Result<Vec<T>, ApiError> {
        let mut errors = Vec::new();
        let mut found = Vec::with_capacity(self.rows.len());
        for (record, row) in self.rows.iter().zip(2..) {
            let mut cells = Cells { sheet: self, record, row, errors: Vec::new() };
            let cells_max = self.places.iter().filter(|(_, place)| place.is_some()).count();
            if record.len() > cells_max {
                cells.wrong("", "열보다 값이 많아요.");
            }
            let value = read(&mut cells);
            errors.append(&mut cells.errors);
            found.extend(value);
        }
        match errors.is_empty() {
            true => Ok(found),
            false => Err(mistaken(errors)),
        }
    }
}

impl Cells<'_> {
    /// The text of a column; empty where it has none.
    pub(crate) fn text(&self, column: &str) -> &str {
        let found = self.sheet.places.iter().find(|(name, _)| *name == column);
        let place = found.and_then(|(_, place)| *place);
        place.and_then(|place| self.record.get(place)).unwrap_or_default()
    }

    /// The text of a column that must have one; noted as missing otherwise.
    pub(crate) fn required(&mut self, column: &'static str) -> Option<String> {
        let text = self.text(column);
        if text.is_empty() {
            self.wrong(column, "값이 없어요.");
            return None;
        }
        Some(text.to_owned())
    }

    /// The whole number of a column, or `default` where it is empty.
    pub(crate) fn number(&mut self, column: &'static str, default: Option<u32>) -> Option<u32> {
        let text = self.text(column);
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        let (is_empty, number) = (text.is_empty(), text.parse().ok().filter(|_| digits));
        match (is_empty, default) {
            (true, Some(default)) => Some(default),
            (true, None) => {
                self.wrong(column, "값이 없어요.");
                None
            }
            (false, _) => {
                if number.is_none() {
                    self.wrong(column, "0 이상의 정수를 적어 주세요.");
                }
                number
            }
        }
    }

    /// Notes what is wrong with a column.
    pub(crate) fn wrong(&mut self, column: &str, message: impl Into<String>) {
        let (column, message) = (column.to_owned(), message.into());
        self.errors.push(CellError { row: self.row, column, message });
    }
}

/// Where each column is in the heading.
fn places(
    heading: &StringRecord,
    columns: &[Column],
) -> Result<Vec<(&'static str, Option<usize>)>, ApiError> {
    let named = |name: &str| -> Vec<usize> {
        let cells = heading.iter().enumerate();
        cells.filter(|(_, cell)| cell.eq_ignore_ascii_case(name)).map(|(place, _)| place).collect()
    };
    let error = |column: &str, message: &str| CellError {
        row: 1,
        column: column.to_owned(),
        message: message.to_owned(),
    };
    let mut errors = Vec::new();
    for cell in heading {
        if !columns.iter().any(|column| cell.eq_ignore_ascii_case(column.name)) {
            errors.push(error(cell, "없는 열이에요."));
        }
    }
    let mut places = Vec::new();
    for column in columns {
        match named(column.name)[..] {
            [] if column.is_required => errors.push(error(column.name, "열이 없어요.")),
            [] => places.push((column.name, None)),
            [place] => places.push((column.name, Some(place))),
            [..] => errors.push(error(column.name, "열이 두 번 있어요.")),
        }
    }
    match errors.is_empty() {
        true => Ok(places),
        false => Err(mistaken(errors)),
    }
}

/// 400 with what is wrong.
fn mistaken(mut errors: Vec<CellError>) -> ApiError {
    errors.truncate(ERRORS_TOLD_MAX);
    match serde_json::to_value(&errors) {
        Ok(errors) => refusals::invalid("파일의 내용을 확인해 주세요.").with("errors", errors),
        Err(error) => ApiError::new(Code::Internal).cause(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLUMNS: [Column; 3] = [
        Column { name: "name", is_required: true },
        Column { name: "price", is_required: true },
        Column { name: "note", is_required: false },
    ];

    type Row = (String, u32, String);

    fn read(body: &[u8]) -> Result<Vec<Row>, String> {
        let rows = Sheet::read(body, &COLUMNS).and_then(|sheet| {
            sheet.read_rows(|cells| {
                let (name, price) = (cells.required("name"), cells.number("price", None));
                Some((name?, price?, cells.text("note").to_owned()))
            })
        });
        rows.map_err(|error| {
            let body: serde_json::Value = serde_json::from_slice(&error.body()).expect("JSON");
            let errors = body["errors"].as_array().cloned().unwrap_or_default();
            let place = |error: &serde_json::Value| {
                format!("{}:{}", error["row"], error["column"].as_str().unwrap_or_default())
            };
            errors.iter().map(place).collect::<Vec<_>>().join(" ")
        })
    }

    #[test]
    fn tables_are_read_by_their_heading() {
        let row = |name: &str, price, note: &str| (name.to_owned(), price, note.to_owned());
        for (body, expected) in [
            ("name,price\nA,1\n", vec![row("A", 1, "")]),
            (
                "\u{feff}Price, NAME ,note\r\n7,\"B, \"\"b\"\"\",x\r\n",
                vec![row("B, \"b\"", 7, "x")],
            ),
            (
                "name,price,note\n\nA,1\nB,2,\"two\nlines\"\n",
                vec![row("A", 1, ""), row("B", 2, "two\nlines")],
            ),
        ] {
            assert_eq!(read(body.as_bytes()), Ok(expected), "{body:?}");
        }
    }

    #[test]
    fn mistakes_are_told_by_row_and_column() {
        for (body, expected) in [
            ("", "1:name 1:price"),
            ("name\nA\n", "1:price"),
            ("name,price,name,colour\nA,1,B,red\n", "1:colour 1:name"),
            ("name,price\n,x\nB,1\nC,-1\nD\n", "2:name 2:price 4:price 5:price"),
            ("name,price\nA,1,2\n", "2:"),
            ("name,price\nA,4294967296\n", "2:price"),
            ("name,price\nA,+1\n", "2:price"),
            ("name,price\n", ""),
        ] {
            assert_eq!(read(body.as_bytes()), Err(expected.to_owned()), "{body:?}");
        }
        assert_eq!(read(b"name,price\n\xff,1\n"), Err(String::new()));
        let many = "name,price\n".to_owned() + &",\n".repeat(ROWS_MAX);
        let told = read(many.as_bytes()).expect_err("wrong");
        assert_eq!(told.split(' ').count(), ERRORS_TOLD_MAX);
        let more = "name,price\n".to_owned() + &"A,1\n".repeat(ROWS_MAX + 1);
        assert_eq!(read(more.as_bytes()), Err(String::new()));
    }
}
