//! What is seen while a run is under way: a drawn view on a terminal, plain lines elsewhere. It is
//! drawn by a thread of its own, so that nobody in the run waits for a terminal.

mod terminal;

use std::io::{IsTerminal, Write, stdout};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::contract::SeatStatus;
use crate::hall::Hall;
use crate::record::Second;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::view::terminal::Terminal;

/// Shows a run until it is dropped.
pub(crate) struct View {
    snapshots: Option<SyncSender<Snapshot>>,
    thread: Option<JoinHandle<()>>,
    rows: Vec<Row>,
}

/// Everything that is shown of one moment.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    pub(crate) second: Second,
    /// Answers in a second, for each second of the run.
    pub(crate) rates: Vec<u64>,
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) seats_left: u64,
    /// The hall, row by row.
    pub(crate) rows: Vec<Vec<SeatStatus>>,
}

/// Seats of one row of one section.
struct Row {
    from: usize,
    to: usize,
}

impl View {
    /// # Errors
    /// The terminal cannot be drawn on, or there is no thread.
    pub(crate) fn start(
        scenario: Scenario,
        target: &str,
        hall: &Hall,
        is_plain: bool,
    ) -> std::io::Result<View> {
        let title = format!("{} against {target}", scenario.name());
        let (snapshots, received) = sync_channel(1);
        let terminal = match !is_plain && stdout().is_terminal() {
            true => Some(Terminal::start(title.clone())?),
            false => None,
        };
        let show = move || match terminal {
            Some(terminal) => draw(&received, terminal),
            None => print(&received, &title),
        };
        let thread = std::thread::Builder::new().name("view".to_owned()).spawn(show)?;
        Ok(View { snapshots: Some(snapshots), thread: Some(thread), rows: rows(hall) })
    }

    /// Shows a second; where the last one is still being drawn, not.
    pub(crate) fn show(&self, run: &Run, second: &Second) {
        let record = run.record.borrow();
        let hall = run.hall.borrow();
        let view = hall.view();
        let free = view.iter().filter(|status| **status == SeatStatus::Available).count();
        let snapshot = Snapshot {
            second: second.clone(),
            rates: record.series.iter().map(|second| second.answers).collect(),
            answered: record.answered(),
            failed: record.failed(),
            seats_left: free as u64,
            rows: self.rows.iter().map(|row| view[row.from..row.to].to_vec()).collect(),
        };
        if let Some(snapshots) = &self.snapshots {
            // A slow terminal misses a second, and a closed one all of them.
            let _ = snapshots.try_send(snapshot);
        }
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.snapshots = None;
        if let Some(thread) = self.thread.take() {
            // It ends with the last snapshot; a panic there has been printed.
            let _ = thread.join();
        }
    }
}

fn rows(hall: &Hall) -> Vec<Row> {
    let seats = hall.seats();
    let mut rows: Vec<Row> = Vec::new();
    for (number, seat) in seats.iter().enumerate() {
        let is_same = number > 0
            && seats[number - 1].section == seat.section
            && seats[number - 1].row_number == seat.row_number;
        match rows.last_mut() {
            Some(row) if is_same => row.to = number + 1,
            _ => rows.push(Row { from: number, to: number + 1 }),
        }
    }
    rows
}

fn draw(snapshots: &Receiver<Snapshot>, mut terminal: Terminal) {
    while let Ok(snapshot) = snapshots.recv() {
        if terminal.draw(&snapshot).is_err() {
            return;
        }
    }
}

fn print(snapshots: &Receiver<Snapshot>, title: &str) {
    let mut out = stdout();
    let mut text = title.to_owned();
    // Until nobody reads it any more.
    while writeln!(out, "{text}").is_ok() {
        let Ok(snapshot) = snapshots.recv() else { return };
        text = line(&snapshot);
    }
}

fn line(snapshot: &Snapshot) -> String {
    let Second { at, arrivals, answers, errors, p50_ms, p99_ms, line, sockets, .. } =
        &snapshot.second;
    let mut text = format!(
        "{at:>6.0} s  {arrivals:>6} came  {answers:>6} answers  {errors:>5} errors  p50 \
         {p50_ms:>7.1} ms  p99 {p99_ms:>7.1} ms  line {line:>6}  seats left {:>6}",
        snapshot.seats_left
    );
    if *sockets > 0 {
        text.push_str(&format!("  sockets {sockets}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hall::tests::hall;

    #[test]
    fn rows_of_a_hall() {
        let hall = hall(3, 4);
        let rows = rows(&hall);
        let rows: Vec<(usize, usize)> = rows.iter().map(|row| (row.from, row.to)).collect();
        assert_eq!(rows, [(0, 4), (4, 8), (8, 12)]);
    }

    #[test]
    fn plain_lines() {
        let second = Second { at: 3.0, answers: 120, p99_ms: 4.5, line: 7, ..Second::default() };
        let snapshot = Snapshot {
            second,
            rates: Vec::new(),
            answered: 120,
            failed: 0,
            seats_left: 9,
            rows: Vec::new(),
        };
        let text = line(&snapshot);
        assert!(text.contains("120 answers") && text.contains("p99     4.5 ms"), "{text}");
        assert!(text.contains("seats left      9") && !text.contains("sockets"), "{text}");
    }
}
