//! The bytes on disk, held fast: what version 1 wrote stays readable for ever.
//!
//! The files in `fixtures/` are compared with what this code writes and decoded to what they stand
//! for. A change of format keeps them and adds others. `TIKETI_WRITE_FIXTURES=1` writes the missing
//! ones; it never overwrites.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use tiketi_engine::ids::{
    Attempt, ChargeIndex, Epoch, EventIndex, HoldSlot, Lane, Lsn, NewsIndex, OrderNumber, Place,
    RefundIndex, ReservationId, SeatIndex, TicketTypeIndex, UnixMillis, UserIndex,
};
use tiketi_engine::money::{Captured, ChargeState, Means, Purpose, RefundState, Split};
use tiketi_engine::record::{
    AdminActed, AdminMade, CaptureOutcome, CaptureStarted, ChargeOpened, Claim, DayCompared,
    DisputeState, EndReason, EventCreated, EventTerms, EventTermsSet, Held, IdempotencyKey,
    LeaveReason, NewTicketType, NewsEdited, NewsPosted, NewsViews, OrderConfirmed, OrderRef,
    PartReturned, PaymentFound, PaymentMethod, ProviderAnswered, ProviderCall, ProviderName,
    QueueSettings, Record, RefundAccountGiven, RefundOutcome, SeatList, TicketHold, TicketLine,
    TicketTypeDetails, TicketTypeEdited, TicketTypesAdded,
};
use tiketi_engine::state::{OrderState, State};
use tiketi_persistence::batch::{Batch, BatchDefect, BatchHash, HEADER_BYTES, seal};
use tiketi_persistence::codec::{take_frame, with_frame};
use tiketi_persistence::mark::Mark;
use tiketi_persistence::snapshot;

use crate::fold;
use crate::samples::{account, deposit, every_sample, lanes, samples};

/// How many variants `Record` has.
const KINDS: u8 = 57;

fn fixture_path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/journal/fixtures").join(name)
}

/// Compares bytes with a fixture, and returns the fixture.
fn held_fast(name: &str, written: &[u8]) -> Vec<u8> {
    let path = fixture_path(name);
    if !path.exists() && std::env::var_os("TIKETI_WRITE_FIXTURES").is_some() {
        fs::write(&path, written).unwrap();
    }
    let fixture = fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(written, fixture, "{name} is written differently now");
    fixture
}

#[test]
fn frames_of_every_record() {
    let mut kinds = BTreeSet::new();
    for (name, record) in every_sample() {
        let written = with_frame(&record, <[u8]>::to_vec);
        let fixture = held_fast(&format!("frame_{name}.bin"), &written);
        assert_eq!(take_frame(&fixture), Ok((record.clone(), &[][..])), "{name}");
        // The first byte after the length is the number of the variant.
        let kind = fixture[fixture.iter().position(|byte| byte & 0x80 == 0).unwrap() + 1];
        let printed = format!("{record:?}");
        let variant = printed.split(|c: char| !c.is_alphanumeric()).next().unwrap();
        let row = format!("| {kind} | {variant} |");
        assert!(include_str!("../../FORMAT.md").contains(&row), "FORMAT.md lacks {row:?}");
        kinds.insert(kind);
    }
    assert_eq!(kinds, (0..KINDS).collect(), "a kind is missing");
}

#[test]
fn a_batch() {
    let records = samples();
    let mut written = vec![0; HEADER_BYTES];
    for (_, record) in &records {
        with_frame(record, |frame| written.extend_from_slice(frame));
    }
    let count = records.len() as u32;
    let hash = seal(&mut written, Epoch(9), Lsn(1_001), count, Lsn(1_000), BatchHash([0xab; 16]));
    let fixture = held_fast("batch.bin", &written);
    let batch = Batch::parse(&fixture).unwrap();
    assert_eq!(batch.hash(), hash);
    held_fast("batch_hash.bin", &hash.0);
    let header = batch.header();
    assert_eq!((header.epoch, header.first_lsn, header.count), (Epoch(9), Lsn(1_001), count));
    assert_eq!((header.durable_lsn, header.previous), (Lsn(1_000), BatchHash([0xab; 16])));
    let mut decoded = Vec::new();
    batch
        .records::<BatchDefect>(|_, record| {
            decoded.push(record);
            Ok(())
        })
        .unwrap();
    assert!(decoded.iter().eq(records.iter().map(|(_, record)| record)));
}

