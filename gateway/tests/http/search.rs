//! Finding events: the parameters beyond the contract, and suggestions (`gateway/PROTOCOL.md`).

use serde_json::{Value, json};

use crate::shop::{Shop, list, refused, shape, text};
use crate::support::{Gateway, read};

fn titles(answer: &Value) -> Vec<String> {
    list(&answer["events"]).iter().map(|row| text(&row["title"])).collect()
}

/// Five events with titles 가 to 마, whose sales begin in this order.
async fn stocked() -> Shop {
    let shop = Shop::open().await;
    let types = |prices: &[u32]| {
        let of =
            |price: &u32| json!({"name": format!("{price}"), "price": price, "totalQuantity": 10});
        Value::from(prices.iter().map(of).collect::<Vec<Value>>())
    };
    for (number, title, venue, date, more) in [
        (
            1,
            "가",
            "고척스카이돔",
            "2098-05-02T19:00:00",
            json!({"ticketTypes": types(&[30_000, 90_000])}),
        ),
        (2, "나", "KSPO Dome", "2098-05-01T19:00:00", json!({"ticketTypes": types(&[50_000])})),
        (
            3,
            "다",
            "kspo dome 2",
            "2098-05-01T23:59:59",
            json!({"seatLayoutId": shop.theatre, "category": "콘서트"}),
        ),
        (4, "라", "잠실", "2098-05-03T00:00:00", json!({"ticketTypes": types(&[20_000])})),
        (5, "마", "잠실", "2098-04-30T19:00:00", json!({"category": "콘서트"})),
    ] {
        let mut event = json!({
            "title": title, "venue": venue, "eventDate": date,
            "saleStartDate": format!("2020-01-0{number}T00:00:00"), "saleEndDate": "2097-01-01T00:00:00",
        });
        for (key, value) in more.as_object().expect("object") {
            event[key] = value.clone();
        }
        shop.event(event).await;
    }
    shop
}

#[tokio::test]
async fn filters_count_together() {
    let shop = stocked().await;
    for (query, expected) in [
        ("", "가나다라마"),
        ("from=&to=&venue=&minPrice=&maxPrice=&sort=", "가나다라마"),
        ("from=2098-05-01", "가나다라"),
        ("to=2098-05-01", "나다마"),
        ("from=2098-05-01&to=2098-05-01", "나다"),
        ("from=2098-05-01T19:00:00&to=2098-05-01T19:00:00", "나"),
        ("from=2098-05-01T10:00:00Z&to=2098-05-01T10:00:00.000Z", "나"),
        ("from=2098-05-01T19:00:00%2B09:00&to=2098-05-02", "가나다"),
        ("venue=dome", "나다"),
        ("venue=%20KSPO%20", "나다"),
        ("venue=%EC%9E%A0%EC%8B%A4", "라마"),
        ("venue=%25", ""),
        ("category=%EC%BD%98%EC%84%9C%ED%8A%B8", "다마"),
        ("category=%20%EC%BD%98%EC%84%9C%ED%8A%B8&sort=price&limit=9", "다마"),
        ("category=x", ""),
        ("category=&venue=dome", "나다"),
        ("minPrice=0", "가나다라"),
        ("minPrice=60000&maxPrice=80000", "다"),
        ("minPrice=40000&maxPrice=60000", "나"),
        ("maxPrice=30000", "가라"),
        ("minPrice=150001", ""),
        ("minPrice=50000&venue=dome&to=2098-05-01T20:00:00", "나"),
        ("q=dome&maxPrice=60000", "나"),
        ("status=on_sale&maxPrice=30000", "가라"),
        ("status=sold_out&maxPrice=30000", ""),
        ("status=nonsense&maxPrice=30000", ""),
        ("sort=soonest", "마나다가라"),
        ("sort=latest", "마라다나가"),
        ("sort=price", "라가나다마"),
        ("sort=popular", "가나다라마"),
        ("sort=price&limit=2", "라가"),
        ("sort=price&limit=2&page=2", "나다"),
        ("sort=price&limit=2&page=3", "마"),
        ("sort=price&limit=2&page=4", ""),
        ("sort=latest&sort=price", "마라다나가"),
    ] {
        let answer = shop.ok(&format!("/api/events?{query}"), "").await;
        assert_eq!(titles(&answer).concat(), expected, "{query}");
        if !query.contains("limit") {
            assert_eq!(answer["pagination"]["total"], expected.chars().count(), "{query}");
        }
    }
}

