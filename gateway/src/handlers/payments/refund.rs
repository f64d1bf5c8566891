//! Gives money back.

use std::sync::Arc;

use tiketi_engine::error::{CommandError, HoldRefusal, MoneyRefusal};
use tiketi_engine::ids::{ChargeIndex, Lsn, ReservationId, UserIndex};
use tiketi_engine::journal::Pending;
use tiketi_engine::money::{BankAccount, ChargeState, Purpose, RefundState};
use tiketi_engine::record::Claim;

use super::request::refused;
use crate::api::Id;
use crate::api::toss::{RefundAccount, RefundAnswer, RefundRequest};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::handlers::seats::wanted_seats;
use crate::http::{Request, Response};
use crate::orders::{self, unless_busy};
use crate::payments::names;
use crate::refusals;

/// A charge that is to be given back, whole or in part.
struct Paid {
    charge: ChargeIndex,
    order: ReservationId,
    /// Its user where he asks for it himself; `None` for an administrator.
    by: Option<UserIndex>,
}

/// What a request wants to go back.
enum Wanted {
    /// What is left of the order.
    All,
    Seats(Vec<Id>),
    /// Nothing more: the account is for what is on its way back already.
    ToAccount,
}

impl Wanted {
    /// # Errors
    /// 400 where it says less than all of it, or two things.
    fn of(body: &RefundRequest) -> Result<Wanted, ApiError> {
        match (body.all, &body.seat_ids, &body.refund_account) {
            (Some(false), ..) => Err(refusals::invalid(
                "all에는 true만 쓸 수 있어요. 일부만 환불하려면 seatIds에 좌석을 적어 주세요.",
            )
            .with("field", "all")),
            (Some(true), Some(_), _) => {
                Err(refusals::invalid("all과 seatIds는 함께 쓸 수 없어요. 하나만 적어 주세요.")
                    .with("field", "seatIds"))
            }
            (Some(true), None, _) | (None, None, None) => Ok(Wanted::All),
            (None, Some(seats), _) => Ok(Wanted::Seats(seats.clone())),
            (None, None, Some(_)) => Ok(Wanted::ToAccount),
        }
    }
}

/// `POST /api/payments/:orderId/refund`: gives back the order that was paid with it, or some of its
/// seats, and their money.
pub(crate) async fn refund(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let asker = request.user()?;
    let (caller, is_admin) = (asker.user, asker.is_admin());
    let order_id = request.path_text(0)?;
    let body: RefundRequest = request.json()?;
    let wanted = Wanted::of(&body)?;
    app.catch_up(None).await?;
    let found = app.view.read(|state| {
        let index = names::charge_of(state.ledger(), &order_id)?;
        let charge = state.ledger().charge(index)?;
        let is_own = charge.user == caller.index;
        (is_own || is_admin).then_some((index, charge.state, charge.purpose, is_own))
    });
    let (charge, state, purpose, is_own) = found.ok_or_else(|| ApiError::new(Code::NotFound))?;
    let Purpose::Order(order) = purpose else {
        return Err(refusals::invalid("충전한 포인트는 고객센터를 통해 환불할 수 있어요."));
    };
    if state != ChargeState::Captured {
        return Err(ApiError::new(Code::Conflict).message("결제된 주문만 환불할 수 있어요."));
    }
    let paid = Paid { charge, order, by: is_own.then_some(caller.index) };
    if matches!(wanted, Wanted::ToAccount) && !awaits_account(app, charge) {
        return Err(refusals::invalid(
            "무엇을 환불할지 함께 적어 주세요. 전체는 all, 일부는 seatIds에 적어요.",
        )
        .with("field", "all"));
    }
    if let Some(account) = body.refund_account {
        let given = give_account(app, &paid, account)?;
        let lsn = given.lsn();
        app.durable(given).await?;
        app.shown(lsn).await?;
        let is_over = app.view.read(|state| {
            state.ledger().charge(charge).is_some_and(|charge| charge.balance().total() == 0)
        });
        // A refund waited for the account.
        if is_over || matches!(wanted, Wanted::ToAccount) {
            let answer = answer(app, charge, lsn).await?;
            return Ok(answer.by_an_administrator(!is_own));
        }
    }
    let lsn = match &wanted {
        Wanted::Seats(seats) => some_seats(app, &paid, seats).await?,
        Wanted::All | Wanted::ToAccount => orders::cancel(app, paid.order, paid.by).await?,
    };
    Ok(answer(app, charge, lsn).await?.by_an_administrator(!is_own))
}