#[test]
fn a_mark_slot() {
    let mark = Mark::new(Epoch(9), Lsn(1_017), BatchHash(*b"0123456789abcdef"));
    let fixture = held_fast("mark_slot.bin", &mark.encode());
    assert_eq!(Mark::decode(fixture.first_chunk().unwrap()), Some(mark));
}

/// Records with a queue in the state that they make.
fn log_with_a_queue() -> Vec<Record> {
    let at = |ms: u64| UnixMillis(100 + ms);
    let event = EventIndex(0);
    let joined = |user, place| Record::QueueJoined {
        event,
        user: UserIndex(user),
        place: Place(place),
        at: at(u64::from(place)),
    };
    let left = |user| Record::QueueLeft {
        event,
        user: UserIndex(user),
        reason: LeaveReason::Left,
        at: at(9),
    };
    let settings = QueueSettings {
        threshold: 1,
        own_threshold: true,
        rate_milli: Some(1_500),
        own_rate: true,
        paused: false,
    };
    let mut log = vec![Record::EpochStarted { epoch: Epoch(1), at: UnixMillis(5) }];
    log.extend((0..12).map(crate::common::record));
    log.push(Record::QueueChanged { event, settings, at: at(0) });
    log.extend((1..=6).map(|place| joined(place, place)));
    log.push(Record::QueueAdmitted { event, user: UserIndex(1), place: Place(1), at: at(8) });
    log.extend([left(3), left(6)]);
    log.push(Record::QueueMovedUp { event, user: UserIndex(5), at: at(10) });
    log
}

/// The same with lanes, people in them, and a lottery.
/// The same, then points whose deposit is awaited and an account for the case that it goes back.
fn log_with_a_refund() -> Vec<Record> {
    let (charge, at) = (ChargeIndex(1), UnixMillis(130));
    let mut log = log_with_lanes();
    log.push(Record::ChargeOpened(Box::new(ChargeOpened {
        charge,
        user: UserIndex(1),
        purpose: Purpose::Points,
        provider: ProviderName::Toss,
        amount: Split { card: 7_000, points: 0 },
        tag: 4,
        payment_key: String::new(),
        at,
    })));
    log.push(Record::CaptureStarted(Box::new(CaptureStarted {
        charge,
        attempt: Attempt(0),
        method: PaymentMethod::Card,
        payment_key: "tviva2027".to_owned(),
        at,
    })));
    let outcome = CaptureOutcome::Awaiting(Box::new(deposit(at)));
    log.push(Record::CaptureEnded { charge, outcome, at });
    let given = RefundAccountGiven { charge, account: account(), at };
    log.push(Record::RefundAccountGiven(Box::new(given)));
    log
}

/// The same, then an event with a category and changed ticket types, an order that was confirmed, and
/// events that have no seats any more or are gone.
fn log_with_changes() -> Vec<Record> {
    let (event, at) = (EventIndex(0), UnixMillis(140));
    let mut log = log_with_a_refund();
    let details = TicketTypeDetails {
        name: "pit".to_owned(),
        price: 9_000,
        total_quantity: 1_000,
        description: None,
    };
    let new = NewTicketType {
        name: "balcony".to_owned(),
        price: 7_000,
        total_quantity: 3,
        sold_elsewhere: 1,
        description: None,
    };
    let state = fold(&log);
    let first = TicketTypeIndex(state.event(event).unwrap().ticket_types.len() as u16);
    let ticket_types = vec![new.clone(), new];
    let added = TicketTypesAdded { event, first, ticket_types, by: None, at };
    log.push(Record::TicketTypesAdded(Box::new(added)));
    let edited = TicketTypeEdited { event, ticket_type: first, details, by: None, at };
    log.push(Record::TicketTypeEdited(Box::new(edited)));
    let category = Some("콘서트".to_owned());
    log.push(Record::EventCategorised { event, category, by: None, at });
    let (number, order) = state.event(event).unwrap().orders().next().unwrap();
    let reference = OrderRef { event, number };
    if order.is_live() {
        log.push(Record::OrderEnded { order: reference, reason: EndReason::CancelledByAdmin, at });
    }
    let method = PaymentMethod::BankTransfer;
    let slot = HoldSlot(77);
    let confirmed = OrderConfirmed { order: reference, slot, method, by: None, at };
    log.push(Record::OrderConfirmed(Box::new(confirmed)));
    let created = log.iter().find_map(|record| match record {
        Record::EventCreated(created) => Some(created.as_ref().clone()),
        _ => None,
    });
    for (event, gone) in [
        (EventIndex(1), Record::EventDeleted { event: EventIndex(1), by: None, at }),
        (EventIndex(2), Record::SeatsRemoved { event: EventIndex(2), by: None, at }),
    ] {
        let another = EventCreated { event, at, ..created.clone().unwrap() };
        log.extend([Record::EventCreated(Box::new(another)), gone]);
    }
    log
}

