//! The mark: how far the log was durable, kept outside the log.
//!
//! Checksums inside a log cannot show that its end is missing. The mark can: after a batch is
//! synced and before it is acknowledged, a slot with its last LSN and hash is written to a second
//! file and synced. So `acknowledged <= mark <= log`; a log that ends before its mark has lost
//! records, and whatever stands after the mark was never acknowledged.
//!
//! It is written after the batch's sync, never beside it: a mark that could become durable first
//! would refuse the start after an ordinary crash. The writer overlaps it with the next batch.

use std::io;
use std::path::Path;

use tiketi_engine::ids::{Epoch, Lsn};

use crate::batch::BatchHash;
use crate::disk::{Disk, DiskFile, OpenMode};

/// Bytes of one slot.
pub const SLOT_BYTES: usize = 32;

/// Slots in the file; written in turn, so that neighbours in time are in different sectors.
pub const SLOTS: usize = 128;

/// Bytes of the file.
pub const MARK_BYTES: usize = SLOT_BYTES * SLOTS;

const SECTOR_BYTES: usize = 512;
const SECTORS: usize = MARK_BYTES / SECTOR_BYTES;
const HASH_BYTES: usize = 12;

/// A durable point of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Who wrote the batch.
    pub epoch: Epoch,
    /// Its last record.
    pub last_lsn: Lsn,
    /// The first bytes of its hash.
    pub chain: [u8; HASH_BYTES],
}

impl Mark {
    /// The mark after a batch.
    #[must_use]
    pub fn new(epoch: Epoch, last_lsn: Lsn, hash: BatchHash) -> Self {
        let mut chain = [0; HASH_BYTES];
        chain.copy_from_slice(&hash.0[..HASH_BYTES]);
        Mark { epoch, last_lsn, chain }
    }

    /// Whether a batch with this hash is the one the mark was written after.
    #[must_use]
    pub fn is_of(&self, hash: BatchHash) -> bool {
        self.chain == hash.0[..HASH_BYTES]
    }

    /// One slot.
    #[must_use]
    pub fn encode(&self) -> [u8; SLOT_BYTES] {
        let mut slot = [0; SLOT_BYTES];
        slot[0..8].copy_from_slice(&self.epoch.0.to_le_bytes());
        slot[8..16].copy_from_slice(&self.last_lsn.0.to_le_bytes());
        slot[16..28].copy_from_slice(&self.chain);
        let crc = crc32c::crc32c(&slot[..28]);
        slot[28..32].copy_from_slice(&crc.to_le_bytes());
        slot
    }

    /// Reads one slot; `None` where its checksum does not match.
    #[must_use]
    pub fn decode(slot: &[u8; SLOT_BYTES]) -> Option<Mark> {
        let (fields, crc) = slot.split_at(28);
        if crc != crc32c::crc32c(fields).to_le_bytes() {
            return None;
        }
        let u64_at = |at: usize| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&slot[at..at + 8]);
            u64::from_le_bytes(bytes)
        };
        let mut chain = [0; HASH_BYTES];
        chain.copy_from_slice(&slot[16..28]);
        Some(Mark { epoch: Epoch(u64_at(0)), last_lsn: Lsn(u64_at(8)), chain })
    }
}

/// What the mark's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MarkRead {
    /// There is no such file.
    Missing,
    /// The file has another size, or a bad slot where no interrupted write can have left one.
    Damaged,
    /// No slot was written yet.
    Blank,
    /// The newest slot.
    At(Mark),
}

/// Reads the mark's file.
///
/// The slot after the newest may be bad: a write that was interrupted leaves it so, and what it
/// was to say was not acknowledged. Any other bad slot makes the file [`MarkRead::Damaged`].
///
/// # Errors
/// Whatever the system reports.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<MarkRead> {
    let Some(bytes) = disk.read_file(path)? else {
        return Ok(MarkRead::Missing);
    };
    Ok(match Slots::parse(&bytes) {
        Some(slots) => slots.verdict(),
        None => MarkRead::Damaged,
    })
}

/// The slots of a file, sorted out.
struct Slots {
    newest: Option<Mark>,
    /// The turn after the newest.
    next: usize,
    bad: Vec<usize>,
}

impl Slots {
    fn parse(bytes: &[u8]) -> Option<Slots> {
        if bytes.len() != MARK_BYTES {
            return None;
        }
        let mut slots = Slots { newest: None, next: 0, bad: Vec::new() };
        for turn in 0..SLOTS {
            let slot = bytes[offset(turn)..].first_chunk::<SLOT_BYTES>()?;
            if *slot == [0; SLOT_BYTES] {
                continue;
            }
            match Mark::decode(slot) {
                None => slots.bad.push(turn),
                Some(mark) if slots.newest.is_none_or(|newest| newest.last_lsn < mark.last_lsn) => {
                    slots.newest = Some(mark);
                    slots.next = (turn + 1) % SLOTS;
                }
                Some(_) => {}
            }
        }
        Some(slots)
    }

