//! The engine's refusals as callers are told them: status, code and text, in one place.
//!
//! Every match is exhaustive, so that a new refusal does not compile before it has an answer here.

use tiketi_engine::error::{
    AccountRefusal, BlockRefusal, CatalogRefusal, CommandError, ConfirmRefusal, HoldRefusal,
    InvalidField, NewsRefusal, OrderRefusal,
};
use tiketi_engine::ids::SeatIndex;
use tiketi_engine::record::EndReason;
use tiketi_engine::state::{Order, OrderState};
use tiketi_engine::waiting_room::QueueRefusal;

use crate::error::{ApiError, Code};
use crate::event_plans::EventPlan;

/// A hold that was not made. `plan` names the seats, `ticket_type` names a type.
pub(crate) fn hold(
    error: CommandError<HoldRefusal>,
    plan: Option<&EventPlan>,
    ticket_type: impl FnOnce(tiketi_engine::ids::TicketTypeIndex) -> Option<String>,
) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    let answer = match &refusal {
        HoldRefusal::KeyReused => ApiError::new(Code::IdempotencyConflict),
        HoldRefusal::UnknownEvent(_) => unknown("공연을 찾을 수 없어요."),
        HoldRefusal::NotOnSale(_) => ApiError::new(Code::NotOnSale),
        HoldRefusal::NotAdmitted(_) => ApiError::new(Code::QueueRequired),
        HoldRefusal::Empty => invalid("좌석이나 티켓을 선택해 주세요."),
        HoldRefusal::TooManySeats { max } => ApiError::new(Code::SeatLimit)
            .message(format!("한 번에 {max}개까지 예매할 수 있어요."))
            .with("max", *max),
        HoldRefusal::RepeatedSeat(_) => invalid("같은 좌석이 두 번 들어 있어요."),
        HoldRefusal::UnknownSeat(_) => unknown("이 공연에 없는 좌석이에요."),
        HoldRefusal::UnknownSection => unknown("이 공연에 없는 구역이에요."),
        HoldRefusal::UnknownTicketType(_) => unknown("이 공연에 없는 티켓이에요."),
        HoldRefusal::NotStanding(which) => {
            let name = ticket_type(*which).unwrap_or_else(|| "티켓".to_owned());
            ApiError::new(Code::NotOnSale).message(format!(
                "좌석을 골라 예매하는 공연이에요. ({name}은 따로 살 수 없어요) 좌석을 선택해 주세요."
            ))
        }
        HoldRefusal::BadQuantity(_) => invalid("수량을 확인해 주세요."),
        HoldRefusal::UserCap { cap, left } => ApiError::new(Code::SeatLimit)
            .message(format!("한 사람이 {cap}개까지 예매할 수 있어요. (남은 수 {left}개)"))
            .with("max", *cap)
            .with("left", *left),
        HoldRefusal::SeatsTaken(seats) => {
            let labels = plan.map(|plan| plan.labels(seats)).unwrap_or_default();
            ApiError::new(Code::SeatUnavailable)
                .message(format!("방금 다른 분이 선택한 좌석이에요. ({})", labels.join(", ")))
                .with("unavailableSeats", labels)
        }
        HoldRefusal::NotEnoughSeats => {
            ApiError::new(Code::SeatUnavailable).message("함께 앉을 수 있는 좌석이 부족해요.")
        }
        HoldRefusal::OutOfStock { ticket_type: which, left } => {
            let name = ticket_type(*which).unwrap_or_else(|| "티켓".to_owned());
            ApiError::new(Code::OutOfStock)
                .message(format!("남은 수량이 부족해요. ({name} {left}장 남음)"))
                .with("left", *left)
        }
    };
    answer.cause(refusal)
}

