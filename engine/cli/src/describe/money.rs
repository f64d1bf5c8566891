//! Charges, refunds and what providers do on their own. Keys of payments, and the numbers, holders and
//! secrets of accounts are left out.

use serde_json::{Value, json};
use tiketi_engine::record::{CaptureOutcome, Claim, DisputeState, ProviderName, Record};

use super::{Described, Names, instant};
use crate::text::{seoul, won};

impl Names {
    pub(super) fn describe_money(&self, record: &Record) -> Described {
        let new = Described::new;
        match record {
            Record::ChargeOpened(opened) => {
                let text = format!(
                    "charge {} of user {}: {} by card, {} by points",
                    opened.charge, opened.user, opened.amount.card, opened.amount.points
                );
                new(
                    "charge-opened",
                    Some(opened.at),
                    text,
                    json!({"charge": opened.charge, "amount": opened.amount, "provider": opened.provider}),
                )
            }
            Record::CaptureStarted(started) => {
                let text = format!("charge {}, attempt {}", started.charge, started.attempt);
                let fields = json!({"charge": started.charge, "attempt": started.attempt});
                new("capture-started", Some(started.at), text, fields)
            }
            Record::CaptureEnded { charge, outcome, at } => {
                let outcome = outcome_name(outcome);
                let text = format!("charge {charge}: {outcome}");
                let fields = json!({"charge": charge, "outcome": outcome});
                new("capture-ended", Some(*at), text, fields)
            }
            Record::ProviderAnswered(answered) => {
                let text = format!(
                    "charge {}: {:?} {} {}",
                    answered.charge, answered.call, answered.status, answered.code
                );
                let fields = json!({"charge": answered.charge, "call": answered.call,
                    "status": answered.status, "code": answered.code});
                new("provider-answered", Some(answered.at), text, fields)
            }
            Record::SeatsReturned(returned) => {
                let text = format!(
                    "charge {}: {} seats, {} by card, {} by points",
                    returned.charge,
                    returned.seats.len(),
                    returned.amount.card,
                    returned.amount.points
                );
                let fields = json!({"charge": returned.charge, "seats": returned.seats,
                    "amount": returned.amount});
                new("seats-returned", Some(returned.at), text, fields)
            }
            Record::RefundAccountGiven(given) => {
                let text = format!("charge {}: at bank {}", given.charge, given.account.bank);
                let fields = json!({"charge": given.charge, "bank": given.account.bank});
                new("refund-account-given", Some(given.at), text, fields)
            }
            Record::RefundEnded { refund, outcome, at } => {
                let text = format!("refund {refund}: {outcome:?}");
                let fields = json!({"refund": refund, "outcome": outcome});
                new("refund-ended", Some(*at), text, fields)
            }
            _ => self.describe_providers(record),
        }
    }

    /// What providers do on their own, and what follows from it.
    fn describe_providers(&self, record: &Record) -> Described {
        let new = Described::new;
        match record {
            Record::PaymentFound(found) => {
                let text = format!("charge {}: under another payment", found.charge);
                let fields = json!({"charge": found.charge});
                new("payment-found", Some(found.at), text, fields)
            }
            Record::ReturnedElsewhere { charge, card, at } => {
                let text = format!("charge {charge}: {} without being asked", won(*card));
                let fields = json!({"charge": charge, "card": card});
                new("returned-elsewhere", Some(*at), text, fields)
            }
            Record::ReturnFailed { charge, card, is_owed, at } => {
                let then = if *is_owed { "owed to the buyer" } else { "kept" };
                let text =
                    format!("charge {charge}: the provider has {} again, {then}", won(*card));
                let fields = json!({"charge": charge, "card": card, "owed": is_owed});
                new("return-failed", Some(*at), text, fields)
            }
            Record::Disputed { charge, amount, state, at } => {
                let state = dispute_name(*state);
                let text = format!("charge {charge}: {} {state}", won(*amount));
                let fields = json!({"charge": charge, "amount": amount, "state": state});
                new("disputed", Some(*at), text, fields)
            }
            Record::PartReturned(returned) => {
                let (what, part) = part_name(&returned.part);
                let text = format!(
                    "charge {}: {what}, {} by card, {} by points, asked for by {}",
                    returned.charge,
                    returned.amount.card,
                    returned.amount.points,
                    self.user(returned.by)
                );
                let fields = json!({
                    "charge": returned.charge, "part": part, "amount": returned.amount,
                    "by": returned.by.0, "keyed": returned.key.is_some(),
                });
                new("part-returned", Some(returned.at), text, fields)
            }
            Record::ChargeForgotten { charge, at } => {
                let text = format!("charge {charge}: never confirmed");
                new("charge-forgotten", Some(*at), text, json!({"charge": charge}))
            }
            Record::DayCompared(compared) => {
                let provider = provider_name(compared.provider);
                let day = seoul(compared.day);
                let day = day.split(' ').next().unwrap_or_default();
                let text = format!(
                    "{day} of {provider}: {} transactions, {} differences, {} unknown",
                    compared.transactions, compared.differences, compared.unknown
                );
                let fields = json!({
                    "provider": provider, "day": instant(compared.day),
                    "transactions": compared.transactions, "differences": compared.differences,
                    "unknown": compared.unknown,
                });
                new("day-compared", Some(compared.at), text, fields)
            }
            _ => self.describe_changes(record),
        }
    }
}

