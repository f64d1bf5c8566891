//! The sales report, in its three formats (`gateway/PROTOCOL.md`).

use calamine::{Data, Reader, Xlsx, open_workbook_from_rs};
use serde_json::{Value, json};
use std::io::Cursor;

use crate::shop::{Shop, list, refused, shape};

const SALES: &str = "/api/admin/reports/sales";
const FOREIGN: &str = "0b0e7a52-5f0f-4c8a-9c53-0d6a2c1d9f10";
const TRICKY: &str = "=1+1, \"봄\"";

struct Sold {
    shop: Shop,
    event: String,
}

/// Two seats and three tickets are paid; one of the seats was given back, another order is unpaid.
async fn sold() -> Sold {
    let shop = Shop::open().await;
    let buyer = shop.buyer("bert").await;
    let event = shop.seat_event(json!({"title": TRICKY})).await;
    let types = json!([{"name": "입석", "price": 10_000, "totalQuantity": 50}]);
    let (tickets, types) = shop.ticket_event(types).await;
    let seats = shop.seats(&event).await;
    for seat in &seats[..2] {
        let order = shop.hold(&buyer, &event, seat).await;
        assert_eq!(shop.pay(&buyer, &order).await.0, 200);
        if seat == &seats[1] {
            assert_eq!(shop.cancel(&buyer, &order).await.0, 200);
        }
    }
    shop.hold(&buyer, &event, &seats[2]).await;
    let items = json!([{"ticketTypeId": types[0]["id"], "quantity": 3}]);
    let body = json!({"eventId": tickets, "items": items});
    let (_, answer) = shop.post("/api/reservations", &buyer, &body).await;
    let order = answer["reservation"]["id"].as_str().expect("an order").to_owned();
    assert_eq!(shop.pay(&buyer, &order).await.0, 200);
    Sold { shop, event }
}

fn sums(value: &Value) -> [i64; 5] {
    ["orders", "tickets", "gross", "refunds", "net"]
        .map(|name| value[name].as_i64().unwrap_or_else(|| panic!("{name}: {value}")))
}

/// The same as a file has them: what is owed of the refunds beside them.
fn columns(value: &Value) -> [i64; 6] {
    let [orders, tickets, gross, refunds, net] = sums(value);
    [orders, tickets, gross, refunds, value["refundsOwed"].as_i64().expect("refundsOwed"), net]
}

#[tokio::test]
async fn by_day_and_by_event() {
    let Sold { shop, event } = sold().await;
    let all = [3, 5, 330_000, 150_000, 180_000];
    let answer = shop.ok(SALES, &shop.admin).await;
    shape(&answer, "from:text? to:text? by:text rows:list totals:object");
    shape(
        &answer["totals"],
        "orders:int tickets:int gross:int refunds:int refundsOwed:int net:number",
    );
    assert_eq!((&answer["by"], &answer["from"]), (&json!("day"), &Value::Null));
    let rows = list(&answer["rows"]);
    rows.iter().for_each(|row| {
        shape(
            row,
            "day:text orders:int tickets:int gross:int refunds:int refundsOwed:int net:number",
        );
    });
    // Midnight in Seoul may pass during the test.
    assert!((1..=2).contains(&rows.len()));
    assert_eq!(sums(&answer["totals"]), all);

    let answer =
        shop.ok(&format!("{SALES}?by=event&from=2020-01-01&to=2099-12-31"), &shop.admin).await;
    assert_eq!(
        (&answer["from"], &answer["to"], &answer["by"]),
        (&json!("2020-01-01"), &json!("2099-12-31"), &json!("event"))
    );
    let rows = list(&answer["rows"]);
    rows.iter().for_each(|row| {
        shape(
            row,
            "event_id:uuid event_title:text orders:int tickets:int gross:int refunds:int \
             refundsOwed:int net:number",
        );
    });
    assert_eq!((&rows[0]["event_title"], &rows[0]["event_id"]), (&json!(TRICKY), &json!(event)));
    assert_eq!(sums(&rows[0]), [2, 2, 300_000, 150_000, 150_000]);
    assert_eq!(sums(&rows[1]), [1, 3, 30_000, 0, 30_000]);
    assert_eq!(sums(&answer["totals"]), all);

    let answer = shop.ok(&format!("{SALES}?event={event}"), &shop.admin).await;
    assert_eq!(sums(&answer["totals"]), [2, 2, 300_000, 150_000, 150_000]);
    let answer = shop.ok(&format!("{SALES}?to=2020-12-31"), &shop.admin).await;
    assert_eq!((list(&answer["rows"]).len(), sums(&answer["totals"])), (0, [0; 5]));
}

