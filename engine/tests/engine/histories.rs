//! Random histories. Properties, after every command:
//!
//! - the records fold without a contradiction: no prefix gives a seat two owners, no order is paid
//!   or ended twice, stock never goes below zero;
//! - live memory says what the fold says, before and after a restart at any point;
//! - a refused command logs nothing.

use proptest::prelude::*;
use tiketi_engine::command::{
    EditPost, EditTerms, EditTicketType, NewPost, NewTicketTypes, Suspend,
};
use tiketi_engine::engine::{Confirmation, EndedOrder, Hold, PaymentIntent, PaymentOutcome};
use tiketi_engine::error::{CommandError, ConfirmRefusal};
use tiketi_engine::ids::{
    Attempt, EventIndex, NewsIndex, ReservationId, SeatIndex, TicketTypeIndex, UnixMillis,
};
use tiketi_engine::limits::TICKETS_PER_USER;
use tiketi_engine::record::{
    Claim, EventTerms, NewTicketType, PaymentMethod, Role, TicketHold, TicketTypeDetails,
};
use tiketi_engine::state::{Order, OrderState, State};

use crate::house::{CLOSES, Hall, House, OPENS, SMALL, TTL_MS, details, durable};

#[derive(Clone, Debug)]
enum Step {
    Hold { event: u32, user: usize, seats: Vec<u32> },
    Best { event: u32, user: usize, count: usize },
    Tickets { event: u32, user: usize, quantity: u32 },
    Pay { order: usize },
    Finish { order: usize, captured: bool },
    Cancel { order: usize, by_owner: bool },
    Wait { ms: u64 },
    Expire { max: usize },
    Block { event: u32, seats: Vec<u32> },
    Unblock { event: u32, seats: Vec<u32> },
    Edit { event: u32 },
    CancelEvent { event: u32 },
    DeleteEvent { event: u32 },
    RemoveSeats { event: u32 },
    GenerateSeats { event: u32 },
    AddTickets { event: u32 },
    EditTickets { event: u32, total: u32, price: u32, standing: Option<bool> },
    SetTerms { event: u32, max_tickets: Option<u32>, ticket_hold_ttl: Option<TicketHold> },
    Confirm { order: usize },
    CloseCancelled,
    Post { user: usize },
    EditPost { post: u32, user: usize },
    DeletePost { post: u32, user: usize, may_any: bool },
    ViewPost { post: u32 },
    LogViews,
    Suspend { user: usize, by: usize },
    RestoreUser { user: usize },
    Promote { user: usize },
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let event = 0..3_u32;
    let user = 0..4_usize;
    let seats = prop::collection::vec(0..42_u32, 1..5);
    let order = 0..64_usize;
    prop_oneof![
        8 => (event.clone(), user.clone(), seats.clone())
            .prop_map(|(event, user, seats)| Step::Hold { event, user, seats }),
        3 => (event.clone(), user.clone(), 1..5_usize)
            .prop_map(|(event, user, count)| Step::Best { event, user, count }),
        4 => (event.clone(), user.clone(), 1..6_u32)
            .prop_map(|(event, user, quantity)| Step::Tickets { event, user, quantity }),
        6 => order.clone().prop_map(|order| Step::Pay { order }),
        6 => (order.clone(), any::<bool>())
            .prop_map(|(order, captured)| Step::Finish { order, captured }),
        3 => order.clone().prop_map(|order| Step::Confirm { order }),
        4 => (order, any::<bool>()).prop_map(|(order, by_owner)| Step::Cancel { order, by_owner }),
        4 => (0..400_000_u64).prop_map(|ms| Step::Wait { ms }),
        4 => (0..5_usize).prop_map(|max| Step::Expire { max }),
        2 => (event.clone(), seats.clone()).prop_map(|(event, seats)| Step::Block { event, seats }),
        2 => (event.clone(), seats).prop_map(|(event, seats)| Step::Unblock { event, seats }),
        1 => event.clone().prop_map(|event| Step::Edit { event }),
        1 => event.clone().prop_map(|event| Step::RemoveSeats { event }),
        2 => event.clone().prop_map(|event| Step::GenerateSeats { event }),
        1 => event.clone().prop_map(|event| Step::AddTickets { event }),
        2 => (event.clone(), 0..20_u32, 1..4_u32, any::<Option<bool>>())
            .prop_map(|(event, total, price, standing)| {
                Step::EditTickets { event, total, price, standing }
            }),
        2 => (event.clone(), prop::option::of(1..9_u32), prop::option::of(ticket_hold()))
            .prop_map(|(event, max_tickets, ticket_hold_ttl)| {
                Step::SetTerms { event, max_tickets, ticket_hold_ttl }
            }),
        1 => event.clone().prop_map(|event| Step::CancelEvent { event }),
        1 => event.prop_map(|event| Step::DeleteEvent { event }),
        2 => Just(Step::CloseCancelled),
        2 => Just(Step::Restart),
        4 => people(),
    ]
}

