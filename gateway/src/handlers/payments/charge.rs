//! A charge as its owner and administrators see it.

use std::sync::Arc;

use tiketi_engine::ids::{ChargeIndex, ReservationId};
use tiketi_engine::money::{Charge, ChargeState, Deposit, Purpose, RefundState};
use tiketi_engine::record::{OrderRef, ProviderCall};
use tiketi_engine::state::{OrderState, State};

use crate::api::payments::method_id;
use crate::api::toss::{ChargeAnswer, TrailRow, VirtualAccount};
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
    let returned = charge.returned.total();
    let is_on_its_way = state
        .ledger()
        .refunds_of(index)
        .any(|refund| !matches!(refund.state, RefundState::Done { .. }));
    let status = match charge.state {
        ChargeState::Open if is_over(state, charge) => "expired",
        ChargeState::Open => "open",
        ChargeState::Capturing => "confirming",
        ChargeState::AwaitingDeposit => "waiting_for_deposit",
        ChargeState::Captured if returned == 0 => "paid",
        ChargeState::Captured if is_on_its_way => "refunding",
        ChargeState::Captured if charge.balance().total() > 0 => "partially_refunded",
        ChargeState::Captured => "refunded",
        ChargeState::Failed => "failed",
        ChargeState::Reversed => "reversed",
    };
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
    };
    Some(ChargeAnswer {
        order_id: names::order_id(index, charge)?.as_str().to_owned(),
        status: status.to_owned(),
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
        refunded_amount: returned,
        virtual_account: charge.deposit.as_ref().map(account_of),
        trail: with_trail.then(|| charge.trail.iter().map(row).collect()),
    })
}

/// Whether the order of a charge that nobody confirmed can be paid no more, or was paid by another.
fn is_over(state: &State, charge: &Charge) -> bool {
    match charge.purpose {
        Purpose::Order(id) => state
            .order(id)
            .is_none_or(|(_, order)| !matches!(order.state, OrderState::Held | OrderState::Paying)),
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
