//! Payments through a provider: what waits for what, and bringing it to an end.

use std::sync::Arc;
use std::time::Duration;

use tiketi_engine::error::{CommandError, MoneyRefusal};
use tiketi_engine::ids::{ChargeIndex, Lsn, RefundIndex, UnixMillis};
use tiketi_engine::money::{Charge, ChargeState};
use tiketi_engine::record::{CaptureOutcome, ProviderName, RefundOutcome};
use tiketi_engine::state::State;
use tokio::time::Instant;

use crate::api::Pagination;
use crate::api::toss::{
    ChargeAnswer, ChargeList, CompareAnswer, CompareRequest, Compared, EndAnswer, ReconcileAnswer,
};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::handlers::payments::charge::{charge_answer, status};
use crate::http::{Request, Response};
use crate::instants::{self, seoul_day, seoul_midnight};
use crate::payments::compare::{self, Comparison};
use crate::payments::reconciler::AtWork;
use crate::payments::{books, collect, give_back, names};
use crate::refusals;

const ROWS_PER_PAGE: u64 = 50;
/// How long one request waits for a comparison; asking again joins it.
const COMPARED_WITHIN: Duration = Duration::from_secs(5);

/// `GET /api/admin/payments?state=`: one of the states of a payment, `unknown` for those that are
/// being confirmed or wait for a deposit, `waiting` for all that wait for anything but their buyer's
/// confirmation, or `refunded_elsewhere` for those of which the provider gave something back itself.
pub(crate) async fn list(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let page = request.page(ROWS_PER_PAGE)?;
    let wanted = request.parameter("state")?.unwrap_or_default().into_owned();
    app.catch_up(request.min_lsn()?).await?;
    let answer = app.view.read(|state| {
        let all = state.ledger().charges().rev();
        let found: Vec<(ChargeIndex, &Charge)> =
            all.filter(|&(index, charge)| is_wanted(state, index, charge, &wanted)).collect();
        let pagination = Pagination::new(page.page, page.limit, found.len() as u64);
        let rows = found.into_iter().skip(page.skip()).take(page.limit as usize);
        let answer = |(index, charge)| charge_answer(state, index, charge, true);
        ChargeList { payments: rows.filter_map(answer).collect(), pagination }
    });
    Ok(Response::ok(&answer))
}

fn is_wanted(state: &State, index: ChargeIndex, charge: &Charge, wanted: &str) -> bool {
    match wanted {
        "" => true,
        "refunded_elsewhere" => charge.elsewhere() > 0,
        _ => match (wanted, status(state, index, charge)) {
            ("unknown", "confirming" | "waiting_for_deposit") => true,
            (
                "waiting",
                "confirming" | "waiting_for_deposit" | "refunding" | "refund_refused" | "disputed",
            ) => true,
            (wanted, status) => wanted == status,
        },
    }
}

/// `POST /api/admin/payments/reconcile`: asks about everything that is not settled now, and again
/// for refunds that were refused.
pub(crate) async fn reconcile(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    app.catch_up(None).await?;
    let (unknown, refused): (Vec<ChargeIndex>, Vec<RefundIndex>) = app.view.read(|state| {
        let ledger = state.ledger();
        (ledger.unresolved().collect(), ledger.refunds_refused().collect())
    });
    let (mut last, mut refunds_again) = (None, 0);
    for &index in &refused {
        match app.engine.end_refund(index, RefundOutcome::Again, app.clock.now()) {
            Ok(pending) => {
                refunds_again += 1;
                last = Some(pending);
            }
            // It was given back, or is asked for, since the list was read.
            Err(CommandError::Refused(MoneyRefusal::NoSuchRefund(_))) => {}
            Err(error) => {
                return Err(refusals::invalid("환불을 다시 시도할 수 없어요.").cause(error));
            }
        }
    }
    if let Some(pending) = last {
        app.durable(pending).await?;
    }
    app.catch_up(None).await?;
    let (refunding, refunds_due): (Vec<ChargeIndex>, usize) = app.view.read(|state| {
        let ledger = state.ledger();
        (ledger.charges_with_refunds_due().collect(), ledger.refunds_due().len())
    });
    app.payments.turns.ask_now(unknown.iter().chain(&refunding).copied());
    let answer = ReconcileAnswer {
        message: "결제사에 다시 확인하고 있어요.".to_owned(),
        unknown: unknown.len(),
        refunds_due,
        refunds_again,
    };
    Ok(Response::ok(&answer))
}

