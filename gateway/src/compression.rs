//! gzip and brotli for bodies of a kibibyte and more.
//!
//! Small bodies are compressed where they are made; that takes a fraction of a millisecond. Larger
//! ones go to a blocking thread, one at a time: while it is taken the body goes out as it is, so that
//! no number of large answers can hold up bookings.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use flate2::write::GzEncoder;
use hyper::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
use serde::Serialize;
use tokio::sync::Semaphore;

use crate::api::hex;
use crate::error::{ApiError, Code};

/// Smaller bodies are never compressed: they fit one packet.
pub(crate) const COMPRESSED_BYTES_MIN: usize = 1024;
/// Larger bodies are compressed on a blocking thread.
const INLINE_BYTES_MAX: usize = 16 * 1024;
const GZIP_LEVEL: u32 = 5;
/// Measured on a seat map of 790 kB: smaller than gzip 5 in about the same time.
const BROTLI_QUALITY: i32 = 4;
const BROTLI_WINDOW_BITS: i32 = 20;

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As it is.
    Identity,
    /// RFC 1952.
    Gzip,
    /// RFC 7932.
    Brotli,
}

impl Encoding {
    /// The `Content-Encoding`, none for identity.
    pub(crate) fn header(self) -> Option<HeaderValue> {
        match self {
            Encoding::Identity => None,
            Encoding::Gzip => Some(HeaderValue::from_static("gzip")),
            Encoding::Brotli => Some(HeaderValue::from_static("br")),
        }
    }

    /// What the caller likes best; of equals brotli, then gzip. Identity where nothing fits: an
    /// answer that the caller may be unable to read is better than none.
    pub(crate) fn preferred(headers: &HeaderMap) -> Encoding {
        let mut weights: [Option<u16>; 3] = [None; 3];
        let mut rest = 0;
        for value in headers.get_all(ACCEPT_ENCODING) {
            for part in value.to_str().unwrap_or_default().split(',') {
                let (name, parameters) = part.split_once(';').unwrap_or((part, ""));
                let weight = quality(parameters);
                match name.trim().to_ascii_lowercase().as_str() {
                    "br" => weights[0] = Some(weight),
                    "gzip" | "x-gzip" => weights[1] = Some(weight),
                    "identity" => weights[2] = Some(weight),
                    "*" => rest = weight,
                    _ => {}
                }
            }
        }
        let [brotli, gzip, identity] = weights;
        let (brotli, gzip) = (brotli.unwrap_or(rest), gzip.unwrap_or(rest));
        // Unnamed, identity is acceptable but liked least.
        let identity = identity.unwrap_or(0);
        if brotli > 0 && brotli >= gzip && brotli >= identity {
            Encoding::Brotli
        } else if gzip > 0 && gzip >= identity {
            Encoding::Gzip
        } else {
            Encoding::Identity
        }
    }

    /// The encoded body. Takes about 10 ns a byte.
    fn apply(self, body: &[u8]) -> Option<Bytes> {
        let room = Vec::with_capacity(body.len() / 4 + 64);
        match self {
            Encoding::Identity => None,
            Encoding::Gzip => {
                let mut encoder = GzEncoder::new(room, flate2::Compression::new(GZIP_LEVEL));
                encoder.write_all(body).ok()?;
                encoder.finish().ok().map(Bytes::from)
            }
            Encoding::Brotli => {
                let parameters = brotli::enc::BrotliEncoderParams {
                    quality: BROTLI_QUALITY,
                    lgwin: BROTLI_WINDOW_BITS,
                    size_hint: body.len(),
                    ..Default::default()
                };
                let mut encoded = room;
                brotli::BrotliCompress(&mut &body[..], &mut encoded, &parameters).ok()?;
                Some(Bytes::from(encoded))
            }
        }
    }
}

/// The weight in thousandths; 0 where it is malformed.
fn quality(parameters: &str) -> u16 {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return 1000;
    }
    let value = parameters.strip_prefix("q=").or_else(|| parameters.strip_prefix("Q="));
    match value.map(str::parse::<f32>) {
        Some(Ok(weight)) if (0.0..=1.0).contains(&weight) => (weight * 1000.0) as u16,
        _ => 0,
    }
}

/// A body that is sent many times, with its encoded variants made at most once.
pub(crate) struct CachedBody {
    identity: Bytes,
    gzip: OnceLock<Bytes>,
    brotli: OnceLock<Bytes>,
    etag: HeaderValue,
}

impl CachedBody {
    /// A body and the weak tag of its version, such as `W/"1-42"`: weak, because all variants
    /// share it.
    pub(crate) fn new(identity: impl Into<Bytes>, etag: HeaderValue) -> Arc<Self> {
        let identity = identity.into();
        Arc::new(CachedBody { identity, gzip: OnceLock::new(), brotli: OnceLock::new(), etag })
    }

    /// A JSON body with a tag drawn from its bytes.
    pub(crate) fn json(body: &impl Serialize) -> Result<Arc<Self>, ApiError> {
        let identity =
            serde_json::to_vec(body).map_err(|error| ApiError::new(Code::Internal).cause(error))?;
        let version = hex(&blake3::hash(&identity).as_bytes()[..8]);
        let etag = HeaderValue::try_from(format!("W/\"{version}\""))
            .map_err(|error| ApiError::new(Code::Internal).cause(error))?;
        Ok(CachedBody::new(identity, etag))
    }

