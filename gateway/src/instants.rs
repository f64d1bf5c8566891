//! Instants as people type them.

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use tiketi_engine::ids::UnixMillis;

/// Seoul time: nine hours ahead, without daylight saving.
pub(crate) const SEOUL: Offset = Offset::constant(9);
const SEOUL_AHEAD_MS: u64 = 9 * 60 * 60 * 1_000;
/// No summer time since 1988.
pub(crate) const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Reads an ISO-8601 date and time. One without a zone is Seoul time (contract/http.md 1).
pub(crate) fn parse(text: &str) -> Option<UnixMillis> {
    let text = text.trim();
    let instant = match text.parse::<jiff::Timestamp>() {
        Ok(instant) => instant,
        // A civil time refuses `Z`, and an offset only gets here where it is malformed.
        Err(_) if has_offset(text) => return None,
        Err(_) => SEOUL.to_timestamp(text.parse::<DateTime>().ok()?).ok()?,
    };
    u64::try_from(instant.as_millisecond()).ok().map(UnixMillis)
}

/// The same for the end of a span: a day alone ends with itself.
pub(crate) fn parse_end(text: &str) -> Option<UnixMillis> {
    const DAY_CHARS: usize = "2027-01-10".len();
    let is_day = text.trim().len() == DAY_CHARS;
    parse(text).map(|at| if is_day { at.plus(DAY_MS) } else { at })
}

/// As [`parse`], but a day alone is its last millisecond.
pub(crate) fn last_of(text: &str) -> Option<UnixMillis> {
    let (at, end) = (parse(text)?, parse_end(text)?);
    Some(if end > at { UnixMillis(end.0 - 1) } else { at })
}

/// When the Seoul day of an instant began.
pub(crate) fn seoul_midnight(at: UnixMillis) -> UnixMillis {
    let local = at.0.saturating_add(SEOUL_AHEAD_MS);
    UnixMillis((local - local % DAY_MS).saturating_sub(SEOUL_AHEAD_MS))
}

/// The Seoul day of an instant: `2027-01-10`.
pub(crate) fn seoul_day(at: UnixMillis) -> Option<String> {
    let instant = jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
    Some(instant.to_zoned(TimeZone::fixed(SEOUL)).date().to_string())
}

/// The second of an instant in Seoul, without a zone: `2027-01-10T19:00:00`.
pub(crate) fn seoul_second(at: UnixMillis) -> String {
    let instant = i64::try_from(at.0).ok();
    let instant = instant.and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    let instant = instant.unwrap_or(jiff::Timestamp::MAX);
    instant.to_zoned(TimeZone::fixed(SEOUL)).strftime("%Y-%m-%dT%H:%M:%S").to_string()
}

/// Whether something that looks like an offset follows the time.
fn has_offset(text: &str) -> bool {
    let time = text.split_once(['T', 't', ' ']).map_or("", |(_, time)| time);
    time.contains(['Z', 'z', '+', '-', '['])
}

/// The Seoul calendar day of an instant, at a time of that day, `days` later.
pub(crate) fn on_seoul_day(
    at: UnixMillis,
    days: i64,
    (hour, minute, second): (i8, i8, i8),
) -> Option<UnixMillis> {
    let instant = jiff::Timestamp::from_millisecond(i64::try_from(at.0).ok()?).ok()?;
    let day = instant.to_zoned(TimeZone::fixed(SEOUL)).date();
    let day = day.checked_add(jiff::Span::new().try_days(days).ok()?).ok()?;
    let instant = SEOUL.to_timestamp(day.at(hour, minute, second, 0)).ok()?;
    u64::try_from(instant.as_millisecond()).ok().map(UnixMillis)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Timestamp;

    #[test]
    fn zones_are_honoured_and_seoul_is_assumed() {
        for (text, expected) in [
            ("2027-01-10T19:00:00", Some("2027-01-10T10:00:00.000Z")),
            ("2027-01-10T19:00", Some("2027-01-10T10:00:00.000Z")),
            ("2027-01-10 19:00:00", Some("2027-01-10T10:00:00.000Z")),
            (" 2027-01-10T19:00:00 ", Some("2027-01-10T10:00:00.000Z")),
            ("2027-01-10T19:00:00.250", Some("2027-01-10T10:00:00.250Z")),
            ("2027-01-10T19:00:00Z", Some("2027-01-10T19:00:00.000Z")),
            ("2027-01-10T19:00:00.000Z", Some("2027-01-10T19:00:00.000Z")),
            ("2027-01-10T19:00:00+09:00", Some("2027-01-10T10:00:00.000Z")),
            ("2027-01-10T19:00:00-05:30", Some("2027-01-11T00:30:00.000Z")),
            ("2027-01-10", Some("2027-01-09T15:00:00.000Z")),
            ("1970-01-01T09:00:00", Some("1970-01-01T00:00:00.000Z")),
            ("1970-01-01T08:59:59", None),
            ("2027-02-30T19:00:00", None),
            ("2027-01-10T25:00:00", None),
            ("2027-01-10T19:00:00+99:00", None),
            ("2027-01-10T19:00:00+", None),
            ("2027-13-10T19:00:00", None),
            ("99999-01-01T00:00:00", None),
            ("tomorrow", None),
            ("1795196714996", None),
            ("", None),
        ] {
            let found = parse(text).map(|at| Timestamp(at).to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_date_ends_with_its_day() {
        for (text, expected) in [
            ("2027-01-10", Some("2027-01-10T14:59:59.999Z")),
            (" 2027-01-10 ", Some("2027-01-10T14:59:59.999Z")),
            ("2027-01-10T19:00", Some("2027-01-10T10:00:00.000Z")),
            ("2027-01-10 00:00", Some("2027-01-09T15:00:00.000Z")),
            ("2027-01-10T19:00:00Z", Some("2027-01-10T19:00:00.000Z")),
            ("2027-01", None),
        ] {
            let found = last_of(text).map(|at| Timestamp(at).to_string());
            assert_eq!(found.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn days_begin_at_midnight_in_seoul() {
        // 2026-11-20T15:00Z is midnight of the 21st in Seoul.
        let midnight = 1_795_186_800_000;
        for (now, expected) in [
            (midnight, midnight),
            (midnight + DAY_MS - 1, midnight),
            (midnight - 1, midnight - DAY_MS),
            (0, 0),
        ] {
            assert_eq!(seoul_midnight(UnixMillis(now)), UnixMillis(expected));
        }
        assert_eq!(seoul_day(UnixMillis(midnight)).as_deref(), Some("2026-11-21"));
        assert_eq!(seoul_day(UnixMillis(midnight - 1)).as_deref(), Some("2026-11-20"));
    }

    #[test]
    fn a_day_alone_ends_with_itself() {
        assert_eq!(parse_end("2026-11-20"), parse("2026-11-21"));
        assert_eq!(parse_end("2026-11-20T12:00:00"), parse("2026-11-20T12:00:00"));
        assert_eq!(parse_end("2026-11-32"), None);
    }

    #[test]
    fn days_are_seoul_days() {
        let late = parse("2026-11-20T23:30:00").expect("instant");
        for (days, expected) in [(0, "2026-11-20T09:00:00"), (11, "2026-12-01T09:00:00")] {
            assert_eq!(on_seoul_day(late, days, (9, 0, 0)), parse(expected));
        }
    }
}
