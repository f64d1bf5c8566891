//! The sample data (contract/domain.md 11), and searching it (6).

use serde_json::{Value, json};

use crate::shop::{list, text};
use crate::support::{Gateway, read};

async fn titles(gateway: &Gateway, query: &str) -> Vec<String> {
    let (status, answer) =
        read(gateway.get(&format!("/api/events?limit=1000&{query}")).await).await;
    assert_eq!(status, 200, "{answer}");
    list(&answer["events"]).iter().map(|row| text(&row["title"])).collect()
}

/// Three events are of the past; two more sell on the day of the load, until 18:00 in Seoul.
const ENDED: [usize; 2] = [3, 5];

#[tokio::test]
async fn the_sample_is_loaded_once() {
    let gateway = Gateway::with(|config| config.sample_data = true).await;
    let first = titles(&gateway, "").await;
    assert_eq!(first.len(), 25);
    assert!(ENDED.contains(&titles(&gateway, "status=ended").await.len()));
    let (_, answer) = read(gateway.get("/api/seats/layouts").await).await;
    let totals: Vec<&Value> =
        list(&answer["layouts"]).iter().map(|layout| &layout["total_seats"]).collect();
    assert_eq!(totals, [265, 1_250, 4_900]);
    let (_, answer) = read(gateway.get("/api/events").await).await;
    assert_eq!(list(&answer["events"]).len(), 10);
    let concert = &list(&answer["events"])[0];
    assert_eq!(concert["title"], "2024 콘서트 투어 in 서울");
    assert_eq!(concert["event_date"], "2024-12-31T10:00:00.000Z");
    assert_eq!((&concert["min_price"], &concert["max_price"]), (&json!(50_000), &json!(150_000)));
    assert_eq!(concert["artist_name"], Value::Null);
    let id = text(&concert["id"]);
    let (_, detail) = read(gateway.get(&format!("/api/events/{id}")).await).await;
    let left: Vec<&Value> =
        list(&detail["ticketTypes"]).iter().map(|found| &found["available_quantity"]).collect();
    assert_eq!(left, [95, 180, 250, 320]);
    assert_eq!(detail["event"]["created_by"], Value::Null);

    let Gateway { running, data, .. } = gateway;
    running.stop().await;
    let gateway = Gateway::on(data, |config| config.sample_data = true).await;
    assert_eq!(titles(&gateway, "").await, first);
}

#[tokio::test]
async fn the_sample_is_found() {
    let gateway = Gateway::with(|config| config.sample_data = true).await;
    for (query, count) in [
        ("q=%EB%B0%A9%ED%83%84", 1),
        ("q=bts", 1),
        ("q=concert", 2),
        ("q=Jamsil", 6),
        ("q=%20%EA%B3%A0%EC%B2%99+", 7),
        ("q=dome", 10),
        ("q=tour", 14),
        ("q=seoul", 25),
        ("q=2024", 8),
        ("q=gd", 0),
        ("q=%25", 0),
        ("q=_", 0),
        ("q=", 25),
        ("q=seoul&status=cancelled", 0),
    ] {
        assert_eq!(titles(&gateway, query).await.len(), count, "{query}");
    }
    assert!(ENDED.contains(&titles(&gateway, "q=seoul&status=ended").await.len()));
}

#[tokio::test]
async fn a_log_that_is_in_use_is_not_filled() {
    let gateway = Gateway::start().await;
    gateway.user("buyer@example.com").await;
    let Gateway { running, data, .. } = gateway;
    running.stop().await;
    let gateway = Gateway::on(data, |config| config.sample_data = true).await;
    assert_eq!(titles(&gateway, "").await, [""; 0]);
}
