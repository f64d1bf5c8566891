//! `tiketi-loadtest`: buys everything, as fast as the server sells it, and checks what it was told.

mod auditor;
mod client;
mod sell_out;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// Load tester for servers that speak the booking contract.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
}

#[derive(Subcommand)]
enum Scenario {
    /// Makes an event, sells every seat of it to buyers who hold and pay, and audits the result.
    ///
    /// The server has to run with `--rate-limit off`. Exit code: 0 sold out and every sum right,
    /// 1 the auditor found something, 2 the server cannot be reached or does not speak the contract.
    SellOut(SellOut),
}

/// See [`Scenario::SellOut`].
#[derive(Args, Clone, Debug)]
struct SellOut {
    /// The server.
    #[arg(long, default_value = "http://127.0.0.1:3001")]
    target: String,
    /// An administrator's login.
    #[arg(long, env = "ADMIN_EMAIL", default_value = "admin@tiketi.gg")]
    admin_email: String,
    /// The password.
    #[arg(long, env = "ADMIN_PASSWORD", default_value = "admin123", hide_env_values = true)]
    admin_password: String,
    /// People who buy at the same time.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    buyers: u32,
    /// Rows of the hall.
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    rows: u32,
    /// Seats of a row.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    seats_per_row: u32,
}

const FOUND_SOMETHING: u8 = 1;
const NOT_TESTED: u8 = 2;

#[tokio::main]
#[expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's own output")]
async fn main() -> ExitCode {
    let Scenario::SellOut(settings) = Arguments::parse().scenario;
    match sell_out::run(&settings).await {
        Ok(outcome) => {
            println!("{}", outcome.report);
            for finding in &outcome.findings {
                println!("FOUND: {finding}");
            }
            match outcome.findings.is_empty() {
                true => ExitCode::SUCCESS,
                false => ExitCode::from(FOUND_SOMETHING),
            }
        }
        Err(error) => {
            eprintln!("tiketi-loadtest: {error:#}");
            ExitCode::from(NOT_TESTED)
        }
    }
}