#[tokio::test]
async fn popular_is_what_is_sold_or_held() {
    let shop = stocked().await;
    let all = shop.ok("/api/events", "").await;
    let id = |at: usize| text(&list(&all["events"])[at]["id"]);
    let buyer = shop.buyer("popular").await;
    let seats = shop.seats(&id(2)).await;
    let held = shop.reserve(&buyer, &id(2), &[&seats[0], &seats[1]]).await;
    assert_eq!(held.0, 201, "{}", held.1);
    let detail = shop.ok(&format!("/api/events/{}", id(3)), "").await;
    let line = json!({"ticketTypeId": detail["ticketTypes"][0]["id"], "quantity": 1});
    let order = json!({"eventId": id(3), "items": [line]});
    assert_eq!(shop.post("/api/reservations", &buyer, &order).await.0, 201);
    let answer = shop.ok("/api/events?sort=popular", "").await;
    assert_eq!(titles(&answer).concat(), "다라가나마");
}

#[tokio::test]
async fn wrong_parameters_are_named() {
    let shop = Shop::open().await;
    for (query, field) in [
        ("from=tomorrow", "from"),
        ("from=2098-02-30", "from"),
        ("to=1", "to"),
        ("from=2098-05-02&to=2098-05-01", "to"),
        ("minPrice=-1", "minPrice"),
        ("minPrice=1.5", "minPrice"),
        ("maxPrice=4294967296", "maxPrice"),
        ("maxPrice=%E2%82%A9", "maxPrice"),
        ("minPrice=2&maxPrice=1", "maxPrice"),
        ("sort=cheapest", "sort"),
        ("sort=SOONEST", "sort"),
    ] {
        let (status, body) = shop.get(&format!("/api/events?{query}"), "").await;
        refused((status, body.clone()), 400, "VALIDATION");
        assert_eq!(body["field"], field, "{query}");
    }
    for query in ["q=%FF", "limit=0", "limit=x", "venue=%"] {
        refused(shop.get(&format!("/api/events?{query}"), "").await, 400, "VALIDATION");
    }
    for query in ["q=%FF", "limit=0", "limit=-1", "limit=x"] {
        refused(shop.get(&format!("/api/events/suggest?{query}"), "").await, 400, "VALIDATION");
    }
}

#[tokio::test]
async fn suggestions_have_their_shape_and_follow_the_catalogue() {
    let gateway = Gateway::with(|config| config.sample_data = true).await;
    let shop = Shop { admin: gateway.admin().await, gateway, theatre: Value::Null };
    let suggest = async |typed: &str, more: &str| -> Vec<Value> {
        let url = shop.gateway.url(&format!("/api/events/suggest?{more}"));
        let request = shop
            .gateway
            .client
            .get(reqwest::Url::parse_with_params(&url, [("q", typed)]).expect("url"));
        let (status, answer) = read(request.send().await.expect("answer")).await;
        assert_eq!(status, 200, "{answer}");
        shape(&answer, "suggestions:list");
        list(&answer["suggestions"]).to_vec()
    };
    let found = suggest("고척", "").await;
    shape(&found[0], "text:text type:text events:int keyword:text?");
    assert_eq!(
        found[0],
        json!({"text": "고척스카이돔", "type": "venue", "events": 7, "keyword": null})
    );
    let found = suggest("ㅂㅌ", "").await;
    assert_eq!(
        found[0],
        json!({"text": "BTS", "type": "artist", "events": 1, "keyword": "방탄소년단"})
    );
    assert_eq!(suggest("t", "").await.len(), 8);
    assert_eq!(suggest("t", "limit=3").await.len(), 3);
    assert_eq!(suggest("t", "limit=1000").await.len(), 20);
    for nothing in ["", " ", "%", "\u{1f389}", "\u{202e}", "ㅏ", "qqqqqqq"] {
        assert_eq!(suggest(nothing, "").await, [""; 0], "{nothing}");
    }

    // A new title is found at once, and its old one no more.
    let event = shop.event(json!({"title": "방탄소년단 콘서트", "artistName": "방탄소년단"})).await;
    assert_eq!(suggest("ㅂㅌㅅ", "").await[0]["text"], "방탄소년단");
    let path = format!("/api/admin/events/{}", text(&event["id"]));
    let edit = json!({"title": "달빛 콘서트", "artistName": "달빛"});
    let (status, answer) = shop.gateway.call("PUT", &path, &shop.admin, &edit).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(suggest("ㄷㅂ", "").await[0]["text"], "달빛");
    assert_eq!(suggest("ㅂㅌㅅ", "").await[0]["text"], "BTS");
    let found = async || titles(&shop.ok("/api/events?q=%EB%8B%AC%EB%B9%9B", "").await);
    assert_eq!(found().await, ["달빛 콘서트"]);
    let (status, answer) = shop.gateway.call("DELETE", &path, &shop.admin, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(found().await, [""; 0]);
    assert_eq!(suggest("달빛", "").await, [""; 0]);
}
