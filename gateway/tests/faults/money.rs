//! `kill -9` at every point of a payment: before the intent, between intent and call, during the
//! call, after it, before the outcome, after it. The providers are sandboxes that outlive the
//! gateways and go wrong by the seed: calls and messages are lost, refunds are taken on and fail,
//! staff give money back in their console, buyers dispute, banks take deposits back. After each life
//! our books are held against theirs.
//!
//! A point is reached by what can be seen from outside: half a request was sent, the provider has a
//! call or holds its answer back, an answer came. Nothing is slept for.
//!
//! What a lost message did not tell is found by a later message about the same payment or, where a
//! life begins a day later by the gateway's clock and the providers', by the comparison of that day.

mod books;
mod buyer;
mod charges;
mod gate;
mod losses;
mod provider;
mod sale;
mod strike;
mod unasked;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tiketi_engine::engine::Engine;
use tiketi_engine::journal::{Journal, Pending, Purpose};
use tiketi_engine::record::{CaptureOutcome, Record};

use crate::clock::FakeClock;
use crate::http::Ask;
use crate::launch::{Launch, Server};
use crate::money::books::Ours;
use crate::money::buyer::{Buyer, Place, Tally};
use crate::money::gate::{Call, Step};
use crate::money::losses::{compare_days, look, now_at, seoul_day};
use crate::money::provider::{House, Provider};
use crate::money::sale::{Told, Wish};
use crate::money::strike::{Deed, Hits, Point, Strike};
use crate::random::Random;
use crate::shop::{Plan, Positions, Shop, admin};
use crate::{check, machine};

/// Directories, and lives of each: a schedule is a life.
const DIRECTORIES: usize = 16;
const LIVES: usize = 25;
const BUYERS: usize = 4;
/// What the others do while one is struck.
const ERRANDS: usize = 4;
/// Lives of a directory that begin a day later, at the most: logins end after seven days.
const DAYS_MAX: u64 = 5;
/// How often each point must have been hit, of the sixty-six times that it is aimed at.
const HITS_MIN: u32 = 36;
/// How often each deed must have been hit.
const DEED_HITS_MIN: u32 = 8;
/// What the schedules together have to have drawn, apart from what is struck.
const BEHAVIOURS: [&str; 26] = [
    "part refunded in the console",
    "part refunded in the console, not told",
    "all refunded in the console",
    "all refunded in the console, not told",
    "a refund failed",
    "a refund failed, not told",
    "a refund was made later",
    "a part disputed",
    "all disputed",
    "a dispute was won",
    "a dispute was won, not told",
    "a dispute was lost",
    "a dispute was lost, not told",
    "a deposit was reversed",
    "a deposit was reversed, not told",
    "a deposit came again",
    "a refund was taken on only",
    "a deposit came, not told",
    "several windows",
    "a strange key",
    "another window's key",
    "cancelled while its deposit came",
    "a part went back",
    "a part was asked for again under its key",
    "a part was refused",
    "ended by an administrator",
];
/// How long messages that are on their way may take.
const ARRIVE_WITHIN: Duration = Duration::from_secs(30);
const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

#[test]
fn kill_9_takes_nobodys_money_and_gives_no_seat_for_none() {
    let _turn = machine::turn();
    let mut random = Random::seeded("money");
    let mut hits = Hits::new();
    let (mut schedules, mut payments, mut days) = (0, 0, 0);
    let mut tally = Tally::new();
    for directory in 0..machine::scaled(DIRECTORIES) {
        let seed = random.next();
        let played = play(seed, LIVES, directory * LIVES, &mut hits);
        schedules += LIVES;
        payments += played.payments;
        days += played.days;
        for (what, times) in played.tally {
            *tally.entry(what).or_default() += times;
        }
    }
    eprintln!("money: {schedules} schedules, {payments} payments, {days} days, hits {hits:?}");
    eprintln!("money: {tally:?}");
    for what in BEHAVIOURS {
        assert!(tally.contains_key(what), "{what} never happened: {tally:?}");
    }
    let count = |fits: &dyn Fn(&(Point, Deed)) -> bool| -> u32 {
        hits.iter().filter(|(hit, _)| fits(hit)).map(|(_, count)| count).sum()
    };
    for point in Point::ALL {
        let all = count(&|hit| hit.0 == point);
        assert!(all >= HITS_MIN, "{point:?} was hit {all} times: {hits:?}");
    }
    for deed in Deed::ALL {
        let all = count(&|hit| hit.1 == deed);
        assert!(all >= DEED_HITS_MIN, "{deed:?} was hit {all} times: {hits:?}");
    }
}

