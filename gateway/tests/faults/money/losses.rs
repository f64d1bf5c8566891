//! Messages of the providers that were lost, and how they are found: by a later message about the same
//! payment, or by the comparison of a day that is over.

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};
use tiketi_gateway::payments::sandbox::stripe::WEBHOOK_SECRET;

use crate::check::{now_ms, until};
use crate::http::{Ask, Client};
use crate::money::buyer::Buyer;
use crate::money::provider::House;
use crate::money::sale::{Heard, Sale};

/// Another message comes about every payment whose message was lost, or may have been where `doubts`.
pub(crate) fn look(buyers: &mut [Buyer], doubts: bool) {
    for buyer in buyers {
        for sale in 0..buyer.sales.len() {
            let is_lost = match buyer.sales[sale].heard {
                Heard::All => false,
                Heard::Perhaps => doubts,
                Heard::No => true,
            };
            if is_lost {
                message(buyer, sale);
                buyer.sales[sale].heard = Heard::All;
            }
        }
    }
}

fn message(buyer: &mut Buyer, sale: usize) {
    let Sale { house, order_id, key, .. } = &buyer.sales[sale];
    match house {
        House::Toss => {
            let data = json!({"orderId": order_id, "paymentKey": key, "status": "DONE"});
            let body = json!({"eventType": "PAYMENT_STATUS_CHANGED", "data": data});
            let ask = Ask::post("/api/payments/toss/webhook", "", body);
            until("a message is taken", || {
                buyer.client.must(&ask).is_ok_and(|answer| answer.status == 200)
            });
        }
        // Signed, so that it has to come from there; it is on its way when this returns.
        House::Stripe => {
            let body = json!({
                "orderId": order_id, "paymentKey": key, "type": "payment_intent.succeeded",
                "secret": WEBHOOK_SECRET,
            });
            // It is not lost as well.
            buyer.place.provider.clear_faults(House::Stripe);
            buyer.place.provider.switch(House::Stripe, "webhooks", body);
        }
    }
}

/// No message is missed any more: what was lost the comparison has found.
pub(crate) fn forget(buyers: &mut [Buyer]) {
    for sale in buyers.iter_mut().flat_map(|buyer| &mut buyer.sales) {
        sale.heard = Heard::All;
    }
}

/// The day of an instant in Seoul, so many days later.
pub(crate) fn seoul_day(at_ms: u64, days: i32) -> String {
    let seoul = TimeZone::get("Asia/Seoul").expect("the zone");
    let at = Timestamp::from_millisecond(at_ms as i64).expect("an instant");
    let day = at.to_zoned(seoul).date();
    day.checked_add(days.days()).expect("a day").to_string()
}

/// Compares days that are over with the providers' lists.
pub(crate) fn compare_days(
    client: &mut Client,
    admin: &str,
    days: impl IntoIterator<Item = String>,
) -> Result<(), String> {
    for day in days {
        let ask = Ask::post("/api/admin/payments/compare", admin, json!({"day": day}));
        // A question may be lost: what was not answered is asked in the next comparison of the day.
        let is_whole = |answer: &Value| {
            let providers = answer["providers"].as_array().map_or(&[][..], Vec::as_slice);
            answer["running"] == false && providers.iter().all(|one| one["unanswered"] == 0)
        };
        let mut answer = Value::Null;
        until("a day is compared", || {
            answer = client.expect(200, &ask).unwrap_or_else(|error| json!({"error": error}));
            is_whole(&answer)
        });
        let providers = answer["providers"].as_array().ok_or_else(|| answer.to_string())?;
        let is_done = |one: &Value| one["state"] == "done" && one["unknown"] == 0;
        if providers.len() != House::ALL.len() || !providers.iter().all(is_done) {
            return Err(format!("{day} was not compared wholly: {answer}"));
        }
    }
    Ok(())
}

/// What a gateway's clock says that is so much ahead.
pub(crate) fn now_at(ahead_ms: u64) -> u64 {
    now_ms() + ahead_ms
}
