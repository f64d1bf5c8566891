//! Orders as they are sent, copied from the view.

use tiketi_engine::ids::{
    EventIndex, OrderNumber, ReservationId, TicketTypeIndex, UnixMillis, UserIndex,
    reservation_number,
};
use tiketi_engine::record::{Claim, EndReason, OrderRef, TicketLine};
use tiketi_engine::state::{Event, Order, OrderState, State};

use crate::api::Id;
use crate::api::payments::{
    PaidEvent, PaidReservation, PaidSeat, Payment, PaymentAnswer, method_display_name, method_id,
};
use crate::api::reservations::{
    DetailItem, PaymentStatus, ReservationDetail, ReservationItem, ReservationRow,
    ReservationStatus,
};
use crate::api::seats::{SeatOfReservation, SeatReservation};
use crate::event_plans::EventPlan;

/// An order with what is needed to show it.
#[derive(Clone, Copy)]
pub(crate) struct OrderView<'s> {
    pub(crate) id: ReservationId,
    pub(crate) event: &'s Event,
    pub(crate) order: &'s Order,
}

/// What an order is to its buyer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: ReservationStatus,
    pub(crate) payment_status: PaymentStatus,
    pub(crate) is_expired: bool,
}

/// What an order is at `now` (contract ⚖D4, ⚖D7). A hold whose time is over reads as expired, whether
/// or not the record of it is there yet.
pub(crate) fn standing(order: &Order, now: UnixMillis) -> Standing {
    let (status, payment_status, is_expired) = match order.state {
        OrderState::Held if order.expires_at.is_some_and(|at| at <= now) => {
            (ReservationStatus::Cancelled, PaymentStatus::Failed, true)
        }
        OrderState::Held | OrderState::Paying | OrderState::AwaitingDeposit => {
            (ReservationStatus::Pending, PaymentStatus::Pending, false)
        }
        OrderState::Paid => (ReservationStatus::Confirmed, PaymentStatus::Completed, false),
        OrderState::Ended { reason, .. } => {
            let payment_status = match order.was_paid() {
                true => PaymentStatus::Refunded,
                false => PaymentStatus::Failed,
            };
            (ReservationStatus::Cancelled, payment_status, reason == EndReason::Expired)
        }
    };
    Standing { status, payment_status, is_expired }
}

/// One line of an order: a seat, or tickets of one type.
struct Item {
    name: String,
    quantity: u32,
    unit_price: u32,
    section: Option<String>,
}

impl Item {
    fn subtotal(&self) -> u64 {
        u64::from(self.unit_price) * u64::from(self.quantity)
    }
}

impl<'s> OrderView<'s> {
    /// The order of an id, or `None` where there is none.
    pub(crate) fn find(state: &'s State, id: ReservationId) -> Option<Self> {
        let (event, order) = state.order(id)?;
        Some(OrderView { id, event, order })
    }

    /// A user's order; another's is not told from one that does not exist.
    pub(crate) fn own(state: &'s State, id: ReservationId, user: UserIndex) -> Option<Self> {
        Self::find(state, id).filter(|found| found.order.user == user)
    }

    /// An order as the log names it.
    pub(crate) fn of(state: &'s State, order: OrderRef) -> Option<Self> {
        let event = state.event_of_orders(order.event)?;
        Self::at(order.event, event, order.number, event.order(order.number)?)
    }

    fn at(
        index: EventIndex,
        event: &'s Event,
        number: OrderNumber,
        order: &'s Order,
    ) -> Option<Self> {
        let id = ReservationId { event: index, slot: order.slot, order: number };
        Some(OrderView { id, event, order })
    }

    /// The order with a public number. Looks at every order: for administrators only.
    pub(crate) fn numbered(state: &'s State, number: &str) -> Option<Self> {
        let held_at: u64 = number.strip_prefix("TK")?.get(..13)?.parse().ok()?;
        state.events().iter().enumerate().find_map(|(index, event)| {
            let index = EventIndex(index as u32);
            let found = event.orders().find(|(_, order)| {
                order.held_at.0 == held_at
                    && reservation_number(order.held_at, order.held_lsn) == number
            });
            found.and_then(|(number, order)| Self::at(index, event, number, order))
        })
    }

    pub(crate) fn number(&self) -> String {
        reservation_number(self.order.held_at, self.order.held_lsn)
    }

    pub(crate) fn total_amount(&self) -> u64 {
        self.event.amount(&self.order.claim)
    }

