//! Payments through Toss: asked for, confirmed, told of by webhooks, looked at, given back.

use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use rand::Rng;
use tiketi_engine::engine::{AfterPayment, NewCharge};
use tiketi_engine::error::{CommandError, MoneyRefusal};
use tiketi_engine::ids::{ChargeIndex, ExternalId, Lsn, ReservationId, UserId};
use tiketi_engine::money::{Charge, ChargeState, Deposit, Purpose, RefundState, Split};
use tiketi_engine::record::{OrderRef, ProviderCall, ProviderName, Role};
use tiketi_engine::state::State;

use crate::api::Id;
use crate::api::payments::method_id;
use crate::api::queue::QueueMessage;
use crate::api::toss::{
    ChargeAnswer, RefundRequest, TossConfirm, TossConfirmed, TossOrder, TossPending, TossRequest,
    TrailRow, VirtualAccount,
};
use crate::app::App;
use crate::config::Secret;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::order_view::OrderView;
use crate::orders::{explain, unless_busy};
use crate::payments::collect::{self, Collected};
use crate::payments::names;
use crate::payments::reconciler::AtWork;
use crate::refusals;

/// What a card pays at least (providers.md 1.3).
pub(super) const CARD_WON_MIN: u64 = 100;
/// How long a webhook may wait for what the provider says; it wants an answer within ten seconds.
const HINT_WITHIN: Duration = Duration::from_secs(5);
const ORDER_NAME_CHARS_MAX: usize = 100;

/// `POST /api/payments/toss/request`.
pub(crate) async fn request(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let user = request.user()?.user;
    let body: TossRequest = request.json()?;
    let Some(ExternalId::Reservation(id)) = ExternalId::decode(body.reservation_id.0) else {
        return Err(refusals::unknown_order());
    };
    app.seen(request, id.event);
    app.catch_up(None).await?;
    let found = app.view.read(|state| {
        let order = OrderView::own(state, id, user.index)?;
        Some((order.total_amount(), order_name(&order)))
    });
    let (total, name) = found.ok_or_else(refusals::unknown_order)?;
    let points = body.point_used.unwrap_or(0);
    let card = total
        .checked_sub(points)
        .ok_or_else(|| refusals::invalid("결제 금액보다 많은 포인트는 쓸 수 없어요."))?;
    open(app, user, Purpose::Order(id), Split { card, points }, name).await
}

/// Opens a charge and answers with what a payment window needs.
pub(super) async fn open(
    app: &Arc<App>,
    user: UserId,
    purpose: Purpose,
    amount: Split,
    order_name: String,
) -> Result<Response, ApiError> {
    let provider = match amount.card {
        0 => ProviderName::None,
        1..CARD_WON_MIN => {
            return Err(refusals::invalid("카드로는 100원부터 결제할 수 있어요."));
        }
        _ => ProviderName::Toss,
    };
    let client_key = match (provider, app.payments.client_key()) {
        (ProviderName::None, _) => String::new(),
        (_, Some(key)) => key.to_owned(),
        (_, None) => {
            return Err(ApiError::new(Code::Unavailable).message("지금은 결제할 수 없어요."));
        }
    };
    let new =
        NewCharge { user: user.index, purpose, provider, amount, tag: rand::rng().next_u64() };
    let opened = app.engine.open_charge(&new, app.clock.now());
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return Err(refused(app, user, purpose, error).await),
    };
    let lsn = opened.lsn();
    let index = app.durable(opened).await?;
    app.shown(lsn).await?;
    let order_id = app.view.read(|state| {
        let charge = state.ledger().charge(index)?;
        names::order_id(index, charge)
    });
    let order_id = order_id.ok_or_else(|| ApiError::new(Code::Internal).cause("no such charge"))?;
    let order_id = order_id.as_str().to_owned();
    let answer = TossOrder {
        payment_id: order_id.clone(),
        amount: amount.card,
        order_name: order_name.chars().take(ORDER_NAME_CHARS_MAX).collect(),
        client_key,
        customer_key: Id::from(user).to_string(),
        success_url: app.payments.page("success"),
        fail_url: app.payments.page("fail"),
        payment_url: app.payments.page(&format!("pay/{order_id}")),
        order_id,
    };
    Ok(app.written(Response::created(&answer), lsn))
}

