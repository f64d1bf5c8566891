//! Frames of RFC 6455: bytes in, whole messages out, and the bounds that `fastwebsockets` leaves to
//! its callers.
//!
//! That crate's own reader takes frames without a mask, reserves what a header announces (64 MiB),
//! puts no bound on the sum of fragments, and cannot be dropped in the middle of a frame. So frames are
//! cut here, without I/O, from whatever pieces arrive; masks, operation codes, close codes and the
//! writing of heads stay the crate's. What a socket keeps of a message is at most [`KEPT_BYTES_MAX`],
//! whatever it may send: no longer message means anything to either dialect.

use bytes::Bytes;
use fastwebsockets::{CloseCode, Frame, OpCode, Payload, unmask};

/// Bytes kept of a message; the rest of a longer one is counted and forgotten.
pub(crate) const KEPT_BYTES_MAX: usize = 16 * 1024;
const CONTROL_BYTES_MAX: u64 = 125;
const MASK_BYTES: usize = 4;
/// Two bytes, eight of length, four of mask.
const HEAD_BYTES_MAX: usize = 14;

/// What a peer sent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// A whole text message.
    Text(String),
    /// A text message of which only the beginning was kept.
    LongText(Vec<u8>),
    /// A whole binary message; its bytes mean nothing to anybody here.
    Binary,
    Ping(Vec<u8>),
    Pong,
    /// The peer closes, with its code.
    Close(Option<u16>),
}

/// Why a peer's bytes are not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// RFC 6455 5.1: a client masks every frame.
    Unmasked,
    /// Reserved bits, an unknown operation, fragments out of order, a control frame in pieces or too
    /// long, a close frame that cannot be.
    Malformed,
    /// A message over the limit.
    TooLong,
    /// Text that is no UTF-8.
    NotUtf8,
    /// More frames than anybody needs.
    TooMany,
}

impl Violation {
    /// The code to close with.
    pub(crate) fn close_code(self) -> u16 {
        match self {
            Violation::Unmasked | Violation::Malformed => 1002,
            Violation::NotUtf8 => 1007,
            Violation::TooMany => 1008,
            Violation::TooLong => 1009,
        }
    }
}

/// Cuts one peer's bytes into messages.
pub(crate) struct FrameReader {
    message_bytes_max: usize,
    /// Frames that may still come before [`FrameReader::refill`].
    frames_left: u32,
    head: [u8; HEAD_BYTES_MAX],
    head_len: usize,
    /// The frame whose payload is being read.
    frame: Option<Payloads>,
    /// A message of which not every frame has come.
    message: Option<OpCode>,
    message_bytes: usize,
    kept: Vec<u8>,
    control: Vec<u8>,
}

/// What is left of a frame.
#[derive(Clone, Copy)]
struct Payloads {
    opcode: OpCode,
    is_last: bool,
    /// Turned so that its first byte belongs to the next byte of payload.
    mask: [u8; MASK_BYTES],
    left: u64,
}

impl FrameReader {
    /// Messages may have `message_bytes_max` bytes, over all their fragments.
    pub(crate) fn new(message_bytes_max: usize, frames_max: u32) -> Self {
        FrameReader {
            message_bytes_max,
            frames_left: frames_max,
            head: [0; HEAD_BYTES_MAX],
            head_len: 0,
            frame: None,
            message: None,
            message_bytes: 0,
            kept: Vec::new(),
            control: Vec::new(),
        }
    }

    /// Lets so many more frames come, instead of what was left.
    pub(crate) fn refill(&mut self, frames_max: u32) {
        self.frames_left = frames_max;
    }

