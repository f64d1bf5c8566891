//! Our books, the provider's, and what the buyers were told, held against each other.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::http::{Ask, Client};
use crate::launch::Server;
use crate::money::buyer::Buyer;
use crate::money::charges::{Charge, Taken, charges};
use crate::money::provider::Provider;
use crate::money::sale::{Sale, Told};

/// Everything that is wrong, once all is settled.
pub(crate) fn compare(
    server: &Server,
    admin: &str,
    provider: &Provider,
    buyers: &mut [Buyer],
) -> Result<(), String> {
    let mut client = server.client();
    let books = provider.books();
    let charges = charges(&mut client, admin);
    let mut found = Findings::default();
    let mut standings = BTreeMap::new();
    for buyer in buyers.iter_mut() {
        found.problems.append(&mut buyer.problems);
        orders(&mut client, buyer, &mut standings, &mut found)?;
    }
    for (order, charge) in &charges {
        found.charge(order, charge, Taken::of(&books, order), &standings);
    }
    for buyer in buyers.iter() {
        for sale in &buyer.sales {
            found.promise(sale, charges.get(&sale.order_id), &books, &standings);
        }
        found.points(&mut client, buyer, &charges)?;
    }
    for (id, order) in &standings {
        found.order(id, order, &charges, &books);
    }
    for name in books["orders"].as_object().expect("orders").keys() {
        if !charges.contains_key(name) {
            found.say(format!("the provider has {name}, of which we know nothing"));
        }
    }
    found.totals(&charges, &books);
    if found.problems.is_empty() { Ok(()) } else { Err(found.problems.join("\n")) }
}

/// An order as its buyer reads it.
#[derive(Debug)]
struct Order {
    standing: (String, String),
    total: u64,
}

fn orders(
    client: &mut Client,
    buyer: &Buyer,
    standings: &mut BTreeMap<String, Order>,
    found: &mut Findings,
) -> Result<(), String> {
    let mine = client.expect(200, &Ask::get("/api/reservations/my", &buyer.token))?;
    for row in mine["reservations"].as_array().ok_or("no list")? {
        let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
        let total = row["total_amount"].as_u64().ok_or("no total")?;
        let order = Order { standing: (text("status"), text("payment_status")), total };
        if order.standing.0 != "cancelled" {
            for item in row["items"].as_array().ok_or("no items")? {
                let seat = item["ticketTypeName"].to_string();
                if !found.seats.insert(seat.clone()) {
                    found.say(format!("{seat} has two owners, one of them {}", text("id")));
                }
            }
        }
        standings.insert(text("id"), order);
    }
    Ok(())
}

#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    /// With an owner.
    seats: BTreeSet<String>,
}

impl Findings {
    fn say(&mut self, what: String) {
        self.problems.push(what);
    }

    /// Our word for a charge against what the provider has of it.
    fn charge(
        &mut self,
        name: &str,
        charge: &Charge,
        taken: Taken,
        standings: &BTreeMap<String, Order>,
    ) {
        let standing = charge.reservation.as_ref().and_then(|id| standings.get(id));
        let is_paid = standing.is_none_or(|order| {
            (order.standing.0.as_str(), order.standing.1.as_str()) == ("confirmed", "completed")
        });
        let is_over = standing.is_none_or(|order| order.standing.0 == "cancelled");
        let was_taken = taken.captured == charge.card;
        let has_all = taken.balance == charge.card && was_taken;
        let is_right = match charge.status.as_str() {
            "open" | "expired" | "waiting_for_deposit" | "failed" => taken.captured == 0,
            "paid" => has_all && is_paid,
            "partially_refunded" => taken.balance == charge.pays().0 && was_taken && is_paid,
            "refunded" => taken.balance == 0 && was_taken && is_over,
            "reversed" => taken.balance == 0 && was_taken && is_over,
            "refunding" => charge.is_refused() && has_all && is_over,
            _ => false,
        };
        if !is_right || taken.captures > 1 {
            self.say(format!(
                "{name}: {charge:?} and at the provider {taken:?}, its order {standing:?}"
            ));
        }
    }

