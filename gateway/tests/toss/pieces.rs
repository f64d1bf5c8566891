//! Refunds in pieces: what is owed is kept apart from what the provider is asked for.

use serde_json::json;

use crate::support::assert_error;
use crate::till::Till;

#[tokio::test]
async fn a_refused_part_goes_back_with_the_rest() {
    let mut till = Till::open().await;
    let more = json!({"partialCancelable": false});
    let (reservation, seats, order) = till.sold(2, more).await;
    let body = json!({"seatIds": [seats[0]]});
    let (status, answer) = till.refund(&till.buyer, &order, &body).await;
    assert_eq!(status, 200, "{answer}");
    let charge = till.becomes(&order, "refund_refused").await;
    assert_eq!(charge["refundRefused"], 150_000, "{charge}");
    assert!(charge["message"].is_string(), "{charge}");
    till.assert_books(&order, 1, 300_000).await;
    // Another part would be refused as well: it is not promised.
    let (_, answer) = till.refund(&till.buyer, &order, &json!({"seatIds": [seats[1]]})).await;
    // The last seat is all that is left, so that is the whole order, and one call for all of it.
    assert_eq!(answer["remainingAmount"], 0, "{answer}");
    till.becomes(&order, "refunded").await;
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
    let books = till.books(&order).await;
    assert_eq!((&books["refundedByUs"], &books["balance"]), (&json!(300_000), &json!(0)));
}

#[tokio::test]
async fn no_second_part_is_promised_where_the_provider_refused_the_first() {
    let mut till = Till::open().await;
    let (_, seats, order) = till.sold(3, json!({"method": "phone"})).await;
    let part = |seat: &serde_json::Value| json!({"seatIds": [seat]});
    assert_eq!(till.refund(&till.buyer, &order, &part(&seats[0])).await.0, 200);
    till.becomes(&order, "refund_refused").await;
    let (status, answer) = till.refund(&till.buyer, &order, &part(&seats[1])).await;
    assert_eq!(status, 400, "{answer}");
    assert_error(&answer, "CONFLICT");
    let (status, answer) = till.refund(&till.buyer, &order, &json!({})).await;
    assert_eq!(status, 200, "{answer}");
    till.becomes(&order, "refunded").await;
    till.assert_books(&order, 1, 0).await;
}

/// What was promised under a key stays promised, also where the provider refused it since.
#[tokio::test]
async fn a_part_that_was_refused_since_is_the_same_under_its_key() {
    let mut till = Till::open().await;
    let (_, seats, order) = till.sold(3, json!({"method": "phone"})).await;
    let path = format!("/api/payments/{}/refund", order["orderId"].as_str().unwrap());
    let body = json!({"seatIds": [seats[0]]});
    for _ in 0..2 {
        let (status, answer) = till.shop.post_with_key(&path, &till.buyer, &body, "one").await;
        assert_eq!((status.as_u16(), &answer["remainingAmount"]), (200, &json!(300_000)));
        till.becomes(&order, "refund_refused").await;
    }
    let other = json!({"seatIds": [seats[1]]});
    let (status, answer) = till.shop.post_with_key(&path, &till.buyer, &other, "two").await;
    assert_eq!(status, 400, "{answer}");
    assert_error(&answer, "CONFLICT");
}

#[tokio::test]
async fn the_same_part_is_given_back_once_for_one_key() {
    let mut till = Till::open().await;
    let (_, seats, order) = till.sold(3, json!({})).await;
    let path = format!("/api/payments/{}/refund", order["orderId"].as_str().unwrap());
    let body = json!({"seatIds": [seats[0]]});
    for round in 0..3 {
        let (status, answer) = till.shop.post_with_key(&path, &till.buyer, &body, "one").await;
        assert_eq!(
            (status.as_u16(), &answer["refundedAmount"]),
            (200, &json!(150_000)),
            "{answer}"
        );
        if round == 1 {
            till.shop = till.shop.restart(|_| {}).await;
        }
    }
    let other = json!({"seatIds": [seats[1]]});
    let (status, answer) = till.shop.post_with_key(&path, &till.buyer, &other, "one").await;
    assert_eq!(status, 422, "{answer}");
    till.becomes(&order, "partially_refunded").await;
    till.assert_books(&order, 1, 300_000).await;
}

