//! The names of things: indices inside the engine, UUIDs outside it.
//!
//! An external id carries the index it stands for, so it is decoded without a table look-up. It is
//! a name and no secret: every command that acts on somebody's thing checks whose it is.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! index {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl $name {
            /// The index as a position in a slice.
            #[must_use]
            pub fn position(self) -> usize {
                self.0 as usize
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

index!(
    /// An event (a dated show), counted from 0 in the order of creation.
    EventIndex(u32)
);
index!(
    /// A venue layout, counted from 0 in the order of creation.
    LayoutIndex(u32)
);
index!(
    /// A user, counted from 0 in the order of registration.
    UserIndex(u32)
);
index!(
    /// A seat of one event, dense from 0: section by section, row by row, seat by seat.
    SeatIndex(u32)
);
index!(
    /// A ticket type of one event, counted from 0.
    TicketTypeIndex(u16)
);
index!(
    /// A place in an event's hold table; used again once its order has ended.
    HoldSlot(u32)
);
index!(
    /// An order of one event, counted from 0 and never used again: the generation of its slot, and
    /// so the fencing token of one hold's life.
    OrderNumber(u32)
);
index!(
    /// A payment attempt of one order, counted from 1; a late outcome of an earlier attempt is refused.
    Attempt(u8)
);

index!(
    /// A place in an event's line, counted from 1 in the order of arrival and never used again (I12).
    Place(u32)
);
index!(
    /// An attempt to be paid, counted from 0 over the whole installation.
    ChargeIndex(u32)
);
index!(
    /// Money on its way back, counted from 0 over the whole installation.
    RefundIndex(u32)
);
index!(
    /// A lane of an event's line, counted from 0.
    Lane(u8)
);
index!(
    /// A news post, counted from 0 and never used again.
    NewsIndex(u32)
);

impl Lane {
    /// The lane of everybody who was put into no other.
    pub const EVERYBODYS: Lane = Lane(0);
}

/// A position in the log, dense from 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before the first record.
    pub const ZERO: Lsn = Lsn(0);

    /// The position of the next record.
    #[must_use]
    pub fn next(self) -> Lsn {
        Lsn(self.0 + 1)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One process life; a higher epoch fences a stale writer. The first is 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Epoch(pub u64);

impl Epoch {
    /// The epoch of the next process life.
    #[must_use]
    pub fn next(self) -> Epoch {
        Epoch(self.0 + 1)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An instant: milliseconds since 1970-01-01T00:00:00Z.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixMillis(pub u64);

impl UnixMillis {
    /// The instant `ms` milliseconds later; the end of time where that overflows.
    #[must_use]
    pub fn plus(self, ms: u64) -> UnixMillis {
        UnixMillis(self.0.saturating_add(ms))
    }
}

/// A user and the random tag drawn at registration.
///
/// The tag tells a user of this installation from one of another whose token happens to verify.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct UserId {
    /// Where the account is.
    pub index: UserIndex,
    /// 64 random bits.
    pub tag: u64,
}

/// An order, by the slot that its seats are held in and the number that outlives the slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ReservationId {
    /// The event.
    pub event: EventIndex,
    /// The hold slot.
    pub slot: HoldSlot,
    /// The generation of that slot.
    pub order: OrderNumber,
}

/// Something with a UUID. `encode` and `decode` are inverses; any other UUID decodes to `None`.
///
/// Shape (RFC 9562, version 8, bytes 0..16): `a` in 0..4, its 16-bit extra in 4..6, version and
/// kind in 6, zero in 7, the variant in 8, zero in 9, 16 more bits in 10..12, `b` in 12..16.
/// A user's tag fills 4..6, 9..12 and 12..16 but for its upper byte, which byte 7 holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ExternalId {
    /// An event.
    Event(EventIndex),
    /// A venue layout.
    Layout(LayoutIndex),
    /// A user.
    User(UserId),
    /// A seat of an event.
    Seat(EventIndex, SeatIndex),
    /// A ticket type of an event.
    TicketType(EventIndex, TicketTypeIndex),
    /// An order.
    Reservation(ReservationId),
    /// A news post.
    News(NewsIndex),
}

const VERSION: u8 = 0x80;
const VARIANT: u8 = 0x80;

impl ExternalId {
    /// The UUID, most significant byte first.
    #[must_use]
    pub fn encode(self) -> u128 {
        let (kind, a, middle, b) = match self {
            ExternalId::Event(event) => (1, event.0, 0, 0),
            ExternalId::Layout(layout) => (2, layout.0, 0, 0),
            ExternalId::User(user) => return encode_user(user),
            ExternalId::Seat(event, seat) => (4, event.0, 0, seat.0),
            ExternalId::TicketType(event, ticket) => (5, event.0, 0, u32::from(ticket.0)),
            ExternalId::Reservation(id) => (6, id.event.0, id.order.0, id.slot.0),
            ExternalId::News(news) => (7, news.0, 0, 0),
        };
        let mut bytes = [0; 16];
        bytes[0..4].copy_from_slice(&a.to_be_bytes());
        bytes[4..6].copy_from_slice(&middle.to_be_bytes()[0..2]);
        bytes[6] = VERSION | kind;
        bytes[8] = VARIANT;
        bytes[10..12].copy_from_slice(&middle.to_be_bytes()[2..4]);
        bytes[12..16].copy_from_slice(&b.to_be_bytes());
        u128::from_be_bytes(bytes)
    }

    /// What a UUID stands for, or `None` where this engine never gave it out.
    #[must_use]
    pub fn decode(uuid: u128) -> Option<ExternalId> {
        let bytes = uuid.to_be_bytes();
        let word = |at: usize| {
            u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
        };
        let (a, b) = (word(0), word(12));
        let middle = u32::from_be_bytes([bytes[4], bytes[5], bytes[10], bytes[11]]);
        let id = match bytes[6] & 0x0f {
            1 => ExternalId::Event(EventIndex(a)),
            2 => ExternalId::Layout(LayoutIndex(a)),
            3 => ExternalId::User(decode_user(bytes)),
            4 => ExternalId::Seat(EventIndex(a), SeatIndex(b)),
            5 => ExternalId::TicketType(EventIndex(a), TicketTypeIndex(u16::try_from(b).ok()?)),
            6 => ExternalId::Reservation(ReservationId {
                event: EventIndex(a),
                slot: HoldSlot(b),
                order: OrderNumber(middle),
            }),
            7 => ExternalId::News(NewsIndex(a)),
            _ => return None,
        };
        // One spelling each: whatever does not encode back to itself was not ours.
        (id.encode() == uuid).then_some(id)
    }
}

fn encode_user(user: UserId) -> u128 {
    let tag = user.tag.to_be_bytes();
    let mut bytes = [0; 16];
    bytes[0..4].copy_from_slice(&user.index.0.to_be_bytes());
    bytes[4..6].copy_from_slice(&tag[0..2]);
    bytes[6] = VERSION | 3;
    bytes[7] = tag[2];
    bytes[8] = VARIANT;
    bytes[9] = tag[3];
    bytes[10..12].copy_from_slice(&tag[4..6]);
    bytes[12..14].copy_from_slice(&tag[6..8]);
    u128::from_be_bytes(bytes)
}

fn decode_user(bytes: [u8; 16]) -> UserId {
    let index = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    let tag = [bytes[4], bytes[5], bytes[7], bytes[9], bytes[10], bytes[11], bytes[12], bytes[13]];
    UserId { index: UserIndex(index), tag: u64::from_be_bytes(tag) }
}

/// The public number of a reservation, such as `TK1795196714996ROJ1Q`.
///
/// `TK`, the 13 digits of the instant it was made, and five of `[0-9A-Z]` that come from its
/// position in the log. Positions are dense, so two numbers differ unless sixty million orders
/// fall into one millisecond; nothing has to be looked up or stored.
#[must_use]
pub fn reservation_number(held_at: UnixMillis, held_lsn: Lsn) -> String {
    const DIGITS: &[u8; 36] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    const SPACE: u64 = 36 * 36 * 36 * 36 * 36;
    // Coprime to 36^5, so the product visits every value once; neighbours do not look alike.
    const SPREAD: u64 = 25_214_903_917 % SPACE;
    let mut rest = (held_lsn.0 % SPACE) * SPREAD % SPACE;
    let mut suffix = [b'0'; 5];
    for place in suffix.iter_mut().rev() {
        *place = DIGITS[(rest % 36) as usize];
        rest /= 36;
    }
    let mut number = format!("TK{:013}", held_at.0);
    number.extend(suffix.iter().map(|&digit| char::from(digit)));
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn external_ids_decode_to_what_was_encoded() {
        let user = UserId { index: UserIndex(7), tag: 0x0123_4567_89ab_cdef };
        let reservation = ReservationId {
            event: EventIndex(3),
            slot: HoldSlot(u32::MAX),
            order: OrderNumber(0x0102_0304),
        };
        for id in [
            ExternalId::Event(EventIndex(0)),
            ExternalId::Event(EventIndex(u32::MAX)),
            ExternalId::Layout(LayoutIndex(9)),
            ExternalId::User(user),
            ExternalId::Seat(EventIndex(1), SeatIndex(4_899)),
            ExternalId::TicketType(EventIndex(2), TicketTypeIndex(u16::MAX)),
            ExternalId::Reservation(reservation),
            ExternalId::News(NewsIndex(12)),
        ] {
            assert_eq!(ExternalId::decode(id.encode()), Some(id), "{id:?}");
        }
    }

    #[test]
    fn foreign_uuids_decode_to_nothing() {
        let event = ExternalId::Event(EventIndex(5)).encode();
        for foreign in
            [0, u128::MAX, event | 1, event ^ (1 << 76), 0x550e_8400_e29b_41d4_a716_4466_5544_0000]
        {
            assert_eq!(ExternalId::decode(foreign), None, "{foreign:032x}");
        }
    }

    #[test]
    fn reservation_numbers_have_the_contract_shape_and_differ() {
        let at = UnixMillis(1_795_196_714_996);
        let mut seen = std::collections::HashSet::new();
        for lsn in 1..=20_000 {
            let number = reservation_number(at, Lsn(lsn));
            assert_eq!(number.len(), 20);
            assert!(number.starts_with("TK1795196714996"));
            assert!(number[15..].bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase()));
            assert!(seen.insert(number));
        }
    }
}
