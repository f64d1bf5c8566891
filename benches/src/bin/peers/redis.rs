//! Redis: a script takes a seat unless somebody has it, driven by `redis-benchmark`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::Rival;
use crate::process::{Running, find, once_it_answers, run};

/// All the seats or none, each for so many milliseconds: what a hold is here, too.
const HOLD: &str = "\
for i = 1, #KEYS do if redis.call('EXISTS', KEYS[i]) == 1 then return 0 end end \
for i = 1, #KEYS do redis.call('SET', KEYS[i], ARGV[1], 'PX', ARGV[2]) end \
return 1";

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
    script: String,
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
        let running = Running(running);
        let client = find("redis-cli")?;
        let script = once_it_answers(|| {
            run(Command::new(&client).arg("-s").arg(&socket).args(["SCRIPT", "LOAD", HOLD]))
        })?;
        let script = script.trim().to_owned();
        Ok(Server { socket, script, _running: running, _dir: dir })
    }

    /// `Redis server v=7.0.15 …`, without what follows the version.
    pub(crate) fn version(&self) -> anyhow::Result<String> {
        let printed = run(Command::new(find("redis-server")?).arg("--version"))?;
        let version = printed.split_whitespace().find_map(|word| word.strip_prefix("v="));
        Ok(format!("Redis {}", version.context("no version")?))
    }

    pub(crate) fn client(&self, choices: &'static [(u32, u32)]) -> Client<'_> {
        Client { server: self, choices, best: None }
    }

    fn hold(&self, (connections, pipeline): (u32, u32), count: u64) -> anyhow::Result<f64> {
        let mut command = Command::new(find("redis-benchmark")?);
        command.arg("-s").arg(&self.socket).arg("--csv");
        command.args(["-c", &connections.to_string(), "-P", &pipeline.to_string()]);
        // Hardly one seat in a thousand comes twice.
        command.args(["-n", &count.to_string(), "-r", "1000000000"]);
        command.args(["EVALSHA", &self.script, "1", "seat:__rand_int__", "__rand_int__", "300000"]);
        let printed = run(&mut command)?;
        let cells = printed.lines().last().map(|line| line.split("\",\""));
        let rate = cells.and_then(|mut cells| cells.nth(1)).context("no rate")?;
        rate.trim_matches('"').parse().with_context(|| format!("no rate in {printed}"))
    }

    fn forget_all(&self) -> anyhow::Result<()> {
        let mut command = Command::new(find("redis-cli")?);
        run(command.arg("-s").arg(&self.socket).args(["FLUSHALL", "SYNC"])).map(drop)
    }
}

/// Holds seats on a server.
pub(crate) struct Client<'s> {
    server: &'s Server,
    choices: &'static [(u32, u32)],
    /// The fastest choice, and its rate.
    best: Option<((u32, u32), f64)>,
}

impl Rival for Client<'_> {
    fn holds_per_second(&mut self, seconds: u64) -> anyhow::Result<f64> {
        self.server.forget_all()?;
        let (choice, expected) = match self.best {
            Some(best) => best,
            None => {
                let mut best = (self.choices[0], 0.0);
                for &choice in self.choices {
                    let rate = self.server.hold(choice, PROBE)?;
                    best = if rate > best.1 { (choice, rate) } else { best };
                }
                *self.best.insert(best)
            }
        };
        self.server.hold(choice, (expected * seconds as f64) as u64)
    }
}
