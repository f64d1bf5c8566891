//! What the tests need from the machine: a turn, tools, disks that can lose their power.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, Once};

use tiketi_engine::command::NewUser;
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::UnixMillis;
use tiketi_engine::record::Role;
use tiketi_persistence::{Options, StoreKind};

use crate::check::{now_ms, until};

/// A turn: the tests that load the machine run one at a time.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    // Another test's failure is no failure of this one.
    TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// So many cycles, times `TIKETI_FAULTS_SCALE`.
pub(crate) fn scaled(cycles: usize) -> usize {
    let scale = std::env::var("TIKETI_FAULTS_SCALE").ok().and_then(|scale| scale.parse().ok());
    cycles * scale.unwrap_or(1)
}

/// Says loudly that a proof did not take place.
pub(crate) fn skipped(proof: &str, why: &str) {
    let line = "!".repeat(78);
    let text = format!(
        "\n{line}\n!!! SKIPPED: {proof}\n!!! {why}\n!!! It proves nothing in this run.\n{line}\n"
    );
    // The macros' output is hidden by the test harness where a test passes; this is not.
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Whether `strace` can trace here.
pub(crate) fn can_trace() -> Result<(), String> {
    let traced = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).output();
    match traced {
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(format!("strace cannot trace: {}", words(&output))),
        Err(error) => Err(format!("strace: {error}")),
    }
}

/// Both what a command printed and what it complained of, on one line.
fn words(output: &Output) -> String {
    let text = [&output.stdout[..], b" ", &output.stderr].concat();
    String::from_utf8_lossy(&text).trim().replace('\n', "; ")
}

/// Runs a tool to its end.
pub(crate) fn run(tool: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(tool).args(args).output();
    let output = output.map_err(|error| format!("{tool}: {error}"))?;
    match output.status.success() {
        true => Ok(words(&output)),
        false => Err(format!("{tool} {}: {}", args.join(" "), words(&output))),
    }
}

/// The administrator's command, from the gateway's own build; built where it is missing or older.
fn tiketi() -> PathBuf {
    static BUILT: Once = Once::new();
    let gateway = Path::new(env!("CARGO_BIN_EXE_tiketi-gateway"));
    let tiketi = gateway.with_file_name("tiketi");
    BUILT.call_once(|| {
        let made = |path: &Path| path.metadata().and_then(|found| found.modified()).ok();
        if made(&tiketi).is_some_and(|at| Some(at) >= made(gateway)) {
            return;
        }
        let profile = gateway.parent().and_then(Path::file_name).unwrap_or_default();
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--package", "tiketi-cli"]);
        if profile != "debug" {
            cargo.arg("--profile").arg(profile);
        }
        let target = gateway.ancestors().nth(2).expect("target directory");
        cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
        let output = cargo.output().expect("cargo");
        assert!(output.status.success(), "{cargo:?}: {}", String::from_utf8_lossy(&output.stderr));
    });
    tiketi
}

/// Runs `tiketi` on a data directory.
pub(crate) fn tiketi_on(data: &Path, command: &[&str]) -> Output {
    let mut tiketi = Command::new(tiketi());
    tiketi.args(command).arg(data);
    tiketi.output().unwrap_or_else(|error| panic!("{tiketi:?}: {error}"))
}

