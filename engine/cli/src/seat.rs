//! `tiketi seat`: map, block, unblock.

use std::collections::{BTreeMap, HashMap};

use clap::Subcommand;
use serde::Deserialize;
use serde_json::{Value, json};
use tiketi_gateway::api::Id;
use tiketi_gateway::api::admin::{BlockAnswer, BlockRequest};
use tiketi_gateway::api::seats::{LayoutConfig, SeatMapEvent};
use tiketi_gateway::api::stats::Stats;

use crate::client::Client;
use crate::event::find;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::seat_map::{Glyph, Section, draw};
use crate::text::number;

/// What to do with seats.
#[derive(Subcommand)]
pub(crate) enum SeatCommand {
    /// Draw the seats of an event
    Map {
        /// Id, or a part of the title that fits one event
        event: String,
        /// Only this section
        #[arg(long)]
        section: Option<String>,
    },
    /// Take free seats off sale, all of them or none
    #[command(after_help = "\
Examples:
  tiketi seat block '봄 콘서트' VIP-1-1 VIP-1-2 --reason camera
  tiketi seat block '봄 콘서트' VIP-1-1..10 --reason camera")]
    Block {
        /// Id, or a part of the title that fits one event
        event: String,
        /// Labels such as VIP-1-5, ranges such as VIP-1-5..9, or ids
        #[arg(required = true)]
        seats: Vec<String>,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
    /// Put blocked seats back on sale, all of them or none
    Unblock {
        /// Id, or a part of the title that fits one event
        event: String,
        /// Labels such as VIP-1-5, ranges such as VIP-1-5..9, or ids
        #[arg(required = true)]
        seats: Vec<String>,
    },
}

/// Seats that one call may name.
const SEATS_MAX: usize = 5_000;

pub(crate) fn run(
    command: &SeatCommand,
    client: &dyn Fn() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        SeatCommand::Map { event, section } => {
            map(&client()?, event, section.as_deref(), output)?;
        }
        SeatCommand::Block { event, seats, reason } => {
            change(client, event, seats, reason.clone(), "block", output)?;
        }
        SeatCommand::Unblock { event, seats } => {
            change(client, event, seats, None, "unblock", output)?;
        }
    }
    Ok(Exit::Ok)
}

fn change(
    client: &dyn Fn() -> Result<Client, Failure>,
    event: &str,
    seats: &[String],
    reason: Option<String>,
    verb: &str,
    output: &Output,
) -> Result<(), Failure> {
    let seats = expand(seats).map_err(Failure::usage)?;
    let client = client()?;
    let id = find(&client, event)?;
    let body = BlockRequest { seats, reason };
    let path = format!("/api/admin/events/{id}/seats/{verb}");
    let answer: BlockAnswer = client.admin_post(&path, &body)?;
    output.either(&answer, |output| {
        let done = output.paint(Paint::Green, &format!("{verb}ed"));
        format!("{done} {} seats\n", number(answer.seats))
    })
}

/// Ranges as the labels they stand for.
fn expand(seats: &[String]) -> Result<Vec<String>, String> {
    let mut expanded = Vec::new();
    for seat in seats {
        let Some((first, last)) = seat.split_once("..") else {
            expanded.push(seat.clone());
            continue;
        };
        let wrong = || format!("{seat:?} is no range; expected one such as VIP-1-5..9");
        let (row, from) = first.rsplit_once('-').ok_or_else(wrong)?;
        let from: u32 = from.parse().map_err(|_| wrong())?;
        let last = last.strip_prefix(row).and_then(|rest| rest.strip_prefix('-')).unwrap_or(last);
        let to: u32 = last.parse().map_err(|_| wrong())?;
        if from > to {
            return Err(wrong());
        }
        if (to - from) as usize >= SEATS_MAX {
            return Err(format!("{seat:?} is more than {SEATS_MAX} seats"));
        }
        expanded.extend((from..=to).map(|seat| format!("{row}-{seat}")));
    }
    match expanded.len() {
        0..=SEATS_MAX => Ok(expanded),
        _ => Err(format!("more than {SEATS_MAX} seats at once")),
    }
}

/// `GET /api/seats/events/:id`, taking any status: a newer gateway may know more of them.
#[derive(Deserialize)]
struct SeatMap {
    event: SeatMapEvent,
    layout: LayoutConfig,
    seats: Vec<Seat>,
}

#[derive(Deserialize)]
struct Seat {
    id: Id,
    section: String,
    row_number: u32,
    seat_number: u32,
    seat_label: String,
    status: String,
}

