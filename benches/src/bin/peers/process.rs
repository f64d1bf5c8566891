//! Programs of others: found, started, ended.

use std::path::PathBuf;
use std::process::{Child, Command, Output};

use anyhow::Context;

/// Where Debian keeps the programs that are not for everybody's path.
const HIDDEN: &[&str] = &["/usr/lib/postgresql/15/bin", "/usr/lib/postgresql/16/bin"];

/// A program of the path or of [`HIDDEN`].
///
/// # Errors
/// It is not installed.
pub(crate) fn find(program: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let hidden = HIDDEN.iter().map(PathBuf::from);
    let found = std::env::split_paths(&path).chain(hidden).map(|dir| dir.join(program));
    found
        .into_iter()
        .find(|file| file.is_file())
        .with_context(|| format!("{program} is not installed; deploy/peers.sh installs it"))
}

/// What a command printed.
///
/// # Errors
/// It cannot be run, or says that it failed.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<String> {
    let Output { status, stdout, stderr } =
        command.output().with_context(|| format!("cannot run {command:?}"))?;
    let errors = String::from_utf8_lossy(&stderr);
    anyhow::ensure!(status.success(), "{command:?}: {status}: {errors}");
    Ok(String::from_utf8(stdout)?)
}

/// A server, ended with this value.
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Tries until it works, for ten seconds.
///
/// # Errors
/// What it said last.
pub(crate) fn once_it_answers<T>(try_it: impl Fn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    const TRIES: u32 = 100;
    for _ in 1..TRIES {
        if let Ok(done) = try_it() {
            return Ok(done);
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    try_it()
}
