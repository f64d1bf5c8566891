//! Our books, the providers', and what the buyers were told, held against each other.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::http::{Ask, Client};
use crate::launch::Server;
use crate::money::buyer::Buyer;
use crate::money::charges::{Charge, charges};
use crate::money::provider::{Books, Provider, Taken};
use crate::money::sale::{Sale, Told};

/// The name of the tickets that have no seat.
const STANDING: &str = "standing";

/// Where our books are read.
pub(crate) struct Ours<'a> {
    pub(crate) admin: &'a str,
    pub(crate) event: &'a str,
}

/// Everything that is wrong, once all is settled.
pub(crate) fn compare(
    server: &Server,
    ours: &Ours,
    provider: &Provider,
    buyers: &mut [Buyer],
) -> Result<(), String> {
    let mut client = server.client();
    let mut found = Findings::default();
    let mut points = BTreeMap::new();
    for buyer in buyers.iter_mut() {
        found.problems.append(&mut buyer.problems);
        found.read_orders(&mut client, buyer)?;
        found.read_points(&mut client, buyer, &mut points)?;
    }
    let charges = charges(&mut client, ours.admin)?;
    let books = provider.books(None);
    for (order, charge) in &charges {
        let points = points.get(order).copied().unwrap_or(0);
        found.charge(order, charge, books.of(order), points);
    }
    for buyer in buyers.iter() {
        for sale in &buyer.sales {
            found.promise(sale, charges.get(&sale.order_id), books.of(&sale.order_id));
        }
        found.account(buyer, &charges, &points);
    }
    found.orders(&charges, &points);
    found.map(&mut client, ours.event)?;
    let is_strange = |name: &&String| !charges.contains_key(*name) && books.of(name).captures > 0;
    for name in books.orders().filter(is_strange) {
        found.say(format!("a provider has {name}, of which we know nothing"));
    }
    found.totals(&charges, &points, &books);
    if found.problems.is_empty() { Ok(()) } else { Err(found.problems.join("\n")) }
}

/// An order as its buyer reads it.
#[derive(Debug)]
struct Order {
    status: String,
    payment_status: String,
    total: u64,
    /// How many seats and tickets it has.
    goods: u64,
}

impl Order {
    fn is_paid(&self) -> bool {
        (self.status.as_str(), self.payment_status.as_str()) == ("confirmed", "completed")
    }

    fn is_over(&self) -> bool {
        self.status == "cancelled"
    }
}

/// A buyer's points.
#[derive(Debug)]
struct Account {
    balance: u64,
    debt: u64,
}

#[derive(Default)]
struct Findings {
    problems: Vec<String>,
    orders: BTreeMap<String, Order>,
    /// Seats with an owner, and whether they are paid.
    seats: BTreeMap<String, bool>,
    tickets: u64,
    /// By the buyer's token.
    accounts: BTreeMap<String, Account>,
}

impl Findings {
    fn say(&mut self, what: String) {
        self.problems.push(what);
    }

    fn read_orders(&mut self, client: &mut Client, buyer: &Buyer) -> Result<(), String> {
        let mine = client.expect(200, &Ask::get("/api/reservations/my", &buyer.token))?;
        for row in mine["reservations"].as_array().ok_or("no list")? {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let items = row["items"].as_array().ok_or("no items")?;
            let mut order = Order {
                status: text(&row["status"]),
                payment_status: text(&row["payment_status"]),
                total: row["total_amount"].as_u64().ok_or("no total")?,
                goods: 0,
            };
            for item in items {
                let (name, count) = (text(&item["ticketTypeName"]), &item["quantity"]);
                let count = count.as_u64().ok_or("no quantity")?;
                order.goods += count;
                if order.is_over() {
                    continue;
                }
                match name.as_str() {
                    STANDING => self.tickets += count,
                    _ => self.own(name, &text(&row["id"]), order.status == "confirmed"),
                }
            }
            self.orders.insert(text(&row["id"]), order);
        }
        Ok(())
    }

    fn own(&mut self, seat: String, order: &str, is_paid: bool) {
        if self.seats.insert(seat.clone(), is_paid).is_some() {
            self.say(format!("{seat} has two owners, one of them {order}"));
        }
    }