fn map(client: &Client, named: &str, only: Option<&str>, output: &Output) -> Result<(), Failure> {
    let id = find(client, named)?;
    let mut map: SeatMap = client.get(&format!("/api/seats/events/{id}"))?;
    if let Some(only) = only {
        if !map.layout.sections.iter().any(|section| section.name == only) {
            let names: Vec<&str> =
                map.layout.sections.iter().map(|section| section.name.as_str()).collect();
            let text = format!("no section is called {only:?}; there are {}", names.join(", "));
            return Err(Failure::not_found(text));
        }
        map.layout.sections.retain(|section| section.name == only);
        map.seats.retain(|seat| seat.section == only);
    }
    let known = known_taken(client, id, &map);
    let glyph = |seat: &Seat| match seat.status.as_str() {
        "available" => Glyph::Free,
        "locked" | "held" => Glyph::Held,
        "sold" => Glyph::Sold,
        "blocked" => Glyph::Blocked,
        _ => known.get(&seat.section).copied().unwrap_or(Glyph::Taken),
    };
    let sections = sections(&map, glyph);
    match output.is_json() {
        true => output.document(&document(&map, &sections, glyph)),
        false => output.text(&draw(output, &map.event.title, &sections)),
    }
}

/// The public map says `reserved` for sold and for blocked seats. The administrator's statistics
/// tell them apart by section: where a section has only one of the two, all of its seats are that.
fn known_taken(client: &Client, id: Id, map: &SeatMap) -> HashMap<String, Glyph> {
    if !map.seats.iter().any(|seat| seat.status == "reserved") {
        return HashMap::new();
    }
    // The map is drawn for whoever cannot log in, too.
    let Ok(stats) = client.admin_get::<Stats>(&format!("/api/admin/stats?event={id}")) else {
        return HashMap::new();
    };
    let sections = stats.event.map(|event| event.sections).unwrap_or_default();
    let known = sections.into_iter().filter_map(|section| {
        match (section.seats.sold, section.seats.blocked) {
            (_, 0) => Some((section.section, Glyph::Sold)),
            (0, _) => Some((section.section, Glyph::Blocked)),
            _ => None,
        }
    });
    known.collect()
}

/// Seats of a section: by row, by number.
type Rows = BTreeMap<u32, BTreeMap<u32, Glyph>>;

fn sections(map: &SeatMap, glyph: impl Fn(&Seat) -> Glyph) -> Vec<Section> {
    let mut rows: HashMap<&str, Rows> = HashMap::new();
    for seat in &map.seats {
        let section = rows.entry(&seat.section).or_default();
        section.entry(seat.row_number).or_default().insert(seat.seat_number, glyph(seat));
    }
    let in_order = map.layout.sections.iter().map(|config| {
        let rows = rows.remove(config.name.as_str()).unwrap_or_default();
        let rows = rows.into_iter().map(|(row, seats)| (row, seats.into_values().collect()));
        Section { name: config.name.clone(), price: config.price.into(), rows: rows.collect() }
    });
    in_order.collect()
}

fn counts(sections: &[Section]) -> Value {
    let count = |glyph| sections.iter().map(|section| section.count(glyph)).sum::<usize>();
    let names = [Glyph::Free, Glyph::Held, Glyph::Sold, Glyph::Blocked, Glyph::Taken];
    let mut counts: serde_json::Map<String, Value> =
        names.iter().map(|glyph| (glyph.name().to_owned(), count(*glyph).into())).collect();
    let total: usize = sections.iter().map(Section::seats).sum();
    counts.insert("total".to_owned(), total.into());
    Value::Object(counts)
}

fn document(map: &SeatMap, sections: &[Section], glyph: impl Fn(&Seat) -> Glyph) -> Value {
    let by_section: Vec<Value> = sections
        .iter()
        .map(|section| {
            let counts = counts(std::slice::from_ref(section));
            json!({ "section": section.name, "price": section.price, "counts": counts })
        })
        .collect();
    let seats: Vec<Value> = map
        .seats
        .iter()
        .map(
            |seat| json!({ "id": seat.id, "label": seat.seat_label, "status": glyph(seat).name() }),
        )
        .collect();
    json!({
        "event": { "id": map.event.id, "title": map.event.title },
        "counts": counts(sections),
        "sections": by_section,
        "seats": seats,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_labels() {
        let expand = |text: &str| expand(&[text.to_owned()]);
        assert_eq!(expand("VIP-1-5"), Ok(vec!["VIP-1-5".into()]));
        assert_eq!(
            expand("VIP-1-5..7"),
            Ok(["VIP-1-5", "VIP-1-6", "VIP-1-7"].map(String::from).into())
        );
        assert_eq!(expand("A-B-2-9..A-B-2-9"), Ok(vec!["A-B-2-9".into()]));
        for wrong in ["VIP-1-7..5", "VIP..3", "VIP-1-a..3", "VIP-1-1..", "VIP-1-1..VIP-2-3"] {
            assert!(expand(wrong).is_err(), "{wrong}");
        }
        assert!(expand("A-1-1..6000").is_err_and(|why| why.contains("5000")));
    }
}
