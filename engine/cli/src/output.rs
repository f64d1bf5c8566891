//! Everything the command prints: text for people, or exactly one JSON document with `--json`
//! (one per line where a command goes on: `watch`, `log inspect`).
//!
//! The only module that writes to the terminal.

use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::exit::{Exit, Failure};

/// How wide text may be where nobody says.
const WIDTH: usize = 100;

/// Where and how to print.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    json: bool,
    colour: bool,
    terminal: bool,
    width: usize,
}

/// How a piece of text stands out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    Plain,
    Bold,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
}

impl Paint {
    fn code(self) -> &'static str {
        match self {
            Paint::Plain => "",
            Paint::Bold => "1",
            Paint::Dim => "2",
            Paint::Red => "31",
            Paint::Green => "32",
            Paint::Yellow => "33",
            Paint::Blue => "34",
        }
    }
}

impl Output {
    /// For the process as it runs: colours only on a terminal and without `NO_COLOR`.
    pub(crate) fn new(json: bool) -> Output {
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let terminal = io::stdout().is_terminal() && !dumb;
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Output { json, colour: terminal && !no_colour, terminal, width: columns() }
    }

    /// For tests: no terminal, so wide.
    #[cfg(test)]
    pub(crate) fn plain(width: usize) -> Output {
        Output { json: false, colour: false, terminal: false, width }
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether lines can be drawn over.
    pub(crate) fn is_terminal(&self) -> bool {
        self.terminal
    }

    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Text in a colour, where there are colours.
    pub(crate) fn paint(&self, paint: Paint, text: &str) -> String {
        match self.colour && paint != Paint::Plain && !text.is_empty() {
            true => format!("\x1b[{}m{text}\x1b[0m", paint.code()),
            false => text.to_owned(),
        }
    }

    /// Text for people; it ends its own lines.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        write_out(text.as_bytes())
    }

    /// The one JSON document of a command.
    pub(crate) fn document<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let mut bytes = serde_json::to_vec_pretty(value).map_err(|error| unprintable(&error))?;
        bytes.push(b'\n');
        write_out(&bytes)
    }

    /// One JSON document on a line of its own.
    pub(crate) fn json_line<T: Serialize>(&self, value: &T) -> Result<(), Failure> {
        let mut bytes = serde_json::to_vec(value).map_err(|error| unprintable(&error))?;
        bytes.push(b'\n');
        write_out(&bytes)
    }

    /// The document with `--json`, else the text.
    pub(crate) fn either<T: Serialize>(
        &self,
        value: &T,
        text: impl FnOnce(&Output) -> String,
    ) -> Result<(), Failure> {
        match self.json {
            true => self.document(value),
            false => self.text(&text(self)),
        }
    }

    /// Why the command failed: a line on stderr, and with `--json` a document on stdout.
    pub(crate) fn failure(&self, failure: &Failure) {
        if failure.message.is_empty() {
            return;
        }
        if self.json {
            let document = serde_json::json!({ "error": failure, "exit": failure.exit.code() });
            // Where stdout is gone too there is still stderr.
            let _ = self.json_line(&document);
        }
        note(&format!("tiketi: {}", failure.message));
    }
}

fn unprintable(error: &serde_json::Error) -> Failure {
    Failure::new(Exit::Refused, "INTERNAL", format!("this cannot be written as JSON: {error}"))
}

fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::reader_gone()),
        Err(error) => {
            Err(Failure::new(Exit::Refused, "OUTPUT", format!("cannot write the output: {error}")))
        }
    }
}

/// A line on stderr.
pub(crate) fn note(text: &str) {
    // Nobody to tell where stderr is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// A piece of a line on stderr, for questions and progress.
pub(crate) fn note_part(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

/// How wide the terminal is: `COLUMNS`, else what the system says.
fn columns() -> usize {
    let told = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
    let asked = || {
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
        Some(usize::from(size.ws_col))
    };
    told.or_else(asked).filter(|&columns| columns >= 20).unwrap_or(WIDTH)
}
