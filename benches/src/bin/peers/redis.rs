//! Redis: a script holds a seat unless somebody has it, driven by `redis-benchmark`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::Rival;
use crate::process::{Running, find, once_it_answers, run};

/// What a hold has to come to.
#[derive(Clone, Copy)]
pub(crate) enum Hold {
    /// What it is here: an order of its buyer, if the event is on sale and allows so many seats.
    Order,
    /// Nothing but the seat's key.
    Seat,
}

/// `KEYS` are the event, the order and the seats; `ARGV` the buyer, this moment and the lifetime, in
/// milliseconds. All the seats or none.
const ORDER: &str = "\
local event = redis.call('HMGET', KEYS[1], 'opens', 'closes', 'cancelled', 'max', 'price') \
local now, seats = tonumber(ARGV[2]), #KEYS - 2 \
if not event[1] then return redis.error_reply('no such event') end \
if event[3] == '1' or now < tonumber(event[1]) or now >= tonumber(event[2]) then \
return redis.error_reply('not on sale') end \
if seats > tonumber(event[4]) then return redis.error_reply('too many seats') end \
for i = 3, #KEYS do if redis.call('EXISTS', KEYS[i]) == 1 then return 0 end end \
for i = 3, #KEYS do redis.call('SET', KEYS[i], KEYS[2], 'PX', ARGV[3]) end \
redis.call('HSET', KEYS[2], 'user', ARGV[1], 'seats', table.concat(KEYS, ' ', 3), \
'amount', seats * tonumber(event[5]), 'at', ARGV[2], 'until', now + tonumber(ARGV[3])) \
return 1";

/// As above, with the seats alone as `KEYS`, the buyer and the lifetime as `ARGV`.
const SEAT: &str = "\
for i = 1, #KEYS do if redis.call('EXISTS', KEYS[i]) == 1 then return 0 end end \
for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2]) end \
return 1";

/// An event that is on sale at [`NOW`].
const EVENT: &[&str] = &[
    "HSET",
    "event:1",
    "opens",
    "0",
    "closes",
    "9000000000000",
    "cancelled",
    "0",
    "max",
    "4",
    "price",
    "100000",
];
const NOW: &str = "1800000000000";
const LIFETIME: &str = "300000";

/// Hardly one seat or order in a thousand comes twice.
const NUMBERS: &str = "1000000000";

impl Hold {
    fn script(self) -> &'static str {
        match self {
            Hold::Order => ORDER,
            Hold::Seat => SEAT,
        }
    }

    /// Keys that one of them leaves.
    fn keys(self) -> u64 {
        match self {
            Hold::Order => 2,
            Hold::Seat => 1,
        }
    }

    /// What follows the script's name.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Hold::Order => {
                const SEAT: &str = "seat:__rand_int__";
                &["3", "event:1", "order:__rand_int__", SEAT, "__rand_int__", NOW, LIFETIME]
            }
            Hold::Seat => &["1", "seat:__rand_int__", "__rand_int__", LIFETIME],
        }
    }
}

/// Connections and commands under way on each: the fastest of these is taken.
pub(crate) const PIPELINED: &[(u32, u32)] = &[(16, 64), (64, 64), (64, 256), (256, 64)];
/// As many connections as ours over HTTP has, at most.
pub(crate) const ALONE: &[(u32, u32)] = &[(64, 1), (256, 1)];

/// Commands with which the fastest is found.
const PROBE: u64 = 20_000;

/// When its log is on the disk.
#[derive(Clone, Copy)]
pub(crate) enum Sync {
    /// Before it answers: nothing acknowledged is lost.
    Always,
    /// It keeps no log.
    Off,
}

/// A server in a directory of its own.
pub(crate) struct Server {
    socket: PathBuf,
    _running: Running,
    _dir: tempfile::TempDir,
}

