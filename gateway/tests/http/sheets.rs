//! Tables that administrators send as CSV.

use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape, text};
use crate::support::read;

const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";

async fn send(shop: &Shop, path: &str, csv: &str) -> (StatusCode, Value) {
    let request = shop.gateway.request("POST", path).bearer_auth(&shop.admin);
    let request = request.header("content-type", "text/csv").body(csv.to_owned());
    read(request.send().await.expect("answer")).await
}

fn refusal(answer: (StatusCode, Value), status: u16, code: &str) -> Value {
    refused(answer.clone(), status, code);
    answer.1
}

/// Row and column of each mistake.
fn mistakes((status, body): (StatusCode, Value)) -> Vec<(u64, String)> {
    let errors = body["errors"].clone();
    refused((status, body), 400, "VALIDATION");
    let errors = list(&errors).iter().map(|error| {
        shape(error, "row:int column:text message:text");
        (error["row"].as_u64().expect("row"), text(&error["column"]))
    });
    errors.collect()
}

#[tokio::test]
async fn ticket_types_come_from_a_table_or_not_at_all() {
    let shop = Shop::open().await;
    let (event, _) = shop.ticket_event(json!([])).await;
    let path = format!("/api/admin/events/{event}/tickets/csv");
    let good = "\u{feff}name,price,totalQuantity,description,Standing\r\nVIP석,150000,10,\"앞, 가운데\",TRUE\r\nR석,90000,20,,\r\n";
    let types = json!([
        {"name": "VIP석", "price": 150_000, "totalQuantity": 10, "description": "앞, 가운데", "standing": true},
        {"name": "R석", "price": 90_000, "totalQuantity": 20, "description": null, "standing": false},
    ]);
    let wrong = "name,price,totalQuantity\nVIP석,x,10\n,1,1\nR석,1000000001,20\nS석,1,2,3\n";
    let expected: Vec<(u64, String)> = [(2, "price"), (3, "name"), (4, "price"), (5, "")]
        .map(|(row, at)| (row, at.to_owned()))
        .into();
    let count = || async {
        let answer = shop.ok(&format!("/api/tickets/event/{event}"), "").await;
        list(&answer["ticketTypes"]).len()
    };
    for query in ["?dryRun=true", "", "?dryRun=false"] {
        assert_eq!(mistakes(send(&shop, &format!("{path}{query}"), wrong).await), expected);
        assert_eq!(count().await, 0);
    }
    let (status, answer) = send(&shop, &format!("{path}?dryRun=true"), good).await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "message:text dryRun:bool ticketTypes:list");
    assert_eq!((&answer["dryRun"], &answer["ticketTypes"]), (&json!(true), &types));
    assert_eq!(count().await, 0);
    let (status, answer) = send(&shop, &path, good).await;
    assert_eq!(status, 201, "{answer}");
    assert_eq!((&answer["dryRun"], &answer["ticketTypes"]), (&json!(false), &types));
    assert_eq!(count().await, 2);
    for nothing in ["", "name,price,totalQuantity\n", "name,name\n", "\"", "{}"] {
        refused(send(&shop, &path, nothing).await, 400, "VALIDATION");
    }
    let shown = shop.ok(&format!("/api/tickets/event/{event}"), "").await;
    let standing = list(&shown["ticketTypes"]).iter().map(|found| found["standing"].clone());
    assert_eq!(standing.collect::<Vec<_>>(), [true, false]);
    let neither = "name,price,totalQuantity,standing\nS석,1,1,maybe\nT석,1,1,false\n";
    assert_eq!(mistakes(send(&shop, &path, neither).await), [(2, "standing".to_owned())]);
    // The same again makes nothing twice.
    let again = format!("{good}S석,1,1,,\r\nS석,1,1,,\r\n");
    for query in ["?dryRun=true", ""] {
        let twice: Vec<u64> = [2, 3, 5].into();
        let found = mistakes(send(&shop, &format!("{path}{query}"), &again).await);
        assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), twice);
        assert!(found.iter().all(|(_, column)| column == "name"));
    }
    let rows: String = (0..255).map(|number| format!("t{number},1,1\n")).collect();
    let many = format!("name,price,totalQuantity\n{rows}");
    for query in ["?dryRun=true", ""] {
        let body = refusal(send(&shop, &format!("{path}{query}"), &many).await, 400, "CONFLICT");
        assert!(text(&body["message"]).contains("256개까지"), "{body}");
    }
    let body =
        refusal(send(&shop, &path, &format!("{many}a,1,1\nb,1,1\n")).await, 400, "VALIDATION");
    assert!(text(&body["message"]).contains("256줄까지"), "{body}");
    let large = format!("{good}{}", "x".repeat(100 * 1024));
    refused(send(&shop, &path, &large).await, 413, "BODY_TOO_LARGE");
    let foreign = format!("/api/admin/events/{FOREIGN}/tickets/csv");
    refused(send(&shop, &foreign, good).await, 404, "NOT_FOUND");
    assert_eq!(count().await, 2);
}

