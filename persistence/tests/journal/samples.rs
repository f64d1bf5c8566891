//! Records of every kind, by the names of their fixtures.

use tiketi_engine::ids::{
    Attempt, ChargeIndex, Epoch, EventIndex, HoldSlot, Lane, LayoutIndex, NewsIndex, OrderNumber,
    Place, RefundIndex, ReservationId, SeatIndex, TicketTypeIndex, UnixMillis, UserId, UserIndex,
};
use tiketi_engine::money::{BankAccount, Captured, Deposit, Means, Purpose, Split};
use tiketi_engine::record::{
    AdminActed, AdminMade, CaptureOutcome, CaptureStarted, CategoryRenamed, ChargeOpened, Claim,
    DayCompared, DisputeState, EndReason, EventCreated, EventDetails, EventRules, EventTerms,
    EventTermsSet, Held, IdempotencyKey, KeywordKind, KeywordMapping, LayoutCreated, LeaveReason,
    NewTicketType, NewsEdited, NewsPosted, NewsViews, OrderConfirmed, OrderRef, PartReturned,
    PaymentFound, PaymentMethod, PaymentStarted, ProviderAnswered, ProviderCall, ProviderName,
    QueueSettings, Record, RefundAccountGiven, RefundOutcome, Role, SeatList, SeatsReturned,
    Section, TicketHold, TicketLine, TicketTypeDetails, TicketTypeEdited, TicketTypesAdded,
    UserRegistered,
};
use tiketi_engine::waiting_room::lanes::LaneShare;

/// The samples of all.
pub(crate) fn every_sample() -> impl Iterator<Item = (&'static str, Record)> {
    let samples = samples().into_iter().chain(queue_samples()).chain(money_samples());
    let samples = samples.chain(catalog_samples()).chain(people_samples());
    samples.chain(terms_samples()).chain(provider_samples())
}

pub(crate) fn deposit(at: UnixMillis) -> Deposit {
    Deposit {
        bank: "20".to_owned(),
        account: "X6505636518308".to_owned(),
        holder: "김".to_owned(),
        due_at: at.plus(86_400_000),
        secret: "ps_local".to_owned(),
    }
}

pub(crate) fn account() -> BankAccount {
    let holder = "김토스".to_owned();
    BankAccount { bank: "92".to_owned(), number: "100012345678".to_owned(), holder }
}

/// The kinds that came with payments, and every outcome of them.
fn money_samples() -> Vec<(&'static str, Record)> {
    let at = UnixMillis(1_700_000_000_000);
    let (charge, user) = (ChargeIndex(300_000), UserIndex(1_000_000));
    let order =
        ReservationId { event: EventIndex(3), slot: HoldSlot(4), order: OrderNumber(500_000) };
    let amount = Split { card: 120_000, points: 30_000 };
    let opened = |purpose, provider| ChargeOpened {
        charge,
        user,
        purpose,
        provider,
        amount,
        tag: 0x0123_4567_89ab_cdef,
        payment_key: String::new(),
        at,
    };
    let started = CaptureStarted {
        charge,
        attempt: Attempt(2),
        method: PaymentMethod::Mixed,
        payment_key: "tviva2026".to_owned(),
        at,
    };
    let captured =
        Captured { approved_at: at, means: Means::EasyPay, receipt: Some("https://r".to_owned()) };
    let deposit = deposit(at);
    let ended = |outcome| Record::CaptureEnded { charge, outcome, at };
    let answered = ProviderAnswered {
        charge,
        call: ProviderCall::Refund,
        status: 403,
        code: "NOT_CANCELABLE_AMOUNT".to_owned(),
        by: Some(user),
        at,
    };
    let seats = SeatList::from_slice(&[SeatIndex(2), SeatIndex(40_000)]).unwrap();
    let by = Some(user);
    let account = account();
    let refund = RefundIndex(70_000);
    let by_order = opened(Purpose::Order(order), ProviderName::Toss);
    let for_points = opened(Purpose::Points, ProviderName::Stripe);
    vec![
        ("charge_opened", Record::ChargeOpened(Box::new(by_order))),
        ("charge_opened_points", Record::ChargeOpened(Box::new(for_points))),
        ("capture_started", Record::CaptureStarted(Box::new(started))),
        ("capture_captured", ended(CaptureOutcome::Captured(Box::new(captured)))),
        ("capture_awaiting", ended(CaptureOutcome::Awaiting(Box::new(deposit)))),
        ("capture_failed", ended(CaptureOutcome::Failed)),
        ("capture_reversed", ended(CaptureOutcome::Reversed)),
        ("provider_answered", Record::ProviderAnswered(Box::new(answered))),
        (
            "seats_returned",
            Record::SeatsReturned(Box::new(SeatsReturned { charge, seats, amount, by, at })),
        ),
        ("refund_ended", Record::RefundEnded { refund, outcome: RefundOutcome::Again, at }),
        (
            "refund_account_given",
            Record::RefundAccountGiven(Box::new(RefundAccountGiven { charge, account, at })),
        ),
    ]
}

