//! Commands that talk to a running gateway.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Gateway, command, on, tiketi};

#[test]
fn events() {
    let gateway = Gateway::start();
    assert_eq!(gateway.json(&["event", "list"])["events"].as_array().unwrap().len(), 0);
    assert!(gateway.tiketi(&["event", "list"]).succeeds().contains("no events"));
    let spring = gateway.event("봄 콘서트");
    let autumn = gateway.event("가을 콘서트");
    assert_ne!(spring, autumn);
    let list = gateway.json(&["event", "list", "--status", "on_sale"]);
    assert_eq!(list["events"].as_array().unwrap().len(), 2);
    assert_eq!(gateway.json(&["event", "list", "--status", "ended"])["pagination"]["total"], 0);
    let text = gateway.tiketi(&["event", "list"]);
    assert!(text.succeeds().contains("봄 콘서트") && !text.stdout.contains('\u{1b}'));
    assert_eq!(gateway.json(&["event", "show", "봄"])["event"]["id"], spring.as_str());
    assert!(gateway.tiketi(&["event", "show", &spring]).succeeds().contains("60,000원"));
    gateway.tiketi(&["event", "show", "콘서트"]).fails(1, "2 events");
    gateway.tiketi(&["event", "show", "겨울"]).fails(1, "no event");
    gateway
        .tiketi(&["event", "show", "00000000-0000-0000-0000-000000000000"])
        .fails(1, "NOT_FOUND");

    gateway.tiketi(&["event", "cancel", "가을"]).fails(2, "--yes");
    let cancelled = gateway.json(&["event", "cancel", "가을", "--yes"]);
    assert_eq!(cancelled["event"]["status"], "cancelled");
    assert_eq!(cancelled["cancelledReservations"], 0);
    let dates = ["--event-date", "2037-01-10T19:00:00", "--sale-start", "2037-01-01T09:00:00"];
    let until = ["--sale-end", "2037-01-09T18:00:00", "--title", "겨울"];
    let copy = gateway.json(&[&["event", "duplicate", "가을"], &dates[..], &until[..]].concat());
    assert_eq!(
        (&copy["event"]["title"], &copy["event"]["status"]),
        (&"겨울".into(), &"upcoming".into())
    );
    gateway.tiketi(&["event", "delete", "겨울"]).fails(2, "--yes");
    let deleted = gateway.json(&["event", "delete", "겨울", "--yes"]);
    assert_eq!(deleted["cancelledReservations"], 0);
    let id = copy["event"]["id"].as_str().unwrap();
    gateway.tiketi(&["event", "delete", id, "--yes"]).fails(1, "NOT_FOUND");
    assert_eq!(gateway.tiketi(&["event", "cancel", "가을", "--yes"]).code, 1);
}

#[test]
fn terms_of_an_event() {
    let gateway = Gateway::start();
    gateway.event("봄 콘서트");
    let terms = |args: &[&str]| {
        let answer = gateway.json(&[&["event", "terms", "봄"], args].concat());
        answer["terms"].clone()
    };
    let of_file = json!({"max_tickets": 4, "ticket_hold_ttl": 600, "deposits": true});
    assert_eq!(terms(&[]), of_file);
    let changed = terms(&["--max-tickets", "default", "--ticket-hold-ttl", "never"]);
    let expected = json!({"max_tickets": null, "ticket_hold_ttl": "never", "deposits": true});
    assert_eq!((&changed, &terms(&[])), (&expected, &expected));
    let changed = terms(&["--max-tickets", "2", "--ticket-hold-ttl", "60", "--deposits", "off"]);
    assert_eq!(changed, json!({"max_tickets": 2, "ticket_hold_ttl": 60, "deposits": false}));
    let text = gateway.tiketi(&["event", "terms", "봄", "--ticket-hold-ttl", "default"]);
    let text = text.succeeds().to_owned();
    assert!(text.contains("the server's setting") && text.contains("deposits"), "{text}");
    for wrong in [["--max-tickets", "many"], ["--ticket-hold-ttl", "10m"], ["--deposits", "no"]] {
        let ran = gateway.tiketi(&[&["event", "terms", "봄"], &wrong[..]].concat());
        assert!(ran.code == 2 && ran.stderr.contains(wrong[0]), "{}", ran.stderr);
    }
    gateway.tiketi(&["event", "terms", "봄", "--max-tickets", "0"]).fails(1, "VALIDATION");
    let shown = gateway.tiketi(&["event", "show", "봄"]);
    assert!(shown.succeeds().contains("beside seats"), "{}", shown.stdout);
}

