//! The auditor against servers that break a promise each: it has to catch every one of them, and to
//! find nothing in the honest one.

use crate::shop::{Fault, Shop};
use crate::tester::{Ran, run};

const HALL: [&str; 8] =
    ["--sections", "1", "--rows", "5", "--seats-per-row", "20", "--users", "400"];
const SALE: [&str; 12] = [
    "--duration",
    "4",
    "--rate",
    "40",
    "--think",
    "0.1",
    "--threshold",
    "5",
    "--give-up",
    "0",
    "--patience",
    "30",
];

fn sale(fault: Fault) -> Ran {
    let shop = Shop::open(fault);
    run("on-sale", &shop.url(), &[HALL.as_slice(), &SALE].concat())
}

fn caught(ran: Ran, what: &str) {
    let ran = ran.ended(1);
    let findings = ran.findings();
    assert!(findings.iter().any(|finding| finding.contains(what)), "{what}: {findings:?}");
    assert!(ran.stdout.contains("FOUND"), "{}", ran.stdout);
    assert!(ran.report.contains("This run did not hold"));
}

#[test]
fn an_honest_shop() {
    let ran = sale(Fault::None).ended(0);
    assert_eq!(ran.findings(), [""; 0]);
    assert!(ran.number("/audit/paid") > 0.0 && ran.number("/audit/waited") > 0.0);
    assert_eq!(ran.number("/failed"), 0.0, "{}", ran.stdout);
}

#[test]
fn a_seat_sold_twice() {
    let shop = Shop::open(Fault::SellsTwice);
    let flags = ["--duration", "3", "--rate", "50", "--hot", "10"];
    caught(run("hot-seats", &shop.url(), &[HALL.as_slice(), &flags].concat()), "was sold to");
}

#[test]
fn an_acknowledged_sale_that_is_missing() {
    caught(sale(Fault::Forgets), "is missing");
}

#[test]
fn a_payment_that_was_not_kept() {
    caught(sale(Fault::DropsPayments), "is pending/pending");
}

#[test]
fn sums_that_differ() {
    caught(sale(Fault::Overcharges), "were paid");
}

#[test]
fn somebody_let_in_out_of_turn() {
    caught(sale(Fault::AdmitsOutOfTurn), "let in while one ahead still waited");
}