    /// The history of an account adds up and was never negative; what of it each order keeps.
    fn read_points(
        &mut self,
        client: &mut Client,
        buyer: &Buyer,
        points: &mut BTreeMap<String, u64>,
    ) -> Result<(), String> {
        let told = client.expect(200, &Ask::get("/api/points/balance", &buyer.token))?;
        let balance = told["balance"].as_u64().ok_or("no balance")?;
        let debt = told["debt"].as_u64().ok_or("no debt")?;
        let path = "/api/points/history?limit=1000";
        let history = client.expect(200, &Ask::get(path, &buyer.token))?;
        let rows = history["history"].as_array().ok_or("no history")?;
        let (mut sum, mut by_order) = (0, BTreeMap::<String, i64>::new());
        for row in rows.iter().rev() {
            let amount = row["amount"].as_i64().ok_or("no amount")?;
            sum += amount;
            if row["balanceAfter"].as_i64() != Some(sum) || sum < 0 {
                self.say(format!("{sum} points after {row}"));
            }
            let order = row["reference"].as_str().ok_or("no reference")?.to_owned();
            if row["type"] != "DEBT" {
                *by_order.entry(order).or_default() -= amount;
            }
        }
        if u64::try_from(sum) != Ok(balance) || (balance > 0 && debt > 0) {
            self.say(format!("{balance} points and a debt of {debt}, {sum} by the history"));
        }
        points.extend(by_order.into_iter().filter_map(|(order, kept)| {
            u64::try_from(kept).ok().filter(|&kept| kept > 0).map(|kept| (order, kept))
        }));
        self.accounts.insert(buyer.token.clone(), Account { balance, debt });
        Ok(())
    }

    /// Our word for a charge against what the provider has of it, and what it waits for.
    fn charge(&mut self, name: &str, charge: &Charge, taken: Taken, points: u64) {
        let order = charge.reservation.as_ref().and_then(|id| self.orders.get(id));
        let is_paid = order.is_none_or(Order::is_paid);
        let kept = charge.kept_card(points) + points;
        let waits_for = charge.waits_for.as_deref();
        let is_right = match charge.status.as_str() {
            "open" => waits_for == Some("confirmation"),
            // It is forgotten in a day.
            "expired" => true,
            "failed" | "reversed" => waits_for.is_none(),
            "waiting_for_deposit" => waits_for == Some("deposit") && (order.is_none() || !is_paid),
            "paid" => waits_for.is_none() && is_paid && charge.owed == 0,
            "partially_refunded" => waits_for.is_none() && is_paid && charge.owed == 0 && kept > 0,
            // Its order is over, or was never paid by it.
            "refunded" => waits_for.is_none() && charge.owed == 0 && kept == 0,
            // What a refused part left is kept, and its order is alive.
            "refund_refused" => {
                let is_listed = matches!(waits_for, Some("administrator" | "refund_account"));
                is_listed && charge.owed == charge.refused && (kept == 0 || is_paid)
            }
            "disputed" => waits_for == Some("bank") && (kept == 0 || is_paid),
            _ => false,
        };
        if !is_right || charge.left(points) != taken.left() {
            let left = charge.left(points);
            self.problems.push(format!(
                "{name}: we say {left}, {charge:?} with {points} points, and the provider {taken:?}; \
                 its order {order:?}"
            ));
        }
    }

    /// What a buyer was told against what is.
    fn promise(&mut self, sale: &Sale, charge: Option<&Charge>, taken: Taken) {
        let Some(charge) = charge else {
            // What was never confirmed is forgotten after a day.
            let was_confirmed =
                sale.is_intended || matches!(sale.confirmed, Told::Later | Told::Yes);
            if was_confirmed || taken.captures > 0 {
                self.say(format!("acknowledged and missing: {sale:?}"));
            }
            return;
        };
        let mut wrong = Vec::new();
        let status = charge.status.as_str();
        let is_open = matches!(status, "open" | "expired");
        let order = sale.reservation.as_ref().and_then(|id| self.orders.get(id));
        let is_cancelled = order.is_some_and(Order::is_over);
        let was_asked_to_cancel = matches!(sale.cancelled, Told::Yes | Told::Unknown);
        let fits = match &sale.confirmed {
            Told::Nothing => is_open,
            Told::Yes if was_asked_to_cancel || sale.stirred => {
                charge.is_captured() || status == "reversed"
            }
            Told::Yes if sale.returning.is_some() => charge.is_captured(),
            Told::Yes if sale.has_returned => {
                matches!(status, "partially_refunded" | "refund_refused")
            }
            Told::Yes => status == "paid",
            Told::No(code) if code == "HOLD_EXPIRED" => charge.kept_card(0) == 0,
            Told::No(_) if sale.stirred || was_asked_to_cancel => true,
            // Given up after a day, and captured by a call that was on its way: it went back.
            Told::No(_) if sale.is_intended && !is_open => charge.kept_card(0) == 0,
            Told::No(_) => (is_open || status == "failed") && taken.captures == 0,
            Told::Unknown | Told::Later => true,
        };
        let trail = || charge.trail.join(", ");
        if !fits || (sale.is_intended && is_open) {
            let trail = trail();
            wrong.push(format!("{sale:?} became {charge:?}, at the provider {taken:?}; {trail}"));
        }
        let keeps = taken.left() > 0 && charge.owed < taken.left();
        if sale.cancelled == Told::Yes && (!is_cancelled || keeps) {
            wrong.push(format!(
                "cancelled and not over: {sale:?}, {order:?}, {charge:?}, {taken:?}"
            ));
        }
        let may_end = was_asked_to_cancel
            || sale.stirred
            || order.is_some_and(|one| one.payment_status == "failed");
        if is_cancelled && !may_end {
            wrong.push(format!("over, and it was not asked to be: {sale:?}, {charge:?}"));
        }
        // As many are left as the buyer believes, or one less where that has no answer.
        if let (Some(order), Told::Yes, None) = (order, &sale.confirmed, &sale.returning)
            && order.is_paid()
            && order.goods != sale.goods.len() as u64
        {
            wrong.push(format!("{sale:?} has other seats or tickets: {order:?}"));
        }
        self.problems.append(&mut wrong);
    }

