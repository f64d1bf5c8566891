//! The report: one HTML file that needs nothing else, with plots drawn in SVG. It is readable on a
//! phone, and follows the reader's choice of light or dark.

pub(crate) mod plots;

use std::fmt::Write;

use crate::chaos;
use crate::html::text;
use crate::record::Second;
use crate::report::plots::{Bars, Line, Plot, Scale};
use crate::summary::Summary;

const STYLE: &str = include_str!("style.css");

/// The whole page.
pub(crate) fn page(summary: &Summary) -> String {
    let title = format!("{} against {}", summary.scenario, summary.target);
    let mut page = verdict(summary);
    page.push_str(&tiles(summary));
    page.push_str("<div class=\"plots\">\n");
    plots(summary).into_iter().for_each(|plot| page.push_str(&plot));
    page.push_str("</div>\n");
    page.push_str(&steps(summary));
    page.push_str(&summary.chaos.as_ref().map_or_else(String::new, chaos::Report::html));
    page.push_str(&rest(summary));
    document(&title, &page)
}

/// A page of its own around what it says.
pub(crate) fn document(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n\
         {body}</body>\n</html>\n",
        title = text(title)
    )
}

fn verdict(summary: &Summary) -> String {
    let (class, verdict) = match summary.has_held() {
        true => ("good", "The auditor found nothing, and the limits held."),
        false => ("bad", "This run did not hold."),
    };
    let mut html = format!("<p class=\"verdict {class}\">{verdict}</p>\n");
    let broken = summary.limits.iter().filter(|limit| !limit.has_held);
    let broken: Vec<String> = broken
        .map(|limit| format!("{} {}: it was {:.2}", limit.name, limit.limit, limit.was))
        .chain(summary.audit.findings.iter().cloned())
        .collect();
    if !broken.is_empty() {
        html.push_str("<ul class=\"findings\">\n");
        for finding in &broken {
            html.push_str(&format!("<li>{}</li>\n", text(finding)));
        }
        html.push_str("</ul>\n");
    }
    let said = summary.audit.findings.len() as u64;
    if summary.audit.count > said {
        html.push_str(&format!("<p>… and {} more.</p>\n", summary.audit.count - said));
    }
    html
}

fn tiles(summary: &Summary) -> String {
    let seats = &summary.seats;
    let mut html = "<dl class=\"tiles\">\n".to_owned();
    for (name, value) in [
        ("people", summary.arrivals.to_string()),
        ("answers", summary.answered.to_string()),
        ("answers a second", format!("{:.0}", summary.answers_per_second)),
        ("errors", summary.failed.to_string()),
        ("seats sold", format!("{} of {}", seats.sold, seats.total)),
        ("waited in line", summary.audit.waited.to_string()),
        ("seconds", format!("{:.1}", summary.tester.cost.wall_seconds)),
        ("tester, of one processor", format!("{:.0} %", 100.0 * summary.tester.processor_share)),
    ] {
        html.push_str(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n"));
    }
    html.push_str("</dl>\n");
    html
}

/// A number of each second.
type Value = fn(&Second) -> f64;

fn plots(summary: &Summary) -> Vec<String> {
    let faults = summary.chaos.iter().flat_map(|chaos| &chaos.faults);
    let marks: Vec<f64> = faults.map(|fault| fault.at).collect();
    let over_time = |title, unit, scale, lines: &[(&'static str, Value)]| {
        let lines = lines.iter().map(|(name, value)| Line {
            name,
            points: summary.series.iter().map(|second| (second.at, value(second))).collect(),
        });
        let (lines, marks) = (lines.collect(), marks.clone());
        Plot { title, unit, x: Scale::Seconds, y: scale, lines, marks }.svg()
    };
    let curve = |row: &crate::summary::StepRow| Line { name: row.name, points: row.curve.clone() };
    let percentiles = Plot {
        title: "Latency by percentile",
        unit: "ms",
        x: Scale::Shares,
        y: Scale::Log,
        lines: summary.steps.iter().map(curve).collect(),
        marks: Vec::new(),
    };
    vec![
        over_time(
            "Latency",
            "ms",
            Scale::Log,
            &[
                ("p50", |second| second.p50_ms),
                ("p90", |second| second.p90_ms),
                ("p99", |second| second.p99_ms),
            ],
        ),
        percentiles.svg(),
        over_time(
            "Throughput",
            "a second",
            Scale::Linear,
            &[
                ("answers", |second| second.answers as f64),
                ("arrivals", |second| second.arrivals as f64),
                ("errors", |second| second.errors as f64),
            ],
        ),
        over_time(
            "People in line",
            "people",
            Scale::Linear,
            &[("line", |second| second.line as f64)],
        ),
        over_time(
            "Seats",
            "seats",
            Scale::Linear,
            &[("sold", |second| second.sold as f64), ("held", |second| second.held as f64)],
        ),
        Bars { title: "Refusals and errors", bars: &summary.codes }.svg(),
    ]
}

fn steps(summary: &Summary) -> String {
    let mut html = "<h2>Steps</h2>\n<div class=\"wide\"><table>\n<tr><th>step</th><th>done</th>\
                    <th>refused</th><th>failed</th><th>mean</th><th>p50</th><th>p90</th>\
                    <th>p99</th><th>p99.9</th><th>max</th></tr>\n"
        .to_owned();
    for row in &summary.steps {
        let ms = [row.mean_ms, row.p50_ms, row.p90_ms, row.p99_ms, row.p999_ms, row.max_ms];
        let ms: String = ms.iter().map(|ms| format!("<td>{ms:.2}</td>")).collect();
        let counts = [row.done, row.refused, row.failed].map(|count| format!("<td>{count}</td>"));
        html.push_str(&format!("<tr><th>{}</th>{}{ms}</tr>\n", row.name, counts.concat()));
    }
    html.push_str(
        "</table></div>\n<p class=\"small\">Milliseconds, from the moment at which a step was meant \
         to begin.</p>\n",
    );
    html
}

fn rest(summary: &Summary) -> String {
    let audit = &summary.audit;
    let mut html = format!(
        "<h2>Audit</h2>\n<p>{} holds were acknowledged, {} of them paid with {} won; {} went \
         unanswered. {} people were let in, {} had to wait. All were compared with what the server \
         kept.</p>\n",
        audit.sales, audit.paid, audit.won, audit.unknown, audit.let_in, audit.waited
    );
    let tester = &summary.tester;
    html.push_str(&format!(
        "<h2>The tester</h2>\n<p>{} accounts. It used {:.2} s of a processor in {:.2} s, and began \
         {:.2} ms (p50) and {:.2} ms (p99) late, which the latencies contain.</p>\n",
        summary.accounts,
        tester.cost.processor_seconds,
        tester.cost.wall_seconds,
        tester.lag_p50_ms,
        tester.lag_p99_ms
    ));
    for note in &summary.notes {
        html.push_str(&format!("<p>Note: {}.</p>\n", text(note)));
    }
    html.push_str("<h2>Settings</h2>\n<dl class=\"settings\">\n");
    let settings = serde_json::to_value(&summary.settings).unwrap_or_default();
    for (name, value) in settings.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null()) {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // A string is a growing buffer; it takes everything.
        let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", text(name), text(&value));
    }
    html.push_str("</dl>\n");
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_stays_text() {
        assert_eq!(text("<script>\"&\"\n"), "&lt;script&gt;&quot;&amp;&quot; ");
    }
}
