//! Clients at work: each holds, pays and cancels in turn and writes down what it is told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use serde_json::{Value, json};

use crate::http::{Answer, Ask, Client, Silence};
use crate::ledger::{Known, Order, UnknownHold, Wanted};
use crate::random::Random;
use crate::shop::Shop;

/// Clients that run. They end by themselves once nobody answers, or when told to.
pub(crate) struct Drivers {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Drivers {
    /// One client for each buyer of the shop.
    pub(crate) fn start(shop: &Arc<Shop>, address: SocketAddr, random: &mut Random) -> Drivers {
        Self::start_for(shop, address, random, usize::MAX)
    }

    /// As [`Drivers::start`], each for so many requests.
    pub(crate) fn start_for(
        shop: &Arc<Shop>,
        address: SocketAddr,
        random: &mut Random,
        requests: usize,
    ) -> Drivers {
        let stop = Arc::new(AtomicBool::new(false));
        let start = |user| {
            let mut driver = Driver {
                shop: Arc::clone(shop),
                user,
                client: Client::new(address),
                random: Random::new(random.next()),
            };
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                for _ in 0..requests {
                    if stop.load(Ordering::Relaxed) || !driver.step() {
                        break;
                    }
                }
            })
        };
        let threads = (0..shop.buyers.len()).map(start).collect();
        Drivers { stop, threads }
    }

    /// Waits until all have ended by themselves.
    pub(crate) fn join(self) {
        for thread in self.threads {
            thread.join().expect("a driver panicked");
        }
    }

    pub(crate) fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.join();
    }
}

struct Driver {
    shop: Arc<Shop>,
    user: usize,
    client: Client,
    random: Random,
}

impl Driver {
    /// One request; `false` where the server is gone or has left something in doubt.
    fn step(&mut self) -> bool {
        match self.random.below(100) {
            0..50 => self.hold(),
            50..80 => self.pay(),
            _ => self.cancel(),
        }
    }

    fn token(&self) -> &str {
        &self.shop.buyers[self.user]
    }

    fn new_key(&mut self) -> String {
        format!("{:016x}{:016x}", self.random.next(), self.random.next())
    }

    fn hold(&mut self) -> bool {
        let wanted = self.wanted();
        let key = self.new_key();
        let ask = hold_request(&self.shop, self.token(), &wanted).key(&key);
        let answer = self.client.send(&ask);
        let shop = Arc::clone(&self.shop);
        let Some(answer) = self.heard("hold", answer) else {
            let hold = UnknownHold { user: self.user, key, wanted, became: None };
            shop.ledger.lock().unwrap().unknown_holds.push(hold);
            return false;
        };
        match (answer.status, answer.code()) {
            (201, _) => {
                let reservation = &answer.body["reservation"];
                let id = shop.ledger.lock().unwrap().held(self.user, &wanted, reservation);
                shop.acknowledged(answer.lsn, format!("hold {id}"));
            }
            // A hold of the same seats that is the client's own, one without an answer maybe.
            (200, _) if answer.body["alreadyYours"] == true => {
                let reservation = &answer.body["reservation"];
                shop.ledger.lock().unwrap().held(self.user, &wanted, reservation);
            }
            (400, "SEAT_UNAVAILABLE" | "OUT_OF_STOCK") => {}
            // Promises that nothing was done, and is held to it.
            (503, _) => std::thread::sleep(std::time::Duration::from_millis(5)),
            _ => {
                return self.unexpected(&ask, &answer, || {
                    let hold = UnknownHold {
                        user: self.user,
                        key: key.clone(),
                        wanted: wanted.clone(),
                        became: None,
                    };
                    shop.ledger.lock().unwrap().unknown_holds.push(hold);
                });
            }
        }
        true
    }

    fn wanted(&mut self) -> Wanted {
        match self.random.below(10) {
            0 => Wanted::Tickets(self.random.between(1, 4) as u64),
            1 | 2 => Wanted::Best(self.random.between(1, 4)),
            _ => {
                // Close together, so that the clients get in each other's way.
                let seats = self.shop.seats.len();
                let first = self.random.below(seats);
                let count = self.random.between(1, 4);
                let mut places: Vec<usize> =
                    (0..count).map(|_| (first + self.random.below(12)) % seats).collect();
                places.sort_unstable();
                places.dedup();
                Wanted::Seats(places.iter().map(|&place| self.shop.seats[place].clone()).collect())
            }
        }
    }

