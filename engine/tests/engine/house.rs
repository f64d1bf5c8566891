//! A small installation in memory: an engine, its journal and the fold of it.

use tiketi_engine::command::{
    Asked, EditTerms, NewEvent, NewLayout, NewUser, WantedSeats, WantedTickets,
};
use tiketi_engine::engine::{Engine, Hold, Once};
use tiketi_engine::error::{CommandError, HoldRefusal};
use tiketi_engine::ids::{
    EventIndex, Lsn, ReservationId, SeatIndex, TicketTypeIndex, UnixMillis, UserId,
};
use tiketi_engine::journal::{MemoryJournal, Pending};
use tiketi_engine::record::{
    EventDetails, EventRules, EventTerms, NewTicketType, Role, Section, TicketHold,
};
use tiketi_engine::state::{Order, State};

pub(crate) const OPENS: UnixMillis = UnixMillis(1_000_000);
pub(crate) const CLOSES: UnixMillis = UnixMillis(9_000_000);
pub(crate) const TTL_MS: u64 = 300_000;

pub(crate) struct House {
    pub(crate) engine: Engine<MemoryJournal>,
    pub(crate) fold: State,
    pub(crate) users: Vec<UserId>,
}

/// What an event of the house looks like.
#[derive(Clone, Copy)]
pub(crate) struct Hall {
    pub(crate) rows: u32,
    pub(crate) seats_per_row: u32,
    pub(crate) tickets: u32,
    pub(crate) seats_per_user: Option<u32>,
}

pub(crate) const SMALL: Hall =
    Hall { rows: 3, seats_per_row: 10, tickets: 12, seats_per_user: None };

pub(crate) fn durable<T>(pending: Pending<T>) -> T {
    pending.acknowledge(Lsn(u64::MAX))
}

impl House {
    pub(crate) fn new(halls: &[Hall], users: u32) -> House {
        let engine = Engine::from_state(&State::default(), MemoryJournal::default()).unwrap();
        for (number, hall) in halls.iter().enumerate() {
            let event = event_of(&engine, *hall, number);
            assert_eq!(event, EventIndex(number as u32));
        }
        let users = (0..users).map(|number| register(&engine, number)).collect();
        let mut house = House { engine, fold: State::default(), users };
        house.catch_up();
        house
    }

    pub(crate) fn asked(&self, user: usize, at: UnixMillis) -> Asked {
        Asked { by: self.users[user].index, at, key: None }
    }

    pub(crate) fn hold(
        &self,
        event: u32,
        seats: &[u32],
        asked: Asked,
    ) -> Result<Hold, CommandError<HoldRefusal>> {
        let seats: Vec<SeatIndex> = seats.iter().map(|&seat| SeatIndex(seat)).collect();
        let wanted = WantedSeats::new(&seats)?;
        self.engine.hold_seats(EventIndex(event), &wanted, asked).map(done)
    }

    pub(crate) fn hold_tickets(
        &self,
        event: u32,
        quantity: u32,
        asked: Asked,
    ) -> Result<Hold, CommandError<HoldRefusal>> {
        let wanted = WantedTickets::new(&[(TicketTypeIndex(0), quantity)])?;
        self.engine.hold_tickets(EventIndex(event), &wanted, asked).map(done)
    }

    /// An administrator sets the terms of an event.
    pub(crate) fn set_terms(
        &self,
        event: u32,
        max_tickets: Option<u32>,
        ticket_hold_ttl: Option<TicketHold>,
    ) {
        let terms = EventTerms { max_tickets, ticket_hold_ttl, ..EventTerms::default() };
        let edit = EditTerms { event: EventIndex(event), terms }.check().unwrap();
        durable(self.engine.set_terms(edit, None, OPENS).unwrap());
    }

    /// Folds what was logged since, and holds live memory against the fold.
    pub(crate) fn catch_up(&mut self) {
        for record in self.engine.journal().take() {
            self.fold.apply(self.fold.lsn().next(), &record).unwrap();
        }
    }

    pub(crate) fn assert_agreement(&mut self) {
        self.catch_up();
        assert_eq!(self.fold.check(), Ok(()));
        assert_eq!(self.engine.disagreement_with(&self.fold), None);
    }

    /// Forgets live memory and starts again from the fold.
    pub(crate) fn restart(&mut self) {
        self.catch_up();
        let journal = MemoryJournal::after(self.fold.lsn());
        self.engine = Engine::from_state(&self.fold, journal).unwrap();
    }

    pub(crate) fn order(&mut self, id: ReservationId) -> Order {
        self.catch_up();
        self.fold.order(id).unwrap().1.clone()
    }
}

pub(crate) fn done(held: Pending<Once<Hold>>) -> Hold {
    match durable(held) {
        Once::Done(hold) => hold,
        Once::Repeated(id) => panic!("repeated {id:?}"),
    }
}

pub(crate) fn details() -> EventDetails {
    EventDetails {
        title: "공연".into(),
        description: None,
        venue: "홀".into(),
        address: None,
        artist_name: None,
        poster_image_url: None,
        event_at: CLOSES,
        sale_starts_at: OPENS,
        sale_ends_at: CLOSES,
    }
}

fn event_of(engine: &Engine<MemoryJournal>, hall: Hall, number: usize) -> EventIndex {
    let section = |name: &str, rows, start_row| Section {
        name: name.into(),
        rows,
        seats_per_row: hall.seats_per_row,
        price: 10_000,
        start_row,
    };
    let layout = NewLayout {
        name: format!("hall {number}"),
        description: None,
        sections: vec![section("A", hall.rows, 1), section("B", 1, hall.rows + 1)],
    };
    let layout = durable(engine.create_layout(layout.check().unwrap(), OPENS).unwrap());
    let tickets = NewTicketType {
        name: "standing".into(),
        price: 5_000,
        total_quantity: hall.tickets,
        sold_elsewhere: 0,
        description: None,
    };
    let event = NewEvent {
        details: details(),
        layout: Some(layout),
        ticket_types: vec![tickets],
        standing: vec![true],
        terms: EventTerms::default(),
        rules: EventRules {
            seats_per_reservation: 4,
            hold_ttl_ms: TTL_MS,
            seats_per_user: hall.seats_per_user,
        },
        category: None,
        created_by: None,
    };
    durable(engine.create_event(event.check().unwrap(), OPENS).unwrap())
}

fn register(engine: &Engine<MemoryJournal>, number: u32) -> UserId {
    let user = NewUser {
        email: format!("user{number}@example.com"),
        password_hash: "hash".into(),
        name: "이름".into(),
        phone: None,
        role: Role::User,
        tag: u64::from(number) * 77,
    };
    durable(engine.register_user(user.check().unwrap(), OPENS).unwrap())
}
