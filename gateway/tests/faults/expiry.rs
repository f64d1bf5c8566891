//! A hold's end racing its payment: exactly one of them wins.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::check::{CLOCK_GRAIN, compare, standing, until};
use crate::driver::{hold_request, pay_request};
use crate::http::Client;
use crate::launch::Launch;
use crate::ledger::{Known, Wanted};
use crate::machine;
use crate::random::Random;
use crate::shop::{Plan, Positions, Shop};

/// The shortest life a hold can have.
const TTL: Duration = Duration::from_secs(1);
/// What the provider takes: payments begun in time end after the deadline.
const PROVIDER: Duration = Duration::from_millis(30);
const BUYERS: usize = 4;

/// Every way that a round can end; all must be seen.
const OUTCOMES: [&str; 3] = ["paid", "expired", "taken"];

/// What a round ended with, by how often.
type Outcomes = Mutex<HashMap<&'static str, usize>>;

#[test]
fn expiry_and_payment_have_one_winner() {
    let mut random = Random::seeded("expiry");
    let dir = tempfile::tempdir().expect("directory");
    let data = dir.path().join("data");
    let launch = Launch::new(&data);
    let delay = format!("{}ms", PROVIDER.as_millis());
    let server = launch.clone().arg("--sandbox-delay").arg(delay).must_start();
    // Few seats, so that what one buyer loses is taken by the next at once.
    let plan = Plan { rows: 2, seats_per_row: 8, hold_ttl_s: TTL.as_secs(), buyers: BUYERS };
    let shop = Arc::new(Shop::open(&server, plan, &Positions::default()).expect("shop"));
    let outcomes = Arc::new(Outcomes::default());
    let rounds = machine::scaled(12);
    let threads: Vec<_> = (0..BUYERS)
        .flat_map(|user| [user, user, user])
        .map(|user| {
            let mut racer = Racer {
                client: server.client(),
                shop: Arc::clone(&shop),
                user,
                random: Random::new(random.next()),
                outcomes: Arc::clone(&outcomes),
            };
            std::thread::spawn(move || {
                // A machine may be so slow that one of them wins for long.
                for round in 0..10 * rounds {
                    if round >= rounds && racer.has_seen_all() {
                        break;
                    }
                    racer.round(round);
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("a racer panicked");
    }
    until("the last holds have ended", || {
        let ledger = shop.ledger.lock().unwrap();
        let now = crate::check::now_ms();
        ledger.orders.values().all(|order| order.expires_at.is_none_or(|at| at + 100 < now))
    });
    compare(&server, &shop).expect("every sale stands, and no seat is sold twice");
    server.must_stop();
    let server = launch.must_start();
    compare(&server, &shop).expect("so it does after a restart");
    server.must_stop();
    machine::audit(&data);
    let outcomes = outcomes.lock().unwrap();
    eprintln!("expiry: {outcomes:?}");
    for outcome in OUTCOMES {
        assert!(outcomes.contains_key(outcome), "it never came to {outcome:?}: {outcomes:?}");
    }
}

struct Racer {
    client: Client,
    shop: Arc<Shop>,
    user: usize,
    random: Random,
    outcomes: Arc<Outcomes>,
}

impl Racer {
    /// Holds a seat and pays for it around its deadline.
    fn round(&mut self, round: usize) {
        let token = self.shop.buyers[self.user].clone();
        let seat = self.random.below(self.shop.seats.len());
        let wanted = Wanted::Seats(vec![self.shop.seats[seat].clone()]);
        let held_from = Instant::now();
        let answer = self.client.must(&hold_request(&self.shop, &token, &wanted)).expect("answer");
        // Another's, or the racer's own that was left to end.
        if answer.status == 400 || answer.body["alreadyYours"] == true {
            assert!(matches!(answer.code(), "SEAT_UNAVAILABLE" | ""), "{answer:?}");
            self.count("taken");
            return std::thread::sleep(Duration::from_millis(self.random.below(200) as u64));
        }
        assert_eq!(answer.status, 201, "{answer:?}");
        let reservation = &answer.body["reservation"];
        let id = self.shop.ledger.lock().unwrap().held(self.user, &wanted, reservation);
        if round % 3 == 2 {
            // Left to end.
            return;
        }
        // From well before the deadline to shortly after it.
        let pay_after = TTL.saturating_sub(Duration::from_millis(60))
            + Duration::from_millis(self.random.below(90) as u64);
        std::thread::sleep(pay_after.saturating_sub(held_from.elapsed()));
        let sent_after = held_from.elapsed();
        let answer = self.client.must(&pay_request(&token, &id)).expect("answer");
        let now = standing(&mut self.client, &token, &id).expect("standing");
        let now = (now.0.as_str(), now.1.as_str());
        match (answer.status, answer.code()) {
            (200, _) => {
                self.count("paid");
                assert_eq!(now, ("confirmed", "completed"), "{id} was paid");
                let mut ledger = self.shop.ledger.lock().unwrap();
                ledger.orders.get_mut(&id).expect("order").paid = Known::Yes;
            }
            (400, "HOLD_EXPIRED") => {
                self.count("expired");
                assert_eq!(now, ("cancelled", "failed"), "{id} was refused");
                // Measured from before the hold was asked for, so never too short.
                let refused_after = held_from.elapsed();
                assert!(
                    refused_after + CLOCK_GRAIN > TTL,
                    "refused after {refused_after:?}, asked at {sent_after:?}"
                );
            }
            _ => panic!("{id}, paid after {sent_after:?}: {answer:?}"),
        }
    }

    fn has_seen_all(&self) -> bool {
        let outcomes = self.outcomes.lock().unwrap();
        OUTCOMES.iter().all(|outcome| outcomes.contains_key(outcome))
    }

    fn count(&self, outcome: &'static str) {
        *self.outcomes.lock().unwrap().entry(outcome).or_default() += 1;
    }
}
