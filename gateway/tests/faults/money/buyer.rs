//! A buyer: pays in every way there is, changes her mind, and writes down what she was told.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use serde_json::{Value, json};

use crate::http::{Answer, Ask, Client, Silence};
use crate::money::provider::{House, Provider};
use crate::money::sale::{Good, Heard, Returning, Sale, Told, Wish};
use crate::money::unasked::Unasked;
use crate::random::Random;

/// Fewer points are not spent.
const POINTS_MIN: u64 = 1_000;
/// What the cheapest card payment is; providers take no less.
const CARD_MIN: u64 = 100;

/// What befell payments, and how often.
pub(crate) type Tally = BTreeMap<&'static str, u32>;

/// The gateway is gone.
#[derive(Debug)]
pub(crate) struct Gone;

/// Where a buyer shops.
#[derive(Clone)]
pub(crate) struct Place {
    /// The administrator's token.
    pub(crate) admin: String,
    pub(crate) event: String,
    /// Tickets without seats.
    pub(crate) ticket_type: String,
    pub(crate) provider: Arc<Provider>,
}

pub(crate) struct Buyer {
    pub(crate) token: String,
    pub(crate) place: Place,
    pub(crate) client: Client,
    pub(crate) random: Random,
    pub(crate) sales: Vec<Sale>,
    /// Answers that are wrong by themselves.
    pub(crate) problems: Vec<String>,
    pub(crate) tally: Tally,
}

impl Buyer {
    pub(crate) fn new(token: String, place: Place, address: SocketAddr, seed: u64) -> Buyer {
        Buyer {
            token,
            place,
            client: Client::new(address),
            random: Random::new(seed),
            sales: Vec::new(),
            problems: Vec::new(),
            tally: Tally::new(),
        }
    }

    /// So many errands, as long as the gateway answers.
    pub(crate) fn shop(&mut self, errands: usize) {
        for _ in 0..errands {
            if self.errand().is_err() {
                return;
            }
        }
    }

    fn errand(&mut self) -> Result<(), Gone> {
        match self.random.below(20) {
            0..8 => {
                let wish = *self.random.pick(&Wish::ALL);
                let Some(sale) = self.prepare(wish)? else { return Ok(()) };
                if self.random.one_in(4) {
                    self.open_windows(sale);
                }
                self.trouble(sale, true);
                self.confirm(sale)
            }
            8..10 => match self.choose(Sale::is_returnable) {
                Some(sale) => self.return_one(sale),
                None => Ok(()),
            },
            10 => {
                let Some(sale) = self.choose(Sale::is_cancellable) else { return Ok(()) };
                self.trouble(sale, false);
                self.cancel(sale)
            }
            11 => match self.choose(|sale| sale.awaits_deposit() && sale.is_cancellable()) {
                Some(sale) => self.cancel_while_paying(sale),
                None => Ok(()),
            },
            12..14 => {
                if let Some(sale) = self.choose(Sale::awaits_deposit) {
                    let is_told = !self.random.one_in(3);
                    self.deposit(sale, is_told);
                }
                Ok(())
            }
            14 => match self.choose(|sale| sale.is_account && sale.cancelled == Told::Yes) {
                Some(sale) => self.give_account(sale),
                None => Ok(()),
            },
            15..18 => {
                self.unasked();
                Ok(())
            }
            18 => match self.choose(|sale| sale.confirmed == Told::Later && !sale.deposited) {
                Some(sale) if self.random.one_in(2) => self.end(sale),
                _ => self.confirm_with_a_strange_key(),
            },
            // Twice pressed, or twice sent.
            _ => match self.choose(|sale| sale.confirmed == Told::Yes) {
                Some(sale) => self.confirm(sale),
                None => Ok(()),
            },
        }
    }

    pub(crate) fn count(&mut self, what: &'static str) {
        *self.tally.entry(what).or_default() += 1;
    }

    pub(crate) fn choose(&mut self, fits: impl Fn(&Sale) -> bool) -> Option<usize> {
        let fitting: Vec<usize> =
            (0..self.sales.len()).filter(|&place| fits(&self.sales[place])).collect();
        (!fitting.is_empty()).then(|| *self.random.pick(&fitting))
    }

