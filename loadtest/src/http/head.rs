//! The head of an answer, and how its body ends.

use crate::http::Broken;

const HEADERS_MAX: usize = 64;

/// How long a body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Bytes(usize),
    Chunked,
    /// Until the server closes the connection.
    UntilClosed,
}

/// What counts of a head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// Bytes, blank line included.
    pub(crate) bytes: usize,
    pub(crate) status: u16,
    pub(crate) length: Length,
    /// Whether another request may follow.
    pub(crate) is_kept: bool,
}

/// The head at the beginning of `bytes`, or `None` where more of it has to come.
///
/// # Errors
/// It is no head of an HTTP answer.
pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Head>, Broken> {
    let nonsense = || Broken::Nonsense("not HTTP");
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut answer = httparse::Response::new(&mut headers);
    let bytes = match answer.parse(bytes).map_err(|_| nonsense())? {
        httparse::Status::Complete(bytes) => bytes,
        httparse::Status::Partial => return Ok(None),
    };
    let status = answer.code.ok_or_else(nonsense)?;
    let mut is_kept = answer.version == Some(1);
    let mut length = None;
    for header in answer.headers.iter() {
        if header.name.eq_ignore_ascii_case("content-length") {
            let value = std::str::from_utf8(header.value).ok();
            let value = value.and_then(|value| value.trim().parse().ok());
            length = Some(Length::Bytes(value.ok_or_else(nonsense)?));
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            length = Some(Length::Chunked);
        } else if header.name.eq_ignore_ascii_case("connection") {
            is_kept = !header.value.eq_ignore_ascii_case(b"close") && is_kept;
        }
    }
    let length = match status {
        100..200 | 204 | 304 => Length::Bytes(0),
        _ => length.unwrap_or(Length::UntilClosed),
    };
    is_kept &= length != Length::UntilClosed;
    Ok(Some(Head { bytes, status, length, is_kept }))
}

/// The body in chunks at the beginning of `bytes`, put together, or `None` where more has to come.
///
/// # Errors
/// These are no chunks.
pub(crate) fn unchunk(mut bytes: &[u8]) -> Result<Option<Vec<u8>>, Broken> {
    let nonsense = || Broken::Nonsense("not a chunked body");
    let mut body = Vec::new();
    loop {
        let (skip, size) = match httparse::parse_chunk_size(bytes).map_err(|_| nonsense())? {
            httparse::Status::Complete((skip, size)) => (skip, size as usize),
            httparse::Status::Partial => return Ok(None),
        };
        let Some(end) = skip.checked_add(size) else { return Err(nonsense()) };
        let Some(rest) = bytes.get(end..) else { return Ok(None) };
        if size == 0 {
            // Trailers, if any, end with a blank line.
            let is_whole = rest.starts_with(b"\r\n") || rest.windows(4).any(|w| w == b"\r\n\r\n");
            return Ok(is_whole.then_some(body));
        }
        body.extend_from_slice(&bytes[skip..end]);
        if rest.len() < 2 {
            return Ok(None);
        }
        bytes = rest.strip_prefix(b"\r\n").ok_or_else(nonsense)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", Some((200, Length::Bytes(5), true))),
            (
                "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
                Some((200, Length::Bytes(0), false)),
            ),
            (
                "HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\n",
                Some((201, Length::Chunked, true)),
            ),
            ("HTTP/1.1 200 OK\r\n\r\n", Some((200, Length::UntilClosed, false))),
            ("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n", Some((200, Length::Bytes(1), false))),
            ("HTTP/1.1 304 Not Modified\r\n\r\n", Some((304, Length::Bytes(0), true))),
            ("HTTP/1.1 200 OK\r\ncontent-le", None),
            ("", None),
        ] {
            let head = parse(text.as_bytes()).expect(text);
            let head = head.map(|head| (head.status, head.length, head.is_kept));
            assert_eq!(head, expected, "{text}");
        }
        for text in ["SSH-2.0-x\r\n", "HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n"] {
            assert!(parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    #[test]
    fn chunks() {
        let whole = b"4\r\nab\r\n\r\n3;x=y\r\nxyz\r\n0\r\n\r\n";
        assert_eq!(unchunk(whole), Ok(Some(b"ab\r\nxyz".to_vec())));
        for end in 0..whole.len() {
            assert_eq!(unchunk(&whole[..end]), Ok(None), "{end}");
        }
        assert!(unchunk(b"zz\r\n").is_err());
        assert!(unchunk(b"1\r\nabc\r\n").is_err());
        assert!(unchunk(b"ffffffffffffffff\r\n").is_err());
    }
}
