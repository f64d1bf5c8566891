//! Sends webhooks: with the provider's retry table on the simulator's clock, and with whatever the
//! switches do to them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use reqwest::{Client, StatusCode, Url, redirect};
use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use super::clock::seoul_time;
use super::faults::{Fault, Faults};
use super::questions::EarlyWebhook;

const MINUTE_MS: u64 = 60_000;
/// How often what is due by the clock is looked for.
const TICK: Duration = Duration::from_secs(1);
/// A receiver that takes longer has not answered.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// Deliveries that wait at a time; more are lost.
const WAITING_MAX: usize = 100_000;
/// Attempts under way at a time.
const ATTEMPTS_MAX: usize = 32;
/// Deliveries that `GET webhooks` shows.
const SHOWN_MAX: usize = 1_000;
/// Question 8 answered "after": long enough for the confirm's answer to be there first.
const AFTER_ANSWER_MS: u64 = 1_000;

/// What a forged message carries in place of its secret.
pub(super) const WRONG_SECRET: &str = "ps_forged";

/// Whose webhooks they are.
pub(super) trait Teller: Send + Sync + 'static {
    fn webhooks(&self) -> &Webhooks;

    /// On the simulator's clock, in Unix milliseconds.
    fn now(&self) -> u64;

    /// Ends what is past its time.
    fn tick(&self);

    /// What a message is sent with at `at`, beside its body.
    fn headers(&self, event: &Event, retried: usize, at: u64) -> HeaderMap;

    /// Whether this answer acknowledges a message.
    fn is_taken(&self, status: StatusCode) -> bool;
}

/// A webhook to be.
#[derive(Clone, Debug)]
pub(super) struct Event {
    /// The same each time it is sent.
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) order_id: String,
    pub(super) status: &'static str,
    pub(super) body: Bytes,
    /// What proves it: a part of the body, or what signs it.
    pub(super) secret: String,
}

impl Event {
    /// The same with a secret that is wrong.
    fn forged(&self) -> Event {
        let body = String::from_utf8_lossy(&self.body).replace(&self.secret, WRONG_SECRET);
        let secret = WRONG_SECRET.to_owned();
        Event { id: format!("{}f", self.id), body: body.into(), secret, ..self.clone() }
    }
}

/// When something is due; the second number keeps equal instants apart.
type Due = (u64, u64);

/// The sender.
pub(super) struct Webhooks {
    target: Option<(Client, Url)>,
    desk: Mutex<Desk>,
    /// Something is due, or may be.
    pub(super) wake: Notify,
    room: Arc<Semaphore>,
}

#[derive(Default)]
struct Desk {
    /// Minutes between an attempt that failed and the next.
    retry_gaps_min: &'static [u64],
    waiting: BTreeMap<Due, Delivery>,
    /// By order: what waits to be overtaken.
    overtaken: HashMap<String, Due>,
    shown: VecDeque<Shown>,
    next_number: u64,
    counts: Counts,
}

struct Delivery {
    /// Its place in `shown`, counted from the first delivery.
    number: u64,
    event: Event,
    retried: usize,
    /// Goes out once this one's first attempt has ended.
    then: Option<Box<Delivery>>,
    /// Told when the first attempt has ended.
    attempted: Option<oneshot::Sender<()>>,
}

/// What has become of the webhooks.
#[derive(Clone, Copy, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    /// Attempts made.
    sent: u64,
    /// Acknowledged.
    delivered: u64,
    /// Given up after the last retry.
    failed: u64,
    /// Never sent: a switch said so.
    dropped: u64,
    /// Never sent: too many waited.
    lost: u64,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Shown {
    transmission_id: String,
    event: &'static str,
    order_id: String,
    status: &'static str,
    state: State,
    attempts: Vec<Attempt>,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
enum State {
    Waiting,
    Delivered,
    Failed,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "camelCase")]
struct Attempt {
    at: String,
    retried_count: usize,
    /// A status, `timeout` or `unreachable`.
    answer: String,
}

