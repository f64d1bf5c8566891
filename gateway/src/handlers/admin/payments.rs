//! Payments through a provider: what is not settled, and settling it.

use std::sync::Arc;

use tiketi_engine::ids::{ChargeIndex, RefundIndex};
use tiketi_engine::money::RefundState;
use tiketi_engine::record::RefundOutcome;

use crate::api::Pagination;
use crate::api::toss::{ChargeAnswer, ChargeList, ReconcileAnswer};
use crate::app::App;
use crate::error::ApiError;
use crate::handlers::payments::charge::charge_answer;
use crate::http::{Request, Response};
use crate::refusals;

const ROWS_PER_PAGE: u64 = 50;

/// `GET /api/admin/payments?state=`: one of the states of a payment, or `unknown` for those that
/// are being confirmed or wait for a deposit.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let page = request.page(ROWS_PER_PAGE)?;
    let wanted = request.parameter("state")?.unwrap_or_default().into_owned();
    app.catch_up(request.min_lsn()?).await?;
    let answer = app.view.read(|state| {
        let ledger = state.ledger();
        let is_wanted = |answer: &ChargeAnswer| match wanted.as_str() {
            "" => true,
            "unknown" => matches!(answer.status.as_str(), "confirming" | "waiting_for_deposit"),
            wanted => answer.status == wanted,
        };
        let all = (0..ledger.charges().len() as u32).rev().map(ChargeIndex);
        let found: Vec<ChargeAnswer> = all
            .filter_map(|index| charge_answer(state, index, ledger.charge(index)?, true))
            .filter(is_wanted)
            .collect();
        let pagination = Pagination::new(page.page, page.limit, found.len() as u64);
        let payments = found.into_iter().skip(page.skip()).take(page.limit as usize).collect();
        ChargeList { payments, pagination }
    });
    Ok(Response::ok(&answer))
}

/// `POST /api/admin/payments/reconcile`: asks about everything that is not settled now, and again
/// for refunds that were refused.
pub(crate) async fn reconcile(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    app.catch_up(None).await?;
    let (unknown, refused): (Vec<ChargeIndex>, Vec<RefundIndex>) = app.view.read(|state| {
        let ledger = state.ledger();
        let refunds = (0_u32..).map(RefundIndex).zip(ledger.refunds());
        let refused =
            refunds.filter(|(_, refund)| matches!(refund.state, RefundState::Refused { .. }));
        (ledger.unresolved().collect(), refused.map(|(index, _)| index).collect())
    });
    let mut last = None;
    for &index in &refused {
        let again = app.engine.end_refund(index, RefundOutcome::Again, app.clock.now());
        last = again
            .map_err(|error| refusals::invalid("환불을 다시 시도할 수 없어요.").cause(error))
            .map(Some)?;
    }
    if let Some(pending) = last {
        app.durable(pending).await?;
    }
    unknown.iter().for_each(|&charge| app.payments.turns.hint(charge));
    app.payments.turns.ask_refunds_now();
    let answer = ReconcileAnswer {
        message: "결제사에 다시 확인하고 있어요.".to_owned(),
        unknown: unknown.len(),
        refunds_due: app.view.read(|state| state.ledger().refunds_due().count()),
        refunds_again: refused.len(),
    };
    Ok(Response::ok(&answer))
}