/// Whether money of this charge is on its way back, or all of it is.
fn awaits_account(app: &App, charge: ChargeIndex) -> bool {
    app.view.read(|state| {
        let ledger = state.ledger();
        let is_under_way = |state: &RefundState| !matches!(state, RefundState::Done { .. });
        ledger.refunds_of(charge).any(|refund| is_under_way(&refund.state))
            || ledger.charge(charge).is_some_and(|charge| charge.balance().total() == 0)
    })
}

fn give_account(app: &App, paid: &Paid, account: RefundAccount) -> Result<Pending<()>, ApiError> {
    let RefundAccount { bank, account_number, holder_name } = account;
    let account = BankAccount { bank, number: account_number, holder: holder_name };
    let given = app.engine.give_refund_account(paid.charge, account, paid.by, app.clock.now());
    given.map_err(|error| match error {
        CommandError::Refused(_) => refusals::invalid("환불 계좌를 확인해 주세요."),
        CommandError::Unavailable(unavailable) => unavailable.into(),
    })
}

async fn some_seats(app: &Arc<App>, paid: &Paid, ids: &[Id]) -> Result<Lsn, ApiError> {
    let &Paid { charge, order, by } = paid;
    let not_its_own = || refusals::invalid("이 예매의 좌석만 환불할 수 있어요.");
    let plan = app.plan(order.event).ok_or_else(not_its_own)?;
    let wanted = wanted_seats(&plan, ids).map_err(|refusal| match refusal {
        HoldRefusal::Empty => refusals::invalid("환불할 좌석을 선택해 주세요."),
        _ => not_its_own(),
    })?;
    let seats = wanted.seats();
    let found = app.view.read(|state| {
        let (event, found) = state.order(order)?;
        let Claim::Seats(own) = &found.claim else { return None };
        let is_part = seats.iter().all(|seat| own.contains(seat));
        is_part.then(|| (seats.len() == own.len(), event.amount(&Claim::Seats(*seats))))
    });
    let (is_all, won) = found.ok_or_else(not_its_own)?;
    if is_all {
        return orders::cancel(app, order, by).await;
    }
    let give_back = || app.engine.return_seats(charge, seats, won, by, app.clock.now());
    match unless_busy(give_back).await {
        Ok(returned) => {
            let lsn = returned.lsn();
            app.durable(returned).await?;
            Ok(lsn)
        }
        Err(CommandError::Refused(MoneyRefusal::NotPartOfIt(_) | MoneyRefusal::WrongAmount)) => {
            Err(not_its_own())
        }
        Err(error) => Err(refused(app, by, Purpose::Order(order), error).await),
    }
}

async fn answer(app: &Arc<App>, charge: ChargeIndex, lsn: Lsn) -> Result<Response, ApiError> {
    app.shown(lsn).await?;
    let answer = app.view.read(|state| {
        let charge = state.ledger().charge(charge)?;
        Some(RefundAnswer {
            message: match charge.balance().total() {
                0 => "예매를 취소했어요. 결제 금액은 환불돼요.",
                _ => "선택한 좌석을 취소했어요. 좌석 금액은 환불돼요.",
            }
            .to_owned(),
            refunded_amount: charge.returned.total(),
            remaining_amount: charge.balance().total(),
        })
    });
    let answer = answer.ok_or_else(|| ApiError::new(Code::Internal).cause("a charge is gone"))?;
    Ok(app.written(Response::ok(&answer), lsn))
}
