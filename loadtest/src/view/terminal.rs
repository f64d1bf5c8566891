//! The drawn view: numbers, the rate of the last minutes, and the hall seat by seat.

use std::io::{Stdout, stdout};

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::crossterm::ExecutableCommand;
use ratatui::crossterm::cursor::{Hide, Show};
use ratatui::crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Paragraph, Sparkline};
use ratatui::{Frame, Terminal as Screen};

use crate::contract::SeatStatus;
use crate::view::Snapshot;

/// A terminal that is drawn on, and given back as it was when this is dropped. Keys are left to
/// the shell, so that Ctrl-C stays what it is.
pub(crate) struct Terminal {
    screen: Screen<CrosstermBackend<Stdout>>,
    title: String,
}

impl Terminal {
    /// # Errors
    /// It cannot be drawn on.
    pub(crate) fn start(title: String) -> std::io::Result<Terminal> {
        stdout().execute(EnterAlternateScreen)?.execute(Hide)?;
        let screen = Screen::new(CrosstermBackend::new(stdout()))?;
        Ok(Terminal { screen, title })
    }

    /// # Errors
    /// The terminal is gone.
    pub(crate) fn draw(&mut self, snapshot: &Snapshot) -> std::io::Result<()> {
        draw(&mut self.screen, &self.title, snapshot)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Where it fails, there is no terminal any more.
        let _ = stdout().execute(Show).and_then(|out| out.execute(LeaveAlternateScreen));
    }
}

fn draw<B: Backend>(
    screen: &mut Screen<B>,
    title: &str,
    snapshot: &Snapshot,
) -> Result<(), B::Error> {
    screen.draw(|frame| paint(frame, title, snapshot)).map(|_| ())
}

fn paint(frame: &mut Frame<'_>, title: &str, snapshot: &Snapshot) {
    let parts = [Constraint::Length(6), Constraint::Length(6), Constraint::Fill(1)];
    let [numbers, rate, hall] = Layout::vertical(parts).areas(frame.area());
    let block = Block::bordered().title(format!(" {title} "));
    frame.render_widget(Paragraph::new(lines(snapshot)).block(block), numbers);
    let block = Block::bordered().title(" answers a second ");
    let width = block.inner(rate).width as usize;
    let rates = &snapshot.rates[snapshot.rates.len().saturating_sub(width)..];
    let plot = Sparkline::default().data(rates).style(Style::new().fg(Color::Cyan)).block(block);
    frame.render_widget(plot, rate);
    let legend = Line::from(vec![
        Span::from(" seats: "),
        Span::from("free ").fg(Color::Green),
        Span::from("held ").fg(Color::Yellow),
        Span::from("sold ").fg(Color::Red),
    ]);
    let block = Block::bordered().title(legend);
    let inner = block.inner(hall);
    frame.render_widget(Paragraph::new(seats(&snapshot.rows, inner)).block(block), hall);
}

fn lines(snapshot: &Snapshot) -> Vec<Line<'static>> {
    let second = &snapshot.second;
    let errors = Span::from(format!("{:>8} errors", snapshot.failed));
    let errors = if snapshot.failed > 0 { errors.red() } else { errors };
    vec![
        Line::from(vec![
            Span::from(format!("{:>6.0} s  {:>8} answers/s  ", second.at, second.answers)).bold(),
            Span::from(format!(
                "{:>8} arrivals/s  {:>10} answered  ",
                second.arrivals, snapshot.answered
            )),
            errors,
        ]),
        Line::from(format!(
            "p50 {:>9.2} ms   p90 {:>9.2} ms   p99 {:>9.2} ms   max {:>9.2} ms",
            second.p50_ms, second.p90_ms, second.p99_ms, second.max_ms
        )),
        Line::from(format!(
            "line {:>8}   sockets {:>8}   seats left {:>8}   held {:>8}   sold {:>8}",
            second.line, second.sockets, snapshot.seats_left, second.held, second.sold
        )),
        Line::from("Ctrl-C ends the run, audits and reports").dim(),
    ]
}

/// The hall in so much room; where there is too little, a mark stands for several seats.
fn seats(rows: &[Vec<SeatStatus>], room: Rect) -> Vec<Line<'static>> {
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let across = widest.div_ceil(usize::from(room.width).max(1)).max(1);
    let down = rows.len().div_ceil(usize::from(room.height).max(1)).max(1);
    let line = |rows: &[Vec<SeatStatus>]| {
        let mark = |from: usize| {
            let seats = |row: &Vec<SeatStatus>| {
                row.iter().skip(from).take(across).copied().collect::<Vec<_>>()
            };
            let seats: Vec<SeatStatus> = rows.iter().flat_map(seats).collect();
            Span::from("■").fg(color(&seats))
        };
        Line::from((0..widest).step_by(across).map(mark).collect::<Vec<_>>())
    };
    rows.chunks(down).map(line).collect()
}

/// Of what most of them are.
fn color(seats: &[SeatStatus]) -> Color {
    let count = |status| seats.iter().filter(|seat| **seat == status).count();
    let held = count(SeatStatus::Locked);
    let (free, sold) = (count(SeatStatus::Available), count(SeatStatus::Reserved));
    match () {
        () if seats.is_empty() => Color::Reset,
        () if sold >= free && sold >= held => Color::Red,
        () if held >= free => Color::Yellow,
        () => Color::Green,
    }
}

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::record::Second;

    fn drawn(width: u16, height: u16) -> (String, Vec<Color>) {
        let mut rows = vec![vec![SeatStatus::Available; 40]; 10];
        rows[0] = vec![SeatStatus::Reserved; 40];
        rows[1][..20].fill(SeatStatus::Locked);
        let snapshot = Snapshot {
            second: Second { at: 12.0, answers: 345, p99_ms: 6.25, line: 78, ..Second::default() },
            rates: (0..500).collect(),
            answered: 4_000,
            failed: 2,
            seats_left: 340,
            rows,
        };
        let mut screen = Screen::new(TestBackend::new(width, height)).expect("screen");
        draw(&mut screen, "on-sale against http://x", &snapshot).expect("drawn");
        let cells = screen.backend().buffer().content();
        let text = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        let seats = cells.iter().filter(|cell| cell.symbol() == "■" && cell.fg != Color::Reset);
        (text, seats.map(|cell| cell.fg).collect())
    }

    #[test]
    fn numbers_and_the_hall() {
        let (text, seats) = drawn(100, 30);
        for part in [
            "on-sale against http://x",
            "345 answers/s",
            "2 errors",
            "p99      6.25 ms",
            "line       78",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let count = |color| seats.iter().filter(|seat| **seat == color).count();
        assert_eq!((count(Color::Red), count(Color::Yellow), count(Color::Green)), (40, 20, 340));
    }

    #[test]
    fn a_small_terminal() {
        let (_, seats) = drawn(30, 18);
        assert!(!seats.is_empty() && seats.len() < 400);
        drawn(1, 1);
    }
}
