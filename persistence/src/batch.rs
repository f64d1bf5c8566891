//! A group-commit batch: the unit that is written, synced, sent and checked.
//!
//! 64 bytes of header, then frames. Each header names the hash of the batch before it, so the log
//! is one chain: a batch that was changed, swapped or taken from elsewhere does not fit.

use std::fmt;

use thiserror::Error;
use tiketi_engine::ids::{Epoch, Lsn};
use tiketi_engine::limits::BATCH_BYTES_MAX;
use tiketi_engine::record::Record;

use crate::codec::{FrameError, Frames};

/// Bytes before the first frame.
pub const HEADER_BYTES: usize = 64;

/// The first bytes of every batch.
pub const MAGIC: [u8; 4] = *b"TKTB";

/// The version of header and frames this code writes, and the only one it reads.
pub const VERSION: u16 = 1;

/// The hash of a batch: BLAKE3 over header and body, first 16 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BatchHash(pub [u8; 16]);

impl BatchHash {
    /// What the first batch of a log names as the one before it.
    pub const GENESIS: BatchHash = BatchHash([0; 16]);

    fn of(bytes: &[u8]) -> Self {
        let mut hash = [0; 16];
        hash.copy_from_slice(&blake3::hash(bytes).as_bytes()[..16]);
        BatchHash(hash)
    }
}

impl fmt::Debug for BatchHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BatchHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// What a batch says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The process life that wrote it.
    pub epoch: Epoch,
    /// Position of its first record.
    pub first_lsn: Lsn,
    /// How many records it has; at least one.
    pub count: u32,
    /// Bytes after the header.
    pub body_bytes: u32,
    /// The last record that was synced when it was written: everything up to here must be in the log
    /// before it. The batches of one commit share it.
    pub durable_lsn: Lsn,
    /// Hash of the batch before it.
    pub previous: BatchHash,
    /// CRC32C of the body.
    pub body_crc: u32,
}

impl Header {
    /// Position of its last record.
    #[must_use]
    pub fn last_lsn(&self) -> Lsn {
        Lsn(self.first_lsn.0 + u64::from(self.count) - 1)
    }

    /// Bytes of header and body.
    #[must_use]
    pub fn batch_bytes(&self) -> usize {
        HEADER_BYTES + self.body_bytes as usize
    }

