//! What Stripe's answers mean for a payment.

use crate::payments::answer::{
    Capture, Field, Found, Listed, Opened, Refund, Refusal, Stage, Unknown,
};
use crate::payments::ids::OrderId;
use crate::payments::link::Said;
use crate::payments::provider::{Charge, Inquiry, Opening, RefundOrder};
use crate::payments::stripe::Object;
use crate::payments::stripe::errors::{Class, ErrorBody};
use crate::payments::stripe::intent::{
    BalanceTransaction, DisputeObject, Intent, List, RefundObject,
};

/// What a buyer is told of a payment that is not this order's.
const NOT_THIS_ORDERS: (&str, &str) = ("payment_mismatch", "이 주문의 결제가 아니에요.");

/// A call's answer, as far as HTTP and JSON go.
pub(super) type Reply<T> = Result<T, Failure>;

pub(super) enum Failure {
    Error { class: Class, error: ErrorBody },
    Silence(Unknown),
}

/// Whether money can be taken.
pub(super) enum Readiness {
    Authorised,
    /// The buyer was declined, or has not come so far.
    NotAgreed(Refusal),
    Settled(Capture),
}

/// What has to be done to give money back.
pub(super) enum Standing {
    Taken,
    Untaken,
    Settled(Refund),
}

pub(super) fn parse<O: Object>(said: &Said) -> Reply<O> {
    let heard = said.heard.as_ref().map_err(|&unknown| Failure::Silence(unknown))?;
    let unreadable = |_| Failure::Silence(Unknown::NotUnderstood);
    match heard.status.as_u16() {
        200 => serde_json::from_slice(&heard.body).map_err(unreadable),
        status => {
            let error: ErrorBody = serde_json::from_slice(&heard.body).map_err(unreadable)?;
            Err(Failure::Error { class: error.class(status), error })
        }
    }
}

pub(super) fn opened(opening: &Opening, reply: Reply<Intent>) -> Opened {
    let intent = match reply {
        Ok(intent) => intent,
        Err(Failure::Silence(unknown)) => return Opened::Unknown(unknown),
        Err(Failure::Error { class, error }) => {
            return match class {
                // Nothing about a card is known yet: whatever is refused was asked wrongly.
                Class::Mistake | Class::Key | Class::Refused | Class::NotFound => {
                    Opened::Mistake(error.mistake(class))
                }
                Class::AlreadyRefunded | Class::Busy | Class::Unknown => {
                    Opened::Unknown(Unknown::Code)
                }
            };
        }
    };
    if let Some(field) = intent.mismatch(&opening.order_id, None, Some(opening.amount)) {
        return Opened::Unknown(mismatch(&opening.order_id, field));
    }
    match (intent.key(), intent.client_secret()) {
        (Ok(payment_key), Some(client_secret)) => Opened::Ready { payment_key, client_secret },
        _ => Opened::Unknown(Unknown::NotUnderstood),
    }
}

pub(super) fn captured(charge: &Charge, reply: Reply<Intent>) -> Capture {
    let intent = match reply {
        Ok(intent) => intent,
        Err(failure) => return failure.into(),
    };
    let field = intent.mismatch(&charge.order_id, Some(&charge.payment_key), Some(charge.amount));
    if let Some(field) = field {
        return Capture::Unknown(mismatch(&charge.order_id, field));
    }
    match intent.status.as_str() {
        "succeeded" => intent.captured().map_or_else(Capture::Unknown, Capture::Captured),
        _ => Capture::Unknown(Unknown::Status),
    }
}

/// Why an intent was not found.
pub(super) fn not_found(failure: Failure) -> Found {
    let (class, error) = match failure {
        Failure::Silence(unknown) => return Found::Unknown(unknown),
        Failure::Error { class, error } => (class, error),
    };
    match class {
        Class::NotFound => Found::Missing,
        Class::Mistake | Class::Key => Found::Mistake(error.mistake(class)),
        Class::Refused | Class::AlreadyRefunded | Class::Busy | Class::Unknown => {
            Found::Unknown(Unknown::Code)
        }
    }
}

