//! Connections that are silent, slow or too many.

use std::io::{Read, Write};

use crate::support::{Gateway, PATIENCE, read_to_end};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silent_and_half_said_connections_are_closed() {
    let gateway = Gateway::start().await;
    let mut silent = gateway.connect();
    let mut partial = gateway.connect();
    partial.write_all(b"GET /health HTTP/1.1\r\nx-").expect("write");
    let mut idle = gateway.connect();
    idle.write_all(b"GET /livez HTTP/1.1\r\n\r\n").expect("write");
    let mut preface = gateway.connect();
    preface.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").expect("write");
    // Each read ends: the server closes, or `PATIENCE` fails the test.
    for socket in [&mut silent, &mut partial, &mut idle, &mut preface] {
        tokio::task::block_in_place(|| {
            read_to_end(socket);
        });
    }
    assert_eq!(gateway.get("/health").await.status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_does_not_arrive_is_answered() {
    let gateway = Gateway::start().await;
    let mut slow = gateway.connect();
    slow.write_all(b"POST /api/auth/login HTTP/1.1\r\ncontent-length: 10\r\n\r\n{").expect("write");
    let answer = tokio::task::block_in_place(|| read_to_end(&mut slow));
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("REQUEST_TIMEOUT"), "{answer}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_cannot_take_every_connection() {
    let gateway = Gateway::with(|config| config.connections_per_address_max = 2).await;
    let answered = |socket: &mut std::net::TcpStream| {
        let mut byte = [0];
        let _ = socket.write_all(b"GET /livez HTTP/1.1\r\n\r\n");
        tokio::task::block_in_place(|| matches!(socket.read(&mut byte), Ok(1)))
    };
    let mut first = gateway.connect();
    let mut second = gateway.connect();
    assert!(answered(&mut first) && answered(&mut second));
    let mut third = gateway.connect();
    assert!(!answered(&mut third));
    drop((first, second));
    // The server notices the closed ones in its own time.
    let deadline = std::time::Instant::now() + PATIENCE;
    while !answered(&mut gateway.connect()) {
        assert!(std::time::Instant::now() < deadline, "places are given back");
    }
}

#[tokio::test]
async fn keep_alive_and_pipelining() {
    let gateway = Gateway::start().await;
    let requests = "GET /livez HTTP/1.1\r\n\r\n".repeat(3)
        + "GET /livez HTTP/1.1\r\nconnection: close\r\n\r\n";
    let answers = gateway.exchange(requests).await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 4, "{answers}");
}
