//! What does finding cost among 100,000 events: suggestions while somebody types, and the list?
//!
//! Titles are artist, tour, city and year, so that single words are in very many of them and most
//! artists in a few; one event of a hundred has a word of its own.

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tiketi_benches::{NOW, undurable};
use tiketi_engine::command::NewEvent;
use tiketi_engine::engine::Engine;
use tiketi_engine::ids::UnixMillis;
use tiketi_engine::journal::MemoryJournal;
use tiketi_engine::record::{EventDetails, EventRules, EventTerms, KeywordKind, KeywordMapping};
use tiketi_engine::state::State;
use tiketi_gateway::search::{Catalogue, Filter};

const EVENTS: u32 = 100_000;
const ARTISTS: u32 = 20_000;
const VENUES: u32 = 2_000;
const WORDS: [&str; 10] = [
    "WORLD TOUR",
    "콘서트",
    "전국투어",
    "LIVE",
    "팬미팅",
    "TOUR",
    "뮤지컬",
    "FESTIVAL",
    "쇼케이스",
    "앙코르",
];
const CITIES: [&str; 8] = ["서울", "부산", "대구", "인천", "광주", "대전", "울산", "SEOUL"];

/// A name of two or three syllables, another one for each number; every fifth is Latin.
fn name(number: u32) -> String {
    let mut rest = number.wrapping_mul(2_654_435_761);
    let mut take = |count: u32| {
        let part = rest % count;
        rest = (rest / count) ^ rest.rotate_left(11);
        part
    };
    match number % 5 {
        0 => (0..4)
            .flat_map(|_| [b"bcdfghklmnprst"[take(14) as usize], b"aeiou"[take(5) as usize]])
            .map(char::from)
            .collect(),
        _ => (0..2 + number % 2)
            .filter_map(|_| {
                char::from_u32(
                    0xAC00 + (take(19) * 21 + take(21)) * 28 + [0, 4, 8, 21][take(4) as usize],
                )
            })
            .collect(),
    }
}

fn details(number: u32) -> EventDetails {
    let artist = name(number % ARTISTS);
    let word = WORDS[(number / 7) as usize % WORDS.len()];
    let city = CITIES[(number / 3) as usize % CITIES.len()];
    let own = if number.is_multiple_of(100) { name(number + 1_000_000) } else { String::new() };
    EventDetails {
        title: format!("{artist} {word} {own} in {city} {}", 2020 + number % 10),
        description: None,
        venue: format!("{} 아트홀", name(number % VENUES + 5_000_000)),
        address: Some(format!("{city} {}로 {}", name(number % 500 + 9_000_000), number % 300)),
        artist_name: Some(artist),
        poster_image_url: None,
        event_at: NOW.plus(u64::from(number) * 60_000),
        sale_starts_at: UnixMillis(NOW.0 - u64::from(1 + number % 1_000)),
        sale_ends_at: NOW.plus(u64::from(number) * 30_000),
    }
}

fn state() -> State {
    let engine = Engine::from_state(&State::default(), MemoryJournal::default())
        .expect("an empty state is consistent");
    let mut state = State::default();
    for (korean, english) in [("방탄소년단", "BTS"), ("콘서트", "Concert"), ("서울", "Seoul")]
    {
        let mapping = KeywordMapping {
            korean: korean.into(),
            english: english.into(),
            kind: KeywordKind::General,
        };
        undurable(engine.map_keyword(mapping).expect("new"));
    }
    let rules = EventRules { seats_per_reservation: 4, hold_ttl_ms: 300_000, seats_per_user: None };
    for number in 0..EVENTS {
        let mut details = details(number);
        if number == EVENTS / 2 {
            details.title = "방탄소년단 WORLD TOUR".into();
            details.artist_name = Some("방탄소년단".into());
        }
        let new = NewEvent {
            details,
            layout: None,
            ticket_types: Vec::new(),
            standing: Vec::new(),
            terms: EventTerms::default(),
            rules,
            category: None,
            created_by: None,
        };
        undurable(engine.create_event(new.check().expect("an event"), NOW).expect("taken"));
        for record in engine.journal().take() {
            state.apply(state.lsn().next(), &record).expect("follows");
        }
    }
    state
}

fn search(criterion: &mut Criterion) {
    let catalogue = Catalogue::of(&state());
    assert_eq!(catalogue.len(), EVENTS as usize);
    assert_eq!(catalogue.suggest("ㅂㅌㅅㄴㄷ", 8)[0].text, "방탄소년단");
    assert_eq!(catalogue.suggest("방턴소년단", 8)[0].text, "방탄소년단");

    // One letter, consonants, in the middle, found nowhere, typing errors of a short, a long and a
    // second word.
    let mut group = criterion.benchmark_group("suggest_among_100000_events");
    for typed in [
        "t",
        "ㅂ",
        "ㅂㅌ",
        "방ㅌ",
        "world tour",
        "투어",
        "qqqqqqqq",
        "wrold",
        "방턴소년단",
        "bts wrold tuor",
    ] {
        group.bench_function(BenchmarkId::from_parameter(typed), |bencher| {
            bencher.iter(|| catalogue.suggest(typed, 8));
        });
    }
    group.finish();

    let mut group = criterion.benchmark_group("list_among_100000_events");
    group.bench_function("first_page", |bencher| bencher.iter(|| catalogue.page(0, 10)));
    for query in ["방탄소년단", "tour", "seoul", "서"] {
        let filter = Filter { query: query.into(), ..Filter::default() };
        group.bench_function(BenchmarkId::new("query", query), |bencher| {
            bencher.iter(|| catalogue.find(&filter, NOW));
        });
    }
    let filter = Filter { from: Some(NOW.plus(1_000_000)), ..Filter::default() };
    group.bench_function("from", |bencher| bencher.iter(|| catalogue.find(&filter, NOW)));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = search
}
criterion_main!(benches);