#[tokio::test]
async fn a_layout_comes_from_a_table() {
    let shop = Shop::open().await;
    let path = "/api/admin/seat-layouts/csv";
    let good = "name,rows,seatsPerRow,price,startRow\nVIP,2,10,150000,1\nR,3,5,90000,3\n";
    let named = format!("{path}?name=%EC%83%88%20%ED%99%80");
    let before = shop.ok("/api/seats/layouts", "").await;
    for query in ["&dryRun=true", ""] {
        let wrong = "name,rows,seatsPerRow,price\nVIP,0,10,1\nR,1,1,\nR,1,1,1\nR,1,1,1\n";
        let expected: Vec<(u64, String)> =
            [(2, "rows"), (3, "price"), (5, "name")].map(|(row, at)| (row, at.to_owned())).into();
        assert_eq!(mistakes(send(&shop, &format!("{named}{query}"), wrong).await), expected);
    }
    let (status, answer) = send(&shop, &format!("{named}&dryRun=true"), good).await;
    assert_eq!(status, 200, "{answer}");
    shape(&answer, "message:text dryRun:bool name:text totalSeats:int sections:list");
    assert_eq!((&answer["name"], &answer["totalSeats"]), (&json!("새 홀"), &json!(35)));
    assert_eq!(shop.ok("/api/seats/layouts", "").await, before);
    refused(send(&shop, path, good).await, 400, "VALIDATION");
    let (status, answer) = send(&shop, &named, good).await;
    assert_eq!(status, 201, "{answer}");
    for query in ["&dryRun=true", ""] {
        refused(send(&shop, &format!("{named}{query}"), good).await, 400, "CONFLICT");
    }
    let after = shop.ok("/api/seats/layouts", "").await;
    let made = list(&after["layouts"]).iter().find(|layout| layout["name"] == "새 홀");
    let made = made.expect("made");
    assert_eq!(made["layout_config"]["sections"], answer["sections"]);
}

#[tokio::test]
async fn seats_are_blocked_and_unblocked_by_a_table() {
    let shop = Shop::open().await;
    let event = shop.seat_event(json!({})).await;
    let seats = shop.seats(&event).await;
    let label = |position: usize| text(&seats[position]["seat_label"]);
    let buyer = shop.buyer("blocked").await;
    shop.hold(&buyer, &event, &seats[2]).await;
    let path = |action: &str, query: &str| {
        format!("/api/admin/events/{event}/seats/csv?action={action}{query}")
    };
    let table = |labels: &[String]| format!("Seat\n{}\n", labels.join("\n"));
    let wrong = table(&[label(0), "Z-9-9".to_owned(), label(2), label(0)]);
    for query in ["&dryRun=true", ""] {
        let found = mistakes(send(&shop, &path("block", query), &wrong).await);
        assert_eq!(found.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [3, 4, 5]);
        let found = mistakes(send(&shop, &path("unblock", query), &table(&[label(0)])).await);
        assert_eq!(found.len(), 1);
    }
    let good = table(&[label(0), text(&seats[1]["id"])]);
    for (query, taken) in [("&dryRun=true&reason=x", 0), ("&reason=x", 2)] {
        let (status, answer) = send(&shop, &path("block", query), &good).await;
        assert_eq!(status, 200, "{answer}");
        shape(&answer, "message:text dryRun:bool action:text seats:int");
        assert_eq!(answer["seats"], 2);
        assert_eq!(shop.counts(&event).await.2, taken);
    }
    let (status, answer) = send(&shop, &path("unblock", ""), &good).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(shop.counts(&event).await.2, 0);
    refused(send(&shop, &path("paint", ""), &good).await, 400, "VALIDATION");
    let foreign = format!("/api/admin/events/{FOREIGN}/seats/csv?action=block");
    refused(send(&shop, &foreign, &good).await, 404, "NOT_FOUND");
}

#[tokio::test]
async fn a_misspelt_dry_run_never_writes() {
    let shop = Shop::open().await;
    let (event, _) = shop.ticket_event(json!([])).await;
    let seated = shop.seat_event(json!({})).await;
    let seat = text(&shop.seats(&seated).await[0]["seat_label"]);
    let tables = [
        (
            format!("/api/admin/events/{event}/tickets/csv?"),
            "name,price,totalQuantity\nR,1,1\n".to_owned(),
        ),
        (
            "/api/admin/seat-layouts/csv?name=x&".to_owned(),
            "name,rows,seatsPerRow,price\nR,1,1,1\n".to_owned(),
        ),
        (format!("/api/admin/events/{seated}/seats/csv?action=block&"), format!("seat\n{seat}\n")),
    ];
    for (path, table) in &tables {
        for (query, field) in [
            ("dryRun=", "dryRun"),
            ("dryRun", "dryRun"),
            ("dryrun=1", "dryRun"),
            ("DRYRUN=yes", "dryRun"),
            ("dryRun=TRUE", "dryRun"),
            ("dryRun=true&dryRun=false", "dryRun"),
            ("dryrun=false&dryRun=true", "dryRun"),
            ("dry_run=true", "dry_run"),
            ("dry-run=true", "dry-run"),
            ("dryRun%20=true", "dryRun%20"),
            ("preview=true", "preview"),
        ] {
            let answer = send(&shop, &format!("{path}{query}"), table).await;
            assert_eq!(refusal(answer, 400, "VALIDATION")["field"], field, "{path}{query}");
        }
        for query in ["dryrun=true", "DRYRUN=true", "dryRun=true", "&dryRun=true&"] {
            let (status, answer) = send(&shop, &format!("{path}{query}"), table).await;
            assert_eq!((status, &answer["dryRun"]), (StatusCode::OK, &json!(true)), "{answer}");
        }
    }
    // Nothing was written by then: nothing is there twice.
    for (path, table) in &tables {
        let (status, answer) = send(&shop, path, table).await;
        assert!(status.is_success(), "{answer}");
    }
}