/// The kinds that came with what providers do on their own, and every variant that did.
fn provider_samples() -> Vec<(&'static str, Record)> {
    let at = UnixMillis(1_700_000_000_000);
    let (charge, refund) = (ChargeIndex(300_000), RefundIndex(70_000));
    let (card, amount) = (150_000, Split { card: 140_000, points: 10_000 });
    let key = IdempotencyKey { key: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, content: 77 };
    let found = PaymentFound { charge, payment_key: "tviva2026".to_owned(), at };
    let disputed = |state| Record::Disputed { charge, amount: card, state, at };
    let seats = SeatList::from_slice(&[SeatIndex(2), SeatIndex(40_000)]).unwrap();
    let line = TicketLine { ticket_type: TicketTypeIndex(2), quantity: 3, unit_price: 50_000 };
    let part = PartReturned {
        charge,
        part: Claim::Seats(seats),
        amount,
        by: UserIndex(1_000_000),
        key: None,
        at,
    };
    let tickets = PartReturned { part: Claim::Tickets(vec![line].into()), ..part.clone() };
    let keyed = PartReturned { key: Some(Box::new(key)), ..part.clone() };
    let compared = DayCompared {
        provider: ProviderName::Stripe,
        day: at,
        transactions: 50_000,
        differences: 300,
        unknown: 2,
        at,
    };
    let refund_ended = |outcome| Record::RefundEnded { refund, outcome, at };
    vec![
        ("payment_found", Record::PaymentFound(Box::new(found))),
        ("returned_elsewhere", Record::ReturnedElsewhere { charge, card, at }),
        ("return_failed", Record::ReturnFailed { charge, card, is_owed: false, at }),
        ("return_failed_owed", Record::ReturnFailed { charge, card, is_owed: true, at }),
        ("disputed_open", disputed(DisputeState::Open)),
        ("disputed_won", disputed(DisputeState::Won)),
        ("disputed_lost", disputed(DisputeState::Lost)),
        ("part_returned_seats", Record::PartReturned(Box::new(part))),
        ("part_returned_tickets", Record::PartReturned(Box::new(tickets))),
        ("part_returned_keyed", Record::PartReturned(Box::new(keyed))),
        ("charge_forgotten", Record::ChargeForgotten { charge, at }),
        ("day_compared", Record::DayCompared(Box::new(compared))),
        (
            "capture_taken_back",
            Record::CaptureEnded { charge, outcome: CaptureOutcome::TakenBack, at },
        ),
        ("refund_failed", refund_ended(RefundOutcome::Failed)),
        ("refund_by_hand", refund_ended(RefundOutcome::ByHand)),
    ]
}

