//! A small disk for the data directory that can be filled: a tmpfs in a mount namespace of its own,
//! which needs no privileges. A holder process keeps the namespace, so the disk outlives the server;
//! everybody else reaches it through the holder's `/proc/PID/root`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FallocateFlags, fallocate};
use rustix::io::Errno;

use crate::chaos::process::Owned;

/// The server refuses holds below 256 MiB and keeps 64 MiB for bad days; the rest is for its log.
const DISK: &str = "size=768m,mode=700";
/// A page of a tmpfs: what is smaller fits nowhere.
const PAGE_BYTES: u64 = 4 << 10;
/// Filled at once; others have their turn in between.
const PIECE_BYTES: u64 = 16 << 20;

/// A disk that goes with its holder.
pub(crate) struct Disk {
    /// Ends when its input does, so also with this process.
    _holder: Owned,
    root: PathBuf,
}

impl Disk {
    /// Makes one over a directory.
    ///
    /// # Errors
    /// Why the system allows none.
    pub(crate) fn make(over: &Path) -> Result<Disk, String> {
        // Whoever is root may mount where users may not.
        let as_user = Disk::mount(&["--user", "--map-root-user", "--mount"], over);
        as_user.or_else(|why| Disk::mount(&["--mount"], over).map_err(|_| why))
    }

    fn mount(namespaces: &[&str], over: &Path) -> Result<Disk, String> {
        let script =
            format!("mount -t tmpfs -o {DISK} tiketi-chaos \"$0\" && echo made && exec cat");
        let mut command = Command::new("unshare");
        command.args(namespaces).args(["sh", "-c", &script]).arg(over);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut holder = Owned::spawn(&mut command).map_err(|error| format!("unshare: {error}"))?;
        let mut said = String::new();
        if let Some(stdout) = holder.0.stdout.take() {
            BufReader::new(stdout).read_line(&mut said).map_err(|error| error.to_string())?;
        }
        if said.trim() != "made" {
            let mut why = String::new();
            if let Some(mut stderr) = holder.0.stderr.take() {
                stderr.read_to_string(&mut why).map_err(|error| error.to_string())?;
            }
            return Err(why.trim().replace('\n', "; "));
        }
        let inside = over.strip_prefix("/").map_err(|error| error.to_string())?;
        let root = PathBuf::from(format!("/proc/{}/root", holder.0.id())).join(inside);
        let disk = Disk { _holder: holder, root };
        let reached = std::fs::create_dir(disk.data());
        reached.map_err(|error| format!("the disk cannot be reached: {error}"))?;
        Ok(disk)
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.root.join("data")
    }

    fn filler(&self) -> PathBuf {
        self.root.join("filler")
    }

    /// Leaves no room at all.
    ///
    /// # Errors
    /// What the system says, but for that it is full.
    pub(crate) async fn fill(&self) -> std::io::Result<()> {
        let filler = File::options().create(true).append(true).open(self.filler())?;
        let mut at = filler.metadata()?.len();
        let mut piece = PIECE_BYTES;
        while piece >= PAGE_BYTES {
            match fallocate(&filler, FallocateFlags::empty(), at, piece) {
                Ok(()) => at += piece,
                Err(Errno::NOSPC) => piece /= 2,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// Gives the room back.
    ///
    /// # Errors
    /// What the system says.
    pub(crate) fn free(&self) -> std::io::Result<()> {
        match std::fs::remove_file(self.filler()) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}
