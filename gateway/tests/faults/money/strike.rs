//! One deed about money, and the death of the gateway at a chosen point of it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::json;
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::{ChargeIndex, UnixMillis};
use tiketi_persistence::{Opened, Options, StoreKind};

use crate::check::{now_ms, until};
use crate::http::Ask;
use crate::launch::{PATIENCE, Server};
use crate::money::buyer::{Buyer, Gone};
use crate::money::gate::{Call, Step};
use crate::money::provider::Provider;
use crate::money::sale::{Told, Wish};

/// When the process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Point {
    BeforeIntent,
    BetweenIntentAndCall,
    DuringCall,
    AfterCall,
    /// The answer is being read: the outcome is durable or is not.
    BeforeOutcome,
    AfterOutcome,
}

impl Point {
    pub(crate) const ALL: [Point; 6] = [
        Point::BeforeIntent,
        Point::BetweenIntentAndCall,
        Point::DuringCall,
        Point::AfterCall,
        Point::BeforeOutcome,
        Point::AfterOutcome,
    ];

    /// Where the call is held; `None` where there is none yet, or none any more.
    fn step(self) -> Option<Step> {
        match self {
            Point::BeforeIntent | Point::AfterOutcome => None,
            Point::BetweenIntentAndCall => Some(Step::Leaving),
            Point::DuringCall => Some(Step::AtWork),
            Point::AfterCall => Some(Step::Done),
            Point::BeforeOutcome => Some(Step::Answering),
        }
    }
}

/// What is being done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Deed {
    Capture,
    Refund,
    Deposit,
}

/// How often each was hit.
pub(crate) type Hits = BTreeMap<(Point, Deed), u32>;

/// What a gateway is killed in, and what is known then.
pub(crate) struct Strike<'a> {
    pub(crate) provider: &'a Arc<Provider>,
    pub(crate) data: &'a Path,
    pub(crate) store: &'a str,
    pub(crate) point: Point,
}