pub(crate) fn lanes() -> Vec<LaneShare> {
    let lane = |name: &str, share| LaneShare { name: name.to_owned(), share };
    vec![lane("general", 1), lane("팬클럽", 3), lane("patrons", 100)]
}

/// The kinds that came with news, suspensions and the audit list.
fn people_samples() -> Vec<(&'static str, Record)> {
    let at = UnixMillis(1_700_000_000_000);
    let (news, user, by) = (NewsIndex(300), UserIndex(1_000_000), UserIndex(4));
    let posted = NewsPosted {
        news,
        title: "오픈".to_owned(),
        content: "어서\n오세요".to_owned(),
        author: Some(user),
        author_name: "김".to_owned(),
        is_pinned: true,
        views: 125,
        at,
    };
    let sample = NewsPosted { author: None, is_pinned: false, ..posted.clone() };
    let edited = |is_pinned| NewsEdited {
        news,
        title: "연기".to_owned(),
        content: "곧".to_owned(),
        is_pinned,
        by: user,
        at,
    };
    let acted = AdminActed {
        by,
        method: "PUT".to_owned(),
        path: "/api/admin/users/x/role".to_owned(),
        body: "{\"role\":\"admin\"}".to_owned(),
        at,
    };
    let views =
        vec![NewsViews { news, count: 3 }, NewsViews { news: NewsIndex(301), count: 1_000 }];
    let reason = "암표".to_owned();
    vec![
        ("news_posted", Record::NewsPosted(Box::new(posted))),
        ("news_posted_sample", Record::NewsPosted(Box::new(sample))),
        ("news_edited", Record::NewsEdited(Box::new(edited(None)))),
        ("news_edited_pinned", Record::NewsEdited(Box::new(edited(Some(true))))),
        ("news_deleted", Record::NewsDeleted { news, by: Some(by), at }),
        ("news_viewed", Record::NewsViewed { views, at }),
        ("user_suspended", Record::UserSuspended { user, reason, by: Some(by), at }),
        ("user_restored", Record::UserRestored { user, by: None, at }),
        ("admin_made", {
            let made = "00000000-0000-8100-8000-000000000000".to_owned();
            Record::AdminMade(Box::new(AdminMade { acted: acted.clone(), made }))
        }),
        ("admin_acted", Record::AdminActed(Box::new(acted))),
    ]
}

/// The kinds that came with the waiting room.
fn queue_samples() -> Vec<(&'static str, Record)> {
    let at = UnixMillis(1_700_000_000_000);
    let (event, user, place) = (EventIndex(3), UserIndex(1_000_000), Place(300_000));
    let settings = QueueSettings {
        threshold: 1_000,
        own_threshold: false,
        rate_milli: Some(2_500),
        own_rate: true,
        paused: true,
    };
    let unlimited = QueueSettings { rate_milli: None, paused: false, ..settings };
    vec![
        ("queue_joined", Record::QueueJoined { event, user, place, at }),
        ("queue_admitted", Record::QueueAdmitted { event, user, place, at }),
        ("queue_left", Record::QueueLeft { event, user, reason: LeaveReason::Silent, at }),
        ("queue_cleared", Record::QueueCleared { event, at }),
        ("queue_closed", Record::QueueClosed { event, at }),
        ("queue_changed", Record::QueueChanged { event, settings, at }),
        ("queue_changed_unlimited", Record::QueueChanged { event, settings: unlimited, at }),
        ("queue_moved_up", Record::QueueMovedUp { event, user, at }),
        ("queue_lanes_set", Record::QueueLanesSet { event, lanes: lanes(), at }),
        (
            "queue_lane_given",
            Record::QueueLaneGiven { event, lane: Lane(2), users: vec![user], at },
        ),
        ("queue_lobby_opened", Record::QueueLobbyOpened { event, seed: [0xa5; 32], at }),
        ("queue_drawn", Record::QueueDrawn { event, beacon: "3 11 15".to_owned(), at }),
    ]
}

