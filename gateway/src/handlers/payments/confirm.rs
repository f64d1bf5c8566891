//! Takes the money that a payment window says was agreed to.

use std::sync::Arc;

use hyper::StatusCode;
use tiketi_engine::engine::AfterPayment;
use tiketi_engine::error::{CommandError, MoneyRefusal, OrderRefusal};
use tiketi_engine::ids::{ChargeIndex, Lsn};
use tiketi_engine::money::{Charge, ChargeState, Purpose};
use tiketi_engine::record::{ProviderCall, ProviderName};
use tiketi_engine::state::State;

use super::charge::account_of;
use super::least;
use super::request::refused;
use crate::api::amount::Amount;
use crate::api::toss::{TossConfirm, TossConfirmed, TossPending};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::order_view::OrderView;
use crate::orders::unless_busy;
use crate::payments::books::{Collected, Known};
use crate::payments::collect;
use crate::payments::give_back;
use crate::payments::ids::PaymentKey;
use crate::payments::names;
use crate::payments::reconciler::AtWork;
use crate::refusals;

/// `POST /api/payments/toss/confirm`.
pub(crate) async fn toss(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    confirm(ProviderName::Toss, app, request).await
}

/// `POST /api/payments/stripe/confirm`.
pub(crate) async fn stripe(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    confirm(ProviderName::Stripe, app, request).await
}

/// A charge is confirmed at its own provider, or at either where points pay for all of it.
async fn confirm(
    provider: ProviderName,
    app: &Arc<App>,
    request: &Request,
) -> Result<Response, ApiError> {
    let user = request.user()?.user;
    let body: TossConfirm = request.json()?;
    app.catch_up(None).await?;
    let found = app.view.read(|state| {
        let index = names::charge_of(state.ledger(), &body.order_id)?;
        let charge = state.ledger().charge(index).filter(|charge| charge.user == user.index)?;
        if charge.provider != provider && charge.provider != ProviderName::None {
            return None;
        }
        Some((index, charge.clone()))
    });
    let (index, charge) = found.ok_or_else(|| refusals::unknown("결제를 찾을 수 없어요."))?;
    let Charge { state, amount, purpose, .. } = charge;
    // The redirect proves nothing: whoever holds the browser may have changed it.
    let Amount(asked) = body.amount;
    if asked > 0 {
        least::check(provider, asked).map_err(|error| error.with("field", "amount"))?;
    }
    if amount.card != asked {
        return Err(refusals::invalid("결제 금액이 주문과 달라요.").with("field", "amount"));
    }
    if amount.card > 0 && PaymentKey::new(&body.payment_key).is_none() {
        return Err(
            refusals::invalid("결제사가 준 paymentKey가 아니에요.").with("field", "paymentKey")
        );
    }
    if state != ChargeState::Open {
        return again(app, index, state, charge.payment_key == body.payment_key).await;
    }
    if let Purpose::Order(order) = purpose {
        app.seen(request, order.event);
    }
    if amount.card > 0
        && let Some(wait) = app.payments.is_down(provider)
    {
        return Err(ApiError::new(Code::Unavailable)
            .message("결제사와 연결할 수 없어요. 잠시 후 다시 시도해 주세요.")
            .retry_after(wait));
    }
    let room = app.payments.room()?;
    let at_work = AtWork::on(app, index).await;
    let key = body.payment_key;
    let begin = || app.engine.begin_capture(index, user.index, &key, app.clock.now());
    let begun = match unless_busy(begin).await {
        Ok(begun) => begun,
        Err(CommandError::Refused(MoneyRefusal::NotOpen(..))) => {
            // What became of it may not be durable yet (I6), and another payment may have done it.
            app.catch_up(Some(app.engine.journal().appended_lsn())).await?;
            let became = app.view.read(|state| {
                let charge = state.ledger().charge(index)?;
                Some((charge.state, charge.payment_key == key))
            });
            let gone = || ApiError::new(Code::Internal).cause("a charge is gone");
            let (state, is_same) = became.ok_or_else(gone)?;
            return again(app, index, state, is_same).await;
        }
        Err(error) => {
            let is_over = matches!(
                error,
                CommandError::Refused(MoneyRefusal::Order(
                    OrderRefusal::Ended(_)
                        | OrderRefusal::Expired(_)
                        | OrderRefusal::EventOver(_)
                        | OrderRefusal::AlreadyPaid(_)
                ))
            );
            if is_over {
                let app = Arc::clone(app);
                tokio::spawn(async move {
                    let _held = (room, at_work);
                    give_back::let_go(app, index, key).await;
                });
            }
            return Err(refused(app, Some(user.index), purpose, error).await);
        }
    };
    // Nothing is awaited since the capture was begun: from here a task has it, whether or not the
    // caller stays.
    let known = Known::begun(index, charge, &key, app.clock.now());
    let task_app = Arc::clone(app);
    let task = tokio::spawn(async move {
        let _room = room;
        let collected = collect::capture(task_app, begun, known).await;
        if matches!(collected, Ok(Collected::Unknown | Collected::Silent) | Err(_)) {
            at_work.leave_unknown();
        }
        collected
    });
    let collected = task.await.map_err(|panic| ApiError::new(Code::Internal).cause(panic))??;
    answer(app, index, collected).await
}