    /// A paid order rests on what it costs, less what the provider gave back unasked and never on
    /// nothing; any other order on nothing.
    fn orders(&mut self, charges: &BTreeMap<String, Charge>, points: &BTreeMap<String, u64>) {
        let mut rests_on: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
        for (name, charge) in charges {
            let points = points.get(name).copied().unwrap_or(0);
            if let Some(id) = &charge.reservation {
                let sums = rests_on.entry(id).or_default();
                sums.0 += charge.kept_card(points) + points;
                sums.1 += charge.elsewhere;
            }
        }
        let mut wrong = Vec::new();
        for (id, order) in &self.orders {
            let (kept, elsewhere) = rests_on.get(id.as_str()).copied().unwrap_or_default();
            let is_right = match order.is_paid() {
                true => kept > 0 && (kept..=kept + elsewhere).contains(&order.total),
                false => kept == 0,
            };
            if !is_right {
                wrong.push(format!("{id} {order:?} rests on {kept} won, {elsewhere} elsewhere"));
            }
        }
        self.problems.append(&mut wrong);
    }

    /// Points are what was bought less what paid orders rest on; a debt is a lack of them.
    fn account(
        &mut self,
        buyer: &Buyer,
        charges: &BTreeMap<String, Charge>,
        points: &BTreeMap<String, u64>,
    ) {
        let Some(Account { balance, debt }) = self.accounts.get(&buyer.token) else { return };
        let mine = buyer.sales.iter().filter_map(|sale| {
            let charge = charges.get(&sale.order_id)?;
            let spent = points.get(&sale.order_id).copied().unwrap_or(0);
            Some(match sale.reservation {
                None => charge.kept_card(0) as i64,
                Some(_) => -(spent as i64),
            })
        });
        let expected: i64 = mine.sum();
        let has = *balance as i64 - *debt as i64;
        if has != expected {
            self.say(format!("{balance} points and a debt of {debt}, {expected} by the payments"));
        }
    }

    /// The map and the stock say what the orders say.
    fn map(&mut self, client: &mut Client, event: &str) -> Result<(), String> {
        let map = client.expect(200, &Ask::get(format!("/api/seats/events/{event}"), ""))?;
        for seat in map["seats"].as_array().ok_or("no seats")? {
            let label = seat["seat_label"].as_str().unwrap_or_default();
            let expected = match self.seats.get(label) {
                None => "available",
                Some(true) => "reserved",
                Some(false) => "locked",
            };
            if seat["status"] != expected {
                let status = &seat["status"];
                self.say(format!("{label} is {status} on the map and {expected} by its orders"));
            }
        }
        let detail = client.expect(200, &Ask::get(format!("/api/events/{event}"), ""))?;
        let standing = &detail["ticketTypes"][0];
        let (all, left) = (&standing["total_quantity"], &standing["available_quantity"]);
        if all.as_u64().zip(left.as_u64()).is_none_or(|(all, left)| all - left != self.tickets) {
            let claimed = self.tickets;
            self.say(format!("{claimed} tickets are claimed, and the stock is {standing}"));
        }
        Ok(())
    }

    /// All of the providers' money is of orders that are paid, of points, or owed.
    fn totals(
        &mut self,
        charges: &BTreeMap<String, Charge>,
        points: &BTreeMap<String, u64>,
        books: &Books,
    ) {
        let left = |(name, charge): (&String, &Charge)| {
            charge.left(points.get(name).copied().unwrap_or(0))
        };
        let ours: u64 = charges.iter().map(left).sum();
        let theirs = books.left();
        if theirs != ours {
            self.say(format!("we count {ours} won, and the providers have {theirs}"));
        }
    }
}