    fn encode(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.epoch.0.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.first_lsn.0.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.count.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.body_bytes.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.durable_lsn.0.to_le_bytes());
        bytes[40..56].copy_from_slice(&self.previous.0);
        bytes[56..60].copy_from_slice(&self.body_crc.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header at the start of `bytes`.
    ///
    /// # Errors
    /// [`BatchDefect`], every kind but those of the body.
    pub fn parse(bytes: &[u8]) -> Result<Header, BatchDefect> {
        let (bytes, _) = bytes.split_first_chunk::<HEADER_BYTES>().ok_or(BatchDefect::CutOff)?;
        let u32_at = |at: usize| {
            u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let u64_at = |at: usize| u64::from(u32_at(at)) | u64::from(u32_at(at + 4)) << 32;
        if bytes[..4] != MAGIC {
            return Err(BatchDefect::Magic);
        }
        if u32_at(60) != crc32c::crc32c(&bytes[..60]) {
            return Err(BatchDefect::HeaderChecksum);
        }
        // Only now: a flipped bit must not look like a version from the future.
        let version = u16::from_le_bytes([bytes[4], bytes[5]]);
        if version != VERSION {
            return Err(BatchDefect::Version(version));
        }
        let mut previous = [0; 16];
        previous.copy_from_slice(&bytes[40..56]);
        let header = Header {
            epoch: Epoch(u64_at(8)),
            first_lsn: Lsn(u64_at(16)),
            count: u32_at(24),
            body_bytes: u32_at(28),
            durable_lsn: Lsn(u64_at(32)),
            previous: BatchHash(previous),
            body_crc: u32_at(56),
        };
        let sound = header.count > 0
            && header.count <= header.body_bytes
            && header.batch_bytes() <= BATCH_BYTES_MAX
            && header.durable_lsn < header.first_lsn
            && header.first_lsn.0.checked_add(u64::from(header.count)).is_some();
        if sound { Ok(header) } else { Err(BatchDefect::Fields) }
    }
}

/// The version of what begins here, where it says that a newer program than this one wrote it.
///
/// Looks at magic and version alone, which every version keeps in their places: a newer one may lay
/// out and sum up all the rest in its own way. A write that was interrupted leaves the version or
/// zeros, so it is never mistaken for this; a flipped bit may be, which refuses a start and loses
/// nothing.
#[must_use]
pub fn newer_version(bytes: &[u8]) -> Option<u16> {
    let (head, _) = bytes.split_first_chunk::<6>()?;
    let version = u16::from_le_bytes([head[4], head[5]]);
    (head[..4] == MAGIC && version > VERSION).then_some(version)
}

/// Bytes that are not a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BatchDefect {
    /// The bytes end inside the header or the body.
    #[error("the batch is cut off")]
    CutOff,
    /// It does not begin like a batch.
    #[error("this is not the start of a batch")]
    Magic,
    /// The header's checksum does not match.
    #[error("the header's checksum does not match")]
    HeaderChecksum,
    /// Written by another version.
    #[error("the batch has version {0}; this program reads version {VERSION}")]
    Version(u16),
    /// The header's fields contradict each other.
    #[error("the header's fields contradict each other")]
    Fields,
    /// The body's checksum does not match.
    #[error("the body's checksum does not match")]
    BodyChecksum,
    /// A frame in the body is bad although the checksum matches.
    #[error("record {lsn}: {error}")]
    Frame {
        /// Position of the record.
        lsn: Lsn,
        /// What is wrong with it.
        error: FrameError,
    },
    /// The body has another number of frames than the header says.
    #[error("the batch has another number of records than its header says")]
    Count,
}

/// Fills in the header of a batch built in place: [`HEADER_BYTES`] free bytes, then the frames.
/// Returns its hash, which the next batch names.
///
/// # Panics
/// Where there are no records or the batch is larger than [`BATCH_BYTES_MAX`].
pub fn seal(
    batch: &mut [u8],
    epoch: Epoch,
    first_lsn: Lsn,
    count: u32,
    durable_lsn: Lsn,
    previous: BatchHash,
) -> BatchHash {
    assert!(count > 0 && batch.len() > HEADER_BYTES && batch.len() <= BATCH_BYTES_MAX);
    let (head, body) = batch.split_at_mut(HEADER_BYTES);
    let header = Header {
        epoch,
        first_lsn,
        count,
        body_bytes: body.len() as u32,
        durable_lsn,
        previous,
        body_crc: crc32c::crc32c(body),
    };
    head.copy_from_slice(&header.encode());
    BatchHash::of(batch)
}

/// A batch whose header and body match their checksums. Its frames are not decoded yet.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    header: Header,
    bytes: &'a [u8],
}

impl<'a> Batch<'a> {
    /// Reads the batch at the start of `bytes`; more may follow it.
    ///
    /// # Errors
    /// [`BatchDefect`], but for those of single frames.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BatchDefect> {
        let header = Header::parse(bytes)?;
        let bytes = bytes.get(..header.batch_bytes()).ok_or(BatchDefect::CutOff)?;
        if crc32c::crc32c(&bytes[HEADER_BYTES..]) != header.body_crc {
            return Err(BatchDefect::BodyChecksum);
        }
        Ok(Batch { header, bytes })
    }

    /// What it says of itself.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Its frames.
    #[must_use]
    pub fn body(&self) -> &'a [u8] {
        &self.bytes[HEADER_BYTES..]
    }

    /// Header and frames.
    #[must_use]
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// What the next batch has to name as its `previous`.
    #[must_use]
    pub fn hash(&self) -> BatchHash {
        BatchHash::of(self.bytes)
    }

    /// Hands every record and its position to `visit`, in order, and stops at its first error.
    ///
    /// # Errors
    /// Those of `visit`, and [`BatchDefect::Frame`] and [`BatchDefect::Count`] as made by it.
    pub fn records<E: From<BatchDefect>>(
        &self,
        visit: impl FnMut(Lsn, Record) -> Result<(), E>,
    ) -> Result<(), E> {
        records(self.header.first_lsn, self.header.count, self.body(), visit)
    }
}