/// The kinds that came with what administrators change of events, tickets and orders.
fn catalog_samples() -> Vec<(&'static str, Record)> {
    let at = UnixMillis(1_700_000_000_000);
    let (event, by) = (EventIndex(3), Some(UserIndex(1_000_000)));
    let order = OrderRef { event, number: OrderNumber(300) };
    let new = NewTicketType {
        name: "balcony".into(),
        price: 70_000,
        total_quantity: 300,
        sold_elsewhere: 7,
        description: Some("second floor".into()),
    };
    let details = TicketTypeDetails {
        name: "발코니".into(),
        price: 80_000,
        total_quantity: 400,
        description: None,
    };
    let (first, ticket_type) = (TicketTypeIndex(4), TicketTypeIndex(5));
    let added = TicketTypesAdded { event, first, ticket_types: vec![new], by, at };
    let edited = TicketTypeEdited { event, ticket_type, details, by: None, at };
    let confirmed = OrderConfirmed {
        order,
        slot: HoldSlot(70_000),
        method: PaymentMethod::BankTransfer,
        by,
        at,
    };
    let category = Some("콘서트".to_owned());
    let renamed =
        CategoryRenamed { from: "concert".to_owned(), to: "콘서트".to_owned(), by, at };
    vec![
        ("event_deleted", Record::EventDeleted { event, by, at }),
        ("event_deleted_bare", Record::EventDeleted { event, by: None, at }),
        ("seats_removed", Record::SeatsRemoved { event, by, at }),
        ("seats_generated", Record::SeatsGenerated { event, by, at }),
        ("ticket_types_added", Record::TicketTypesAdded(Box::new(added))),
        ("ticket_type_edited", Record::TicketTypeEdited(Box::new(edited))),
        ("order_confirmed", Record::OrderConfirmed(Box::new(confirmed))),
        ("event_categorised", Record::EventCategorised { event, category, by, at }),
        ("event_categorised_none", Record::EventCategorised { event, category: None, by, at }),
        ("category_renamed", Record::CategoryRenamed(Box::new(renamed))),
    ]
}

/// The kinds that came with terms.
fn terms_samples() -> Vec<(&'static str, Record)> {
    let at = UnixMillis(1_700_000_000_000);
    let set = |terms, standing, by| {
        let event = EventIndex(3);
        Record::EventTermsSet(Box::new(EventTermsSet { event, terms, standing, by, at }))
    };
    let standing = vec![TicketTypeIndex(0), TicketTypeIndex(200)];
    let own = EventTerms {
        max_tickets: Some(300),
        ticket_hold_ttl: Some(TicketHold::Millis(600_000)),
        deposits: false,
    };
    let never = EventTerms { ticket_hold_ttl: Some(TicketHold::Never), ..EventTerms::default() };
    vec![
        ("event_terms_set", set(own, standing, Some(UserIndex(1_000_000)))),
        ("event_terms_set_never", set(never, Vec::new(), None)),
        ("event_terms_set_bare", set(EventTerms::default(), Vec::new(), None)),
    ]
}