    /// What a buyer was told against what is.
    fn promise(
        &mut self,
        sale: &Sale,
        charge: Option<&Charge>,
        books: &Value,
        standings: &BTreeMap<String, Order>,
    ) {
        let Some(charge) = charge else {
            return self.say(format!("acknowledged and missing: {sale:?}"));
        };
        let taken = Taken::of(books, &sale.order_id);
        let status = charge.status.as_str();
        let is_open = matches!(status, "open" | "expired");
        let standing = sale.reservation.as_ref().and_then(|id| standings.get(id));
        let is_cancelled = standing.is_some_and(|order| order.standing.0 == "cancelled");
        let was_asked_to_cancel = matches!(sale.cancelled, Told::Yes | Told::Unknown);
        let fits = match &sale.confirmed {
            Told::Nothing => is_open,
            Told::Yes if was_asked_to_cancel => true,
            Told::Yes => status == "paid" || (sale.has_returned && status == "partially_refunded"),
            Told::No(_) => (is_open || status == "failed") && taken.captures == 0,
            Told::Unknown | Told::Later => true,
        };
        if !fits || (sale.is_intended && is_open) {
            let trail = charge.trail.join(", ");
            self.say(format!("{sale:?} became {charge:?}, at the provider {taken:?}; {trail}"));
        }
        let keeps = taken.balance > 0 && !charge.is_refused();
        if sale.cancelled == Told::Yes && (!is_cancelled || keeps) {
            self.say(format!("cancelled and not over: {sale:?}, {standing:?}, {taken:?}"));
        }
        if is_cancelled && !was_asked_to_cancel {
            self.say(format!("nobody cancelled {sale:?}"));
        }
    }

    /// An order rests on as much money as it costs where it is paid, and on none otherwise.
    fn order(
        &mut self,
        id: &str,
        order: &Order,
        charges: &BTreeMap<String, Charge>,
        books: &Value,
    ) {
        let of_order = charges.iter().filter(|(_, one)| one.reservation.as_deref() == Some(id));
        let rests_on = of_order.map(|(name, charge)| match charge.status.as_str() {
            // It goes back once somebody says where to.
            "refunding" => 0,
            _ => Taken::of(books, name).balance + charge.pays().1,
        });
        let rests_on: u64 = rests_on.sum();
        let costs = if order.standing.0 == "confirmed" { order.total } else { 0 };
        if rests_on != costs {
            self.say(format!("{id} {order:?} rests on {rests_on} won"));
        }
    }

    /// A balance is what was bought less what paid orders rest on, was never negative, and its history
    /// adds up.
    fn points(
        &mut self,
        client: &mut Client,
        buyer: &Buyer,
        charges: &BTreeMap<String, Charge>,
    ) -> Result<(), String> {
        let token = &buyer.token;
        let told = client.expect(200, &Ask::get("/api/points/balance", token))?;
        let balance = told["balance"].as_i64().ok_or("no balance")?;
        let path = "/api/points/history?limit=1000";
        let history = client.expect(200, &Ask::get(path, token))?;
        let rows = history["history"].as_array().ok_or("no history")?;
        let mut sum = 0;
        for row in rows.iter().rev() {
            sum += row["amount"].as_i64().ok_or("no amount")?;
            if row["balanceAfter"].as_i64() != Some(sum) || sum < 0 {
                self.say(format!("{sum} points after {row}"));
            }
        }
        let mine = buyer.sales.iter().filter_map(|sale| {
            let (bought, spent) = charges.get(&sale.order_id)?.pays();
            Some(if sale.reservation.is_none() { bought as i64 } else { -(spent as i64) })
        });
        let expected: i64 = mine.sum();
        if balance != sum || balance != expected {
            self.say(format!("{balance} points, {sum} by the history, {expected} by the payments"));
        }
        Ok(())
    }

    /// All of the provider's money is of orders that are paid, of points, or waits to be sent back.
    fn totals(&mut self, charges: &BTreeMap<String, Charge>, books: &Value) {
        let has = |charge: &Charge| match charge.status.as_str() {
            "refunding" => charge.card,
            _ => charge.pays().0,
        };
        let ours: u64 = charges.values().map(has).sum();
        let theirs = books["balance"].as_u64();
        if theirs != Some(ours) {
            self.say(format!("we count {ours} won, and the provider has {theirs:?}"));
        }
    }
}
