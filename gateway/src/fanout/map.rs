//! The compact dialect at `/ws?event=…`: a snapshot of all seats at a position of the log, then what
//! changes. `gateway/PROTOCOL.md` has the bytes.
//!
//! Public, as the seat map is; clients say nothing. Whoever falls behind is given a new snapshot.

use bytes::Bytes;
use serde::Serialize;
use tiketi_engine::ids::{EventIndex, Lsn, SeatIndex};
use tiketi_engine::state::Event;

use crate::api::Id;
use crate::api::seats::SeatStatus;
use crate::fanout::feed::SeatState;
use crate::fanout::frames;
use crate::fanout::hub::{Presence, Room};
use crate::fanout::socket::{Ending, Heartbeat, Socket};

/// Clients have nothing to say.
const MESSAGE_BYTES_MAX: usize = 1024;
const SEATS_PER_BYTE: usize = 4;
/// Kinds of binary messages.
const SNAPSHOT: u32 = 1;
const DELTA: u32 = 2;

/// How messages are encoded: a sub-protocol of the handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    Json,
    Binary,
}

/// What a socket of this dialect looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MapRoom {
    pub(crate) event: EventIndex,
    pub(crate) encoding: Encoding,
}

impl Encoding {
    /// The name of a sub-protocol.
    pub(crate) fn named(name: &str) -> Option<Encoding> {
        match name {
            "tiketi.v1.json" => Some(Encoding::Json),
            "tiketi.v1.bin" => Some(Encoding::Binary),
            _ => None,
        }
    }
}

/// Sends the map and its changes until either side ends it.
pub(super) async fn serve(presence: &Presence, socket: &mut Socket, room: MapRoom) -> Ending {
    socket.speak(Heartbeat::Frame(frames::ping()), MESSAGE_BYTES_MAX);
    presence.join(
        match room.encoding {
            Encoding::Json => Room::Map(room.event),
            Encoding::Binary => Room::MapBinary(room.event),
        },
        |_| None,
    );
    loop {
        // Whatever a client says means nothing, and is bounded in number and size.
        if let Err(ending) = socket.next(presence).await {
            return ending;
        }
    }
}

#[derive(Serialize)]
struct Snapshot {
    r#type: &'static str,
    event: Id,
    lsn: u64,
    seats: u32,
    states: String,
}

#[derive(Serialize)]
struct Delta<'d> {
    r#type: &'static str,
    lsn: u64,
    changes: &'d [(u32, u8)],
}

/// All seats as of the last record that changed one, framed.
pub(super) fn snapshot(room: Room, index: EventIndex, event: &Event) -> Bytes {
    let lsn = event.inventory_lsn();
    let seats = event.plan().seat_count();
    let packed = pack((0..seats).map(|seat| event.seat_status(SeatIndex(seat)).into()));
    match room {
        Room::MapBinary(_) => {
            let mut message = head(SNAPSHOT, seats, lsn);
            message.extend_from_slice(&packed);
            frames::binary(&message)
        }
        _ => json(&Snapshot {
            r#type: "snapshot",
            event: index.into(),
            lsn: lsn.0,
            seats,
            states: base64(&packed),
        }),
    }
}

/// The states of some seats as of `lsn`, framed.
pub(super) fn delta(room: Room, lsn: Lsn, seats: &[SeatState]) -> Bytes {
    match room {
        Room::MapBinary(_) => {
            let mut message = head(DELTA, seats.len() as u32, lsn);
            for &(seat, status) in seats {
                message.extend_from_slice(&(seat.0 << 2 | u32::from(code(status))).to_le_bytes());
            }
            frames::binary(&message)
        }
        _ => {
            let changes: Vec<_> =
                seats.iter().map(|&(seat, status)| (seat.0, code(status))).collect();
            json(&Delta { r#type: "delta", lsn: lsn.0, changes: &changes })
        }
    }
}

/// Two bits of a seat.
fn code(status: SeatStatus) -> u8 {
    match status {
        SeatStatus::Available => 0,
        SeatStatus::Locked => 1,
        SeatStatus::Reserved => 2,
    }
}

/// Seat `i` is in byte `i / 4`, bits `2 * (i % 4)` and the next.
fn pack(statuses: impl ExactSizeIterator<Item = SeatStatus>) -> Vec<u8> {
    let mut packed = vec![0; statuses.len().div_ceil(SEATS_PER_BYTE)];
    for (seat, status) in statuses.enumerate() {
        packed[seat / SEATS_PER_BYTE] |= code(status) << (2 * (seat % SEATS_PER_BYTE));
    }
    packed
}

/// Sixteen bytes, so that what follows is aligned for a browser's typed arrays.
fn head(kind: u32, count: u32, lsn: Lsn) -> Vec<u8> {
    let mut head = Vec::with_capacity(16 + 4 * count as usize);
    head.extend_from_slice(&kind.to_le_bytes());
    head.extend_from_slice(&count.to_le_bytes());
    head.extend_from_slice(&lsn.0.to_le_bytes());
    head
}

fn json(message: &impl Serialize) -> Bytes {
    // Structs of numbers and texts always serialize.
    frames::text(&serde_json::to_string(message).unwrap_or_default())
}

/// RFC 4648 with padding, as `atob` reads it.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..4 {
            let value = bits >> (18 - 6 * digit) & 63;
            text.push(match digit <= group.len() {
                true => char::from(DIGITS[value as usize]),
                false => '=',
            });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: EventIndex = EventIndex(0);

    #[test]
    fn bits_and_bytes() {
        use SeatStatus::{Available, Locked, Reserved};
        let statuses = [Available, Locked, Reserved, Available, Reserved];
        assert_eq!(pack(statuses.into_iter()), [0b00_10_01_00, 0b10]);
        let changes = [(SeatIndex(1), Locked), (SeatIndex(300), Reserved)];
        let frame = delta(Room::MapBinary(EVENT), Lsn(9), &changes);
        let message = [2, 0, 0, 0, 2, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0xb2, 4, 0, 0];
        assert_eq!(&frame[..2], &[0x82, 24]);
        assert_eq!(&frame[2..], &message);
        let frame = delta(Room::Map(EVENT), Lsn(9), &changes);
        assert_eq!(&frame[2..], b"{\"type\":\"delta\",\"lsn\":9,\"changes\":[[1,1],[300,2]]}");
    }

    #[test]
    fn base64_as_the_rfc_has_it() {
        for (text, encoded) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foob", "Zm9vYg=="),
            ("fooba", "Zm9vYmE="),
            ("foobar", "Zm9vYmFy"),
        ] {
            assert_eq!(base64(text.as_bytes()), encoded);
        }
    }
}
