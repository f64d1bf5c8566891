//! Gives money back.

use std::sync::Arc;

use tiketi_engine::command::{Asked, WantedTickets};
use tiketi_engine::error::{CommandError, HoldRefusal, MoneyRefusal};
use tiketi_engine::ids::{ChargeIndex, Lsn, ReservationId, TicketTypeIndex, UserIndex};
use tiketi_engine::journal::Pending;
use tiketi_engine::money::{BankAccount, ChargeState, Purpose, Refund};
use tiketi_engine::record::{Claim, TicketLine};
use tiketi_engine::state::State;

use super::request::refused;
use crate::api::Id;
use crate::api::reservations::ReservationLine;
use crate::api::toss::{RefundAccount, RefundAnswer, RefundRequest};
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::handlers::reservations::lines;
use crate::handlers::seats::wanted_seats;
use crate::http::{Request, Response};
use crate::idempotency;
use crate::orders::{self, unless_busy};
use crate::payments::{money_gone, names};
use crate::refusals;

/// A charge that is to be given back, whole or in part.
struct Paid {
    charge: ChargeIndex,
    order: ReservationId,
    /// Its user where they ask for it; `None` for an administrator.
    by: Option<UserIndex>,
}

/// What a request wants to go back.
enum Wanted {
    /// What is left of the order.
    All,
    Seats(Vec<Id>),
    Tickets(Vec<ReservationLine>),
    /// Nothing more: the account is for what is on its way back already.
    ToAccount,
}