    /// Takes bytes off the front of `bytes` until something is whole; `None` once all are taken.
    ///
    /// # Errors
    /// The peer is not to be listened to any more.
    pub(crate) fn read(&mut self, bytes: &mut &mut [u8]) -> Result<Option<Received>, Violation> {
        loop {
            let Some(frame) = self.frame else {
                if !self.read_head(bytes)? {
                    return Ok(None);
                }
                continue;
            };
            let here = usize::try_from(frame.left).unwrap_or(usize::MAX).min(bytes.len());
            let (payload, rest) = std::mem::take(bytes).split_at_mut(here);
            *bytes = rest;
            unmask(payload, frame.mask);
            self.keep(frame.opcode, payload);
            let left = frame.left - here as u64;
            if left > 0 {
                let mut mask = frame.mask;
                mask.rotate_left(here % MASK_BYTES);
                self.frame = Some(Payloads { mask, left, ..frame });
                return Ok(None);
            }
            self.frame = None;
            if let Some(received) = self.end(frame)? {
                return Ok(Some(received));
            }
        }
    }

    /// Whether the head is whole now.
    fn read_head(&mut self, bytes: &mut &mut [u8]) -> Result<bool, Violation> {
        while let Some((&mut byte, rest)) = std::mem::take(bytes).split_first_mut() {
            *bytes = rest;
            self.head[self.head_len] = byte;
            self.head_len += 1;
            // Told from the first two bytes: whoever masks nothing is not read any further.
            if self.head_len == 2 && byte & 0x80 == 0 {
                return Err(Violation::Unmasked);
            }
            if self.head_len >= 2 && self.head_len == head_bytes(self.head[1]) {
                self.head_len = 0;
                self.begin()?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks a whole head before any of its payload is taken.
    fn begin(&mut self) -> Result<(), Violation> {
        self.frames_left = self.frames_left.checked_sub(1).ok_or(Violation::TooMany)?;
        let first = self.head[0];
        let is_last = first & 0x80 != 0;
        let opcode = OpCode::try_from(first & 0x0f).map_err(|_| Violation::Malformed)?;
        if first & 0x70 != 0 {
            return Err(Violation::Malformed);
        }
        let length_bytes = head_bytes(self.head[1]) - MASK_BYTES - 2;
        let length = match length_bytes {
            0 => u64::from(self.head[1] & 0x7f),
            bytes => {
                self.head[2..2 + bytes].iter().fold(0, |sum, &byte| sum << 8 | u64::from(byte))
            }
        };
        let mut mask = [0; MASK_BYTES];
        mask.copy_from_slice(&self.head[2 + length_bytes..2 + length_bytes + MASK_BYTES]);
        match opcode {
            OpCode::Close | OpCode::Ping | OpCode::Pong => {
                if !is_last || length > CONTROL_BYTES_MAX {
                    return Err(Violation::Malformed);
                }
                self.control.clear();
            }
            OpCode::Text | OpCode::Binary if self.message.is_none() => {
                self.message = Some(opcode);
                self.message_bytes = 0;
                self.kept.clear();
            }
            OpCode::Continuation if self.message.is_some() => {}
            OpCode::Text | OpCode::Binary | OpCode::Continuation => {
                return Err(Violation::Malformed);
            }
        }
        if !is_control(opcode) {
            let room = self.message_bytes_max - self.message_bytes;
            let length = usize::try_from(length).map_err(|_| Violation::TooLong)?;
            if length > room {
                return Err(Violation::TooLong);
            }
            self.message_bytes += length;
        }
        self.frame = Some(Payloads { opcode, is_last, mask, left: length });
        Ok(())
    }

    fn keep(&mut self, opcode: OpCode, payload: &[u8]) {
        if is_control(opcode) {
            self.control.extend_from_slice(payload);
        } else if self.message == Some(OpCode::Text) {
            let room = KEPT_BYTES_MAX - self.kept.len();
            self.kept.extend_from_slice(&payload[..payload.len().min(room)]);
        }
    }

    /// What a whole frame completes.
    fn end(&mut self, frame: Payloads) -> Result<Option<Received>, Violation> {
        match frame.opcode {
            OpCode::Ping => Ok(Some(Received::Ping(std::mem::take(&mut self.control)))),
            OpCode::Pong => Ok(Some(Received::Pong)),
            OpCode::Close => close(&self.control).map(Some),
            OpCode::Text | OpCode::Binary | OpCode::Continuation if !frame.is_last => Ok(None),
            OpCode::Text | OpCode::Binary | OpCode::Continuation => match self.message.take() {
                Some(OpCode::Text) => {
                    let kept = std::mem::take(&mut self.kept);
                    if self.message_bytes > kept.len() {
                        return Ok(Some(Received::LongText(kept)));
                    }
                    let text = String::from_utf8(kept).map_err(|_| Violation::NotUtf8)?;
                    Ok(Some(Received::Text(text)))
                }
                _ => Ok(Some(Received::Binary)),
            },
        }
    }
}

/// The bytes of a masked frame's head, by its second byte.
fn head_bytes(second: u8) -> usize {
    2 + MASK_BYTES
        + match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        }
}

fn is_control(opcode: OpCode) -> bool {
    matches!(opcode, OpCode::Close | OpCode::Ping | OpCode::Pong)
}

fn close(payload: &[u8]) -> Result<Received, Violation> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        // One byte alone is no code.
        return if payload.is_empty() {
            Ok(Received::Close(None))
        } else {
            Err(Violation::Malformed)
        };
    };
    let code = u16::from_be_bytes(*code);
    if !CloseCode::from(code).is_allowed() {
        return Err(Violation::Malformed);
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(Received::Close(Some(code))),
        Err(_) => Err(Violation::NotUtf8),
    }
}