    /// Now and then something is wrong at the provider: with the call, or with what it tells.
    fn trouble(&mut self, sale: usize, is_capture: bool) {
        let Sale { order_id, house, .. } = &self.sales[sale];
        let (order, house, (capture, refund)) =
            (order_id.clone(), *house, self.sales[sale].calls());
        if self.random.one_in(4) {
            let no = match (house, is_capture) {
                (House::Toss, true) => json!({"error": "REJECT_CARD_PAYMENT"}),
                (House::Toss, false) => json!({"error": "FAILED_REFUND_PROCESS"}),
                (House::Stripe, true) => json!({"error": "generic_decline"}),
                (House::Stripe, false) => json!({"status": 503}),
            };
            // What is taken on only is made when it is asked about again.
            let late = if is_capture { json!({"delayMs": 30}) } else { json!("pending") };
            let faults = [
                json!("dropBefore"),
                json!("dropAfter"),
                json!({"status": 500}),
                json!({"statusAfter": 500}),
                json!("html502"),
                late.clone(),
                late,
                no,
            ];
            let call = if is_capture { capture } else { refund };
            let fault = self.random.pick(&faults).clone();
            if fault == "pending" {
                self.count("a refund was taken on only");
                self.sales[sale].next = &[Unasked::RefundIsMade, Unasked::RefundFails];
            }
            self.place.provider.fault(house, &order, call, &fault);
        }
        if self.random.one_in(8) {
            let faults = [json!("dropBefore"), json!({"status": 500})];
            self.place.provider.fault(house, &order, "query", self.random.pick(&faults));
        }
        if self.random.one_in(3) {
            let faults = [
                json!("duplicate"),
                json!("outOfOrder"),
                json!("unsignedFake"),
                json!("dropBefore"),
                json!({"delayMs": 20}),
            ];
            let fault = self.random.pick(&faults).clone();
            // It may befall a later message than the one that is meant.
            self.sales[sale].is_unreliable |= fault == "dropBefore" || fault == "outOfOrder";
            self.place.provider.fault(house, &order, "webhook", &fault);
        }
    }

    /// Everything up to the confirmation: hold, ask to pay, authenticate. `None` where something of
    /// it was refused.
    pub(crate) fn prepare(&mut self, wish: Wish) -> Result<Option<usize>, Gone> {
        let is_stripe = !wish.is_account() && !wish.is_recharge() && self.random.one_in(3);
        self.prepare_at(if is_stripe { House::Stripe } else { House::Toss }, wish)
    }

    pub(crate) fn prepare_at(&mut self, house: House, wish: Wish) -> Result<Option<usize>, Gone> {
        let (asked, reservation, goods) = if wish.is_recharge() {
            let amount = 50_000 * self.random.between(1, 4) as u64;
            let asked = Ask::post("/api/points/charge", &self.token, json!({"amount": amount}));
            (asked, None, Vec::new())
        } else {
            let Some((id, total, goods)) = self.hold()? else { return Ok(None) };
            let points = self.points_for(wish, total)?;
            let body = json!({"reservationId": id, "pointUsed": points});
            let path = format!("/api/payments/{}/request", house.name());
            (Ask::post(path, &self.token, body), Some(id), goods)
        };
        let order = self.send(&asked)?;
        if order.status != 201 {
            return Ok(self.wrong("request", &order));
        }
        let (order_id, card) =
            (text(&order.body["orderId"]), order.body["amount"].as_u64().unwrap_or(0));
        self.sales.push(Sale {
            order_id,
            house,
            reservation,
            card,
            key: String::new(),
            others: Vec::new(),
            is_account: wish.is_account(),
            confirmed: Told::Nothing,
            is_intended: false,
            cancelled: Told::Nothing,
            goods,
            returning: None,
            has_returned: false,
            deposited: false,
            stirred: false,
            next: &[],
            is_unreliable: false,
            heard: Heard::All,
        });
        let sale = self.sales.len() - 1;
        if card > 0 {
            self.sales[sale].key = self.agree(sale);
        }
        Ok(Some(sale))
    }