#[tokio::test]
async fn two_equal_tables_at_once_make_one() {
    let shop = Shop::open().await;
    let (event, _) = shop.ticket_event(json!([])).await;
    let path = format!("/api/admin/events/{event}/tickets/csv");
    let table = "name,price,totalQuantity\nR,1,1\nS,1,1\n";
    let send = || send(&shop, &path, table);
    let answers = tokio::join!(send(), send(), send(), send());
    let answers = [answers.0, answers.1, answers.2, answers.3];
    let made = answers.iter().filter(|(status, _)| *status == StatusCode::CREATED).count();
    assert_eq!(made, 1, "{answers:?}");
    let answer = shop.ok(&format!("/api/tickets/event/{event}"), "").await;
    assert_eq!(list(&answer["ticketTypes"]).len(), 2);
}

#[tokio::test]
async fn mistakes_are_told_in_korean_with_their_bounds() {
    let shop = Shop::open().await;
    let (event, _) = shop.ticket_event(json!([])).await;
    let tickets = format!("/api/admin/events/{event}/tickets/csv");
    let layout = "/api/admin/seat-layouts/csv?name=x".to_owned();
    let long = "가".repeat(101);
    let told = |path: String, table: String| {
        let shop = &shop;
        async move {
            let body = refusal(send(shop, &path, &table).await, 400, "VALIDATION");
            text(&body["errors"][0]["message"])
        }
    };
    let chars = |max| format!("1자 이상 {max}자 이하로, 제어 문자 없이 적어 주세요.");
    let whole = |min, max| format!("{min} 이상 {max} 이하의 정수를 숫자로만 적어 주세요.");
    let ticket = |row: &str| format!("name,price,totalQuantity,description\n{row}\n");
    let section = |row: &str| format!("name,rows,seatsPerRow,price,startRow\n{row}\n");
    for (path, table, expected) in [
        (&tickets, ticket(&format!("{long},1,1,")), chars(100)),
        (&tickets, ticket("a\u{7}b,1,1,"), chars(100)),
        (&tickets, ticket("R,1000000001,1,"), whole(0, "1,000,000,000")),
        (&tickets, ticket("R,99999999999,1,"), whole(0, "1,000,000,000")),
        (&tickets, ticket("R,1,10000001,"), whole(0, "10,000,000")),
        (
            &tickets,
            ticket(&format!("R,1,1,{}", "d".repeat(2_001))),
            "2,000자 이하로, 제어 문자 없이 적어 주세요.".to_owned(),
        ),
        (&layout, section(&format!("{long},1,1,1,1")), chars(50)),
        (&layout, section("R,1001,1,1,1"), whole(1, "1,000")),
        (&layout, section("R,1,0,1,1"), whole(1, "1,000")),
        (&layout, section("R,1,1,1,100001"), whole(0, "100,000")),
    ] {
        assert_eq!(told(path.clone(), table.clone()).await, expected, "{table}");
    }
    // What only the whole table breaks.
    let rows: String = (0..20).map(|n| format!("{n},1,1,{}\n", "d".repeat(1_500))).collect();
    let body = refusal(send(&shop, &tickets, &ticket(&rows)).await, 400, "VALIDATION");
    assert!(text(&body["message"]).contains("20,480바이트"), "{body}");
    let rows: String = (0..5).map(|n| format!("{n},1000,1000,1,1\n")).collect();
    let body = refusal(send(&shop, &layout, &section(&rows)).await, 400, "VALIDATION");
    assert!(text(&body["message"]).contains("4,194,304개"), "{body}");
    let unnamed = send(&shop, "/api/admin/seat-layouts/csv", &section("R,1,1,1,1")).await;
    let body = refusal(unnamed, 400, "VALIDATION");
    assert_eq!(body["field"], "name");
    assert!(text(&body["message"]).contains("1자 이상 100자 이하"), "{body}");
    let form = shop.gateway.request("POST", &tickets).bearer_auth(&shop.admin);
    let form = form.header("content-type", "Multipart/form-data; boundary=x").body("--x--");
    let body = refusal(read(form.send().await.expect("answer")).await, 400, "VALIDATION");
    assert!(text(&body["message"]).contains("multipart/form-data"), "{body}");
}
