//! The file that `tiketi event create` reads: the body of `POST /api/admin/events`, and the name
//! of a layout in place of its id.

use serde_json::{Map, Value};
use tiketi_gateway::api::admin::NewEventRequest;

/// What `--example` prints.
pub(crate) const EXAMPLE: &str = r#"{
  "title": "봄 콘서트",
  "artistName": "누군가",
  "description": "두 시간의 공연",
  "venue": "서울홀",
  "address": "서울시 중구 1",
  "posterImageUrl": null,
  "eventDate": "2027-05-01T19:00:00",
  "saleStartDate": "2026-01-01T20:00:00",
  "saleEndDate": "2027-05-01T18:00:00",
  "maxSeats": 4,
  "holdTtl": 300,
  "maxPerUser": 8,
  "maxTickets": 4,
  "ticketHoldTtl": 600,
  "deposits": true,
  "layout": {
    "name": "서울홀 소극장",
    "description": "A 구역과 B 구역",
    "sections": [
      { "name": "A", "rows": 5, "seatsPerRow": 20, "price": 120000, "startRow": 1 },
      { "name": "B", "rows": 10, "seatsPerRow": 24, "price": 80000, "startRow": 6 }
    ]
  },
  "ticketTypes": [
    { "name": "스탠딩", "price": 60000, "totalQuantity": 300, "description": null, "standing": true }
  ]
}
"#;

const KEYS: [&str; 18] = [
    "title",
    "artistName",
    "description",
    "venue",
    "address",
    "posterImageUrl",
    "eventDate",
    "saleStartDate",
    "saleEndDate",
    "maxSeats",
    "holdTtl",
    "maxPerUser",
    "maxTickets",
    "ticketHoldTtl",
    "deposits",
    "layout",
    "ticketTypes",
    "seatLayoutId",
];

/// A file that was read.
pub(crate) struct EventFile {
    /// What is sent.
    pub(crate) event: NewEventRequest,
    /// The name of a layout whose id is to be looked up.
    pub(crate) seat_layout: Option<String>,
}

/// Reads a file; `instead` are keys whose value is given on the command line.
pub(crate) fn parse(text: &str, instead: &[(&str, Option<&str>)]) -> Result<EventFile, String> {
    let value: Value = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| format!("not JSON: {error}"))?;
    let Value::Object(mut object) = value else {
        return Err("expected an object, see `tiketi event create --example`".to_owned());
    };
    if object.contains_key("sections") {
        object = as_event(object);
    }
    for (key, value) in instead {
        if let Some(value) = value {
            object.insert((*key).to_owned(), Value::from(*value));
        }
    }
    let seat_layout = match object.remove("seatLayout") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err("seatLayout: expected the name of a layout".to_owned()),
    };
    if let Some(key) = object.keys().find(|key| !KEYS.contains(&key.as_str())) {
        return Err(format!("unknown key {key:?}; known are {}, seatLayout", KEYS.join(", ")));
    }
    let layouts = ["layout", "seatLayoutId"].iter().filter(|&&key| given(&object, key)).count();
    if layouts + usize::from(seat_layout.is_some()) > 1 {
        return Err("give one of layout, seatLayout and seatLayoutId".to_owned());
    }
    for key in ["title", "venue", "eventDate", "saleStartDate", "saleEndDate"] {
        if !given(&object, key) {
            return Err(format!("{key} is missing"));
        }
    }
    let event = serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())?;
    Ok(EventFile { event, seat_layout })
}

fn given(object: &Map<String, Value>, key: &str) -> bool {
    object.get(key).is_some_and(|value| !value.is_null())
}

/// An event around a file that is a layout only.
fn as_event(mut layout: Map<String, Value>) -> Map<String, Value> {
    let of_layout = ["name", "description", "sections"];
    let inner: Map<String, Value> =
        of_layout.iter().filter_map(|&key| Some((key.to_owned(), layout.remove(key)?))).collect();
    layout.insert("layout".to_owned(), Value::Object(inner));
    layout
}

#[cfg(test)]
mod tests {
    use tiketi_gateway::api::typed::TicketHoldTtl;

    use super::*;

    #[test]
    fn the_example_is_a_file() {
        let file = parse(EXAMPLE, &[]).expect("example");
        assert_eq!(file.event.title, "봄 콘서트");
        assert_eq!(file.event.layout.map(|layout| layout.sections.len()), Some(2));
        assert_eq!(file.event.hold_ttl.map(|seconds| seconds.0), Some(300));
        assert_eq!(file.event.ticket_hold_ttl, Some(TicketHoldTtl::Seconds(600)));
        let types = file.event.ticket_types.unwrap_or_default();
        assert_eq!(types[0].standing, Some(true));
    }

    #[test]
    fn flags_come_before_the_file() {
        let file = parse(EXAMPLE, &[("title", Some("다른 제목")), ("venue", None)]).expect("file");
        assert_eq!((file.event.title.as_str(), file.event.venue.as_str()), ("다른 제목", "서울홀"));
    }

    #[test]
    fn a_layout_alone_needs_the_rest_from_flags() {
        let layout =
            r#"{"name":"홀","sections":[{"name":"A","rows":1,"seatsPerRow":2,"price":1}]}"#;
        assert_eq!(parse(layout, &[]).err().as_deref(), Some("title is missing"));
        let flags = ["title", "venue", "eventDate", "saleStartDate", "saleEndDate"];
        let flags = flags.map(|key| (key, Some("2027-01-01T00:00:00")));
        let file = parse(layout, &flags).expect("file");
        let layout = file.event.layout.expect("layout");
        assert_eq!((layout.name.as_str(), layout.sections[0].start_row), ("홀", 1));
    }

    #[test]
    fn wrong_files_say_what_is_wrong() {
        let with = |key: &str, value: Value| {
            let mut object: Map<String, Value> = serde_json::from_str(EXAMPLE).expect("example");
            object.insert(key.to_owned(), value);
            parse(&Value::Object(object).to_string(), &[]).err().unwrap_or_default()
        };
        assert!(with("titel", Value::from("x")).starts_with("unknown key \"titel\""));
        assert!(with("seatLayout", Value::from("small")).starts_with("give one of"));
        assert!(with("seatLayout", Value::from(1)).starts_with("seatLayout: expected"));
        assert!(with("venue", Value::Null).starts_with("venue is missing"));
        assert!(with("maxSeats", Value::from("four")).contains("whole number"));
        assert!(parse("[]", &[]).err().is_some_and(|why| why.starts_with("expected an object")));
        assert!(parse("{", &[]).err().is_some_and(|why| why.starts_with("not JSON")));
    }
}
