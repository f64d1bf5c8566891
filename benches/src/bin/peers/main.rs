//! `peers`: the same operation, one seat held for one buyer, here and on what people use instead.
//!
//! All of them in one run on one machine and one disk, taking turns, each with the best client that
//! comes with it: their own load generators for Redis and PostgreSQL, over unix sockets.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command's own output")]

mod ours;
mod postgres;
mod process;
mod redis;
mod results;

use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use tiketi_benches::{Setup, gateway};

use crate::results::{Contender, Results};

/// The gateway's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Seat holds of this engine beside Redis and PostgreSQL, in one run.
#[derive(Parser)]
#[command(name = "peers")]
struct Arguments {
    /// Where everybody keeps his data; its disk is what is measured.
    #[arg(long, default_value = "target/peers")]
    dir: PathBuf,
    /// The length of each timed run.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// How often everybody has his turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Where the table goes, besides the terminal.
    #[arg(long, default_value = "benches/RESULTS.md")]
    output: PathBuf,
}

/// Somebody who holds seats: how many a second, for about so many seconds.
trait Rival {
    fn holds_per_second(&mut self, seconds: u64) -> anyhow::Result<f64>;
}

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(gateway::ROLE) {
        let data: PathBuf = arguments.next().context("folder")?.into();
        return gateway::serve(data, None, None);
    }
    let arguments = Arguments::parse();
    std::fs::create_dir_all(&arguments.dir)?;
    let dir = arguments.dir.canonicalize()?;
    let setup = Setup { dir, seconds: arguments.seconds };
    let redis_always = redis::Server::start(&setup.dir, redis::Sync::Always)?;
    let redis_off = redis::Server::start(&setup.dir, redis::Sync::Off)?;
    let postgres = postgres::Server::start(&setup.dir)?;
    let mut contenders: Vec<Contender<'_>> = Vec::new();
    contenders.push(Contender::new("tiketi, in process, durable", ours::InProcess::new(&setup)?));
    contenders.push(Contender::new("tiketi, over HTTP, durable", ours::OverHttp::new(&setup)?));
    for (server, log, hold, what) in [
        (&redis_always, "AOF always", redis::Hold::Order, "the whole hold"),
        (&redis_always, "AOF always", redis::Hold::Seat, "the seat's key alone"),
        (&redis_off, "AOF off", redis::Hold::Order, "the whole hold"),
    ] {
        for (pipelining, how) in [(redis::PIPELINED, "pipelined"), (redis::ALONE, "unpipelined")] {
            let name = format!("Redis Lua, {log}, {how}, {what}");
            contenders.push(Contender::new(name, server.client(hold, pipelining)?));
        }
    }
    let update = postgres.client(postgres::Statement::ConditionalUpdate);
    contenders.push(Contender::new("PostgreSQL, conditional UPDATE", update));
    let skip = postgres.client(postgres::Statement::SkipLocked);
    contenders.push(Contender::new("PostgreSQL, FOR UPDATE SKIP LOCKED", skip));
    for round in 1..=arguments.rounds {
        for contender in &mut contenders {
            let rate = contender.turn(arguments.seconds)?;
            eprintln!("round {round} of {}: {}: {rate:.0}/s", arguments.rounds, contender.name);
        }
    }
    let results = Results::new(&contenders, &redis_always, &postgres)?;
    let text = results.markdown(&arguments.dir, arguments.seconds, arguments.rounds)?;
    println!("{text}");
    std::fs::write(&arguments.output, text)
        .with_context(|| format!("cannot write {}", arguments.output.display()))?;
    eprintln!("written to {}", arguments.output.display());
    Ok(())
}