/// A hold of seats of which the caller has some already: whose are which.
pub(crate) fn some_yours(plan: &EventPlan, yours: &[SeatIndex], taken: &[SeatIndex]) -> ApiError {
    let (yours, taken) = (plan.labels(yours), plan.labels(taken));
    let mine = yours.join(", ");
    let message = match taken.is_empty() {
        true => format!("내가 이미 잡은 좌석이 있어요. ({mine}) 빈 좌석만 골라 주세요."),
        false => format!(
            "내가 이미 잡은 좌석({mine})과 다른 분이 선택한 좌석({})이 있어요. 빈 좌석만 골라 주세요.",
            taken.join(", ")
        ),
    };
    let all: Vec<String> = yours.iter().chain(&taken).cloned().collect();
    ApiError::new(Code::SeatUnavailable)
        .message(message)
        .with("unavailableSeats", all)
        .with("yours", yours)
        .with("taken", taken)
}

/// An order that was not paid or cancelled. `ended` is what the view says of an order that is over;
/// `None` where there never was such an order. It is told what to say where the view has no end.
pub(crate) fn order(
    error: CommandError<OrderRefusal>,
    ended: impl FnOnce(Code) -> Option<ApiError>,
) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    let answer = match refusal {
        OrderRefusal::KeyReused => ApiError::new(Code::IdempotencyConflict),
        // Somebody else's order is not told from one that does not exist.
        OrderRefusal::Unknown(_) | OrderRefusal::NotYours(_) => unknown_order(),
        // It was over a moment ago, and the view was waited for: without an end it is none of ours.
        OrderRefusal::Ended(_) => ended(Code::Unavailable).unwrap_or_else(unknown_order),
        // Also said of a paid order whose hold would be over by now; its sweep may be to come.
        OrderRefusal::Expired(_) => ended(Code::HoldExpired).unwrap_or_else(unknown_order),
        OrderRefusal::EventOver(_) => {
            ApiError::new(Code::NotPayable).message("이미 지난 공연이라 결제할 수 없어요.")
        }
        OrderRefusal::AlreadyPaid(_) => ApiError::new(Code::AlreadyPaid),
        OrderRefusal::BeingPaid(_) => {
            ApiError::new(Code::Conflict).message("결제가 진행 중이에요. 잠시 후 확인해 주세요.")
        }
        OrderRefusal::AwaitsDeposit(_) => ApiError::new(Code::Conflict)
            .message("입금을 기다리는 예매예요. 다른 방법으로 결제하려면 예매를 취소한 뒤 다시 예매해 주세요."),
        OrderRefusal::NoSuchAttempt(_) => ApiError::new(Code::NotPayable),
        OrderRefusal::Busy(_) => ApiError::new(Code::Unavailable),
    };
    answer.cause(refusal)
}

/// What somebody is told who wants to pay or cancel an order that is over; `unended` where the view
/// has no end of it.
pub(crate) fn ended_order(order: &Order, unended: Code) -> ApiError {
    match order.state {
        OrderState::Ended { reason: EndReason::Expired, .. } => ApiError::new(Code::HoldExpired),
        OrderState::Ended { reason: EndReason::EventCancelled, .. } => {
            ApiError::new(Code::AlreadyCancelled).message("취소된 공연이에요.")
        }
        OrderState::Ended {
            reason: EndReason::CancelledByUser | EndReason::CancelledByAdmin,
            ..
        } => ApiError::new(Code::AlreadyCancelled),
        OrderState::Paid => ApiError::new(Code::AlreadyPaid),
        OrderState::Held | OrderState::Paying | OrderState::AwaitingDeposit => {
            ApiError::new(unended)
        }
    }
}

