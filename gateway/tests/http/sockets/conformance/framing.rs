//! Sections 1 to 5, 9 and 10: framing, pings, reserved bits and operations, fragments, limits.

use crate::sockets::client::{BINARY, CLOSE, PING, PONG, TEXT, frame};
use crate::sockets::conformance::{Peer, fragments};

const HELLO: &[u8] = b"Hello, world!";

/// A packet of so many bytes that does nothing.
fn packet(length: usize) -> Vec<u8> {
    format!("42[\"x\",\"{}\"]", "*".repeat(length - 10)).into_bytes()
}

#[tokio::test]
async fn lengths() {
    let peer = Peer::start().await;
    for (length, text, binary) in [
        (0, "1.1.1", "1.2.1"),
        (125, "1.1.2", "1.2.2"),
        (126, "1.1.3", "1.2.3"),
        (127, "1.1.4", "1.2.4"),
        (128, "1.1.5", "1.2.5"),
        (1_024, "9.1, the limit", "9.2, the limit"),
    ] {
        peer.check_map([
            (text, frame(TEXT, &vec![b'*'; length]), &[], None),
            (binary, frame(BINARY, &vec![0xfe; length]), &[], None),
        ])
        .await;
    }
    peer.check_map([
        ("1.2.6", frame(BINARY, &[0xfe; 65_535]), &[], Some(1009)),
        ("1.2.7, 1.2.8", frame(BINARY, &[0xfe; 65_536]), &[], Some(1009)),
        ("9.1, over the limit", frame(TEXT, &[b'*'; 1_025]), &[], Some(1009)),
        ("9.2, over the limit", frame(BINARY, &[0xfe; 1_025]), &[], Some(1009)),
    ])
    .await;
    let largest = packet(1_000_000);
    let pieces: Vec<&[u8]> = largest.chunks(4_096).collect();
    let too_large = packet(1_000_001);
    let too_many: Vec<&[u8]> = too_large.chunks(65_536).collect();
    let auto = packet(65_536);
    let auto: Vec<&[u8]> = auto.chunks(1_300).collect();
    peer.check_socket_io([
        ("1.1.2", frame(TEXT, &packet(125)), &[], None),
        ("1.1.3", frame(TEXT, &packet(126)), &[], None),
        ("1.1.4", frame(TEXT, &packet(127)), &[], None),
        ("1.1.5", frame(TEXT, &packet(128)), &[], None),
        ("1.1.6", frame(TEXT, &packet(65_535)), &[], None),
        ("1.1.7, 1.1.8", frame(TEXT, &packet(65_536)), &[], None),
        ("9.1", frame(TEXT, &largest), &[], None),
        ("9.1, over the limit", frame(TEXT, &too_large), &[], Some(1009)),
        ("9.3", fragments(TEXT, &pieces), &[], None),
        ("9.3, over the limit", fragments(TEXT, &too_many), &[], Some(1009)),
        ("10.1.1", fragments(TEXT, &auto), &[], None),
    ])
    .await;
}

#[tokio::test]
async fn pings_and_pongs() {
    let peer = Peer::start().await;
    let payloads: Vec<String> = (0..10).map(|number| format!("payload-{number}")).collect();
    let ten: Vec<&[u8]> = payloads.iter().map(|payload| payload.as_bytes()).collect();
    let pings: Vec<u8> = ten.iter().flat_map(|payload| frame(PING, payload)).collect();
    let bytes = b"\x00\xff\xfe\xfd\xfc\xfb\x00\xff";
    peer.check_map([
        ("2.1", frame(PING, b""), &[b""], None),
        ("2.2", frame(PING, HELLO), &[HELLO], None),
        ("2.3", frame(PING, bytes), &[bytes], None),
        ("2.4, 2.6", frame(PING, &[0xfe; 125]), &[&[0xfe; 125]], None),
        ("2.5", frame(PING, &[0xfe; 126]), &[], Some(1002)),
        ("2.7", frame(PONG, b""), &[], None),
        ("2.8", frame(PONG, b"unsolicited pong payload"), &[], None),
        ("2.9", [frame(PONG, b"unsolicited"), frame(PING, b"ping")].concat(), &[b"ping"], None),
        ("2.10, 2.11", pings, &ten, None),
    ])
    .await;
}