/// `POST /api/admin/payments/:orderId/end`: ends a payment whose outcome the provider does not say. A
/// deposit's account is closed there first. Money that turns up afterwards goes back by itself.
pub(crate) async fn end(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    request.no_fields()?;
    let index = charge_of(app, request).await?;
    let _at_work = AtWork::on(app, index).await;
    app.catch_up(None).await?;
    let state = app.view.read(|state| Some(state.ledger().charge(index)?.state));
    let lsn = match state {
        Some(ChargeState::Capturing) => {
            let (_, lsn) = books::end(app, index, CaptureOutcome::Failed).await?;
            collect::let_go_later(app, index);
            lsn
        }
        Some(ChargeState::AwaitingDeposit) => match collect::close_deposit(app, index).await? {
            true => app.engine.journal().appended_lsn(),
            false => {
                return Err(ApiError::new(Code::Unavailable).message(
                    "결제사에서 입금 계좌를 닫지 못했어요. 결제사 상태를 확인하고 다시 시도해 주세요.",
                ));
            }
        },
        _ => {
            return Err(ApiError::new(Code::Conflict).message(
                "결과를 기다리는 결제만 끝낼 수 있어요. 결제된 주문은 예매를 취소해 주세요.",
            ));
        }
    };
    app.shown(lsn).await?;
    let became = app.view.read(|state| Some(state.ledger().charge(index)?.state));
    let message = match became {
        Some(ChargeState::Captured) => "그 사이 입금이 확인되어 결제가 완료됐어요.",
        _ => "결제를 끝냈어요. 나중에 결제된 것으로 확인되면 자동으로 환불돼요.",
    };
    ended(app, index, lsn, message)
}

/// `POST /api/admin/payments/:orderId/refunded-by-hand`: notes that what the provider would not give
/// back of a payment, or does not say yes to, has reached the buyer another way. What it has given back
/// by now is not counted.
pub(crate) async fn refunded_by_hand(
    app: &Arc<App>,
    request: &Request,
) -> Result<Response, ApiError> {
    request.no_fields()?;
    let index = charge_of(app, request).await?;
    let _at_work = AtWork::on(app, index).await;
    // One that is asked for may have been made by a call whose answer was lost.
    give_back::by_balance(app, index).await?;
    app.catch_up(None).await?;
    let owed: Vec<RefundIndex> = app.view.read(|state| {
        let ledger = state.ledger();
        let is_owed =
            |&refund: &RefundIndex| ledger.refund(refund).is_some_and(|refund| refund.is_owed());
        ledger.refund_indexes_of(index).filter(is_owed).collect()
    });
    let mut lsn = None;
    for refund in owed {
        let by_hand = app.engine.end_refund(refund, RefundOutcome::ByHand, app.clock.now());
        let pending =
            by_hand.map_err(|error| refusals::invalid("환불을 끝낼 수 없어요.").cause(error))?;
        lsn = Some(pending.lsn());
        app.durable(pending).await?;
    }
    let Some(lsn) = lsn else {
        return Err(ApiError::new(Code::Conflict).message("돌려줄 금액이 남아 있지 않아요."));
    };
    app.shown(lsn).await?;
    ended(app, index, lsn, "직접 환불한 것으로 기록했어요.")
}

