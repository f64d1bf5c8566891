//! The final table.

use std::io::{Write, stdout};

use crate::summary::{Audit, LimitRow, Seats, Summary};

impl Summary {
    pub(crate) fn print(&self) {
        // Whoever has closed the pipe does not want it.
        let _ = stdout().write_all(self.text().as_bytes());
    }

    /// The final table.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "\n{} against {}: {} people in {:.1} s, {} answers ({:.0} a second), {} errors\n\n",
            self.scenario,
            self.target,
            self.arrivals,
            self.tester.cost.wall_seconds,
            self.answered,
            self.answers_per_second,
            self.failed
        );
        text.push_str(
            "step               done   refused   failed    p50 ms    p90 ms    p99 ms  p99.9 ms    max ms\n",
        );
        for row in &self.steps {
            text.push_str(&format!(
                "{:<14} {:>8} {:>9} {:>8} {:>9.2} {:>9.2} {:>9.2} {:>9.2} {:>9.2}\n",
                row.name,
                row.done,
                row.refused,
                row.failed,
                row.p50_ms,
                row.p90_ms,
                row.p99_ms,
                row.p999_ms,
                row.max_ms
            ));
        }
        if !self.codes.is_empty() {
            let codes =
                self.codes.iter().map(|(code, count)| format!("{count} {}", printable(code)));
            text.push_str(&format!(
                "\nrefusals and errors: {}\n",
                codes.collect::<Vec<_>>().join(", ")
            ));
        }
        if self.codes.contains_key("RATE_LIMITED") {
            text.push_str("the server limits rates: start it without (`--rate-limit off`)\n");
        }
        if self.heard > 0 {
            text.push_str(&format!("watchers heard {} changes\n", self.heard));
        }
        let Seats { total, sold, held, left } = self.seats;
        text.push_str(&format!("seats: {total}; {sold} sold, {held} held, {left} left\n"));
        text.push_str(&format!(
            "tester: {:.0} % of one processor; began {:.2} ms late (p50), {:.2} ms (p99)\n",
            100.0 * self.tester.processor_share,
            self.tester.lag_p50_ms,
            self.tester.lag_p99_ms
        ));
        for note in &self.notes {
            text.push_str(&format!("note: {}\n", printable(note)));
        }
        for line in self.chaos.iter().flat_map(|chaos| chaos.lines()) {
            text.push_str(&format!("{}\n", printable(&line)));
        }
        for limit in &self.limits {
            let LimitRow { name, limit, was, has_held } = limit;
            let held = if *has_held { "held" } else { "DID NOT HOLD" };
            text.push_str(&format!("limit {name} {limit}: {was:.2}, {held}\n"));
        }
        text.push_str(&self.verdict());
        text
    }

    fn verdict(&self) -> String {
        let Audit { sales, paid, unknown, won, waited, let_in, count, findings } = &self.audit;
        let mut text = format!(
            "auditor: {sales} holds, {paid} paid with {won} won, {unknown} unanswered; {let_in} let \
             in, {waited} waited: "
        );
        if *count == 0 {
            text.push_str("nothing found\n");
            return text;
        }
        text.push_str(&format!("{count} FOUND\n"));
        for finding in findings {
            text.push_str(&format!("FOUND: {}\n", printable(finding)));
        }
        text
    }
}

/// Nothing that a server says moves the cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}