fn ticket_hold() -> impl Strategy<Value = TicketHold> {
    let millis = prop::sample::select(vec![1_000, TTL_MS / 2, 2 * TTL_MS]);
    prop_oneof![Just(TicketHold::Never), millis.prop_map(TicketHold::Millis)]
}

fn people() -> impl Strategy<Value = Step> {
    let user = 0..4_usize;
    let post = 0..4_u32;
    prop_oneof![
        user.clone().prop_map(|user| Step::Post { user }),
        (post.clone(), user.clone()).prop_map(|(post, user)| Step::EditPost { post, user }),
        (post.clone(), user.clone(), any::<bool>())
            .prop_map(|(post, user, may_any)| Step::DeletePost { post, user, may_any }),
        post.prop_map(|post| Step::ViewPost { post }),
        Just(Step::LogViews),
        (user.clone(), user.clone()).prop_map(|(user, by)| Step::Suspend { user, by }),
        user.clone().prop_map(|user| Step::RestoreUser { user }),
        user.prop_map(|user| Step::Promote { user }),
    ]
}

struct History {
    house: House,
    now: UnixMillis,
    orders: Vec<ReservationId>,
}

impl History {
    fn order(&self, index: usize) -> Option<ReservationId> {
        let newest = self.orders.len().checked_sub(1)?;
        Some(self.orders[newest - index % self.orders.len()])
    }

