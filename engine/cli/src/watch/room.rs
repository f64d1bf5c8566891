//! `tiketi watch --event`: one waiting room, how fast its line moves, and what is left to wait for.

use std::collections::VecDeque;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;
use tiketi_engine::ids::UnixMillis;
use tiketi_gateway::api::Timestamp;
use tiketi_gateway::api::queue::QueueAnswer;

use crate::output::{Output, Paint};
use crate::queue::state;
use crate::sight::{Look, Sight};
use crate::text::{clean, fields, fit, number, seoul, width};

/// How many looks the line's curve goes back.
const CURVE_LOOKS: usize = 60;
/// Columns before the values of a panel.
const NAMES: usize = 10;
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// What is remembered from look to look.
pub(crate) struct Room {
    title: String,
    /// How long the line was, the oldest first.
    lengths: VecDeque<u32>,
    /// How many had been let in, and when that was said.
    before: Option<(u64, Instant)>,
}

impl Room {
    pub(crate) fn new(title: String) -> Room {
        Room { title, lengths: VecDeque::new(), before: None }
    }

    /// Adds an answer; people let in a second since the one before.
    fn add(&mut self, answer: &QueueAnswer, at: Instant) -> Option<f64> {
        if self.lengths.len() == CURVE_LOOKS {
            self.lengths.pop_front();
        }
        self.lengths.push_back(answer.queue_size);
        let (admitted, then) = self.before.replace((answer.admitted, at))?;
        // A gateway that was started again counts from 0: how many there were meanwhile is not known.
        let people = answer.admitted.checked_sub(admitted)?;
        Some(people as f64 / at.duration_since(then).as_secs_f64().max(0.001))
    }

    fn panel(&self, output: &Output, answer: &QueueAnswer, rate: Option<f64>) -> String {
        let (paint, state) = state(answer);
        let columns = output.width().saturating_sub(width(state) + 2);
        let title = output.paint(Paint::Bold, &fit(&clean(&self.title), columns));
        let values = output.width().saturating_sub(NAMES);
        let inside = format!("{} of {}", number(answer.current_users.into()), threshold(answer));
        let limit = answer.rate.map(|rate| format!(", at most {rate}/s")).unwrap_or_default();
        let admitted = match rate {
            Some(rate) => format!("{} ({rate:.1}/s{limit})", number(answer.admitted)),
            None => number(answer.admitted),
        };
        let rows = [
            ("waiting", number(answer.queue_size.into())),
            ("", curve(&self.lengths, values)),
            ("inside", inside),
            ("admitted", admitted),
            ("wait", waits(answer)),
            ("left", left(answer)),
        ];
        let rows = rows.map(|(name, value)| (name, fit(&value, values)));
        format!("{title}  {}\n{}", output.paint(paint, state), fields(output, &rows))
    }
}

impl Sight for Room {
    type Answer = QueueAnswer;

    fn look(&mut self, output: &Output, answer: QueueAnswer, at: Instant) -> Look {
        let rate = self.add(&answer, at);
        if output.is_json() {
            let rate = rate.map(|rate| (rate * 10.0).round() / 10.0);
            let at = Timestamp(now());
            return Look::Json(json!({ "at": at, "queue": answer, "admittedPerSecond": rate }));
        }
        match output.is_terminal() {
            true => Look::Panel(self.panel(output, &answer, rate)),
            false => Look::Line(format!("{}  {}\n", seoul(now()), line(&answer, rate))),
        }
    }
}

/// By the clock of whoever looks.
fn now() -> UnixMillis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixMillis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn line(answer: &QueueAnswer, rate: Option<f64>) -> String {
    let rate = rate.map(|rate| format!(" ({rate:.1}/s)")).unwrap_or_default();
    let paused = if answer.paused { "  paused" } else { "" };
    format!(
        "waiting {}  inside {}/{}  admitted {}{rate}  wait {}  {}{paused}",
        number(answer.queue_size.into()),
        number(answer.current_users.into()),
        threshold(answer),
        number(answer.admitted),
        waits(answer),
        left(answer)
    )
}

fn threshold(answer: &QueueAnswer) -> String {
    number(answer.threshold.into())
}

fn waits(answer: &QueueAnswer) -> String {
    answer.wait_seconds.map_or("none".to_owned(), |wait| {
        let (p50, p99) = (duration(wait.p50), duration(wait.p99));
        format!("p50 {p50} p99 {p99} of {}", number(wait.count))
    })
}

