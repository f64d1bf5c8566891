//! Switches that make calls and webhooks fail: for one order or for any, the next so many times.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use serde::Deserialize;

use super::reply::Reply;
use super::server::Dropped;

/// Rules that wait at a time; more are refused.
const RULES_MAX: usize = 100_000;

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Call {
    /// At Toss.
    Confirm,
    /// At Stripe, as the next two.
    Create,
    Capture,
    Refund,
    Cancel,
    /// A payment, and the list of transactions.
    Query,
    Webhook,
}

/// What happens instead.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Fault {
    /// Refused with a listed code. A decline of a confirm or capture ends the payment.
    Error(String),
    /// Refused with a code that is on no list.
    #[serde(rename_all = "camelCase")]
    Unlisted { code: String, status: u16 },
    /// Refused as too many calls are; question 4 says how.
    RateLimit,
    /// Fails with this status; nothing is done.
    Status(u16),
    /// Carried out this much later in real time, also where the caller has left. A webhook waits on
    /// the sandbox's clock.
    DelayMs(u64),
    /// Never heard of, never answered.
    Timeout,
    /// Carried out, never answered.
    TimeoutAfter,
    /// The connection ends; nothing is done. A webhook is never sent.
    DropBefore,
    /// Carried out, then the connection ends without an answer.
    DropAfter,
    /// Carried out, answered with this status.
    StatusAfter(u16),
    /// A proxy's page says 502; nothing is done.
    Html502,
    /// A webhook comes twice, with one transmission id.
    Duplicate,
    /// A webhook comes after the order's next one, at most a minute later.
    OutOfOrder,
    /// Before a webhook comes a forged one: the same, with a secret that is wrong.
    UnsignedFake,
    /// A refund is accepted, and not made yet: at Toss by the call `cancel`, at Stripe by `refund`.
    Pending,
}

impl Fault {
    /// Whether it happens between caller and Toss, so that replays suffer it as well.
    fn is_of_the_wire(&self) -> bool {
        match self {
            Fault::Timeout
            | Fault::TimeoutAfter
            | Fault::DropBefore
            | Fault::DropAfter
            | Fault::StatusAfter(_)
            | Fault::Html502 => true,
            Fault::Error(_)
            | Fault::Unlisted { .. }
            | Fault::RateLimit
            | Fault::Status(_)
            | Fault::DelayMs(_)
            | Fault::Duplicate
            | Fault::OutOfOrder
            | Fault::UnsignedFake
            | Fault::Pending => false,
        }
    }

    /// Whether it can befall `call`, one of these `calls`.
    fn fits(&self, call: Call, calls: &[Call], is_listed: impl Fn(&str) -> bool) -> bool {
        let is_failure = |status: &u16| (500..600).contains(status);
        let is_webhook = call == Call::Webhook;
        match self {
            Fault::DelayMs(_) | Fault::DropBefore => true,
            Fault::Duplicate | Fault::OutOfOrder | Fault::UnsignedFake => is_webhook,
            Fault::Error(code) => !is_webhook && is_listed(code),
            // A provider that has no refunds gives back by cancels.
            Fault::Pending if calls.contains(&Call::Refund) => call == Call::Refund,
            Fault::Pending => call == Call::Cancel,
            Fault::Unlisted { status, .. } => !is_webhook && (400..600).contains(status),
            Fault::Status(status) | Fault::StatusAfter(status) => !is_webhook && is_failure(status),
            Fault::RateLimit
            | Fault::Timeout
            | Fault::TimeoutAfter
            | Fault::DropAfter
            | Fault::Html502 => !is_webhook,
        }
    }
}

/// A rule as it is posted. Without an order it is for any; without a number, for the next call.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(super) struct NewRule {
    order_id: Option<String>,
    call: Call,
    fault: Fault,
    times: Option<u32>,
}

struct Rule {
    fault: Fault,
    times: u32,
}

/// The rules that wait. Those of an order go before those of any, older before newer.
#[derive(Default)]
pub(super) struct Faults {
    rules: HashMap<(Call, Option<String>), VecDeque<Rule>>,
    count: usize,
}

impl Faults {
    /// Adds a rule for one of these `calls`; `false` where it makes no sense, or too many wait.
    pub(super) fn add(
        &mut self,
        new: NewRule,
        calls: &[Call],
        is_listed: impl Fn(&str) -> bool,
    ) -> bool {
        let NewRule { order_id, call, fault, times } = new;
        let times = times.unwrap_or(1);
        let makes_sense = calls.contains(&call) && fault.fits(call, calls, is_listed);
        if !makes_sense || times == 0 || self.count == RULES_MAX {
            return false;
        }
        let order_id = order_id.filter(|order| order != "any");
        self.rules.entry((call, order_id)).or_default().push_back(Rule { fault, times });
        self.count += 1;
        true
    }

