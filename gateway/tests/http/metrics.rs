//! `/metrics` against the table of the contract (domain.md 9), with titles that mean harm.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::shop::{Shop, text};

/// Name, type, labels, as in the contract. `le` is the encoding's own.
const CONTRACT: [(&str, &str, &str); 26] = [
    ("http_requests_total", "counter", "method path status"),
    ("http_request_duration_seconds", "histogram", "method path status"),
    ("http_requests_active", "gauge", ""),
    ("tiketi_queue_users_total", "gauge", "artist event_id event_title"),
    ("tiketi_queue_wait_seconds", "histogram", "event_id"),
    ("tiketi_reservations_created_total", "counter", "event_id status"),
    ("tiketi_reservations_cancelled_total", "counter", "event_id reason"),
    ("tiketi_reservations_expired_total", "counter", "event_id"),
    ("tiketi_payments_total", "counter", "event_id payment_method status"),
    ("tiketi_payment_amount", "histogram", "event_id"),
    ("tiketi_seats_reserved_total", "gauge", "event_id"),
    ("tiketi_seats_available_total", "gauge", "event_id"),
    ("tiketi_conversion_funnel_total", "counter", "event_id stage"),
    ("tiketi_auth_attempts_total", "counter", "status type"),
    ("tiketi_event_views_total", "counter", "event_id event_title"),
    ("tiketi_daily_revenue_total", "gauge", ""),
    ("tiketi_daily_payments_total", "gauge", ""),
    ("tiketi_reservation_conversion_rate", "gauge", ""),
    ("tiketi_event_reservations_24h", "gauge", "event_id event_title"),
    ("tiketi_event_revenue_24h", "gauge", "event_id event_title"),
    ("tiketi_event_avg_price", "gauge", "event_id event_title"),
    ("tiketi_payment_method_count_24h", "gauge", "payment_method"),
    ("tiketi_conversion_funnel_rate", "gauge", "stage"),
    ("tiketi_db_query_duration_seconds", "histogram", "operation table"),
    ("tiketi_db_connections_active", "gauge", ""),
    ("process_resident_memory_bytes", "gauge", ""),
];

/// The bounds of the histograms, as in the contract.
const BUCKETS: [(&str, &str); 4] = [
    ("http_request_duration_seconds", "0.01 0.05 0.1 0.5 1 2 5 +Inf"),
    ("tiketi_queue_wait_seconds", "1 5 10 30 60 120 300 +Inf"),
    ("tiketi_payment_amount", "10000 50000 100000 150000 200000 300000 +Inf"),
    ("tiketi_db_query_duration_seconds", "0.001 0.005 0.01 0.05 0.1 0.5 1 +Inf"),
];

/// Labels with a closed list of values.
const VALUES: [(&str, &str, &str); 7] = [
    ("tiketi_reservations_created_total", "status", "failed success"),
    ("tiketi_reservations_cancelled_total", "reason", "admin event_cancel user_cancel"),
    (
        "tiketi_conversion_funnel_total",
        "stage",
        "payment_completed reservation_created seat_select view",
    ),
    ("tiketi_auth_attempts_total", "type", "login register"),
    ("tiketi_auth_attempts_total", "status", "failed success"),
    ("tiketi_payment_method_count_24h", "payment_method", "bank_transfer kakao_pay naver_pay"),
    ("tiketi_conversion_funnel_rate", "stage", "payment reservation view"),
];

/// One line with a value: its name, its labels in their order.
type Sample = (String, Vec<(String, String)>);

/// Reads text format 0.0.4 as strictly as Prometheus does; panics at what it would refuse.
fn parse(text: &str) -> (BTreeMap<String, String>, Vec<Sample>) {
    let mut types = BTreeMap::new();
    let mut samples = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').expect("a type");
            assert!(types.insert(name.to_owned(), kind.to_owned()).is_none(), "{name} twice");
        } else if !line.starts_with('#') {
            samples.push(sample(line));
        }
    }
    (types, samples)
}