/// Replays the directory of one seed, as the test above names it when it fails.
#[test]
fn one_seed_of_money_is_played_again() {
    let _turn = machine::turn();
    let given = std::env::var("TIKETI_MONEY_SEED").ok().and_then(|seed| seed.parse().ok());
    let lives = if given.is_some() { LIVES } else { Point::ALL.len() };
    let played = play(given.unwrap_or(13), lives, 0, &mut Hits::new());
    assert!(played.payments >= lives);
}

/// What became of a directory.
struct Played {
    payments: usize,
    days: u64,
    tally: Tally,
}

/// So many lives of a new directory, the first of them struck at the point of this number.
fn play(seed: u64, lives: usize, first: usize, hits: &mut Hits) -> Played {
    let began = Instant::now();
    let of_seed = format!("money, TIKETI_MONEY_SEED={seed}");
    let dir = tempfile::tempdir().expect("directory");
    let mut market = Market::open(dir.path(), seed);
    for life in 0..lives {
        let point = Point::ALL[(first + life) % Point::ALL.len()];
        market.live(point, &format!("{of_seed}, life {life}, {point:?}"), hits);
    }
    let days = market.days;
    let (payments, tally) = market.close(&of_seed);
    eprintln!("{of_seed}: {lives} lives, {payments} payments, {days} days, {:?}", began.elapsed());
    Played { payments, days, tally }
}

/// The bank takes a deposit back, and the process dies between the two records of it.
#[test]
fn a_process_that_dies_in_a_reversal_leaves_no_seat_without_its_money() {
    let _turn = machine::turn();
    let dir = tempfile::tempdir().expect("directory");
    let mut market = Market::open(dir.path(), 1);
    let server = market.start("a reversal");
    let buyer = &mut market.buyers[0];
    let sale = buyer.prepare(Wish::Account).expect("served").expect("prepared");
    buyer.confirm(sale).expect("served");
    buyer.deposit(sale, true);
    let order = buyer.sales[sale].order_id.clone();
    strike::becomes(buyer, &order, &["paid"]);
    server.kill();
    market.provider.tell(None);
    let taken_back = json!({"orderId": order, "event": "reversal"});
    assert_eq!(market.provider.switch(House::Toss, "deposit", taken_back)["done"], true);
    strike::at_rest(&market.data, market.store, 0, |opened| {
        let reversed = Record::CaptureEnded {
            charge: strike::index_of(&order),
            outcome: CaptureOutcome::Reversed,
            at: opened.state.last_at(),
        };
        let permit = opened.journal.reserve(Purpose::Completion).expect("room");
        let lsn = opened.journal.append(permit, &reversed);
        opened.journal.committed_blocking(Pending::new((), lsn)).expect("durable");
    });
    // It is the bank that ended it.
    market.buyers[0].sales[sale].cancelled = Told::Unknown;
    let server = market.launch.must_start();
    let ask = Ask::get("/api/reservations/my", &market.buyers[0].token);
    check::until("the order is over", || {
        let mine = server.client().expect(200, &ask).expect("orders");
        mine["reservations"][0]["status"] == "cancelled"
    });
    market.server = Some(server);
    market.close("a reversal");
}

/// Stripe looks at no balance: under another key it would give the same money back again.
#[test]
fn a_refund_that_is_under_way_when_the_process_dies_is_made_once() {
    let _turn = machine::turn();
    let dir = tempfile::tempdir().expect("directory");
    let (mut market, asked) = killed_in_a_refund(dir.path(), 2);
    let server = market.start("a refund under way");
    check::until("the refund is made", || asked.elapsed() > REFUND_MADE_AFTER);
    market.must_balance(&server, "a refund under way");
    market.server = Some(server);
    market.close("a refund under way");
}

/// After a day Stripe has forgotten the key: its balance tells that the call was carried out.
#[test]
fn a_refund_whose_key_is_forgotten_is_made_once() {
    let _turn = machine::turn();
    let dir = tempfile::tempdir().expect("directory");
    let (mut market, asked) = killed_in_a_refund(dir.path(), 3);
    check::until("the refund is made", || asked.elapsed() > REFUND_MADE_AFTER);
    if market.pass_day() {
        market.close("a refund of yesterday");
    }
}

