//! Points: a balance, its history, and buying more.

use std::sync::Arc;

use tiketi_engine::money::{PointsKind, PointsRow as Change, Purpose, Split};
use tiketi_engine::state::State;

use super::least;
use super::request::{Customer, Wanted, open};
use crate::api::Pagination;
use crate::api::amount::Amount;
use crate::api::toss::{PointsBalance, PointsHistory, PointsRequest, PointsRow};
use crate::app::App;
use crate::error::ApiError;
use crate::http::{Request, Response};
use crate::payments::names;
use crate::refusals;

const ROWS_PER_PAGE: u64 = 20;
/// Points bought at once.
const CHARGE_POINTS_MAX: u64 = 10_000_000;

/// `GET /api/points/balance`.
pub(crate) async fn balance(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let user = request.user()?.user.index;
    app.catch_up(request.min_lsn()?).await?;
    let (balance, debt) = app.view.read(|state| {
        let account = state.ledger().account(user);
        account.map_or((0, 0), |account| (account.balance, account.debt))
    });
    Ok(Response::ok(&PointsBalance { balance, debt }))
}

/// `GET /api/points/history`, newest first.
pub(crate) async fn history(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let user = request.user()?.user.index;
    let page = request.page(ROWS_PER_PAGE)?;
    app.catch_up(request.min_lsn()?).await?;
    let answer = app.view.read(|state| {
        let all = state.ledger().account(user).map_or(&[][..], |account| &account.history);
        let rows = all.iter().rev().skip(page.skip()).take(page.limit as usize);
        PointsHistory {
            history: rows.map(|change| row(state, change)).collect(),
            pagination: Pagination::new(page.page, page.limit, all.len() as u64),
        }
    });
    Ok(Response::ok(&answer))
}

/// `POST /api/points/charge`: paid and confirmed as an order is.
pub(crate) async fn charge(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let user = request.user()?.user;
    let PointsRequest { amount: Amount(amount) } = request.json()?;
    let provider = app.payments.preferred();
    let about_amount = |error: ApiError| error.with("field", "amount");
    least::check(provider, amount).map_err(about_amount)?;
    if amount > CHARGE_POINTS_MAX {
        let refused = refusals::invalid("포인트는 한 번에 10,000,000원까지 충전할 수 있어요.");
        return Err(about_amount(refused));
    }
    let split = Split { card: amount, points: 0 };
    let wanted = Wanted {
        purpose: Purpose::Points,
        provider,
        amount: split,
        order_name: format!("포인트 {amount}원"),
        customer: Customer::default(),
    };
    open(app, user, wanted).await
}

fn row(state: &State, change: &Change) -> PointsRow {
    let kind = match change.kind {
        PointsKind::Charge => "CHARGE",
        PointsKind::Use => "USE",
        PointsKind::Refund => "REFUND",
        PointsKind::Cancel => "CANCEL",
        PointsKind::Debt => "DEBT",
    };
    let charge = state.ledger().charge(change.charge);
    let name = charge.and_then(|charge| names::order_id(change.charge, charge));
    PointsRow {
        kind: kind.to_owned(),
        amount: change.amount,
        balance_after: change.balance,
        reference: name.map(|name| name.as_str().to_owned()).unwrap_or_default(),
        created_at: change.at.into(),
    }
}
