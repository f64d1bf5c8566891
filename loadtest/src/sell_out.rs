//! The scenario `sell-out`: as fast as possible until nothing is left.

use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::bail;
use hdrhistogram::Histogram;
use tiketi_gateway::api::Id;
use tiketi_gateway::api::admin::NewLayoutRequest;
use tiketi_gateway::api::seats::SectionConfig;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use crate::SellOut;
use crate::auditor::Auditor;
use crate::client::Api;

/// What a run came to.
pub(crate) struct Outcome {
    pub(crate) report: String,
    pub(crate) findings: Vec<String>,
}

struct Shared {
    auditor: Mutex<Auditor>,
    event: Id,
}

/// Sells an event of its own out.
pub(crate) async fn run(settings: &SellOut) -> anyhow::Result<Outcome> {
    let visitor = Api::new(&settings.target)?;
    let admin = visitor.logged_in(&settings.admin_email, &settings.admin_password).await?;
    let run = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
    let section = SectionConfig {
        name: "A".to_owned(),
        rows: settings.rows,
        seats_per_row: settings.seats_per_row,
        price: 100_000,
        start_row: 1,
    };
    let layout = NewLayoutRequest {
        name: format!("loadtest {run}"),
        description: None,
        sections: vec![section],
    };
    let event = admin.create_event(format!("loadtest {run}"), layout).await?;
    let mut buyers = Vec::new();
    for number in 0..settings.buyers {
        buyers.push(visitor.registered(&format!("loadtest-{run}-{number}@example.com")).await?);
    }
    let shared = Arc::new(Shared { auditor: Mutex::default(), event });
    let started = Instant::now();
    let mut tasks = JoinSet::new();
    for (number, buyer) in buyers.into_iter().enumerate() {
        let group = 1 + number as u32 % 4;
        tasks.spawn(buy_until_sold_out(buyer, group, Arc::clone(&shared)));
    }
    let mut latencies = Histogram::<u64>::new(3)?;
    while let Some(buyer) = tasks.join_next().await {
        latencies.add(buyer??)?;
    }
    let seconds = started.elapsed().as_secs_f64();
    let Some(shared) = Arc::into_inner(shared) else { bail!("a buyer is still at work") };
    let auditor = shared.auditor.into_inner();
    let seats = auditor.seats();
    let map = visitor.seat_map(event).await?;
    let mut findings = auditor.findings(&map);
    if seats != map.seats.len() {
        findings.push(format!("{seats} of {} seats were sold", map.seats.len()));
    }
    let milliseconds = |quantile| latencies.value_at_quantile(quantile) as f64 / 1e3;
    let report = format!(
        "{seats} seats sold in {seconds:.2} s: {:.0} seats/s, {:.0} requests/s, p50 {:.1} ms, p99 \
         {:.1} ms",
        seats as f64 / seconds,
        latencies.len() as f64 / seconds,
        milliseconds(0.5),
        milliseconds(0.99),
    );
    Ok(Outcome { report, findings })
}

/// Holds and pays, in smaller groups as the hall fills up.
async fn buy_until_sold_out(
    buyer: Api,
    mut group: u32,
    shared: Arc<Shared>,
) -> anyhow::Result<Histogram<u64>> {
    let mut latencies = Histogram::new(3)?;
    while group > 0 {
        let asked = Instant::now();
        let held = buyer.hold_best(shared.event, group).await?;
        latencies.record(asked.elapsed().as_micros() as u64)?;
        let held = match held {
            Ok(held) => held,
            Err(refused) if refused.code == "SEAT_UNAVAILABLE" => {
                group -= 1;
                continue;
            }
            Err(refused) => bail!("a hold was answered {} {}", refused.status, refused.code),
        };
        shared.auditor.lock().await.held(&held);
        let reservation = held.reservation.id;
        let asked = Instant::now();
        let paid = buyer.pay(reservation).await?;
        latencies.record(asked.elapsed().as_micros() as u64)?;
        match paid {
            Ok(paid) => {
                shared.auditor.lock().await.paid(reservation, paid.payment.total_amount);
            }
            Err(refused) => bail!("a payment was answered {} {}", refused.status, refused.code),
        }
    }
    Ok(latencies)
}
