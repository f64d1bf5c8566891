//! What came of it: a table with the machine, the versions and the commands.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use tiketi_benches::table::{count, median};

use crate::{Rival, postgres, redis};

/// Somebody with his turns so far.
pub(crate) struct Contender<'a> {
    pub(crate) name: String,
    rival: Box<dyn Rival + 'a>,
    rates: Vec<f64>,
}

impl<'a> Contender<'a> {
    pub(crate) fn new(name: impl Into<String>, rival: impl Rival + 'a) -> Contender<'a> {
        Contender { name: name.into(), rival: Box::new(rival), rates: Vec::new() }
    }

    pub(crate) fn turn(&mut self, seconds: u64) -> anyhow::Result<f64> {
        let rate = self.rival.holds_per_second(seconds);
        let rate = rate.with_context(|| self.name.clone())?;
        self.rates.push(rate);
        Ok(rate)
    }
}

/// What has to be reached: who, over whom, how many times.
const REACH: [(&str, &str, f64); 5] = [
    ("tiketi, in process, durable", "Redis Lua, AOF always, pipelined, the whole hold", 20.0),
    ("tiketi, in process, durable", "Redis Lua, AOF always, pipelined, the seat's key alone", 20.0),
    ("tiketi, over HTTP, durable", "Redis Lua, AOF always, unpipelined, the whole hold", 2.5),
    ("tiketi, over HTTP, durable", "Redis Lua, AOF always, unpipelined, the seat's key alone", 2.5),
    ("tiketi, over HTTP, durable", "PostgreSQL, conditional UPDATE", 1.4),
];

pub(crate) struct Results {
    /// Name, median, least, most.
    rows: Vec<(String, f64, f64, f64)>,
    /// The ratios of [`REACH`]: of the same round, their median.
    ratios: Vec<f64>,
    versions: String,
}

impl Results {
    pub(crate) fn new(
        contenders: &[Contender<'_>],
        redis: &redis::Server,
        postgres: &postgres::Server,
    ) -> anyhow::Result<Results> {
        let rates = |name: &str| {
            let found = contenders.iter().find(|contender| contender.name == name);
            found.map(|contender| contender.rates.clone()).context("no such contender")
        };
        let mut ratios = Vec::new();
        for (ours, theirs, _) in REACH {
            let (ours, theirs) = (rates(ours)?, rates(theirs)?);
            let mut of_rounds: Vec<f64> =
                ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
            ratios.push(median(&mut of_rounds));
        }
        let row = |contender: &Contender<'_>| {
            let mut rates = contender.rates.clone();
            let middle = median(&mut rates);
            // Sorted by the median.
            let (least, most) = (rates[0], rates[rates.len() - 1]);
            (contender.name.clone(), middle, least, most)
        };
        Ok(Results {
            rows: contenders.iter().map(row).collect(),
            ratios,
            versions: format!("{}, {}", redis.version()?, postgres.version()?),
        })
    }

    pub(crate) fn markdown(
        &self,
        dir: &Path,
        seconds: u64,
        rounds: usize,
    ) -> anyhow::Result<String> {
        let mut text = String::from(
            "# One seat held for one buyer, here and elsewhere\n\n\
             Written by `deploy/peers.sh`. All of them in one run on one machine and one disk, \
             taking turns; rates are the median of the rounds, with the least and the most. \
             Clients and servers share the processors.\n\n",
        );
        writeln!(text, "- Machine: {}", machine()?)?;
        writeln!(text, "- Versions: tiketi {}, {}", env!("CARGO_PKG_VERSION"), self.versions)?;
        writeln!(
            text,
            "- Command: `deploy/peers.sh --seconds {seconds} --rounds {rounds} --dir {}`\n",
            dir.display()
        )?;
        let (_, ours, ..) = self.rows.first().context("nobody took part")?;
        let over_http = self.rows.get(1).map_or(*ours, |row| row.1);
        text.push_str("| who | holds a second | least to most | in process is | over HTTP is |\n");
        text.push_str("|---|---:|---:|---:|---:|\n");
        for (name, middle, least, most) in &self.rows {
            writeln!(
                text,
                "| {name} | {} | {} to {} | {:.2} × | {:.2} × |",
                count(*middle),
                count(*least),
                count(*most),
                ours / middle,
                over_http / middle,
            )?;
        }
        text.push_str("\n| ratio, of the same round | measured | reach | |\n|---|---:|---:|---|\n");
        for ((ours, theirs, reach), ratio) in REACH.iter().zip(&self.ratios) {
            let verdict = if ratio >= reach { "reached" } else { "missed" };
            writeln!(text, "| {ours} over {theirs} | {ratio:.2} × | ≥ {reach} × | {verdict} |")?;
        }
        text.push_str(NOTES);
        Ok(text)
    }
}

const NOTES: &str = "
- In process: two threads, acknowledged after the record is on the disk; over HTTP: authenticated \
`POST /api/seats/reserve`, 256 connections, answered after the record is on the disk.
- Redis: a script, `redis-benchmark` over a unix socket; the fastest of several numbers of connections \
and commands under way. `The whole hold` does what a hold does here: it checks that the event is on \
sale and allows so many seats, takes all of them or none, and writes an order with its buyer, \
amount and end. `The seat's key alone` is the least that keeps two buyers apart. `AOF off` loses what it \
acknowledged when it stops.
- PostgreSQL: `pgbench` over a unix socket, prepared statements, the fastest of several numbers of \
connections, `synchronous_commit` on.
- PostgreSQL does one statement; over HTTP tiketi also reads JSON, checks the token, the queue, the \
limits of the buyer and the idempotency key.
";

fn machine() -> anyhow::Result<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo")?;
    let model = info.lines().find_map(|line| line.strip_prefix("model name"));
    let model = model.map_or("unknown", |model| model.trim_start_matches([' ', '\t', ':']));
    let processors = std::thread::available_parallelism()?;
    let memory = std::fs::read_to_string("/proc/meminfo")?;
    let kib: u64 =
        memory.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).context("no memory")?;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let gib = kib / (1 << 20);
    Ok(format!("{processors} processors ({model}), {gib} GiB, Linux {}", kernel.trim()))
}
