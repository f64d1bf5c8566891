//! The very client that the web frontend has: `socket.io-client` 4.8.1 from npm, in node.
//!
//! `./deploy/test.sh install` fetches it. Without it the test says so and, where continuous
//! integration runs (`CI=true`), fails.

use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::shop::Shop;
use crate::support::PATIENCE;

const CLIENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sockets/client");

/// Ends with its test, however that ends.
struct Node(Child);

impl Drop for Node {
    fn drop(&mut self) {
        // It has ended by itself where all went well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_real_client_connects_joins_receives_and_comes_back() {
    let installed = Path::new(CLIENT).join("node_modules/socket.io-client/package.json");
    let has_node = Command::new("node").arg("--version").output().is_ok();
    if !installed.exists() || !has_node {
        let why = "node or socket.io-client is missing: run ./deploy/test.sh install";
        assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "{why}");
        // Past the harness, which shows nothing of a test that passes.
        let _ =
            writeln!(io::stderr(), "\n*** NOT TESTED with the real socket.io-client: {why} ***\n");
        return;
    }
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let tickets = json!([{"name": "A", "price": 1_000, "totalQuantity": 10}]);
    let (ticket_event, _) = shop.ticket_event(tickets).await;
    let token = shop.buyer("a").await;
    let node = Command::new("node")
        .current_dir(CLIENT)
        .arg("check.mjs")
        .args([&shop.gateway.url(""), &token, &event, &ticket_event])
        .stdout(Stdio::piped())
        .spawn();
    let mut node = Node(node.expect("node starts"));
    let printed = BufReader::new(node.0.stdout.take().expect("stdout")).lines();
    let (sender, mut lines) = mpsc::channel(100);
    std::thread::spawn(move || {
        printed.map_while(Result::ok).try_for_each(|line| sender.blocking_send(line)).ok()
    });
    let mut next = async |name: &str| -> Value {
        let line = timeout(PATIENCE, lines.recv()).await.expect("in time");
        let line = line.unwrap_or_else(|| panic!("{name}, not the end"));
        let (found, payload): (String, Value) = serde_json::from_str(&line).expect("JSON");
        assert_eq!(found, name, "{payload}");
        payload
    };
    // Each refusal with its own words, then the real thing.
    assert_eq!(next("connect_error").await, "Authentication required");
    assert_eq!(next("connect_error").await, "Invalid authentication token");
    next("connect").await;
    assert_eq!(next("room-info").await["userCount"], 1);
    assert_eq!(next("ticket-updated").await["availableQuantity"], 10);
    let seats = shop.seats(&event).await;
    let held = shop.hold(&token, &event, &seats[3]).await;
    let update = next("seat-selected").await;
    assert_eq!((&update["seatId"], &update["status"]), (&seats[3]["id"], &json!("locked")));
    assert_eq!(shop.cancel(&token, &held).await.0, 200);
    assert_eq!(next("seat-released").await["status"], "available");
    // A server that goes away is a transport that closes, not a server that says goodbye.
    let running = shop.gateway.running;
    running.stop().await;
    assert_eq!(next("disconnect").await, "transport close");
    let status = node.0.wait().expect("end");
    assert!(status.success(), "{status}");
}
