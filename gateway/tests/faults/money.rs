//! `kill -9` at every point of a payment: before the intent, between intent and call, during the
//! call, after it, before the outcome, after it. The provider is a sandbox that outlives the
//! gateways and goes wrong by the seed; after each life our books are held against its own.
//!
//! A point is reached by what can be seen from outside: half a request was sent, the provider has a
//! call or holds its answer back, an answer came. Nothing is slept for.

mod books;
mod buyer;
mod charges;
mod gate;
mod provider;
mod sale;
mod strike;

use std::path::Path;
use std::sync::Arc;

use serde_json::json;
use tiketi_engine::journal::{Journal, Pending, Purpose};
use tiketi_engine::record::{CaptureOutcome, Record};

use crate::http::Ask;
use crate::launch::{Launch, Server};
use crate::money::buyer::Buyer;
use crate::money::provider::Provider;
use crate::money::sale::{Told, Wish};
use crate::money::strike::{Deed, Hits, Point, Strike};
use crate::random::Random;
use crate::shop::{Plan, Positions, Shop, admin};
use crate::{check, machine};

/// Directories, and lives of each: a schedule is a life.
const DIRECTORIES: usize = 8;
const LIVES: usize = 26;
const BUYERS: usize = 4;
/// What the others do while one is struck.
const ERRANDS: usize = 3;
/// How often each point must have been hit, of the thirty-four times that it is aimed at.
const HITS_MIN: u32 = 20;

#[test]
fn kill_9_takes_nobodys_money_and_gives_no_seat_for_none() {
    let _turn = machine::turn();
    let mut random = Random::seeded("money");
    let mut hits = Hits::new();
    let (mut schedules, mut payments) = (0, 0);
    for directory in 0..machine::scaled(DIRECTORIES) {
        let seed = random.next();
        let dir = tempfile::tempdir().expect("directory");
        let mut market = Market::open(&dir.path().join("data"), seed);
        for life in 0..LIVES {
            let when = format!("money, directory {directory} of seed {seed}, life {life}");
            market.live(Point::ALL[life % Point::ALL.len()], &when, &mut hits);
            schedules += 1;
        }
        payments += market.close(&format!("money, directory {directory} of seed {seed}"));
    }
    eprintln!("money: {schedules} schedules, {payments} payments, hits {hits:?}");
    for point in Point::ALL {
        let of_point = |deed: Deed| hits.get(&(point, deed)).copied().unwrap_or(0);
        let all = of_point(Deed::Capture) + of_point(Deed::Refund) + of_point(Deed::Deposit);
        assert!(all >= HITS_MIN, "{point:?} was hit {all} times");
        assert!(of_point(Deed::Capture) > 0 && of_point(Deed::Refund) > 0, "{point:?}: {hits:?}");
    }
}

