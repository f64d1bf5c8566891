//! `tiketi queue`: show, open, pause, rate, threshold, clear, admit; lanes, lobby and draw are
//! beside it.

mod lanes;
mod lottery;

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::json;
use tiketi_gateway::api::Id;
use tiketi_gateway::api::admin::UserAnswer;
use tiketi_gateway::api::queue::{
    AdmitRequest, LaneRow, QueueAnswer, QueueChangeRequest, QueueMessage,
};

use crate::client::{Client, segment};
use crate::confirm::confirm;
use crate::event::find;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::text::{fields, number};

/// What to do with a waiting room.
#[derive(Subcommand)]
pub(crate) enum QueueCommand {
    /// Show how many wait and how many are inside
    Show {
        /// Id, or a part of the title that fits one event
        event: String,
    },
    /// Let people in again after a pause
    Open {
        /// Id, or a part of the title that fits one event
        event: String,
    },
    /// Let nobody in until it is opened again; places are kept
    Pause {
        /// Id, or a part of the title that fits one event
        event: String,
    },
    /// Set how many people are let in a second
    Rate {
        /// Id, or a part of the title that fits one event
        event: String,
        /// Such as 50 or 0.5, or unlimited
        #[arg(value_parser = rate)]
        people: Rate,
    },
    /// Set how many people may be inside at a time
    Threshold {
        /// Id, or a part of the title that fits one event
        event: String,
        /// More than so many wait in line
        #[arg(value_parser = clap::value_parser!(u32).range(1..))]
        people: u32,
    },
    /// Send everybody away, those who wait and those inside
    Clear {
        /// Id, or a part of the title that fits one event
        event: String,
        /// Do not ask
        #[arg(long)]
        yes: bool,
    },
    /// Show the lanes of the line, or set them
    #[command(after_help = "Example: tiketi queue lanes sum41 general=1 fanclub=3\n\n\
        While people wait in both, three of every four who are let in come from the second.\n\
        The first lane is everybody's. Shares may be changed and lanes added, none taken away.")]
    Lanes {
        /// Id, or a part of the title that fits one event
        event: String,
        /// NAME=SHARE, up to four, shares from 1 to 100
        #[arg(value_parser = lanes::share)]
        lanes: Vec<LaneRow>,
    },
    /// Put people into a lane; those who wait keep their places in it
    Lane {
        /// Id, or a part of the title that fits one event
        event: String,
        /// The lane's name
        lane: String,
        /// Ids or e-mail addresses
        users: Vec<String>,
        /// A file with one of them a line, or - for standard input
        #[arg(long)]
        file: Option<PathBuf>,
    },
    /// Before the sale: whoever comes gets a ticket for a draw, and its commitment is published
    Lobby {
        /// Id, or a part of the title that fits one event
        event: String,
    },
    /// Draw everybody's place in the lobby; the beginning of the sale does it otherwise
    Draw {
        /// Id, or a part of the title that fits one event
        event: String,
        /// A public value that nobody knew while tickets were handed out, such as lottery numbers
        #[arg(long, default_value = "")]
        beacon: String,
    },
    /// Compute a draw again and compare; anybody may
    VerifyDraw {
        /// Id, or a part of the title that fits one event
        event: String,
        /// The commitment that was published, to compare with
        #[arg(long)]
        commitment: Option<String>,
    },
    /// Let somebody in out of turn, with the next free slot
    Admit {
        /// Id, or a part of the title that fits one event
        event: String,
        /// Id or e-mail address
        user: String,
    },
}

/// People a second; `None` for no limit.
#[derive(Clone, Copy)]
pub(crate) struct Rate(Option<f64>);

fn rate(text: &str) -> Result<Rate, String> {
    match (text, text.parse::<f64>()) {
        ("unlimited", _) => Ok(Rate(None)),
        (_, Ok(people)) if people >= 0.001 && people.is_finite() => Ok(Rate(Some(people))),
        _ => Err("expected people a second from 0.001, or unlimited".to_owned()),
    }
}

