//! The table: what was measured, beside what it is held against.

/// Rows in the order they were measured.
#[derive(Default)]
pub struct Table {
    rows: Vec<[String; 4]>,
}

impl Table {
    /// Adds a row: what, the figure, its bare limit or rival, what it should reach.
    pub fn row(
        &mut self,
        what: impl Into<String>,
        figure: impl Into<String>,
        beside: impl Into<String>,
        reach: impl Into<String>,
    ) {
        self.rows.push([what.into(), figure.into(), beside.into(), reach.into()]);
    }

    /// Prints Markdown, so that it can go into `benches/FIGURES.md` as it is.
    #[expect(clippy::print_stdout, reason = "a command's own output")]
    pub fn print(&self) {
        println!("| what | measured | beside it, same run | reach |");
        println!("|---|---|---|---|");
        for [what, figure, beside, reach] in &self.rows {
            println!("| {what} | {figure} | {beside} | {reach} |");
        }
    }
}

/// `5.21 M`, `47.3 k`, `12`.
pub fn count(value: f64) -> String {
    match value {
        value if value >= 1e6 => format!("{:.2} M", value / 1e6),
        value if value >= 1e4 => format!("{:.1} k", value / 1e3),
        value => format!("{value:.0}"),
    }
}

/// The middle of some measurements.
pub fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