fn part_name(part: &Claim) -> (String, Value) {
    match part {
        Claim::Seats(seats) => (format!("{} seats", seats.len()), json!({ "seats": seats })),
        Claim::Tickets(lines) => (format!("{} tickets", part.count()), json!({ "tickets": lines })),
    }
}

fn outcome_name(outcome: &CaptureOutcome) -> &'static str {
    match outcome {
        CaptureOutcome::Captured(_) => "captured",
        CaptureOutcome::Awaiting(_) => "awaiting_deposit",
        CaptureOutcome::Failed => "failed",
        CaptureOutcome::Reversed => "reversed",
        CaptureOutcome::TakenBack => "taken_back",
    }
}

fn dispute_name(state: DisputeState) -> &'static str {
    match state {
        DisputeState::Open => "open",
        DisputeState::Won => "won",
        DisputeState::Lost => "lost",
    }
}

fn provider_name(provider: ProviderName) -> &'static str {
    match provider {
        ProviderName::None => "points",
        ProviderName::Toss => "toss",
        ProviderName::Stripe => "stripe",
    }
}

#[cfg(test)]
mod tests {
    use tiketi_engine::ids::{ChargeIndex, Lsn, RefundIndex, UnixMillis, UserIndex};
    use tiketi_engine::inline_list::InlineList;
    use tiketi_engine::money::{BankAccount, Captured, Deposit, Means, Split};
    use tiketi_engine::record::{
        CaptureStarted, DayCompared, PartReturned, PaymentFound, PaymentMethod, RefundAccountGiven,
        RefundOutcome,
    };

    use super::*;

    #[test]
    fn records_of_money_are_described_without_secrets() {
        let (charge, at, card) = (ChargeIndex(3), UnixMillis(1_700_000_000_000), 10_000);
        let secret = || "hunter2".to_owned();
        let outcome = |outcome| Record::CaptureEnded { charge, outcome, at };
        let (bank, due_at) = ("20".to_owned(), at);
        let deposit =
            Deposit { bank, account: secret(), holder: secret(), due_at, secret: secret() };
        let captured = Captured { approved_at: at, means: Means::Card, receipt: Some(secret()) };
        let account = BankAccount { bank: "92".into(), number: secret(), holder: secret() };
        let started = CaptureStarted {
            charge,
            attempt: tiketi_engine::ids::Attempt(1),
            method: PaymentMethod::Card,
            payment_key: secret(),
            at,
        };
        let part = PartReturned {
            charge,
            part: Claim::Seats(
                InlineList::from_slice(&[tiketi_engine::ids::SeatIndex(2)]).unwrap(),
            ),
            amount: Split { card, points: 5 },
            by: UserIndex(7),
            key: None,
            at,
        };
        let compared = DayCompared {
            provider: ProviderName::Toss,
            day: UnixMillis(54_000_000),
            transactions: 7,
            differences: 2,
            unknown: 1,
            at,
        };
        let refund = |outcome| Record::RefundEnded { refund: RefundIndex(4), outcome, at };
        let found = PaymentFound { charge, payment_key: secret(), at };
        let given = RefundAccountGiven { charge, account, at };
        let disputed = |state| Record::Disputed { charge, amount: card, state, at };
        for (record, kind, says) in [
            (Record::CaptureStarted(Box::new(started)), "capture-started", "charge 3, attempt 1"),
            (outcome(CaptureOutcome::Captured(Box::new(captured))), "capture-ended", "captured"),
            (outcome(CaptureOutcome::Awaiting(Box::new(deposit))), "capture-ended", "awaiting"),
            (outcome(CaptureOutcome::TakenBack), "capture-ended", "taken_back"),
            (Record::RefundAccountGiven(Box::new(given)), "refund-account-given", "bank 92"),
            (refund(RefundOutcome::Failed), "refund-ended", "refund 4: Failed"),
            (refund(RefundOutcome::ByHand), "refund-ended", "refund 4: ByHand"),
            (Record::PaymentFound(Box::new(found)), "payment-found", "charge 3"),
            (
                Record::ReturnedElsewhere { charge, card, at },
                "returned-elsewhere",
                "10,000원 without being asked",
            ),
            (
                Record::ReturnFailed { charge, card, is_owed: true, at },
                "return-failed",
                "10,000원 again, owed to the buyer",
            ),
            (Record::ReturnFailed { charge, card, is_owed: false, at }, "return-failed", "kept"),
            (disputed(DisputeState::Open), "disputed", "10,000원 open"),
            (disputed(DisputeState::Won), "disputed", "won"),
            (disputed(DisputeState::Lost), "disputed", "lost"),
            (Record::PartReturned(Box::new(part)), "part-returned", "1 seats, 10000 by card"),
            (Record::ChargeForgotten { charge, at }, "charge-forgotten", "never confirmed"),
            (
                Record::DayCompared(Box::new(compared)),
                "day-compared",
                "1970-01-02 of toss: 7 transactions, 2 differences, 1 unknown",
            ),
        ] {
            let described = Names::default().describe(Lsn(1), &record);
            assert_eq!((described.kind, described.at), (kind, Some(at)), "{record:?}");
            assert!(described.text.contains(says), "{}", described.text);
            let fields = Value::Object(described.fields).to_string();
            assert!(!described.text.contains("hunter2") && !fields.contains("hunter2"), "{fields}");
        }
    }
}