    /// Runs a step; whether it changed anything.
    fn run(&mut self, step: &Step) -> bool {
        let (engine, now) = (&self.house.engine, self.now);
        let indices = |seats: &[u32]| -> Vec<SeatIndex> {
            seats.iter().map(|&seat| SeatIndex(seat)).collect()
        };
        match step {
            Step::Hold { event, user, seats } => {
                let held = self.house.hold(*event, seats, self.house.asked(*user, now));
                self.orders.extend(held.as_ref().ok().map(|hold| hold.reservation));
                held.is_ok()
            }
            Step::Best { event, user, count } => {
                let asked = self.house.asked(*user, now);
                let held = engine.hold_best(EventIndex(*event), None, *count, asked);
                let held = held.map(crate::house::done);
                if let Ok(hold) = &held {
                    let Claim::Seats(seats) = &hold.claim else { panic!("seats") };
                    assert_eq!(seats.len(), *count);
                }
                self.orders.extend(held.as_ref().ok().map(|hold| hold.reservation));
                held.is_ok()
            }
            Step::Tickets { event, user, quantity } => {
                let held = self.house.hold_tickets(*event, *quantity, self.house.asked(*user, now));
                if let Ok(hold) = &held {
                    self.assert_as_terms_say(hold, *user);
                }
                self.orders.extend(held.as_ref().ok().map(|hold| hold.reservation));
                held.is_ok()
            }
            Step::Pay { order } => self.order(*order).is_some_and(|order| {
                let asked = self.house.asked(self.owner(order), now);
                let begun =
                    engine.begin_payment(order, PaymentMethod::KakaoPay, asked).map(durable);
                if begun.is_ok() {
                    let deadline = self.house.fold.order(order).unwrap().1.expires_at;
                    assert!(deadline.is_none_or(|at| now < at) && now <= CLOSES);
                }
                begun.is_ok()
            }),
            Step::Finish { order, captured } => self.order(*order).is_some_and(|order| {
                let outcome =
                    if *captured { PaymentOutcome::Captured } else { PaymentOutcome::Declined };
                (1..=60).any(|attempt| {
                    let intent = PaymentIntent { reservation: order, attempt: Attempt(attempt) };
                    engine.finish_payment(intent, outcome, now).map(durable).is_ok()
                })
            }),
            Step::Cancel { order, by_owner } => self.order(*order).is_some_and(|order| {
                let by = by_owner.then(|| self.house.users[self.owner(order)].index);
                engine.cancel_order(order, by, now).map(durable).is_ok()
            }),
            Step::Wait { ms } => {
                self.now = now.plus(*ms);
                false
            }
            Step::Expire { max } => !engine.expire(now, *max).unwrap().is_empty(),
            Step::Block { event, seats } => {
                let seats = indices(seats);
                engine
                    .block_seats(EventIndex(*event), &seats, "시야".into(), now)
                    .map(durable)
                    .is_ok()
            }
            Step::Unblock { event, seats } => {
                engine.unblock_seats(EventIndex(*event), &indices(seats), now).map(durable).is_ok()
            }
            Step::Edit { event } => {
                let edit = tiketi_engine::command::EditEvent {
                    event: EventIndex(*event),
                    details: details(),
                };
                engine.edit_event(edit.check().unwrap(), now).map(durable).is_ok()
            }
            Step::CancelEvent { event } => {
                engine.cancel_event(EventIndex(*event), now).map(durable).is_ok()
            }
            Step::DeleteEvent { event } => {
                engine.delete_event(EventIndex(*event), None, now).map(durable).is_ok()
            }
            Step::RemoveSeats { event } => {
                engine.remove_seats(EventIndex(*event), None, now).map(durable).is_ok()
            }
            Step::GenerateSeats { event } => {
                engine.generate_seats(EventIndex(*event), None, now).map(durable).is_ok()
            }
            Step::AddTickets { event } => {
                let added = more_tickets(EventIndex(*event)).check().unwrap();
                engine.add_ticket_types(added, None, now).map(durable).is_ok()
            }
            Step::EditTickets { event, total, price, standing } => {
                let edit = edited_tickets(EventIndex(*event), *total, *price);
                let edit = EditTicketType { standing: *standing, ..edit }.check().unwrap();
                engine.edit_ticket_type(edit, None, now).map(durable).is_ok()
            }
            Step::SetTerms { event, max_tickets, ticket_hold_ttl } => {
                let (max_tickets, ticket_hold_ttl) = (*max_tickets, *ticket_hold_ttl);
                let terms = EventTerms { max_tickets, ticket_hold_ttl, deposits: false };
                let edit = EditTerms { event: EventIndex(*event), terms }.check().unwrap();
                engine.set_terms(edit, None, now).map(durable).is_ok()
            }
            Step::Confirm { order } => {
                self.order(*order).is_some_and(|order| confirm(&self.house, order, now).is_ok())
            }
            Step::CloseCancelled => engine.close_cancelled(now) > 0,
            Step::Post { user } => {
                let post = NewPost {
                    title: "소식".into(),
                    content: "내용".into(),
                    author: Some(self.house.users[*user].index),
                    author_name: "이름".into(),
                    is_pinned: false,
                    views: 0,
                };
                engine.post_news(post.check().unwrap(), now).map(durable).is_ok()
            }
            Step::EditPost { post, user } => {
                let edit = EditPost {
                    news: NewsIndex(*post),
                    title: "정정".into(),
                    content: "내용".into(),
                    is_pinned: Some(true),
                    by: self.house.users[*user].index,
                };
                engine.edit_news(edit.check().unwrap(), now).map(durable).is_ok()
            }
            Step::DeletePost { post, user, may_any } => {
                let by = self.house.users[*user].index;
                engine.delete_news(NewsIndex(*post), by, *may_any, now).map(durable).is_ok()
            }
            // Counted, not logged.
            Step::ViewPost { post } => {
                engine.view_news(NewsIndex(*post));
                false
            }
            Step::LogViews => {
                let before = self.house.fold.lsn();
                engine.log_news_views(now).unwrap();
                self.house.catch_up();
                self.house.fold.lsn() > before
            }
            Step::Suspend { user, by } => {
                let [user, by] = [*user, *by].map(|user| self.house.users[user].index);
                let suspend = Suspend { user, reason: "암표".into(), by: Some(by) };
                engine.suspend_user(suspend.check().unwrap(), now).map(durable).is_ok()
            }
            Step::RestoreUser { user } => {
                let user = self.house.users[*user].index;
                engine.restore_user(user, None, now).map(durable).is_ok()
            }
            Step::Promote { user } => {
                let user = self.house.users[*user].index;
                engine.set_role(user, Role::Admin, now).map(durable).is_ok()
            }
            Step::Restart => {
                self.house.restart();
                false
            }
        }
    }