pub(crate) fn run(
    command: &QueueCommand,
    client: &dyn Fn() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    let nothing = QueueChangeRequest::default;
    match command {
        QueueCommand::Show { event } => {
            let client = client()?;
            let answer: QueueAnswer = client.admin_get(&path(find(&client, event)?))?;
            output.either(&answer, |output| shown(output, &answer))?;
        }
        QueueCommand::Open { event } => {
            change(
                client,
                event,
                &QueueChangeRequest { paused: Some(false), ..nothing() },
                output,
            )?;
        }
        QueueCommand::Pause { event } => {
            change(client, event, &QueueChangeRequest { paused: Some(true), ..nothing() }, output)?;
        }
        QueueCommand::Rate { event, people: Rate(rate) } => {
            change(client, event, &QueueChangeRequest { rate: Some(*rate), ..nothing() }, output)?;
        }
        QueueCommand::Threshold { event, people } => {
            let threshold = Some(*people);
            change(client, event, &QueueChangeRequest { threshold, ..nothing() }, output)?;
        }
        QueueCommand::Clear { event, yes } => clear(&client()?, event, *yes, output)?,
        QueueCommand::Lanes { event, lanes } => lanes::run(&client()?, event, lanes, output)?,
        QueueCommand::Lane { event, lane, users, file } => {
            lanes::add(&client()?, event, lane, users, file.as_deref(), output)?;
        }
        QueueCommand::Lobby { event } => lottery::open(&client()?, event, output)?,
        QueueCommand::Draw { event, beacon } => lottery::draw(&client()?, event, beacon, output)?,
        QueueCommand::VerifyDraw { event, commitment } => {
            return lottery::verify(&client()?, event, commitment.as_deref(), output);
        }
        QueueCommand::Admit { event, user } => admit(&client()?, event, user, output)?,
    }
    Ok(Exit::Ok)
}

fn path(event: Id) -> String {
    format!("/api/queue/admin/{event}")
}

fn change(
    client: &dyn Fn() -> Result<Client, Failure>,
    event: &str,
    body: &QueueChangeRequest,
    output: &Output,
) -> Result<(), Failure> {
    let client = client()?;
    let answer: QueueAnswer = client.admin_put(&path(find(&client, event)?), body)?;
    output.either(&answer, |output| shown(output, &answer))
}

fn clear(client: &Client, named: &str, yes: bool, output: &Output) -> Result<(), Failure> {
    let event = find(client, named)?;
    let now: QueueAnswer = client.admin_get(&path(event))?;
    let question = format!(
        "Send away {} people who wait and {} who are inside ({event})?",
        number(now.queue_size.into()),
        number(now.current_users.into())
    );
    confirm(output, yes, &question)?;
    let answer: QueueMessage =
        client.admin_post(&format!("/api/queue/admin/clear/{event}"), &json!({}))?;
    output.either(&answer, |output| format!("{}\n", output.paint(Paint::Green, "cleared")))
}

fn admit(client: &Client, named: &str, user: &str, output: &Output) -> Result<(), Failure> {
    let event = find(client, named)?;
    let found: UserAnswer = client.admin_get(&format!("/api/admin/users/{}", segment(user)))?;
    let body = AdmitRequest { user_id: found.user.id };
    let answer: QueueMessage = client.admin_post(&format!("{}/admit", path(event)), &body)?;
    output.either(&answer, |output| {
        format!("{} {}\n", output.paint(Paint::Green, "admitted"), found.user.email)
    })
}

/// What becomes of the line, in words.
pub(crate) fn state(answer: &QueueAnswer) -> (Paint, &'static str) {
    match (answer.paused, answer.queue_size) {
        _ if answer.lobby => (Paint::Yellow, "a lobby: nobody is let in before the draw"),
        (true, _) => (Paint::Yellow, "paused"),
        (false, 0) => (Paint::Green, "nobody waits"),
        (false, _) => (Paint::Green, "letting people in"),
    }
}

fn shown(output: &Output, answer: &QueueAnswer) -> String {
    let (_, state) = state(answer);
    let rate = answer.rate.map_or("unlimited".to_owned(), |rate| format!("{rate} people/s"));
    let inside =
        format!("{} of {}", number(answer.current_users.into()), number(answer.threshold.into()));
    fields(
        output,
        &[
            ("state", state.to_owned()),
            ("waiting", number(answer.queue_size.into())),
            ("inside", inside),
            ("rate", rate),
        ],
    )
}
