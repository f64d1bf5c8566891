//! The waiting room (contract/http.md 2.7, domain.md 5, flows.md 16 F).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use jsonwebtoken::{EncodingKey, Header};
use serde_json::{Value, json};
use tiketi_engine::command::NewUser;
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::UnixMillis;
use tiketi_engine::record::Role;
use tiketi_gateway::api::Id;
use tiketi_gateway::config::Secret;
use tiketi_persistence::{Opened, Options};

use crate::shop::Shop;
use crate::support::{PATIENCE, assert_error};

/// A shop whose events let `threshold` people in.
async fn shop(threshold: u32) -> Shop {
    Shop::with(|config| config.queue_threshold = threshold).await
}

async fn people(shop: &Shop, count: usize) -> Vec<String> {
    let mut tokens = Vec::new();
    for person in 0..count {
        tokens.push(shop.gateway.user(&format!("person{person}@tiketi.gg")).await);
    }
    tokens
}

async fn check(shop: &Shop, event: &str, token: &str) -> Value {
    let (status, answer) = shop.post(&format!("/api/queue/check/{event}"), token, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn status(shop: &Shop, event: &str, token: &str) -> Value {
    // As the waiting-room modal calls it.
    shop.ok(&format!("/api/api/queue/status/{event}"), token).await
}

/// The room as administrators see it, once so many were let in: they are counted behind the log.
async fn once_admitted(shop: &Shop, event: &str, people: u64) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let shown = shop.ok(&format!("/api/queue/admin/{event}"), &shop.admin).await;
        if shown["admitted"] == people {
            return shown;
        }
        assert!(Instant::now() < deadline, "{shown}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn first_seat(shop: &Shop, event: &str, position: usize) -> Value {
    shop.seats(event).await[position]["id"].clone()
}

async fn reserve(shop: &Shop, event: &str, token: &str, seat: &Value) -> (u16, Value) {
    let body = json!({"eventId": event, "seatIds": [seat]});
    let (status, answer) = shop.post("/api/seats/reserve", token, &body).await;
    (status.as_u16(), answer)
}

#[tokio::test]
async fn two_are_let_in_three_wait_and_nobody_overtakes() {
    let shop = shop(2).await;
    let event = shop.seat_event(json!({})).await;
    let people = people(&shop, 5).await;
    for (person, position) in people.iter().zip([0, 0, 1, 2, 3]) {
        let answer = check(&shop, &event, person).await;
        assert_eq!(answer["queued"], position > 0, "{answer}");
        assert_eq!(answer["threshold"], 2);
        match position {
            0 => assert!(answer.get("position").is_none() && answer.get("estimatedWait").is_none()),
            _ => {
                assert_eq!(answer["position"], position, "{answer}");
                assert_eq!(answer["queueSize"], position, "{answer}");
                assert!(answer["estimatedWait"].as_u64().is_some_and(|wait| wait >= 1));
            }
        }
    }
    // Reloads and other tabs keep the place.
    for (person, position) in people.iter().zip([0, 0, 1, 2, 3]) {
        check(&shop, &event, person).await;
        let answer = status(&shop, &event, person).await;
        assert_eq!(answer["queued"], position > 0, "{answer}");
        assert_eq!((&answer["position"], &answer["queueSize"]), (&json!(position), &json!(3)));
        assert_eq!(answer["currentUsers"], 2, "{answer}");
    }
    let seat = first_seat(&shop, &event, 0).await;
    let (refused, answer) = reserve(&shop, &event, &people[2], &seat).await;
    assert_eq!(refused, 403, "{answer}");
    assert_error(&answer, "QUEUE_REQUIRED");
    assert_eq!(reserve(&shop, &event, &people[0], &seat).await.0, 201);
    let (left, answer) =
        shop.post(&format!("/api/api/queue/leave/{event}"), &people[0], &json!({})).await;
    assert!(left == 200 && answer["message"].is_string(), "{answer}");
    let positions = [None, Some(0), Some(0), Some(1), Some(2)];
    for (person, position) in people.iter().zip(positions) {
        if let Some(position) = position {
            let answer = status(&shop, &event, person).await;
            assert_eq!(
                (&answer["position"], &answer["queued"]),
                (&json!(position), &json!(position > 0))
            );
        }
    }
    let seat = first_seat(&shop, &event, 1).await;
    assert_eq!(reserve(&shop, &event, &people[2], &seat).await.0, 201);
    assert_eq!(reserve(&shop, &event, &people[3], &seat).await.0, 403);
    // Who left stands at the end of the line again.
    assert_eq!(check(&shop, &event, &people[0]).await["position"], 3);
}

#[tokio::test]
async fn a_draw_is_committed_to_before_and_open_to_all_after() {
    let shop = shop(2).await;
    let later = json!({"saleStartDate": "2099-01-01T20:00:00", "saleEndDate": "2099-05-01T20:00:00",
        "eventDate": "2099-05-02T19:00:00"});
    let event = shop.seat_event(later).await;
    let people = people(&shop, 5).await;
    let draw_path = format!("/api/queue/draw/{event}");
    let (status, _) = shop.get(&draw_path, &people[0]).await;
    assert_eq!(status, 404, "no lottery");
    let lobby = format!("/api/queue/admin/{event}/lobby");
    assert_eq!(shop.post(&lobby, &people[0], &json!({})).await.0, 403);
    let (status, opened) = shop.post(&lobby, &shop.admin, &json!({})).await;
    assert_eq!(status, 200, "{opened}");
    assert_error(&shop.post(&lobby, &shop.admin, &json!({})).await.1, "CONFLICT");
    for person in &people {
        let answer = check(&shop, &event, person).await;
        assert_eq!(answer["queued"], true, "{answer}");
    }
    // The commitment is public, the seed is nobody's.
    let before = shop.ok(&draw_path, &people[2]).await;
    assert_eq!((&before["drawn"], &before["ticket"]), (&json!(false), &json!(3)), "{before}");
    assert_eq!(before["commitment"], opened["commitment"]);
    assert!(before["seed"].is_null() && before["tickets"] == json!([]), "{before}");
    let room = shop.ok(&format!("/api/queue/admin/{event}"), &shop.admin).await;
    assert_eq!((&room["lobby"], &room["queueSize"]), (&json!(true), &json!(5)));

    let draw = format!("/api/queue/admin/{event}/draw");
    let long = json!({"beacon": "7".repeat(201)});
    assert_eq!(shop.post(&draw, &shop.admin, &long).await.0, 400);
    let (status, drawn) = shop.post(&draw, &shop.admin, &json!({"beacon": "3 11 15"})).await;
    assert_eq!(status, 200, "{drawn}");
    assert_error(&shop.post(&draw, &shop.admin, &json!({})).await.1, "CONFLICT");
    let after = shop.ok(&draw_path, &people[2]).await;
    assert_eq!(
        (&after["commitment"], &after["beacon"]),
        (&before["commitment"], &json!("3 11 15"))
    );
    assert_eq!((&after["entrants"], &after["firstPlace"]), (&json!(5), &json!(6)));
    let mut tickets: Vec<u64> =
        after["tickets"].as_array().unwrap().iter().map(|one| one.as_u64().unwrap()).collect();
    let page = shop.ok(&format!("{draw_path}?page=2&limit=2"), &people[0]).await;
    assert_eq!(page["tickets"], json!(tickets[2..4]));
    // The first two of the order are in, the others wait in it.
    for (position, ticket) in tickets.iter().enumerate() {
        let answer = self::status(&shop, &event, &people[*ticket as usize - 1]).await;
        assert_eq!(answer["position"], position.saturating_sub(1), "{answer}");
    }
    tickets.sort_unstable();
    assert_eq!(tickets, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn lanes_let_their_people_in_by_shares() {
    let shop = shop(1).await;
    let event = shop.seat_event(json!({})).await;
    let people = people(&shop, 4).await;
    let path = format!("/api/queue/admin/{event}/lanes");
    assert_eq!(shop.ok(&path, &shop.admin).await["lanes"], json!([]));
    let lanes = json!({"lanes": [{"name": "일반", "share": 1}, {"name": "팬클럽", "share": 3}]});
    assert_eq!(shop.gateway.call("PUT", &path, &people[0], &lanes).await.0, 403);
    let (status, set) = shop.gateway.call("PUT", &path, &shop.admin, &lanes).await;
    assert_eq!((status.as_u16(), &set["lanes"][1]["share"]), (200, &json!(3)), "{set}");
    for wrong in
        [json!([]), json!([{"name": "일반", "share": 0}]), json!([{"name": "x", "share": 1}])]
    {
        let (status, answer) =
            shop.gateway.call("PUT", &path, &shop.admin, &json!({"lanes": wrong})).await;
        assert_eq!(status, 400, "{answer}");
    }
    let members = format!("{path}/members");
    let body = json!({"lane": "팬클럽", "users": ["person3@tiketi.gg", "nobody@tiketi.gg"]});
    let (status, added) = shop.post(&members, &shop.admin, &body).await;
    assert_eq!((status.as_u16(), &added["added"]), (200, &json!(1)), "{added}");
    assert_eq!(added["unknown"], json!(["nobody@tiketi.gg"]));
    let unknown = json!({"lane": "없음", "users": ["person3@tiketi.gg"]});
    assert_eq!(shop.post(&members, &shop.admin, &unknown).await.0, 400);
    assert_eq!(
        shop.post(&members, &shop.admin, &json!({"lane": "팬클럽", "users": []})).await.0,
        400
    );
    for person in &people {
        check(&shop, &event, person).await;
    }
    // The fan came last and is next.
    let mut positions = Vec::new();
    for person in &people {
        positions.push(self::status(&shop, &event, person).await["position"].clone());
    }
    assert_eq!(positions, [0, 2, 3, 1].map(Value::from));
    let rows = shop.ok(&path, &shop.admin).await;
    let counts =
        [&rows["lanes"][0]["waiting"], &rows["lanes"][1]["waiting"], &rows["lanes"][1]["members"]];
    assert_eq!(counts, [&json!(2), &json!(1), &json!(1)], "{rows}");
}

#[tokio::test]
async fn a_restart_in_the_middle_of_a_line_keeps_the_order() {
    let shop = shop(1).await;
    let event = shop.seat_event(json!({})).await;
    let people = people(&shop, 4).await;
    for person in &people {
        check(&shop, &event, person).await;
    }
    let shop = shop.restart(|config| config.queue_threshold = 1).await;
    for (person, position) in people.iter().zip([0, 1, 2, 3]) {
        assert_eq!(status(&shop, &event, person).await["position"], position);
    }
    shop.post(&format!("/api/queue/leave/{event}"), &people[0], &json!({})).await;
    assert_eq!(status(&shop, &event, &people[1]).await["queued"], false);
    assert_eq!(status(&shop, &event, &people[2]).await["position"], 1);
}

#[tokio::test]
async fn a_hold_lets_its_buyer_in_while_there_is_room() {
    let shop = shop(2).await;
    let event = shop.seat_event(json!({})).await;
    let people = people(&shop, 3).await;
    for (position, (person, expected)) in people.iter().zip([201, 201, 403]).enumerate() {
        let seat = first_seat(&shop, &event, position).await;
        assert_eq!(reserve(&shop, &event, person, &seat).await.0, expected);
    }
    let shown = shop.ok(&format!("/api/queue/admin/{event}"), &shop.admin).await;
    assert_eq!((&shown["queueSize"], &shown["currentUsers"]), (&json!(0), &json!(2)));
}

#[tokio::test]
async fn administrators_steer_the_line() {
    let shop = shop(1).await;
    let event = shop.seat_event(json!({})).await;
    let people = people(&shop, 4).await;
    for person in &people {
        check(&shop, &event, person).await;
    }
    let path = format!("/api/queue/admin/{event}");
    let shown = once_admitted(&shop, &event, 1).await;
    let expected = json!({"eventId": event, "queueSize": 3, "currentUsers": 1, "threshold": 1,
                          "available": 0, "rate": null, "paused": false, "lobby": false,
                          "admitted": 1, "waitSeconds": null,
                          "seats": shown["seats"], "tickets": shown["tickets"]});
    assert_eq!(shown, expected);
    let change = |body: Value| {
        let (shop, path) = (&shop, &path);
        async move { shop.gateway.call("PUT", path, &shop.admin, &body).await }
    };
    let (changed, answer) = change(json!({"paused": true, "threshold": 2, "rate": 0.5})).await;
    assert_eq!(changed, 200, "{answer}");
    assert_eq!((&answer["paused"], &answer["rate"]), (&json!(true), &json!(0.5)));
    assert_eq!(status(&shop, &event, &people[1]).await["position"], 1, "paused");
    let (changed, answer) = change(json!({"paused": false, "rate": null})).await;
    assert_eq!((changed.as_u16(), &answer["rate"]), (200, &Value::Null));
    assert_eq!(status(&shop, &event, &people[1]).await["queued"], false);
    for wrong in [
        json!({"threshold": 0}),
        json!({"threshold": "2"}),
        json!({"rate": 0}),
        json!({"rate": -1}),
        json!({"paused": "yes"}),
    ] {
        let (refused, answer) = change(wrong.clone()).await;
        assert_eq!(refused, 400, "{wrong} {answer}");
        assert_error(&answer, "VALIDATION");
    }
    let profile = shop.ok("/api/admin/users/person3@tiketi.gg", &shop.admin).await;
    let body = json!({"userId": profile["user"]["id"]});
    let (admitted, answer) = shop.post(&format!("{path}/admit"), &shop.admin, &body).await;
    assert_eq!(admitted, 200, "{answer}");
    // More are inside than may be.
    let (_, crowded) = change(json!({"threshold": 1})).await;
    assert_eq!((&crowded["currentUsers"], &crowded["available"]), (&json!(2), &json!(-1)));
    assert_eq!(change(json!({"threshold": 2})).await.1["available"], 0);
    shop.post(&format!("/api/queue/leave/{event}"), &people[0], &json!({})).await;
    assert_eq!(status(&shop, &event, &people[3]).await["queued"], false, "out of turn");
    assert_eq!(status(&shop, &event, &people[2]).await["position"], 1);
    let (cleared, answer) =
        shop.post(&format!("/api/queue/admin/clear/{event}"), &shop.admin, &json!({})).await;
    assert!(cleared == 200 && answer["message"].is_string(), "{answer}");
    let shown = shop.ok(&path, &shop.admin).await;
    assert_eq!((&shown["queueSize"], &shown["currentUsers"]), (&json!(0), &json!(0)));
    for (method, path) in [
        ("GET", path.clone()),
        ("PUT", path.clone()),
        ("POST", format!("{path}/admit")),
        ("POST", format!("/api/queue/admin/clear/{event}")),
    ] {
        let (refused, answer) = shop.gateway.call(method, &path, &people[0], &json!({})).await;
        assert_eq!(refused, 403, "{answer}");
        assert_error(&answer, "ADMIN_ONLY");
    }
}

#[tokio::test]
async fn who_stood_in_line_has_a_wait_and_who_was_let_in_at_once_has_none() {
    let shop = shop(2).await;
    let event = shop.seat_event(json!({})).await;
    let people = people(&shop, 4).await;
    for person in &people {
        check(&shop, &event, person).await;
    }
    shop.hold(&people[0], &event, &shop.seats(&event).await[0]).await;
    let shown = once_admitted(&shop, &event, 2).await;
    assert_eq!(shown["waitSeconds"], Value::Null, "{shown}");
    let seats = &shown["seats"];
    assert_eq!((&seats["total"], &seats["available"]), (&json!(265), &json!(264)), "{shown}");
    assert_eq!((&seats["held"], &seats["sold"]), (&json!(1), &json!(0)), "{shown}");
    // A wait is told in milliseconds.
    tokio::time::sleep(Duration::from_millis(20)).await;
    shop.post(&format!("/api/queue/leave/{event}"), &people[1], &json!({})).await;
    let shown = once_admitted(&shop, &event, 3).await;
    let wait = &shown["waitSeconds"];
    assert_eq!(wait["count"], 1, "{shown}");
    assert!(wait["p50"].as_f64().is_some_and(|seconds| seconds >= 0.02), "{shown}");
    assert_eq!(wait["p50"], wait["p99"], "{shown}");
    // A new process counts from nobody, whatever the log says of earlier ones.
    let shop = shop.restart(|config| config.queue_threshold = 2).await;
    let shown = shop.ok(&format!("/api/queue/admin/{event}"), &shop.admin).await;
    assert_eq!((&shown["admitted"], &shown["waitSeconds"]), (&json!(0), &Value::Null), "{shown}");
    assert_eq!(shown["currentUsers"], 2, "{shown}");
}

#[tokio::test]
async fn passes_are_for_whoever_is_inside() {
    let shop = shop(1).await;
    let event = shop.seat_event(json!({})).await;
    let other = shop.seat_event(json!({})).await;
    let people = people(&shop, 2).await;
    let pass = shop.ok(&format!("/api/queue/pass/{event}"), &people[0]).await;
    assert!(pass["expiresAt"].is_string(), "{pass}");
    let (waits, answer) = shop.get(&format!("/api/queue/pass/{event}"), &people[1]).await;
    assert_eq!(waits, 403, "{answer}");
    assert_error(&answer, "QUEUE_REQUIRED");
    let pass = pass["pass"].as_str().expect("pass");
    let (last, rest) = (pass.len() - 10, pass.as_bytes());
    let mut forged = rest.to_vec();
    forged[last] = if forged[last] == b'A' { b'B' } else { b'A' };
    let forged = String::from_utf8(forged).expect("ASCII");
    for (event, token, pass, expected) in [
        (&event, &people[0], pass, 201),
        (&event, &people[0], forged.as_str(), 403),
        (&event, &people[0], "", 403),
        (&event, &people[1], pass, 403),
        (&other, &people[0], pass, 403),
    ] {
        let seat = first_seat(&shop, event, 0).await;
        let request = shop.gateway.request("POST", "/api/seats/reserve").bearer_auth(token);
        let request = request.header("tiketi-pass", pass);
        let answer = request.json(&json!({"eventId": event, "seatIds": [seat]})).send().await;
        assert_eq!(answer.expect("answer").status(), expected);
    }
}

#[tokio::test]
async fn wrong_calls_are_refused_and_change_nothing() {
    let shop = shop(1).await;
    let event = shop.seat_event(json!({})).await;
    let person = shop.gateway.user("person@tiketi.gg").await;
    let nobody = "00000000-0000-4000-8000-000000000000";
    for (method, path) in [("POST", "check"), ("GET", "status"), ("POST", "leave"), ("GET", "pass")]
    {
        for (id, token, status, code) in [
            ("not-an-id", person.as_str(), 400, "BAD_ID"),
            (nobody, &person, 404, "NOT_FOUND"),
            (&event, "", 401, "AUTH_REQUIRED"),
            (&event, "a.b.c", 403, "TOKEN_INVALID"),
        ] {
            let path = format!("/api/queue/{path}/{id}");
            let (found, answer) = shop.gateway.call(method, &path, token, &json!({})).await;
            assert_eq!(found.as_u16(), status, "{method} {path}: {answer}");
            assert_error(&answer, code);
        }
    }
    // Leaving what one never joined is no error.
    let (left, _) = shop.post_empty(&format!("/api/queue/leave/{event}"), &person).await;
    assert_eq!(left, 200);
    let shown = shop.ok(&format!("/api/queue/admin/{event}"), &shop.admin).await;
    assert_eq!((&shown["queueSize"], &shown["currentUsers"]), (&json!(0), &json!(0)));
}

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Accounts written straight into the log, as hashing so many passwords would take minutes, and
/// their tokens.
fn crowd(data: &std::path::Path, count: u32) -> Vec<String> {
    let mut options = Options::new(data);
    options.ballast_bytes = 0;
    let Opened { state, journal, .. } =
        tiketi_persistence::open(&options, UnixMillis(1_700_000_000_000)).expect("open");
    let engine = Engine::from_state(&state, journal.clone()).expect("engine");
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let tokens = (0..count).map(|person| {
        let email = format!("person{person}@tiketi.gg");
        let new = NewUser {
            email: email.clone(),
            password_hash: "none".to_owned(),
            name: "구매자".to_owned(),
            phone: None,
            role: Role::User,
            tag: u64::from(person) + 1,
        };
        let pending =
            engine.register_user(new.check().expect("valid"), UnixMillis(1_700_000_000_000));
        let user = journal.committed_blocking(pending.expect("room")).expect("durable");
        let claims = json!({"userId": Id::from(user).to_string(), "email": email, "role": "user",
                            "iat": 1, "exp": 4_000_000_000_u64});
        jsonwebtoken::encode(&Header::default(), &claims, &key).expect("token")
    });
    let tokens = tokens.collect();
    journal.close().expect("closed");
    tokens
}

#[tokio::test(flavor = "multi_thread")]
async fn three_thousand_people_and_a_threshold_of_one_thousand() {
    const PEOPLE: u32 = 3_000;
    const THRESHOLD: u32 = 1_000;
    let data = tempfile::tempdir().expect("directory");
    let tokens = crowd(data.path(), PEOPLE);
    let shop = Shop::on(data, |config| {
        config.queue_threshold = THRESHOLD;
        config.jwt_secret = Some(Secret::new(SECRET));
    })
    .await;
    let event = shop.seat_event(json!({})).await;
    let check_all = |tokens: Vec<String>| {
        let (client, url) =
            (shop.gateway.client.clone(), shop.gateway.url(&format!("/api/queue/check/{event}")));
        async move {
            let mut calls = tokio::task::JoinSet::new();
            for part in tokens.chunks(100) {
                let (client, url, part) = (client.clone(), url.clone(), part.to_vec());
                calls.spawn(async move {
                    let mut answers = Vec::new();
                    for token in part {
                        let call = client.post(&url).bearer_auth(&token).json(&json!({}));
                        let answer = call.send().await.expect("answer");
                        answers.push((token, answer.json::<Value>().await.expect("JSON")));
                    }
                    answers
                });
            }
            calls.join_all().await.concat()
        }
    };
    let answers = check_all(tokens.clone()).await;
    let inside = answers.iter().filter(|(_, answer)| answer["queued"] == false).count();
    assert_eq!(inside, THRESHOLD as usize);
    let places: BTreeSet<u64> =
        answers.iter().filter_map(|(_, answer)| answer["position"].as_u64()).collect();
    assert_eq!(places.len(), (PEOPLE - THRESHOLD) as usize, "no place twice");
    assert_eq!(places.last(), Some(&u64::from(PEOPLE - THRESHOLD)));
    // Half of those inside leave; exactly the first in line take their slots.
    let leavers: Vec<&String> = answers
        .iter()
        .filter(|(_, answer)| answer["queued"] == false)
        .map(|(token, _)| token)
        .take(500)
        .collect();
    for token in leavers {
        shop.post(&format!("/api/queue/leave/{event}"), token, &json!({})).await;
    }
    let waited: BTreeMap<String, u64> = answers
        .iter()
        .filter_map(|(token, answer)| Some((token.clone(), answer["position"].as_u64()?)))
        .collect();
    let again = check_all(waited.keys().cloned().collect()).await;
    assert_eq!(again.len(), waited.len());
    for (token, answer) in &again {
        let before = waited[token];
        assert_eq!(answer["queued"], before > 500, "{before} {answer}");
        if before > 500 {
            assert_eq!(answer["position"], before - 500);
        }
    }
    let shown = shop.ok(&format!("/api/queue/admin/{event}"), &shop.admin).await;
    assert_eq!((&shown["queueSize"], &shown["currentUsers"]), (&json!(1_500), &json!(1_000)));
}