/// Seats; tickets where an event has no seats.
fn left(answer: &QueueAnswer) -> String {
    let (seats, tickets) = (&answer.seats, &answer.tickets);
    if seats.total > 0 {
        let [free, held, sold] = [seats.available, seats.held, seats.sold].map(number);
        return format!("{free} seats, {held} held, {sold} sold");
    }
    let [free, in_orders] = [tickets.available, tickets.in_orders].map(number);
    format!("{free} tickets, {in_orders} in orders")
}

/// Short, and as exact as it matters.
fn duration(seconds: f64) -> String {
    let whole = seconds as u64;
    match whole {
        0..60 => format!("{seconds:.1}s"),
        60..3_600 => format!("{}m{:02}s", whole / 60, whole % 60),
        _ => format!("{}h{:02}m", whole / 3_600, whole % 3_600 / 60),
    }
}

/// The last of some numbers as bars, the longest of them a whole one; a line of 0 is the least.
fn curve(lengths: &VecDeque<u32>, columns: usize) -> String {
    let shown = lengths.iter().skip(lengths.len().saturating_sub(columns));
    let most = u64::from(shown.clone().copied().max().unwrap_or(0)).max(1);
    let top = BARS.len() as u64 - 1;
    let bar = |&length: &u32| BARS[(u64::from(length) * top).div_ceil(most) as usize];
    shown.map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use tiketi_gateway::api::Id;
    use tiketi_gateway::api::queue::WaitSeconds;
    use tiketi_gateway::api::stats::{SeatCounts, TicketCounts};

    fn answer(queue_size: u32, admitted: u64) -> QueueAnswer {
        QueueAnswer {
            event_id: Id(1),
            queue_size,
            current_users: 100,
            threshold: 100,
            available: 0,
            rate: Some(50.0),
            paused: false,
            lobby: false,
            admitted,
            wait_seconds: Some(WaitSeconds { p50: 24.06, p99: 3_671.0, count: 2_988 }),
            seats: SeatCounts { total: 1_000, available: 588, held: 12, sold: 400, blocked: 0 },
            tickets: TicketCounts::default(),
        }
    }

    #[test]
    fn the_rate_is_over_the_time_that_passed() {
        let mut room = Room::new("t".into());
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!(room.add(&answer(1, 7), at(0)), None);
        assert_eq!(room.add(&answer(1, 107), at(2_500)), Some(40.0));
        assert_eq!(room.add(&answer(1, 3), at(3_500)), None, "started again");
        assert_eq!(room.add(&answer(1, 4), at(4_500)), Some(1.0));
    }

    #[test]
    fn a_panel_fits_the_terminal() {
        let mut room = Room::new("봄 콘서트".into());
        let now = Instant::now();
        for looked in 0..100 {
            room.add(&answer(looked * 10, 0), now);
        }
        let text = room.panel(&Output::plain(80), &answer(990, 5_678), Some(49.96));
        let curve = &text.lines().nth(2).unwrap()[NAMES..];
        assert_eq!((curve.chars().count(), curve.chars().last()), (CURVE_LOOKS, Some('█')));
        let others: Vec<&str> =
            text.lines().enumerate().filter(|(row, _)| *row != 2).map(|(_, line)| line).collect();
        assert_eq!(
            others,
            [
                "봄 콘서트  letting people in",
                "waiting   990",
                "inside    100 of 100",
                "admitted  5,678 (50.0/s, at most 50/s)",
                "wait      p50 24.1s p99 1h01m of 2,988",
                "left      588 seats, 12 held, 400 sold",
            ]
        );
        let narrow = room.panel(&Output::plain(30), &answer(990, 5_678), None);
        assert!(narrow.lines().all(|line| width(line) <= 30), "{narrow}");
    }

    #[test]
    fn curves() {
        let drawn = |lengths: &[u32], columns| curve(&lengths.iter().copied().collect(), columns);
        assert_eq!(drawn(&[], 60), "");
        assert_eq!(drawn(&[0, 0], 60), "▁▁");
        assert_eq!(drawn(&[0, 1, 350, 700], 60), "▁▂▅█");
        assert_eq!(drawn(&[9, 1, 0], 2), "█▁");
        assert_eq!(drawn(&[u32::MAX], 60), "█");
    }

    #[test]
    fn a_line_says_it_all() {
        let mut quiet = answer(0, 0);
        (quiet.wait_seconds, quiet.paused, quiet.seats.total) = (None, true, 0);
        assert_eq!(
            line(&quiet, Some(0.0)),
            "waiting 0  inside 100/100  admitted 0 (0.0/s)  wait none  0 tickets, 0 in orders  paused"
        );
    }
}