impl Server {
    pub(crate) fn start(dir: &Path, sync: Sync) -> anyhow::Result<Server> {
        let dir = tempfile::tempdir_in(dir)?;
        let socket = dir.path().join("redis.sock");
        let mut command = Command::new(find("redis-server")?);
        command.args(["--port", "0", "--save", "", "--maxclients", "4000"]);
        command.arg("--dir").arg(dir.path()).arg("--unixsocket").arg(&socket);
        match sync {
            Sync::Always => command.args(["--appendonly", "yes", "--appendfsync", "always"]),
            Sync::Off => command.args(["--appendonly", "no"]),
        };
        let running = command.stdout(Stdio::null()).spawn().context("redis-server")?;
        let server = Server { socket, _running: Running(running), _dir: dir };
        once_it_answers(|| server.tell(&["PING"]))?;
        Ok(server)
    }

    /// `Redis server v=7.0.15 …`, without what follows the version.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        let printed = run(Command::new(find("redis-server")?).arg("--version"))?;
        let version = printed.split_whitespace().find_map(|word| word.strip_prefix("v="));
        Ok(format!("Redis {}", version.context("no version")?))
    }

    /// Somebody who holds seats this way.
    ///
    /// # Errors
    /// The server does not take the script.
    pub(crate) fn client(
        &self,
        hold: Hold,
        choices: &'static [(u32, u32)],
    ) -> anyhow::Result<Client<'_>> {
        let script = self.tell(&["SCRIPT", "LOAD", hold.script()])?;
        let script = script.trim().to_owned();
        Ok(Client { server: self, hold, script, choices, best: None })
    }

    fn tell(&self, command: &[&str]) -> anyhow::Result<String> {
        run(Command::new(find("redis-cli")?).arg("-s").arg(&self.socket).args(command))
    }

    /// The client takes a refusal for an answer: what is kept tells.
    fn keeps_at_least(&self, keys: u64) -> anyhow::Result<()> {
        let kept: u64 = self.tell(&["DBSIZE"])?.trim().parse()?;
        anyhow::ensure!(kept >= keys, "only {kept} keys were kept of {keys}");
        Ok(())
    }

    fn forget_all(&self) -> anyhow::Result<()> {
        self.tell(&["FLUSHALL", "SYNC"])?;
        self.tell(EVENT).map(drop)
    }
}

/// Holds seats on a server.
pub(crate) struct Client<'s> {
    server: &'s Server,
    hold: Hold,
    script: String,
    choices: &'static [(u32, u32)],
    /// The fastest choice, and its rate.
    best: Option<((u32, u32), f64)>,
}

impl Client<'_> {
    fn run(&self, (connections, pipeline): (u32, u32), count: u64) -> anyhow::Result<f64> {
        let mut command = Command::new(find("redis-benchmark")?);
        command.arg("-s").arg(&self.server.socket).arg("--csv");
        command.args(["-c", &connections.to_string(), "-P", &pipeline.to_string()]);
        command.args(["-n", &count.to_string(), "-r", NUMBERS]);
        command.args(["EVALSHA", &self.script]).args(self.hold.arguments());
        let printed = run(&mut command)?;
        let cells = printed.lines().last().map(|line| line.split("\",\""));
        let rate = cells.and_then(|mut cells| cells.nth(1)).context("no rate")?;
        rate.trim_matches('"').parse().with_context(|| format!("no rate in {printed}"))
    }
}

impl Rival for Client<'_> {
    fn holds_per_second(&mut self, seconds: u64) -> anyhow::Result<f64> {
        self.server.forget_all()?;
        let (choice, expected) = match self.best {
            Some(best) => best,
            None => {
                let mut best = (self.choices[0], 0.0);
                for &choice in self.choices {
                    let rate = self.run(choice, PROBE)?;
                    best = if rate > best.1 { (choice, rate) } else { best };
                }
                *self.best.insert(best)
            }
        };
        let count = (expected * seconds as f64) as u64;
        let rate = self.run(choice, count)?;
        self.server.keeps_at_least(self.hold.keys() * count * 9 / 10)?;
        Ok(rate)
    }
}