fn log_with_lanes() -> Vec<Record> {
    let (event, at) = (EventIndex(0), UnixMillis(120));
    let user = UserIndex;
    let mut log = log_with_a_queue();
    log.push(Record::QueueLanesSet { event, lanes: lanes(), at });
    log.push(Record::QueueLaneGiven { event, lane: Lane(1), users: vec![user(4), user(7)], at });
    log.push(Record::QueueLeft { event, user: user(1), reason: LeaveReason::Left, at });
    log.push(Record::QueueAdmitted { event, user: user(5), place: Place(5), at });
    log.push(Record::QueueLeft { event, user: user(5), reason: LeaveReason::Left, at });
    log.push(Record::QueueAdmitted { event, user: user(2), place: Place(2), at });
    log.push(Record::QueueCleared { event, at });
    log.push(Record::QueueLobbyOpened { event, seed: [0xa5; 32], at });
    log.extend((7..11).map(|place| Record::QueueJoined {
        event,
        user: user(place),
        place: Place(place),
        at,
    }));
    log.push(Record::QueueDrawn { event, beacon: "3 11 15".to_owned(), at });
    log.extend(points_bought());
    log
}

/// Somebody buys points.
fn points_bought() -> [Record; 4] {
    let (charge, at) = (ChargeIndex(0), UnixMillis(130));
    let opened = ChargeOpened {
        charge,
        user: UserIndex(1),
        purpose: Purpose::Points,
        provider: ProviderName::Toss,
        amount: Split { card: 5_000, points: 0 },
        tag: 77,
        payment_key: String::new(),
        at,
    };
    let started = CaptureStarted {
        charge,
        attempt: Attempt(0),
        method: PaymentMethod::Card,
        payment_key: "key".to_owned(),
        at,
    };
    let answered = ProviderAnswered {
        charge,
        call: ProviderCall::Capture,
        status: 200,
        code: "DONE".to_owned(),
        by: None,
        at,
    };
    let captured = Captured { approved_at: at, means: Means::Card, receipt: None };
    [
        Record::ChargeOpened(Box::new(opened)),
        Record::CaptureStarted(Box::new(started)),
        Record::ProviderAnswered(Box::new(answered)),
        Record::CaptureEnded { charge, outcome: CaptureOutcome::Captured(Box::new(captured)), at },
    ]
}

/// The same, then news, an account that is shut out, and what its administrator did.
fn log_with_people() -> Vec<Record> {
    let at = UnixMillis(200);
    let mut log = log_with_changes();
    let posted = |news, title: &str| NewsPosted {
        news: NewsIndex(news),
        title: title.to_owned(),
        content: "text".to_owned(),
        author: Some(UserIndex(1)),
        author_name: "b".to_owned(),
        is_pinned: news == 2,
        views: 0,
        at,
    };
    log.extend((0..3).map(|news| Record::NewsPosted(Box::new(posted(news, "first")))));
    let edited = NewsEdited {
        news: NewsIndex(0),
        title: "second".to_owned(),
        content: "more".to_owned(),
        is_pinned: None,
        by: UserIndex(1),
        at,
    };
    log.push(Record::NewsEdited(Box::new(edited)));
    log.push(Record::NewsDeleted { news: NewsIndex(1), by: None, at });
    let views = vec![NewsViews { news: NewsIndex(2), count: 7 }];
    log.push(Record::NewsViewed { views, at });
    let user = UserIndex(0);
    let suspended = |reason: &str| {
        let reason = reason.to_owned();
        Record::UserSuspended { user, reason, by: Some(UserIndex(0)), at }
    };
    log.push(suspended("암표"));
    log.push(Record::UserRestored { user, by: None, at });
    log.push(suspended("다시"));
    let acted = AdminActed {
        by: UserIndex(0),
        method: "POST".to_owned(),
        path: "/api/admin/users/1/suspend".to_owned(),
        body: "{}".to_owned(),
        at,
    };
    log.push(Record::AdminActed(Box::new(acted)));
    log
}

