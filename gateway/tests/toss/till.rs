//! A shop where people pay by card, and what they do there.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::shop::Shop;
use crate::support::PATIENCE;

pub(crate) struct Till {
    /// As in paths: `toss` or `stripe`.
    pub(crate) provider: &'static str,
    pub(crate) shop: Shop,
    pub(crate) event: String,
    pub(crate) buyer: String,
    seats: Vec<Value>,
    sold: usize,
}

impl Till {
    /// One that takes cards through Toss.
    pub(crate) async fn open() -> Till {
        Till::of("toss").await
    }

    /// With fields of the event changed.
    pub(crate) async fn with(change: Value) -> Till {
        Till::made("toss", change).await
    }

    pub(crate) async fn of(provider: &'static str) -> Till {
        Till::made(provider, json!({})).await
    }

    async fn made(provider: &'static str, change: Value) -> Till {
        let shop = Shop::open().await;
        let event = shop.seat_event(change).await;
        let buyer = shop.gateway.user("buyer@tiketi.gg").await;
        let seats = shop.seats(&event).await;
        Till { provider, shop, event, buyer, seats, sold: 0 }
    }

    /// Holds the next seat: the first ones cost 150,000 won.
    pub(crate) async fn hold(&mut self) -> Value {
        self.hold_some(1).await.0
    }

    /// Holds the next seats: the reservation and their ids.
    pub(crate) async fn hold_some(&mut self, count: usize) -> (Value, Vec<Value>) {
        let next = &self.seats[self.sold..self.sold + count];
        let seats: Vec<Value> = next.iter().map(|seat| seat["id"].clone()).collect();
        self.sold += count;
        let body = json!({"eventId": self.event, "seatIds": seats});
        let (status, answer) = self.shop.post("/api/seats/reserve", &self.buyer, &body).await;
        assert_eq!(status, 201, "{answer}");
        (answer["reservation"].clone(), seats)
    }

    pub(crate) async fn request(&self, reservation: &Value, points: u64) -> (u16, Value) {
        let body = json!({"reservationId": reservation["id"], "pointUsed": points});
        let path = format!("/api/payments/{}/request", self.provider);
        let (status, answer) = self.shop.post(&path, &self.buyer, &body).await;
        (status.as_u16(), answer)
    }

    /// An order at the provider that is asked for.
    pub(crate) async fn order(&self, reservation: &Value, points: u64) -> Value {
        let (status, order) = self.request(reservation, points).await;
        assert_eq!(status, 201, "{order}");
        order
    }

    /// What the buyer does in the payment window: the payment key that comes back.
    pub(crate) async fn authenticate(&self, order: &Value, method: &str) -> String {
        let body = match self.provider {
            "stripe" => json!({"orderId": order["orderId"], "means": method}),
            _ => json!({"orderId": order["orderId"], "amount": order["amount"], "method": method}),
        };
        let answer = self.sandbox("authenticate", &body).await;
        answer["paymentKey"].as_str().unwrap().to_owned()
    }

    /// The same with more to say about the window, by Toss's sandbox.
    pub(crate) async fn authenticate_with(&self, order: &Value, more: Value) -> String {
        let mut body = json!({"orderId": order["orderId"], "amount": order["amount"]});
        for (name, value) in more.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let answer = self.sandbox("authenticate", &body).await;
        answer["paymentKey"].as_str().unwrap().to_owned()
    }

    /// A paid order of the next seats.
    pub(crate) async fn sold(&mut self, count: usize, more: Value) -> (Value, Vec<Value>, Value) {
        let (reservation, seats) = self.hold_some(count).await;
        let order = self.order(&reservation, 0).await;
        let key = self.authenticate_with(&order, more).await;
        let (status, answer) = self.confirm(&order, &key).await;
        assert_eq!(status, 200, "{answer}");
        (reservation, seats, order)
    }

    /// Tells the gateway that something changed, as a webhook does, and waits for its answer.
    pub(crate) async fn hook(&self, order: &Value) -> u16 {
        let body = json!({"eventType": "PAYMENT_STATUS_CHANGED",
            "createdAt": "2026-11-21T00:00:00.000000",
            "data": {"orderId": order["orderId"], "paymentKey": "k", "status": "DONE"}});
        self.shop.post("/api/payments/toss/webhook", "", &body).await.0.as_u16()
    }

    /// Holds a seat; where its record is in the log.
    pub(crate) async fn lsn(&mut self) -> u64 {
        let seat = self.seats[self.sold]["id"].clone();
        self.sold += 1;
        let request = self.shop.gateway.request("POST", "/api/seats/reserve");
        let body = json!({"eventId": self.event, "seatIds": [seat]});
        let answer = request.bearer_auth(&self.buyer).json(&body).send().await.unwrap();
        let lsn = answer.headers()["tiketi-lsn"].to_str().unwrap();
        lsn.rsplit('-').next().unwrap().parse().unwrap()
    }

    /// A charge as an administrator sees it.
    pub(crate) async fn seen(&self, order: &Value) -> Value {
        let id = order["orderId"].as_str().unwrap();
        self.shop.ok(&format!("/api/payments/{id}"), &self.shop.admin).await
    }

    /// What an administrator does to a payment.
    pub(crate) async fn administer(&self, order: &Value, what: &str) -> (u16, Value) {
        let path = format!("/api/admin/payments/{}/{what}", order["orderId"].as_str().unwrap());
        let (status, answer) = self.shop.post(&path, &self.shop.admin, &json!({})).await;
        (status.as_u16(), answer)
    }