/// One of every kind of version 1, and every optional field both ways.
pub(crate) fn samples() -> Vec<(&'static str, Record)> {
    let at = UnixMillis(1_700_000_000_000);
    let order = OrderRef { event: EventIndex(3), number: OrderNumber(300) };
    let key = IdempotencyKey { key: 0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10, content: 77 };
    let details = EventDetails {
        title: "봄 콘서트".into(),
        description: Some("two acts".into()),
        venue: "올림픽홀".into(),
        address: Some("서울".into()),
        artist_name: Some("A".into()),
        poster_image_url: Some("https://tiketi.gg/p.png".into()),
        event_at: UnixMillis(1_800_000_000_000),
        sale_starts_at: UnixMillis(1_700_000_000_000),
        sale_ends_at: UnixMillis(1_790_000_000_000),
    };
    let held = Held {
        order,
        slot: HoldSlot(5),
        user: UserIndex(1_000_000),
        claim: Claim::Seats(SeatList::from_slice(&[SeatIndex(7), SeatIndex(8)]).unwrap()),
        at,
        expires_at: Some(at.plus(300_000)),
        key: Some(Box::new(key)),
    };
    let line = TicketLine { ticket_type: TicketTypeIndex(2), quantity: 3, unit_price: 150_000 };
    let started = PaymentStarted {
        order,
        attempt: Attempt(2),
        method: PaymentMethod::KakaoPay,
        at,
        key: Some(Box::new(key)),
    };
    vec![
        ("epoch_started", Record::EpochStarted { epoch: Epoch(9), at }),
        (
            "held_tickets",
            Record::Held(Held {
                claim: Claim::Tickets(vec![line].into()),
                expires_at: None,
                key: None,
                ..held.clone()
            }),
        ),
        ("held_seats", Record::Held(held)),
        (
            "payment_started_bare",
            Record::PaymentStarted(PaymentStarted {
                method: PaymentMethod::BankTransfer,
                key: None,
                ..started.clone()
            }),
        ),
        ("payment_started", Record::PaymentStarted(started)),
        ("payment_failed", Record::PaymentFailed { order, attempt: Attempt(2), at }),
        ("paid", Record::Paid { order, attempt: Attempt(3), at }),
        ("order_ended", Record::OrderEnded { order, reason: EndReason::EventCancelled, at }),
        (
            "seats_blocked",
            Record::SeatsBlocked {
                event: EventIndex(3),
                seats: vec![SeatIndex(1), SeatIndex(200)],
                reason: "camera".into(),
                at,
            },
        ),
        (
            "seats_unblocked",
            Record::SeatsUnblocked { event: EventIndex(3), seats: vec![SeatIndex(200)], at },
        ),
        (
            "user_registered",
            Record::UserRegistered(Box::new(UserRegistered {
                user: UserId { index: UserIndex(4), tag: u64::MAX },
                email: "a@tiketi.gg".into(),
                password_hash: "$2b$10$abcdefghijklmnopqrstuv".into(),
                name: "김".into(),
                phone: Some("010-0000-0000".into()),
                role: Role::Admin,
                at,
            })),
        ),
        ("user_role_changed", Record::UserRoleChanged { user: UserIndex(4), role: Role::User, at }),
        (
            "layout_created",
            Record::LayoutCreated(Box::new(LayoutCreated {
                layout: LayoutIndex(2),
                name: "hall".into(),
                description: Some("round".into()),
                sections: vec![Section {
                    name: "VIP".into(),
                    rows: 10,
                    seats_per_row: 20,
                    price: 150_000,
                    start_row: 1,
                }],
                at,
            })),
        ),
        (
            "keyword_mapped",
            Record::KeywordMapped(Box::new(KeywordMapping {
                korean: "봄".into(),
                english: "spring".into(),
                kind: KeywordKind::General,
            })),
        ),
        (
            "event_created",
            Record::EventCreated(Box::new(EventCreated {
                event: EventIndex(3),
                details: details.clone(),
                layout: Some(LayoutIndex(2)),
                ticket_types: vec![NewTicketType {
                    name: "standing".into(),
                    price: 99_000,
                    total_quantity: 500,
                    sold_elsewhere: 20,
                    description: None,
                }],
                rules: EventRules {
                    seats_per_reservation: 4,
                    hold_ttl_ms: 300_000,
                    seats_per_user: Some(8),
                },
                created_by: Some(UserIndex(1)),
                at,
            })),
        ),
        (
            "event_edited",
            Record::EventEdited { event: EventIndex(3), details: Box::new(details), at },
        ),
        ("event_cancelled", Record::EventCancelled { event: EventIndex(3), at }),
    ]
}
