//! What the sample catalogue holds.

use tiketi_engine::command::{NewEvent, NewLayout};
use tiketi_engine::ids::{LayoutIndex, UnixMillis};
use tiketi_engine::record::{
    EventDetails, EventRules, EventTerms, KeywordKind, KeywordMapping, NewTicketType, Section,
};

use crate::instants::{self, on_seoul_day};

/// The three layouts; small, large and stadium are the first ones of the log.
pub(crate) fn layouts() -> Vec<NewLayout> {
    let layout =
        |name: &str, description: &str, sections: &[(&str, u32, u32, u32, u32)]| NewLayout {
            name: name.to_owned(),
            description: Some(description.to_owned()),
            sections: sections
                .iter()
                .map(|&(name, rows, seats_per_row, price, start_row)| Section {
                    name: name.to_owned(),
                    rows,
                    seats_per_row,
                    price,
                    start_row,
                })
                .collect(),
        };
    vec![
        layout(
            "small_theater",
            "소극장 (300석)",
            &[("VIP", 3, 10, 150_000, 1), ("R", 5, 15, 100_000, 4), ("S", 8, 20, 70_000, 9)],
        ),
        layout(
            "large_theater",
            "대극장 (1500석)",
            &[
                ("VIP", 5, 20, 200_000, 1),
                ("R", 10, 30, 150_000, 6),
                ("S", 15, 30, 100_000, 16),
                ("A", 10, 40, 70_000, 31),
            ],
        ),
        layout(
            "sports_stadium",
            "스포츠 경기장 (5000석)",
            &[
                ("Floor1", 20, 50, 80_000, 1),
                ("Floor2", 30, 60, 50_000, 21),
                ("Floor3", 30, 70, 30_000, 51),
            ],
        ),
    ]
}

const ARTISTS: [(&str, &str); 24] = [
    ("싸이", "PSY"),
    ("아이유", "IU"),
    ("방탄소년단", "BTS"),
    ("블랙핑크", "BLACKPINK"),
    ("임영웅", "Lim Young Woong"),
    ("뉴진스", "NewJeans"),
    ("세븐틴", "SEVENTEEN"),
    ("에스파", "aespa"),
    ("엔시티 드림", "NCT DREAM"),
    ("르세라핌", "LE SSERAFIM"),
    ("아이브", "IVE"),
    ("스트레이 키즈", "Stray Kids"),
    ("트와이스", "TWICE"),
    ("태양", "TAEYANG"),
    ("태양", "SOL"),
    ("지드래곤", "G-DRAGON"),
    ("지드래곤", "GD"),
    ("엑소", "EXO"),
    ("레드벨벳", "Red Velvet"),
    ("투모로우바이투게더", "TOMORROW X TOGETHER"),
    ("투바투", "TXT"),
    ("엔하이픈", "ENHYPEN"),
    ("있지", "ITZY"),
    ("지코", "ZICO"),
];

const VENUES: [(&str, &str); 13] = [
    ("서울", "Seoul"),
    ("올림픽", "Olympic"),
    ("잠실", "Jamsil"),
    ("고척", "Gocheok"),
    ("송파", "Songpa"),
    ("구로", "Guro"),
    ("용산", "Yongsan"),
    ("광진", "Gwangjin"),
    ("체조경기장", "Gymnastics Arena"),
    ("경기장", "Stadium"),
    ("돔", "Dome"),
    ("스카이돔", "Sky Dome"),
    ("실내체육관", "Indoor Stadium"),
];

const GENERAL: [(&str, &str); 4] =
    [("콘서트", "Concert"), ("투어", "Tour"), ("공연", "Performance"), ("뮤지컬", "Musical")];

/// The 41 keyword mappings.
pub(crate) fn keywords() -> Vec<KeywordMapping> {
    let of = |kind, pairs: &[(&str, &str)]| -> Vec<KeywordMapping> {
        let mapping = |&(korean, english): &(&str, &str)| KeywordMapping {
            korean: korean.to_owned(),
            english: english.to_owned(),
            kind,
        };
        pairs.iter().map(mapping).collect()
    };
    [
        of(KeywordKind::Artist, &ARTISTS),
        of(KeywordKind::Venue, &VENUES),
        of(KeywordKind::General, &GENERAL),
    ]
    .concat()
}

/// Halls by what is needed of them here.
#[derive(Clone, Copy)]
enum Hall {
    Gymnastics,
    KspoDome,
    JamsilArena,
    JamsilArenaOlder,
    JamsilStadium,
    Charlotte,
    BlueSquare,
    Gocheok,
    Yes24,
}