/// A layout or event that was not made or changed.
pub(crate) fn catalog(error: CommandError<CatalogRefusal>) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    let answer = match &refusal {
        CatalogRefusal::LayoutNameTaken => {
            ApiError::new(Code::Conflict).message("같은 이름의 좌석 배치가 있어요.")
        }
        CatalogRefusal::UnknownLayout(_) => unknown("없는 좌석 배치예요."),
        CatalogRefusal::UnknownEvent(_) | CatalogRefusal::AlreadyCancelled(_) => {
            ApiError::new(Code::NotFound)
        }
        CatalogRefusal::NoSeats(_) => {
            ApiError::new(Code::Conflict).message("좌석이 없는 공연이에요.")
        }
        CatalogRefusal::NoLayout(_) => invalid("좌석 배치가 없는 공연이에요."),
        CatalogRefusal::SeatsExist { seats, .. } => ApiError::new(Code::Conflict)
            .message("이미 좌석이 만들어져 있어요.")
            .with("existingSeats", *seats),
        CatalogRefusal::SeatsInUse(_) => {
            ApiError::new(Code::Conflict).message("예매된 좌석이 있어 삭제할 수 없어요.")
        }
        CatalogRefusal::UnknownTicketType(..) => ApiError::new(Code::NotFound),
        CatalogRefusal::BelowSold { .. } => {
            ApiError::new(Code::Conflict).message("이미 판매된 수량보다 적게 줄일 수 없어요.")
        }
        CatalogRefusal::Full => ApiError::new(Code::Conflict).message("더 만들 수 없어요."),
    };
    answer.cause(refusal)
}

/// An order that an administrator could not confirm.
pub(crate) fn confirm(error: CommandError<ConfirmRefusal>) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    let conflict = |message: &'static str| ApiError::new(Code::Conflict).message(message);
    let answer = match &refusal {
        ConfirmRefusal::Order(OrderRefusal::Busy(_)) => ApiError::new(Code::Unavailable),
        ConfirmRefusal::Order(OrderRefusal::BeingPaid(_)) => {
            conflict("결제가 진행 중이에요. 잠시 후 확인해 주세요.")
        }
        // Somebody else was quicker.
        ConfirmRefusal::Order(_) => conflict("방금 상태가 바뀐 예매예요. 다시 확인해 주세요."),
        ConfirmRefusal::EventCancelled(_) => conflict("취소된 공연이에요."),
        ConfirmRefusal::MoneyTaken(_) => {
            conflict("결제사를 통해 결제된 적이 있어 직접 확정할 수 없어요.")
        }
        ConfirmRefusal::NotToBeHad(_) => conflict("좌석이나 수량이 남아 있지 않아요."),
    };
    answer.cause(refusal)
}

/// Seats that were not blocked or unblocked.
pub(crate) fn block(error: CommandError<BlockRefusal>, plan: &EventPlan) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    let answer = match &refusal {
        BlockRefusal::UnknownEvent(_) => ApiError::new(Code::NotFound),
        BlockRefusal::UnknownSeat(_) => unknown("이 공연에 없는 좌석이에요."),
        BlockRefusal::BadCount { max } => invalid("좌석 수를 확인해 주세요.").with("max", *max),
        BlockRefusal::SeatsTaken(seats) => ApiError::new(Code::SeatUnavailable)
            .message("이미 잡혀 있는 좌석이 있어요.")
            .with("unavailableSeats", plan.labels(seats)),
        BlockRefusal::NotBlocked(seats) => ApiError::new(Code::Conflict)
            .message("막혀 있지 않은 좌석이 있어요.")
            .with("notBlockedSeats", plan.labels(seats)),
    };
    answer.cause(refusal)
}

/// An account that was not changed.
pub(crate) fn account(error: CommandError<AccountRefusal>) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    let answer = match refusal {
        AccountRefusal::EmailTaken => ApiError::new(Code::EmailTaken),
        AccountRefusal::Full => ApiError::new(Code::Unavailable),
        AccountRefusal::Unknown(_) => ApiError::new(Code::NotFound),
        AccountRefusal::Yourself(_) => {
            ApiError::new(Code::Conflict).message("자기 계정은 정지할 수 없어요.")
        }
        AccountRefusal::AlreadySuspended(_) => {
            ApiError::new(Code::Conflict).message("이미 정지된 계정이에요.")
        }
        AccountRefusal::NotSuspended(_) => {
            ApiError::new(Code::Conflict).message("정지된 계정이 아니에요.")
        }
    };
    answer.cause(refusal)
}

