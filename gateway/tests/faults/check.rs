//! Compares what a started server says with what its clients were told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::driver::{cancel_request, hold_request, pay_request};
use crate::http::{Answer, Ask, Client};
use crate::launch::Server;
use crate::ledger::{Known, Ledger, Order, UnknownHold, Wanted};
use crate::shop::Shop;

/// The server's instants are whole milliseconds, so what lies between two is known to one.
pub(crate) const CLOCK_GRAIN: Duration = Duration::from_millis(1);

/// An order as the server tells it.
#[derive(Clone, Debug)]
struct Row {
    user: usize,
    number: String,
    total: u64,
    status: String,
    payment_status: String,
    /// Labels of its seats, sorted.
    labels: Vec<String>,
    tickets: u64,
}

impl Row {
    fn standing(&self) -> (&str, &str) {
        (&self.status, &self.payment_status)
    }

    fn is_live(&self) -> bool {
        self.status != "cancelled"
    }
}

/// Compares everything; what got no answer becomes known as far as it can be seen. Changes nothing
/// on the server.
pub(crate) fn compare(server: &Server, shop: &Shop) -> Result<(), String> {
    let mut client = server.client();
    let mut problems = std::mem::take(&mut shop.ledger.lock().unwrap().violations);
    match compare_with(&mut client, shop, &mut problems) {
        Ok(()) if problems.is_empty() => Ok(()),
        Ok(()) => Err(problems.join("\n")),
        Err(error) => Err(format!("{error}\n{}", problems.join("\n"))),
    }
}

/// Compares everything, then asks again for everything that got no answer, twice, with the same
/// keys, and compares again.
pub(crate) fn settle(server: &Server, shop: &Shop) -> Result<(), String> {
    compare(server, shop)?;
    let mut client = server.client();
    let (holds, orders) = {
        let mut ledger = shop.ledger.lock().unwrap();
        let doubtful = ledger.orders.iter().filter(|(_, order)| !order.is_certain());
        let orders: Vec<_> = doubtful.map(|(id, order)| (id.clone(), order.clone())).collect();
        (std::mem::take(&mut ledger.unknown_holds), orders)
    };
    let anything = !holds.is_empty() || !orders.is_empty();
    for hold in holds {
        ask_hold_again(&mut client, shop, &hold)?;
    }
    for (id, order) in orders {
        if let Known::Unknown(key) = &order.paid {
            ask_payment_again(&mut client, shop, &id, order.user, key.as_deref())?;
        }
        if let Known::Unknown(_) = &order.cancelled {
            ask_cancel_again(&mut client, shop, &id, order.user)?;
        }
    }
    if anything { compare(server, shop) } else { Ok(()) }
}

/// As [`compare`] for several; panics with what is wrong.
pub(crate) fn must_hold(server: &Server, shops: &[Arc<Shop>], when: &str) {
    for (index, shop) in shops.iter().enumerate() {
        if let Err(problems) = settle(server, shop) {
            let stderr = server.process.stderr();
            panic!("{when}, event {index}: {problems}\nthe gateway said:\n{stderr}");
        }
    }
}

fn compare_with(
    client: &mut Client,
    shop: &Shop,
    problems: &mut Vec<String>,
) -> Result<(), String> {
    let asked_at = now_ms();
    let mut rows = rows(client, shop)?;
    let answered_at = now_ms();
    let live: Vec<(String, Row)> = rows
        .iter()
        .filter(|(_, row)| row.is_live())
        .map(|(id, row)| (id.clone(), row.clone()))
        .collect();
    let mut ledger = shop.ledger.lock().unwrap();
    let mut expires = false;
    for (id, order) in &ledger.orders {
        expires |= order.expires_at.is_some_and(|at| at < answered_at + 60_000);
        match rows.remove(id) {
            None => problems.push(format!("acknowledged and missing: {id} {order:?}")),
            Some(row) => {
                if let Some(why) = contradiction(order, &row, (asked_at, answered_at)) {
                    problems.push(format!("{why}: {id} {order:?} reads {row:?}"));
                }
            }
        }
    }
    for (id, row) in rows {
        adopt(&mut ledger, &id, &row, problems);
    }
    drop(ledger);
    owners(client, shop, &live, expires, problems)
}