/// What an intent that was asked about is to its order.
pub(super) fn found_intent(asked: &Inquiry, intent: &Intent) -> Found {
    match intent.mismatch(&asked.order_id, asked.payment_key.as_ref(), Some(asked.amount)) {
        // An intent keeps its order, and nothing is taken of it but by us.
        Some(field) => {
            mismatch(&asked.order_id, field);
            Found::Foreign { field, is_certain: true }
        }
        None => intent.found(),
    }
}

/// An intent that is disputed, once its disputes are known.
pub(super) fn disputed(intent: &Intent, reply: Reply<List<DisputeObject>>) -> Found {
    match reply {
        Ok(list) => match list.data.as_slice() {
            [] => intent.found(),
            disputes => intent.found_disputed(disputes),
        },
        Err(Failure::Silence(unknown)) => Found::Unknown(unknown),
        Err(Failure::Error { .. }) => Found::Unknown(Unknown::Code),
    }
}

/// The next page begins behind the last line of this one.
pub(super) fn listed(reply: Reply<List<BalanceTransaction>>) -> Listed {
    match reply {
        Ok(list) => {
            let next = list.data.last().filter(|_| list.has_more).map(|row| row.id.clone());
            Listed::Page {
                rows: list.data.into_iter().map(BalanceTransaction::read).collect(),
                next,
            }
        }
        Err(Failure::Silence(unknown)) => Listed::Unknown(unknown),
        Err(Failure::Error { class: class @ (Class::Mistake | Class::Key), error }) => {
            Listed::Mistake(error.mistake(class))
        }
        Err(Failure::Error { .. }) => Listed::Unknown(Unknown::Code),
    }
}

impl Readiness {
    /// How the intent stands before anything is taken of it.
    pub(super) fn of(charge: &Charge, reply: Reply<Intent>) -> Readiness {
        let intent = match reply {
            Ok(intent) => intent,
            Err(failure) => return Readiness::Settled(failure.into()),
        };
        let Charge { order_id, payment_key, amount, .. } = charge;
        if let Some(field) = intent.mismatch(order_id, Some(payment_key), Some(*amount)) {
            mismatch(order_id, field);
            let (code, message) = NOT_THIS_ORDERS;
            let refusal = Refusal { code: code.to_owned(), message: message.to_owned() };
            return Readiness::Settled(Capture::Refused(refusal));
        }
        match intent.found() {
            Found::Open(Stage::Authenticated) => Readiness::Authorised,
            Found::Open(Stage::Started) => Readiness::NotAgreed(intent.refusal()),
            Found::NotApproved => Readiness::Settled(Capture::Refused(intent.refusal())),
            // By a call whose answer was lost.
            Found::Captured { captured, .. } => Readiness::Settled(Capture::Captured(captured)),
            Found::Unknown(unknown) => Readiness::Settled(Capture::Unknown(unknown)),
            Found::Open(Stage::Processing)
            | Found::Refunded { .. }
            | Found::AwaitingDeposit(_)
            | Found::Foreign { .. }
            | Found::Missing
            | Found::Mistake(_) => Readiness::Settled(Capture::Unknown(Unknown::Status)),
        }
    }
}

/// Whether an intent is closed for good.
pub(super) fn closed(charge: &Charge, refusal: Refusal, reply: Reply<Intent>) -> Capture {
    match reply {
        Ok(intent) => match intent.mismatch(&charge.order_id, Some(&charge.payment_key), None) {
            Some(field) => Capture::Unknown(mismatch(&charge.order_id, field)),
            None if intent.status == "canceled" => Capture::Refused(refusal),
            None => Capture::Unknown(Unknown::Status),
        },
        // It may have been agreed to this very moment.
        Err(Failure::Error { .. }) => Capture::Unknown(Unknown::Code),
        Err(Failure::Silence(unknown)) => Capture::Unknown(unknown),
    }
}