/// The same, then terms of an event.
fn log_with_terms() -> Vec<Record> {
    let (event, at) = (EventIndex(0), UnixMillis(210));
    let mut log = log_with_people();
    let types = fold(&log).event(event).unwrap().ticket_types.len() as u16;
    let standing = vec![TicketTypeIndex(0), TicketTypeIndex(types - 1)];
    let terms = EventTerms {
        max_tickets: Some(6),
        ticket_hold_ttl: Some(TicketHold::Never),
        deposits: false,
    };
    let set = EventTermsSet { event, terms, standing, by: Some(UserIndex(0)), at };
    log.push(Record::EventTermsSet(Box::new(set)));
    log
}

/// The instant of all records about what providers do.
const PROVIDERS_AT: UnixMillis = UnixMillis(1_700_000_001_000);

/// The same, then every state of money that came with version 6.
fn log_with_providers() -> Vec<Record> {
    let at = PROVIDERS_AT;
    let mut log = log_with_terms();
    log.extend(tickets_part_of_which_goes_back());
    log.extend(seats_whose_deposit_is_awaited());
    // The points of charge 0 are spent on charge 4 below, and their deposit never was one.
    log.extend(points_whose_money_is_gone());
    log.extend(returns_of_every_kind());
    // One that was never confirmed.
    log.push(opened(6, Purpose::Points, Split { card: 9_000, points: 0 }));
    log.push(Record::ChargeForgotten { charge: ChargeIndex(6), at });
    let compared = DayCompared {
        provider: ProviderName::Toss,
        day: UnixMillis(86_400_000 - 9 * 3_600_000),
        transactions: 7,
        differences: 2,
        unknown: 1,
        at,
    };
    log.push(Record::DayCompared(Box::new(compared)));
    let acted = AdminActed {
        by: UserIndex(0),
        method: "POST".to_owned(),
        path: "/api/news".to_owned(),
        body: "{}".to_owned(),
        at,
    };
    log.push(Record::AdminMade(Box::new(AdminMade { acted, made: "7".to_owned() })));
    log
}

fn order_id(number: u32) -> ReservationId {
    ReservationId { event: EventIndex(0), slot: HoldSlot(200 + number), order: OrderNumber(number) }
}

fn held(number: u32, claim: Claim) -> Record {
    let id = order_id(number);
    Record::Held(Held {
        order: OrderRef { event: id.event, number: id.order },
        slot: id.slot,
        user: UserIndex(0),
        expires_at: matches!(claim, Claim::Seats(_)).then(|| PROVIDERS_AT.plus(300_000)),
        claim,
        at: PROVIDERS_AT,
        key: None,
    })
}

fn opened(charge: u32, purpose: Purpose, amount: Split) -> Record {
    Record::ChargeOpened(Box::new(ChargeOpened {
        charge: ChargeIndex(charge),
        user: UserIndex(0),
        purpose,
        provider: ProviderName::Toss,
        amount,
        tag: 5,
        payment_key: String::new(),
        at: PROVIDERS_AT,
    }))
}

fn begun(charge: u32, purpose: Purpose, amount: Split) -> [Record; 2] {
    let attempt = Attempt(u8::from(purpose != Purpose::Points));
    let started = CaptureStarted {
        charge: ChargeIndex(charge),
        attempt,
        method: PaymentMethod::Mixed,
        payment_key: format!("tviva{charge}"),
        at: PROVIDERS_AT,
    };
    [opened(charge, purpose, amount), Record::CaptureStarted(Box::new(started))]
}