    /// Rules that are not used up.
    pub(super) fn waiting(&self) -> usize {
        self.count
    }

    pub(super) fn clear(&mut self) {
        *self = Faults::default();
    }

    /// What the wire does to this call.
    pub(super) fn of_the_wire(&mut self, call: Call, order: Option<&str>) -> Option<Fault> {
        self.take(call, order, Fault::is_of_the_wire)
    }

    /// What befalls this call where it is carried out.
    pub(super) fn of_the_work(&mut self, call: Call, order: Option<&str>) -> Option<Fault> {
        self.take(call, order, |fault| !fault.is_of_the_wire())
    }

    /// What befalls this webhook.
    pub(super) fn of_a_webhook(&mut self, order: &str) -> Option<Fault> {
        self.take(Call::Webhook, Some(order), |_| true)
    }

    fn take(
        &mut self,
        call: Call,
        order: Option<&str>,
        is_meant: impl Fn(&Fault) -> bool,
    ) -> Option<Fault> {
        if self.count == 0 {
            return None;
        }
        let of_order = order.map(|order| (call, Some(order.to_owned())));
        for key in of_order.into_iter().chain([(call, None)]) {
            let Some(rules) = self.rules.get_mut(&key) else { continue };
            let Some(rule) = rules.front_mut().filter(|rule| is_meant(&rule.fault)) else {
                continue;
            };
            let fault = rule.fault.clone();
            rule.times -= 1;
            if rule.times == 0 {
                rules.pop_front();
                self.count -= 1;
                if rules.is_empty() {
                    self.rules.remove(&key);
                }
            }
            return Some(fault);
        }
        None
    }
}

/// Carries a call out over a wire that may fail before or after it.
pub(super) async fn on_the_wire(
    faults: &Mutex<Faults>,
    call: Call,
    order_id: Option<&str>,
    failed: impl FnOnce(u16) -> Reply,
    work: impl Future<Output = Reply>,
) -> Result<Reply, Dropped> {
    let fault = faults.lock().of_the_wire(call, order_id);
    match fault {
        Some(Fault::DropBefore) => return Err(Dropped),
        Some(Fault::Timeout) => std::future::pending().await,
        Some(Fault::Html502) => return Ok(Reply::bad_gateway()),
        _ => {}
    }
    let reply = work.await;
    match fault {
        Some(Fault::DropAfter) => Err(Dropped),
        Some(Fault::TimeoutAfter) => std::future::pending().await,
        Some(Fault::StatusAfter(status)) => Ok(failed(status)),
        _ => Ok(reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(faults: &mut Faults, json: &str) -> bool {
        let calls = [Call::Confirm, Call::Cancel, Call::Query, Call::Webhook];
        let rule = serde_json::from_str(json).expect("rule");
        faults.add(rule, &calls, |code| code == "COMMON_ERROR")
    }

    #[test]
    fn rules_of_the_order_go_first_and_are_used_up() {
        let mut faults = Faults::default();
        assert!(add(&mut faults, r#"{"orderId":"any","call":"confirm","fault":"dropAfter"}"#));
        assert!(add(
            &mut faults,
            r#"{"orderId":"order-1","call":"confirm","fault":{"error":"COMMON_ERROR"},"times":2}"#
        ));
        let error = Some(Fault::Error("COMMON_ERROR".to_owned()));
        assert_eq!(faults.of_the_work(Call::Cancel, Some("order-1")), None);
        assert_eq!(faults.of_the_work(Call::Confirm, Some("order-1")), error);
        assert_eq!(faults.of_the_work(Call::Confirm, Some("order-1")), error);
        assert_eq!(faults.of_the_work(Call::Confirm, Some("order-1")), None);
        assert_eq!(faults.of_the_wire(Call::Confirm, Some("order-1")), Some(Fault::DropAfter));
        assert_eq!(faults.waiting(), 0);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let mut faults = Faults::default();
        for wrong in [
            r#"{"call":"confirm","fault":{"error":"NO_SUCH_CODE"}}"#,
            r#"{"call":"capture","fault":{"status":500}}"#,
            r#"{"call":"confirm","fault":{"status":200}}"#,
            r#"{"call":"confirm","fault":"duplicate"}"#,
            r#"{"call":"webhook","fault":"html502"}"#,
            r#"{"call":"query","fault":"timeout","times":0}"#,
            r#"{"call":"confirm","fault":"pending"}"#,
        ] {
            assert!(!add(&mut faults, wrong), "{wrong}");
        }
        let pending = || serde_json::from_str(r#"{"call":"cancel","fault":"pending"}"#);
        let of_stripe = [Call::Cancel, Call::Refund];
        assert!(!faults.add(pending().expect("rule"), &of_stripe, |_| true));
        assert!(faults.add(pending().expect("rule"), &[Call::Cancel], |_| true));
    }
}