    /// A new order of tickets, which the fold has not seen yet.
    fn assert_as_terms_say(&self, hold: &Hold, user: usize) {
        let event = self.house.fold.event(hold.reservation.event).unwrap();
        let Claim::Tickets(lines) = &hold.claim else { panic!("tickets") };
        assert!(lines.iter().all(|line| event.sells(line.ticket_type)));
        let ttl_ms = match event.terms.ticket_hold_ttl {
            None => Some(TTL_MS),
            Some(TicketHold::Millis(ms)) => Some(ms),
            Some(TicketHold::Never) => None,
        };
        assert_eq!(hold.expires_at, ttl_ms.map(|ms| self.now.plus(ms)));
        let quantity = |claim: &Claim| match claim {
            Claim::Tickets(lines) => lines.iter().map(|line| line.quantity).sum(),
            Claim::Seats(_) => 0,
        };
        let by = self.house.users[user].index;
        let live = event.orders().filter(|(_, order)| order.is_live() && order.user == by);
        let before: u32 = live.map(|(_, order)| quantity(&order.claim)).sum();
        let cap = event.terms.max_tickets.unwrap_or(TICKETS_PER_USER);
        assert!(before + quantity(&hold.claim) <= cap, "{before} and more, of {cap}");
    }

    fn owner(&self, order: ReservationId) -> usize {
        self.house.fold.order(order).unwrap().1.user.position()
    }
}

fn more_tickets(event: EventIndex) -> NewTicketTypes {
    let new = NewTicketType {
        name: "balcony".into(),
        price: 7_000,
        total_quantity: 3,
        sold_elsewhere: 1,
        description: None,
    };
    NewTicketTypes { event, ticket_types: vec![new.clone(), new], standing: vec![true] }
}

fn edited_tickets(event: EventIndex, total_quantity: u32, price: u32) -> EditTicketType {
    let name = format!("standing {price}");
    let details = TicketTypeDetails { name, price, total_quantity, description: None };
    EditTicketType { event, ticket_type: TicketTypeIndex(0), details, standing: None }
}

/// An administrator confirms whatever order this is.
pub(crate) fn confirm(
    house: &House,
    reservation: ReservationId,
    now: UnixMillis,
) -> Result<(), CommandError<ConfirmRefusal>> {
    let (_, order) = house.fold.order(reservation).unwrap();
    let confirmation = Confirmation { reservation, method: PaymentMethod::BankTransfer, by: None };
    let confirmed = match order.state {
        OrderState::Ended { .. } => {
            let ended = EndedOrder {
                user: order.user,
                claim: order.claim.clone(),
                expires_at: order.expires_at,
            };
            house.engine.confirm_ended(confirmation, &ended, now)
        }
        _ => house.engine.confirm_held(confirmation, now),
    };
    confirmed.map(durable)
}

fn run(steps: &[Step]) {
    let capped = Hall { seats_per_user: Some(5), ..SMALL };
    let wide = Hall { rows: 2, seats_per_row: 70, ..SMALL };
    let house = House::new(&[SMALL, capped, wide], 4);
    let mut history = History { house, now: OPENS, orders: Vec::new() };
    for step in steps {
        let before = history.house.fold.lsn();
        let changed = history.run(step);
        history.house.assert_agreement();
        let logged = history.house.fold.lsn() > before;
        assert_eq!(changed, logged, "{step:?}");
        assert_sums(&history.house.fold, history.now);
    }
    settle(&mut history);
}

/// The sums that are kept say what walking all orders says, at whatever instant.
fn assert_sums(fold: &State, now: UnixMillis) {
    let is_over = |order: &Order| {
        let is_late = order.expires_at.is_some_and(|at| at <= now);
        !order.is_live() || (order.state == OrderState::Held && is_late)
    };
    let hour = UnixMillis(now.0 - now.0 % 3_600_000);
    let orders = || fold.events().iter().flat_map(|event| event.orders().map(|(_, order)| order));
    let live = || orders().filter(|order| !is_over(order));
    let of_this_hour = live().filter(|order| order.held_at >= hour).count() as u64;
    assert_eq!(fold.sales().live(now), live().count() as u64);
    assert_eq!(fold.sales().live_since(hour, now), of_this_hour);
}

/// However a history went: once payments are answered and time has passed, nothing is held but what
/// was paid and tickets that an event holds for good.
fn settle(history: &mut History) {
    for index in 0..history.orders.len() {
        history.run(&Step::Finish { order: index, captured: false });
    }
    history.now = history.now.plus(10 * TTL_MS);
    while history.house.engine.deadlines_watched() > 0 {
        history.house.engine.expire(history.now, 7).unwrap();
    }
    while history.house.engine.close_cancelled(history.now) > 0 {}
    history.house.assert_agreement();
    for event in history.house.fold.events() {
        for (_, order) in event.orders().filter(|(_, order)| order.is_live()) {
            assert!(!event.cancelled);
            let is_for_good =
                order.expires_at.is_none() && matches!(order.claim, Claim::Tickets(_));
            assert!(order.state == OrderState::Paid || is_for_good);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn live_memory_is_the_fold_of_the_log(steps in prop::collection::vec(step(), 1..60)) {
        run(&steps);
    }
}