async fn answer(
    app: &Arc<App>,
    index: ChargeIndex,
    collected: Collected,
) -> Result<Response, ApiError> {
    match collected {
        Collected::Ended(AfterPayment::Paid, lsn) => confirmed(app, index, lsn).await,
        Collected::Ended(AfterPayment::Awaiting, lsn) => {
            app.shown(lsn).await?;
            Ok(app.written(pending(app, index, true), lsn))
        }
        Collected::Ended(AfterPayment::EventCancelled, _) => {
            Err(ApiError::new(Code::NotPayable).message("취소된 공연이에요."))
        }
        Collected::Ended(AfterPayment::Expired, _) => Err(ApiError::new(Code::HoldExpired)),
        Collected::Ended(AfterPayment::Held, _) => Err(ApiError::new(Code::PaymentDeclined)),
        Collected::Refused(refusal, ..) => Err(ApiError::new(Code::PaymentDeclined)
            .message(refusal.message)
            .with("providerCode", refusal.code)),
        Collected::Unknown | Collected::Silent => Ok(pending(app, index, false)),
    }
}

/// The answer where it was confirmed before.
async fn again(
    app: &Arc<App>,
    index: ChargeIndex,
    state: ChargeState,
    is_same: bool,
) -> Result<Response, ApiError> {
    match state {
        ChargeState::Captured if is_same => confirmed(app, index, Lsn::ZERO).await,
        ChargeState::Captured => Err(ApiError::new(Code::AlreadyPaid)),
        ChargeState::Capturing | ChargeState::AwaitingDeposit if !is_same => {
            Err(ApiError::new(Code::Conflict).message("다른 결제가 진행 중이에요."))
        }
        ChargeState::AwaitingDeposit => Ok(pending(app, index, true)),
        ChargeState::Capturing | ChargeState::Open => Ok(pending(app, index, false)),
        ChargeState::Failed | ChargeState::Reversed => {
            let code = app.view.read(|state| {
                let trail = &state.ledger().charge(index)?.trail;
                let last = |call| trail.iter().rev().find(|line| line.call == call);
                let said = last(ProviderCall::Capture).or_else(|| last(ProviderCall::Query));
                said.map(|line| line.code.clone())
            });
            let code = code.unwrap_or_default();
            Err(ApiError::new(Code::PaymentDeclined).with("providerCode", code))
        }
    }
}

async fn confirmed(app: &Arc<App>, index: ChargeIndex, lsn: Lsn) -> Result<Response, ApiError> {
    app.shown(lsn).await?;
    if app.view.read(|state| came_too_late(state, index)) {
        return Err(ApiError::new(Code::HoldExpired));
    }
    let answer = app.view.read(|state| {
        let charge = state.ledger().charge(index)?;
        let order = match charge.purpose {
            Purpose::Order(id) => OrderView::find(state, id)?.payment_answer(),
            Purpose::Points => None,
        };
        let (payment, reservation) = order.map(|one| (one.payment, one.reservation)).unzip();
        Some(TossConfirmed {
            success: true,
            payment_key: charge.payment_key.clone(),
            order_id: names::order_id(index, charge)?.as_str().to_owned(),
            approved_at: charge.captured.as_ref().map(|captured| captured.approved_at.into()),
            payment,
            reservation,
        })
    });
    let answer = answer.ok_or_else(|| ApiError::new(Code::Internal).cause("a charge is gone"))?;
    Ok(app.written(Response::ok(&answer), lsn))
}

/// Whether a charge was captured when its order waited for it no more: its money goes back.
fn came_too_late(state: &State, index: ChargeIndex) -> bool {
    let Some(charge) = state.ledger().charge(index) else { return false };
    let Purpose::Order(id) = charge.purpose else { return false };
    let payment = OrderView::find(state, id).and_then(|view| view.order.payment);
    !payment.is_some_and(|one| one.attempt == charge.attempt && one.paid_at.is_some())
}

fn pending(app: &App, index: ChargeIndex, awaits_deposit: bool) -> Response {
    let (code, message) = match awaits_deposit {
        true => ("WAITING_FOR_DEPOSIT", "입금을 기다리고 있어요."),
        false => ("PAYMENT_PENDING", "결제 결과를 확인하고 있어요."),
    };
    let told = app.view.read(|state| {
        let charge = state.ledger().charge(index)?;
        let order_id = names::order_id(index, charge)?.as_str().to_owned();
        Some((order_id, charge.deposit.as_ref().map(account_of)))
    });
    let (order_id, account) = told.unwrap_or_default();
    Response::json(
        StatusCode::ACCEPTED,
        &TossPending {
            success: false,
            code: code.to_owned(),
            message: message.to_owned(),
            order_id,
            virtual_account: account.filter(|_| awaits_deposit),
        },
    )
}
