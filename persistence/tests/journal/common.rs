//! A log that an engine could have written, as a function of the record's number.

use tiketi_engine::ids::{
    Attempt, EventIndex, HoldSlot, LayoutIndex, OrderNumber, SeatIndex, UnixMillis, UserId,
    UserIndex,
};
use tiketi_engine::record::{
    Claim, EndReason, EventCreated, EventDetails, EventRules, Held, LayoutCreated, OrderRef,
    PaymentMethod, PaymentStarted, Record, Role, SeatList, Section, UserRegistered,
};

/// Seats of the one event.
const SEATS: u32 = 200;

/// The record with that number, from 0; epochs are not counted.
pub(crate) fn record(number: u64) -> Record {
    let at = UnixMillis(1_700_000_000_000 + number);
    match number {
        0 => user(at),
        1 => layout(at),
        2 => event(at),
        _ => order((number - 3) / 4, (number - 3) % 4, at),
    }
}

fn order(order: u64, step: u64, at: UnixMillis) -> Record {
    let number = u32::try_from(order).unwrap();
    let order = OrderRef { event: EventIndex(0), number: OrderNumber(number) };
    let attempt = Attempt(1);
    match step {
        0 => Record::Held(Held {
            order,
            slot: HoldSlot(number % 64),
            user: UserIndex(0),
            claim: Claim::Seats(
                SeatList::from_slice(&[
                    SeatIndex(number * 2 % SEATS),
                    SeatIndex(number * 2 % SEATS + 1),
                ])
                .unwrap(),
            ),
            at,
            expires_at: Some(at.plus(300_000)),
            key: None,
        }),
        1 => Record::PaymentStarted(PaymentStarted {
            order,
            attempt,
            method: PaymentMethod::NaverPay,
            at,
            key: None,
        }),
        2 => Record::PaymentFailed { order, attempt, at },
        _ => Record::OrderEnded { order, reason: EndReason::Expired, at },
    }
}

fn user(at: UnixMillis) -> Record {
    Record::UserRegistered(Box::new(UserRegistered {
        user: UserId { index: UserIndex(0), tag: 7 },
        email: "a@tiketi.gg".into(),
        password_hash: "$2b$10$".into(),
        name: "A".into(),
        phone: None,
        role: Role::User,
        at,
    }))
}

fn layout(at: UnixMillis) -> Record {
    Record::LayoutCreated(Box::new(LayoutCreated {
        layout: LayoutIndex(0),
        name: "hall".into(),
        description: None,
        sections: vec![Section {
            name: "A".into(),
            rows: SEATS / 50,
            seats_per_row: 50,
            price: 1_000,
            start_row: 1,
        }],
        at,
    }))
}

fn event(at: UnixMillis) -> Record {
    Record::EventCreated(Box::new(EventCreated {
        event: EventIndex(0),
        details: EventDetails {
            title: "t".into(),
            description: None,
            venue: "v".into(),
            address: None,
            artist_name: None,
            poster_image_url: None,
            event_at: UnixMillis(2_000_000_000_000),
            sale_starts_at: UnixMillis(1),
            sale_ends_at: UnixMillis(2_000_000_000_000),
        },
        layout: Some(LayoutIndex(0)),
        ticket_types: vec![],
        rules: EventRules { seats_per_reservation: 4, hold_ttl_ms: 300_000, seats_per_user: None },
        created_by: None,
        at,
    }))
}
