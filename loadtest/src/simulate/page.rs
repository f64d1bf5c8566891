//! The forecast as a page.

use crate::html::text;
use crate::report::document;
use crate::report::plots::{Line, Plot, Scale};
use crate::simulate::forecast::Forecast;
use crate::simulate::sale::Second;

/// A number of each second.
type Value = fn(&Second) -> u64;

pub(super) fn page(forecast: &Forecast) -> String {
    let title =
        format!("{} people, {} seats: what to expect", forecast.totals.came, forecast.seats);
    let mut body = "<dl class=\"settings\">\n".to_owned();
    for (name, value) in forecast.rows() {
        body.push_str(&format!("<div><dt>{name}</dt><dd>{}</dd></div>\n", text(&value)));
    }
    body.push_str("</dl>\n<div class=\"plots\">\n");
    let plot = |title, unit, lines: &[(&'static str, Value)]| {
        let lines = lines.iter().map(|(name, value)| Line {
            name,
            points: forecast
                .series
                .iter()
                .map(|second| (second.at as f64, value(second) as f64))
                .collect(),
        });
        let (lines, marks) = (lines.collect(), Vec::new());
        Plot { title, unit, x: Scale::Seconds, y: Scale::Linear, lines, marks }.svg()
    };
    body.push_str(&plot("People in line", "people", &[("line", |second| second.line)]));
    body.push_str(&plot("People inside", "people", &[("inside", |second| second.inside)]));
    body.push_str(&plot(
        "Seats",
        "seats",
        &[("sold", |second| second.sold), ("held", |second| second.held)],
    ));
    body.push_str(&plot(
        "What people do",
        "a second",
        &[
            ("come", |second| second.came),
            ("are let in", |second| second.let_in),
            ("hold", |second| second.holds),
            ("pay", |second| second.paid),
        ],
    ));
    body.push_str("</div>\n<h2>Assumptions</h2>\n<dl class=\"settings\">\n");
    let assumptions = serde_json::to_value(&forecast.assumptions).unwrap_or_default();
    for (name, value) in assumptions.as_object().into_iter().flatten() {
        let value = text(&value.to_string());
        body.push_str(&format!("<div><dt>{}</dt><dd>{value}</dd></div>\n", text(name)));
    }
    body.push_str("</dl>\n");
    document(&title, &body)
}