    /// One of the client's orders that fits.
    fn choose(&mut self, fits: impl Fn(&Order) -> bool) -> Option<String> {
        let ledger = self.shop.ledger.lock().unwrap();
        let fitting = |(_, order): &(&String, &Order)| {
            order.user == self.user && order.is_certain() && fits(order)
        };
        let mine: Vec<&String> =
            ledger.orders.iter().filter(fitting).map(|(id, _)| id).take(64).collect();
        match mine.is_empty() {
            true => None,
            false => Some((*self.random.pick(&mine)).clone()),
        }
    }

    fn pay(&mut self) -> bool {
        let is_held = |order: &Order| order.paid == Known::No && order.cancelled == Known::No;
        let Some(id) = self.choose(is_held) else { return true };
        let key = self.new_key();
        let ask = pay_request(self.token(), &id).key(&key);
        // In doubt from the moment it is sent.
        self.note(&id, |order| order.paid = Known::Unknown(Some(key)));
        let answer = self.client.send(&ask);
        if answer.as_ref().err() == Some(&Silence::NotSent) {
            self.note(&id, |order| order.paid = Known::No);
            return false;
        }
        let Some(answer) = self.heard("pay", answer) else { return false };
        match (answer.status, answer.code()) {
            (200, _) => {
                self.note(&id, |order| order.paid = Known::Yes);
                self.shop.acknowledged(answer.lsn, format!("payment {id}"));
            }
            (400, "HOLD_EXPIRED") => self.note(&id, |order| order.paid = Known::No),
            _ => return self.unexpected(&ask, &answer, || {}),
        }
        true
    }

    fn cancel(&mut self) -> bool {
        let Some(id) = self.choose(|order| order.cancelled == Known::No) else { return true };
        let ask = cancel_request(self.token(), &id);
        self.note(&id, |order| order.cancelled = Known::Unknown(None));
        let answer = self.client.send(&ask);
        if answer.as_ref().err() == Some(&Silence::NotSent) {
            self.note(&id, |order| order.cancelled = Known::No);
            return false;
        }
        let Some(answer) = self.heard("cancel", answer) else { return false };
        match (answer.status, answer.code()) {
            (200, _) => {
                self.note(&id, |order| order.cancelled = Known::Yes);
                self.shop.acknowledged(answer.lsn, format!("cancellation {id}"));
            }
            (400, "HOLD_EXPIRED") => self.note(&id, |order| order.cancelled = Known::No),
            _ => return self.unexpected(&ask, &answer, || {}),
        }
        true
    }

    fn note(&self, id: &str, change: impl FnOnce(&mut Order)) {
        let mut ledger = self.shop.ledger.lock().unwrap();
        change(ledger.orders.get_mut(id).expect("an order of the ledger"));
    }

    /// Counts the answer.
    fn heard(&self, what: &str, answer: Result<Answer, Silence>) -> Option<Answer> {
        let mut ledger = self.shop.ledger.lock().unwrap();
        match answer {
            Ok(answer) => {
                ledger.count(format!("{what} {}", answer.status));
                Some(answer)
            }
            Err(silence) => {
                ledger.count(format!("{what} {silence:?}"));
                if silence == Silence::Stuck {
                    ledger.violations.push(format!("no answer to {what}, and no end of waiting"));
                }
                None
            }
        }
    }

    /// 5xx leaves it in doubt, and 500 is wrong at any time; other refusals are wrong here.
    fn unexpected(&self, ask: &Ask, answer: &Answer, doubt: impl FnOnce()) -> bool {
        if !matches!(answer.status, 503 | 504) {
            let what = format!("{} {:?}: {} {}", ask.path, ask.body, answer.status, answer.body);
            self.shop.violated(what);
        }
        if answer.status >= 500 {
            doubt();
        }
        false
    }
}

pub(crate) fn hold_request(shop: &Shop, token: &str, wanted: &Wanted) -> Ask {
    let event = &shop.event;
    match wanted {
        Wanted::Seats(seats) => {
            let ids: Vec<&String> = seats.iter().map(|(id, _)| id).collect();
            let body = json!({"eventId": event, "seatIds": ids});
            Ask::post("/api/seats/reserve", token, body)
        }
        Wanted::Best(count) => {
            Ask::post("/api/seats/best", token, json!({"eventId": event, "count": count}))
        }
        Wanted::Tickets(count) => {
            let item = json!({"ticketTypeId": shop.ticket_type, "quantity": count});
            Ask::post("/api/reservations", token, json!({"eventId": event, "items": [item]}))
        }
    }
}

pub(crate) fn pay_request(token: &str, id: &str) -> Ask {
    let body = json!({"reservationId": id, "paymentMethod": "naver_pay"});
    Ask::post("/api/payments/process", token, body)
}

pub(crate) fn cancel_request(token: &str, id: &str) -> Ask {
    Ask::post(format!("/api/reservations/{id}/cancel"), token, Value::Object(Default::default()))
}