/// Begins a snapshot with `tiketi`; killed when dropped.
pub(crate) fn begin_snapshot(data: &Path) -> impl Drop {
    struct Tool(std::process::Child);
    impl Drop for Tool {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let mut tiketi = Command::new(tiketi());
    tiketi.arg("snapshot").arg(data).stdout(Stdio::null()).stderr(Stdio::null());
    Tool(tiketi.spawn().unwrap_or_else(|error| panic!("{tiketi:?}: {error}")))
}

/// `tiketi log verify` and `tiketi audit` find nothing wrong.
pub(crate) fn audit(data: &Path) {
    for command in [&["log", "verify"][..], &["audit"]] {
        let output = tiketi_on(data, command);
        let said = words(&output);
        assert!(output.status.success(), "tiketi {}: {}: {said}", command.join(" "), output.status);
    }
}

/// Ends the current generation and waits for its snapshot, as a server does after 180 MB; then logs
/// a record, so that the next generation is in use.
pub(crate) fn rotate(data: &Path, store: &str) {
    let mut options = Options::new(data);
    options.store = store.parse::<StoreKind>().expect("a store");
    let snapshots = || {
        let names = std::fs::read_dir(data.join("snapshot")).expect("snapshots");
        let mut names: Vec<_> = names.map(|entry| entry.expect("entry").file_name()).collect();
        names.retain(|name| !name.to_string_lossy().ends_with(".new"));
        names.sort();
        names
    };
    let before = snapshots();
    let opened = tiketi_persistence::open(&options, UnixMillis(now_ms())).expect("open");
    opened.journal.end_generation();
    until("the generation ends with a snapshot", || snapshots() != before);
    let engine = Engine::from_state(&opened.state, Arc::clone(&opened.journal)).expect("engine");
    let user = NewUser {
        email: format!("operator-{}@faults.test", opened.state.lsn()),
        password_hash: "none".to_owned(),
        name: "operator".to_owned(),
        phone: None,
        role: Role::User,
        tag: 1,
    };
    let pending = engine.register_user(user.check().expect("valid"), opened.state.last_at());
    opened.journal.committed_blocking(pending.expect("registered")).expect("durable");
    opened.journal.close().expect("close");
}

/// The number of the newest generation, from 1.
pub(crate) fn newest_generation(data: &Path) -> u64 {
    let names = std::fs::read_dir(data.join("log")).expect("generations");
    let number = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = entry.expect("entry").file_name().to_string_lossy().into_owned();
        let digits = name.bytes().take_while(u8::is_ascii_digit).count();
        name[..digits].parse::<u64>().ok()
    };
    names.filter_map(number).max().expect("a generation")
}

/// An ext4 file system in a file, which can lose its power.
pub(crate) struct LoopDisk {
    // Dropped last.
    dir: tempfile::TempDir,
    mounted: bool,
}

impl LoopDisk {
    /// Needs root and loop devices.
    pub(crate) fn make(bytes: u64) -> Result<LoopDisk, String> {
        if !rustix::process::geteuid().is_root() {
            return Err("it takes root to mount a file system".to_owned());
        }
        let dir = tempfile::tempdir().expect("directory");
        let mut disk = LoopDisk { dir, mounted: false };
        std::fs::create_dir(disk.mount_point()).expect("directory");
        let image = std::fs::File::create(disk.image()).expect("image");
        image.set_len(bytes).expect("sparse file");
        let image = disk.image();
        run("mkfs.ext4", &["-q", "-F", "-m", "0", text(&image)])?;
        disk.mount()?;
        Ok(disk)
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    pub(crate) fn mount_point(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    pub(crate) fn data(&self) -> PathBuf {
        self.mount_point().join("data")
    }

    fn mount(&mut self) -> Result<(), String> {
        let (image, point) = (self.image(), self.mount_point());
        run("mount", &["-t", "ext4", "-o", "loop,noatime", text(&image), text(&point)])?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) {
        let point = self.mount_point();
        until("the disk is unmounted", || run("umount", &[text(&point)]).is_ok());
        // The kernel lets go of the loop device in its own time, and two of them on one image would
        // write over each other.
        let image = self.image();
        until("the loop device is gone", || {
            run("losetup", &["-j", text(&image)]).is_ok_and(|devices| devices.trim().is_empty())
        });
        self.mounted = false;
    }

    /// Nothing that was not synced reaches the disk any more, from this instant.
    pub(crate) fn cut(&self) -> Result<(), String> {
        shutdown(&self.mount_point())
    }

    /// The power is back: mounts again, which replays the file system's own journal.
    pub(crate) fn replug(&mut self) {
        self.unmount();
        self.mount().expect("mount after a cut");
    }
}

impl Drop for LoopDisk {
    fn drop(&mut self) {
        if self.mounted {
            let _ = run("umount", &["-l", text(&self.mount_point())]);
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

/// `EXT4_IOC_SHUTDOWN` with `NOLOGFLUSH`, by the first tool that is here: the call needs no C, but
/// it needs `unsafe`, which these crates do without.
fn shutdown(mount_point: &Path) -> Result<(), String> {
    const PERL: &str = "open(my $d, '<', $ARGV[0]) or die $!; my $f = pack('L', 2); \
                        ioctl($d, 0x8004587d, $f) or die $!;";
    const PYTHON: &str = "import fcntl,os,struct,sys; \
                          fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587d, struct.pack('I', 2))";
    let point = text(mount_point);
    let perl = run("perl", &["-e", PERL, point]);
    let python = || run("python3", &["-c", PYTHON, point]);
    perl.or_else(|no_perl| python().map_err(|no_python| format!("{no_perl}; {no_python}")))
        .map(drop)
}
