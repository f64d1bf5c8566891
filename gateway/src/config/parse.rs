//! From the text of one setting to its value, or to what is allowed.

use std::net::SocketAddr;
use std::time::Duration;

use hyper::header::HeaderValue;
use tiketi_engine::limits::{
    HOLD_TTL_MS_MAX, HOLD_TTL_MS_MIN, PLACES_PER_EVENT_MAX, SEATS_PER_HOLD_MAX,
    TICKETS_PER_USER_MAX,
};
use tiketi_engine::record::TicketHold;

use crate::api::queue::rate_milli;
use crate::config::{
    AccessLogLevel, Environment, ImagePlace, LogFormat, LogStoreKind, QueueRate, S3Place,
};
use crate::proxies::TrustedProxies;
use crate::rate_limit::RateLimitConfig;

/// An address and a port.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "expected an address and a port, such as 127.0.0.1:3001".to_owned())
}

/// Addresses and networks.
pub(super) fn proxies(text: &str) -> Result<TrustedProxies, String> {
    text.parse()
}

/// `sled` or `segments`.
pub(super) fn log_store(text: &str) -> Result<LogStoreKind, String> {
    match text {
        "sled" => Ok(LogStoreKind::Sled),
        "segments" => Ok(LogStoreKind::Segments),
        _ => Err("expected sled or segments".to_owned()),
    }
}

/// `development` or `production`.
pub(super) fn environment(text: &str) -> Result<Environment, String> {
    match text {
        "development" => Ok(Environment::Development),
        "production" => Ok(Environment::Production),
        _ => Err("expected development or production".to_owned()),
    }
}

/// `text` or `json`.
pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("expected text or json".to_owned()),
    }
}

/// `off`, `errors` or `all`.
pub(super) fn access_log(text: &str) -> Result<AccessLogLevel, String> {
    match text {
        "off" => Ok(AccessLogLevel::Off),
        "errors" => Ok(AccessLogLevel::Errors),
        "all" => Ok(AccessLogLevel::All),
        _ => Err("expected off, errors or all".to_owned()),
    }
}

/// What `tracing` takes as a filter.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err("expected a level (error, warn, info, debug, trace) or a filter".to_owned()),
    }
}

/// A switch.
pub(super) fn on_off(text: &str) -> Result<bool, String> {
    match text {
        "on" | "true" | "1" => Ok(true),
        "off" | "false" | "0" => Ok(false),
        _ => Err("expected on or off".to_owned()),
    }
}

/// 1 to what one hold can have.
pub(super) fn max_seats(text: &str) -> Result<u8, String> {
    bounded(text, 1, SEATS_PER_HOLD_MAX).map(|seats| seats as u8)
}

/// 1 to the highest cap of tickets.
pub(super) fn max_tickets(text: &str) -> Result<u32, String> {
    bounded(text, 1, TICKETS_PER_USER_MAX as usize).map(|tickets| tickets as u32)
}

/// `never`, or a duration that a hold can have.
pub(super) fn ticket_hold(text: &str) -> Result<TicketHold, String> {
    if text == "never" {
        return Ok(TicketHold::Never);
    }
    let ms = duration(text).ok().and_then(|ttl| u64::try_from(ttl.as_millis()).ok());
    let ms = ms.filter(|ms| (HOLD_TTL_MS_MIN..=HOLD_TTL_MS_MAX).contains(ms));
    let wrong = || "expected never, or a duration from 1s to 24h".to_owned();
    ms.map(TicketHold::Millis).ok_or_else(wrong)
}

/// A number of people.
pub(super) fn threshold(text: &str) -> Result<u32, String> {
    bounded(text, 1, PLACES_PER_EVENT_MAX as usize).map(|people| people as u32)
}

/// People a second, to the thousandth, or `unlimited`.
pub(super) fn queue_rate(text: &str) -> Result<QueueRate, String> {
    if text == "unlimited" {
        return Ok(QueueRate::UNLIMITED);
    }
    let milli = text.parse::<f64>().ok().and_then(rate_milli);
    let wrong =
        || "expected people a second from 0.001, such as 50 or 0.5, or unlimited".to_owned();
    milli.map(|milli| QueueRate { milli: Some(milli) }).ok_or_else(wrong)
}