/// What `GET webhooks` shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Overview {
    #[serde(flatten)]
    counts: Counts,
    waiting: usize,
    /// The latest deliveries, oldest first.
    deliveries: Vec<Shown>,
}

impl Webhooks {
    /// A sender to `target`, or one that sends nothing.
    ///
    /// # Errors
    /// The client cannot be built.
    pub(super) fn new(
        target: Option<Url>,
        retry_gaps_min: &'static [u64],
    ) -> reqwest::Result<Self> {
        let client = || {
            let client = Client::builder().timeout(ANSWER_TIMEOUT).no_proxy();
            client.redirect(redirect::Policy::none()).build()
        };
        let target = match target {
            Some(url) => Some((client()?, url)),
            None => None,
        };
        Ok(Webhooks {
            target,
            desk: Mutex::new(Desk { retry_gaps_min, ..Desk::default() }),
            wake: Notify::new(),
            room: Arc::new(Semaphore::new(ATTEMPTS_MAX)),
        })
    }

    /// Whether anybody listens.
    pub(super) fn is_on(&self) -> bool {
        self.target.is_some()
    }

    /// Queues events; each receiver hears when the first attempt has ended.
    pub(super) fn emit(
        &self,
        events: Vec<Event>,
        faults: &Mutex<Faults>,
        early: EarlyWebhook,
        now: u64,
    ) -> Vec<oneshot::Receiver<()>> {
        if events.is_empty() {
            return Vec::new();
        }
        let mut heard = Vec::with_capacity(events.len());
        let mut desk = self.desk.lock();
        for event in events {
            let fault = faults.lock().of_a_webhook(&event.order_id);
            heard.extend(desk.accept(event, fault, early, now));
        }
        drop(desk);
        self.wake.notify_one();
        heard
    }

    /// Starts what is due, as far as there is room; when the next is due.
    fn send_due<T: Teller>(&self, teller: &Arc<T>, now: u64) -> Option<u64> {
        loop {
            let mut desk = self.desk.lock();
            let (due, _) = desk.waiting.first_key_value().map(|(due, _)| *due)?;
            if due > now {
                return Some(due);
            }
            // Whoever gives room back wakes the sender again.
            let permit = Arc::clone(&self.room).try_acquire_owned().ok()?;
            let (_, delivery) = desk.waiting.pop_first()?;
            tokio::spawn(attempt(Arc::clone(teller), delivery, permit));
        }
    }

    pub(super) fn overview(&self) -> Overview {
        let desk = self.desk.lock();
        Overview {
            counts: desk.counts,
            waiting: desk.waiting.len(),
            deliveries: desk.shown.iter().cloned().collect(),
        }
    }
}

impl Desk {
    fn accept(
        &mut self,
        event: Event,
        fault: Option<Fault>,
        early: EarlyWebhook,
        now: u64,
    ) -> Option<oneshot::Receiver<()>> {
        if fault == Some(Fault::DropBefore) {
            self.counts.dropped += 1;
            return None;
        }
        if self.waiting.len() >= WAITING_MAX {
            self.counts.lost += 1;
            return None;
        }
        let order_id = event.order_id.clone();
        let is_overtaken = fault == Some(Fault::OutOfOrder);
        let delay_ms = match fault {
            Some(Fault::DelayMs(delay_ms)) => delay_ms,
            Some(Fault::OutOfOrder) => MINUTE_MS,
            _ if early == EarlyWebhook::After => AFTER_ANSWER_MS,
            _ => 0,
        };
        let mut first = match fault {
            Some(Fault::UnsignedFake) => {
                let mut fake = self.delivery(event.forged());
                fake.then = Some(Box::new(self.delivery(event)));
                fake
            }
            Some(Fault::Duplicate) => {
                let mut first = self.delivery(event.clone());
                first.then = Some(Box::new(self.delivery(event)));
                first
            }
            _ => self.delivery(event),
        };
        if !is_overtaken
            && let Some(due) = self.overtaken.remove(&order_id)
            && let Some(earlier) = self.waiting.remove(&due)
        {
            let mut last = &mut first;
            while let Some(ref mut next) = last.then {
                last = next;
            }
            last.then = Some(Box::new(earlier));
        }
        let (attempted, heard) = oneshot::channel();
        first.attempted = Some(attempted);
        let due = (now.saturating_add(delay_ms), first.number);
        if is_overtaken {
            self.overtaken.insert(order_id, due);
        }
        self.waiting.insert(due, first);
        // Held back on purpose: nobody waits for it.
        (delay_ms == 0).then_some(heard)
    }

