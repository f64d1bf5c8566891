//! Gives money back.

use std::sync::Arc;

use tiketi_engine::money::{ChargeState, Purpose};
use tiketi_engine::record::Role;

use crate::api::queue::QueueMessage;
use crate::api::toss::RefundRequest;
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::orders::{explain, unless_busy};
use crate::payments::names;
use crate::refusals;

/// `POST /api/payments/:orderId/refund`: cancels the order that was paid with it, and all of its
/// money goes back.
pub(crate) async fn refund(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let caller = request.user()?;
    let order_id = request.path_text(0)?;
    let _: RefundRequest = request.json()?;
    app.catch_up(None).await?;
    let is_admin = app.account_role(caller.user) == Some(Role::Admin);
    let found = app.view.read(|state| {
        let index = names::charge_of(state.ledger(), &order_id)?;
        let charge = state.ledger().charge(index)?;
        let may_see = is_admin || charge.user == caller.user.index;
        may_see.then_some((charge.state, charge.purpose, charge.user))
    });
    let (state, purpose, owner) = found.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let Purpose::Order(id) = purpose else {
        return Err(refusals::invalid("충전한 포인트는 고객센터를 통해 환불할 수 있어요."));
    };
    if state != ChargeState::Captured {
        return Err(ApiError::new(Code::Conflict).message("결제된 주문만 환불할 수 있어요."));
    }
    let by = (owner == caller.user.index).then_some(owner);
    let cancelled = unless_busy(|| app.engine.cancel_order(id, by, app.clock.now())).await;
    let cancelled = match cancelled {
        Ok(cancelled) => cancelled,
        Err(error) => return Err(explain(app, id, by, error).await),
    };
    let lsn = cancelled.lsn();
    app.durable(cancelled).await?;
    let answer = QueueMessage {
        message: "예매를 취소했어요. 결제 금액은 환불돼요.".to_owned()
    };
    Ok(app.written(Response::ok(&answer), lsn))
}
