//! `tiketi queue lanes` and `lane`.

use std::io::Read;
use std::path::Path;

use tiketi_gateway::api::queue::{LaneList, LaneMembersAnswer, LaneMembersRequest, LaneRow};

use super::path;
use crate::client::Client;
use crate::event::find;
use crate::exit::Failure;
use crate::output::{Output, Paint};
use crate::text::number;

/// People of one request to the server.
const USERS_PER_REQUEST: usize = 1_000;

/// `NAME=SHARE`.
pub(super) fn share(text: &str) -> Result<LaneRow, String> {
    let parsed = text.rsplit_once('=').and_then(|(name, share)| Some((name, share.parse().ok()?)));
    match parsed {
        Some((name, share)) if !name.is_empty() => {
            Ok(LaneRow { name: name.to_owned(), share, waiting: 0, members: 0 })
        }
        _ => Err("expected NAME=SHARE, such as fanclub=3".to_owned()),
    }
}

pub(super) fn run(
    client: &Client,
    named: &str,
    lanes: &[LaneRow],
    output: &Output,
) -> Result<(), Failure> {
    let path = format!("{}/lanes", path(find(client, named)?));
    let answer: LaneList = match lanes {
        [] => client.admin_get(&path)?,
        lanes => client.admin_put(&path, &LaneList { lanes: lanes.to_vec() })?,
    };
    output.either(&answer, |_| shown(&answer))
}

fn shown(answer: &LaneList) -> String {
    if answer.lanes.is_empty() {
        return "one line for everybody, without lanes\n".to_owned();
    }
    let all: u32 = answer.lanes.iter().map(|lane| u32::from(lane.share)).sum();
    let row = |lane: &LaneRow| {
        let share = format!("{} of {all}", lane.share);
        let (waiting, members) = (number(lane.waiting.into()), number(lane.members));
        format!("{:<20} {share:<10} {waiting:>10} waiting {members:>10} members\n", lane.name)
    };
    answer.lanes.iter().map(row).collect()
}

pub(super) fn add(
    client: &Client,
    named: &str,
    lane: &str,
    users: &[String],
    file: Option<&Path>,
    output: &Output,
) -> Result<(), Failure> {
    let mut users = users.to_vec();
    if let Some(file) = file {
        users.extend(lines_of(file)?);
    }
    if users.is_empty() {
        return Err(Failure::usage("name at least one person, or a --file of them"));
    }
    let path = format!("{}/lanes/members", path(find(client, named)?));
    let mut all = LaneMembersAnswer { message: String::new(), added: 0, unknown: Vec::new() };
    for group in users.chunks(USERS_PER_REQUEST) {
        let body = LaneMembersRequest { lane: lane.to_owned(), users: group.to_vec() };
        let answer: LaneMembersAnswer = client.admin_post(&path, &body)?;
        all.message = answer.message;
        all.added += answer.added;
        all.unknown.extend(answer.unknown);
    }
    output.either(&all, |output| {
        let added = format!("{} in lane {lane}\n", number(all.added as u64));
        let unknown = all.unknown.iter().map(|name| format!("unknown: {name}\n"));
        output.paint(Paint::Green, "added ") + &added + &unknown.collect::<String>()
    })
}

fn lines_of(file: &Path) -> Result<Vec<String>, Failure> {
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().read_to_string(&mut text),
        false => std::fs::File::open(file).and_then(|mut file| file.read_to_string(&mut text)),
    };
    read.map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    Ok(lines.map(str::to_owned).collect())
}
