//! The part of the booking contract that is spoken here, as a client sees it: unknown fields are no
//! concern of ours, and nothing comes from the server's own code.

use serde::Deserialize;
use uuid::Uuid;

/// `POST /api/auth/register`, `POST /api/auth/login`.
#[derive(Deserialize)]
pub(crate) struct LoggedIn {
    pub(crate) token: String,
}

/// Every refusal.
#[derive(Deserialize)]
pub(crate) struct Refusal<'a> {
    #[serde(borrow)]
    pub(crate) code: Option<std::borrow::Cow<'a, str>>,
}

/// `POST /api/admin/events`.
#[derive(Deserialize)]
pub(crate) struct EventMade {
    pub(crate) event: Named,
}

/// Something with an id.
#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) id: Uuid,
}

/// `GET /api/seats/layouts`.
#[derive(Deserialize)]
pub(crate) struct Layouts {
    pub(crate) layouts: Vec<LayoutRow>,
}

/// A hall that events can be made in.
#[derive(Deserialize)]
pub(crate) struct LayoutRow {
    pub(crate) id: Uuid,
    pub(crate) name: String,
    pub(crate) total_seats: u32,
}

/// `POST /api/admin/seat-layouts`.
#[derive(Deserialize)]
pub(crate) struct LayoutMade {
    pub(crate) layout: Named,
}

/// `GET /api/seats/events/:eventId`.
#[derive(Deserialize)]
pub(crate) struct SeatMap {
    pub(crate) seats: Vec<SeatRow>,
}

/// A seat of a map.
#[derive(Clone, Deserialize)]
pub(crate) struct SeatRow {
    pub(crate) id: Uuid,
    pub(crate) section: String,
    pub(crate) row_number: u32,
    pub(crate) seat_label: String,
    pub(crate) price: u64,
    pub(crate) status: SeatStatus,
}

/// A map again, once its seats are known.
#[derive(Deserialize)]
pub(crate) struct SeatStates {
    pub(crate) seats: Vec<SeatState>,
}

/// What became of a seat.
#[derive(Deserialize)]
pub(crate) struct SeatState {
    pub(crate) id: Uuid,
    pub(crate) status: SeatStatus,
}

/// What a seat is to a buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeatStatus {
    Available,
    Locked,
    Reserved,
}

/// `POST /api/seats/reserve`.
#[derive(Deserialize)]
pub(crate) struct Reserved<'a> {
    #[serde(borrow)]
    pub(crate) reservation: Held<'a>,
    /// Whether the buyer had it already.
    #[serde(default, rename = "alreadyYours")]
    pub(crate) already_yours: bool,
}

/// A new reservation.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Held<'a> {
    pub(crate) id: Uuid,
    pub(crate) total_amount: u64,
    #[serde(borrow)]
    pub(crate) expires_at: std::borrow::Cow<'a, str>,
    pub(crate) seats: Vec<HeldSeat>,
}

/// A seat of it.
#[derive(Deserialize)]
pub(crate) struct HeldSeat {
    pub(crate) id: Uuid,
    pub(crate) price: u64,
}

/// `POST /api/payments/process`.
#[derive(Deserialize)]
pub(crate) struct Paid {
    pub(crate) success: bool,
    pub(crate) payment: Payment,
}

/// What was paid.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payment {
    pub(crate) total_amount: u64,
}

/// `GET /api/seats/reservation/:reservationId`.
#[derive(Deserialize)]
pub(crate) struct Kept {
    pub(crate) reservation: KeptReservation,
}

/// A reservation as it was kept.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct KeptReservation {
    pub(crate) total_amount: u64,
    pub(crate) status: String,
    pub(crate) payment_status: String,
    pub(crate) seats: Vec<KeptSeat>,
}

/// A seat of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct KeptSeat {
    #[serde(rename = "seatId")]
    pub(crate) id: Uuid,
}

/// `POST /api/queue/check/:eventId`, `GET /api/queue/status/:eventId`.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Standing {
    pub(crate) queued: bool,
    #[serde(default)]
    pub(crate) position: u32,
    #[serde(default)]
    pub(crate) queue_size: u32,
}

/// `GET /health`.
#[derive(Deserialize)]
pub(crate) struct Health {
    pub(crate) timestamp: String,
}

/// Milliseconds since 1970 of `2026-12-31T10:00:00.000Z`, the one form that the contract has.
pub(crate) fn unix_ms(text: &str) -> Option<i64> {
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let bytes = text.as_bytes();
    let marks = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    if !text.ends_with('Z') || marks.iter().any(|&(at, mark)| bytes.get(at) != Some(&mark)) {
        return None;
    }
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let millis = match bytes.get(19) {
        Some(b'.') => number(20, 23)?,
        _ => 0,
    };
    // Days since 1970-01-01, years beginning in March. Source: Howard Hinnant, "chrono-compatible
    // low-level date algorithms".
    let years = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (years.div_euclid(400), years.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    let seconds = (days * 24 + number(11, 13)?) * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
    Some(seconds * 1_000 + millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000Z", Some(0)),
            ("2000-02-29T12:34:56.789Z", Some(951_827_696_789)),
            ("2026-11-21T18:47:19Z", Some(1_795_286_839_000)),
            ("2026-11-21 18:47:19Z", None),
            ("2026-11-21T18:47:19", None),
            ("", None),
            ("2026-1", None),
        ] {
            assert_eq!(unix_ms(text), expected, "{text}");
        }
    }
}
