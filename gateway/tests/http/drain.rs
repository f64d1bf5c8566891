//! Shutdown: what is in flight finishes, what is idle closes, nothing new comes in.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::{Gateway, read_to_end};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_in_flight_is_answered() {
    let gateway = Gateway::start().await;
    let address = gateway.address();
    let mut idle = gateway.connect();
    idle.write_all(b"GET /livez HTTP/1.1\r\n\r\n").expect("write");
    let mut first = [0; 12];
    tokio::task::block_in_place(|| idle.read_exact(&mut first)).expect("answer");
    let mut in_flight = gateway.connect();
    in_flight
        .write_all(b"POST /api/auth/login HTTP/1.1\r\ncontent-length: 2\r\n\r\n{")
        .expect("write");
    let app = std::sync::Arc::clone(gateway.running.app());
    while app.requests_in_flight() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let stopping = tokio::spawn(gateway.running.stop());
    // The idle one closes though its time was not over; nobody else gets in.
    tokio::task::block_in_place(|| read_to_end(&mut idle));
    assert!(TcpStream::connect(address).is_err());
    assert!(!stopping.is_finished());
    in_flight.write_all(b"}").expect("write");
    let answer = tokio::task::block_in_place(|| read_to_end(&mut in_flight));
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("VALIDATION"), "{answer}");
    stopping.await.expect("stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_grace_period_is_bounded() {
    let gateway = Gateway::with(|config| config.drain_grace = Duration::from_millis(50)).await;
    let mut stuck = gateway.connect();
    stuck.write_all(b"POST /api/auth/login HTTP/1.1\r\ncontent-length: 2\r\n\r\n{").expect("write");
    let app = std::sync::Arc::clone(gateway.running.app());
    while app.requests_in_flight() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // Ends although nobody sends the rest of the body.
    gateway.running.stop().await;
    let mut rest = Vec::new();
    let _ = tokio::task::block_in_place(|| stuck.read_to_end(&mut rest));
    assert!(rest.is_empty());
}
