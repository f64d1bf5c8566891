//! Sends webhooks: unsigned, with the retry table of section 1.13 on the sandbox's clock, and with
//! whatever the switches do to them.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url, redirect};
use serde::Serialize;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, oneshot};

use super::Shared;
use super::clock::seoul_time;
use super::events::Event;
use super::faults::{Fault, Faults};
use super::questions::{EarlyWebhook, WebhookTaken};

/// Minutes between an attempt that failed and the next.
const RETRY_GAPS_MIN: [u64; 7] = [1, 4, 16, 64, 256, 1024, 4096];
const MINUTE_MS: u64 = 60_000;
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
    transmission_id: String,
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
    status: super::payment::Status,
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
    pub(super) fn new(target: Option<Url>) -> reqwest::Result<Self> {
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
            desk: Mutex::default(),
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
    pub(super) fn send_due(&self, shared: &Arc<Shared>, now: u64) -> Option<u64> {
        loop {
            let mut desk = self.desk.lock();
            let (due, _) = desk.waiting.first_key_value().map(|(due, _)| *due)?;
            if due > now {
                return Some(due);
            }
            // Whoever gives room back wakes the sender again.
            let permit = Arc::clone(&self.room).try_acquire_owned().ok()?;
            let (_, delivery) = desk.waiting.pop_first()?;
            tokio::spawn(attempt(Arc::clone(shared), delivery, permit));
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
                let mut second = self.delivery(event);
                second.transmission_id.clone_from(&first.transmission_id);
                self.shown_of(second.number, |shown| {
                    shown.transmission_id.clone_from(&first.transmission_id);
                });
                first.then = Some(Box::new(second));
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
        let transmission_id = format!("whtrans_{:032x}", rand::random::<u128>());
        if self.shown.len() == SHOWN_MAX {
            self.shown.pop_front();
        }
        self.shown.push_back(Shown {
            transmission_id: transmission_id.clone(),
            event: event.name,
            order_id: event.order_id.clone(),
            status: event.status,
            state: State::Waiting,
            attempts: Vec::new(),
        });
        Delivery { number, transmission_id, event, retried: 0, then: None, attempted: None }
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
        let gap = RETRY_GAPS_MIN.get(delivery.retried).filter(|_| !is_taken);
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
async fn attempt(shared: Arc<Shared>, delivery: Delivery, permit: OwnedSemaphorePermit) {
    let webhooks = &shared.webhooks;
    let Some((client, url)) = &webhooks.target else { return };
    let at = seoul_time(shared.clock.now());
    let body: Bytes = delivery.event.body.clone();
    let request = client
        .post(url.clone())
        .header(CONTENT_TYPE, "application/json")
        .header("tosspayments-webhook-transmission-id", &delivery.transmission_id)
        .header("tosspayments-webhook-transmission-time", &at)
        .header("tosspayments-webhook-transmission-retried-count", delivery.retried)
        .body(body);
    let (answer, is_taken) = match request.send().await {
        Ok(response) => {
            let status = response.status();
            let any_2xx = shared.questions.lock().webhook_taken == WebhookTaken::Any2xx;
            (status.as_u16().to_string(), status == 200 || (any_2xx && status.is_success()))
        }
        Err(error) if error.is_timeout() => ("timeout".to_owned(), false),
        Err(_) => ("unreachable".to_owned(), false),
    };
    let attempt = Attempt { at, retried_count: delivery.retried, answer };
    webhooks.desk.lock().attempted(delivery, attempt, is_taken, shared.clock.now());
    drop(permit);
    webhooks.wake.notify_one();
}
