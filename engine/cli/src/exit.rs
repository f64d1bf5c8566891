//! How the command ends: five codes, and one line that says why.

use std::process::ExitCode;

use serde::Serialize;

/// The codes, for `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  refused: the server's rules, or the thing does not exist
  2  wrong usage: arguments, files, or a confirmation that is missing
  3  unreachable or unavailable: no answer, overloaded, data directory in use
  4  damaged data, an audit with findings, or payments that differ from their provider's list";

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Ok = 0,
    /// Refused or failed by the server's rules.
    Refused = 1,
    /// Wrong usage.
    Usage = 2,
    /// Unreachable or unavailable; trying again may help.
    Unavailable = 3,
    /// Damaged data, or findings.
    Damaged = 4,
}

impl Exit {
    pub(crate) fn code(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> ExitCode {
        ExitCode::from(exit.code())
    }
}

/// Why a command was not carried out. Never holds a password or a token.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failure {
    #[serde(skip)]
    pub(crate) exit: Exit,
    /// Stable, for programs: the server's code, or one of ours in the same style.
    pub(crate) code: String,
    /// One line that says what to do.
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Failure {
        Failure { exit, code: code.to_owned(), message: one_line(&message.into()) }
    }

    pub(crate) fn usage(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Usage, "USAGE", message)
    }

    pub(crate) fn not_found(message: impl Into<String>) -> Failure {
        Failure::new(Exit::Refused, "NOT_FOUND", message)
    }

    /// Whoever read our output has gone; there is nobody to tell.
    pub(crate) fn reader_gone() -> Failure {
        Failure { exit: Exit::Ok, code: String::new(), message: String::new() }
    }
}

/// A message on one line, whatever it was made of.
fn one_line(text: &str) -> String {
    text.split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_one_line() {
        assert_eq!(Failure::usage("a\n  b\r\n\nc").message, "a; b; c");
    }
}
