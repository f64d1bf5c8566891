//! Asking before something is destroyed.

use std::io::{BufRead, IsTerminal, stderr, stdin};

use crate::exit::Failure;
use crate::output::{Output, note_part};

/// Goes on with `--yes`, or where somebody at a terminal says so.
pub(crate) fn confirm(output: &Output, yes: bool, question: &str) -> Result<(), Failure> {
    if yes {
        return Ok(());
    }
    if output.is_json() || !stdin().is_terminal() || !stderr().is_terminal() {
        let text = format!("{question} Nobody can be asked here: repeat it with --yes.");
        return Err(Failure::usage(text));
    }
    note_part(&format!("{question} [y/N] "));
    let mut answer = String::new();
    let read = stdin().lock().read_line(&mut answer);
    match (read, answer.trim().to_ascii_lowercase().as_str()) {
        (Ok(_), "y" | "yes") => Ok(()),
        _ => Err(Failure::usage("not confirmed; nothing was changed")),
    }
}
