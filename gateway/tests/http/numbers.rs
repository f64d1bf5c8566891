//! The business numbers of `/metrics`.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::shop::Shop;
use crate::support::PATIENCE;

impl Shop {
    /// Waits until `/metrics` has the line.
    async fn measures(&self, line: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.gateway.get("/metrics").await.text().await.expect("text");
            if text.lines().any(|found| found == line) {
                return;
            }
            let related: Vec<&str> = text
                .lines()
                .filter(|found| found.starts_with(line.split(['{', ' ']).next().unwrap_or(line)))
                .collect();
            assert!(Instant::now() < deadline, "{line}\n{related:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn sales_are_counted_as_they_happen_and_again_at_every_start() {
    let shop = Shop::with(|config| config.hold_ttl = Duration::from_secs(1)).await;
    let event = shop.seat_event(json!({"title": "공연"})).await;
    let buyer = shop.buyer("buyer").await;
    let seats = shop.seats(&event).await;
    shop.hold(&buyer, &event, &seats[0]).await;
    let event_id = format!("event_id=\"{event}\"");
    shop.measures(&format!("tiketi_reservations_expired_total{{{event_id}}} 1")).await;
    let paid = shop.hold(&buyer, &event, &seats[0]).await;
    let (status, answer) = shop.pay(&buyer, &paid).await;
    assert_eq!(status, 200, "{answer}");
    for line in [
        format!("tiketi_reservations_created_total{{{event_id},status=\"success\"}} 2"),
        format!("tiketi_payment_amount_sum{{{event_id}}} 150000"),
        format!(
            "tiketi_payments_total{{{event_id},payment_method=\"kakao_pay\",status=\"success\"}} 1"
        ),
        format!("tiketi_conversion_funnel_total{{{event_id},stage=\"payment_completed\"}} 1"),
    ] {
        shop.measures(&line).await;
    }
    let shop = shop.restart(|_| {}).await;
    for line in [
        format!("tiketi_seats_reserved_total{{{event_id}}} 1"),
        format!("tiketi_seats_available_total{{{event_id}}} 264"),
        format!("tiketi_event_reservations_24h{{{event_id},event_title=\"공연\"}} 1"),
        format!("tiketi_event_revenue_24h{{{event_id},event_title=\"공연\"}} 150000"),
        "tiketi_payment_method_count_24h{payment_method=\"kakao_pay\"} 1".to_owned(),
        "tiketi_reservation_conversion_rate 50".to_owned(),
        "tiketi_conversion_funnel_rate{stage=\"payment\"} 100".to_owned(),
    ] {
        shop.measures(&line).await;
    }
}
