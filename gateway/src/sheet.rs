//! Tables that administrators send as CSV: read whole, and every mistake told by row and column.
//!
//! UTF-8 with or without a byte order mark; the first row names the columns, in any order and case.
//! Rows are counted as spreadsheets do, from 1: empty ones count and say nothing, a line break in
//! quotes begins none. Nothing is done with a table that has mistakes.

mod rows;
mod rule;

use crate::api::sheets::CellError;
use crate::error::{ApiError, Code};
use crate::refusals;
use crate::sheet::rows::{Row, rows};
pub(crate) use crate::sheet::rule::{Grouped, Rule};

/// Mistakes that are told; the others are likely the same.
const ERRORS_TOLD_MAX: usize = 100;

/// A column that a table may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) is_required: bool,
    pub(crate) rule: Rule,
}

/// A table with a heading as it should have.
pub(crate) struct Sheet {
    /// Of each column, where it is in a row.
    places: Vec<(Column, Option<usize>)>,
    /// How many columns the heading names.
    width: usize,
    rows: Vec<Row>,
}

/// A row while it is read: what is wrong is noted, and reading goes on.
pub(crate) struct Cells<'s> {
    sheet: &'s Sheet,
    row: &'s Row,
    errors: Vec<CellError>,
}

impl Sheet {
    /// Reads a table of at most `rows_max` rows under its heading.
    ///
    /// # Errors
    /// 400: no CSV in UTF-8, with an open quote or the heading's mistakes in `errors`, no rows or too
    /// many.
    pub(crate) fn read(
        body: &[u8],
        columns: &[Column],
        rows_max: usize,
    ) -> Result<Sheet, ApiError> {
        let text = body.strip_prefix("\u{feff}".as_bytes()).unwrap_or(body);
        // Text with zeros is likely UTF-16.
        if std::str::from_utf8(text).is_err() || text.contains(&0) {
            return Err(refusals::invalid(
                "UTF-8로 된 CSV 파일만 읽을 수 있어요. 엑셀에서 다른 이름으로 저장할 때 파일 형식을 \
                 ‘CSV UTF-8(쉼표로 분리)’로 골라 주세요.",
            ));
        }
        let mut rows = rows(text)?;
        if rows.is_empty() {
            return Err(refusals::invalid("빈 파일이에요."));
        }
        let heading = rows.remove(0);
        let places = places(&heading, columns)?;
        match rows.len() {
            0 => Err(refusals::invalid("열 이름 아래에 내용이 없는 파일이에요.")),
            count if count > rows_max => Err(ApiError::new(Code::Validation)
                .message(format!("한 번에 {}줄까지 보낼 수 있어요.", Grouped(rows_max)))),
            _ => Ok(Sheet { places, width: heading.width(), rows }),
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
        for row in &self.rows {
            let mut cells = Cells { sheet: self, row, errors: Vec::new() };
            if row.width() > self.width {
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
    /// As spreadsheets count.
    pub(crate) fn row(&self) -> u64 {
        self.row.number
    }

    /// The text of a column; empty where it has none.
    pub(crate) fn text(&self, column: &str) -> &str {
        let found = self.sheet.places.iter().find(|(known, _)| known.name == column);
        let place = found.and_then(|(_, place)| *place);
        place.and_then(|place| self.row.record.get(place)).unwrap_or_default()
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
                    self.breaks_rule(column);
                }
                number
            }
        }
    }

    /// Whether a column says `true`, in any case as spreadsheets write it; an empty one says `false`.
    pub(crate) fn switch(&mut self, column: &'static str) -> Option<bool> {
        let text = self.text(column);
        let says = |word: &str| text.eq_ignore_ascii_case(word);
        let (is_yes, is_no) = (says("true"), says("false") || text.is_empty());
        if !is_yes && !is_no {
            self.breaks_rule(column);
            return None;
        }
        Some(is_yes)
    }

    /// Notes that a column has what it does not take.
    pub(crate) fn breaks_rule(&mut self, column: &str) {
        let found = self.sheet.places.iter().find(|(known, _)| known.name == column);
        let rule = found.map(|(known, _)| known.rule.to_string());
        self.wrong(column, rule.unwrap_or_default());
    }

    /// Notes what is wrong with a column.
    pub(crate) fn wrong(&mut self, column: &str, message: impl Into<String>) {
        self.errors.push(mistake(self.row.number, column, message));
    }
}

/// Where each column is in the heading.
fn places(heading: &Row, columns: &[Column]) -> Result<Vec<(Column, Option<usize>)>, ApiError> {
    let cells = || heading.record.iter().take(heading.width());
    let named = |name: &str| -> Vec<usize> {
        let places = cells().enumerate().filter(|(_, cell)| cell.eq_ignore_ascii_case(name));
        places.map(|(place, _)| place).collect()
    };
    let error = |column: &str, message: &str| mistake(heading.number, column, message);
    let mut errors = Vec::new();
    for cell in cells() {
        if cell.is_empty() {
            errors.push(error("", "이름이 없는 열이 있어요."));
        } else if !columns.iter().any(|column| cell.eq_ignore_ascii_case(column.name)) {
            errors.push(error(cell, "없는 열이에요."));
        }
    }
    let mut places = Vec::new();
    for column in columns {
        match named(column.name)[..] {
            [] if column.is_required => errors.push(error(column.name, "열이 없어요.")),
            [] => places.push((*column, None)),
            [place] => places.push((*column, Some(place))),
            [..] => errors.push(error(column.name, "열이 두 번 있어요.")),
        }
    }
    match errors.is_empty() {
        true => Ok(places),
        false => Err(mistaken(errors)),
    }
}

fn mistake(row: u64, column: &str, message: impl Into<String>) -> CellError {
    CellError { row, column: column.to_owned(), message: message.into() }
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

    const ROWS_MAX: usize = 1_000;
    const COLUMNS: [Column; 3] = [
        Column { name: "name", is_required: true, rule: Rule::Chars(1, 100) },
        Column { name: "price", is_required: true, rule: Rule::Whole(0, 1_000_000) },
        Column { name: "note", is_required: false, rule: Rule::Chars(0, 2_000) },
    ];

    type Line = (String, u32, String);

    /// What a refusal says.
    fn told(body: &[u8]) -> serde_json::Value {
        let refused = rows_of(body).expect_err("wrong");
        serde_json::from_slice(&refused.body()).expect("JSON")
    }

    fn rows_of(body: &[u8]) -> Result<Vec<Line>, ApiError> {
        let sheet = Sheet::read(body, &COLUMNS, ROWS_MAX)?;
        sheet.read_rows(|cells| {
            let (name, price) = (cells.required("name"), cells.number("price", None));
            Some((name?, price?, cells.text("note").to_owned()))
        })
    }

    /// The rows, or row and column of each mistake.
    fn read(body: &[u8]) -> Result<Vec<Line>, String> {
        rows_of(body).map_err(|_| {
            let body = told(body);
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
            // As spreadsheets write a table that was wider and longer once.
            ("name,price,,\nA,1,,\n,,,\n \n", vec![row("A", 1, "")]),
            // Quotes within a cell that has none around it are only themselves.
            (
                "name,price,note\n7\" vinyl,1,5'11\"\nB,2,\"\"\"\"\n",
                vec![row("7\" vinyl", 1, "5'11\""), row("B", 2, "\"")],
            ),
            ("name,price,note\nA,1,\"x\"", vec![row("A", 1, "x")]),
        ] {
            assert_eq!(read(body.as_bytes()), Ok(expected), "{body:?}");
        }
    }

    #[test]
    fn mistakes_are_told_by_row_and_column() {
        for (body, expected) in [
            ("", ""),
            ("\u{feff}\r\n,,\n", ""),
            (",name,price\nx,A,1\n", "1:"),
            ("\nname,prize\nA,1\n", "2:prize 2:price"),
            ("name,price,,\nA,1,,x\n", "2:"),
            ("name\nA\n", "1:price"),
            ("name,price,name,colour\nA,1,B,red\n", "1:colour 1:name"),
            ("name,price\n,x\nB,1\nC,-1\nD\n", "2:name 2:price 4:price 5:price"),
            ("name,price\nA,1,2\n", "2:"),
            ("name,price\nA,4294967296\n", "2:price"),
            ("name,price\nA,+1\n", "2:price"),
            ("name,price\n", ""),
            // Rows are those that a spreadsheet shows.
            ("name,price\n\n\nA,x\n,,\n\nB,x", "4:price 7:price"),
            ("name,price\r\n\r\nA,x\r\n\r\n\r\nB,x\r\n", "3:price 6:price"),
            ("name,price\r\rA,x\rB,x", "3:price 4:price"),
            ("name,note,price\nA,\"\n\r\n\",x\n\nB,,x\n", "2:price 4:price"),
            // A quote that stays open takes in the rest, whatever that is.
            ("name,price,note\nR,1,\"oops\nVIP,3,x\n", "2:note"),
            ("name,price,note\nR,1,x\n\nVIP,3,\"", "4:note"),
            ("name,price,note\nR,1,\"x\"\"\nVIP,3,y\n", "2:note"),
            ("name,price\n\"", "2:name"),
            ("name,\"price\nA,1\n", "1:"),
            ("\"", "1:"),
        ] {
            assert_eq!(read(body.as_bytes()), Err(expected.to_owned()), "{body:?}");
        }
        let many = "name,price\n".to_owned() + &",x\n".repeat(ROWS_MAX);
        let told = read(many.as_bytes()).expect_err("wrong");
        assert_eq!(told.split(' ').count(), ERRORS_TOLD_MAX);
        let more = "name,price\n".to_owned() + &"A,1\n".repeat(ROWS_MAX + 1);
        assert_eq!(read(more.as_bytes()), Err(String::new()));
    }

    #[test]
    fn what_cannot_be_read_is_told_what_to_do() {
        let text = |body: &[u8]| told(body)["message"].as_str().expect("text").to_owned();
        let utf16: Vec<u8> =
            "name,price\nA,1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        for body in
            [&b"name,price\n\xb0\xa1,1\n"[..], &utf16, &[&[0xff, 0xfe], &utf16[..]].concat()]
        {
            assert!(text(body).contains("CSV UTF-8(쉼표로 분리)"), "{}", text(body));
        }
        assert_eq!(text(b" \n,\n"), "빈 파일이에요.");
        let more = "name,price\n".to_owned() + &"A,1\n".repeat(ROWS_MAX + 1);
        assert_eq!(text(more.as_bytes()), "한 번에 1,000줄까지 보낼 수 있어요.");
        for number in ["1e3", "-1", "99999999999"] {
            let told = told(format!("name,price\nA,{number}\n").as_bytes());
            let expected = "0 이상 1,000,000 이하의 정수를 숫자로만 적어 주세요.";
            assert_eq!(told["errors"][0]["message"], expected, "{number}");
        }
    }
}