/// See [`Batch::records`], for a body that was taken out of its batch.
///
/// # Errors
/// As [`Batch::records`].
pub fn records<E: From<BatchDefect>>(
    first_lsn: Lsn,
    count: u32,
    body: &[u8],
    mut visit: impl FnMut(Lsn, Record) -> Result<(), E>,
) -> Result<(), E> {
    let mut lsn = first_lsn;
    let mut seen = 0;
    for frame in Frames::new(body) {
        let record = frame.map_err(|error| BatchDefect::Frame { lsn, error })?;
        if seen == count {
            return Err(BatchDefect::Count.into());
        }
        visit(lsn, record)?;
        lsn = lsn.next();
        seen += 1;
    }
    if seen == count { Ok(()) } else { Err(BatchDefect::Count.into()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use tiketi_engine::ids::UnixMillis;

    use super::*;
    use crate::codec::with_frame;

    fn sample(records: u32) -> Vec<u8> {
        let mut bytes = vec![0; HEADER_BYTES];
        for i in 0..records {
            let record = Record::EpochStarted { epoch: Epoch(3), at: UnixMillis(u64::from(i)) };
            with_frame(&record, |frame| bytes.extend_from_slice(frame));
        }
        seal(&mut bytes, Epoch(3), Lsn(7), records, Lsn(5), BatchHash([9; 16]));
        bytes
    }

    #[test]
    fn a_batch_comes_back() {
        let bytes = sample(300);
        let batch = Batch::parse(&bytes).unwrap();
        assert_eq!(batch.header().last_lsn(), Lsn(306));
        let mut seen = Vec::new();
        batch
            .records::<BatchDefect>(|lsn, record| {
                seen.push((lsn, record));
                Ok(())
            })
            .unwrap();
        assert_eq!(seen.len(), 300);
        assert_eq!(
            seen[299],
            (Lsn(306), Record::EpochStarted { epoch: Epoch(3), at: UnixMillis(299) })
        );
    }

    #[test]
    fn every_flipped_bit_and_every_cut_is_seen() {
        let bytes = sample(3);
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(Batch::parse(&flipped).is_err(), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(Batch::parse(&bytes[..cut]).unwrap_err(), BatchDefect::CutOff, "cut {cut}");
        }
    }

    #[test]
    fn a_newer_version_is_known_by_its_first_bytes() {
        let mut bytes = sample(1);
        assert_eq!(newer_version(&bytes), None);
        for (version, newer) in [(0, None), (1, None), (2, Some(2)), (0xffff, Some(0xffff))] {
            bytes[4..6].copy_from_slice(&u16::to_le_bytes(version));
            assert_eq!(newer_version(&bytes), newer);
            assert_eq!(newer_version(&bytes[..6]), newer, "the rest is not looked at");
            assert_eq!(newer_version(&bytes[..5]), None);
        }
        bytes[0] = 0;
        assert_eq!(newer_version(&bytes), None);
    }

    #[test]
    fn a_wrong_count_is_seen_though_the_checksums_match() {
        for count in [1, 2, 4] {
            let mut bytes = sample(3);
            seal(&mut bytes, Epoch(3), Lsn(7), count, Lsn(5), BatchHash::GENESIS);
            let batch = Batch::parse(&bytes).unwrap();
            assert_eq!(batch.records(|_, _| Ok(())), Err(BatchDefect::Count), "{count}");
        }
    }
}
