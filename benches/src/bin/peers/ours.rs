//! This engine: in process with its journal, and through the gateway.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use tiketi_benches::Setup;
use tiketi_benches::client::load;
use tiketi_benches::durable::{self, Durable, EVENTS};
use tiketi_benches::gateway::{Gateway, Requests};
use tiketi_persistence::StoreKind;

use crate::Rival;

/// Two threads, each hold acknowledged once its record is on the disk.
pub(crate) struct InProcess(Durable);

impl InProcess {
    pub(crate) fn new(setup: &Setup) -> anyhow::Result<InProcess> {
        Ok(InProcess(Durable::new(setup, StoreKind::Sled, EVENTS)?))
    }
}

impl Rival for InProcess {
    fn holds_per_second(&mut self, seconds: u64) -> anyhow::Result<f64> {
        Ok(durable::run(&mut self.0, seconds)?.holds_per_second)
    }
}

/// `POST /api/seats/reserve`, authenticated, durable before the answer.
pub(crate) struct OverHttp {
    gateway: Gateway,
    requests: Rc<RefCell<Requests>>,
}

/// As many as use the disk's syncs well.
const CONNECTIONS: usize = 256;

impl OverHttp {
    pub(crate) fn new(setup: &Setup) -> anyhow::Result<OverHttp> {
        let gateway = Gateway::field(setup)?;
        let requests = Rc::new(RefCell::new(Requests::new(&gateway.token)?));
        Ok(OverHttp { gateway, requests })
    }
}

impl Rival for OverHttp {
    fn holds_per_second(&mut self, seconds: u64) -> anyhow::Result<f64> {
        let requests = Rc::clone(&self.requests);
        let address = self.gateway.server.address;
        let done = load(address, CONNECTIONS, Duration::from_secs(seconds), move || {
            requests.borrow_mut().take()
        })?;
        anyhow::ensure!(done.refused == 0, "{} holds were refused", done.refused);
        Ok(done.per_second())
    }
}
