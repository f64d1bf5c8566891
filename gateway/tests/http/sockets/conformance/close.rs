//! Section 7: closing.

use crate::sockets::client::{CLOSE, PING, TEXT, frame};
use crate::sockets::conformance::Peer;

/// A close frame with a code and a reason.
fn closing(code: u16, reason: &[u8]) -> Vec<u8> {
    frame(CLOSE, &[&code.to_be_bytes(), reason].concat())
}

#[tokio::test]
async fn the_peer_closes() {
    let peer = Peer::start().await;
    let hello = frame(TEXT, b"Hello World!");
    let normal = closing(1000, b"");
    let before = |rest: &[u8]| [&normal[..], rest].concat();
    let long = [frame(TEXT, format!("42[\"{}\"]", "*".repeat(256 * 1024)).as_bytes()), before(b"")];
    peer.check_map([
        ("7.1.1", [&hello[..], &normal[..]].concat(), &[], Some(1000)),
        ("7.1.2", before(&normal), &[], Some(1000)),
        ("7.1.3", before(&frame(PING, b"")), &[], Some(1000)),
        ("7.1.4", before(&hello), &[], Some(1000)),
        (
            "7.1.5",
            [frame(0x01, b"fragment1"), before(&frame(0x80, b"fragment2"))].concat(),
            &[],
            Some(1000),
        ),
        ("7.3.1", frame(CLOSE, b""), &[], Some(1005)),
        ("7.3.2", frame(CLOSE, b"a"), &[], Some(1002)),
        ("7.3.3", normal.clone(), &[], Some(1000)),
        ("7.3.4", closing(1000, b"Hello World!"), &[], Some(1000)),
        ("7.3.5", closing(1000, &[b'*'; 123]), &[], Some(1000)),
        ("7.3.6", closing(1000, &[b'*'; 124]), &[], Some(1002)),
        ("7.5.1", closing(1000, b"\xce\xba\xe1\xbd\xb9\xed\xa0\x80edited"), &[], Some(1007)),
    ])
    .await;
    peer.check_socket_io([("7.1.6", long.concat(), &[], Some(1000))]).await;
}

#[tokio::test]
async fn close_codes() {
    let peer = Peer::start().await;
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let number = format!("7.7, {code}");
        peer.check_map([(number.as_str(), closing(code, b""), &[], Some(code))]).await;
    }
    // The last two may be answered in any way (7.13).
    for code in [0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65_535] {
        let number = format!("7.9, {code}");
        peer.check_map([(number.as_str(), closing(code, b""), &[], Some(1002))]).await;
    }
}