    /// The method it was paid by; none before money was captured.
    pub(crate) fn paid_by(&self) -> Option<String> {
        let payment = self.order.payment.filter(|payment| payment.paid_at.is_some())?;
        Some(method_id(payment.method).to_owned())
    }

    fn items(&self) -> Vec<Item> {
        match &self.order.claim {
            Claim::Seats(seats) => {
                let plan = EventPlan::of(self.id.event, self.event);
                let item = |&seat| {
                    let seat = plan.seat(seat);
                    Item {
                        name: seat.label(),
                        quantity: 1,
                        unit_price: seat.section.price,
                        section: Some(seat.section.name.clone()),
                    }
                };
                seats.iter().map(item).collect()
            }
            Claim::Tickets(lines) => {
                let item = |line: &TicketLine| Item {
                    name: self.ticket_type_name(line.ticket_type),
                    quantity: line.quantity,
                    unit_price: line.unit_price,
                    section: None,
                };
                lines.iter().map(item).collect()
            }
        }
    }

    /// What the type was called when the order was made.
    fn ticket_type_name(&self, ticket_type: TicketTypeIndex) -> String {
        let found = self.event.ticket_types.get(ticket_type.position());
        found.map(|found| found.name_at(self.order.held_lsn).to_owned()).unwrap_or_default()
    }

    /// The event, while it is there to be looked at.
    pub(crate) fn event_id(&self) -> Option<Id> {
        (!self.event.is_deleted()).then(|| self.id.event.into())
    }

    /// A line of "my reservations".
    pub(crate) fn row(&self, now: UnixMillis) -> ReservationRow {
        let Standing { status, payment_status, .. } = standing(self.order, now);
        let item = |item: Item| ReservationItem {
            subtotal: item.subtotal(),
            ticket_type_name: item.name,
            quantity: item.quantity,
            unit_price: item.unit_price,
        };
        ReservationRow {
            id: self.id.into(),
            reservation_number: self.number(),
            total_amount: self.total_amount(),
            status,
            payment_status,
            created_at: self.order.held_at.into(),
            event_title: Some(self.event.details.title.clone()),
            venue: Some(self.event.details.venue.clone()),
            event_date: Some(self.event.details.event_at.into()),
            items: self.items().into_iter().map(item).collect(),
        }
    }

    /// Everything about it.
    pub(crate) fn detail(&self, now: UnixMillis) -> ReservationDetail {
        let Standing { status, payment_status, .. } = standing(self.order, now);
        ReservationDetail {
            id: self.id.into(),
            reservation_number: self.number(),
            total_amount: self.total_amount(),
            status,
            payment_status,
            payment_method: self.paid_by(),
            created_at: self.order.held_at.into(),
            event_id: self.event_id(),
            event_title: Some(self.event.details.title.clone()),
            venue: Some(self.event.details.venue.clone()),
            address: self.event.details.address.clone(),
            event_date: Some(self.event.details.event_at.into()),
            items: self.detail_items(),
        }
    }

    pub(crate) fn detail_items(&self) -> Vec<DetailItem> {
        let item = |item: Item| DetailItem {
            subtotal: item.subtotal(),
            seat_label: item.section.is_some().then(|| item.name.clone()),
            ticket_type_name: item.name,
            quantity: item.quantity,
            unit_price: item.unit_price,
            section: item.section,
        };
        self.items().into_iter().map(item).collect()
    }

    /// As the payment pages see it.
    pub(crate) fn seat_reservation(&self, now: UnixMillis) -> SeatReservation {
        let Standing { status, payment_status, is_expired } = standing(self.order, now);
        SeatReservation {
            id: self.id.into(),
            reservation_number: self.number(),
            total_amount: self.total_amount(),
            status,
            payment_status,
            payment_method: self.paid_by(),
            expires_at: self.order.expires_at.map(Into::into),
            created_at: self.order.held_at.into(),
            event_id: self.event_id(),
            event_title: self.event.details.title.clone(),
            venue: self.event.details.venue.clone(),
            event_date: self.event.details.event_at.into(),
            seats: self.seats(),
            is_expired: is_expired.then_some(true),
        }
    }

