//! `tiketi queue lobby`, `draw` and `verify-draw`.

use std::collections::BTreeSet;

use serde_json::json;
use tiketi_gateway::api::Id;
use tiketi_gateway::api::queue::{DrawAnswer, DrawRequest, LobbyAnswer, QueueMessage};

use super::path;
use crate::client::Client;
use crate::draw;
use crate::event::find;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::text::{fields, number, seoul_exact};

pub(super) fn open(client: &Client, named: &str, output: &Output) -> Result<(), Failure> {
    let event = find(client, named)?;
    let answer: LobbyAnswer = client.admin_post(&format!("{}/lobby", path(event)), &json!({}))?;
    output.either(&answer, |output| {
        format!(
            "{} nobody is let in before the draw. Publish this now:\n\n  {}\n\n\
             At the beginning of the sale the draw takes place by itself; `tiketi queue draw` does \
             it before.\n",
            output.paint(Paint::Green, "lobby open:"),
            answer.commitment
        )
    })
}

pub(super) fn draw(
    client: &Client,
    named: &str,
    beacon: &str,
    output: &Output,
) -> Result<(), Failure> {
    let event = find(client, named)?;
    let body = DrawRequest { beacon: beacon.to_owned() };
    let _: QueueMessage = client.admin_post(&format!("{}/draw", path(event)), &body)?;
    let answer = page(client, event, 1)?;
    output.either(&answer, |output| {
        let seed = answer.seed.clone().unwrap_or_default();
        format!(
            "{} the order of {} people. Publish the seed:\n\n  {seed}\n",
            output.paint(Paint::Green, "drawn"),
            number(answer.entrants.unwrap_or_default().into()),
        )
    })
}

/// Exit 4 where the draw is not what its seed says.
pub(super) fn verify(
    client: &Client,
    named: &str,
    published: Option<&str>,
    output: &Output,
) -> Result<Exit, Failure> {
    let event = find(client, named)?;
    let mut answer = page(client, event, 1)?;
    let (Some(seed), Some(beacon)) = (answer.seed.clone(), answer.beacon.clone()) else {
        let text = format!("no draw yet; the commitment to it is {}", answer.commitment);
        return Err(Failure::new(Exit::Refused, "NOT_DRAWN", text));
    };
    for next in 2..=answer.pagination.total_pages {
        answer.tickets.extend(page(client, event, next)?.tickets);
    }
    let defects = defects(&answer, &seed, &beacon, published);
    let told = json!({"draw": answer, "verified": defects.is_empty(), "defects": defects});
    output.either(&told, |output| {
        let rows = fields(
            output,
            &[
                ("commitment", answer.commitment.clone()),
                ("seed", seed.clone()),
                ("beacon", beacon.clone()),
                ("opened", seoul_exact(answer.opened_at.0)),
                ("drawn", answer.drawn_at.map(|at| seoul_exact(at.0)).unwrap_or_default()),
                ("tickets", number(answer.tickets.len() as u64)),
            ],
        );
        let verdict = match defects.as_slice() {
            [] => output.paint(Paint::Green, "verified: this order, and no other, follows") + "\n",
            defects => {
                defects.iter().map(|defect| output.paint(Paint::Red, defect) + "\n").collect()
            }
        };
        rows + &verdict
    })?;
    Ok(if defects.is_empty() { Exit::Ok } else { Exit::Damaged })
}

fn page(client: &Client, event: Id, page: u64) -> Result<DrawAnswer, Failure> {
    client.get(&format!("/api/queue/draw/{event}?page={page}&limit=1000"))
}

/// What is wrong with a draw, computed from the tickets, the seed and the beacon alone.
fn defects(answer: &DrawAnswer, seed: &str, beacon: &str, published: Option<&str>) -> Vec<String> {
    let mut defects = Vec::new();
    let Some(seed) = draw::unhex(seed) else {
        return vec!["the seed is not hexadecimal".to_owned()];
    };
    if draw::commitment(&seed) != answer.commitment {
        defects.push("the commitment is not that of the seed".to_owned());
    }
    if published.is_some_and(|published| published != answer.commitment) {
        defects.push("the commitment is not the one that was published".to_owned());
    }
    let tickets = &answer.tickets;
    if tickets.len() as u64 != u64::from(answer.entrants.unwrap_or_default())
        || tickets.iter().collect::<BTreeSet<_>>().len() != tickets.len()
    {
        defects.push("tickets are missing or there twice".to_owned());
    }
    if draw::order(&seed, beacon, tickets.iter().copied()) != *tickets {
        defects.push("the order does not follow from the seed".to_owned());
    }
    defects
}

#[cfg(test)]
mod tests {
    use tiketi_gateway::api::Pagination;
    use tiketi_gateway::api::hex;

    use super::*;

    fn draw_of(tickets: u32) -> DrawAnswer {
        let seed = [3; 32];
        let tickets = draw::order(&seed, "7 8 9", 1..=tickets);
        DrawAnswer {
            drawn: true,
            commitment: draw::commitment(&seed),
            opened_at: tiketi_engine::ids::UnixMillis(1).into(),
            seed: Some(hex(&seed)),
            beacon: Some("7 8 9".to_owned()),
            drawn_at: None,
            first_place: Some(tickets.len() as u32 + 1),
            entrants: Some(tickets.len() as u32),
            ticket: None,
            pagination: Pagination::new(1, 1_000, tickets.len() as u64),
            tickets,
        }
    }

    fn found(answer: &DrawAnswer, published: Option<&str>) -> usize {
        let (seed, beacon) = (answer.seed.clone().unwrap(), answer.beacon.clone().unwrap());
        defects(answer, &seed, &beacon, published).len()
    }

    #[test]
    fn a_draw_is_verified_and_every_change_to_it_is_found() {
        let right = draw_of(100);
        assert_eq!(found(&right, None), 0);
        assert_eq!(found(&right, Some(&right.commitment)), 0);
        assert_eq!(found(&right, Some("00")), 1);
        let changed = |change: fn(&mut DrawAnswer)| {
            let mut wrong = right.clone();
            change(&mut wrong);
            found(&wrong, None)
        };
        assert_eq!(changed(|draw| draw.tickets.swap(3, 4)), 1);
        assert_eq!(changed(|draw| draw.tickets[0] = draw.tickets[1]), 1);
        assert_eq!(changed(|draw| draw.tickets.truncate(50)), 1);
        assert_eq!(changed(|draw| draw.beacon = Some("7 8".to_owned())), 1);
        assert_eq!(changed(|draw| draw.seed = Some("04".repeat(32))), 2);
        assert_eq!(changed(|draw| draw.seed = Some("xyz".to_owned())), 1);
        assert_eq!(changed(|draw| draw.commitment = "ab".repeat(32)), 1);
    }
}