/// A day later nothing waits for the money any more: what its buyer agreed to is let go of, so that
/// a call that is still on its way takes none of it. No message would tell.
#[test]
fn what_is_given_up_after_a_day_cannot_be_captured_any_more() {
    let _turn = machine::turn();
    let dir = tempfile::tempdir().expect("directory");
    let mut market = Market::open(dir.path(), 4);
    let server = market.start("before a capture");
    let buyer = &mut market.buyers[0];
    let sale = buyer.prepare_at(House::Stripe, Wish::Card).expect("served").expect("prepared");
    let sale::Sale { order_id, key, .. } = buyer.sales[sale].clone();
    for _ in 0..9 {
        market.provider.fault(House::Stripe, &order_id, "webhook", &json!("dropBefore"));
    }
    let reached = market.provider.gate.hold(Call::Confirm, &key, Step::Leaving);
    std::thread::scope(|scope| {
        scope.spawn(|| drop(buyer.confirm(sale)));
        reached.recv_timeout(ARRIVE_WITHIN).expect("the money is asked for");
        server.kill();
    });
    market.buyers[0].sales[sale].is_intended = true;
    if market.pass_day() {
        let server = market.launch.must_start();
        let settled = charges::settle(&server, &market.place.admin, &market.provider);
        settled.expect("it is given up");
        market.provider.gate.late.notify_waiters();
        market.server = Some(server);
        market.close("a capture of yesterday");
    }
}

/// Written by a version that took any text for a payment's key: no provider can be asked about it.
#[test]
fn a_payment_with_a_key_that_is_none_has_an_end() {
    let _turn = machine::turn();
    let dir = tempfile::tempdir().expect("directory");
    let mut market = Market::open(dir.path(), 5);
    let server = market.start("before a confirmation");
    let buyer = &mut market.buyers[0];
    let sale = buyer.prepare_at(House::Toss, Wish::Card).expect("served").expect("prepared");
    let order = buyer.sales[sale].order_id.clone();
    server.kill();
    strike::at_rest(&market.data, market.store, 0, |opened| {
        let engine = Engine::from_state(&opened.state, Arc::clone(&opened.journal));
        let engine = engine.expect("engine");
        let index = strike::index_of(&order);
        let user = opened.state.ledger().charge(index).expect("a charge").user;
        let begun = engine.begin_capture(index, user, "a b", opened.state.last_at());
        opened.journal.committed_blocking(begun.expect("begun")).expect("durable");
    });
    market.buyers[0].sales[sale].confirmed = Told::Unknown;
    market.buyers[0].sales[sale].is_intended = true;
    let server = market.start("a key that is none");
    let charges = charges::charges(&mut server.client(), &market.place.admin).expect("a list");
    assert_eq!(charges[&order].status, "failed", "{:?}", charges[&order]);
    market.server = Some(server);
    market.close("a key that is none");
}

/// By then the provider has carried out what [`killed_in_a_refund`] asked for.
const REFUND_MADE_AFTER: Duration = Duration::from_millis(2_500);

/// A process that died while Stripe gave a part back, and when that was asked for.
fn killed_in_a_refund(dir: &Path, seed: u64) -> (Market, Instant) {
    let mut market = Market::open(dir, seed);
    let server = market.start("before a refund");
    let buyer = &mut market.buyers[0];
    // A second refund of a part leaves something.
    let sale = loop {
        let sale = buyer.prepare_at(House::Stripe, Wish::Card).expect("served").expect("prepared");
        if buyer.sales[sale].goods.len() > 2 {
            break sale;
        }
    };
    buyer.confirm(sale).expect("served");
    let sale::Sale { order_id, key, .. } = buyer.sales[sale].clone();
    market.provider.fault(House::Stripe, &order_id, "refund", &json!({"delayMs": 2_000}));
    let reached = market.provider.gate.hold(Call::Cancel, &key, Step::AtWork);
    let ask = buyer.begin_return(sale);
    buyer.end_return(sale, &ask).expect("served");
    reached.recv_timeout(ARRIVE_WITHIN).expect("the refund is asked for");
    let asked = Instant::now();
    server.kill();
    (market, asked)
}

/// An event, its buyers and their providers, over one data directory.
struct Market {
    provider: Arc<Provider>,
    launch: Launch,
    /// What the gateway's clock says; `None` where it cannot be set.
    clock: Option<FakeClock>,
    data: std::path::PathBuf,
    store: &'static str,
    random: Random,
    place: Place,
    buyers: Vec<Buyer>,
    /// How many days it is later than by our clock.
    days: u64,
    /// When by the gateway's clock the day began that is to be compared next.
    compared_at: u64,
    /// Between two lives.
    server: Option<Server>,
}