impl Standing {
    /// How the payment of a refund stands, and whether our balance is right.
    pub(super) fn of(refund: &RefundOrder, reply: Reply<Intent>) -> Standing {
        let intent = match reply {
            Ok(intent) => intent,
            Err(failure) => return Standing::Settled(failure.into()),
        };
        if let Some(field) = intent.mismatch(&refund.order_id, Some(&refund.payment_key), None) {
            return Standing::Settled(Refund::Unknown(mismatch(&refund.order_id, field)));
        }
        let already = |code: &str| {
            Standing::Settled(Refund::Already(Refusal {
                code: code.to_owned(),
                message: String::new(),
            }))
        };
        match intent.found() {
            Found::Captured { balance, .. } if balance == refund.balance => Standing::Taken,
            Found::Captured { .. } | Found::Refunded { .. } | Found::Foreign { .. } => {
                already("balance_differs")
            }
            Found::Open(Stage::Started | Stage::Authenticated) => Standing::Untaken,
            Found::NotApproved => already("canceled"),
            Found::Unknown(unknown) => Standing::Settled(Refund::Unknown(unknown)),
            Found::Open(Stage::Processing)
            | Found::AwaitingDeposit(_)
            | Found::Missing
            | Found::Mistake(_) => Standing::Settled(Refund::Unknown(Unknown::Status)),
        }
    }
}

pub(super) fn released(refund: &RefundOrder, reply: Reply<Intent>) -> Refund {
    let intent = match reply {
        Ok(intent) => intent,
        Err(failure) => return failure.into(),
    };
    match intent.mismatch(&refund.order_id, Some(&refund.payment_key), None) {
        Some(field) => Refund::Unknown(mismatch(&refund.order_id, field)),
        None if intent.status == "canceled" => Refund::Done { balance: 0, transaction_key: None },
        None => Refund::Unknown(Unknown::Status),
    }
}

pub(super) fn paid_back(refund: &RefundOrder, reply: Reply<RefundObject>) -> Refund {
    let object = match reply {
        Ok(object) => object,
        Err(failure) => return failure.into(),
    };
    match object.mismatch(&refund.payment_key, refund.amount) {
        Some(field) => Refund::Unknown(mismatch(&refund.order_id, field)),
        None => object.outcome(refund.balance.saturating_sub(refund.amount)),
    }
}

/// Never a success, and never quiet: somebody has to look.
fn mismatch(order_id: &OrderId, field: Field) -> Unknown {
    tracing::error!(%order_id, ?field, "Stripe answers about another payment than was asked for");
    Unknown::Mismatch(field)
}

impl From<Failure> for Capture {
    fn from(failure: Failure) -> Self {
        let (class, error) = match failure {
            Failure::Silence(unknown) => return Capture::Unknown(unknown),
            Failure::Error { class, error } => (class, error),
        };
        match class {
            Class::Refused => Capture::Refused(error.refusal()),
            Class::Mistake | Class::Key | Class::NotFound => Capture::Mistake(error.mistake(class)),
            Class::AlreadyRefunded | Class::Busy | Class::Unknown => {
                Capture::Unknown(Unknown::Code)
            }
        }
    }
}

impl From<Failure> for Refund {
    fn from(failure: Failure) -> Self {
        let (class, error) = match failure {
            Failure::Silence(unknown) => return Refund::Unknown(unknown),
            Failure::Error { class, error } => (class, error),
        };
        match class {
            Class::AlreadyRefunded => Refund::Already(error.refusal()),
            Class::Refused => Refund::Refused(error.refusal()),
            Class::Busy => Refund::Later(error.refusal()),
            Class::Mistake | Class::Key | Class::NotFound => Refund::Mistake(error.mistake(class)),
            Class::Unknown => Refund::Unknown(Unknown::Code),
        }
    }
}