fn paid(charge: u32, purpose: Purpose, amount: Split) -> Vec<Record> {
    let at = PROVIDERS_AT;
    let captured = Captured { approved_at: at, means: Means::Card, receipt: None };
    let outcome = CaptureOutcome::Captured(Box::new(captured));
    let ended = Record::CaptureEnded { charge: ChargeIndex(charge), outcome, at };
    begun(charge, purpose, amount).into_iter().chain([ended]).collect()
}

fn tickets(quantity: u32) -> Claim {
    // The type that `log_with_changes` edited.
    let ticket_type = TicketTypeIndex(0);
    Claim::Tickets(vec![TicketLine { ticket_type, quantity, unit_price: 9_000 }].into())
}

/// Charge 2, under another payment than its intent named; one ticket of it goes back under a key.
fn tickets_part_of_which_goes_back() -> Vec<Record> {
    let (charge, at) = (ChargeIndex(2), PROVIDERS_AT);
    let purpose = Purpose::Order(order_id(10));
    let mut log = vec![held(10, tickets(10))];
    log.extend(paid(2, purpose, Split { card: 90_000, points: 0 }));
    let payment_key = "tviva2-found".to_owned();
    log.push(Record::PaymentFound(Box::new(PaymentFound { charge, payment_key, at })));
    let part = PartReturned {
        charge,
        part: tickets(1),
        amount: Split { card: 9_000, points: 0 },
        by: UserIndex(0),
        key: Some(Box::new(IdempotencyKey { key: 99, content: 1 })),
        at,
    };
    log.push(Record::PartReturned(Box::new(part)));
    log
}

/// Charge 3.
fn seats_whose_deposit_is_awaited() -> Vec<Record> {
    let (charge, at) = (ChargeIndex(3), PROVIDERS_AT);
    let seats = SeatList::from_slice(&[SeatIndex(100), SeatIndex(101)]).unwrap();
    let purpose = Purpose::Order(order_id(11));
    let mut log = vec![held(11, Claim::Seats(seats))];
    log.extend(begun(3, purpose, Split { card: 2_000, points: 0 }));
    let outcome = CaptureOutcome::Awaiting(Box::new(deposit(at)));
    log.push(Record::CaptureEnded { charge, outcome, at });
    log
}

/// Charges 4 and 5: points that are bought, spent, and whose money the bank takes back.
fn points_whose_money_is_gone() -> Vec<Record> {
    let at = PROVIDERS_AT;
    let mut log = paid(4, Purpose::Points, Split { card: 6_000, points: 0 });
    log.push(held(12, tickets(1)));
    let purpose = Purpose::Order(order_id(12));
    log.extend(paid(5, purpose, Split { card: 4_000, points: 5_000 }));
    let outcome = CaptureOutcome::TakenBack;
    log.push(Record::CaptureEnded { charge: ChargeIndex(4), outcome, at });
    log
}

/// Of charge 2: its part's refund fails twice; something goes back elsewhere, and some of that has not;
/// all that is left is owed, and a part of it is given back by hand. Of charge 5: it is disputed.
fn returns_of_every_kind() -> Vec<Record> {
    let (charge, at) = (ChargeIndex(2), PROVIDERS_AT);
    let ended = |refund, outcome| Record::RefundEnded { refund: RefundIndex(refund), outcome, at };
    let order = OrderRef { event: EventIndex(0), number: OrderNumber(10) };
    let disputed = |amount, state| Record::Disputed { charge: ChargeIndex(5), amount, state, at };
    vec![
        ended(0, RefundOutcome::Done),
        ended(0, RefundOutcome::Failed),
        ended(0, RefundOutcome::Done),
        ended(0, RefundOutcome::Failed),
        ended(0, RefundOutcome::ByHand),
        Record::ReturnedElsewhere { charge, card: 10_000, at },
        Record::ReturnFailed { charge, card: 2_000, is_owed: false, at },
        Record::OrderEnded { order, reason: EndReason::CancelledByUser, at },
        ended(1, RefundOutcome::Refused),
        Record::ReturnFailed { charge, card: 1_000, is_owed: true, at },
        disputed(1_000, DisputeState::Open),
        disputed(1_000, DisputeState::Lost),
        disputed(3_000, DisputeState::Open),
    ]
}

