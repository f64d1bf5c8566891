//! XLSX: numbers are numbers, texts are texts whatever they begin with.

use rust_xlsxwriter::{Format, Workbook, XlsxError};

use crate::api::reports::SalesReport;
use crate::sales_report::table;

const SHEET: &str = "매출";
const THOUSANDS: &str = "#,##0";
/// In characters.
const TEXT_WIDTH: f64 = 40.0;
const NUMBER_WIDTH: f64 = 16.0;

pub(crate) fn encode(report: &SalesReport) -> Result<Vec<u8>, XlsxError> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name(SHEET)?;
    let bold = Format::new().set_bold();
    let number = Format::new().set_num_format(THOUSANDS);
    let total = Format::new().set_num_format(THOUSANDS).set_bold();
    for (column, head) in (0_u16..).zip(table::heads(report.by)) {
        sheet.write_string_with_format(0, column, head, &bold)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    for (row, line) in (1_u32..).zip(table::lines(report)) {
        let is_total = row as usize > report.rows.len();
        for (text, column) in line.texts.iter().zip(0_u16..) {
            match is_total {
                true => sheet.write_string_with_format(row, column, text, &bold)?,
                false => sheet.write_string(row, column, text)?,
            };
            sheet.set_column_width(column, TEXT_WIDTH)?;
        }
        let format = if is_total { &total } else { &number };
        let first = line.texts.len() as u16;
        for (value, column) in line.numbers.into_iter().zip(first..) {
            // Exact up to 2^53 won.
            sheet.write_number_with_format(row, column, value as f64, format)?;
            sheet.set_column_width(column, NUMBER_WIDTH)?;
        }
    }
    workbook.save_to_buffer()
}
