//! `tiketi`: the administrator's command.
//!
//! Reading order: this file is the table of commands; `client` talks to a running gateway, `data`
//! opens a data directory that no gateway uses, `auditor` derives every seat's life again;
//! `output`, `text` and `exit` are how results reach people and programs.

mod audit;
mod auditor;
mod client;
mod confirm;
mod data;
mod describe;
mod draw;
mod event;
mod event_file;
mod exit;
mod log;
mod order;
mod output;
mod payments;
mod progress;
mod queue;
mod replay;
mod seat;
mod seat_map;
mod sight;
mod snapshot;
mod stats;
mod text;
mod user;
mod verify;
mod wanted_order;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};
use clap_complete::Shell;

use crate::client::{Client, Connection};
use crate::exit::{Exit, Failure};
use crate::output::{Output, note_part};

const EXAMPLES: &str = "\
Examples:
  tiketi event create --example > show.json
  tiketi event create --file show.json
  tiketi event list --status on_sale
  tiketi seat map '봄 콘서트'
  tiketi seat block '봄 콘서트' VIP-1-1..10 --reason camera
  tiketi queue rate '봄 콘서트' 50
  tiketi order cancel TK1795196714996ROJ1Q --yes
  tiketi payments list --state waiting
  tiketi user promote someone@example.com
  tiketi watch --event '봄 콘서트'
  tiketi log inspect ./data --limit 20 --json
  tiketi audit ./data
  tiketi completions bash > tiketi.bash
  export TIKETI_TOKEN=$(tiketi login)    # log in once for many commands";

/// Administers a tiketi installation: a running gateway, or a data directory while none runs.
#[derive(Parser)]
#[command(name = "tiketi", version, after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
struct Cli {
    /// Print exactly one JSON document (watch and log inspect: one on each line)
    #[arg(long, global = true)]
    json: bool,
    #[command(flatten)]
    connection: Connection,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make, list, show and call off events
    #[command(subcommand)]
    Event(event::EventCommand),
    /// Draw seats, take them off sale and put them back
    #[command(subcommand)]
    Seat(seat::SeatCommand),
    /// Show and steer the waiting room of an event
    #[command(subcommand)]
    Queue(queue::QueueCommand),
    /// Show and cancel orders
    #[command(subcommand)]
    Order(order::OrderCommand),
    /// List payments through a provider, settle what is open, compare with its lists
    #[command(subcommand)]
    Payments(payments::PaymentsCommand),
    /// Show accounts, change what they may do, make many
    #[command(subcommand)]
    User(user::UserCommand),
    /// Show the counters of the gateway
    Stats(stats::StatsArgs),
    /// Show the counters of the gateway, or the waiting room of an event, until Ctrl-C
    Watch(watch::WatchArgs),
    /// Log in and print a token for TIKETI_TOKEN
    Login,
    /// Look into the log of a data directory that no gateway uses
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Make a snapshot of a data directory that no gateway uses
    Snapshot(snapshot::SnapshotArgs),
    /// Derive every seat's life again from the log and report what breaks the rules
    Audit(audit::AuditArgs),
    /// Print a completion script for a shell
    Completions {
        /// Which shell
        shell: Shell,
    },
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let output = Output::new(cli.json);
    match run(&cli, &output) {
        Ok(exit) => exit.into(),
        Err(failure) => {
            output.failure(&failure);
            failure.exit.into()
        }
    }
}

fn run(cli: &Cli, output: &Output) -> Result<Exit, Failure> {
    let client = || Client::new(&cli.connection);
    match &cli.command {
        Command::Event(command) => event::run(command, &client, output),
        Command::Seat(command) => seat::run(command, &client, output),
        Command::Queue(command) => queue::run(command, &client, output),
        Command::Order(command) => order::run(command, &client, output),
        Command::Payments(command) => payments::run(command, &client, output),
        Command::User(command) => user::run(command, &client, output),
        Command::Stats(args) => stats::stats(args, &client()?, output),
        Command::Watch(args) => watch::watch(args, client()?, output),
        Command::Login => user::login(&client()?, output),
        Command::Log(command) => log::run(command, output),
        Command::Snapshot(args) => snapshot::run(args, output),
        Command::Audit(args) => audit::run(args, output),
        Command::Completions { shell } => completions(*shell, output),
    }
}

fn completions(shell: Shell, output: &Output) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "tiketi", &mut script);
    let script = String::from_utf8_lossy(&script);
    output.either(&serde_json::json!({ "script": script }), |_| script.clone().into_owned())?;
    Ok(Exit::Ok)
}

/// Help and version are no failure; anything else is wrong usage.
fn usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        let output = Output::new(false);
        return match output.text(&error.render().to_string()) {
            Ok(()) => Exit::Ok.into(),
            Err(failure) => failure.exit.into(),
        };
    }
    // Nothing was parsed, so `--json` is looked for by hand.
    if std::env::args_os().any(|argument| argument == "--json") {
        let text = error.render().to_string();
        let line = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
        Output::new(true).failure(&Failure::usage(line));
    } else {
        note_part(&error.render().to_string());
    }
    Exit::Usage.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn arguments() {
        for (line, good) in [
            ("event list --status on_sale", true),
            ("event list --status on-sale", false),
            ("event create", false),
            ("event create --example", true),
            ("event create --example --file x", false),
            ("event create --file x --title t", true),
            ("event cancel", false),
            ("seat map x --section A", true),
            ("seat block x", false),
            ("seat block x A-1-1 A-1-2 --reason r", true),
            ("queue show x", true),
            ("queue rate x", false),
            ("queue rate x 0.5", true),
            ("queue rate x unlimited", true),
            ("queue rate x 0", false),
            ("queue threshold x 0", false),
            ("queue threshold x 500", true),
            ("queue admit x", false),
            ("order show", false),
            ("payments list --state waiting --page 2", true),
            ("payments list --state wating", false),
            ("payments end", false),
            ("payments end tk00 --yes", true),
            ("payments refunded-by-hand tk00", true),
            ("payments compare", false),
            ("payments compare --day 2026-11-27", true),
            ("payments compare --day 2026-11-31", false),
            ("payments compare --day 20261127", false),
            ("user promote a@b.kr", true),
            ("user seed d --count 10 --tokens t", true),
            ("user seed d --count 0 --tokens t", false),
            ("user seed d --count 10", false),
            ("stats --event x --json", true),
            ("--json stats", true),
            ("watch --count 0", false),
            ("watch --interval 0", false),
            ("watch --interval 0.5 --count 3", true),
            ("watch --event x --interval 500ms", true),
            ("watch --event", false),
            ("log verify", false),
            ("log inspect d --from 1 --to 2 --limit 3 --event 0", true),
            ("log inspect d --from x", false),
            ("log inspect d --event x", false),
            ("log inspect d --order x", false),
            ("log replay d --until 5 --full", true),
            ("snapshot d", true),
            ("audit d --limit 5", true),
            ("completions bash", true),
            ("completions tcsh", false),
            ("stats --timeout 0", false),
            ("frobnicate", false),
            ("", false),
        ] {
            let arguments = std::iter::once("tiketi").chain(line.split_whitespace());
            assert_eq!(Cli::try_parse_from(arguments).is_ok(), good, "{line}");
        }
    }

    #[test]
    fn help_never_shows_a_password() {
        let help = Cli::command().render_long_help().to_string();
        assert!(!help.contains("admin123"));
        assert!(help.contains("Exit codes:") && help.contains("Examples:"));
    }
}