#[test]
fn event_files() {
    let gateway = Gateway::start();
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let create = |path: &str| gateway.tiketi(&["event", "create", "--file", path]);
    create("/nowhere/file.json").fails(2, "cannot read");
    create(&write("a.json", "{")).fails(2, "not JSON");
    create(&write("b.json", r#"{"titel": 1}"#)).fails(2, "unknown key");
    create(&write("c.json", "{}")).fails(2, "title is missing");
    let event = |extra: &str| {
        format!(
            r#"{{"title":"t","venue":"v","eventDate":"2027-05-01T19:00:00",
                "saleStartDate":"2026-01-01T20:00:00","saleEndDate":"2027-05-01T18:00:00"{extra}}}"#
        )
    };
    create(&write("d.json", &event(r#","seatLayout":"nowhere""#))).fails(1, "no seat layout");
    create(&write("e.json", &event(r#","maxSeats":99"#))).fails(1, "VALIDATION");
    let layout = r#"{"name":"홀","sections":[{"name":"A","rows":2,"seatsPerRow":3,"price":1000}]}"#;
    let hall = write("hall.json", layout);
    create(&hall).fails(2, "title is missing");
    let dates = ["--event-date", "2027-05-01T19:00:00", "--sale-start", "2026-01-01T20:00:00"];
    let mut all = vec!["event", "create", "--file", &hall, "--title", "t", "--venue", "v"];
    all.extend(dates);
    all.extend(["--sale-end", "2027-05-01T18:00:00+09:00"]);
    let made = gateway.json(&all);
    assert!(made["event"]["seat_layout_id"].is_string());
    create(&write("f.json", &event(r#","seatLayout":"홀""#))).succeeds();
}

#[test]
fn seats() {
    let gateway = Gateway::start();
    let event = gateway.event("봄 콘서트");
    let buyer = gateway.user("buyer@tiketi.gg");
    let held = gateway.reserve(&event, &["A-1-1"], &buyer);
    let sold = gateway.reserve(&event, &["A-1-2", "A-1-3"], &buyer);
    gateway.pay(&sold, &buyer);
    assert!(held["id"].is_string());
    let blocked = gateway.json(&["seat", "block", "봄", "B-6-1..4", "B-7-1", "--reason", "camera"]);
    assert_eq!(blocked["seats"], 5);
    let map = gateway.json(&["seat", "map", "봄"]);
    let counts = &map["counts"];
    assert_eq!((&counts["total"], &counts["held"]), (&340.into(), &1.into()), "{counts}");
    assert_eq!((&counts["sold"], &counts["blocked"]), (&2.into(), &5.into()), "{counts}");
    let text = gateway.tiketi(&["seat", "map", &event]);
    assert!(text.succeeds().contains(" STAGE "), "{}", text.stdout);
    assert!(text.stdout.contains("o # # . "), "{}", text.stdout);
    assert!(text.stdout.contains("x x x x . "), "{}", text.stdout);
    let narrow =
        command(&["--url", &gateway.url(), "seat", "map", "봄"]).env("COLUMNS", "20").output();
    let narrow = String::from_utf8(narrow.unwrap().stdout).unwrap();
    assert!(narrow.contains("1 column = 2 seats"), "{narrow}");
    let section = gateway.json(&["seat", "map", "봄", "--section", "A"]);
    assert_eq!(section["counts"]["total"], 100);
    gateway.tiketi(&["seat", "map", "봄", "--section", "Z"]).fails(1, "A, B");
    gateway.tiketi(&["seat", "block", "봄", "A-1-1"]).fails(1, "A-1-1");
    gateway.tiketi(&["seat", "block", "봄", "Q-9-9"]).fails(1, "Q-9-9");
    gateway.tiketi(&["seat", "block", "봄", "A-1-9..5"]).fails(2, "no range");
    gateway.tiketi(&["seat", "unblock", "봄", "A-1-1"]).fails(1, "A-1-1");
    assert!(gateway.tiketi(&["seat", "unblock", "봄", "B-6-1..4"]).succeeds().contains("4 seats"));
    assert_eq!(gateway.json(&["seat", "map", "봄"])["counts"]["blocked"], 1);
}

#[test]
fn orders_and_users() {
    let gateway = Gateway::start();
    let event = gateway.event("봄 콘서트");
    let buyer = gateway.user("buyer@tiketi.gg");
    let sold = gateway.reserve(&event, &["A-1-2", "A-1-3"], &buyer);
    gateway.pay(&sold, &buyer);
    let (id, number) = (sold["id"].as_str().unwrap(), sold["reservationNumber"].as_str().unwrap());
    let order = &gateway.json(&["order", "show", number])["order"];
    assert_eq!((&order["id"], &order["state"]), (&sold["id"], &"paid".into()));
    assert!(gateway.tiketi(&["order", "show", id]).succeeds().contains("240,000원"));
    gateway.tiketi(&["order", "show", "TK1795196714996ROJ1Q"]).fails(1, "NOT_FOUND");
    gateway.tiketi(&["order", "cancel", number]).fails(2, "--yes");
    let cancelled = gateway.json(&["order", "cancel", number, "--yes"]);
    assert_eq!(cancelled["order"]["end_reason"], "cancelled_by_admin", "{cancelled}");
    gateway.tiketi(&["order", "cancel", id, "--yes"]).fails(1, "ALREADY_CANCELLED");

    let user = &gateway.json(&["user", "show", "buyer@tiketi.gg"])["user"];
    assert_eq!((&user["role"], &user["reservations"]), (&"user".into(), &1.into()));
    assert!(gateway.tiketi(&["user", "promote", "buyer@tiketi.gg"]).succeeds().contains("admin"));
    let as_buyer = ["--email", "buyer@tiketi.gg", "--password", "secret1", "stats"];
    gateway.tiketi(&as_buyer).succeeds();
    let id = user["id"].as_str().unwrap();
    assert_eq!(gateway.json(&["user", "demote", id])["user"]["role"], "user");
    gateway.tiketi(&as_buyer).fails(1, "ADMIN_ONLY");
    let suspend = ["user", "suspend", "buyer@tiketi.gg", "--reason", "암표"];
    assert!(gateway.tiketi(&suspend).succeeds().contains("suspended"));
    gateway.tiketi(&suspend).fails(1, "CONFLICT");
    gateway.tiketi(&as_buyer).fails(1, "SUSPENDED");
    assert!(gateway.tiketi(&["user", "show", id]).succeeds().contains("암표"));
    let restored = gateway.json(&["user", "restore", id]);
    assert!(restored["user"]["suspension"].is_null(), "{restored}");
    gateway.tiketi(&as_buyer).fails(1, "ADMIN_ONLY");
    gateway.tiketi(&["user", "show", "nobody@tiketi.gg"]).fails(1, "NOT_FOUND");
}

#[test]
fn counters() {
    let gateway = Gateway::start();
    gateway.event("봄 콘서트");
    let stats = gateway.json(&["stats"]);
    assert_eq!((&stats["events"], &stats["seats"]["total"]), (&1.into(), &340.into()));
    let of_event = gateway.json(&["stats", "--event", "봄"]);
    assert_eq!(of_event["event"]["sections"][1]["section"], "B", "{of_event}");
    let text = gateway.tiketi(&["stats", "--event", "봄"]);
    assert!(
        text.succeeds().contains("SECTION") && text.stdout.contains("스탠딩"),
        "{}",
        text.stdout
    );

    let watched = gateway.tiketi(&["watch", "--count", "3", "--interval", "0.1", "--json"]);
    watched.succeeds();
    let lines = watched.lines();
    assert_eq!(lines.len(), 3);
    assert!(lines[0]["rates"].is_null() && lines[2]["rates"]["recordsPerSecond"].is_number());
    let text = gateway.tiketi(&["watch", "--count", "2", "--interval", "0.1"]);
    assert!(text.succeeds().contains("/s)"), "{}", text.stdout);
}

#[test]
fn logins() {
    let gateway = Gateway::start();
    let wrong = gateway.tiketi(&["--password", "hunter2", "stats"]);
    wrong.fails(1, "wrong address or password");
    assert!(!wrong.stderr.contains("hunter2"));
    let wrong = gateway.tiketi(&["--json", "--password", "hunter2", "stats"]);
    let document = wrong.document();
    assert_eq!(
        (&document["exit"], &document["error"]["code"]),
        (&1.into(), &"BAD_CREDENTIALS".into())
    );
    assert!(!wrong.stdout.contains("hunter2"));
    let token = gateway.tiketi(&["login"]).succeeds().trim().to_owned();
    let with_token = command(&["--url", &gateway.url(), "--password", "x", "stats"])
        .env("TIKETI_TOKEN", &token)
        .output()
        .unwrap();
    assert!(with_token.status.success());
    assert_eq!(gateway.json(&["login", "--token", &token])["token"], token.as_str());
    let bad = gateway.tiketi(&["--token", "hunter2", "stats"]);
    bad.fails(1, "tiketi login");
    assert!(!bad.stderr.contains("hunter2"));
}

#[test]
fn unreachable_and_wrong_usage() {
    // A port that was free a moment ago.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("http://127.0.0.1:{port}");
    tiketi(&["--url", &url, "event", "list"]).fails(3, "cannot reach");
    let document = tiketi(&["--json", "--url", &url, "event", "list"]).document();
    assert_eq!((&document["exit"], &document["error"]["code"]), (&3.into(), &"UNREACHABLE".into()));
    tiketi(&["--url", "nonsense", "event", "list"]).fails(2, "--url");
    assert_eq!(tiketi(&["frobnicate"]).code, 2);
    let document = tiketi(&["frobnicate", "--json"]).document();
    assert_eq!((&document["exit"], &document["error"]["code"]), (&2.into(), &"USAGE".into()));
    assert!(tiketi(&["--help"]).succeeds().contains("Exit codes:"));
    assert!(tiketi(&["--version"]).succeeds().starts_with("tiketi "));
    for shell in ["bash", "zsh", "fish"] {
        assert!(tiketi(&["completions", shell]).succeeds().contains("tiketi"));
    }
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    tiketi(&["--url", &url, "--timeout", "1", "event", "list"]).fails(3, "no answer");
}

#[test]
fn lanes_and_draws() {
    let gateway = Gateway::start();
    gateway.event("봄 콘서트");
    let people = ["a", "b", "c"].map(|name| gateway.user(&format!("{name}@tiketi.gg")));
    let lanes = |args: &[&str]| gateway.tiketi(&[&["queue", "lanes", "봄"], args].concat());
    assert!(lanes(&[]).succeeds().contains("without lanes"));
    assert!(lanes(&["general=1", "fanclub=3"]).succeeds().contains("3 of 4"));
    lanes(&["general=1"]).fails(1, "");
    let wrong = lanes(&["fanclub"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("NAME=SHARE"), "{}", wrong.stderr);
    let fans = gateway.data.path().with_extension("fans");
    std::fs::write(&fans, "b@tiketi.gg\n\nnobody@tiketi.gg\n").unwrap();
    let file = fans.to_str().unwrap();
    let added = gateway.json(&["queue", "lane", "봄", "fanclub", "c@tiketi.gg", "--file", file]);
    assert_eq!((&added["added"], &added["unknown"]), (&2.into(), &json!(["nobody@tiketi.gg"])));
    gateway.tiketi(&["queue", "lane", "봄", "nobodys", "c@tiketi.gg"]).fails(1, "");
    gateway.tiketi(&["queue", "lane", "봄", "fanclub"]).fails(2, "name at least one");
    gateway.tiketi(&["queue", "lane", "봄", "fanclub", "--file", "/nowhere"]).fails(2, "/nowhere");

    // The example is on sale already.
    gateway.tiketi(&["queue", "lobby", "봄"]).fails(1, "");
    gateway.tiketi(&["queue", "verify-draw", "봄"]).fails(1, "");
    let sale = ["--sale-start", "2099-01-01T20:00:00", "--sale-end", "2099-05-01T20:00:00"];
    let dates = [&sale[..], &["--event-date", "2099-05-02T19:00:00"]].concat();
    let event = gateway.event_with("가을 콘서트", &dates);
    let opened = gateway.json(&["queue", "lobby", "가을"]);
    let commitment = opened["commitment"].as_str().unwrap();
    for person in &people {
        gateway.post(&format!("/api/queue/check/{event}"), person, &json!({}));
    }
    gateway.tiketi(&["queue", "verify-draw", "가을"]).fails(1, commitment);
    assert!(gateway.tiketi(&["queue", "show", "가을"]).succeeds().contains("lobby"));
    let drawn = gateway.tiketi(&["queue", "draw", "가을", "--beacon", "3 11 15"]);
    assert!(drawn.succeeds().contains("the order of 3 people"), "{}", drawn.stdout);
    gateway.tiketi(&["queue", "draw", "가을"]).fails(1, "");
    let verify = |published: &str| {
        gateway.tiketi(&["queue", "verify-draw", "가을", "--commitment", published])
    };
    assert!(verify(commitment).succeeds().contains("verified"));
    assert_eq!(verify(&"00".repeat(32)).code, 4);
}

/// What the list says of a payment once that waits for something.
fn waits_for(gateway: &Gateway, order_id: &str, what: &str) -> Value {
    for _ in 0..200 {
        let listed = gateway.json(&["payments", "list", "--state", "waiting"]);
        let mut payments = listed["payments"].as_array().unwrap().iter();
        let found = payments.find(|one| one["orderId"] == order_id);
        if let Some(found) = found.filter(|one| one["waiting"]["for"] == what) {
            return found.clone();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("{order_id} does not wait for {what}");
}

#[test]
fn payments_that_wait_are_ended() {
    let gateway = Gateway::start();
    let event = gateway.event("봄 콘서트");
    let buyer = gateway.user("buyer@tiketi.gg");
    let order = gateway.reserve(&event, &["A-1-2"], &buyer);
    let (id, confirm) = gateway.toss_order(&order, &buyer);
    gateway.fault(&id, "confirm", json!("dropBefore"), 1_000);
    gateway.fault(&id, "query", json!({"status": 500}), 1_000);
    gateway.confirm(&confirm, &buyer);
    let payment = waits_for(&gateway, &id, "provider");
    assert_eq!(payment["status"], "confirming", "{payment}");
    let listed = gateway.tiketi(&["payments", "list", "--state", "confirming"]);
    let listed = listed.succeeds();
    assert!(listed.contains("WAITS FOR") && listed.contains("SINCE"), "{listed}");
    assert!(listed.lines().any(|line| line.contains(&id) && line.contains("provider")), "{listed}");
    let number = order["reservationNumber"].as_str().unwrap();
    let shown = gateway.tiketi(&["order", "show", number]);
    assert!(shown.succeeds().contains("waits for"), "{}", shown.stdout);

    gateway.tiketi(&["payments", "end", &id]).fails(2, "--yes");
    gateway.tiketi(&["payments", "end", "tk00", "--yes"]).fails(1, "NOT_FOUND");
    let ended = gateway.json(&["payments", "end", &id, "--yes"]);
    assert_eq!(ended["payment"]["status"], "failed", "{ended}");
    assert!(ended["payment"]["waiting"].is_null(), "{ended}");
    gateway.tiketi(&["payments", "end", &id, "--yes"]).fails(1, "CONFLICT");
    assert_eq!(gateway.json(&["order", "show", number])["order"]["state"], "held");
    assert!(
        gateway.tiketi(&["payments", "list", "--state", "waiting"]).succeeds() == "no payments\n"
    );
}

#[test]
fn refunds_that_were_refused_are_made_by_hand() {
    let gateway = Gateway::start();
    let event = gateway.event("봄 콘서트");
    let buyer = gateway.user("buyer@tiketi.gg");
    let order = gateway.reserve(&event, &["A-1-2"], &buyer);
    let (id, confirm) = gateway.toss_order(&order, &buyer);
    gateway.confirm(&confirm, &buyer);
    gateway.tiketi(&["payments", "refunded-by-hand", &id, "--yes"]).fails(1, "CONFLICT");
    gateway.fault(&id, "cancel", json!({"error": "NOT_CANCELABLE_PAYMENT"}), 1_000);
    gateway.json(&["order", "cancel", order["reservationNumber"].as_str().unwrap(), "--yes"]);
    let payment = waits_for(&gateway, &id, "administrator");
    assert_eq!(payment["status"], "refund_refused", "{payment}");
    gateway.tiketi(&["payments", "refunded-by-hand", &id]).fails(2, "120,000원");
    let noted = gateway.tiketi(&["payments", "refunded-by-hand", &id, "--yes"]);
    assert!(noted.succeeds().contains("refunded"), "{}", noted.stdout);
    gateway.tiketi(&["payments", "refunded-by-hand", &id, "--yes"]).fails(1, "CONFLICT");
    assert!(
        gateway.tiketi(&["payments", "list", "--state", "refund_refused"]).succeeds()
            == "no payments\n"
    );

    let data = gateway.stop();
    let audit = on(data.path(), &["--json", "audit", "DIR"]).document();
    assert_eq!(audit["ok"], true, "{audit}");
    let toss = &audit["summary"]["money"]["toss"];
    assert_eq!((&toss["captured"], &toss["byHand"]), (&120_000.into(), &120_000.into()), "{audit}");
}

#[test]
fn days_are_compared_with_their_providers() {
    let gateway = Gateway::start();
    let event = gateway.event("봄 콘서트");
    let buyer = gateway.user("buyer@tiketi.gg");
    let order = gateway.reserve(&event, &["A-1-2", "A-1-3"], &buyer);
    let (id, confirm) = gateway.toss_order(&order, &buyer);
    // A message of the payment that comes late would tell of the refund below.
    gateway.fault(&id, "webhook", json!("dropBefore"), 1_000);
    gateway.confirm(&confirm, &buyer);
    let today = (jiff::Timestamp::now() + jiff::SignedDuration::from_hours(9)).to_string();
    let compare = ["payments", "compare", "--day", &today[..10]];
    assert!(gateway.tiketi(&compare).succeeds().contains("1 transactions, 0 differences"));
    let console = json!({"orderId": id, "amount": 10_000, "webhook": false});
    gateway.simulator("console-refund", &console);
    let found = gateway.tiketi(&compare);
    assert_eq!(found.code, 4, "{}{}", found.stdout, found.stderr);
    let row = found.stdout.lines().find(|line| line.contains(&id)).unwrap();
    assert!(row.contains("10,000원") && found.stdout.contains("ELSEWHERE"), "{}", found.stdout);
    assert_eq!(gateway.json(&compare)["providers"][0]["differences"], json!([]), "known since");
    let elsewhere = gateway.json(&["payments", "list", "--state", "refunded_elsewhere"]);
    assert_eq!(elsewhere["payments"][0]["refundedElsewhere"], 10_000, "{elsewhere}");
    let tomorrow = ["payments", "compare", "--day", "2999-01-01"];
    gateway.tiketi(&tomorrow).fails(1, "VALIDATION");
    let wrong = gateway.tiketi(&["payments", "compare", "--day", "yesterday"]);
    assert!(wrong.code == 2 && wrong.stderr.contains("2026-11-27"), "{}", wrong.stderr);

    let data = gateway.stop();
    let log = on(data.path(), &["log", "inspect", "DIR"]);
    assert!(log.succeeds().contains("returned-elsewhere"), "{}", log.stdout);
    let audit = on(data.path(), &["audit", "DIR"]);
    assert!(audit.succeeds().contains("10,000원 given back elsewhere"), "{}", audit.stdout);
}