async fn charge_of(app: &Arc<App>, request: &Request) -> Result<ChargeIndex, ApiError> {
    let order_id = request.path_text(0)?;
    app.catch_up(None).await?;
    let found = app.view.read(|state| names::charge_of(state.ledger(), &order_id));
    found.ok_or_else(|| ApiError::new(Code::NotFound))
}

/// The answer once the view has what ended it.
fn ended(
    app: &Arc<App>,
    index: ChargeIndex,
    lsn: Lsn,
    message: &str,
) -> Result<Response, ApiError> {
    let payment =
        app.view.read(|state| charge_answer(state, index, state.ledger().charge(index)?, true));
    let payment = payment.ok_or_else(|| ApiError::new(Code::Internal).cause("a charge is gone"))?;
    Ok(app.written(Response::ok(&EndAnswer { message: message.to_owned(), payment }), lsn))
}

/// `POST /api/admin/payments/compare`: holds each provider's list of a day against the books. Answers
/// once that is done, or after some seconds with what is known so far; asking again waits on.
pub(crate) async fn compare(app: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let body: CompareRequest = request.json()?;
    let day = day_of(&body.day, app.clock.now())?;
    let until = Instant::now() + COMPARED_WITHIN;
    let mut providers = Vec::new();
    let known = [(ProviderName::Toss, "toss"), (ProviderName::Stripe, "stripe")];
    let asked: Vec<_> = known
        .into_iter()
        .filter(|&(provider, _)| app.payments.client_key(provider).is_some())
        .map(|(provider, name)| (provider, name, compare::start(app, provider, day)))
        .collect();
    for (provider, name, mut progress) in asked {
        let end = tokio::time::timeout_at(until, progress.wait_for(Option::is_some)).await;
        let end = match end {
            Ok(Ok(end)) => end.as_ref().map(|end| end.found.clone()),
            Ok(Err(_)) | Err(_) => None,
        };
        if end.is_some() {
            compare::told(app, provider, day);
        }
        providers.push(app.view.read(|state| compared(state, name, end.as_ref())));
    }
    let running = providers.iter().any(|one| one.state == "running");
    let failed = providers.iter().any(|one| one.state == "failed");
    let message = match (running, failed) {
        (true, _) => "결제사의 거래 목록과 비교하고 있어요.",
        (false, true) => "거래 목록을 모두 비교하지 못했어요. 잠시 후 다시 시도해 주세요.",
        (false, false) => "결제사의 거래 목록과 비교했어요.",
    };
    let message = message.to_owned();
    Ok(Response::ok(&CompareAnswer { message, day: body.day, running, providers }))
}

/// When the day began; today is compared as far as it has come.
fn day_of(text: &str, now: UnixMillis) -> Result<UnixMillis, ApiError> {
    let wrong = || refusals::invalid("day는 2026-11-27과 같은 오늘이나 지난 날짜여야 해요.");
    let begins = instants::parse(text).ok_or_else(wrong)?;
    let is_day = seoul_midnight(begins) == begins && seoul_day(begins).as_deref() == Some(text);
    (is_day && begins <= now).then_some(begins).ok_or_else(wrong)
}

fn compared(state: &State, provider: &str, end: Option<&Result<Comparison, String>>) -> Compared {
    let (word, error) = match end {
        None => ("running", None),
        Some(Ok(_)) => ("done", None),
        Some(Err(error)) => ("failed", Some(error.clone())),
    };
    let done = match end {
        Some(Ok(comparison)) => comparison.clone(),
        _ => Comparison::default(),
    };
    let answer = |&index: &ChargeIndex| -> Option<ChargeAnswer> {
        charge_answer(state, index, state.ledger().charge(index)?, true)
    };
    Compared {
        provider: provider.to_owned(),
        state: word.to_owned(),
        error,
        transactions: done.transactions,
        differences: done.differences.iter().filter_map(answer).collect(),
        unanswered: done.unanswered,
        unknown: done.unknown,
        unknown_payments: done.unknown_names,
    }
}