    pub(crate) fn etag(&self) -> &HeaderValue {
        &self.etag
    }

    /// Bytes of the body as it is.
    pub(crate) fn len(&self) -> usize {
        self.identity.len()
    }

    fn slot(&self, encoding: Encoding) -> Option<&OnceLock<Bytes>> {
        match encoding {
            Encoding::Identity => None,
            Encoding::Gzip => Some(&self.gzip),
            Encoding::Brotli => Some(&self.brotli),
        }
    }
}

/// Compresses bodies, large ones one at a time.
pub(crate) struct Compressor {
    large: Arc<Semaphore>,
}

impl Compressor {
    pub(crate) fn new() -> Self {
        Compressor { large: Arc::new(Semaphore::new(1)) }
    }

    /// `body` in `encoding`, or as it is where compressing has to wait or does not help.
    pub(crate) async fn encode(&self, encoding: Encoding, body: Bytes) -> (Encoding, Bytes) {
        let input = body.clone();
        match self.run(body.len(), move || encoding.apply(&input)).await.flatten() {
            Some(encoded) if encoded.len() < body.len() => (encoding, encoded),
            _ => (Encoding::Identity, body),
        }
    }

    /// A kept body in `encoding`, or as it is where its variant has to wait.
    pub(crate) async fn variant(
        &self,
        encoding: Encoding,
        body: Arc<CachedBody>,
    ) -> (Encoding, Bytes) {
        let Some(slot) = body.slot(encoding) else {
            return (encoding, body.identity.clone());
        };
        if slot.get().is_none() {
            let body = Arc::clone(&body);
            self.run(body.len(), move || {
                if let (Some(slot), Some(encoded)) =
                    (body.slot(encoding), encoding.apply(&body.identity))
                {
                    // Lost to another thread: theirs is the same.
                    let _ = slot.set(encoded);
                }
            })
            .await;
        }
        match slot.get() {
            Some(encoded) => (encoding, encoded.clone()),
            None => (Encoding::Identity, body.identity.clone()),
        }
    }

    /// Runs `work` here where it is small, else on a blocking thread if that is free.
    async fn run<T: Send + 'static>(
        &self,
        bytes: usize,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        if bytes <= INLINE_BYTES_MAX {
            return Some(work());
        }
        let turn = Arc::clone(&self.large).try_acquire_owned().ok()?;
        let result = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(turn);
            result
        });
        result.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn negotiation() {
        for (header, expected) in [
            ("", Encoding::Identity),
            ("gzip", Encoding::Gzip),
            ("gzip, deflate, br", Encoding::Brotli),
            ("gzip;q=1.0, br;q=0.5", Encoding::Gzip),
            ("br;q=0, gzip;q=0", Encoding::Identity),
            ("br;q=0, *", Encoding::Gzip),
            ("*", Encoding::Brotli),
            ("*;q=0", Encoding::Identity),
            ("identity, gzip;q=0.5", Encoding::Identity),
            ("GZIP ; q=0.3", Encoding::Gzip),
            ("br;q=2", Encoding::Identity),
            ("br;q=x, gzip", Encoding::Gzip),
            ("deflate", Encoding::Identity),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static(header));
            assert_eq!(Encoding::preferred(&headers), expected, "{header}");
        }
        assert_eq!(Encoding::preferred(&HeaderMap::new()), Encoding::Identity);
    }

    fn decoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
        let mut plain = Vec::new();
        match encoding {
            Encoding::Identity => plain.extend_from_slice(bytes),
            Encoding::Gzip => {
                let mut decoder = flate2::write::GzDecoder::new(&mut plain);
                decoder.write_all(bytes).expect("gzip");
                decoder.finish().expect("gzip end");
            }
            Encoding::Brotli => {
                brotli::BrotliDecompress(&mut &bytes[..], &mut plain).expect("brotli");
            }
        }
        plain
    }

    #[tokio::test]
    async fn bodies_come_back_whole_in_every_encoding() {
        let compressor = Compressor::new();
        for size in [COMPRESSED_BYTES_MIN, INLINE_BYTES_MAX + 1, 800_000] {
            let body = Bytes::from("{\"status\":\"available\"}".repeat(size / 22 + 1));
            let kept = CachedBody::new(body.clone(), HeaderValue::from_static("W/\"1\""));
            for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Brotli] {
                let (used, bytes) = compressor.encode(encoding, body.clone()).await;
                assert_eq!((used, decoded(used, &bytes) == body), (encoding, true));
                for _ in 0..2 {
                    let (used, bytes) = compressor.variant(encoding, Arc::clone(&kept)).await;
                    assert_eq!((used, decoded(used, &bytes) == body), (encoding, true));
                }
            }
        }
    }

    #[tokio::test]
    async fn large_bodies_go_out_as_they_are_while_the_thread_is_taken() {
        let compressor = Compressor::new();
        let turn = Arc::clone(&compressor.large).try_acquire_owned().expect("free");
        let body = Bytes::from(vec![b' '; INLINE_BYTES_MAX + 1]);
        assert_eq!(compressor.encode(Encoding::Gzip, body.clone()).await.0, Encoding::Identity);
        drop(turn);
        assert_eq!(compressor.encode(Encoding::Gzip, body).await.0, Encoding::Gzip);
    }
}
