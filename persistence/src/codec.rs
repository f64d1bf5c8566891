//! One record as bytes: a length and postcard.
//!
//! Frame = length of the payload (unsigned LEB128, shortest form, at most three bytes) + the
//! record in postcard. Decoding takes any bytes and never panics; `FORMAT.md` has the tables.

use std::fmt;

use thiserror::Error;
use tiketi_engine::limits::RECORD_BYTES_MAX;
use tiketi_engine::record::Record;

/// Most bytes the length of a frame takes.
pub const LENGTH_BYTES_MAX: usize = 3;

/// Most bytes one frame takes.
pub const FRAME_BYTES_MAX: usize = LENGTH_BYTES_MAX + RECORD_BYTES_MAX;

// Three LEB128 bytes reach 2^21 - 1.
const _: () = assert!(RECORD_BYTES_MAX < 1 << 21);

/// Records up to this size are encoded on the stack; holds and payments are a tenth of it.
const STACK_BYTES: usize = 512;

/// Bytes that are not a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FrameError {
    /// The bytes end inside the length or the payload.
    #[error("the frame is cut off")]
    CutOff,
    /// The length is larger than any record or not in its shortest form.
    #[error("the frame's length is not one that is written")]
    Length,
    /// The payload is not a record, or more than one.
    #[error("the payload is not a record")]
    Payload,
}

/// Encodes a record and lends the frame to `take`.
///
/// # Panics
/// Where the record is larger than [`RECORD_BYTES_MAX`]: the engine refuses such commands, so
/// this is a defect and must not reach the log.
pub fn with_frame<T>(record: &Record, take: impl FnOnce(&[u8]) -> T) -> T {
    let mut stack = [0; LENGTH_BYTES_MAX + STACK_BYTES];
    if let Ok(payload) = postcard::to_slice(record, &mut stack[LENGTH_BYTES_MAX..]) {
        let len = payload.len();
        return take(prefix(&mut stack[..LENGTH_BYTES_MAX + len], len));
    }
    let mut heap = vec![0; LENGTH_BYTES_MAX];
    heap = match postcard::to_extend(record, heap) {
        Ok(heap) => heap,
        Err(error) => panic!("a record does not encode: {error}"),
    };
    let len = heap.len() - LENGTH_BYTES_MAX;
    assert!(len <= RECORD_BYTES_MAX, "a record of {len} bytes; {RECORD_BYTES_MAX} is the limit");
    take(prefix(&mut heap, len))
}

/// Writes the length right before the payload, which starts at [`LENGTH_BYTES_MAX`].
fn prefix(buffer: &mut [u8], len: usize) -> &[u8] {
    let low = |shift: usize| ((len >> shift) & 0x7f) as u8;
    match len {
        0..0x80 => {
            buffer[2] = low(0);
            &buffer[2..]
        }
        0x80..0x4000 => {
            buffer[1] = low(0) | 0x80;
            buffer[2] = low(7);
            &buffer[1..]
        }
        _ => {
            buffer[0] = low(0) | 0x80;
            buffer[1] = low(7) | 0x80;
            buffer[2] = low(14);
            buffer
        }
    }
}

/// Takes the first frame off `bytes`: its record and the rest.
///
/// # Errors
/// [`FrameError`], in the order of its variants' checks; nothing is taken.
pub fn take_frame(bytes: &[u8]) -> Result<(Record, &[u8]), FrameError> {
    let (len, rest) = take_length(bytes)?;
    let (payload, rest) = rest.split_at_checked(len).ok_or(FrameError::CutOff)?;
    match postcard::take_from_bytes::<Record>(payload) {
        Ok((record, [])) => Ok((record, rest)),
        Ok(_) | Err(_) => Err(FrameError::Payload),
    }
}

fn take_length(bytes: &[u8]) -> Result<(usize, &[u8]), FrameError> {
    let mut len = 0;
    for (i, &byte) in bytes.iter().take(LENGTH_BYTES_MAX).enumerate() {
        len |= usize::from(byte & 0x7f) << (7 * i);
        if byte & 0x80 == 0 {
            let shortest = i == 0 || byte != 0;
            if !shortest || len > RECORD_BYTES_MAX {
                return Err(FrameError::Length);
            }
            return Ok((len, &bytes[i + 1..]));
        }
    }
    Err(if bytes.len() < LENGTH_BYTES_MAX { FrameError::CutOff } else { FrameError::Length })
}

/// The frames of a batch's body, oldest first; ends after the first error.
#[derive(Clone)]
pub struct Frames<'a> {
    rest: &'a [u8],
}

impl<'a> Frames<'a> {
    /// The frames in `body`.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Frames { rest: body }
    }
}

impl fmt::Debug for Frames<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Frames").field("bytes_left", &self.rest.len()).finish()
    }
}

impl Iterator for Frames<'_> {
    type Item = Result<Record, FrameError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        match take_frame(self.rest) {
            Ok((record, rest)) => {
                self.rest = rest;
                Some(Ok(record))
            }
            Err(error) => {
                self.rest = &[];
                Some(Err(error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;
    use tiketi_engine::ids::{EventIndex, SeatIndex, UnixMillis};

    use super::*;

    fn of_size(reason: usize) -> Record {
        Record::SeatsBlocked {
            event: EventIndex(1),
            seats: vec![SeatIndex(2)],
            reason: "r".repeat(reason),
            at: UnixMillis(3),
        }
    }

    #[test]
    fn frames_of_every_length_form_come_back() {
        for reason in [0, 1, 100, 120, 121, 122, 127, 128, 400, 600, 16_000, 16_384, 40_000] {
            let record = of_size(reason);
            let bytes = with_frame(&record, <[u8]>::to_vec);
            assert_eq!(take_frame(&bytes), Ok((record, &[][..])), "{reason}");
            for cut in [0, 1, bytes.len() - 1] {
                assert_eq!(take_frame(&bytes[..cut]), Err(FrameError::CutOff), "{reason} {cut}");
            }
        }
    }

    #[test]
    #[should_panic(expected = "is the limit")]
    fn a_record_too_large_never_reaches_the_log() {
        with_frame(&of_size(RECORD_BYTES_MAX), |_| ());
    }

    #[test]
    fn only_the_shortest_length_is_taken() {
        for bytes in [&[0x80, 0x00][..], &[0xff, 0xff, 0xff], &[0xff, 0xff, 0x7f], &[0x81, 0x80, 0]]
        {
            assert_eq!(take_frame(bytes), Err(FrameError::Length), "{bytes:?}");
        }
    }

    #[test]
    fn bytes_after_the_record_are_refused() {
        let mut bytes = with_frame(&of_size(0), <[u8]>::to_vec);
        bytes[0] += 1;
        bytes.push(0);
        assert_eq!(take_frame(&bytes), Err(FrameError::Payload));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail(bytes: Vec<u8>) {
            for frame in Frames::new(&bytes) {
                let _ = frame;
            }
        }

        #[test]
        fn any_payload_decodes_or_fails(mut payload in proptest::collection::vec(any::<u8>(), 1..100)) {
            payload[0] %= 23;
            let mut bytes = vec![u8::try_from(payload.len()).unwrap()];
            bytes.extend(payload);
            let _ = take_frame(&bytes);
        }
    }
}