impl Hall {
    fn name_and_address(self) -> (&'static str, &'static str) {
        match self {
            Hall::Gymnastics => ("올림픽공원 체조경기장", "서울특별시 송파구 올림픽로 424"),
            Hall::KspoDome => ("KSPO DOME", "서울특별시 송파구 올림픽로 424"),
            Hall::JamsilArena => ("잠실실내체육관", "서울특별시 송파구 올림픽로 424"),
            Hall::JamsilArenaOlder => ("잠실실내체육관", "서울특별시 송파구 올림픽로 25"),
            Hall::JamsilStadium => ("잠실종합운동장 주경기장", "서울특별시 송파구 올림픽로 25"),
            Hall::Charlotte => ("샤롯데씨어터", "서울특별시 송파구 올림픽로 240"),
            Hall::BlueSquare => ("블루스퀘어 마스터카드홀", "서울특별시 용산구 이태원로 294"),
            Hall::Gocheok => ("고척스카이돔", "서울특별시 구로구 경인로 430"),
            Hall::Yes24 => ("YES24 라이브홀", "서울특별시 광진구 광나루로 56길 85"),
        }
    }
}

const SMALL: LayoutIndex = LayoutIndex(0);
const LARGE: LayoutIndex = LayoutIndex(1);
const STADIUM: LayoutIndex = LayoutIndex(2);