fn sample(line: &str) -> Sample {
    let end = line.find(['{', ' ']).expect("a value");
    let (name, mut rest) = line.split_at(end);
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, value) = rest.split_once("=\"").expect("a label");
            let (unescaped, after) = quoted(value);
            labels.push((label.to_owned(), unescaped));
            rest = after.strip_prefix(',').unwrap_or(after);
        }
        rest = &rest[1..];
    }
    let value = rest.strip_prefix(' ').expect("a blank");
    assert!(value.parse::<f64>().is_ok(), "no number: {line}");
    (name.to_owned(), labels)
}

/// A value up to its closing quote, and what follows.
fn quoted(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut rest = text.char_indices();
    while let Some((at, letter)) = rest.next() {
        match letter {
            '"' => return (value, &text[at + 1..]),
            '\\' => match rest.next().map(|(_, escaped)| escaped) {
                Some('n') => value.push('\n'),
                Some(escaped @ ('"' | '\\')) => value.push(escaped),
                other => panic!("escape {other:?}"),
            },
            plain => value.push(plain),
        }
    }
    panic!("no end: {text}");
}

fn family<'n>(name: &'n str, types: &BTreeMap<String, String>) -> &'n str {
    let is_histogram = |base: &&str| types.get(*base).is_some_and(|kind| kind == "histogram");
    ["_bucket", "_sum", "_count"]
        .into_iter()
        .find_map(|suffix| name.strip_suffix(suffix).filter(is_histogram))
        .unwrap_or(name)
}

/// A sale with everything in it, then what `/metrics` says.
async fn scraped(shop: &Shop) -> String {
    let token = shop.gateway.user("a@b.kr").await;
    let hostile = "\"quoted\" back\\slash\nnew line} {x=\"1\"} 1\r\u{202e}🎫 콘서트";
    let event = shop.seat_event(json!({"title": hostile, "artistName": "a\"b\\c\nd"})).await;
    shop.ok(&format!("/api/events/{event}"), &token).await;
    let seats = shop.ok(&format!("/api/seats/events/{event}"), "").await;
    for at in [0, 1] {
        let body = json!({"eventId": event, "seatIds": [seats["seats"][at]["id"]]});
        let (status, answer) = shop.post("/api/seats/reserve", &token, &body).await;
        assert_eq!(status, 201, "{answer}");
        let order = text(&answer["reservation"]["id"]);
        if at == 0 {
            let body = json!({"reservationId": order, "paymentMethod": "kakao_pay"});
            assert_eq!(shop.post("/api/payments/process", &token, &body).await.0, 200);
        } else {
            let path = format!("/api/reservations/{order}/cancel");
            assert_eq!(shop.post_empty(&path, &token).await.0, 200);
        }
    }
    shop.gateway.get("/metrics").await.text().await.expect("text")
}