/// A number of threads.
pub(super) fn workers(text: &str) -> Result<usize, String> {
    bounded(text, 1, 256)
}

/// A number of connections.
pub(super) fn connections(text: &str) -> Result<usize, String> {
    bounded(text, 1, 1_000_000)
}

/// A scheme, a host and maybe a port, as a browser sends it in `Origin`.
pub(super) fn origin(text: &str) -> Result<HeaderValue, String> {
    let wrong = || "expected an origin, such as https://tiketi.gg".to_owned();
    let text = text.strip_suffix('/').unwrap_or(text);
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', ' ', '*', ',']) => {
            HeaderValue::from_str(text).map_err(|_| wrong())
        }
        _ => Err(wrong()),
    }
}

/// The size of a generation.
pub(super) fn generation_bytes(text: &str) -> Result<u64, String> {
    bounded(text, 4 << 10, 1 << 30).map(|bytes| bytes as u64)
}

fn bounded(text: &str, low: usize, high: usize) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if (low..=high).contains(&number) => Ok(number),
        _ => Err(format!("expected a number from {low} to {high}")),
    }
}

/// See [`RateLimitConfig`].
pub(super) fn rate_limit(text: &str) -> Result<RateLimitConfig, String> {
    text.parse()
}

/// `250ms`, `300s`, `5m`, `24h`: a whole number and its unit.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "expected a duration such as 250ms, 300s, 5m or 24h".to_owned();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let unit_ms = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    number.checked_mul(unit_ms).map(Duration::from_millis).ok_or_else(wrong)
}

/// An address of this server as browsers see it, without the slash at its end.
pub(super) fn public_url(text: &str) -> Result<String, String> {
    let text = text.trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['?', '#', ' ', '@']) => {
            Ok(text.to_owned())
        }
        _ => Err("expected an address such as https://tickets.example".to_owned()),
    }
}

/// `file:///directory` or `s3://bucket/prefix`; the rest of a bucket is said by other settings.
pub(super) fn image_place(text: &str) -> Result<ImagePlace, String> {
    let wrong = || "expected file:///directory or s3://bucket/prefix".to_owned();
    if let Some(path) = text.strip_prefix("file://") {
        let is_absolute = path.starts_with('/');
        return is_absolute.then(|| ImagePlace::Directory(path.into())).ok_or_else(wrong);
    }
    let rest = text.strip_prefix("s3://").ok_or_else(wrong)?;
    let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
    let is_name = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'))
    };
    let prefix = prefix.trim_end_matches('/');
    let parts = || prefix.split('/').all(|part| is_name(part) && !matches!(part, "" | "." | ".."));
    if bucket.is_empty() || !is_name(bucket) || !(prefix.is_empty() || parts()) {
        return Err(wrong());
    }
    Ok(ImagePlace::S3(S3Place {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: None,
        region: String::new(),
        keys: None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        for (text, ms) in
            [("250ms", Some(250)), ("300s", Some(300_000)), ("5m", Some(300_000)), ("5", None)]
                .into_iter()
                .chain([("", None), ("m", None), ("1.5s", None), ("-1s", None), ("5 m", None)])
                .chain([("99999999999999999999s", None), ("18446744073709551615h", None)])
        {
            assert_eq!(duration(text).ok(), ms.map(Duration::from_millis), "{text}");
        }
    }

    #[test]
    fn image_places() {
        let bucket = |text| match image_place(text) {
            Ok(ImagePlace::S3(place)) => Some((place.bucket, place.prefix)),
            _ => None,
        };
        let names = |bucket: &str, prefix: &str| Some((bucket.to_owned(), prefix.to_owned()));
        assert_eq!(bucket("s3://posters"), names("posters", ""));
        assert_eq!(bucket("s3://posters/tiketi/images/"), names("posters", "tiketi/images"));
        assert_eq!(image_place("file:///a/b"), Ok(ImagePlace::Directory("/a/b".into())));
        for wrong in [
            "",
            "images",
            "file://images",
            "s3://",
            "s3:///x",
            "s3://a/../b",
            "s3://a//b",
            "gs://a",
        ] {
            assert!(image_place(wrong).is_err(), "{wrong}");
        }
    }
}
