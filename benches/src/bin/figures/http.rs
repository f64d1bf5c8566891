//! `POST /api/seats/reserve` beside a bare hyper server, same client, taking turns.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tiketi_benches::Setup;
use tiketi_benches::bare::{self, Server};
use tiketi_benches::client::load;
use tiketi_benches::gateway::{Gateway, Requests};
use tiketi_benches::table::{Table, count, median};

const ROUNDS: usize = 5;

pub(crate) fn reserve(setup: &Setup, table: &mut Table) -> anyhow::Result<()> {
    let gateway = Gateway::field(setup)?;
    let bare = Server::start(&[bare::ROLE.as_ref()])?;
    let each = Duration::from_secs((setup.seconds / 3).max(1));
    let requests = Rc::new(RefCell::new(Requests::new(&gateway.token)?));
    for (connections, reach) in [(64, "≥ 0.55 ×"), (256, "≥ 0.65 ×")] {
        let (mut ratios, mut ours, mut bares) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            // The same requests; the bare server does not look at them.
            let mut same = Requests::new(&gateway.token)?;
            let plain = load(bare.address, connections, each, move || {
                same.next_seat %= 1_000;
                same.take()
            })?;
            let requests = Rc::clone(&requests);
            let durable = load(gateway.server.address, connections, each, move || {
                requests.borrow_mut().take()
            })?;
            anyhow::ensure!(durable.refused == 0, "{} holds were refused", durable.refused);
            anyhow::ensure!(durable.seconds >= each.as_secs_f64() * 0.9, "out of seats");
            ratios.push(durable.per_second() / plain.per_second());
            ours.push(durable.per_second());
            bares.push(plain.per_second());
        }
        table.row(
            format!(
                "`POST /api/seats/reserve`, durable, distinct seats, {connections} connections"
            ),
            format!("{:.2} × bare hyper ({}/s)", median(&mut ratios), count(median(&mut ours))),
            format!("bare hyper: {}/s", count(median(&mut bares))),
            reach,
        );
    }
    Ok(())
}