    /// Seats, or tickets without any.
    fn hold(&mut self) -> Result<Option<(String, u64, Vec<Good>)>, Gone> {
        let Place { event, ticket_type, .. } = self.place.clone();
        let count = self.random.between(1, 3);
        let is_seated = !self.random.one_in(3);
        let ask = match is_seated {
            true => {
                let body = json!({"eventId": event, "count": count});
                Ask::post("/api/seats/best", &self.token, body)
            }
            false => {
                let item = json!({"ticketTypeId": ticket_type, "quantity": count});
                let body = json!({"eventId": event, "items": [item]});
                let key = self.new_key();
                Ask::post("/api/reservations", &self.token, body).key(&key)
            }
        };
        let held = self.send(&ask)?;
        if held.status != 201 {
            return Ok(self.wrong("hold", &held));
        }
        let held = &held.body["reservation"];
        let goods = match is_seated {
            true => {
                let seats = held["seats"].as_array().map_or(&[][..], Vec::as_slice);
                seats.iter().map(|seat| Good::Seat(text(&seat["id"]))).collect()
            }
            false => vec![Good::Ticket(ticket_type); count],
        };
        Ok(Some((text(&held["id"]), held["totalAmount"].as_u64().unwrap_or(0), goods)))
    }

    /// The buyer agrees in a window of the provider: the payment's key.
    fn agree(&mut self, sale: usize) -> String {
        let Sale { order_id, house, card, is_account, .. } = self.sales[sale].clone();
        let body = match (house, is_account) {
            (House::Stripe, _) => json!({"orderId": order_id}),
            (House::Toss, true) => {
                let hours = self.random.between(1, 90 * 24);
                json!({
                    "orderId": order_id, "amount": card, "method": "virtualAccount",
                    "validHours": hours,
                })
            }
            (House::Toss, false) => {
                let method = *self.random.pick(&["card", "card", "easyPay", "phone"]);
                let takes_parts = method != "phone" && !self.random.one_in(4);
                json!({
                    "orderId": order_id, "amount": card, "method": method,
                    "partialCancelable": takes_parts,
                })
            }
        };
        text(&self.place.provider.switch(house, "authenticate", body)["paymentKey"])
    }

    /// Further windows of the same order, all agreed to; any of them may be the one that is confirmed.
    pub(crate) fn open_windows(&mut self, sale: usize) {
        if self.sales[sale].house == House::Stripe || self.sales[sale].card == 0 {
            return;
        }
        self.count("several windows");
        for _ in 0..self.random.between(1, 2) {
            let key = self.agree(sale);
            self.sales[sale].others.push(key);
        }
        if self.random.one_in(2) {
            let known = &mut self.sales[sale];
            std::mem::swap(&mut known.key, &mut known.others[0]);
        }
    }

