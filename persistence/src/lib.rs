//! The journal: one log with group commit, snapshots and recovery.
//!
//! [`open()`] gives back the recovered [`State`](tiketi_engine::state::State) and a
//! [`GroupCommit`], which is the engine's
//! [`Journal`](tiketi_engine::journal::Journal); a [`View`] follows its [`CommitStream`]. The bytes
//! on disk are in `FORMAT.md`.
//!
//! Reading order: [`codec`] and [`batch`] are the bytes, [`storage`] and [`disk`] where they go
//! ([`sled_store`], [`segment_store`]), [`mark`] what guards their end, [`group_commit`] how they get
//! there, [`watermark`] and [`commit_stream`] who is told, [`recovery`], [`snapshot`] and
//! [`snapshot_maker`] how they come back, [`defect`] what may be wrong with them, [`view`] who follows, [`reader`] who looks on.

#![warn(missing_docs)]

pub mod batch;
pub mod codec;
pub mod commit_stream;
pub mod data_dir;
pub mod defect;
pub mod disk;
pub mod error;
pub mod group_commit;
pub mod layout;
pub mod mark;
mod open;
mod options;
pub mod reader;
pub mod recovery;
pub mod segment_store;
pub mod sim_store;
pub mod sled_store;
pub mod snapshot;
pub mod snapshot_maker;
pub mod storage;
pub mod view;
pub mod watermark;

pub use commit_stream::{CommitStream, CommittedBatch, Subscription, WhenFull};
pub use data_dir::DirLock;
pub use defect::Refusal;
pub use error::{FATAL_EXIT_CODE, Fatal, FatalHook, OpenError};
pub use group_commit::GroupCommit;
pub use open::{Opened, open, open_on};
pub use options::{Housekeeping, Options};
pub use reader::{LogReader, make_snapshot};
pub use recovery::RecoveryReport;
pub use storage::StoreKind;
pub use view::View;
pub use watermark::{Poisoned, Watermark};