/// When an event sells and begins.
enum When {
    /// Sold 09:00 to 18:00 this many days after the load, shown at 19:00 that many days after it.
    Days(i64, i64),
    /// Seoul time: sale start, sale end, show.
    Past(&'static str, &'static str, &'static str),
}

/// Name, price, total, left.
type Tickets = (&'static str, u32, u32, u32);

struct SampleEvent {
    title: &'static str,
    artist: Option<&'static str>,
    hall: Hall,
    layout: LayoutIndex,
    slug: &'static str,
    when: When,
    tickets: &'static [Tickets],
}

const fn past(
    title: &'static str,
    hall: Hall,
    layout: LayoutIndex,
    slug: &'static str,
    when: When,
    tickets: &'static [Tickets],
) -> SampleEvent {
    SampleEvent { title, artist: None, hall, layout, slug, when, tickets }
}

const fn show(
    title: &'static str,
    artist: &'static str,
    hall: Hall,
    layout: LayoutIndex,
    slug: &'static str,
    (sale, day): (i64, i64),
) -> SampleEvent {
    let when = When::Days(sale, day);
    SampleEvent { title, artist: Some(artist), hall, layout, slug, when, tickets: &[] }
}

/// What each event is made of, in the order they are made.
#[rustfmt::skip]
const EVENTS: [SampleEvent; 25] = [
    past("2024 콘서트 투어 in 서울", Hall::Gymnastics, SMALL, "concert-2024",
        When::Past("2024-11-01T10:00:00", "2024-12-30T23:59:59", "2024-12-31T19:00:00"),
        &[("VIP석", 150_000, 100, 95), ("R석", 100_000, 200, 180), ("S석", 70_000, 300, 250), ("일반석", 50_000, 400, 320)]),
    past("뮤지컬 오페라의 유령", Hall::Charlotte, LARGE, "phantom",
        When::Past("2024-11-10T10:00:00", "2025-01-14T23:59:59", "2025-01-15T19:30:00"),
        &[("VIP석", 180_000, 80, 75), ("R석", 120_000, 150, 140), ("S석", 80_000, 200, 185)]),
    past("스포츠 경기 - 농구 결승전", Hall::JamsilArenaOlder, STADIUM, "basketball",
        When::Past("2024-11-05T10:00:00", "2024-12-19T23:59:59", "2024-12-20T18:00:00"),
        &[("코트사이드", 200_000, 50, 48), ("1층석", 80_000, 300, 280), ("2층석", 50_000, 500, 450)]),
    show("10CM HOTEL ROOM TOUR 2024", "10CM", Hall::BlueSquare, SMALL, "10cm", (0, 20)),
    show("싸이 흠뻑쇼 2024", "싸이", Hall::JamsilStadium, STADIUM, "psy", (0, 25)),
    show("아이유 2024 콘서트 - The Golden Hour", "아이유", Hall::Gocheok, LARGE, "iu", (1, 30)),
    show("BTS WORLD TOUR 2024", "BTS", Hall::JamsilStadium, STADIUM, "bts", (2, 35)),
    show("BLACKPINK BORN PINK TOUR", "BLACKPINK", Hall::Gocheok, LARGE, "blackpink", (3, 40)),
    show("임영웅 - IM HERO TOUR 2024", "임영웅", Hall::JamsilArena, LARGE, "lim-young-woong", (4, 42)),
    show("NewJeans SUPER SHY TOUR", "NewJeans", Hall::Gymnastics, SMALL, "newjeans", (5, 45)),
    show("SEVENTEEN FOLLOW TOUR", "SEVENTEEN", Hall::Gocheok, LARGE, "seventeen", (6, 48)),
    show("aespa SYNK TOUR 2024", "aespa", Hall::KspoDome, LARGE, "aespa", (7, 50)),
    show("NCT DREAM THE DREAM SHOW 3", "NCT DREAM", Hall::Gocheok, LARGE, "nct-dream", (8, 52)),
    show("LE SSERAFIM FLAME RISES", "LE SSERAFIM", Hall::Gymnastics, SMALL, "le-sserafim", (9, 55)),
    show("IVE THE PROM QUEENS TOUR", "IVE", Hall::KspoDome, LARGE, "ive", (10, 58)),
    show("Stray Kids 5-STAR TOUR", "Stray Kids", Hall::Gocheok, LARGE, "stray-kids", (11, 60)),
    show("TWICE READY TO BE TOUR", "TWICE", Hall::JamsilArena, LARGE, "twice", (12, 62)),
    show("태양 WHITE NIGHT TOUR", "태양", Hall::Gymnastics, SMALL, "taeyang", (13, 65)),
    show("G-DRAGON ACT III: MOTTE", "G-DRAGON", Hall::Gocheok, LARGE, "g-dragon", (14, 68)),
    show("EXO PLANET 2024", "EXO", Hall::KspoDome, LARGE, "exo", (15, 70)),
    show("Red Velvet FEEL MY RHYTHM", "Red Velvet", Hall::Gymnastics, SMALL, "red-velvet", (16, 72)),
    show("TXT ACT: SWEET MIRAGE", "TOMORROW X TOGETHER", Hall::JamsilArena, LARGE, "txt", (17, 75)),
    show("ENHYPEN FATE TOUR", "ENHYPEN", Hall::Gocheok, LARGE, "enhypen", (18, 78)),
    show("ITZY CHECKMATE TOUR", "ITZY", Hall::Gymnastics, SMALL, "itzy", (19, 80)),
    show("ZICO KING OF THE ZUNGLE", "ZICO", Hall::Yes24, SMALL, "zico", (20, 82)),
];

/// The events' titles, in order: what a load is recognised by.
pub(crate) fn titles() -> impl ExactSizeIterator<Item = &'static str> {
    EVENTS.iter().map(|event| event.title)
}

/// The 25 events, as of the day of the load.
pub(crate) fn events(rules: EventRules, now: UnixMillis) -> Vec<NewEvent> {
    EVENTS.iter().map(|event| event.new_event(rules, now)).collect()
}

impl SampleEvent {
    fn new_event(&self, rules: EventRules, now: UnixMillis) -> NewEvent {
        // Only a clock near the end of time has no such day; the event is then simply over.
        let day = |days, time| on_seoul_day(now, days, time).unwrap_or(now);
        let fixed = |text| instants::parse(text).unwrap_or(now);
        let (sale_starts_at, sale_ends_at, event_at) = match self.when {
            When::Days(sale, show) => {
                (day(sale, (9, 0, 0)), day(sale, (18, 0, 0)), day(show, (19, 0, 0)))
            }
            When::Past(from, to, show) => (fixed(from), fixed(to), fixed(show)),
        };
        let (venue, address) = self.hall.name_and_address();
        let ticket_type = |&(name, price, total_quantity, left): &Tickets| NewTicketType {
            name: name.to_owned(),
            price,
            total_quantity,
            sold_elsewhere: total_quantity - left,
            description: None,
        };
        NewEvent {
            details: EventDetails {
                title: self.title.to_owned(),
                description: Some(format!("{venue}에서 만나는 {}", self.title)),
                venue: venue.to_owned(),
                address: Some(address.to_owned()),
                artist_name: self.artist.map(str::to_owned),
                poster_image_url: Some(format!("/images/{}.jpg", self.slug)),
                event_at,
                sale_starts_at,
                sale_ends_at,
            },
            layout: Some(self.layout),
            ticket_types: self.tickets.iter().map(ticket_type).collect(),
            // For show beside the seats (contract/domain.md 1).
            standing: Vec::new(),
            rules,
            terms: EventTerms::default(),
            category: None,
            created_by: None,
        }
    }
}
