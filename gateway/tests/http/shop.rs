//! A gateway with something to sell, and the shapes of its answers.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tiketi_gateway::config::Config;

use crate::support::{Gateway, assert_error, read};

/// A gateway, its administrator and a small theatre.
pub(crate) struct Shop {
    pub(crate) gateway: Gateway,
    pub(crate) admin: String,
    /// 265 seats: VIP 3x10 @150000, R 5x15 @100000, S 8x20 @70000.
    pub(crate) theatre: Value,
}

/// An instant so many minutes from now, as the server prints it.
pub(crate) fn in_minutes(minutes: i64) -> String {
    format!("{:.3}", Timestamp::now() + SignedDuration::from_mins(minutes))
}

pub(crate) fn theatre_sections() -> Value {
    json!([
        {"name": "VIP", "rows": 3, "seatsPerRow": 10, "price": 150_000, "startRow": 1},
        {"name": "R", "rows": 5, "seatsPerRow": 15, "price": 100_000, "startRow": 4},
        {"name": "S", "rows": 8, "seatsPerRow": 20, "price": 70_000, "startRow": 9},
    ])
}

impl Shop {
    pub(crate) async fn open() -> Shop {
        Shop::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Shop {
        Shop::on(tempfile::tempdir().expect("directory"), change).await
    }

    /// On a directory that may have a log already.
    pub(crate) async fn on(data: tempfile::TempDir, change: impl FnOnce(&mut Config)) -> Shop {
        let gateway = Gateway::on(data, change).await;
        let admin = gateway.admin().await;
        let body = json!({"name": "small_theater", "description": "소극장", "sections": theatre_sections()});
        let (status, answer) = gateway.call("POST", "/api/admin/seat-layouts", &admin, &body).await;
        assert_eq!(status, 201, "{answer}");
        Shop { gateway, admin, theatre: answer["layout"]["id"].clone() }
    }

    /// Stops in order and starts again on the same data.
    pub(crate) async fn restart(self, change: impl FnOnce(&mut Config)) -> Shop {
        let Gateway { running, data, .. } = self.gateway;
        running.stop().await;
        Shop { gateway: Gateway::on(data, change).await, ..self }
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> (StatusCode, Value) {
        let mut request = self.gateway.request("GET", path);
        if !token.is_empty() {
            request = request.bearer_auth(token);
        }
        read(request.send().await.expect("answer")).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: &Value) -> (StatusCode, Value) {
        self.gateway.call("POST", path, token, body).await
    }

    /// As the frontend sends some calls: no body, no content type.
    pub(crate) async fn post_empty(&self, path: &str, token: &str) -> (StatusCode, Value) {
        let request = self.gateway.request("POST", path).bearer_auth(token);
        read(request.send().await.expect("answer")).await
    }

    pub(crate) async fn post_with_key(
        &self,
        path: &str,
        token: &str,
        body: &Value,
        key: &str,
    ) -> (StatusCode, Value) {
        let request = self.gateway.request("POST", path).bearer_auth(token);
        let request = request.header("idempotency-key", key).json(body);
        read(request.send().await.expect("answer")).await
    }

    pub(crate) async fn ok(&self, path: &str, token: &str) -> Value {
        let (status, answer) = self.get(path, token).await;
        assert_eq!(status, 200, "{path}: {answer}");
        answer
    }

    /// A new event on sale: what it is made of is changed by the fields of `change`.
    pub(crate) async fn event(&self, change: Value) -> Value {
        let mut body = event_body();
        merge(&mut body, change);
        let (status, answer) = self.post("/api/admin/events", &self.admin, &body).await;
        assert_eq!(status, 201, "{answer}");
        answer["event"].clone()
    }

    /// An event with the theatre's seats; its id.
    pub(crate) async fn seat_event(&self, change: Value) -> String {
        let mut body = json!({"seatLayoutId": self.theatre});
        merge(&mut body, change);
        text(&self.event(body).await["id"])
    }

    /// An event of ticket types, and its types.
    pub(crate) async fn ticket_event(&self, types: Value) -> (String, Vec<Value>) {
        let id = text(&self.event(json!({"ticketTypes": types})).await["id"]);
        let answer = self.ok(&format!("/api/events/{id}"), "").await;
        (id, list(&answer["ticketTypes"]).to_vec())
    }

    pub(crate) async fn seats(&self, event: &str) -> Vec<Value> {
        let map = self.ok(&format!("/api/seats/events/{event}"), "").await;
        list(&map["seats"]).to_vec()
    }

    /// How many seats are available, locked and reserved.
    pub(crate) async fn counts(&self, event: &str) -> (usize, usize, usize) {
        let seats = self.seats(event).await;
        let count = |status| seats.iter().filter(|seat| seat["status"] == status).count();
        let counts = (count("available"), count("locked"), count("reserved"));
        assert_eq!(counts.0 + counts.1 + counts.2, seats.len());
        counts
    }

    pub(crate) async fn buyer(&self, name: &str) -> String {
        self.gateway.user(&format!("{name}@example.com")).await
    }

    pub(crate) async fn reserve(
        &self,
        token: &str,
        event: &str,
        seats: &[&Value],
    ) -> (StatusCode, Value) {
        let ids: Vec<&Value> = seats.iter().map(|seat| &seat["id"]).collect();
        self.post("/api/seats/reserve", token, &json!({"eventId": event, "seatIds": ids})).await
    }

    /// Holds a seat; the reservation's id.
    pub(crate) async fn hold(&self, token: &str, event: &str, seat: &Value) -> String {
        let (status, answer) = self.reserve(token, event, &[seat]).await;
        assert_eq!(status, 201, "{answer}");
        text(&answer["reservation"]["id"])
    }

    pub(crate) async fn pay(&self, token: &str, reservation: &str) -> (StatusCode, Value) {
        let body = json!({"reservationId": reservation, "paymentMethod": "kakao_pay"});
        self.post("/api/payments/process", token, &body).await
    }

    pub(crate) async fn cancel(&self, token: &str, reservation: &str) -> (StatusCode, Value) {
        self.post_empty(&format!("/api/reservations/{reservation}/cancel"), token).await
    }

    /// Status and payment status of a reservation, checked to be the same on every page.
    pub(crate) async fn standing(&self, token: &str, reservation: &str) -> (String, String) {
        let detail = self.ok(&format!("/api/reservations/{reservation}"), token).await;
        let detail = &detail["reservation"];
        let page = self.ok(&format!("/api/seats/reservation/{reservation}"), token).await;
        let page = &page["reservation"];
        let mine = self.ok("/api/reservations/my", token).await;
        let row = list(&mine["reservations"]).iter().find(|row| row["id"] == reservation);
        let row = row.expect("in the list");
        for other in [page, row] {
            assert_eq!(other["status"], detail["status"]);
            assert_eq!(other["payment_status"], detail["payment_status"]);
        }
        (text(&detail["status"]), text(&detail["payment_status"]))
    }
}

pub(crate) fn event_body() -> Value {
    json!({
        "title": "시험 공연",
        "description": "",
        "venue": "시험장",
        "address": "서울특별시 중구 세종대로 110",
        "artistName": "가수",
        "posterImageUrl": "",
        "eventDate": in_minutes(3_000),
        "saleStartDate": in_minutes(-60),
        "saleEndDate": in_minutes(1_500),
        "seatLayoutId": null,
        "ticketTypes": [],
    })
}

/// Replaces fields; `"(absent)"` removes one.
pub(crate) fn merge(body: &mut Value, change: Value) {
    let Value::Object(change) = change else { panic!("an object") };
    for (field, value) in change {
        match value == "(absent)" {
            true => drop(body.as_object_mut().expect("object").remove(&field)),
            false => body[field] = value,
        }
    }
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text: {value}")).to_owned()
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap_or_else(|| panic!("a list: {value}"))
}

/// Checks a refusal: status, code, shape.
pub(crate) fn refused((status, body): (StatusCode, Value), expected: u16, code: &str) {
    assert_eq!(status, expected, "{body}");
    assert_error(&body, code);
}

/// Checks that an object has exactly these fields, each of its kind: `name:kind`, where kind is
/// `uuid`, `text`, `int`, `time`, `bool`, `list`, `object` or `digits`, with `?` where it may be null.
pub(crate) fn shape(value: &Value, fields: &str) {
    let object = value.as_object().unwrap_or_else(|| panic!("an object: {value}"));
    let fields: Vec<(&str, &str)> =
        fields.split_whitespace().map(|field| field.split_once(':').expect("name:kind")).collect();
    let expected: BTreeSet<&str> = fields.iter().map(|(name, _)| *name).collect();
    let found: BTreeSet<&str> = object.keys().map(String::as_str).collect();
    assert_eq!(found, expected, "{value}");
    for (name, kind) in fields {
        let field = &value[name];
        let is_right = match kind.strip_suffix('?') {
            Some(_) if field.is_null() => true,
            Some(kind) => is_kind(field, kind),
            None => is_kind(field, kind),
        };
        assert!(is_right, "{name} is no {kind}: {value}");
    }
}

fn is_kind(value: &Value, kind: &str) -> bool {
    let text = value.as_str().unwrap_or_default();
    match kind {
        "uuid" => {
            text.len() == 36
                && text.bytes().enumerate().all(|(at, byte)| match at {
                    8 | 13 | 18 | 23 => byte == b'-',
                    _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
                })
        }
        "text" => value.is_string(),
        "digits" => !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()),
        "int" => value.is_u64(),
        "number" => value.is_number(),
        "time" => {
            text.len() == 24
                && text.ends_with('Z')
                && text.as_bytes()[19] == b'.'
                && text.parse::<Timestamp>().is_ok()
        }
        "bool" => value.is_boolean(),
        "list" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("no kind {other}"),
    }
}