    pub(crate) async fn confirm(&self, order: &Value, key: &str) -> (u16, Value) {
        let body =
            json!({"paymentKey": key, "orderId": order["orderId"], "amount": order["amount"]});
        self.confirm_as(&self.buyer, &body).await
    }

    pub(crate) async fn confirm_as(&self, token: &str, body: &Value) -> (u16, Value) {
        let path = format!("/api/payments/{}/confirm", self.provider);
        let (status, answer) = self.shop.post(&path, token, body).await;
        (status.as_u16(), answer)
    }

    /// Held, asked for and authenticated: reservation, order, payment key.
    pub(crate) async fn ready(&mut self) -> (Value, Value, String) {
        let reservation = self.hold().await;
        let order = self.order(&reservation, 0).await;
        let key = self.authenticate(&order, "card").await;
        (reservation, order, key)
    }

    /// The same, paid.
    pub(crate) async fn paid(&mut self) -> (Value, Value) {
        let (reservation, order, key) = self.ready().await;
        let (status, answer) = self.confirm(&order, &key).await;
        assert_eq!(status, 200, "{answer}");
        (reservation, order)
    }

    pub(crate) async fn charge(&self, order: &Value) -> Value {
        let id = order["orderId"].as_str().unwrap();
        self.shop.ok(&format!("/api/payments/{id}"), &self.buyer).await
    }

    /// Waits until a charge is in a state.
    pub(crate) async fn becomes(&self, order: &Value, status: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let charge = self.charge(order).await;
            if charge["status"] == status {
                return charge;
            }
            assert!(Instant::now() < deadline, "not {status}: {charge}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Waits until the provider has refused a refund with a code.
    pub(crate) async fn is_refused(&self, order: &Value, code: &str) {
        let path = format!("/api/payments/{}", order["orderId"].as_str().unwrap());
        let deadline = Instant::now() + PATIENCE;
        loop {
            let charge = self.shop.ok(&path, &self.shop.admin).await;
            let trail = charge["trail"].as_array().unwrap();
            if trail.last().is_some_and(|line| line["code"] == code) {
                return;
            }
            assert!(Instant::now() < deadline, "not {code}: {charge}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub(crate) async fn reservation(&self, reservation: &Value) -> Value {
        let id = reservation["id"].as_str().unwrap();
        self.shop.ok(&format!("/api/reservations/{id}"), &self.buyer).await["reservation"].clone()
    }

    pub(crate) async fn cancel(&self, reservation: &Value) -> (u16, Value) {
        let path = format!("/api/reservations/{}/cancel", reservation["id"].as_str().unwrap());
        let (status, answer) = self.shop.post(&path, &self.buyer, &json!({})).await;
        (status.as_u16(), answer)
    }

    /// A seat that nobody has held.
    pub(crate) fn other_seat(&self) -> Value {
        self.seats[self.seats.len() - 1]["id"].clone()
    }

    /// Asks for a refund of a payment.
    pub(crate) async fn refund(&self, token: &str, order: &Value, body: &Value) -> (u16, Value) {
        let path = format!("/api/payments/{}/refund", order["orderId"].as_str().unwrap());
        let (status, answer) = self.shop.post(&path, token, body).await;
        (status.as_u16(), answer)
    }

    pub(crate) async fn points(&self) -> u64 {
        let answer = self.shop.ok("/api/points/balance", &self.buyer).await;
        answer["balance"].as_u64().unwrap()
    }

    /// Buys points.
    pub(crate) async fn buy_points(&self, amount: u64) {
        let body = json!({"amount": amount});
        let (status, order) = self.shop.post("/api/points/charge", &self.buyer, &body).await;
        assert_eq!(status, 201, "{order}");
        let key = self.authenticate(&order, "card").await;
        let (status, answer) = self.confirm(&order, &key).await;
        assert_eq!(status, 200, "{answer}");
    }

    /// A switch of the sandbox.
    pub(crate) async fn sandbox(&self, name: &str, body: &Value) -> Value {
        let path = format!("/sandbox/{}/sandbox/{name}", self.provider);
        let (status, answer) = self.shop.post(&path, "", body).await;
        assert!(status.is_success(), "{name}: {status} {answer}");
        answer
    }

    /// The next calls about an order go wrong.
    pub(crate) async fn fault(&self, order: &Value, call: &str, fault: Value, times: u32) {
        let body =
            json!({"orderId": order["orderId"], "call": call, "fault": fault, "times": times});
        self.sandbox("faults", &body).await;
    }

    /// What the provider's own books say about an order.
    pub(crate) async fn books(&self, order: &Value) -> Value {
        let id = order["orderId"].as_str().unwrap();
        let path = format!("/sandbox/{}/sandbox/ledger?orderId={id}", self.provider);
        let books = self.shop.ok(&path, "").await;
        match &books["orders"][id] {
            Value::Null => json!({"captures": 0, "captured": 0, "refunded": 0, "balance": 0}),
            known => known.clone(),
        }
    }

    /// Captured once, and so much of it still there.
    pub(crate) async fn assert_books(&self, order: &Value, captures: u64, balance: u64) {
        let books = self.books(order).await;
        assert_eq!(books["captures"], captures, "{books}");
        assert_eq!(books["balance"], balance, "{books}");
    }
}