// === frames to clients: never masked, so the same bytes go to everybody ===

/// Adds a text frame.
pub(crate) fn put_text(to: &mut Vec<u8>, payload: &[u8]) {
    put(to, OpCode::Text, payload);
}

/// A text frame.
pub(crate) fn text(payload: &str) -> Bytes {
    framed(OpCode::Text, payload.as_bytes())
}

/// A binary frame.
pub(crate) fn binary(payload: &[u8]) -> Bytes {
    framed(OpCode::Binary, payload)
}

pub(crate) fn ping() -> Bytes {
    framed(OpCode::Ping, b"")
}

pub(crate) fn pong(payload: &[u8]) -> Bytes {
    framed(OpCode::Pong, payload)
}

/// A close frame; without a code where the peer sent none.
pub(crate) fn closing(code: Option<u16>) -> Bytes {
    match code {
        Some(code) => framed(OpCode::Close, &code.to_be_bytes()),
        None => framed(OpCode::Close, b""),
    }
}

fn framed(opcode: OpCode, payload: &[u8]) -> Bytes {
    let mut bytes = Vec::with_capacity(payload.len() + HEAD_BYTES_MAX);
    put(&mut bytes, opcode, payload);
    Bytes::from(bytes)
}

fn put(to: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let mut frame = Frame::new(true, opcode, None, Payload::Borrowed(payload));
    let mut head = [0; HEAD_BYTES_MAX + 2];
    let head_len = frame.fmt_head(&mut head);
    to.extend_from_slice(&head[..head_len]);
    to.extend_from_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];

    /// A client's frame: the first byte, and the payload masked.
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![first];
        match payload.len() {
            length @ 0..126 => bytes.push(0x80 | length as u8),
            length @ 126..65_536 => {
                bytes.push(0x80 | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            length => {
                bytes.push(0x80 | 127);
                bytes.extend((length as u64).to_be_bytes());
            }
        }
        bytes.extend(MASK);
        bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        bytes
    }

    /// Everything that comes out, read in pieces of `piece` bytes.
    fn read(bytes: &[u8], piece: usize) -> (Vec<Received>, Option<Violation>) {
        let mut reader = FrameReader::new(100_000, 100);
        let mut all = Vec::new();
        for piece in bytes.to_vec().chunks_mut(piece) {
            let mut rest = piece;
            loop {
                match reader.read(&mut rest) {
                    Ok(Some(received)) => all.push(received),
                    Ok(None) => break,
                    Err(violation) => return (all, Some(violation)),
                }
            }
        }
        (all, None)
    }

    fn check(frames: &[Vec<u8>], expected: &[Received], violation: Option<Violation>) {
        let bytes = frames.concat();
        for piece in [1, 2, 3, 5, 7, 4096, bytes.len().max(1)] {
            let found = read(&bytes, piece);
            assert_eq!((found.0.as_slice(), found.1), (expected, violation), "by {piece}");
        }
    }

    #[test]
    fn messages_in_any_pieces() {
        let text = |text: &str| Received::Text(text.to_owned());
        check(&[frame(0x81, "싸이".as_bytes())], &[text("싸이")], None);
        check(&[frame(0x81, b""), frame(0x82, b"x")], &[text(""), Received::Binary], None);
        let long = "x".repeat(KEPT_BYTES_MAX);
        check(&[frame(0x81, long.as_bytes())], &[text(&long)], None);
        let longer = "x".repeat(90_000);
        let kept = longer.as_bytes()[..KEPT_BYTES_MAX].to_vec();
        check(&[frame(0x81, longer.as_bytes())], &[Received::LongText(kept)], None);
        // A character cut in two, and a ping in between.
        let pieces =
            [frame(0x01, b"a\xec"), frame(0x89, b"?"), frame(0x00, b"\x8b"), frame(0x80, b"\xb8")];
        check(&pieces, &[Received::Ping(b"?".to_vec()), text("a싸")], None);
        check(&[frame(0x8a, b"any")], &[Received::Pong], None);
        check(&[frame(0x88, b"")], &[Received::Close(None)], None);
        check(&[frame(0x88, b"\x03\xe8bye")], &[Received::Close(Some(1000))], None);
    }

    #[test]
    fn whatever_is_against_the_rules() {
        use Violation::{Malformed, NotUtf8, TooLong, TooMany, Unmasked};
        for (frames, violation) in [
            (vec![vec![0x81, 0x01, b'x']], Unmasked),
            (vec![frame(0xc1, b"x")], Malformed),
            (vec![frame(0x83, b"x")], Malformed),
            (vec![frame(0x8b, b"x")], Malformed),
            (vec![frame(0x09, b"x")], Malformed),
            (vec![frame(0x89, &[b'x'; 126])], Malformed),
            (vec![frame(0x80, b"x")], Malformed),
            (vec![frame(0x01, b"x"), frame(0x81, b"x")], Malformed),
            (vec![frame(0x88, b"x")], Malformed),
            (vec![frame(0x88, &999_u16.to_be_bytes())], Malformed),
            (vec![frame(0x88, &1005_u16.to_be_bytes())], Malformed),
            (vec![frame(0x88, b"\x03\xe8\xff")], NotUtf8),
            (vec![frame(0x81, b"\xff")], NotUtf8),
            (vec![frame(0x81, &[b'x'; 100_001])], TooLong),
            (vec![frame(0x01, &[b'x'; 60_000]), frame(0x80, &[b'x'; 40_001])], TooLong),
            (vec![frame(0x82, &[0; 100_001])], TooLong),
            // The longest there can be: told from the head.
            (vec![[&[0x81, 0xff], &[0xff; 8][..], &MASK].concat()], TooLong),
        ] {
            check(&frames, &[], Some(violation));
        }
        // Empty fragments add up to nothing and never end.
        let fragments: Vec<_> =
            std::iter::once(frame(0x01, b"")).chain((0..100).map(|_| frame(0x00, b""))).collect();
        check(&fragments, &[], Some(TooMany));
    }

    #[test]
    fn frames_to_clients() {
        assert_eq!(&text("2")[..], b"\x81\x012");
        assert_eq!(&closing(Some(1001))[..], b"\x88\x02\x03\xe9");
        assert_eq!(&closing(None)[..], b"\x88\x00");
        assert_eq!(&ping()[..], b"\x89\x00");
        let medium = binary(&[7; 300]);
        assert_eq!((&medium[..4], medium.len()), (&b"\x82\x7e\x01\x2c"[..], 304));
        assert_eq!(&binary(&[7; 70_000])[..10], b"\x82\x7f\0\0\0\0\0\x01\x11\x70");
    }
}