    fn points_for(&mut self, wish: Wish, total: u64) -> Result<u64, Gone> {
        let most = match wish {
            Wish::Points => total,
            Wish::Mixed => total - CARD_MIN,
            Wish::Card | Wish::Account | Wish::Recharge | Wish::RechargeByAccount => return Ok(0),
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
        self.confirmation_with(sale, &self.sales[sale].key)
    }

    fn confirmation_with(&self, sale: usize, key: &str) -> Ask {
        let Sale { order_id, card, house, .. } = &self.sales[sale];
        let body = json!({"paymentKey": key, "orderId": order_id, "amount": card});
        Ask::post(format!("/api/payments/{}/confirm", house.name()), &self.token, body)
    }

    /// Confirms, for the first time or again. What was said once stays said.
    pub(crate) fn confirm(&mut self, sale: usize) -> Result<(), Gone> {
        let ask = self.confirmation(sale);
        let told = self.tell(&ask)?;
        let known = &mut self.sales[sale];
        // An account was paid into before the buyer looked again.
        known.deposited |= known.is_account && told == Told::Yes;
        match (&known.confirmed, &told) {
            (Told::Yes, Told::Yes | Told::Unknown) => {}
            // The bank took the deposit back.
            (Told::Yes, Told::No(_)) if known.is_account && known.stirred => {}
            (Told::Yes, other) => {
                let order = &known.order_id;
                self.problems.push(format!("{order} was confirmed, and asked again {other:?}"));
            }
            _ => known.confirmed = told.clone(),
        }
        if told == Told::Unknown { Err(Gone) } else { Ok(()) }
    }

    /// Confirms with the key of another payment: of another order, or of another window of this one
    /// once the first key was sent.
    fn confirm_with_a_strange_key(&mut self) -> Result<(), Gone> {
        let is_begun = |sale: &Sale| matches!(sale.confirmed, Told::Later | Told::Yes);
        let has_window = |sale: &Sale| !sale.others.is_empty() && is_begun(sale);
        if let Some(sale) = self.choose(has_window) {
            self.count("another window's key");
            let ask = self.confirmation_with(sale, &self.sales[sale].others[0]);
            return match self.tell(&ask)? {
                Told::No(_) => Ok(()),
                Told::Unknown => Err(Gone),
                // It was never asked for under its own key, or that is not known.
                Told::Later | Told::Yes | Told::Nothing => {
                    self.problems.push(format!("{} answers another key", ask.path));
                    Ok(())
                }
            };
        }
        let house = *self.random.pick(&House::ALL);
        let sale = self.prepare_at(house, Wish::Card)?;
        let (Some(sale), Some(other)) = (sale, self.prepare_at(house, Wish::Card)?) else {
            return Ok(());
        };
        self.count("a strange key");
        let strange = self.sales[other].key.clone();
        self.trouble(sale, true);
        let told = self.tell(&self.confirmation_with(sale, &strange))?;
        self.sales[sale].key = strange;
        self.sales[sale].confirmed = told.clone();
        match told {
            Told::Unknown => Err(Gone),
            Told::Yes => {
                self.problems.push("another payment's key paid an order".to_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// An administrator ends a payment of which it is not known what became of it.
    fn end(&mut self, sale: usize) -> Result<(), Gone> {
        let path = format!("/api/admin/payments/{}/end", self.sales[sale].order_id);
        let told = self.tell(&Ask::post(path, &self.place.admin, json!({})))?;
        if told == Told::Yes {
            self.count("ended by an administrator");
        }
        let known = &mut self.sales[sale];
        if told != Told::No("CONFLICT".to_owned()) {
            // What was taken all the same is found by a message, and goes back.
            known.stir(false);
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
        let Sale { order_id, reservation, deposited, confirmed, .. } = &self.sales[sale];
        let id = reservation.as_deref().unwrap_or_default();
        let nothing = json!({});
        match self.random.below(3) {
            // What came by a bank transfer goes back by one.
            0 if *deposited && *confirmed == Told::Yes => self.refund_to_account(order_id),
            0 if *confirmed == Told::Yes => {
                Ask::post(format!("/api/payments/{order_id}/refund"), &self.token, nothing)
            }
            1 => Ask::post(format!("/api/reservations/{id}/cancel"), &self.token, nothing),
            _ => Ask::post(format!("/api/admin/orders/{id}/cancel"), &self.place.admin, nothing),
        }
    }

    /// Cancels an order whose deposit comes at this very moment.
    fn cancel_while_paying(&mut self, sale: usize) -> Result<(), Gone> {
        let order = self.sales[sale].order_id.clone();
        if self.random.one_in(2) {
            let fault = json!({"delayMs": 30});
            self.place.provider.fault(House::Toss, &order, "cancel", &fault);
        }
        let (provider, late) = (Arc::clone(&self.place.provider), self.random.below(40));
        let (done, cancelled) = std::thread::scope(|scope| {
            let paying = scope.spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(late as u64));
                let done = provider.switch(House::Toss, "deposit", json!({"orderId": order}));
                done["done"] == true
            });
            let cancelled = self.cancel(sale);
            (paying.join().expect("the deposit"), cancelled)
        });
        if done {
            self.count("cancelled while its deposit came");
            self.sales[sale].deposited = true;
            self.sales[sale].heard = self.sales[sale].heard.max(Heard::Perhaps);
        }
        cancelled
    }

    fn refund_to_account(&self, order_id: &str) -> Ask {
        let account =
            json!({"bank": "88", "accountNumber": "110123456789", "holderName": "구매자"});
        let body = json!({"all": true, "refundAccount": account});
        Ask::post(format!("/api/payments/{order_id}/refund"), &self.token, body)
    }

    /// Says where a deposit goes back to whose order is over.
    pub(crate) fn give_account(&mut self, sale: usize) -> Result<(), Gone> {
        let ask = self.refund_to_account(&self.sales[sale].order_id.clone());
        match self.tell(&ask)? {
            // Nothing was paid, or the bank took it back.
            Told::Yes | Told::No(_) => Ok(()),
            Told::Unknown => Err(Gone),
            other => {
                let order = &self.sales[sale].order_id;
                self.problems.push(format!("{order}, its account: {other:?}"));
                Ok(())
            }
        }
    }

    /// A part of an order goes back; the same request may come twice.
    fn return_one(&mut self, sale: usize) -> Result<(), Gone> {
        self.trouble(sale, false);
        let ask = self.begin_return(sale);
        self.end_return(sale, &ask)?;
        if self.random.one_in(2) {
            // The same once more, which gives nothing back.
            self.count("a part was asked for again under its key");
            match self.tell(&ask)? {
                Told::Unknown => return Err(Gone),
                Told::Yes | Told::No(_) => {}
                other => self.problems.push(format!("{} once more: {other:?}", ask.path)),
            }
        }
        Ok(())
    }

    /// A seat or ticket that is to go back, and how it is asked for.
    pub(crate) fn begin_return(&mut self, sale: usize) -> Ask {
        let key = self.new_key();
        let known = &mut self.sales[sale];
        let good = known.goods.pop().expect("a part of it");
        known.returning = Some(Returning { good, key });
        self.return_again(sale)
    }

    fn return_again(&self, sale: usize) -> Ask {
        let Sale { order_id, returning, .. } = &self.sales[sale];
        let returning = returning.as_ref().expect("a part that goes back");
        let path = format!("/api/payments/{order_id}/refund");
        Ask::post(path, &self.token, returning.good.refund()).key(&returning.key)
    }

    /// Asks for a part to go back, and writes down whether it did.
    pub(crate) fn end_return(&mut self, sale: usize, ask: &Ask) -> Result<(), Gone> {
        let told = self.tell(ask)?;
        match told {
            Told::Yes => self.count("a part went back"),
            Told::No(_) => self.count("a part was refused"),
            _ => {}
        }
        let known = &mut self.sales[sale];
        match told {
            Told::Yes => {
                known.returning = None;
                known.has_returned = true;
                Ok(())
            }
            // The provider takes no parts of it, or its order is over.
            Told::No(_) => {
                known.goods.extend(known.returning.take().map(|one| one.good));
                Ok(())
            }
            Told::Unknown => Err(Gone),
            other @ (Told::Later | Told::Nothing) => {
                self.problems.push(format!("a part of {} went back: {other:?}", known.order_id));
                Ok(())
            }
        }
    }

    /// Pays into the account.
    pub(crate) fn deposit(&mut self, sale: usize, is_told: bool) {
        let body = json!({"orderId": self.sales[sale].order_id, "webhook": is_told});
        let done = self.place.provider.switch(House::Toss, "deposit", body);
        if done["done"] == true && !is_told {
            self.count("a deposit came, not told");
        }
        // What the message would tell is found out without it while the deposit is awaited.
        self.sales[sale].deposited |= done["done"] == true;
        if self.sales[sale].deposited && self.sales[sale].cancelled != Told::Nothing {
            self.sales[sale].stir(is_told);
        }
    }

    /// Asks again about everything that got no final answer, as a patient buyer does.
    pub(crate) fn ask_again(&mut self) -> Result<(), Gone> {
        for sale in 0..self.sales.len() {
            let is_open = self.sales[sale].confirmed == Told::Unknown
                || (self.sales[sale].confirmed == Told::Later && !self.sales[sale].is_account);
            if is_open {
                self.confirm(sale)?;
            }
            if self.sales[sale].returning.is_some() {
                let ask = self.return_again(sale);
                self.end_return(sale, &ask)?;
            }
        }
        Ok(())
    }

    /// Looks up what became of parts whose keys are too old to be repeated.
    pub(crate) fn look_up_returns(&mut self) -> Result<(), Gone> {
        for sale in 0..self.sales.len() {
            let known = &self.sales[sale];
            let (Some(_), Some(id)) = (&known.returning, &known.reservation) else { continue };
            let ask = Ask::get(format!("/api/reservations/{id}"), &self.token);
            let answer = self.send(&ask)?;
            let items = answer.body["reservation"]["items"].as_array().cloned();
            let count = |item: &Value| item["quantity"].as_u64().unwrap_or(0);
            let left: u64 = items.unwrap_or_default().iter().map(count).sum();
            let known = &mut self.sales[sale];
            let returned = known.returning.take().map(|one| one.good);
            match left == known.goods.len() as u64 {
                true => known.has_returned = true,
                false => known.goods.extend(returned),
            }
        }
        Ok(())
    }

    fn new_key(&mut self) -> String {
        format!("{:016x}{:016x}", self.random.next(), self.random.next())
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
            400 | 409 => Told::No(answer.code().to_owned()),
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

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