#[tokio::test]
async fn seats_are_counted_when_they_are_asked_for() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let buyer = shop.buyer("counted").await;
    let seat = shop.seats(&event).await[0].clone();
    let counts = |available: u32, taken: u32| {
        let (shop, event) = (&shop, &event);
        async move {
            let line = |name, count| {
                format!("\ntiketi_seats_{name}_total{{event_id=\"{event}\"}} {count}\n")
            };
            let lines = [line("available", available), line("reserved", taken)];
            let mut scrape = String::new();
            // A scrape waits for no record; long before the minute that other numbers take it is there.
            for _ in 0..1_000 {
                scrape = shop.gateway.get("/metrics").await.text().await.expect("text");
                if lines.iter().all(|line| scrape.contains(line)) {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
            panic!("not {lines:?}: {scrape}");
        }
    };
    counts(265, 0).await;
    let held = shop.hold(&buyer, &event, &seat).await;
    counts(264, 1).await;
    assert_eq!(shop.cancel(&buyer, &held).await.0, 200);
    counts(265, 0).await;
    let path = format!("/api/admin/events/{event}");
    assert_eq!(shop.gateway.call("DELETE", &path, &shop.admin, &json!({})).await.0, 200);
    counts(0, 0).await;
}

#[tokio::test]
async fn names_types_labels_and_values_are_those_of_the_contract() {
    let shop = Shop::open().await;
    scraped(&shop).await;
    // What is counted every minute is counted at the start, and shown from then on.
    let shop = shop.restart(|_| {}).await;
    let event = text(&shop.ok("/api/events", "").await["events"][0]["id"]);
    shop.ok(&format!("/api/events/{event}"), "").await;
    let mut scrape = String::new();
    // The count runs beside the start.
    while !scrape.contains("tiketi_event_avg_price{") {
        scrape = shop.gateway.get("/metrics").await.text().await.expect("text");
        tokio::task::yield_now().await;
    }
    // A payment of this life, for the counters that begin at nothing.
    scrape = match scraped_again(&shop, &event).await {
        text if text.contains("tiketi_payments_total{") => text,
        text => panic!("{text}"),
    };
    let (types, samples) = parse(&scrape);
    for (name, kind, labels) in CONTRACT {
        assert_eq!(types.get(name).map(String::as_str), Some(kind), "{name}");
        let mut found = 0;
        for (sample, has) in &samples {
            if family(sample, &types) != name {
                continue;
            }
            found += 1;
            let has: BTreeSet<&str> = has.iter().map(|(label, _)| label.as_str()).collect();
            let has: Vec<&str> = has.into_iter().filter(|label| *label != "le").collect();
            assert_eq!(has.join(" "), labels, "{name}");
        }
        assert!(found > 0, "{name} has no series\n{scrape}");
    }
    let values = |name: &str, label: &str| -> Vec<&str> {
        let of = samples.iter().filter(|(sample, _)| sample == name);
        let all = of.flat_map(|(_, labels)| labels).filter(|(key, _)| key == label);
        all.map(|(_, value)| value.as_str()).collect()
    };
    for (name, bounds) in BUCKETS {
        let found: Vec<&str> = values(&format!("{name}_bucket"), "le");
        let first: Vec<&str> = found.into_iter().take(bounds.split(' ').count()).collect();
        assert_eq!(first.join(" "), bounds, "{name}");
    }
    for (name, label, allowed) in VALUES {
        let found: BTreeSet<&str> = values(name, label).into_iter().collect();
        assert_eq!(found.into_iter().collect::<Vec<_>>().join(" "), allowed, "{name} {label}");
    }
}

async fn scraped_again(shop: &Shop, event: &str) -> String {
    let token = shop.gateway.user("c@d.kr").await;
    let body = json!({"eventId": event, "count": 1});
    let (status, answer) = shop.post("/api/seats/best", &token, &body).await;
    assert_eq!(status, 201, "{answer}");
    let body =
        json!({"reservationId": answer["reservation"]["id"], "paymentMethod": "bank_transfer"});
    assert_eq!(shop.post("/api/payments/process", &token, &body).await.0, 200);
    let body = json!({"email": "c@d.kr", "password": "wrong"});
    assert_eq!(shop.post("/api/auth/login", "", &body).await.0, 401);
    shop.gateway.get("/metrics").await.text().await.expect("text")
}

#[tokio::test]
async fn hostile_titles_stay_inside_their_quotes() {
    let shop = Shop::open().await;
    let scrape = scraped(&shop).await;
    let (_, samples) = parse(&scrape);
    let title = samples
        .iter()
        .filter(|(name, _)| name == "tiketi_event_views_total")
        .flat_map(|(_, labels)| labels)
        .find(|(label, _)| label == "event_title");
    let title = &title.expect("a title").1;
    assert!(title.starts_with("\"quoted\" back\\slash\nnew line} {x=\"1\"} 1"), "{title:?}");
    let long = "길".repeat(10_000 / 3);
    let mut body = crate::shop::event_body();
    body["title"] = json!(long);
    let (status, answer) = shop.post("/api/admin/events", &shop.admin, &body).await;
    assert_eq!(status, 400, "{answer}");
    assert!(!shop.gateway.get("/metrics").await.text().await.expect("text").contains(&long));
}