#[test]
fn a_snapshot() {
    let state = fold(&log_with_providers());
    assert_eq!(state.listed_events().count(), 2);
    let event = state.event(EventIndex(0)).unwrap();
    assert!(event.ticket_types.iter().any(|found| !found.former_names.is_empty()));
    let (number, order) = event.orders().next().unwrap();
    assert_eq!(event.live_slot(number, order), HoldSlot(77));
    assert!(state.events()[2].seats_removed && event.category.is_some());
    assert_eq!((event.terms.max_tickets, event.standing.len()), (Some(6), 2));
    assert!(!event.terms.deposits && state.events()[2].terms.deposits);
    let posts: Vec<_> = state.news().posts().map(|(index, post)| (index.0, post.views)).collect();
    assert_eq!((posts, state.news().next()), (vec![(0, 0), (2, 7)], NewsIndex(3)));
    let suspension = state.suspension(UserIndex(0));
    assert!(suspension.is_some_and(|suspension| suspension.reason == "다시"));
    let made: Vec<Option<&str>> =
        state.audit().actions().map(|action| action.made.as_deref()).collect();
    assert_eq!(made, [None, Some("7")]);
    assert_eq!(state.ledger().refund_account(ChargeIndex(1)), Some(&account()));
    let queue = state.queue(EventIndex(0)).unwrap();
    assert_eq!((queue.waiting_count(), queue.active_count()), (4, 0));
    assert_eq!((queue.next_place(), queue.waiting_in(Lane(1))), (Place(15), 1));
    assert!(queue.lottery().is_some_and(|lottery| lottery.drawn.is_some()));
    assert_eq!(state.ledger().points(UserIndex(1)), 5_000);
    has_every_state_of_money(&state);
    let written = snapshot::encode(&state, BatchHash([0xcd; 16]));
    let (header, decoded) = snapshot::decode(&written).unwrap();
    assert_eq!(decoded, state);
    assert_eq!((header.epoch, header.snapshot_lsn), (Epoch(1), state.lsn()));
    assert_eq!(header.chain, BatchHash([0xcd; 16]));
    // The header alone is held fast here; the content is the engine's state, whose encoding is held
    // by the hash at the end.
    held_fast("snapshot_header_6.bin", &written[..snapshot::HEADER_BYTES]);
    let fixture = held_fast("snapshot_6.bin", &written);
    assert_eq!(snapshot::decode(&fixture).unwrap().1, state);
    for cut in [0, 10, 60, fixture.len() - 1] {
        assert!(snapshot::decode(&fixture[..cut]).is_err());
    }
    for bit in (0..fixture.len() * 8).step_by(7) {
        let mut flipped = fixture.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        assert!(snapshot::decode(&flipped).is_err(), "bit {bit}");
    }
}

/// So that the snapshot holds each of them fast.
fn has_every_state_of_money(state: &State) {
    let ledger = state.ledger();
    let charge = |index| ledger.charge(ChargeIndex(index));
    let order = |number| state.order(order_id(number)).map(|(_, order)| order.state);
    assert_eq!(order(11), Some(OrderState::AwaitingDeposit));
    assert_eq!(charge(3).unwrap().state, ChargeState::AwaitingDeposit);
    let debt = ledger.account(UserIndex(0)).map(|account| (account.balance, account.debt));
    assert_eq!((debt, charge(4).unwrap().state), (Some((0, 5_000)), ChargeState::Reversed));
    let (returned, disputed) = (charge(2).unwrap(), charge(5).unwrap());
    assert_eq!((returned.elsewhere(), returned.payment_key.as_str()), (7_000, "tviva2-found"));
    assert_eq!((disputed.elsewhere(), disputed.is_disputed()), (1_000, true));
    assert!(charge(6).is_none() && ledger.charge_count() == 7);
    let pieces: Vec<_> = ledger.refunds().iter().map(|one| (one.card, one.failures)).collect();
    assert_eq!(pieces, [(9_000, 2), (73_000, 0), (1_000, 0)]);
    assert!(matches!(ledger.refunds()[0].state, RefundState::ByHand { .. }));
    assert!(matches!(ledger.refunds()[1].state, RefundState::Refused { .. }));
    assert_eq!(ledger.refunds()[2].state, RefundState::Due);
    assert_eq!(ledger.compared(ProviderName::Toss).map(|day| day.transactions), Some(7));
    assert_eq!(state.event(EventIndex(0)).unwrap().returned_of(OrderNumber(10)), 1);
    assert!(state.keys().any(|key| key.key == 99));
}