/// `POST /api/payments/toss/confirm`.
pub(crate) async fn confirm(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let user = request.user()?.user;
    let body: TossConfirm = request.json()?;
    app.catch_up(None).await?;
    let found = app.view.read(|state| {
        let index = names::charge_of(state.ledger(), &body.order_id)?;
        let charge = state.ledger().charge(index).filter(|charge| charge.user == user.index)?;
        Some((index, charge.state, charge.amount, charge.payment_key.clone(), charge.purpose))
    });
    let (index, state, amount, known_key, purpose) =
        found.ok_or_else(|| refusals::unknown("결제를 찾을 수 없어요."))?;
    // The redirect proves nothing: whoever holds the browser may have changed it.
    if amount.card != body.amount {
        return Err(refusals::invalid("결제 금액이 주문과 달라요."));
    }
    if state != ChargeState::Open {
        return again(app, index, state, known_key == body.payment_key).await;
    }
    if let Purpose::Order(order) = purpose {
        app.seen(request, order.event);
    }
    if amount.card > 0
        && let Some(wait) = app.payments.is_down()
    {
        return Err(ApiError::new(Code::Unavailable)
            .message("결제사와 연결할 수 없어요. 잠시 후 다시 시도해 주세요.")
            .retry_after(wait));
    }
    let room = app.payments.room()?;
    let at_work = AtWork::on(app, index);
    let key = body.payment_key;
    let begin = || app.engine.begin_capture(index, user.index, &key, app.clock.now());
    let begun = match begin() {
        Ok(begun) => begun,
        Err(CommandError::Refused(MoneyRefusal::NotOpen(_, state))) => {
            app.catch_up(None).await?;
            return again(app, index, state, true).await;
        }
        Err(error) => return Err(refused(app, user, purpose, error).await),
    };
    // Nothing is awaited since the capture was begun: from here a task has it, whether or not the
    // caller stays.
    let task_app = Arc::clone(app);
    let task = tokio::spawn(async move {
        let _room = room;
        let collected = collect::capture(task_app, begun).await;
        if matches!(collected, Ok(Collected::Unknown) | Err(_)) {
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
        Collected::Unknown => Ok(pending(app, index, false)),
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
                let capture = trail.iter().rev().find(|line| line.call == ProviderCall::Capture);
                capture.map(|line| line.code.clone())
            });
            let code = code.unwrap_or_default();
            Err(ApiError::new(Code::PaymentDeclined).with("providerCode", code))
        }
    }
}

async fn confirmed(app: &Arc<App>, index: ChargeIndex, lsn: Lsn) -> Result<Response, ApiError> {
    app.shown(lsn).await?;
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

/// `POST /api/payments/toss/webhook`. A hint and no more: what counts is what the provider answers
/// when it is asked. The answer is 200 once that was done; where it takes too long the provider
/// sends the hint again.
pub(crate) async fn webhook(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let hint = app.payments.hint(request.headers(), request.body(), app.clock.now());
    let Some(hint) = hint else {
        return Err(refusals::invalid("웹훅이 아니에요."));
    };
    let told = Response::ok(&serde_json::json!({}));
    let Some(subject) = hint.subject else { return Ok(told) };
    app.catch_up(None).await?;
    let found = app.view.read(|state| {
        let order_id = subject.order_id.as_ref()?;
        let index = names::charge_of(state.ledger(), order_id.as_str())?;
        let charge = state.ledger().charge(index)?;
        let stored = charge.deposit.as_ref().map(|deposit| Secret::new(deposit.secret.as_str()));
        Some((index, charge.is_unresolved(), stored))
    });
    let Some((index, is_unresolved, stored)) = found else {
        tracing::info!(message = hint.message, "a webhook about no payment of ours");
        return Ok(told);
    };
    // What carries another secret than the account's is a lie, and not worth a question.
    if let (Some(stored), true) = (stored, subject.secret.is_some())
        && !stored.expose().is_empty()
        && !subject.proves(&stored)
    {
        tracing::warn!(message = hint.message, "a webhook with another secret");
        return Ok(told);
    }
    if is_unresolved {
        app.payments.turns.hint(index);
    }
    let resolved = tokio::time::timeout(HINT_WITHIN, collect::resolve(app, index, 0)).await;
    match resolved {
        Ok(Ok(_)) => Ok(told),
        Ok(Err(error)) => Err(error),
        Err(late) => Err(ApiError::new(Code::Unavailable).cause(late)),
    }
}

/// `GET /api/payments/:orderId`.
pub(crate) async fn show(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let caller = request.user()?;
    let order_id = request.path_text(0)?;
    app.catch_up(request.min_lsn()?).await?;
    let is_admin = app.account_role(caller.user) == Some(Role::Admin);
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
    let mut refunds = state.ledger().refunds().iter().filter(|refund| refund.charge == index);
    let is_on_its_way = refunds.any(|refund| !matches!(refund.state, RefundState::Done { .. }));
    let status = match charge.state {
        ChargeState::Open => "open",
        ChargeState::Capturing => "confirming",
        ChargeState::AwaitingDeposit => "waiting_for_deposit",
        ChargeState::Captured if returned == 0 => "paid",
        ChargeState::Captured if is_on_its_way => "refunding",
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

fn account_of(deposit: &Deposit) -> VirtualAccount {
    VirtualAccount {
        bank_code: deposit.bank.clone(),
        account_number: deposit.account.clone(),
        customer_name: deposit.holder.clone(),
        due_date: deposit.due_at.into(),
    }
}

fn order_name(order: &OrderView<'_>) -> String {
    format!("{} ({})", order.event.details.title, order.number())
}

/// The answer to a refused command about money.
async fn refused(
    app: &App,
    user: UserId,
    purpose: Purpose,
    error: CommandError<MoneyRefusal>,
) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    match (refusal, purpose) {
        (MoneyRefusal::Order(order), Purpose::Order(id)) => {
            explain(app, id, Some(user.index), CommandError::Refused(order)).await
        }
        (MoneyRefusal::NotEnoughPoints { left }, _) => {
            refusals::invalid("포인트가 부족해요.").with("balance", left)
        }
        (MoneyRefusal::WrongPaymentKey, _) => refusals::invalid("결제 정보가 올바르지 않아요."),
        (MoneyRefusal::WrongAmount, _) => refusals::invalid("결제할 수 없는 금액이에요."),
        (MoneyRefusal::UnknownCharge(_), _) => refusals::unknown("결제를 찾을 수 없어요."),
        (other, _) => ApiError::new(Code::Unavailable).cause(other),
    }
}
