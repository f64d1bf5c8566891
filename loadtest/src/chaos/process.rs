//! The server as a process of ours, and every other one: whatever happens here, none is left behind.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::sync::oneshot;

/// A server that takes longer to start, or to stop, does not come back.
pub(crate) const COME_BACK: Duration = Duration::from_secs(30);
/// How often it is seen whether a process has ended.
const LOOK: Duration = Duration::from_millis(10);

/// A child that is killed, by its process id, where nobody has waited for its end.
pub(crate) struct Owned(pub(crate) Child);

impl Owned {
    /// Starts it in a group of its own: a Ctrl-C at the terminal is not meant for it.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn spawn(command: &mut Command) -> std::io::Result<Owned> {
        command.process_group(0).spawn().map(Owned)
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // It may have ended by itself.
        let _ = kill_process(Pid::from_child(&self.0), signal);
    }

    /// How it has ended, if it has.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }

    /// Waits for its end, for so long.
    pub(crate) async fn end_within(&mut self, patience: Duration) -> Option<ExitStatus> {
        let last = Instant::now() + patience;
        while Instant::now() < last {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            tokio::time::sleep(LOOK).await;
        }
        None
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// How a server is started.
pub(crate) struct Launch {
    pub(crate) program: PathBuf,
    pub(crate) data: PathBuf,
    /// What it says is kept here.
    pub(crate) words: PathBuf,
    /// Email and password.
    pub(crate) administrator: (String, String),
}

impl Launch {
    /// Starts the server and waits until it serves; returns where.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not serve after [`COME_BACK`].
    ///
    /// # Cancel safety
    /// The process is killed.
    pub(crate) async fn start(&self) -> anyhow::Result<(Owned, SocketAddr)> {
        let mut process = Owned::spawn(&mut self.command()?)
            .with_context(|| format!("cannot start {}", self.program.display()))?;
        let stdout = process.0.stdout.take().context("the server has no output")?;
        let (tell, told) = oneshot::channel();
        // It also empties the pipe, so that a talkative server does not stand still.
        std::thread::Builder::new()
            .name("server's words".to_owned())
            .spawn(move || listen(stdout, tell))?;
        match tokio::time::timeout(COME_BACK, told).await {
            Ok(Ok(address)) => Ok((process, address)),
            Ok(Err(_)) => {
                let status = process.end_within(COME_BACK).await;
                let how =
                    status.map_or("closed its output".to_owned(), |status| status.to_string());
                anyhow::bail!("the server ended ({how}) instead of serving{}", self.last_words())
            }
            Err(_) => anyhow::bail!(
                "the server does not serve after {} s{}",
                COME_BACK.as_secs(),
                self.last_words()
            ),
        }
    }

    fn command(&self) -> anyhow::Result<Command> {
        let words = File::options().create(true).append(true).open(&self.words);
        let words = words.with_context(|| format!("cannot write {}", self.words.display()))?;
        let mut command = Command::new(&self.program);
        command
            .args(["--listen", "127.0.0.1:0", "--no-sample-data", "--rate-limit", "off"])
            .args(["--log", "warn,sled=off"])
            // The relay is one address.
            .args(["--max-connections", "1000000", "--max-connections-per-address", "1000000"])
            .arg("--data")
            .arg(&self.data)
            .env("ADMIN_EMAIL", &self.administrator.0)
            .env("ADMIN_PASSWORD", &self.administrator.1)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(words);
        Ok(command)
    }

    fn last_words(&self) -> String {
        last_line(&self.words).map_or_else(String::new, |line| format!(": {line}"))
    }
}

/// Tells the first address that the server says it is at.
fn listen(stdout: ChildStdout, tell: oneshot::Sender<SocketAddr>) {
    let mut tell = Some(tell);
    for line in BufReader::new(stdout).lines().map_while(Result::ok) {
        let address = line.rsplit_once("http://").and_then(|(_, text)| text.trim().parse().ok());
        if let Some(address) = address
            && let Some(tell) = tell.take()
        {
            // Nobody waits for a server that came too late.
            let _ = tell.send(address);
        }
    }
}

/// The last line of a file that is not empty.
fn last_line(path: &Path) -> Option<String> {
    const READ_BYTES_MAX: u64 = 1 << 20;
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(READ_BYTES_MAX).read_to_end(&mut bytes).ok()?;
    let text = String::from_utf8_lossy(&bytes);
    text.lines().rfind(|line| !line.trim().is_empty()).map(|line| line.trim().to_owned())
}

/// The program that was named, or the one beside this executable, or in `PATH`.
///
/// # Errors
/// There is none.
pub(crate) fn find(name: &str, flag: &str, given: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = given {
        anyhow::ensure!(path.is_file(), "--{flag} {}: there is no such program", path.display());
        return Ok(path.to_owned());
    }
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join(name)));
    let paths = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&paths).map(|directory| directory.join(name));
    let found = beside.into_iter().chain(in_path).find(|path| path.is_file());
    found
        .with_context(|| format!("no {name} beside this program or in PATH: name it with --{flag}"))
}
