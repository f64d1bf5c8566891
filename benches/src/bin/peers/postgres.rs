//! PostgreSQL: one statement a hold, prepared, driven by `pgbench` over a unix socket.

use std::cell::Cell;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::Rival;
use crate::process::{Running, find, once_it_answers, run};

/// The fastest of these is taken.
const CONNECTIONS: [u32; 3] = [16, 32, 64];
/// Seconds with which it is found.
const PROBE: u64 = 2;
/// Seats that one connection has to itself in one run.
const SEATS_EACH: u32 = 20_000;
const SEATS: u32 = 10_000_000;
/// PostgreSQL does not run as root.
const USER: &str = "postgres";

const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "max_connections=100",
    "shared_buffers=1GB",
    "max_wal_size=8GB",
    "checkpoint_timeout=30min",
    "autovacuum=off",
    "jit=off",
    "fsync=on",
    "synchronous_commit=on",
];

/// How a seat is taken.
#[derive(Clone, Copy)]
pub(crate) enum Statement {
    /// A seat that the buyer chose, unless somebody has it.
    ConditionalUpdate,
    /// Any free seat that nobody else is looking at.
    SkipLocked,
}

impl Statement {
    fn script(self) -> &'static str {
        match self {
            Statement::ConditionalUpdate => {
                "\\set n :n + 1\n\\set seat :first + :client_id * 20000 + :n\n\
                 UPDATE seats SET holder = :client_id, until = now() + interval '5 minutes' \
                 WHERE id = :seat AND holder IS NULL;\n"
            }
            Statement::SkipLocked => {
                "UPDATE free_seats SET holder = :client_id, until = now() + interval '5 minutes' \
                 WHERE id = (SELECT id FROM free_seats WHERE holder IS NULL LIMIT 1 \
                 FOR UPDATE SKIP LOCKED);\n"
            }
        }
    }
}

/// A server in a directory of its own.
pub(crate) struct Server {
    dir: tempfile::TempDir,
    /// The first seat that no run has used.
    next: Cell<u32>,
    _running: Running,
}

impl Server {
    pub(crate) fn start(dir: &Path) -> anyhow::Result<Server> {
        let dir = tempfile::tempdir_in(dir)?;
        if is_root()? {
            run(Command::new("chown").arg(USER).arg(dir.path()))?;
        }
        let data = dir.path().join("data");
        run(as_user("initdb")?.arg("--pgdata").arg(&data).args(["--auth=trust", "--no-sync"]))?;
        let mut command = as_user("postgres")?;
        command.arg("-D").arg(&data).arg("-k").arg(dir.path());
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        let log = fs::File::create(dir.path().join("log"))?;
        let running = Running(command.stdout(Stdio::null()).stderr(log).spawn()?);
        let server = Server { dir, next: Cell::new(0), _running: running };
        once_it_answers(|| server.sql("SELECT 1"))?;
        server.sql(&format!(
            "CREATE TABLE seats (id integer PRIMARY KEY, holder integer, until timestamptz) \
             WITH (fillfactor = 60); \
             INSERT INTO seats SELECT generate_series(0, {SEATS} - 1); \
             CREATE TABLE free_seats (id integer PRIMARY KEY, holder integer, until timestamptz); \
             CREATE INDEX free ON free_seats (id) WHERE holder IS NULL;"
        ))?;
        Ok(server)
    }

    pub(crate) fn version(&self) -> anyhow::Result<String> {
        Ok(format!("PostgreSQL {}", self.sql("SHOW server_version")?.trim()))
    }

    pub(crate) fn client(&self, statement: Statement) -> Client<'_> {
        Client { server: self, statement, connections: None }
    }

    fn sql(&self, statement: &str) -> anyhow::Result<String> {
        let mut command = as_user("psql")?;
        command.arg("-h").arg(self.dir.path()).args(["-d", "postgres", "-X", "-q", "-A", "-t"]);
        run(command.args(["-v", "ON_ERROR_STOP=1", "-c", statement]))
    }

    fn hold(&self, statement: Statement, connections: u32, seconds: u64) -> anyhow::Result<f64> {
        let script = self.dir.path().join("hold.sql");
        fs::write(&script, statement.script())?;
        let used = match statement {
            Statement::ConditionalUpdate => connections * SEATS_EACH,
            Statement::SkipLocked => 0,
        };
        let first = self.next.replace(self.next.get() + used);
        anyhow::ensure!(self.next.get() <= SEATS, "out of seats: fewer rounds, please");
        let mut command = as_user("pgbench")?;
        command.arg("-h").arg(self.dir.path()).args(["-n", "-M", "prepared", "-j", "1"]);
        command.args(["-c", &connections.to_string(), "-T", &seconds.to_string()]);
        command.args(["-D", "n=0", "-D", &format!("first={first}")]);
        let printed = run(command.arg("-f").arg(&script).arg("postgres"))?;
        let rate = printed.lines().find_map(|line| line.strip_prefix("tps = "));
        let rate = rate.and_then(|rate| rate.split_whitespace().next()).context("no rate")?;
        rate.parse().with_context(|| format!("no rate in {printed}"))
    }

    /// Free seats for a run of [`Statement::SkipLocked`].
    fn free_again(&self) -> anyhow::Result<()> {
        self.sql(
            "TRUNCATE free_seats; INSERT INTO free_seats SELECT generate_series(1, 500000); \
             ANALYZE free_seats; CHECKPOINT;",
        )
        .map(drop)
    }
}

/// Holds seats on a server.
pub(crate) struct Client<'s> {
    server: &'s Server,
    statement: Statement,
    connections: Option<u32>,
}

impl Client<'_> {
    fn run(&self, connections: u32, seconds: u64) -> anyhow::Result<f64> {
        if let Statement::SkipLocked = self.statement {
            self.server.free_again()?;
        }
        self.server.hold(self.statement, connections, seconds)
    }
}

impl Rival for Client<'_> {
    fn holds_per_second(&mut self, seconds: u64) -> anyhow::Result<f64> {
        let connections = match self.connections {
            Some(connections) => connections,
            None => {
                let mut best = (CONNECTIONS[0], 0.0);
                for connections in CONNECTIONS {
                    let rate = self.run(connections, PROBE)?;
                    best = if rate > best.1 { (connections, rate) } else { best };
                }
                *self.connections.insert(best.0)
            }
        };
        self.run(connections, seconds)
    }
}

/// A program of PostgreSQL, as somebody who may run it.
fn as_user(program: &str) -> anyhow::Result<Command> {
    let program: PathBuf = find(program)?;
    if !is_root()? {
        return Ok(Command::new(program));
    }
    let mut command = Command::new("runuser");
    command.args(["-u", USER, "--"]).arg(program);
    Ok(command)
}

fn is_root() -> anyhow::Result<bool> {
    Ok(run(Command::new("id").arg("-u"))?.trim() == "0")
}