impl Strike<'_> {
    /// Has the victim do something, and kills the gateway at the point. What was hit; `None` where the
    /// deed was over before it came there.
    pub(crate) fn fall(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        match victim.random.below(10) {
            0..6 => self.capture(server, victim),
            6..9 => self.refund(server, victim),
            _ => self.deposit(server, victim),
        }
    }

    fn capture(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        let mut wishes = vec![Wish::Card, Wish::Mixed, Wish::Account, Wish::Recharge];
        let is_called = self.point.step().is_some_and(|step| step != Step::Leaving);
        if !is_called {
            // Points alone need no call to the provider.
            wishes.push(Wish::Points);
        }
        let wish = *victim.random.pick(&wishes);
        let sale = prepared(victim, wish)?;
        let (order, card) = (victim.sales[sale].order_id.clone(), victim.sales[sale].card);
        match self.point.step() {
            Some(_) if card == 0 => {
                server.kill();
                self.log_intent(&order);
                victim.sales[sale].confirmed = Told::Unknown;
                victim.sales[sale].is_intended = true;
            }
            Some(step) => {
                if step == Step::AtWork {
                    let delay_ms = victim.random.between(1, 150);
                    self.provider.fault(&order, "confirm", json!({"delayMs": delay_ms}));
                }
                let reached = self.provider.gate.hold(Call::Confirm, &order, step);
                std::thread::scope(|scope| {
                    let asking = scope.spawn(|| drop(victim.confirm(sale)));
                    let is_there = came(&reached, || asking.is_finished());
                    server.kill();
                    is_there.then_some(())
                })?;
                victim.sales[sale].is_intended = true;
            }
            None if self.point == Point::AfterOutcome => {
                let confirmed = victim.confirm(sale);
                server.kill();
                confirmed.ok()?;
            }
            None => {
                let ask = victim.confirmation(sale);
                victim.client.send_half(&ask);
                server.kill();
            }
        }
        Some(Deed::Capture)
    }

    /// What is left of a process that dies once the intent is durable, where no call follows it: its
    /// log with the intent at its end.
    fn log_intent(&self, order: &str) {
        let mut options = Options::new(self.data);
        options.store = self.store.parse::<StoreKind>().expect("a store");
        let opened = tiketi_persistence::open(&options, UnixMillis(now_ms())).expect("open");
        let engine =
            Engine::from_state(&opened.state, Arc::clone(&opened.journal)).expect("engine");
        let index = ChargeIndex(u32::from_str_radix(&order[2..10], 16).expect("an order id"));
        let user = opened.state.ledger().charge(index).expect("a charge").user;
        let begun = engine.begin_capture(index, user, "", opened.state.last_at()).expect("begun");
        opened.journal.committed_blocking(begun).expect("durable");
        opened.journal.close().expect("close");
    }

    fn refund(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        let wish = *victim.random.pick(&[Wish::Card, Wish::Mixed]);
        let sale = prepared(victim, wish)?;
        victim.confirm(sale).ok()?;
        if victim.sales[sale].confirmed != Told::Yes {
            return None;
        }
        let (order, key) = (victim.sales[sale].order_id.clone(), victim.sales[sale].key.clone());
        match self.point.step() {
            Some(step) => {
                if step == Step::AtWork {
                    let delay_ms = victim.random.between(1, 150);
                    self.provider.fault(&order, "cancel", json!({"delayMs": delay_ms}));
                }
                let reached = self.provider.gate.hold(Call::Cancel, &key, step);
                victim.cancel(sale).ok()?;
                let is_there = came(&reached, || false);
                server.kill();
                is_there.then_some(())?;
            }
            None if self.point == Point::AfterOutcome => {
                victim.cancel(sale).ok()?;
                becomes(victim, &order, "refunded");
                server.kill();
            }
            None => {
                let ask = victim.cancellation(sale);
                victim.client.send_half(&ask);
                server.kill();
            }
        }
        Some(Deed::Refund)
    }

    /// Money comes to a virtual account, and the provider says so.
    fn deposit(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        let sale = prepared(victim, Wish::Account)?;
        victim.confirm(sale).ok()?;
        let order = victim.sales[sale].order_id.clone();
        match self.point.step() {
            Some(step) => {
                let reached = self.provider.gate.hold(Call::Query, &order, step);
                victim.deposit(sale);
                let is_there = came(&reached, || false);
                server.kill();
                is_there.then_some(())?;
            }
            None if self.point == Point::AfterOutcome => {
                victim.deposit(sale);
                becomes(victim, &order, "paid");
                server.kill();
            }
            None => {
                // Nobody hears of it.
                self.provider.tell(None);
                victim.deposit(sale);
                server.kill();
            }
        }
        Some(Deed::Deposit)
    }
}

/// Logs something that a process would have logged before it died.
pub(crate) fn at_rest(data: &Path, store: &str, log: impl FnOnce(&Opened)) {
    let mut options = Options::new(data);
    options.store = store.parse::<StoreKind>().expect("a store");
    let opened = tiketi_persistence::open(&options, UnixMillis(now_ms())).expect("open");
    log(&opened);
    opened.journal.close().expect("close");
}

/// The charge of an order at the provider.
pub(crate) fn index_of(order: &str) -> ChargeIndex {
    ChargeIndex(u32::from_str_radix(&order[2..10], 16).expect("an order id"))
}

fn prepared(victim: &mut Buyer, wish: Wish) -> Option<usize> {
    victim.prepare(wish).ok()?
}

/// Waits until a call is where it is to be; `false` where it never will be.
fn came(reached: &Receiver<()>, is_over: impl Fn() -> bool) -> bool {
    const LOOK_EVERY: Duration = Duration::from_millis(20);
    let end = Instant::now() + PATIENCE;
    loop {
        match reached.recv_timeout(LOOK_EVERY) {
            Ok(()) => return true,
            Err(RecvTimeoutError::Timeout) if is_over() || Instant::now() > end => return false,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// Waits until a charge is in a state.
pub(crate) fn becomes(victim: &mut Buyer, order: &str, status: &str) {
    let ask = Ask::get(format!("/api/payments/{order}"), &victim.token);
    until(status, || match victim.send(&ask) {
        Ok(answer) => answer.body["status"] == status,
        Err(Gone) => true,
    });
}