    fn seats(&self) -> Vec<SeatOfReservation> {
        match &self.order.claim {
            Claim::Seats(seats) => {
                let plan = EventPlan::of(self.id.event, self.event);
                let seat = |&seat| {
                    let seat = plan.seat(seat);
                    SeatOfReservation {
                        seat_id: Some(seat.id),
                        seat_label: Some(seat.label()),
                        section: Some(seat.section.name.clone()),
                        row_number: Some(seat.row),
                        seat_number: Some(seat.number),
                        price: seat.section.price,
                    }
                };
                seats.iter().map(seat).collect()
            }
            Claim::Tickets(lines) => {
                let entry = |line: &TicketLine| SeatOfReservation {
                    seat_id: None,
                    seat_label: None,
                    section: None,
                    row_number: None,
                    seat_number: None,
                    price: line.unit_price,
                };
                lines.iter().map(entry).collect()
            }
        }
    }

    /// The answer to its payment, or `None` where it was never paid.
    pub(crate) fn payment_answer(&self) -> Option<PaymentAnswer> {
        let payment = self.order.payment?;
        let plan = EventPlan::of(self.id.event, self.event);
        let seats = match &self.order.claim {
            Claim::Seats(seats) => {
                let seat = |&seat| {
                    let seat = plan.seat(seat);
                    PaidSeat {
                        id: seat.id,
                        seat_label: seat.label(),
                        section: seat.section.name.clone(),
                        row_number: seat.row,
                        seat_number: seat.number,
                        unit_price: seat.section.price,
                    }
                };
                seats.iter().map(seat).collect()
            }
            Claim::Tickets(_) => Vec::new(),
        };
        Some(PaymentAnswer {
            success: true,
            message: "결제가 완료됐어요.".to_owned(),
            payment: Payment {
                reservation_id: self.id.into(),
                reservation_number: self.number(),
                payment_method: method_display_name(payment.method).to_owned(),
                total_amount: self.total_amount(),
                paid_at: payment.paid_at?.into(),
            },
            reservation: PaidReservation {
                event: PaidEvent {
                    title: self.event.details.title.clone(),
                    venue: self.event.details.venue.clone(),
                    event_date: self.event.details.event_at.into(),
                },
                seats,
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use tiketi_engine::ids::{Attempt, HoldSlot, Lsn, SeatIndex};
    use tiketi_engine::record::{PaymentMethod, SeatList};
    use tiketi_engine::state::Payment;

    use super::*;

    #[test]
    fn standings() {
        use PaymentStatus::{Completed, Failed, Pending, Refunded};
        use ReservationStatus::{Cancelled, Confirmed};
        let ended = |reason| OrderState::Ended { reason, at: UnixMillis(120) };
        // Held at 100 until 200, seen at 150 and at 200.
        for (state, is_paid, now, expected) in [
            (OrderState::Held, false, 199, (ReservationStatus::Pending, Pending, false)),
            (OrderState::Held, false, 200, (Cancelled, Failed, true)),
            (OrderState::Paying, false, 150, (ReservationStatus::Pending, Pending, false)),
            // Protected while the payment is under way.
            (OrderState::Paying, false, 250, (ReservationStatus::Pending, Pending, false)),
            (OrderState::Paid, true, 150, (Confirmed, Completed, false)),
            (OrderState::Paid, true, 250, (Confirmed, Completed, false)),
            (ended(EndReason::Expired), false, 250, (Cancelled, Failed, true)),
            (ended(EndReason::CancelledByUser), false, 250, (Cancelled, Failed, false)),
            (ended(EndReason::CancelledByUser), true, 250, (Cancelled, Refunded, false)),
            (ended(EndReason::CancelledByAdmin), true, 250, (Cancelled, Refunded, false)),
            (ended(EndReason::EventCancelled), false, 250, (Cancelled, Failed, false)),
            (ended(EndReason::EventCancelled), true, 250, (Cancelled, Refunded, false)),
        ] {
            let order = Order {
                slot: HoldSlot(0),
                user: UserIndex(0),
                claim: Claim::Seats(SeatList::from_slice(&[SeatIndex(0)]).expect("fits")),
                held_at: UnixMillis(100),
                held_lsn: Lsn(1),
                expires_at: Some(UnixMillis(200)),
                state,
                seq: 0,
                payment: is_paid.then_some(Payment {
                    attempt: Attempt(1),
                    method: PaymentMethod::NaverPay,
                    started_at: UnixMillis(110),
                    paid_at: Some(UnixMillis(111)),
                }),
            };
            let found = standing(&order, UnixMillis(now));
            let found = (found.status, found.payment_status, found.is_expired);
            assert_eq!(found, expected, "{state:?} at {now}");
        }
    }
}
