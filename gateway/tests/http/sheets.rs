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
    let good = "\u{feff}name,price,totalQuantity,description\r\nVIP석,150000,10,\"앞, 가운데\"\r\nR석,90000,20,\r\n";
    let types = json!([
        {"name": "VIP석", "price": 150_000, "totalQuantity": 10, "description": "앞, 가운데"},
        {"name": "R석", "price": 90_000, "totalQuantity": 20, "description": null},
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
    refused(send(&shop, &format!("{path}?dryRun=yes"), good).await, 400, "VALIDATION");
    for nothing in ["", "name,price,totalQuantity\n", "name,name\n", "\"", "{}"] {
        refused(send(&shop, &path, nothing).await, 400, "VALIDATION");
    }
    let rows: String = (0..255).map(|number| format!("t{number},1,1\n")).collect();
    let many = format!("name,price,totalQuantity\n{rows}");
    for query in ["?dryRun=true", ""] {
        refused(send(&shop, &format!("{path}{query}"), &many).await, 400, "CONFLICT");
    }
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