#[tokio::test]
async fn tickets_without_seats_go_back_singly() {
    let till = Till::open().await;
    let types = json!([{"name": "스탠딩", "price": 50_000, "totalQuantity": 10}]);
    let (event, types) = till.shop.ticket_event(types).await;
    let body =
        json!({"eventId": event, "items": [{"ticketTypeId": types[0]["id"], "quantity": 3}]});
    let (status, answer) = till.shop.post("/api/reservations", &till.buyer, &body).await;
    assert_eq!(status, 201, "{answer}");
    let reservation = answer["reservation"].clone();
    let order = till.order(&reservation, 0).await;
    let key = till.authenticate(&order, "card").await;
    assert_eq!(till.confirm(&order, &key).await.0, 200);
    let back = |quantity: u32| json!({"tickets": [{"ticketTypeId": types[0]["id"], "quantity": quantity}]});
    for wrong in [0, 4, u32::MAX] {
        let (status, answer) = till.refund(&till.buyer, &order, &back(wrong)).await;
        assert_eq!(status, 400, "{wrong}: {answer}");
    }
    let (status, answer) = till.refund(&till.buyer, &order, &back(1)).await;
    assert_eq!((status, &answer["remainingAmount"]), (200, &json!(100_000)), "{answer}");
    till.becomes(&order, "partially_refunded").await;
    till.assert_books(&order, 1, 100_000).await;
    let seats = json!({"seatIds": [reservation["id"]]});
    assert_eq!(till.refund(&till.buyer, &order, &seats).await.0, 400);
    let both = json!({"seatIds": [], "tickets": []});
    assert_eq!(till.refund(&till.buyer, &order, &both).await.0, 400);
    let (status, answer) = till.refund(&till.buyer, &order, &back(2)).await;
    assert_eq!((status, &answer["remainingAmount"]), (200, &json!(0)), "{answer}");
    till.becomes(&order, "refunded").await;
    assert_eq!(till.reservation(&reservation).await["status"], "cancelled");
}

/// What was given back by hand stays a part that the provider would not give back.
#[tokio::test]
async fn no_further_part_is_promised_after_one_was_refunded_by_hand() {
    let mut till = Till::open().await;
    let (_, seats, order) = till.sold(3, json!({"method": "phone"})).await;
    let part = |seat: &serde_json::Value| json!({"seatIds": [seat]});
    assert_eq!(till.refund(&till.buyer, &order, &part(&seats[0])).await.0, 200);
    till.becomes(&order, "refund_refused").await;
    assert_eq!(till.administer(&order, "refunded-by-hand").await.0, 200);
    let (status, answer) = till.refund(&till.buyer, &order, &part(&seats[1])).await;
    assert_eq!(status, 400, "{answer}");
    assert_error(&answer, "CONFLICT");
}

/// A provider that never says yes or no: the buyer has the money another way, and nothing waits.
#[tokio::test]
async fn a_refund_that_is_never_answered_can_be_ended_by_hand() {
    let mut till = Till::open().await;
    let (reservation, _, order) = till.sold(1, json!({})).await;
    till.fault(&order, "cancel", json!({"error": "PROVIDER_ERROR"}), 1_000).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    assert_eq!(till.charge(&order).await["status"], "refunding");
    let (status, answer) = till.administer(&order, "refunded-by-hand").await;
    assert_eq!((status, &answer["payment"]["status"]), (200, &json!("refunded")), "{answer}");
    assert!(answer["payment"]["waiting"].is_null(), "{answer}");
    assert_eq!(till.administer(&order, "refunded-by-hand").await.0, 400, "once");
    // Where its call was carried out and the answer lost, there is nothing to give back by hand.
    let (reservation, _, order) = till.sold(1, json!({})).await;
    till.fault(&order, "cancel", json!("dropAfter"), 1).await;
    till.fault(&order, "query", json!({"status": 500}), 1).await;
    assert_eq!(till.cancel(&reservation).await.0, 200);
    till.becomes(&order, "refunded").await;
    assert_eq!(till.administer(&order, "refunded-by-hand").await.0, 400);
    till.assert_books(&order, 1, 0).await;
}
