//! A buyer: pays in every way there is, changes her mind, and writes down what she was told.

use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::http::{Answer, Ask, Client, Silence};
use crate::money::provider::Provider;
use crate::money::sale::{Sale, Told, Wish};
use crate::random::Random;

/// Fewer points are not spent.
const POINTS_MIN: u64 = 1_000;
/// What the cheapest card payment is; providers take no less.
const CARD_MIN: u64 = 100;

/// The gateway is gone.
#[derive(Debug)]
pub(crate) struct Gone;

pub(crate) struct Buyer {
    pub(crate) token: String,
    admin: String,
    event: String,
    provider: Arc<Provider>,
    pub(crate) client: Client,
    pub(crate) random: Random,
    pub(crate) sales: Vec<Sale>,
    /// Answers that are wrong by themselves.
    pub(crate) problems: Vec<String>,
}

impl Buyer {
    pub(crate) fn new(
        token: String,
        admin: &str,
        event: &str,
        provider: &Arc<Provider>,
        address: SocketAddr,
        seed: u64,
    ) -> Buyer {
        Buyer {
            token,
            admin: admin.to_owned(),
            event: event.to_owned(),
            provider: Arc::clone(provider),
            client: Client::new(address),
            random: Random::new(seed),
            sales: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// So many errands, as long as anybody answers.
    pub(crate) fn shop(&mut self, errands: usize) {
        for _ in 0..errands {
            if self.errand().is_err() {
                return;
            }
        }
    }

    fn errand(&mut self) -> Result<(), Gone> {
        match self.random.below(10) {
            0..6 => {
                let wish = *self.random.pick(&[
                    Wish::Card,
                    Wish::Card,
                    Wish::Mixed,
                    Wish::Points,
                    Wish::Account,
                    Wish::Recharge,
                ]);
                let Some(sale) = self.prepare(wish)? else { return Ok(()) };
                self.trouble(sale, "confirm");
                self.confirm(sale)
            }
            6 => match self.choose(Sale::is_returnable) {
                Some(sale) => self.return_a_seat(sale),
                None => Ok(()),
            },
            7 => {
                let Some(sale) = self.choose(Sale::is_cancellable) else { return Ok(()) };
                self.trouble(sale, "cancel");
                self.cancel(sale)
            }
            8 => {
                let awaits = |sale: &Sale| sale.is_account && sale.confirmed == Told::Later;
                if let Some(sale) = self.choose(|sale| awaits(sale) && !sale.deposited) {
                    self.deposit(sale);
                }
                Ok(())
            }
            // Twice pressed, or twice sent.
            _ => match self.choose(|sale| sale.confirmed == Told::Yes) {
                Some(sale) => self.confirm(sale),
                None => Ok(()),
            },
        }
    }

    fn choose(&mut self, fits: impl Fn(&Sale) -> bool) -> Option<usize> {
        let fitting: Vec<usize> =
            (0..self.sales.len()).filter(|&place| fits(&self.sales[place])).collect();
        (!fitting.is_empty()).then(|| *self.random.pick(&fitting))
    }

    /// Now and then something is wrong at the provider: with the call, or with what it tells.
    fn trouble(&mut self, sale: usize, call: &str) {
        let order = self.sales[sale].order_id.clone();
        if self.random.one_in(4) {
            let faults = [
                json!("dropBefore"),
                json!("dropAfter"),
                json!({"status": 500}),
                json!({"statusAfter": 500}),
                json!({"delayMs": 30}),
                json!("html502"),
                json!({"error": "PROVIDER_ERROR"}),
                json!({"error": if call == "confirm" { "REJECT_CARD_PAYMENT" } else { "FAILED_REFUND_PROCESS" }}),
            ];
            self.provider.fault(&order, call, self.random.pick(&faults).clone());
        }
        if self.random.one_in(3) {
            let faults = [
                json!("duplicate"),
                json!("outOfOrder"),
                json!("unsignedFake"),
                json!("dropBefore"),
                json!({"delayMs": 20}),
            ];
            self.provider.fault(&order, "webhook", self.random.pick(&faults).clone());
        }
    }

    /// Everything up to the confirmation: hold, ask to pay, authenticate. `None` where something of
    /// it was refused.
    pub(crate) fn prepare(&mut self, wish: Wish) -> Result<Option<usize>, Gone> {
        let (asked, reservation, seats) = if wish == Wish::Recharge {
            let amount = 50_000 * self.random.between(1, 4) as u64;
            let asked = Ask::post("/api/points/charge", &self.token, json!({"amount": amount}));
            (asked, None, Vec::new())
        } else {
            let body = json!({"eventId": self.event, "count": self.random.between(1, 3)});
            let held = self.send(&Ask::post("/api/seats/best", &self.token, body))?;
            if held.status != 201 {
                return Ok(self.wrong("hold", &held));
            }
            let held = &held.body["reservation"];
            let (id, total) = (text(&held["id"]), held["totalAmount"].as_u64().unwrap_or(0));
            let seats = held["seats"].as_array().map_or(&[][..], Vec::as_slice);
            let seats = seats.iter().map(|seat| text(&seat["id"])).collect();
            let points = self.points_for(wish, total)?;
            let body = json!({"reservationId": id, "pointUsed": points});
            (Ask::post("/api/payments/toss/request", &self.token, body), Some(id), seats)
        };
        let order = self.send(&asked)?;
        if order.status != 201 {
            return Ok(self.wrong("request", &order));
        }
        let (order_id, card) =
            (text(&order.body["orderId"]), order.body["amount"].as_u64().unwrap_or(0));
        let key = match card {
            0 => String::new(),
            _ => {
                let method = if wish == Wish::Account { "virtualAccount" } else { "card" };
                let body = json!({"orderId": order_id, "amount": card, "method": method});
                text(&self.provider.switch("authenticate", body)["paymentKey"])
            }
        };
        self.sales.push(Sale {
            order_id,
            reservation,
            card,
            key,
            is_account: wish == Wish::Account,
            confirmed: Told::Nothing,
            is_intended: false,
            cancelled: Told::Nothing,
            seats,
            has_returned: false,
            deposited: false,
        });
        Ok(Some(self.sales.len() - 1))
    }

    fn points_for(&mut self, wish: Wish, total: u64) -> Result<u64, Gone> {
        let most = match wish {
            Wish::Points => total,
            Wish::Mixed => total - CARD_MIN,
            Wish::Card | Wish::Account | Wish::Recharge => return Ok(0),
        };
        let mine = self.send(&Ask::get("/api/points/balance", &self.token))?;
        let balance = mine.body["balance"].as_u64().unwrap_or(0);
        Ok(match wish {
            Wish::Points if balance < total => 0,
            _ if balance < POINTS_MIN => 0,
            _ => most.min(balance),
        })
    }

    pub(crate) fn confirmation(&self, sale: usize) -> Ask {
        let Sale { order_id, key, card, .. } = &self.sales[sale];
        let body = json!({"paymentKey": key, "orderId": order_id, "amount": card});
        Ask::post("/api/payments/toss/confirm", &self.token, body)
    }

    /// Confirms, for the first time or again. What was said once stays said.
    pub(crate) fn confirm(&mut self, sale: usize) -> Result<(), Gone> {
        let ask = self.confirmation(sale);
        let told = self.tell(&ask)?;
        let known = &mut self.sales[sale];
        match (&known.confirmed, &told) {
            (Told::Yes, Told::Yes | Told::Unknown) => {}
            (Told::Yes, other) => {
                let order = &known.order_id;
                self.problems.push(format!("{order} was confirmed, and asked again {other:?}"));
            }
            _ => known.confirmed = told.clone(),
        }
        if told == Told::Unknown { Err(Gone) } else { Ok(()) }
    }

    /// Cancels, in one of the ways there are.
    pub(crate) fn cancel(&mut self, sale: usize) -> Result<(), Gone> {
        let ask = self.cancellation(sale);
        let told = self.tell(&ask)?;
        self.sales[sale].cancelled = told.clone();
        if told == Told::Unknown { Err(Gone) } else { Ok(()) }
    }

    pub(crate) fn cancellation(&mut self, sale: usize) -> Ask {
        let Sale { order_id, reservation, deposited, .. } = &self.sales[sale];
        let id = reservation.as_deref().unwrap_or_default();
        let nothing = json!({});
        match self.random.below(3) {
            // What came by a bank transfer goes back by one.
            _ if *deposited => self.refund_to_account(order_id),
            0 => Ask::post(format!("/api/reservations/{id}/cancel"), &self.token, nothing),
            1 => Ask::post(format!("/api/payments/{order_id}/refund"), &self.token, nothing),
            _ => Ask::post(format!("/api/admin/orders/{id}/cancel"), &self.admin, nothing),
        }
    }

    fn refund_to_account(&self, order_id: &str) -> Ask {
        let account =
            json!({"bank": "88", "accountNumber": "110123456789", "holderName": "구매자"});
        let body = json!({"all": true, "refundAccount": account});
        Ask::post(format!("/api/payments/{order_id}/refund"), &self.token, body)
    }

    /// Says where a deposit goes back to whose order was called off.
    pub(crate) fn give_account(&mut self, order_id: &str) {
        let ask = self.refund_to_account(order_id);
        match self.send(&ask) {
            Ok(answer) if answer.status == 200 => {}
            other => self.problems.push(format!("{order_id}, its account: {other:?}")),
        }
    }

    fn return_a_seat(&mut self, sale: usize) -> Result<(), Gone> {
        let known = &mut self.sales[sale];
        known.has_returned = true;
        let path = format!("/api/payments/{}/refund", known.order_id);
        let body = json!({"seatIds": [known.seats.pop()]});
        match self.tell(&Ask::post(path, &self.token, body))? {
            Told::Unknown => Err(Gone),
            Told::Yes => Ok(()),
            other => {
                let order = &self.sales[sale].order_id;
                self.problems.push(format!("a seat of {order} was returned: {other:?}"));
                Ok(())
            }
        }
    }

    /// Pays into the account.
    pub(crate) fn deposit(&mut self, sale: usize) {
        let body = json!({"orderId": self.sales[sale].order_id});
        let done = self.provider.switch("deposit", body);
        self.sales[sale].deposited = done["done"] == true;
    }

    /// Asks again about everything that got no final answer, as a patient buyer does.
    pub(crate) fn ask_again(&mut self) -> Result<(), Gone> {
        for sale in 0..self.sales.len() {
            let is_open = self.sales[sale].confirmed == Told::Unknown
                || (self.sales[sale].confirmed == Told::Later && !self.sales[sale].is_account);
            if is_open {
                self.confirm(sale)?;
            }
        }
        Ok(())
    }

    /// Sends a command about money.
    fn tell(&mut self, ask: &Ask) -> Result<Told, Gone> {
        let answer = match self.client.send(ask) {
            Ok(answer) => answer,
            // Nobody listens: it is in no doubt.
            Err(Silence::NotSent) => return Err(Gone),
            Err(silence) => {
                self.stuck(ask, silence);
                return Ok(Told::Unknown);
            }
        };
        Ok(match answer.status {
            200 => Told::Yes,
            202 => Told::Later,
            504 => Told::Unknown,
            503 => Told::No("UNAVAILABLE".to_owned()),
            400 => Told::No(answer.code().to_owned()),
            _ => {
                self.wrong::<()>(&ask.path, &answer);
                Told::Unknown
            }
        })
    }

    pub(crate) fn send(&mut self, ask: &Ask) -> Result<Answer, Gone> {
        self.client.send(ask).map_err(|silence| {
            self.stuck(ask, silence);
            Gone
        })
    }

    fn stuck(&mut self, ask: &Ask, silence: Silence) {
        if silence == Silence::Stuck {
            self.problems.push(format!("no answer to {}, and no end of waiting", ask.path));
        }
    }

    fn wrong<T>(&mut self, what: &str, answer: &Answer) -> Option<T> {
        self.problems.push(format!("{what}: {answer:?}"));
        None
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