impl Market {
    fn open(dir: &Path, seed: u64) -> Market {
        let mut random = Random::new(seed);
        let provider = Arc::new(Provider::open());
        // What nobody could find out about the provider is one way or the other.
        for (question, answers) in [
            ("1", &["INVALID_REQUEST", "FORBIDDEN_REQUEST"][..]),
            ("3", &["replayed", "refused"]),
            ("4", &["429", "403"]),
            ("7", &["replayed", "executed"]),
            ("8", &["sometimes", "before"]),
            ("queryByOrder", &["movedLast", "newest", "withMoney"]),
        ] {
            let answer = json!({question: *random.pick(answers)});
            provider.switch(House::Toss, "questions", answer);
        }
        let clock = match FakeClock::find(dir) {
            Ok(clock) => Some(clock),
            Err(why) => {
                machine::skipped("comparisons of days that are over", &why);
                None
            }
        };
        let data = dir.join("data");
        let store = *random.pick(&["sled", "segments"]);
        let launch = provider.launch(&data).store(store).arg("--deposit-due-max").arg("72h");
        let launch = if random.one_in(2) { launch.small_generations() } else { launch };
        let launch = clock.as_ref().map_or_else(|| launch.clone(), |clock| clock.on(&launch));
        let server = launch.must_start();
        let plan = Plan { buyers: BUYERS, ..Plan::default() };
        let shop = Shop::open(&server, plan, &Positions::default()).expect("a shop");
        let place = Place {
            admin: admin(&mut server.client()).expect("the administrator"),
            event: shop.event,
            ticket_type: shop.ticket_type,
            provider: Arc::clone(&provider),
        };
        let buyer = |token: &String| {
            let seed = random.next();
            Buyer::new(token.clone(), place.clone(), server.address, seed)
        };
        let buyers = shop.buyers.iter().map(buyer).collect();
        Market {
            provider,
            launch,
            clock,
            data,
            store,
            random,
            place,
            buyers,
            days: 0,
            compared_at: now_at(0),
            server: Some(server),
        }
    }

    /// Starts, settles and compares, then works until the blow falls.
    fn live(&mut self, point: Point, when: &str, hits: &mut Hits) {
        let server = self.start(when);
        if self.random.one_in(4) {
            // Without a kill: what was told is heard.
            self.errands();
            look(&mut self.buyers, false);
            self.must_balance(&server, &format!("{when}, before the kill"));
        }
        let victim = self.random.below(BUYERS);
        let strike = Strike {
            provider: &self.provider,
            data: &self.data,
            store: self.store,
            point,
            ahead_ms: self.days * DAY_MS,
        };
        let hit = std::thread::scope(|scope| {
            let mut victims = None;
            for (place, buyer) in self.buyers.iter_mut().enumerate() {
                match place == victim {
                    true => victims = Some(buyer),
                    false => drop(scope.spawn(|| buyer.shop(ERRANDS))),
                }
            }
            let victim = victims.expect("one of them");
            victim.shop(1);
            strike.fall(server, victim)
        });
        self.provider.gate.clear();
        self.provider.tell(None);
        if let Some(deed) = hit {
            *hits.entry((point, deed)).or_default() += 1;
        }
    }

    fn errands(&mut self) {
        std::thread::scope(|scope| {
            for buyer in &mut self.buyers {
                scope.spawn(|| buyer.shop(ERRANDS));
            }
        });
    }

    /// Now and then the next life begins a day later. Whether it does.
    fn turn_day(&mut self) -> bool {
        self.days < DAYS_MAX && self.random.one_in(4) && self.pass_day()
    }

    /// Between two lives; whether the clock can be set.
    fn pass_day(&mut self) -> bool {
        let Some(clock) = &self.clock else { return false };
        // No call takes a day: its key would be forgotten while it is under way.
        check::until("the provider has done what it was at", || !self.provider.gate.is_at_work());
        self.days += 1;
        self.provider.advance(DAY_MS);
        clock.set((self.days * DAY_MS / 1_000) as i64);
        true
    }