/// Everybody's orders.
fn rows(client: &mut Client, shop: &Shop) -> Result<BTreeMap<String, Row>, String> {
    let mut rows = BTreeMap::new();
    for (user, token) in shop.buyers.iter().enumerate() {
        let mine = client.expect(200, &Ask::get("/api/reservations/my", token))?;
        for row in mine["reservations"].as_array().ok_or("no list")? {
            let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
            let items = row["items"].as_array().ok_or("no items")?;
            let mut labels = Vec::new();
            let mut tickets = 0;
            for item in items {
                match item["ticketTypeName"].as_str() {
                    Some("standing") => tickets += item["quantity"].as_u64().unwrap_or_default(),
                    label => labels.push(label.unwrap_or_default().to_owned()),
                }
            }
            labels.sort();
            let of_row = Row {
                user,
                number: text("reservation_number"),
                total: row["total_amount"].as_u64().unwrap_or_default(),
                status: text("status"),
                payment_status: text("payment_status"),
                labels,
                tickets,
            };
            rows.insert(text("id"), of_row);
        }
    }
    Ok(rows)
}

/// What an order may not read as, given what its buyer was told.
fn contradiction(order: &Order, row: &Row, (asked_at, answered_at): (u64, u64)) -> Option<String> {
    let is_same = (order.user, &order.number, order.total, &order.labels, order.tickets)
        == (row.user, &row.number, row.total, &row.labels, row.tickets);
    if !is_same {
        return Some("another order than the acknowledged one".to_owned());
    }
    let held = ("pending", "pending");
    let paid = ("confirmed", "completed");
    let cancelled_unpaid = ("cancelled", "failed");
    let cancelled_paid = ("cancelled", "refunded");
    // Both clocks are this machine's; the allowance is for its adjustments.
    const ADJUSTED_MS: u64 = 1_000;
    let may_be_over = order.expires_at.is_some_and(|at| at <= answered_at + ADJUSTED_MS);
    let must_be_over = order.expires_at.is_some_and(|at| at + ADJUSTED_MS < asked_at);
    let standing = row.standing();
    let maybe_paid = !matches!(order.paid, Known::No);
    let surely_paid = order.paid == Known::Yes;
    let maybe_cancelled = order.cancelled != Known::No;
    let surely_cancelled = order.cancelled == Known::Yes;
    let legal = (standing == held && !surely_paid && !surely_cancelled && !must_be_over)
        || (standing == paid && maybe_paid && !surely_cancelled)
        || (standing == cancelled_unpaid && !surely_paid && (maybe_cancelled || may_be_over))
        || (standing == cancelled_paid && maybe_paid && maybe_cancelled);
    (!legal).then(|| "not a state that may follow the acknowledged one".to_owned())
}

/// An order that nobody was told of: one of the holds without an answer, or a mistake.
fn adopt(ledger: &mut Ledger, id: &str, row: &Row, problems: &mut Vec<String>) {
    let is_it = |hold: &&mut UnknownHold| {
        let wanted = match &hold.wanted {
            Wanted::Seats(seats) => {
                let mut labels: Vec<_> = seats.iter().map(|(_, label)| label.clone()).collect();
                labels.sort();
                labels == row.labels
            }
            Wanted::Best(count) => row.labels.len() == *count,
            Wanted::Tickets(count) => row.labels.is_empty() && row.tickets == *count,
        };
        hold.user == row.user && hold.became.is_none() && wanted
    };
    if row.standing() != ("pending", "pending") && row.standing() != ("cancelled", "failed") {
        problems.push(format!("an order nobody was told of is past its hold: {id} {row:?}"));
    }
    match ledger.unknown_holds.iter_mut().find(is_it) {
        Some(hold) => hold.became = Some(id.to_owned()),
        None => problems.push(format!("an order that nobody asked for: {id} {row:?}")),
    }
}

/// No seat has two owners, and the map says what the orders say.
fn owners(
    client: &mut Client,
    shop: &Shop,
    live: &[(String, Row)],
    expires: bool,
    problems: &mut Vec<String>,
) -> Result<(), String> {
    let mut owners: BTreeMap<&str, (&str, &Row)> = BTreeMap::new();
    for (id, row) in live {
        for label in &row.labels {
            if let Some((other, _)) = owners.insert(label, (id, row)) {
                problems.push(format!("{label} belongs to {other} and to {id}"));
            }
        }
    }
    if expires {
        // Holds may end between one answer and the next.
        return Ok(());
    }
    let map = client.expect(200, &Ask::get(format!("/api/seats/events/{}", shop.event), ""))?;
    let seats = map["seats"].as_array().ok_or("no seats")?;
    if seats.len() != shop.seats.len() {
        problems.push(format!("the map has {} of {} seats", seats.len(), shop.seats.len()));
    }
    for seat in seats {
        let label = seat["seat_label"].as_str().unwrap_or_default();
        let expected = match owners.get(label) {
            None => "available",
            Some((_, row)) if row.status == "confirmed" => "reserved",
            Some(_) => "locked",
        };
        if seat["status"] != expected {
            problems.push(format!(
                "{label} is {} on the map and {expected} by its orders ({:?})",
                seat["status"],
                owners.get(label)
            ));
        }
    }
    let claimed: u64 = live.iter().map(|(_, row)| row.tickets).sum();
    let path = format!("/api/tickets/availability/{}", shop.ticket_type);
    let left = client.expect(200, &Ask::get(path, ""))?;
    if left["available_quantity"].as_u64() != Some(shop.tickets - claimed) {
        problems.push(format!(
            "{claimed} of {} tickets are claimed, and left are {left}",
            shop.tickets
        ));
    }
    Ok(())
}