#[tokio::test]
async fn csv_opens_in_a_spreadsheet_and_runs_nothing() {
    let Sold { shop, event } = sold().await;
    let path = format!("{SALES}?by=event&format=csv&from=2020-01-01&to=2099-12-31");
    let request = shop.gateway.request("GET", &path).bearer_auth(&shop.admin);
    let response = request.send().await.expect("answer");
    assert_eq!(response.headers()["content-type"], "text/csv; charset=utf-8");
    assert_eq!(
        response.headers()["content-disposition"],
        "attachment; filename=\"tiketi-sales-2020-01-01-2099-12-31.csv\""
    );
    let bytes = response.bytes().await.expect("body");
    let text = std::str::from_utf8(&bytes).expect("UTF-8");
    let text = text.strip_prefix('\u{feff}').expect("a byte order mark");
    let tickets = &shop.ok(&format!("{SALES}?by=event"), &shop.admin).await["rows"][1];
    let id = tickets["event_id"].as_str().expect("an id");
    let lines: Vec<&str> = text.split("\r\n").collect();
    let expected = [
        "공연,공연 ID,주문,티켓,매출,환불,환불 대기,순매출".to_owned(),
        format!("\"'=1+1, \"\"봄\"\"\",{event},2,2,300000,150000,0,150000"),
        format!("시험 공연,{id},1,3,30000,0,0,30000"),
        "합계,,3,5,330000,150000,0,180000".to_owned(),
        String::new(),
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn xlsx_says_what_json_says() {
    let Sold { shop, .. } = sold().await;
    for by in ["event", "day"] {
        let report = shop.ok(&format!("{SALES}?by={by}"), &shop.admin).await;
        let path = format!("{SALES}?by={by}&format=xlsx");
        let request = shop.gateway.request("GET", &path).bearer_auth(&shop.admin);
        let response = request.send().await.expect("answer");
        assert_eq!(
            response.headers()["content-type"],
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
        );
        assert_eq!(
            response.headers()["content-disposition"],
            "attachment; filename=\"tiketi-sales.xlsx\""
        );
        let bytes = response.bytes().await.expect("body");
        let mut workbook: Xlsx<_> =
            open_workbook_from_rs(Cursor::new(bytes.to_vec())).expect("a workbook");
        let sheet = workbook.worksheet_range("매출").expect("the sheet");
        let texts = if by == "event" { 2 } else { 1 };
        let numbers_of = |row: &[Data]| -> Vec<i64> {
            let number = |cell: &Data| match cell {
                // A number, never its digits in a text.
                Data::Float(number) => *number as i64,
                Data::Int(number) => *number,
                other => panic!("a number: {other:?}"),
            };
            row[texts..].iter().map(number).collect()
        };
        let rows: Vec<&[Data]> = sheet.rows().collect();
        let reported = list(&report["rows"]);
        assert_eq!(rows.len(), reported.len() + 2);
        assert!(rows[0].iter().all(|cell| matches!(cell, Data::String(_))), "{:?}", rows[0]);
        for (row, expected) in rows[1..].iter().zip(reported) {
            let name = if by == "event" { "event_title" } else { "day" };
            assert_eq!(row[0], Data::String(expected[name].as_str().expect("text").to_owned()));
            assert_eq!(numbers_of(row), columns(expected));
        }
        let totals = rows[rows.len() - 1];
        assert_eq!(totals[0], Data::String("합계".to_owned()));
        assert_eq!(numbers_of(totals), columns(&report["totals"]));
    }
}

#[tokio::test]
async fn what_is_refused() {
    let shop = Shop::open().await;
    let buyer = shop.buyer("mortal").await;
    refused(shop.get(SALES, "").await, 401, "AUTH_REQUIRED");
    refused(shop.get(SALES, &buyer).await, 403, "ADMIN_ONLY");
    for (query, status, code) in [
        ("by=week", 400, "VALIDATION"),
        ("format=pdf", 400, "VALIDATION"),
        ("from=2026-02-30", 400, "VALIDATION"),
        ("to=tomorrow", 400, "VALIDATION"),
        ("event=x", 400, "BAD_ID"),
        (&format!("event={FOREIGN}"), 404, "NOT_FOUND"),
    ] {
        refused(shop.get(&format!("{SALES}?{query}"), &shop.admin).await, status, code);
    }
}