#[tokio::test]
async fn reserved_bits_and_operations() {
    let peer = Peer::start().await;
    let hello = frame(TEXT, HELLO);
    // No pong after what is refused.
    let after_hello = |bad: Vec<u8>| [hello.clone(), bad, frame(PING, b"")].concat();
    for (number, bytes) in [
        ("3.1", frame(TEXT | 0x10, HELLO)),
        ("3.2", after_hello(frame(TEXT | 0x20, HELLO))),
        ("3.3, 3.4", after_hello(frame(TEXT | 0x30, HELLO))),
        ("3.4", after_hello(frame(TEXT | 0x40, HELLO))),
        ("3.5", frame(BINARY | 0x50, &[0; 8])),
        ("3.6", frame(PING | 0x60, HELLO)),
        ("3.7", frame(CLOSE | 0x70, b"")),
        ("4.1.1", frame(0x83, b"")),
        ("4.1.2", frame(0x84, b"reserved opcode payload")),
        ("4.1.3", after_hello(frame(0x85, b""))),
        ("4.1.4", after_hello(frame(0x86, HELLO))),
        ("4.1.5", after_hello(frame(0x87, HELLO))),
        ("4.2.1", frame(0x8b, b"")),
        ("4.2.2", frame(0x8c, b"reserved opcode payload")),
        ("4.2.3", after_hello(frame(0x8d, b""))),
        ("4.2.4", after_hello(frame(0x8e, HELLO))),
        ("4.2.5", after_hello(frame(0x8f, HELLO))),
    ] {
        peer.check_map([(number, bytes, &[], Some(1002))]).await;
    }
}

#[tokio::test]
async fn fragmented_messages() {
    let peer = Peer::start().await;
    let two: &[&[u8]] = &[b"fragment1", b"fragment2"];
    let between =
        |pings: &[u8]| [&frame(0x01, two[0])[..], pings, &frame(0x80, two[1])[..]].concat();
    let ping = |payload: &[u8]| frame(PING, payload);
    let five = [
        frame(0x01, b"fragment1"),
        frame(0x00, b"fragment2"),
        ping(b"pongme 1!"),
        frame(0x00, b"fragment3"),
        frame(0x00, b"fragment4"),
        ping(b"pongme 2!"),
        frame(0x80, b"fragment5"),
    ];
    let nothing = |first: u8| [frame(first, b"non-continuation"), frame(TEXT, HELLO)].concat();
    let twice = |first: u8| {
        let round = [frame(first, b"fragment1"), frame(0x80, b"fragment2")].concat();
        [&round[..], &round[..]].concat()
    };
    peer.check_map([
        ("5.1", fragments(PING, two), &[], Some(1002)),
        ("5.2", fragments(PONG, two), &[], Some(1002)),
        ("5.3 to 5.5", fragments(TEXT, two), &[], None),
        ("5.6 to 5.8", between(&ping(b"ping payload")), &[b"ping payload"], None),
        ("5.9 to 5.11", nothing(0x80), &[], Some(1002)),
        ("5.12 to 5.14", nothing(0x00), &[], Some(1002)),
        ("5.15", [fragments(TEXT, two), nothing(0x00)].concat(), &[], Some(1002)),
        ("5.16", twice(0x00), &[], Some(1002)),
        ("5.17", twice(0x80), &[], Some(1002)),
        ("5.18", [frame(0x01, two[0]), frame(TEXT, two[1])].concat(), &[], Some(1002)),
        ("5.19, 5.20", five.concat(), &[b"pongme 1!", b"pongme 2!"], None),
        ("5.19, half", five[..3].concat(), &[b"pongme 1!"], None),
    ])
    .await;
    let connect: &[&[u8]] = &[b"42[\"jo", b"in-eve", b"nt\",{}]"];
    peer.check_socket_io([("5.3, a packet", fragments(TEXT, connect), &[], None)]).await;
}