/// The bank takes a deposit back, and the process dies between the two records of it.
#[test]
fn a_process_that_dies_in_a_reversal_leaves_no_seat_without_its_money() {
    let _turn = machine::turn();
    let dir = tempfile::tempdir().expect("directory");
    let mut market = Market::open(&dir.path().join("data"), 1);
    let server = market.start("a reversal");
    let buyer = &mut market.buyers[0];
    let sale = buyer.prepare(Wish::Account).expect("served").expect("prepared");
    buyer.confirm(sale).expect("served");
    buyer.deposit(sale);
    let order = buyer.sales[sale].order_id.clone();
    strike::becomes(buyer, &order, "paid");
    server.kill();
    market.provider.tell(None);
    let taken_back = json!({"orderId": order, "event": "reversal"});
    assert_eq!(market.provider.switch("deposit", taken_back)["done"], true);
    strike::at_rest(&market.data, market.store, |opened| {
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

/// An event, its buyers and their provider, over one data directory.
struct Market {
    provider: Arc<Provider>,
    launch: Launch,
    data: std::path::PathBuf,
    store: &'static str,
    random: Random,
    admin: String,
    event: String,
    buyers: Vec<Buyer>,
    /// Between two lives.
    server: Option<Server>,
}

impl Market {
    fn open(data: &Path, seed: u64) -> Market {
        let mut random = Random::new(seed);
        let provider = Arc::new(Provider::open());
        // What nobody could find out about the provider is one way or the other.
        for (question, answers) in [
            ("3", ["replayed", "refused"]),
            ("4", ["429", "403"]),
            ("7", ["replayed", "executed"]),
            ("8", ["sometimes", "before"]),
        ] {
            provider.switch("questions", json!({question: *random.pick(&answers)}));
        }
        let store = *random.pick(&["sled", "segments"]);
        let launch = provider.launch(data).store(store);
        let launch = if random.one_in(2) { launch.small_generations() } else { launch };
        let server = launch.must_start();
        let plan = Plan { buyers: BUYERS, ..Plan::default() };
        let shop = Shop::open(&server, plan, &Positions::default()).expect("a shop");
        let admin = admin(&mut server.client()).expect("the administrator");
        let buyer = |token: &String| {
            let seed = random.next();
            Buyer::new(token.clone(), &admin, &shop.event, &provider, server.address, seed)
        };
        let buyers = shop.buyers.iter().map(buyer).collect();
        Market {
            provider,
            launch,
            data: data.to_owned(),
            store,
            random,
            admin,
            event: shop.event,
            buyers,
            server: Some(server),
        }
    }

    /// Starts, settles and compares, then works until the blow falls.
    fn live(&mut self, point: Point, when: &str, hits: &mut Hits) {
        let server = self.start(when);
        let victim = self.random.below(BUYERS);
        let strike =
            Strike { provider: &self.provider, data: &self.data, store: self.store, point };
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

    /// A gateway that has found out what became of everything; its books are right.
    fn start(&mut self, when: &str) -> Server {
        let server = match self.server.take() {
            Some(server) => server,
            None => self.launch.must_start(),
        };
        self.provider.tell(Some(server.address));
        for buyer in &mut self.buyers {
            buyer.client = server.client();
        }
        if self.random.one_in(2) {
            // What was on its way to the provider arrives now.
            self.provider.gate.late.notify_waiters();
        }
        self.must_balance(&server, when);
        for buyer in &mut self.buyers {
            buyer.ask_again().expect("the gateway is there");
        }
        self.provider.gate.late.notify_waiters();
        server
    }

    fn must_balance(&mut self, server: &Server, when: &str) {
        let settled = charges::settle(server, &self.admin, &self.provider);
        let checked = settled
            .and_then(|()| books::compare(server, &self.admin, &self.provider, &mut self.buyers));
        if let Err(problems) = checked {
            let stderr = server.process.stderr();
            panic!("{when}: {problems}\nthe gateway said:\n{stderr}");
        }
    }

    /// The event is called off, in the middle of which the gateway dies once more; everybody has all
    /// of the money back. How many payments there were.
    fn close(mut self, when: &str) -> usize {
        let server = self.start(when);
        self.must_balance(&server, when);
        for sale in self.buyers.iter_mut().flat_map(|buyer| &mut buyer.sales) {
            if sale.reservation.is_some() && sale.cancelled != Told::Yes {
                sale.cancelled = Told::Unknown;
            }
        }
        let path = format!("/api/admin/events/{}/cancel", self.event);
        let cancel = Ask::post(path, &self.admin, json!({}));
        server.client().expect(200, &cancel).expect("called off");
        server.kill();
        let server = self.start(when);
        for buyer in &mut self.buyers {
            let charges = charges::charges(&mut server.client(), &self.admin);
            let mine: Vec<String> = buyer.sales.iter().map(|sale| sale.order_id.clone()).collect();
            let waits = |order: &&String| charges[*order].status == "refunding";
            mine.iter().filter(waits).for_each(|order| buyer.give_account(order));
            assert!(buyer.problems.is_empty(), "{when}: {:?}", buyer.problems);
        }
        check::until("deposits go back", || {
            charges::charges(&mut server.client(), &self.admin)
                .values()
                .all(|charge| charge.status != "refunding")
        });
        self.must_balance(&server, when);
        let charges = charges::charges(&mut server.client(), &self.admin);
        let kept = charges.iter().find(|(_, one)| one.reservation.is_some() && one.keeps_money());
        assert!(kept.is_none(), "{when}: called off, and not given back: {kept:?}");
        server.must_stop();
        machine::audit(&self.data);
        self.buyers.iter().map(|buyer| buyer.sales.len()).sum()
    }
}