    fn verdict(&self) -> MarkRead {
        if self.bad.iter().any(|&turn| turn != self.next) {
            return MarkRead::Damaged;
        }
        self.newest.map_or(MarkRead::Blank, MarkRead::At)
    }
}

/// Makes a blank mark, durable on return.
///
/// # Errors
/// Whatever the system reports.
pub fn create(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    // Written and not merely allocated, so that no later sync has to change the file's metadata.
    disk.write_file_durably(path, &[0; MARK_BYTES])
}

/// The mark's file, open to write.
pub(crate) struct MarkFile {
    file: Box<dyn DiskFile>,
    turn: usize,
}

impl MarkFile {
    pub(crate) fn open(disk: &dyn Disk, path: &Path) -> io::Result<Self> {
        let file = disk.open(path, OpenMode::Write)?;
        let mut bytes = [0; MARK_BYTES];
        let read = crate::disk::read_full(&*file, &mut bytes, 0)?;
        // Goes on after the newest slot: the newest must never be the one overwritten next.
        let turn = Slots::parse(&bytes[..read]).map_or(0, |slots| slots.next);
        Ok(MarkFile { file, turn })
    }

    /// Writes and syncs the next slot.
    pub(crate) fn write(&mut self, mark: &Mark) -> io::Result<()> {
        self.file.write_at(&mark.encode(), offset(self.turn) as u64)?;
        self.file.sync_data()?;
        self.turn = (self.turn + 1) % SLOTS;
        Ok(())
    }
}

/// Where the slot of a turn is: the next sector each time, the next place in it each round.
fn offset(turn: usize) -> usize {
    (turn % SECTORS) * SECTOR_BYTES + (turn / SECTORS) * SLOT_BYTES
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::disk::RealDisk;

    fn mark(lsn: u64) -> Mark {
        Mark::new(Epoch(2), Lsn(lsn), BatchHash([7; 16]))
    }

    #[test]
    fn the_newest_slot_wins_through_every_turn() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        assert_eq!(read(&RealDisk, &path).unwrap(), MarkRead::Missing);
        create(&RealDisk, &path).unwrap();
        assert_eq!(read(&RealDisk, &path).unwrap(), MarkRead::Blank);
        for lsn in 1..=300 {
            // Reopened now and then, as a restart does.
            let mut file = MarkFile::open(&RealDisk, &path).unwrap();
            file.write(&mark(lsn * 2)).unwrap();
            file.write(&mark(lsn * 2 + 1)).unwrap();
            assert_eq!(read(&RealDisk, &path).unwrap(), MarkRead::At(mark(lsn * 2 + 1)));
        }
    }

    #[test]
    fn one_torn_slot_is_an_interrupted_write_and_more_are_damage() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mark");
        create(&RealDisk, &path).unwrap();
        let mut file = MarkFile::open(&RealDisk, &path).unwrap();
        for lsn in 1..=3 {
            file.write(&mark(lsn)).unwrap();
        }
        let good = RealDisk.read_file(&path).unwrap().unwrap();
        let check = |turns: &[usize], expected| {
            let mut bytes = good.clone();
            turns.iter().for_each(|&turn| bytes[offset(turn) + 9] ^= 1);
            std::fs::write(&path, bytes).unwrap();
            assert_eq!(read(&RealDisk, &path).unwrap(), expected, "{turns:?}");
        };
        check(&[], MarkRead::At(mark(3)));
        check(&[3], MarkRead::At(mark(3)));
        check(&[2], MarkRead::At(mark(2)));
        check(&[2, 3], MarkRead::Damaged);
        check(&[1], MarkRead::Damaged);
        check(&[100], MarkRead::Damaged);
        check(&[0, 1, 2], MarkRead::Damaged);
    }

    #[test]
    fn slots_cover_the_file_once() {
        let mut seen: Vec<usize> = (0..SLOTS).map(offset).collect();
        seen.sort_unstable();
        let all: Vec<usize> = (0..SLOTS).map(|slot| slot * SLOT_BYTES).collect();
        assert_eq!(seen, all);
    }

    #[test]
    fn any_flipped_bit_of_a_written_slot_is_seen() {
        let slot = mark(77).encode();
        assert_eq!(Mark::decode(&slot), Some(mark(77)));
        for bit in 0..SLOT_BYTES * 8 {
            let mut flipped = slot;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Mark::decode(&flipped), None, "bit {bit}");
        }
        assert_eq!(Mark::decode(&[0; SLOT_BYTES]), None);
    }
}