fn twice(client: &mut Client, ask: &Ask) -> Result<(Answer, Answer), String> {
    Ok((client.must(ask)?, client.must(ask)?))
}

fn ask_hold_again(client: &mut Client, shop: &Shop, hold: &UnknownHold) -> Result<(), String> {
    let token = &shop.buyers[hold.user];
    let ask = hold_request(shop, token, &hold.wanted).key(&hold.key);
    let (first, second) = twice(client, &ask)?;
    let told = |what: &str| Err(format!("{what}: {hold:?} asked again: {first:?} and {second:?}"));
    let id = |answer: &Answer| answer.body["reservation"]["id"].as_str().map(str::to_owned);
    match (first.status, second.status) {
        (201, 201) if id(&first) != id(&second) => told("one key, two orders"),
        (201, 201) => {
            if hold.became.is_some() && hold.became != id(&first) {
                return told("the key gives another order than the one it made");
            }
            let reservation = &first.body["reservation"];
            shop.ledger.lock().unwrap().held(hold.user, &hold.wanted, reservation);
            Ok(())
        }
        // It was never made, and the client has held the same seats since.
        (200, 200) if hold.became.is_none() && id(&first) == id(&second) => Ok(()),
        // Somebody else has the seats, and it was never made. A full disk takes no new hold.
        (400, 400) if hold.became.is_none() && first.code() == second.code() => Ok(()),
        (503, 503) if hold.became.is_none() => Ok(()),
        _ => told("inconsistent"),
    }
}

fn ask_payment_again(
    client: &mut Client,
    shop: &Shop,
    id: &str,
    user: usize,
    key: Option<&str>,
) -> Result<(), String> {
    let token = &shop.buyers[user];
    let mut ask = pay_request(token, id);
    ask.key = key.map(str::to_owned);
    let before = standing(client, token, id)?;
    let (first, second) = twice(client, &ask)?;
    let paid = match (first.status, second.status) {
        (200, 200) if first.body["payment"] == second.body["payment"] => true,
        (400, 400) if before.0 != "confirmed" && first.code() == second.code() => false,
        _ => {
            return Err(format!(
                "{id} read {before:?}; its payment asked again: {first:?} and {second:?}"
            ));
        }
    };
    let mut ledger = shop.ledger.lock().unwrap();
    ledger.count(format!("payment asked again {}", first.status));
    let order = ledger.orders.get_mut(id).ok_or("an unknown order")?;
    order.paid = if paid { Known::Yes } else { Known::No };
    Ok(())
}

fn ask_cancel_again(client: &mut Client, shop: &Shop, id: &str, user: usize) -> Result<(), String> {
    let token = &shop.buyers[user];
    let before = standing(client, token, id)?;
    let (first, second) = twice(client, &cancel_request(token, id))?;
    let over = ["ALREADY_CANCELLED", "HOLD_EXPIRED"];
    let first_fits = match before.0.as_str() {
        "cancelled" => first.status == 400 && over.contains(&first.code()),
        _ => first.status == 200,
    };
    if !first_fits || second.status != 400 || !over.contains(&second.code()) {
        return Err(format!(
            "{id} read {before:?}; its cancellation asked again: {first:?} and {second:?}"
        ));
    }
    let mut ledger = shop.ledger.lock().unwrap();
    ledger.orders.get_mut(id).ok_or("an unknown order")?.cancelled = Known::Yes;
    Ok(())
}

/// `status` and `payment_status` of an order.
pub(crate) fn standing(
    client: &mut Client,
    token: &str,
    id: &str,
) -> Result<(String, String), String> {
    let answer = client.expect(200, &Ask::get(format!("/api/reservations/{id}"), token))?;
    let reservation = &answer["reservation"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Ok((text(&reservation["status"]), text(&reservation["payment_status"])))
}

pub(crate) fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as u64)
}

/// Asks until it is so. The bound only ends a test that has failed.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + Duration::from_secs(60);
    while !is_so() {
        assert!(std::time::Instant::now() < end, "still not so after a minute: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
