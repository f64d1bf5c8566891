//! Starts the built gateway, waits for its address, and ends it by its process id.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::http::Client;

/// Longer than any start or end takes on a busy machine; reaching it means that it hangs.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

const GATEWAY: &str = env!("CARGO_BIN_EXE_tiketi-gateway");

/// Signs the tokens of every test, so that they outlive restarts.
const JWT_SECRET: &str = "the faults tests sign their tokens with this";

/// How a gateway is started.
#[derive(Clone, Debug)]
pub(crate) struct Launch {
    data: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    /// Arguments of `strace`, where it traces the gateway.
    strace: Vec<String>,
}

impl Launch {
    /// Without rate limits and sample data, on a free port.
    pub(crate) fn new(data: impl AsRef<Path>) -> Self {
        Launch {
            data: data.as_ref().to_owned(),
            args: Vec::new(),
            env: Vec::new(),
            strace: Vec::new(),
        }
    }

    pub(crate) fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    pub(crate) fn store(self, store: &str) -> Self {
        self.arg("--log-store").arg(store)
    }

    /// Generations so small that they end, and snapshots are made, while clients are at work.
    pub(crate) fn small_generations(self) -> Self {
        self.arg("--generation-bytes").arg((16 << 10).to_string())
    }

    pub(crate) fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// Under `strace` with these arguments. It traces from outside (`-D`), so that the process that
    /// is started is the gateway.
    pub(crate) fn strace(mut self, args: &[&str]) -> Self {
        self.strace = ["-D", "-f", "-qq", "-o", "/dev/null"].map(str::to_owned).to_vec();
        self.strace.extend(args.iter().map(|&arg| arg.to_owned()));
        self
    }

    pub(crate) fn spawn(&self) -> Process {
        let mut command = match self.strace.is_empty() {
            true => Command::new(GATEWAY),
            false => {
                let mut command = Command::new("strace");
                command.args(&self.strace).arg(GATEWAY);
                command
            }
        };
        let words = tempfile::tempfile().expect("temporary file");
        let stderr = words.try_clone().expect("descriptor");
        command
            .args(["--listen", "127.0.0.1:0", "--no-sample-data", "--rate-limit", "off"])
            .args(["--jwt-secret", JWT_SECRET, "--log", "warn,sled=off", "--data"])
            .arg(&self.data)
            .args(&self.args)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr);
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = child.stdout.take().expect("piped");
        let (to_test, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Nobody may listen any more; the pipe is emptied all the same.
                let _ = to_test.send(line);
            }
        });
        Process { child, lines, words }
    }

    /// Waits until it serves, or has ended.
    pub(crate) fn start(&self) -> Result<Server, Ended> {
        self.spawn().serving()
    }

    /// As [`Launch::start`]; ending is a failure.
    pub(crate) fn must_start(&self) -> Server {
        match self.start() {
            Ok(server) => server,
            Err(ended) => panic!("the start was refused: {ended}"),
        }
    }
}

/// A gateway that was started. Killed when dropped.
pub(crate) struct Process {
    child: Child,
    lines: Receiver<String>,
    words: File,
}

/// How a process has ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stderr: String,
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}, stderr:\n{}", self.status, self.stderr)
    }
}

impl Process {
    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.child), signal);
    }

    /// `kill -9`, and waits for the end.
    pub(crate) fn kill(mut self) -> Ended {
        let _ = self.child.kill();
        self.ended()
    }

    /// Waits for it to end by itself.
    pub(crate) fn ended(&mut self) -> Ended {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return Ended { status, stderr: self.stderr() };
            }
            if Instant::now() > until {
                let _ = self.child.kill();
                let stderr = self.stderr();
                panic!("the gateway has not ended after {PATIENCE:?}; stderr:\n{stderr}");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_some()
    }

    pub(crate) fn stderr(&self) -> String {
        let length = self.words.metadata().expect("size").len();
        let mut bytes = vec![0; length as usize];
        // Read by position: the descriptor shares the writer's.
        self.words.read_exact_at(&mut bytes, 0).expect("read");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Waits until it serves, or has ended.
    pub(crate) fn serving(mut self) -> Result<Server, Ended> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => {
                let address = line.rsplit_once("http://").and_then(|(_, text)| text.parse().ok());
                let Some(address) = address else { panic!("no address in {line:?}") };
                Ok(Server { process: self, address })
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.ended()),
            Err(RecvTimeoutError::Timeout) => {
                let stderr = self.stderr();
                panic!("the gateway neither serves nor ends after {PATIENCE:?}; stderr:\n{stderr}")
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A gateway that serves.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
}

impl Server {
    pub(crate) fn client(&self) -> Client {
        Client::new(self.address)
    }

    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// SIGTERM, and waits for the end.
    pub(crate) fn stop(mut self) -> Ended {
        self.process.signal(Signal::TERM);
        self.process.ended()
    }

    /// As [`Server::stop`]; the end must be an orderly one.
    pub(crate) fn must_stop(self) {
        let ended = self.stop();
        assert!(ended.status.success(), "the gateway did not stop in order: {ended}");
    }
}
