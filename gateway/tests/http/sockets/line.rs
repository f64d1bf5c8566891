//! The waiting room on sockets (contract/socket.md 5 and 6).

use std::time::Duration;

use serde_json::{Value, json};

use crate::shop::Shop;
use crate::sockets::client::Client;

/// An event that lets one person in, and people who stand in its line in this order.
struct Line {
    shop: Shop,
    event: String,
    people: Vec<String>,
}

impl Line {
    async fn of(people: usize) -> Line {
        let shop = Shop::with(|config| config.queue_threshold = 1).await;
        let event = shop.seat_event(json!({})).await;
        let mut line = Line { shop, event, people: Vec::new() };
        for person in 0..people {
            let token = line.shop.buyer(&format!("person{person}")).await;
            line.call("check", &token).await;
            line.people.push(token);
        }
        line
    }

    async fn call(&self, call: &str, token: &str) -> Value {
        let path = format!("/api/queue/{call}/{}", self.event);
        let (status, answer) = self.shop.post(&path, token, &json!({})).await;
        assert_eq!(status, 200, "{answer}");
        answer
    }

    /// A socket of a person in `queue:{event}`.
    async fn socket(&self, person: usize) -> Client {
        let mut client = Client::connected(&self.shop.gateway, &self.people[person]).await;
        client.emit("join-queue", json!({"eventId": self.event})).await;
        client
    }

    /// Nothing but `queue-updated` came before the answer to this.
    async fn quiet(&self, client: &mut Client) {
        client.emit("join-event", json!({"eventId": self.event})).await;
        assert_eq!(next(client).await.0, "room-info");
        client.emit("leave-event", json!({"eventId": self.event})).await;
    }
}

/// The next event that is no `queue-updated`: those are for everybody and come when they come.
async fn next(client: &mut Client) -> (String, Value) {
    loop {
        let (name, payload) = client.event().await;
        if name != "queue-updated" {
            return (name, payload);
        }
        assert!(payload["queueSize"].is_u64() && payload["timestamp"].is_string(), "{payload}");
    }
}

#[tokio::test]
async fn an_admission_is_told_to_its_person_alone() {
    let line = Line::of(3).await;
    let mut first = line.socket(1).await;
    let mut other_tab = line.socket(1).await;
    let mut second = line.socket(2).await;
    for client in [&mut first, &mut other_tab, &mut second] {
        line.quiet(client).await;
    }
    line.call("leave", &line.people[0]).await;
    for client in [&mut first, &mut other_tab] {
        let (name, payload) = next(client).await;
        assert_eq!(name, "queue-entry-allowed");
        let profile = line.shop.ok("/api/admin/users/person1@example.com", &line.shop.admin).await;
        assert_eq!(payload["userId"], profile["user"]["id"]);
        assert!(payload["message"].is_string());
    }
    // The line became shorter: everybody is told, and nothing else comes to who still waits.
    while second.expect("queue-updated").await["queueSize"] != 1 {}
    line.quiet(&mut second).await;
    // Who connects after the admission is told at once.
    assert_eq!(next(&mut line.socket(1).await).await.0, "queue-entry-allowed");
    let metrics = line.shop.gateway.get("/metrics").await.text().await.expect("text");
    let of_event = |name: &str| {
        let lines = metrics.lines().filter(|found| found.starts_with(name));
        lines.filter(|found| found.contains(&line.event)).map(str::to_owned).collect::<Vec<_>>()
    };
    for (name, value) in
        [("tiketi_queue_wait_seconds_count{", " 2"), ("tiketi_queue_users_total{", " 1")]
    {
        let found = of_event(name);
        assert!(matches!(found.as_slice(), [one] if one.ends_with(value)), "{found:?}");
    }
}

#[tokio::test]
async fn everybody_is_told_of_a_cleared_line() {
    let line = Line::of(3).await;
    let mut clients = [line.socket(1).await, line.socket(2).await];
    let path = format!("/api/queue/admin/clear/{}", line.event);
    let (status, _) = line.shop.post(&path, &line.shop.admin, &json!({})).await;
    assert_eq!(status, 200);
    for client in &mut clients {
        let (name, payload) = next(client).await;
        assert_eq!(name, "queue-cleared");
        assert!(payload["message"].is_string());
    }
}

#[tokio::test]
async fn a_line_with_nothing_left_to_wait_for_is_told_so() {
    let line = Line::of(2).await;
    let mut waits = line.socket(1).await;
    let path = format!("/api/admin/events/{}/cancel", line.event);
    let (status, answer) = line.shop.post_empty(&path, &line.shop.admin).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(next(&mut waits).await.0, "queue-cleared");
    // The client asks again and is not kept waiting.
    let path = format!("/api/api/queue/status/{}", line.event);
    assert_eq!(line.shop.ok(&path, &line.people[1]).await["queued"], false);
}

/// Flow L: a socket that is closed and opened again each second, as the frontend does it.
#[tokio::test]
async fn churning_sockets_notice_their_admission() {
    let line = Line::of(2).await;
    line.quiet(&mut line.socket(1).await).await;
    line.call("leave", &line.people[0]).await;
    let told = async {
        loop {
            let mut client = line.socket(1).await;
            let within = Duration::from_millis(200);
            if let Ok((name, _)) = tokio::time::timeout(within, next(&mut client)).await {
                return name;
            }
        }
    };
    assert_eq!(told.await, "queue-entry-allowed");
    let status = line.shop.ok(&format!("/api/queue/status/{}", line.event), &line.people[1]).await;
    assert_eq!(status["queued"], false);
}
