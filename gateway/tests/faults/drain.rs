//! SIGTERM in the middle of requests: they are answered, and what was answered stays.

use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::json;

use crate::check::{must_hold, standing, until};
use crate::driver::{Drivers, hold_request, pay_request};
use crate::http::Ask;
use crate::launch::Launch;
use crate::ledger::{Known, Wanted};
use crate::machine;
use crate::random::Random;
use crate::shop::{Plan, Positions, Shop, admin};

/// Payments that are with the provider when the signal comes.
const PAYMENTS: usize = 8;

#[test]
fn slow_payments_are_answered_before_the_end() {
    let dir = tempfile::tempdir().expect("directory");
    let data = dir.path().join("data");
    let launch = Launch::new(&data);
    let server = launch.clone().arg("--sandbox-delay").arg("3s").must_start();
    let shop = Shop::open(&server, Plan::default(), &Positions::default()).expect("shop");
    let shop = Arc::new(shop);
    let mut client = server.client();
    let mut orders = Vec::new();
    for place in 0..PAYMENTS {
        let wanted = Wanted::Seats(vec![shop.seats[place].clone()]);
        let ask = hold_request(&shop, &shop.buyers[0], &wanted).key(&format!("hold {place}"));
        let answer = client.must(&ask).expect("held");
        let held = &answer.body["reservation"];
        orders.push(shop.ledger.lock().unwrap().held(0, &wanted, held));
    }
    let payments: Vec<_> = orders
        .iter()
        .map(|id| {
            let (mut client, ask) = (server.client(), pay_request(&shop.buyers[0], id));
            std::thread::spawn(move || client.must(&ask))
        })
        .collect();
    // All are with the provider, and the one that came last cannot be through yet: it takes 3 s.
    let token = admin(&mut client).expect("admin");
    until("every payment is under way", || {
        orders.iter().all(|id| {
            let order = client.expect(200, &Ask::get(format!("/api/admin/orders/{id}"), &token));
            order.is_ok_and(|order| order["order"]["state"] != "held")
        })
    });
    let ended = server.stop();
    assert!(ended.status.success(), "{ended}");
    for (payment, id) in payments.into_iter().zip(&orders) {
        let answer = payment.join().expect("thread").expect("an answer before the end");
        assert_eq!((answer.status, &answer.body["success"]), (200, &json!(true)), "{answer:?}");
        shop.ledger.lock().unwrap().orders.get_mut(id).expect("order").paid = Known::Yes;
    }
    let server = launch.must_start();
    must_hold(&server, std::slice::from_ref(&shop), "after the drain");
    for id in &orders {
        let now = standing(&mut server.client(), &shop.buyers[0], id).expect("standing");
        assert_eq!(now, ("confirmed".to_owned(), "completed".to_owned()));
    }
    server.must_stop();
    machine::audit(&data);
}

/// Many stops under load: complete answers or none, the exit code of an orderly end, nothing lost.
#[test]
fn stops_under_load_lose_nothing() {
    let mut random = Random::seeded("drain");
    let dir = tempfile::tempdir().expect("directory");
    let data = dir.path().join("data");
    let launch = Launch::new(&data);
    let positions = Positions::default();
    let mut shop = None;
    for cycle in 0..machine::scaled(15) {
        let mut server = launch.must_start();
        let shop = shop.get_or_insert_with(|| {
            Arc::new(Shop::open(&server, Plan::default(), &positions).expect("shop"))
        });
        let when = format!("drain, cycle {cycle}");
        must_hold(&server, std::slice::from_ref(shop), &when);
        let drivers = Drivers::start(shop, server.address, &mut random);
        sleep(Duration::from_millis(random.between(1, 200) as u64));
        server.process.signal(Signal::TERM);
        let ended = server.process.ended();
        assert!(ended.status.success(), "{when}: {ended}");
        drivers.join();
        let ledger = shop.ledger.lock().unwrap();
        let partial: Vec<_> =
            ledger.answers.keys().filter(|what| what.contains("Partial")).collect();
        assert!(partial.is_empty(), "{when}: answers cut short: {partial:?}");
    }
    let server = launch.must_start();
    must_hold(&server, std::slice::from_ref(&shop.expect("opened")), "drain, at the end");
    server.must_stop();
    machine::audit(&data);
}
