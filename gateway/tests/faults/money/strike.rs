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

use crate::check::until;
use crate::http::Ask;
use crate::launch::{PATIENCE, Server};
use crate::money::buyer::{Buyer, Gone};
use crate::money::gate::{Call, Step};
use crate::money::losses::now_at;
use crate::money::provider::Provider;
use crate::money::sale::{Sale, Told, Wish};
use crate::money::unasked::Unasked;

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
    /// A seat or ticket goes back singly.
    Part,
    Deposit,
    /// An order is cancelled whose deposit is awaited.
    Close,
    /// The provider acts of itself.
    Unasked,
}

impl Deed {
    pub(crate) const ALL: [Deed; 6] =
        [Deed::Capture, Deed::Refund, Deed::Part, Deed::Deposit, Deed::Close, Deed::Unasked];
}

/// How often each was hit.
pub(crate) type Hits = BTreeMap<(Point, Deed), u32>;

/// What a gateway is killed in, and what is known then.
pub(crate) struct Strike<'a> {
    pub(crate) provider: &'a Arc<Provider>,
    pub(crate) data: &'a Path,
    pub(crate) store: &'a str,
    pub(crate) point: Point,
    /// How much the gateway's clock is ahead of ours.
    pub(crate) ahead_ms: u64,
}