/// A news post that was not written or changed.
pub(crate) fn news(error: CommandError<NewsRefusal>) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    let answer = match refusal {
        NewsRefusal::Unknown(_) => ApiError::new(Code::NotFound),
        NewsRefusal::NotYours(_) => ApiError::new(Code::Forbidden),
        NewsRefusal::Full => ApiError::new(Code::Conflict).message("더 쓸 수 없어요."),
    };
    answer.cause(refusal)
}

/// A place in line that was not given or changed.
pub(crate) fn queue(error: CommandError<QueueRefusal>) -> ApiError {
    let refusal = match error {
        CommandError::Refused(refusal) => refusal,
        CommandError::Unavailable(unavailable) => return unavailable.into(),
    };
    let answer = match &refusal {
        QueueRefusal::UnknownEvent(_) => ApiError::new(Code::NotFound),
        QueueRefusal::Closed(_) => {
            ApiError::new(Code::Conflict).message("더 기다릴 수 있는 자리가 없어요.")
        }
        QueueRefusal::NoLobbyNow(_) => ApiError::new(Code::Conflict)
            .message("추첨 대기실은 판매 전에, 기다리는 사람이 없을 때만 열 수 있어요."),
        QueueRefusal::NoLobby(_) => {
            ApiError::new(Code::Conflict).message("추첨 대기실이 열려 있지 않아요.")
        }
        QueueRefusal::WrongLanes(_) => invalid(
            "줄은 1~4개, 이름은 40자 이내, 비율은 1~100이어야 하고 있던 줄은 없애거나 바꿀 수 없어요.",
        ),
        QueueRefusal::UnknownLane(..) => unknown("없는 줄이에요."),
    };
    answer.cause(refusal)
}

/// A field that breaks its rule.
pub(crate) fn field(error: InvalidField) -> ApiError {
    invalid("입력값을 확인해 주세요.").with("field", error.field).cause(error)
}

/// 400 with another text.
pub(crate) fn invalid(message: impl Into<std::borrow::Cow<'static, str>>) -> ApiError {
    ApiError::new(Code::Validation).message(message)
}

/// 400 for something named in a body that does not exist.
pub(crate) fn unknown(message: &'static str) -> ApiError {
    ApiError::new(Code::NotFoundInBody).message(message)
}

/// 400 for an order that does not exist, or is another's.
pub(crate) fn unknown_order() -> ApiError {
    unknown("예매를 찾을 수 없어요.")
}

#[cfg(test)]
mod tests {
    use tiketi_engine::error::JournalUnavailable;
    use tiketi_engine::ids::{OrderNumber, TicketTypeIndex};

    use super::*;

    #[test]
    fn codes_and_statuses() {
        let one = OrderNumber(1);
        for (refusal, code, status) in [
            (OrderRefusal::KeyReused, "IDEMPOTENCY_CONFLICT", 422),
            (OrderRefusal::Unknown(one), "NOT_FOUND", 400),
            (OrderRefusal::NotYours(one), "NOT_FOUND", 400),
            (OrderRefusal::Ended(one), "NOT_FOUND", 400),
            (OrderRefusal::EventOver(one), "NOT_PAYABLE", 400),
            (OrderRefusal::AlreadyPaid(one), "ALREADY_PAID", 400),
            (OrderRefusal::BeingPaid(one), "CONFLICT", 400),
            (OrderRefusal::Busy(one), "UNAVAILABLE", 503),
        ] {
            let error = order(refusal.into(), |_| None);
            assert_eq!((error.code().wire(), error.status().as_u16()), (code, status), "{refusal}");
        }
        let error = order(JournalUnavailable::QueueFull.into(), |_| None);
        assert_eq!(error.status().as_u16(), 503);
        assert!(error.retry_after_s().is_some());
        let refused = HoldRefusal::OutOfStock { ticket_type: TicketTypeIndex(0), left: 3 };
        let error = hold(refused.into(), None, |_| Some("VIP석".to_owned()));
        assert_eq!(error.code().wire(), "OUT_OF_STOCK");
        let body = String::from_utf8(error.body()).expect("UTF-8");
        assert!(body.contains("VIP석 3장"), "{body}");
    }
}
