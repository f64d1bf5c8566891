//! Section 6: text that is UTF-8 and text that is none, whole and in fragments of one byte.
//!
//! Source: the sequences are those of Markus Kuhn's UTF-8 decoder stress test, as Autobahn has them.

use crate::sockets::client::{TEXT, frame};
use crate::sockets::conformance::{Peer, fragments};

const KOSME: &[u8] = "κόσμε".as_bytes();

const VALID: &[(&str, &[&[u8]])] = &[
    ("6.2", &["Hello-µ@ßöäüàá-UTF-8!!".as_bytes()]),
    (
        "6.5",
        &[
            b"hello$world",
            b"hello\xc2\xa2world",
            b"hello\xe2\x82\xacworld",
            b"hello\xf0\xa4\xad\xa2world",
            KOSME,
        ],
    ),
    ("6.7", &[b"\x00", b"\xc2\x80", b"\xe0\xa0\x80", b"\xf0\x90\x80\x80"]),
    ("6.9", &[b"\x7f", b"\xdf\xbf", b"\xef\xbf\xbf", b"\xf4\x8f\xbf\xbf"]),
    ("6.11", &[b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xef\xbf\xbd", b"\xf4\x8f\xbf\xbf"]),
    ("6.22", &[b"\xef\xbf\xbe", b"\xf0\x9f\xbf\xbe", b"\xf1\xaf\xbf\xbf", b"\xf4\x8f\xbf\xbe"]),
    ("6.23", &[b"\xef\xbf\xb9", b"\xef\xbf\xba", b"\xef\xbf\xbb", b"\xef\xbf\xbc"]),
];

const INVALID: &[(&str, &[&[u8]])] = &[
    ("6.3", &[b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited"]),
    ("6.4", &[b"\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xf4\x90\x80\x80edited"]),
    ("6.8", &[b"\xf8\x88\x80\x80\x80", b"\xfc\x84\x80\x80\x80\x80"]),
    ("6.10", &[b"\xf7\xbf\xbf\xbf", b"\xfb\xbf\xbf\xbf\xbf", b"\xfd\xbf\xbf\xbf\xbf\xbf"]),
    ("6.11.5", &[b"\xf4\x90\x80\x80"]),
    ("6.12", &[b"\x80", b"\xbf", b"\x80\xbf", b"\x80\xbf\x80", b"\x80\xbf\x80\xbf\x80\xbf"]),
    ("6.13", &[b"\xc0 \xc1 \xc2 ", b"\xe0 \xe1 ", b"\xf0 \xf1 ", b"\xf8 \xf9 ", b"\xfc "]),
    (
        "6.14",
        &[
            b"\xc0",
            b"\xe0\x80",
            b"\xf0\x80\x80",
            b"\xf8\x80\x80\x80",
            b"\xfc\x80\x80\x80\x80",
            b"\xdf",
            b"\xef\xbf",
            b"\xf7\xbf\xbf",
            b"\xfb\xbf\xbf\xbf",
            b"\xfd\xbf\xbf\xbf\xbf",
        ],
    ),
    ("6.15", &[b"\xc0\xe0\x80\xf0\x80\x80\xdf\xef\xbf\xf7\xbf\xbf"]),
    ("6.16", &[b"\xfe", b"\xff", b"\xfe\xfe\xff\xff"]),
    ("6.17", &[b"\xc0\xaf", b"\xe0\x80\xaf", b"\xf0\x80\x80\xaf", b"\xf8\x80\x80\x80\xaf"]),
    ("6.18", &[b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xf0\x8f\xbf\xbf", b"\xf8\x87\xbf\xbf\xbf"]),
    ("6.19", &[b"\xc0\x80", b"\xe0\x80\x80", b"\xf0\x80\x80\x80", b"\xf8\x80\x80\x80\x80"]),
    (
        "6.20",
        &[
            b"\xed\xa0\x80",
            b"\xed\xad\xbf",
            b"\xed\xae\x80",
            b"\xed\xaf\xbf",
            b"\xed\xb0\x80",
            b"\xed\xbe\x80",
            b"\xed\xbf\xbf",
        ],
    ),
    (
        "6.21",
        &[
            b"\xed\xa0\x80\xed\xb0\x80",
            b"\xed\xad\xbf\xed\xbf\xbf",
            b"\xed\xae\x80\xed\xb0\x80",
            b"\xed\xaf\xbf\xed\xbf\xbf",
        ],
    ),
];

#[tokio::test]
async fn texts() {
    let peer = Peer::start().await;
    for (sequences, end) in [(VALID, None), (INVALID, Some(1007))] {
        for (number, sequences) in sequences {
            for text in *sequences {
                let octets: Vec<&[u8]> = text.chunks(1).collect();
                peer.check_map([
                    (*number, frame(TEXT, text), &[], end),
                    (*number, fragments(TEXT, &octets), &[], end),
                ])
                .await;
            }
        }
    }
    // Every beginning of a text, cut between characters or in them (6.6).
    for length in 1..=KOSME.len() {
        let text = &KOSME[..length];
        let end = std::str::from_utf8(text).is_err().then_some(1007);
        peer.check_map([("6.6", frame(TEXT, text), &[], end)]).await;
    }
    peer.check_map([
        ("6.1.1", frame(TEXT, b""), &[], None),
        ("6.1.2", fragments(TEXT, &[b"", b"", b""]), &[], None),
        ("6.1.3", fragments(TEXT, &[b"", b"middle frame payload", b""]), &[], None),
    ])
    .await;
}
