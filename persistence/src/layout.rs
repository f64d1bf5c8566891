//! What is where in the data directory.

use std::path::{Path, PathBuf};

/// Where everything is.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
}

pub(crate) const LOCK: &str = "lock";
pub(crate) const VERSION: &str = "version";
pub(crate) const MARK: &str = "mark";
pub(crate) const BALLAST: &str = "ballast";
pub(crate) const LOG: &str = "log";
pub(crate) const SNAPSHOTS: &str = "snapshot";

impl Layout {
    /// The layout under `dir`.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Layout { dir: dir.into() }
    }

    /// The directory itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The lock file.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.dir.join(LOCK)
    }

    /// The version file.
    #[must_use]
    pub fn version(&self) -> PathBuf {
        self.dir.join(VERSION)
    }

    /// The mark.
    #[must_use]
    pub fn mark(&self) -> PathBuf {
        self.dir.join(MARK)
    }

    /// The ballast.
    #[must_use]
    pub fn ballast(&self) -> PathBuf {
        self.dir.join(BALLAST)
    }

    /// The directory of the generations.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.dir.join(LOG)
    }

    /// The directory of the snapshots.
    #[must_use]
    pub fn snapshots(&self) -> PathBuf {
        self.dir.join(SNAPSHOTS)
    }
}