    /// A gateway that has found out what became of everything; its books are right.
    fn start(&mut self, when: &str) -> Server {
        let (server, is_next_day) = match self.server.take() {
            Some(server) => (server, false),
            None => {
                let is_next_day = self.turn_day();
                (self.launch.must_start(), is_next_day)
            }
        };
        self.provider.tell(Some(server.address));
        for buyer in &mut self.buyers {
            buyer.client = server.client();
        }
        if self.random.one_in(2) {
            // What was on its way to the provider arrives now.
            self.provider.gate.late.notify_waiters();
        }
        // What was cut off comes to its end first: an answer that a provider repeats says nothing of
        // what became of it since.
        let settled = charges::settle(&server, &self.place.admin, &self.provider);
        settled.unwrap_or_else(|problem| panic!("{when}: {problem}"));
        match is_next_day {
            true => self.compare_days(&server, when),
            false => look(&mut self.buyers, true),
        }
        self.must_balance(&server, when);
        for buyer in &mut self.buyers {
            if is_next_day {
                buyer.look_up_returns().expect("the gateway is there");
            }
            buyer.ask_again().expect("the gateway is there");
        }
        self.provider.gate.late.notify_waiters();
        server
    }

    /// What no message told of since the last comparison is found in the providers' lists.
    fn compare_days(&mut self, server: &Server, when: &str) {
        let now = now_at(self.days * DAY_MS);
        let today = seoul_day(now, 0);
        let days = (0..).map(|days| seoul_day(self.compared_at, days));
        let days: Vec<String> = days.take_while(|day| *day != today).collect();
        let compared = compare_days(&mut server.client(), &self.place.admin, days);
        if let Err(problem) = compared {
            panic!("{when}: {problem}\nthe gateway said:\n{}", server.process.stderr());
        }
        self.compared_at = now;
        losses::forget(&mut self.buyers);
    }

    fn must_balance(&mut self, server: &Server, when: &str) {
        let end = Instant::now() + ARRIVE_WITHIN;
        let ours = Ours { admin: &self.place.admin, event: &self.place.event };
        loop {
            let settled = charges::settle(server, &self.place.admin, &self.provider);
            let checked = settled
                .and_then(|()| books::compare(server, &ours, &self.provider, &mut self.buyers));
            match checked {
                Ok(()) => return,
                // Messages are on their way.
                Err(_) if Instant::now() < end => std::thread::sleep(Duration::from_millis(50)),
                Err(problems) => {
                    let stderr = server.process.stderr();
                    panic!("{when}: {problems}\nthe gateway said:\n{stderr}");
                }
            }
        }
    }

    /// The event is called off, in the middle of which the gateway dies once more; every buyer has all
    /// of the money back. How many payments there were, and what befell them.
    fn close(mut self, when: &str) -> (usize, Tally) {
        let server = self.start(when);
        self.must_balance(&server, when);
        for buyer in &mut self.buyers {
            buyer.decide_disputes();
        }
        for sale in self.buyers.iter_mut().flat_map(|buyer| &mut buyer.sales) {
            if sale.reservation.is_some() && sale.cancelled != Told::Yes {
                sale.cancelled = Told::Unknown;
            }
        }
        let path = format!("/api/admin/events/{}/cancel", self.place.event);
        let cancel = Ask::post(path, &self.place.admin, json!({}));
        server.client().expect(200, &cancel).expect("called off");
        server.kill();
        let server = self.start(when);
        for buyer in &mut self.buyers {
            for sale in 0..buyer.sales.len() {
                let known = &buyer.sales[sale];
                if known.deposited && known.reservation.is_some() {
                    buyer.give_account(sale).expect("the gateway is there");
                }
            }
        }
        self.must_balance(&server, when);
        self.nothing_is_kept(&server, when);
        server.must_stop();
        machine::audit(&self.data);
        let mut tally = Tally::new();
        for (&what, times) in self.buyers.iter().flat_map(|buyer| &buyer.tally) {
            *tally.entry(what).or_default() += times;
        }
        (self.buyers.iter().map(|buyer| buyer.sales.len()).sum(), tally)
    }

    /// All that was paid for the event is back, or the provider refuses to give it back and an
    /// administrator notes that it was given back by hand: nothing waits any more.
    fn nothing_is_kept(&self, server: &Server, when: &str) {
        let mut client = server.client();
        let admin = &self.place.admin;
        let charges = charges::charges(&mut client, admin).expect("the list of payments");
        for (order, charge) in charges.iter().filter(|(_, one)| one.reservation.is_some()) {
            let left = self.provider.books(Some(order)).of(order).left();
            assert_eq!(left, charge.refused, "{when}: called off, and kept: {order} {charge:?}");
            if charge.refused > 0 {
                let path = format!("/api/admin/payments/{order}/refunded-by-hand");
                let ended = client.expect(200, &Ask::post(path, admin, json!({})));
                let payment = &ended.expect("noted")["payment"];
                assert!(payment["waiting"].is_null(), "{when}: still waits: {payment}");
            }
        }
    }
}
