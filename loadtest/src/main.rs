//! `tiketi-loadtest`: people who want tickets, in numbers, against any server that speaks the
//! booking contract; what they were told is audited, and what they waited is measured.
//!
//! Reading order: this file is the command line, `wishes` and `settings` what a run does, `conduct`
//! its course from the first call to the verdict. `scenario` has who comes and what they want, in
//! the `steps` of `run`; `http` and `socket` carry them, `record` and `audit` keep what came back,
//! `view`, `table` and `report` show it; `chaos` disturbs the server meanwhile. Everything happens on one thread.

mod audit;
mod chaos;
mod clock;
mod conduct;
mod contract;
mod dice;
mod hall;
mod html;
mod http;
mod limits;
mod people;
mod plan;
mod record;
mod report;
mod run;
mod scenario;
mod server;
mod settings;
mod simulate;
mod socket;
mod steps;
mod summary;
mod table;
mod target;
mod view;
mod websocket;
mod wishes;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::scenario::Scenario;
use crate::server::Server;
use crate::simulate::{Assumptions, Output};
use crate::wishes::Wishes;

/// People come and go by the ten thousand a second, and each is an allocation or two.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXIT_CODES: &str = "\
Exit codes:
  0  the auditor found nothing, and the limits held
  1  the auditor found something, or a limit did not hold
  2  the run could not be made";

/// Load tester for servers that speak the booking contract.
#[derive(Parser)]
#[command(name = "tiketi-loadtest", version, after_help = EXIT_CODES, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// People come at a rate, wait in line, choose seats, hold and pay them
    OnSale(Play),
    /// Everybody wants the same few seats
    HotSeats(Play),
    /// Every seat, as fast as the server sells it
    SellOut(Play),
    /// Many sockets watch a hall in which some people buy
    FanOut(Play),
    /// A waiting room in which everybody reconnects every second
    Churn(Play),
    /// A sale in which most of what is sold comes back, for a long time
    Soak(Play),
    /// A calm sale with a rush in its middle
    Spike(Play),
    /// What to expect of a sale, in virtual time, without any server
    Simulate {
        #[command(flatten)]
        assumptions: Assumptions,
        #[command(flatten)]
        output: Output,
    },
}

/// How one scenario is played.
#[derive(Args)]
pub(crate) struct Play {
    #[command(flatten)]
    pub(crate) server: Server,
    #[command(flatten)]
    pub(crate) wishes: Wishes,
    #[command(flatten)]
    pub(crate) chaos: chaos::Flags,
    /// A TOML file with settings of the scenario under the names of the flags; flags go over it
    #[arg(long, help_heading = "The scenario")]
    pub(crate) scenario_file: Option<PathBuf>,
    /// Write the numbers to this file
    #[arg(long)]
    pub(crate) json: Option<PathBuf>,
    /// Write a report with plots to this file, HTML in one piece
    #[arg(long)]
    pub(crate) report: Option<PathBuf>,
    /// Plain lines, also on a terminal
    #[arg(long)]
    pub(crate) plain: bool,
}

/// A limit did not hold, or the auditor found something.
const FOUND_SOMETHING: u8 = 1;
/// The run could not be made.
const NOT_MADE: u8 = 2;

#[expect(clippy::print_stderr, reason = "a command's own output")]
fn main() -> ExitCode {
    let played = match Cli::parse().command {
        Command::Simulate { assumptions, output } => {
            simulate::simulate(&assumptions, &output).map(|()| true)
        }
        Command::OnSale(play) => conduct::conduct(Scenario::OnSale, &play),
        Command::HotSeats(play) => conduct::conduct(Scenario::HotSeats, &play),
        Command::SellOut(play) => conduct::conduct(Scenario::SellOut, &play),
        Command::FanOut(play) => conduct::conduct(Scenario::FanOut, &play),
        Command::Churn(play) => conduct::conduct(Scenario::Churn, &play),
        Command::Soak(play) => conduct::conduct(Scenario::Soak, &play),
        Command::Spike(play) => conduct::conduct(Scenario::Spike, &play),
    };
    match played {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(FOUND_SOMETHING),
        Err(error) => {
            // One line, whatever a server or a file put into it.
            let text = format!("{error:#}").replace(['\n', '\r'], " ");
            eprintln!("tiketi-loadtest: {text}");
            ExitCode::from(NOT_MADE)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
        let help = Cli::command().render_long_help().to_string();
        assert!(help.contains("Exit codes:") && !help.contains("admin123"));
    }

    #[test]
    fn every_name_that_a_scenario_listens_to_is_a_flag() {
        let on_sale = Cli::command().find_subcommand("on-sale").cloned().expect("on-sale");
        let flags: Vec<&str> = on_sale.get_arguments().filter_map(|flag| flag.get_long()).collect();
        for scenario in [
            Scenario::OnSale,
            Scenario::HotSeats,
            Scenario::SellOut,
            Scenario::FanOut,
            Scenario::Churn,
            Scenario::Soak,
            Scenario::Spike,
        ] {
            for name in scenario.listens_to() {
                assert!(flags.contains(&name), "{name}");
            }
            assert!(Cli::command().find_subcommand(scenario.name()).is_some());
        }
    }
}
