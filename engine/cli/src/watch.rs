//! `tiketi watch`: the counters of a running gateway or, with `--event`, one waiting room, again and
//! again.
//!
//! The gateway is asked on a thread of its own, so that Ctrl-C need not wait for an answer. Once it
//! has answered, that it does not any more is said and it is asked again: it may come back.

mod room;

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use clap::Args;
use serde::de::DeserializeOwned;
use tiketi_gateway::api::events::EventAnswer;

use crate::client::Client;
use crate::event::find;
use crate::exit::{Exit, Failure};
use crate::output::{Output, note};
use crate::sight::{Look, Sight};
use crate::stats::Counters;
use crate::watch::room::Room;

/// See `tiketi watch`.
#[derive(Args)]
pub(crate) struct WatchArgs {
    /// The waiting room of one event: its id, or a part of the title that fits one event
    #[arg(long)]
    event: Option<String>,
    /// Time between two looks, such as 1s, 500ms or 2m; a bare number is seconds
    #[arg(long, default_value = "1s", value_parser = interval)]
    interval: Duration,
    /// End after so many looks
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
}

fn interval(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" => 60.0,
        _ => f64::NAN,
    };
    match digits.parse::<f64>().map(|number| number * unit) {
        Ok(seconds) if (0.1..=3_600.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected a time from 100ms to 60m".to_owned()),
    }
}

/// Looks until Ctrl-C or `--count`.
///
/// # Errors
/// The first look's, whatever it is; a later one's where asking again cannot help.
pub(crate) fn watch(args: &WatchArgs, client: Client, output: &Output) -> Result<Exit, Failure> {
    match &args.event {
        None => keep_looking(args, client, "/api/admin/stats".to_owned(), output, Counters::new()),
        Some(named) => {
            let event = find(&client, named)?;
            let answer: EventAnswer = client.get(&format!("/api/events/{event}"))?;
            let path = format!("/api/queue/admin/{event}");
            keep_looking(args, client, path, output, Room::new(answer.event.title))
        }
    }
}

/// What the loop waits for.
enum Heard<T> {
    Answer(Result<T, Failure>),
    Interrupt,
}

fn keep_looking<S: Sight>(
    args: &WatchArgs,
    client: Client,
    path: String,
    output: &Output,
    mut sight: S,
) -> Result<Exit, Failure> {
    let (tell, heard) = channel();
    on_interrupt(tell.clone())?;
    let ask = asker(client, path, tell);
    let mut screen = Screen { output, lines: 0 };
    let mut is_away = false;
    for look in 1_u64.. {
        // Whoever is asked lives as long as this loop, else nothing is heard.
        let _ = ask.send(());
        match heard.recv() {
            Ok(Heard::Answer(Ok(answer))) => {
                is_away = false;
                screen.show(sight.look(output, answer, Instant::now()))?;
            }
            Ok(Heard::Answer(Err(failure))) if look > 1 && failure.exit == Exit::Unavailable => {
                if !is_away {
                    note(&format!("tiketi: {}; asking on", failure.message));
                    screen.lines = 0;
                }
                is_away = true;
            }
            Ok(Heard::Answer(Err(failure))) => return Err(failure),
            Ok(Heard::Interrupt) | Err(_) => break,
        }
        if args.count.is_some_and(|count| look >= count) {
            break;
        }
        match heard.recv_timeout(args.interval) {
            Err(RecvTimeoutError::Timeout) => {}
            Ok(_) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(Exit::Ok)
}

/// Asks once for every message sent to it, on a thread of its own.
fn asker<T: DeserializeOwned + Send + 'static>(
    client: Client,
    path: String,
    tell: Sender<Heard<T>>,
) -> Sender<()> {
    let (ask, asked) = channel();
    std::thread::spawn(move || {
        while asked.recv().is_ok() && tell.send(Heard::Answer(client.admin_get(&path))).is_ok() {}
    });
    ask
}

/// Tells when somebody presses Ctrl-C.
fn on_interrupt<T: Send + 'static>(tell: Sender<Heard<T>>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| {
        Failure::new(Exit::Refused, "SIGNAL", format!("cannot wait for Ctrl-C: {error}"))
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(failed)?;
    let (ready, waiting) = channel();
    std::thread::spawn(move || {
        runtime.block_on(async {
            use tokio::signal::unix::{SignalKind, signal};
            let Ok(mut interrupt) = signal(SignalKind::interrupt()) else {
                return;
            };
            let _ = ready.send(());
            interrupt.recv().await;
            let _ = tell.send(Heard::Interrupt);
        });
    });
    waiting.recv().map_err(|_| failed(std::io::Error::other("no signal handler")))
}

/// Where looks are shown.
struct Screen<'a> {
    output: &'a Output,
    /// How many lines the panel on it has.
    lines: usize,
}

impl Screen<'_> {
    fn show(&mut self, look: Look) -> Result<(), Failure> {
        match look {
            Look::Json(value) => self.output.json_line(&value),
            Look::Line(line) => self.output.text(&line),
            Look::Panel(text) => {
                self.output.text(&in_place(self.output.is_terminal(), &text, self.lines))?;
                self.lines = text.lines().count();
                Ok(())
            }
        }
    }
}

/// Draws over the lines before, where that can be done.
fn in_place(is_terminal: bool, text: &str, lines_before: usize) -> String {
    match (is_terminal, lines_before) {
        (_, 0) => text.to_owned(),
        (true, lines) => {
            let cleared = text.replace('\n', "\x1b[K\n");
            format!("\x1b[{lines}A\r{cleared}\x1b[J")
        }
        (false, _) => format!("\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_are_bounded() {
        for (text, ms) in [
            ("1", Some(1_000)),
            ("0.5", Some(500)),
            ("1s", Some(1_000)),
            ("250ms", Some(250)),
            ("2m", Some(120_000)),
            ("99ms", None),
            ("61m", None),
            ("0", None),
            ("-1s", None),
            ("1h", None),
            ("NaN", None),
            ("inf", None),
            ("s", None),
            ("", None),
            ("x", None),
            ("1초", None),
        ] {
            assert_eq!(interval(text).ok(), ms.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn panels_take_the_place_of_those_before() {
        assert_eq!(in_place(true, "a\nb\n", 0), "a\nb\n");
        assert_eq!(in_place(true, "a\nb\n", 3), "\x1b[3A\ra\x1b[K\nb\x1b[K\n\x1b[J");
        assert_eq!(in_place(false, "a\n", 3), "\na\n");
    }
}
