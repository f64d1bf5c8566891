//! Reads a request's body: whole, bounded in size and time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::CONTENT_LENGTH;

use crate::error::{ApiError, Code};

/// The largest JSON body of the contract.
pub(crate) const JSON_BYTES_MAX: usize = 100 * 1024;

/// How long a body of the contract's size may take to arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(5);
/// What a slow line uploads at least: larger bodies may take longer.
const UPLOAD_BYTES_PER_S: u64 = 64 << 10;

/// The body, empty where there is none.
///
/// # Errors
/// 413 over `bytes_max` (announced or sent), 408 where it does not arrive in time, 400 where it
/// breaks off or is malformed.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Incoming,
    bytes_max: usize,
) -> Result<Bytes, ApiError> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: u64| bytes > bytes_max as u64) {
        return Err(ApiError::new(Code::BodyTooLarge));
    }
    let larger = bytes_max.saturating_sub(JSON_BYTES_MAX) as u64;
    let within = READ_TIMEOUT + Duration::from_secs(larger / UPLOAD_BYTES_PER_S);
    match tokio::time::timeout(within, collect(body, bytes_max)).await {
        Ok(read) => read,
        Err(_) => Err(ApiError::new(Code::RequestTimeout)),
    }
}

async fn collect(mut body: Incoming, bytes_max: usize) -> Result<Bytes, ApiError> {
    let first = next(&mut body).await?.unwrap_or_default();
    let mut whole = match body.is_end_stream() {
        // Nearly always: one read brought it all, and nothing is copied.
        true if first.len() <= bytes_max => return Ok(first),
        true => return Err(ApiError::new(Code::BodyTooLarge)),
        false => BytesMut::from(first),
    };
    while let Some(chunk) = next(&mut body).await? {
        if whole.len() + chunk.len() > bytes_max {
            return Err(ApiError::new(Code::BodyTooLarge));
        }
        whole.extend_from_slice(&chunk);
    }
    Ok(whole.freeze())
}

/// The next piece of data; trailers are skipped.
async fn next(body: &mut Incoming) -> Result<Option<Bytes>, ApiError> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| ApiError::new(Code::BadRequest).cause(error))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}
