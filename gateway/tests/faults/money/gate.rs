//! Between the gateway and the provider: holds a chosen call at a chosen step and says that it is
//! there, so that a process can be killed exactly then.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Method, Request, Response};
use serde_json::Value;
use tiketi_gateway::payments::sandbox::{Dropped, Simulator};
use tokio::sync::Notify;

/// A call of a provider's API, named by the payment's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// Takes the money.
    Confirm,
    /// Gives it back, or closes an account.
    Cancel,
    Query,
}

/// Where a call is held. Only [`Step::Answering`] lets its answer through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// It was sent, and the provider has not heard of it.
    Leaving,
    /// The provider is at work on it, and goes on.
    AtWork,
    /// The provider has done it, and its answer is on the way.
    Done,
    /// The answer arrives.
    Answering,
}

struct Trap {
    call: Call,
    key: String,
    step: Step,
    reached: Sender<()>,
}

/// What holds the calls.
#[derive(Default)]
pub(crate) struct Gate {
    traps: Mutex<Vec<Trap>>,
    /// Calls that the provider is at work on, their caller gone.
    at_work: AtomicUsize,
    /// Lets calls that were held before the provider go on to it, long after their caller is gone.
    pub(crate) late: Notify,
}

impl Gate {
    /// Holds the next such call; hears when it is there.
    pub(crate) fn hold(&self, call: Call, key: &str, step: Step) -> Receiver<()> {
        let (reached, hears) = channel();
        self.traps.lock().unwrap().push(Trap { call, key: key.to_owned(), step, reached });
        hears
    }

    /// Forgets what no call came to.
    pub(crate) fn clear(&self) {
        self.traps.lock().unwrap().clear();
    }

    /// Whether the provider is at work on a call whose caller is gone.
    pub(crate) fn is_at_work(&self) -> bool {
        self.at_work.load(Ordering::SeqCst) > 0
    }

    fn take(&self, request: &Request<Full<Bytes>>, body: &[u8]) -> Option<Trap> {
        let path: Vec<&str> = request.uri().path().split('/').collect();
        let (call, key) = match (request.method(), path.as_slice()) {
            (&Method::POST, ["", "v1", "payments", "confirm"]) => {
                let body: Value = serde_json::from_slice(body).ok()?;
                (Call::Confirm, body["paymentKey"].as_str()?.to_owned())
            }
            (&Method::POST, ["", "v1", "payments", key, "cancel"]) => {
                (Call::Cancel, (*key).to_owned())
            }
            (&Method::GET, ["", "v1", "payments", key]) => (Call::Query, (*key).to_owned()),
            (&Method::POST, ["", "v1", "payment_intents", key, "capture"]) => {
                (Call::Confirm, (*key).to_owned())
            }
            (&Method::POST, ["", "v1", "refunds"]) => {
                let form = std::str::from_utf8(body).ok()?;
                let key = form.split('&').find_map(|one| one.strip_prefix("payment_intent="))?;
                (Call::Cancel, key.to_owned())
            }
            (&Method::GET, ["", "v1", "payment_intents", key]) => (Call::Query, (*key).to_owned()),
            _ => return None,
        };
        let mut traps = self.traps.lock().unwrap();
        let place = traps.iter().position(|trap| trap.call == call && trap.key == key)?;
        Some(traps.remove(place))
    }

    /// Hands a call to the sandbox, or holds it. A caller that ends leaves only what the provider
    /// has.
    pub(crate) async fn pass<S: Simulator>(
        self: &Arc<Self>,
        sandbox: S,
        request: Request<Full<Bytes>>,
        body: &[u8],
    ) -> Result<Response<Full<Bytes>>, Dropped> {
        let Some(trap) = self.take(&request, body) else { return sandbox.answer(request).await };
        match trap.step {
            Step::Leaving => {
                let gate = Arc::clone(self);
                tokio::spawn(async move {
                    gate.late.notified().await;
                    sandbox.answer(request).await
                });
            }
            Step::AtWork => {
                self.at_work.fetch_add(1, Ordering::SeqCst);
                let gate = Arc::clone(self);
                tokio::spawn(async move {
                    let _ = sandbox.answer(request).await;
                    gate.at_work.fetch_sub(1, Ordering::SeqCst);
                });
            }
            Step::Done => drop(sandbox.answer(request).await),
            Step::Answering => {
                let answer = sandbox.answer(request).await;
                let _ = trap.reached.send(());
                return answer;
            }
        }
        let _ = trap.reached.send(());
        std::future::pending().await
    }
}