    fn delivery(&mut self, event: Event) -> Delivery {
        let number = self.next_number;
        self.next_number += 1;
        if self.shown.len() == SHOWN_MAX {
            self.shown.pop_front();
        }
        self.shown.push_back(Shown {
            transmission_id: event.id.clone(),
            event: event.name,
            order_id: event.order_id.clone(),
            status: event.status,
            state: State::Waiting,
            attempts: Vec::new(),
        });
        Delivery { number, event, retried: 0, then: None, attempted: None }
    }

    fn shown_of(&mut self, number: u64, change: impl FnOnce(&mut Shown)) {
        let first = self.next_number - self.shown.len() as u64;
        let position =
            number.checked_sub(first).and_then(|position| usize::try_from(position).ok());
        if let Some(shown) = position.and_then(|position| self.shown.get_mut(position)) {
            change(shown);
        }
    }

    /// An attempt has ended: it was the last one, or the next is due later.
    fn attempted(&mut self, mut delivery: Delivery, attempt: Attempt, is_taken: bool, now: u64) {
        self.counts.sent += 1;
        let gap = self.retry_gaps_min.get(delivery.retried).filter(|_| !is_taken);
        let state = match gap {
            Some(_) => State::Waiting,
            None if is_taken => State::Delivered,
            None => State::Failed,
        };
        match state {
            State::Waiting => {}
            State::Delivered => self.counts.delivered += 1,
            State::Failed => self.counts.failed += 1,
        }
        self.shown_of(delivery.number, |shown| {
            shown.state = state;
            shown.attempts.push(attempt);
        });
        if let Some(then) = delivery.then.take() {
            self.waiting.insert((now, then.number), *then);
        }
        if let Some(heard) = delivery.attempted.take() {
            // Nobody has to wait for it.
            let _ = heard.send(());
        }
        if let Some(minutes) = gap {
            delivery.retried += 1;
            let due = (now.saturating_add(minutes * MINUTE_MS), delivery.number);
            self.waiting.insert(due, delivery);
        }
    }
}

/// One attempt, from its start to what follows from it.
async fn attempt<T: Teller>(teller: Arc<T>, delivery: Delivery, permit: OwnedSemaphorePermit) {
    let webhooks = teller.webhooks();
    let Some((client, url)) = &webhooks.target else { return };
    let at = teller.now();
    let request = client
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .headers(teller.headers(&delivery.event, delivery.retried, at))
        .body(delivery.event.body.clone());
    let (answer, is_taken) = match request.send().await {
        Ok(response) => {
            let status = response.status();
            (status.as_u16().to_string(), teller.is_taken(status))
        }
        Err(error) if error.is_timeout() => ("timeout".to_owned(), false),
        Err(_) => ("unreachable".to_owned(), false),
    };
    let attempt = Attempt { at: seoul_time(at), retried_count: delivery.retried, answer };
    webhooks.desk.lock().attempted(delivery, attempt, is_taken, teller.now());
    drop(permit);
    webhooks.wake.notify_one();
}

/// Ends what is past its time and sends webhooks when theirs has come.
pub(super) async fn keep_time<T: Teller>(teller: Arc<T>, stop: CancellationToken) {
    let webhooks = teller.webhooks();
    loop {
        teller.tick();
        let now = teller.now();
        let next = webhooks.send_due(&teller, now);
        let wait = next.map_or(TICK, |due| TICK.min(Duration::from_millis(due - now)));
        tokio::select! {
            () = stop.cancelled() => return,
            () = webhooks.wake.notified() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}
