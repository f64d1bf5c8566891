//! What was done to the server, and how it is shown in the end.

use serde::Serialize;

use crate::chaos::plan::Kind;
use crate::html::text;

/// What was done, and what came of it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Report {
    pub(crate) faults: Vec<Happened>,
    /// Starts after the first one.
    pub(crate) restarts: u32,
    /// From each end of the server until it served again, in sum.
    pub(crate) away_seconds: f64,
    /// What `tiketi audit` said, line by line, and its exit code.
    pub(crate) log_audit: Vec<String>,
    pub(crate) log_audit_exit: Option<i32>,
}

/// A fault that was there. Seconds count from the beginning of the run.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Happened {
    pub(crate) kind: Kind,
    /// When the seed wanted it; a server that is still starting makes it late.
    pub(crate) planned: f64,
    pub(crate) at: f64,
    pub(crate) seconds: f64,
    /// So long there was no server.
    pub(crate) away_seconds: f64,
}

impl Report {
    /// Lines of the final table.
    pub(crate) fn lines(&self) -> Vec<String> {
        let Report { faults, restarts, away_seconds, log_audit, .. } = self;
        let count = faults.len();
        let mut lines = vec![format!(
            "chaos: {count} faults; {restarts} restarts, the server was away for {away_seconds:.2} s"
        )];
        lines.extend(faults.iter().map(|fault| {
            let away = match fault.away_seconds {
                away if away > 0.0 => format!(", away {away:.2} s"),
                _ => String::new(),
            };
            let (at, name, seconds) = (fault.at, fault.kind.name(), fault.seconds);
            format!("  at {at:>7.2} s  {name:<5}  for {seconds:.2} s{away}")
        }));
        lines.extend(log_audit.iter().map(|line| format!("tiketi audit: {line}")));
        lines
    }

    /// A section of the page.
    pub(crate) fn html(&self) -> String {
        let mut html = format!(
            "<h2>Chaos</h2>\n<p>{} restarts; the server was away for {:.2} s. The faults are the \
             vertical lines of the plots.</p>\n<div class=\"wide\"><table>\n<tr><th>fault</th>\
             <th>at s</th><th>for s</th><th>away s</th></tr>\n",
            self.restarts, self.away_seconds
        );
        for fault in &self.faults {
            html.push_str(&format!(
                "<tr><th>{}</th><td>{:.2}</td><td>{:.2}</td><td>{:.2}</td></tr>\n",
                fault.kind.name(),
                fault.at,
                fault.seconds,
                fault.away_seconds
            ));
        }
        html.push_str("</table></div>\n<p class=\"small\">tiketi audit:");
        for line in &self.log_audit {
            html.push_str(&format!("<br>{}", text(line)));
        }
        html.push_str("</p>\n");
        html
    }
}