impl Wanted {
    /// # Errors
    /// 400 where it says less than all of it, or two things.
    fn of(body: &RefundRequest) -> Result<Wanted, ApiError> {
        let part = match (&body.seat_ids, &body.tickets) {
            (Some(_), Some(_)) => {
                return Err(refusals::invalid(
                    "seatIds와 tickets는 함께 쓸 수 없어요. 하나만 적어 주세요.",
                )
                .with("field", "tickets"));
            }
            (Some(seats), None) => Some(Wanted::Seats(seats.clone())),
            (None, Some(tickets)) => Some(Wanted::Tickets(tickets.clone())),
            (None, None) => None,
        };
        match (body.all, part, &body.refund_account) {
            (Some(false), ..) => Err(refusals::invalid(
                "all에는 true만 쓸 수 있어요. 일부만 환불하려면 seatIds나 tickets를 적어 주세요.",
            )
            .with("field", "all")),
            (Some(true), Some(_), _) => Err(refusals::invalid(
                "all은 seatIds나 tickets와 함께 쓸 수 없어요. 하나만 적어 주세요.",
            )
            .with("field", if body.seat_ids.is_some() { "seatIds" } else { "tickets" })),
            (Some(true), None, _) | (None, None, None) => Ok(Wanted::All),
            (None, Some(part), _) => Ok(part),
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
            "무엇을 환불할지 함께 적어 주세요. 전체는 all, 일부는 seatIds나 tickets에 적어요.",
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
    if !app.view.read(|state| pays(state, charge, order)) {
        return Err(ApiError::new(Code::Conflict)
            .message("이 결제로 결제된 예매가 아니에요. 받은 금액이 있으면 자동으로 환불돼요."));
    }
    let part = match &wanted {
        Wanted::Seats(seats) => Some(seats_of(app, order, seats)?),
        Wanted::Tickets(tickets) => Some(tickets_of(app, order, tickets)?),
        Wanted::All | Wanted::ToAccount => None,
    };
    let lsn = match part {
        Some(part) => some(app, request, &paid, part).await?,
        None => orders::cancel(app, paid.order, paid.by).await?,
    };
    Ok(answer(app, charge, lsn).await?.by_an_administrator(!is_own))
}

/// Whether an order rests or rested on this charge: of several attempts the last one counts.
fn pays(state: &State, charge: ChargeIndex, order: ReservationId) -> bool {
    let attempt = state.ledger().charge(charge).map(|charge| charge.attempt);
    let payment = state.order(order).and_then(|(_, order)| order.payment);
    payment.is_some_and(|payment| Some(payment.attempt) == attempt)
}

/// Whether money of this charge is on its way back, or all of it is.
fn awaits_account(app: &App, charge: ChargeIndex) -> bool {
    app.view.read(|state| {
        let ledger = state.ledger();
        ledger.refunds_of(charge).any(Refund::is_owed)
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

/// The seats that are to go back.
fn seats_of(app: &App, order: ReservationId, ids: &[Id]) -> Result<Claim, ApiError> {
    let plan = app.plan(order.event).ok_or_else(not_its_own)?;
    let wanted = wanted_seats(&plan, ids).map_err(|refusal| match refusal {
        HoldRefusal::Empty => refusals::invalid("환불할 좌석을 선택해 주세요."),
        _ => not_its_own(),
    })?;
    Ok(Claim::Seats(*wanted.seats()))
}

/// The tickets that are to go back, at the prices they were bought for.
fn tickets_of(
    app: &App,
    order: ReservationId,
    wanted: &[ReservationLine],
) -> Result<Claim, ApiError> {
    let lines = lines(order.event, wanted).and_then(|lines| WantedTickets::new(&lines));
    let lines = lines.map_err(|refusal| match refusal {
        HoldRefusal::Empty => refusals::invalid("환불할 티켓을 선택해 주세요."),
        _ => not_its_own(),
    })?;
    app.view.read(|state| {
        let (_, found) = state.order(order).ok_or_else(not_its_own)?;
        let Claim::Tickets(own) = &found.claim else { return Err(not_its_own()) };
        // What an earlier request under the same key gave back is no longer among them.
        let line = |&(ticket_type, quantity): &(TicketTypeIndex, u32)| {
            let bought = own.iter().find(|line| line.ticket_type == ticket_type);
            let unit_price = bought.map_or(0, |line| line.unit_price);
            TicketLine { ticket_type, quantity, unit_price }
        };
        Ok(Claim::Tickets(lines.lines().iter().map(line).collect()))
    })
}

fn not_its_own() -> ApiError {
    refusals::invalid("이 예매에 있는 좌석과 티켓만 환불할 수 있어요.")
}

/// Gives a part of an order back; all of it where the part is all there is.
async fn some(
    app: &Arc<App>,
    request: &Request,
    paid: &Paid,
    part: Claim,
) -> Result<Lsn, ApiError> {
    let &Paid { charge, order, by } = paid;
    let key = idempotency::key(request, |content| {
        content.number(charge.0.into());
        match &part {
            Claim::Seats(seats) => {
                for seat in seats.iter() {
                    content.number(seat.0.into());
                }
            }
            Claim::Tickets(lines) => {
                for line in lines {
                    content.number(line.ticket_type.0.into()).number(line.quantity.into());
                }
            }
        }
    })?;
    let found = app.view.read(|state| {
        let (event, found) = state.order(order)?;
        let is_all = found.claim == part;
        let is_part = is_all || found.claim.without(&part).is_some();
        is_part.then(|| (is_all, event.amount(&part)))
    });
    let (is_all, won) = match (found, key) {
        (Some((true, _)), None) => return orders::cancel(app, order, by).await,
        (Some(found), _) => found,
        // An earlier request under the same key may have given it back.
        (None, Some(_)) => (false, 0),
        (None, None) => return Err(not_its_own()),
    };
    let asked = Asked { by: request.user()?.user.index, at: app.clock.now(), key };
    let give_back = || app.engine.return_part(charge, &part, won, by.is_some(), asked);
    match unless_busy(give_back).await {
        Ok(returned) => {
            let lsn = returned.lsn();
            app.durable(returned).await?;
            app.shown(lsn).await?;
            // Where the provider gave some of it back itself, this may have been the last of it.
            money_gone::end_order(app, charge).await?;
            Ok(lsn)
        }
        Err(CommandError::Refused(MoneyRefusal::NotPartOfIt(_))) if is_all => {
            orders::cancel(app, order, by).await
        }
        Err(CommandError::Refused(MoneyRefusal::NotPartOfIt(_) | MoneyRefusal::WrongAmount)) => {
            Err(not_its_own())
        }
        Err(CommandError::Refused(MoneyRefusal::NoParts(_))) => Err(ApiError::new(Code::Conflict)
            .message("이 결제 수단은 일부만 환불할 수 없어요. 예매 전체를 취소해 주세요.")),
        Err(CommandError::Refused(MoneyRefusal::KeyReused)) => {
            Err(ApiError::new(Code::IdempotencyConflict))
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
                _ => "선택한 좌석과 티켓을 취소했어요. 그 금액은 환불돼요.",
            }
            .to_owned(),
            refunded_amount: charge.returned.total(),
            remaining_amount: charge.balance().total(),
        })
    });
    let answer = answer.ok_or_else(|| ApiError::new(Code::Internal).cause("a charge is gone"))?;
    Ok(app.written(Response::ok(&answer), lsn))
}