impl Strike<'_> {
    /// Has the victim do something, and kills the gateway at the point. What was hit; `None` where the
    /// deed was over before it came there.
    pub(crate) fn fall(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        match victim.random.below(12) {
            0..4 => self.capture(server, victim),
            4..6 => self.refund(server, victim),
            6..8 => self.part(server, victim),
            8 => self.deposit(server, victim),
            9 => self.close(server, victim),
            _ => self.unasked(server, victim),
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
        if victim.random.one_in(3) {
            victim.open_windows(sale);
        }
        let Sale { order_id, card, key, house, .. } = victim.sales[sale].clone();
        match self.point.step() {
            Some(_) if card == 0 => {
                server.kill();
                self.log_intent(&order_id);
                victim.sales[sale].confirmed = Told::Unknown;
                victim.sales[sale].is_intended = true;
            }
            Some(step) => {
                if step == Step::AtWork {
                    let delay = json!({"delayMs": victim.random.between(1, 150)});
                    let (capture, _) = victim.sales[sale].calls();
                    self.provider.fault(house, &order_id, capture, &delay);
                }
                let reached = self.provider.gate.hold(Call::Confirm, &key, step);
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
        at_rest(self.data, self.store, self.ahead_ms, |opened| {
            let engine =
                Engine::from_state(&opened.state, Arc::clone(&opened.journal)).expect("engine");
            let index = index_of(order);
            let user = opened.state.ledger().charge(index).expect("a charge").user;
            let begun =
                engine.begin_capture(index, user, "", opened.state.last_at()).expect("begun");
            opened.journal.committed_blocking(begun).expect("durable");
        });
    }

    /// A payment that was made just now.
    fn paid(victim: &mut Buyer, wish: Wish, fits: impl Fn(&Sale) -> bool) -> Option<usize> {
        let sale = prepared(victim, wish)?;
        victim.confirm(sale).ok()?;
        let known = &victim.sales[sale];
        (known.confirmed == Told::Yes && known.card > 0 && fits(known)).then_some(sale)
    }

    fn refund(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        let wish = *victim.random.pick(&[Wish::Card, Wish::Mixed]);
        let sale = Self::paid(victim, wish, |_| true)?;
        let ask = victim.cancellation(sale);
        let is_hit =
            self.give_back(server, victim, sale, &ask, "refunded", |victim| victim.cancel(sale));
        is_hit.then_some(Deed::Refund)
    }

    fn part(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        let wish = *victim.random.pick(&[Wish::Card, Wish::Mixed]);
        let sale = Self::paid(victim, wish, Sale::is_returnable)?;
        let ask = victim.begin_return(sale);
        let is_hit = self.give_back(server, victim, sale, &ask, "partially_refunded", |victim| {
            victim.end_return(sale, &ask)
        });
        is_hit.then_some(Deed::Part)
    }

    /// Kills at the point of a refund. Whether it came there.
    fn give_back(
        &self,
        server: Server,
        victim: &mut Buyer,
        sale: usize,
        ask: &Ask,
        becomes: &str,
        go: impl FnOnce(&mut Buyer) -> Result<(), Gone>,
    ) -> bool {
        let Sale { order_id, key, house, .. } = victim.sales[sale].clone();
        match self.point.step() {
            Some(step) => {
                if step == Step::AtWork {
                    let delay = json!({"delayMs": victim.random.between(1, 150)});
                    let (_, refund) = victim.sales[sale].calls();
                    self.provider.fault(house, &order_id, refund, &delay);
                }
                let reached = self.provider.gate.hold(Call::Cancel, &key, step);
                let is_asked = go(victim).is_ok();
                let is_there = is_asked && came(&reached, || false);
                server.kill();
                is_there
            }
            None if self.point == Point::AfterOutcome => {
                let is_asked = go(victim).is_ok();
                if is_asked {
                    // The provider may take no parts.
                    self::becomes(victim, &order_id, &[becomes, "refund_refused"]);
                }
                server.kill();
                is_asked
            }
            None => {
                victim.client.send_half(ask);
                server.kill();
                true
            }
        }
    }

    /// Money comes to a virtual account, and the provider says so.
    fn deposit(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        let wish = *victim.random.pick(&[Wish::Account, Wish::RechargeByAccount]);
        let sale = prepared(victim, wish)?;
        victim.confirm(sale).ok()?;
        let Sale { order_id, key, .. } = victim.sales[sale].clone();
        let is_hit = self.told(server, victim, &key, (&order_id, &["paid"]), |victim| {
            victim.deposit(sale, true);
            true
        });
        is_hit.then_some(Deed::Deposit)
    }

    /// The provider acts of itself, and says so.
    fn unasked(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        let sale = match victim.random.one_in(3) {
            false => Self::paid(victim, Wish::Card, |_| true)?,
            true => {
                let sale = prepared(victim, Wish::RechargeByAccount)?;
                let order = victim.sales[sale].order_id.clone();
                victim.confirm(sale).ok()?;
                victim.deposit(sale, true);
                becomes(victim, &order, &["paid"]);
                sale
            }
        };
        let Sale { order_id, key, is_account, .. } = victim.sales[sale].clone();
        let what = match (is_account, victim.something(sale)) {
            (true, _) => Unasked::Reversal,
            (false, what @ (Unasked::RefundAll | Unasked::DisputeAll | Unasked::DisputePart)) => {
                what
            }
            (false, _) => Unasked::RefundPart,
        };
        let after =
            ["refunded", "partially_refunded", "disputed", "reversed", "refund_refused", "paid"];
        let after = if what == Unasked::RefundPart { &after[..] } else { &after[..5] };
        let is_hit = self.told(server, victim, &key, (&order_id, after), |victim| {
            victim.befall(sale, what, true)
        });
        is_hit.then_some(Deed::Unasked)
    }

    /// Kills at the point of the question that a message brings about. Whether it came there.
    fn told(
        &self,
        server: Server,
        victim: &mut Buyer,
        key: &str,
        (order, after): (&str, &[&str]),
        go: impl FnOnce(&mut Buyer) -> bool,
    ) -> bool {
        match self.point.step() {
            Some(step) => {
                let reached = self.provider.gate.hold(Call::Query, key, step);
                let is_there = go(victim) && came(&reached, || false);
                server.kill();
                is_there
            }
            None if self.point == Point::AfterOutcome => {
                let is_done = go(victim);
                if is_done {
                    becomes(victim, order, after);
                }
                server.kill();
                is_done
            }
            None => {
                // No gateway hears of it.
                self.provider.tell(None);
                let is_done = go(victim);
                server.kill();
                is_done
            }
        }
    }

    /// An order is cancelled whose deposit is awaited; now and then it comes at that very moment.
    fn close(&self, server: Server, victim: &mut Buyer) -> Option<Deed> {
        let sale = prepared(victim, Wish::Account)?;
        victim.confirm(sale).ok()?;
        let Sale { key, .. } = victim.sales[sale].clone();
        let ask = victim.cancellation(sale);
        match self.point.step() {
            Some(step) => {
                let reached = self.provider.gate.hold(Call::Cancel, &key, step);
                let pays = victim.random.one_in(2);
                let is_there = std::thread::scope(|scope| {
                    let asking = scope.spawn(|| drop(victim.cancel(sale)));
                    let is_there = came(&reached, || asking.is_finished());
                    server.kill();
                    is_there
                });
                if pays {
                    victim.deposit(sale, false);
                }
                is_there.then_some(())?;
            }
            None if self.point == Point::AfterOutcome => {
                let cancelled = victim.cancel(sale);
                server.kill();
                cancelled.ok()?;
            }
            None => {
                victim.client.send_half(&ask);
                server.kill();
            }
        }
        Some(Deed::Close)
    }
}

/// Logs something that a process would have logged before it died.
pub(crate) fn at_rest(data: &Path, store: &str, ahead_ms: u64, log: impl FnOnce(&Opened)) {
    let mut options = Options::new(data);
    options.store = store.parse::<StoreKind>().expect("a store");
    let now = UnixMillis(now_at(ahead_ms));
    let opened = tiketi_persistence::open(&options, now).expect("open");
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

/// Waits until a charge is in one of these states.
pub(crate) fn becomes(victim: &mut Buyer, order: &str, statuses: &[&str]) {
    let ask = Ask::get(format!("/api/payments/{order}"), &victim.token);
    let is_there = |status: Option<&str>| status.is_some_and(|one| statuses.contains(&one));
    until(&format!("{order} becomes {statuses:?}"), || match victim.send(&ask) {
        Ok(answer) => is_there(answer.body["status"].as_str()),
        Err(Gone) => true,
    });
}