/// What version 5 wrote, before events had terms and the ledger knew what providers do on
/// their own.
#[test]
fn a_snapshot_of_version_5() {
    let fixture = fs::read(fixture_path("snapshot_5.bin")).unwrap();
    let header_fixture = fs::read(fixture_path("snapshot_header_5.bin")).unwrap();
    assert_eq!(fixture[..snapshot::HEADER_BYTES], header_fixture[..]);
    let (_, mut decoded) = snapshot::decode(&fixture).unwrap();
    let log = log_with_people();
    assert_eq!(decoded, fold(&log));
    // The log goes on with terms, and with what providers do on their own.
    let longer = log_with_providers();
    for record in &longer[log.len()..] {
        decoded.apply(decoded.lsn().next(), record).unwrap();
    }
    assert_eq!(decoded, fold(&longer));
}

/// What version 4 wrote, before events could be deleted and before there were news.
#[test]
fn a_snapshot_of_version_4() {
    let fixture = fs::read(fixture_path("snapshot_4.bin")).unwrap();
    let (_, mut decoded) = snapshot::decode(&fixture).unwrap();
    let log = log_with_a_refund();
    assert_eq!(decoded, fold(&log));
    // The log goes on with changes and news.
    let longer = log_with_people();
    for record in &longer[log.len()..] {
        decoded.apply(decoded.lsn().next(), record).unwrap();
    }
    assert_eq!(decoded, fold(&longer));
}

/// What version 3 wrote, before there were accounts for refunds.
#[test]
fn a_snapshot_of_version_3() {
    let fixture = fs::read(fixture_path("snapshot_3.bin")).unwrap();
    let (_, mut decoded) = snapshot::decode(&fixture).unwrap();
    let log = log_with_lanes();
    assert_eq!(decoded, fold(&log));
    // The log goes on with a deposit that is to go back.
    let longer = log_with_a_refund();
    for record in &longer[log.len()..] {
        decoded.apply(decoded.lsn().next(), record).unwrap();
    }
    assert_eq!(decoded, fold(&longer));
}

/// What version 2 wrote, before lines had lanes.
#[test]
fn a_snapshot_of_version_2() {
    let fixture = fs::read(fixture_path("snapshot_2.bin")).unwrap();
    let (_, mut decoded) = snapshot::decode(&fixture).unwrap();
    let log = log_with_a_queue();
    assert_eq!(decoded, fold(&log));
    // The log goes on with lanes.
    let longer = log_with_lanes();
    for record in &longer[log.len()..] {
        decoded.apply(decoded.lsn().next(), record).unwrap();
    }
    assert_eq!(decoded, fold(&longer));
}

/// What version 1 wrote, before there were queues.
#[test]
fn a_snapshot_of_version_1() {
    let log: Vec<_> = (0..12).map(crate::common::record).collect();
    let started = Record::EpochStarted { epoch: Epoch(1), at: UnixMillis(5) };
    let state = fold(&[&[started], &log[..]].concat());
    let fixture = fs::read(fixture_path("snapshot.bin")).unwrap();
    let header_fixture = fs::read(fixture_path("snapshot_header.bin")).unwrap();
    assert_eq!(fixture[..snapshot::HEADER_BYTES], header_fixture[..]);
    let (header, mut decoded) = snapshot::decode(&fixture).unwrap();
    assert_eq!(decoded, state);
    assert_eq!((header.epoch, header.snapshot_lsn), (Epoch(1), Lsn(13)));
    // The log goes on with queues.
    let log = log_with_a_queue();
    for record in &log[13..] {
        decoded.apply(decoded.lsn().next(), record).unwrap();
    }
    assert_eq!(decoded, fold(&log));
    // The same content under the number of another version is not taken for it.
    for version in [0_u16, 2, 3, 4, 5, 6, 7] {
        let mut other = fixture[..fixture.len() - snapshot::HASH_BYTES].to_vec();
        other[4..6].copy_from_slice(&version.to_le_bytes());
        let hash = blake3::hash(&other);
        other.extend_from_slice(hash.as_bytes());
        assert!(snapshot::decode(&other).is_err(), "version {version}");
    }
}
