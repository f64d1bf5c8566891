//! A charge as its owner and administrators see it.

use std::sync::Arc;

use tiketi_engine::ids::{ChargeIndex, ReservationId};
use tiketi_engine::money::{Charge, ChargeState, Deposit, Dispute, Purpose, Refund, RefundState};
use tiketi_engine::record::{DisputeState, OrderRef, ProviderCall};
use tiketi_engine::state::{OrderClass, State};

use crate::api::payments::method_id;
use crate::api::toss::{ChargeAnswer, DisputeAnswer, TrailRow, VirtualAccount, Waiting};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::payments::names;

/// `GET /api/payments/:orderId`.
pub(crate) async fn show(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let caller = request.user()?;
    let order_id = request.path_text(0)?;
    app.catch_up(request.min_lsn()?).await?;
    let is_admin = caller.is_admin();
    let answer = app.view.read(|state| {
        let index = names::charge_of(state.ledger(), &order_id)?;
        let charge = state.ledger().charge(index)?;
        let may_see = is_admin || charge.user == caller.user.index;
        may_see.then(|| charge_answer(state, index, charge, is_admin))?
    });
    match answer {
        Some(answer) => Ok(Response::ok(&answer)),
        None => Err(ApiError::new(Code::NotFound)),
    }
}

/// Every charge of an order, for administrators.
pub(crate) fn charges_of(state: &State, id: ReservationId) -> Vec<ChargeAnswer> {
    let ledger = state.ledger();
    let order = OrderRef { event: id.event, number: id.order };
    let answer = |&index: &ChargeIndex| charge_answer(state, index, ledger.charge(index)?, true);
    ledger.of_order(order).iter().filter_map(answer).collect()
}

pub(crate) fn charge_answer(
    state: &State,
    index: ChargeIndex,
    charge: &Charge,
    with_trail: bool,
) -> Option<ChargeAnswer> {
    let ledger = state.ledger();
    let refused: u64 =
        ledger.refunds_of(index).filter(|one| is_refused(one)).map(|one| one.card).sum();
    let row = |line: &tiketi_engine::money::TrailLine| TrailRow {
        call: match line.call {
            ProviderCall::Open => "open",
            ProviderCall::Capture => "capture",
            ProviderCall::Query => "query",
            ProviderCall::Refund => "refund",
        }
        .to_owned(),
        status: line.status,
        code: line.code.clone(),
        at: line.at.into(),
        times: line.times,
        last_at: line.last_at.into(),
    };
    Some(ChargeAnswer {
        order_id: names::order_id(index, charge)?.as_str().to_owned(),
        status: status(state, index, charge).to_owned(),
        amount: charge.amount.card,
        point_used: charge.amount.points,
        method: method_id(charge.method()).to_owned(),
        reservation_id: match charge.purpose {
            Purpose::Order(id) => Some(id.into()),
            Purpose::Points => None,
        },
        requested_at: charge.opened_at.into(),
        approved_at: charge.captured.as_ref().map(|captured| captured.approved_at.into()),
        receipt_url: charge.captured.as_ref().and_then(|captured| captured.receipt.clone()),
        refunded_amount: charge.returned.total() + charge.elsewhere(),
        refunded_elsewhere: charge.elsewhere(),
        refund_owed: ledger.owed(index),
        refund_refused: refused,
        message: (refused > 0).then(|| REFUSED.to_owned()),
        dispute: charge.dispute.map(dispute_answer),
        waiting: waiting(state, index, charge),
        virtual_account: charge.deposit.as_ref().map(account_of),
        trail: with_trail.then(|| charge.trail.iter().map(row).collect()),
    })
}

/// What a buyer is told of money that the provider will not give back.
const REFUSED: &str = "결제사가 환불을 거절해 아직 돌려드리지 못한 금액이 있어요. 고객센터에서 확인한 뒤 \
                       다른 방법으로 환불해 드릴게요.";

/// A charge in a word.
pub(crate) fn status(state: &State, index: ChargeIndex, charge: &Charge) -> &'static str {
    let refunds = || state.ledger().refunds_of(index);
    match charge.state {
        ChargeState::Open if is_over(state, charge) => "expired",
        ChargeState::Open => "open",
        ChargeState::Capturing => "confirming",
        ChargeState::AwaitingDeposit => "waiting_for_deposit",
        ChargeState::Captured if charge.is_disputed() => "disputed",
        ChargeState::Captured if refunds().any(is_refused) => "refund_refused",
        ChargeState::Captured if refunds().any(|refund| refund.state == RefundState::Due) => {
            "refunding"
        }
        ChargeState::Captured if charge.returned.total() + charge.elsewhere() == 0 => "paid",
        ChargeState::Captured if charge.balance().total() > 0 => "partially_refunded",
        ChargeState::Captured => "refunded",
        ChargeState::Failed => "failed",
        ChargeState::Reversed => "reversed",
    }
}

fn is_refused(refund: &Refund) -> bool {
    matches!(refund.state, RefundState::Refused { .. })
}

/// What a charge waits for, and since when; `None` for one that has ended.
fn waiting(state: &State, index: ChargeIndex, charge: &Charge) -> Option<Waiting> {
    let ledger = state.ledger();
    let started_at = charge.started_at.unwrap_or(charge.opened_at);
    let due = || ledger.refunds_of(index).find(|refund| refund.state == RefundState::Due);
    let refused = || ledger.refunds_of(index).find(|refund| is_refused(refund));
    let needs_account = || charge.came_by_transfer() && ledger.refund_account(index).is_none();
    let (what, since) = match charge.state {
        // It is forgotten in a day.
        ChargeState::Open if is_over(state, charge) => return None,
        ChargeState::Open => ("confirmation", charge.opened_at),
        ChargeState::Capturing => ("provider", started_at),
        ChargeState::AwaitingDeposit => ("deposit", started_at),
        ChargeState::Captured => match (charge.dispute, due(), refused()) {
            (Some(dispute), ..) if dispute.state == DisputeState::Open => ("bank", dispute.at),
            (_, Some(refund), _) => ("refund", refund.at),
            (.., Some(refund)) if needs_account() => ("refund_account", refund.at),
            (.., Some(refund)) => ("administrator", refund.at),
            (.., None) => return None,
        },
        ChargeState::Failed | ChargeState::Reversed => return None,
    };
    Some(Waiting { what: what.to_owned(), since: since.into() })
}

fn dispute_answer(dispute: Dispute) -> DisputeAnswer {
    DisputeAnswer {
        amount: dispute.amount,
        state: match dispute.state {
            DisputeState::Open => "open",
            DisputeState::Won => "won",
            DisputeState::Lost => "lost",
        }
        .to_owned(),
        since: dispute.at.into(),
    }
}

/// Whether the order of a charge that was never confirmed can be paid no more, or was paid by another.
fn is_over(state: &State, charge: &Charge) -> bool {
    match charge.purpose {
        Purpose::Order(id) => {
            state.order(id).is_none_or(|(_, order)| !matches!(order.class(), OrderClass::Open))
        }
        Purpose::Points => false,
    }
}

pub(super) fn account_of(deposit: &Deposit) -> VirtualAccount {
    VirtualAccount {
        bank_code: deposit.bank.clone(),
        account_number: deposit.account.clone(),
        customer_name: deposit.holder.clone(),
        due_date: deposit.due_at.into(),
    }
}
