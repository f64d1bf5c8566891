//! `tiketi user`: show, promote, demote, suspend, restore, seed; and `tiketi login`.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;
use tiketi_gateway::api::accounts::{SuspendRequest, SuspensionAnswer, UserDetail};
use tiketi_gateway::api::admin::{RoleAnswer, RoleRequest, UserAnswer};
use tiketi_gateway::config::{LogStoreKind, Secret};
use tiketi_gateway::seed::{self, SeedError, Seeded};

use crate::client::{Client, segment};
use crate::data::open_failure;
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::text::{clean, fields, number, seoul};

/// What to do with accounts.
#[derive(Subcommand)]
pub(crate) enum UserCommand {
    /// Show an account
    Show {
        /// Id or e-mail address
        user: String,
    },
    /// Make an account an administrator
    Promote {
        /// Id or e-mail address
        user: String,
    },
    /// Make an administrator an ordinary account again
    Demote {
        /// Id or e-mail address
        user: String,
    },
    /// Shut an account out: it may do nothing until it is restored
    Suspend {
        /// Id or e-mail address
        user: String,
        /// Why; the user is not told
        #[arg(long)]
        reason: String,
    },
    /// Let an account in again
    Restore {
        /// Id or e-mail address
        user: String,
    },
    /// Make accounts for load tests, in a data directory that no gateway uses
    Seed(SeedArgs),
}

/// See `tiketi user seed`.
#[derive(Args)]
pub(crate) struct SeedArgs {
    /// A gateway's data directory; started once before, if it is to have sample data
    dir: PathBuf,
    /// How many, those made before among them
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    count: u32,
    /// Write their addresses and tokens to this file, for `tiketi-loadtest --tokens`
    #[arg(long)]
    tokens: PathBuf,
    /// The gateway's --log-store: sled or segments
    #[arg(long, env = "TIKETI_LOG_STORE", default_value = "sled", value_parser = ["sled", "segments"])]
    log_store: String,
    /// The gateway's --jwt-secret [default: the one kept in the directory]
    #[arg(long, env = "JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
}

pub(crate) fn run(
    command: &UserCommand,
    client: &dyn Fn() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    let (named, change) = match command {
        UserCommand::Show { user } => (user, None),
        UserCommand::Promote { user } => (user, Some(Change::Role("admin"))),
        UserCommand::Demote { user } => (user, Some(Change::Role("user"))),
        UserCommand::Suspend { user, reason } => (user, Some(Change::Suspend(reason))),
        UserCommand::Restore { user } => (user, Some(Change::Restore)),
        UserCommand::Seed(args) => return seed(args, output),
    };
    let client = client()?;
    let found: UserAnswer = client.admin_get(&format!("/api/admin/users/{}", segment(named)))?;
    let path = |what: &str| format!("/api/admin/users/{}/{what}", found.user.id);
    let answer: SuspensionAnswer = match change {
        None => {
            output.either(&found, |output| show(output, &found.user))?;
            return Ok(Exit::Ok);
        }
        Some(Change::Role(role)) => {
            let body = RoleRequest { role: role.to_owned() };
            let answer: RoleAnswer = client.admin_put(&path("role"), &body)?;
            output.either(&answer, |output| {
                let now = output.paint(Paint::Green, &answer.user.role);
                format!("{} is now {now}\n", answer.user.email)
            })?;
            return Ok(Exit::Ok);
        }
        Some(Change::Suspend(reason)) => {
            let body = SuspendRequest { reason: reason.to_owned() };
            client.admin_post(&path("suspend"), &body)?
        }
        Some(Change::Restore) => client.admin_post(&path("restore"), &json!({}))?,
    };
    output.either(&answer, |output| standing(output, &answer.user))?;
    Ok(Exit::Ok)
}

/// What is to become of an account.
enum Change<'a> {
    Role(&'static str),
    Suspend(&'a str),
    Restore,
}

fn standing(output: &Output, user: &UserDetail) -> String {
    let now = match user.suspension {
        Some(_) => output.paint(Paint::Red, "suspended"),
        None => output.paint(Paint::Green, "active"),
    };
    format!("{} is now {now}\n", user.email)
}

/// Makes accounts and writes down what opens them.
fn seed(args: &SeedArgs, output: &Output) -> Result<Exit, Failure> {
    let store = match args.log_store.as_str() {
        "segments" => LogStoreKind::Segments,
        _ => LogStoreKind::Sled,
    };
    let secret = args.jwt_secret.as_deref().map(Secret::new);
    let seeded =
        seed::users(&args.dir, store, secret.as_ref(), args.count).map_err(
            |error| match error {
                SeedError::Open(error) => open_failure(error),
                error => Failure::new(Exit::Refused, "SEED", error.to_string()),
            },
        )?;
    write_tokens(&args.tokens, &seeded).map_err(|error| {
        let text = format!("cannot write {}: {error}", args.tokens.display());
        Failure::new(Exit::Refused, "IO", text)
    })?;
    let file = args.tokens.display().to_string();
    output.either(&json!({ "users": seeded.len(), "tokens": file }), |_| {
        format!("{} accounts; their tokens are in {file}\n", number(seeded.len() as u64))
    })?;
    Ok(Exit::Ok)
}

/// An address and a token on each line; whoever reads it is all of them.
fn write_tokens(path: &Path, seeded: &[Seeded]) -> std::io::Result<()> {
    let mut text = String::new();
    for Seeded { email, token } in seeded {
        text.push_str(email);
        text.push('\t');
        text.push_str(token);
        text.push('\n');
    }
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())
}

/// Prints a token for `TIKETI_TOKEN`.
pub(crate) fn login(client: &Client, output: &Output) -> Result<Exit, Failure> {
    let token = client.token()?;
    output.either(&serde_json::json!({ "token": token }), |_| format!("{token}\n"))?;
    Ok(Exit::Ok)
}

fn show(output: &Output, user: &UserDetail) -> String {
    fields(
        output,
        &[
            ("id", user.id.to_string()),
            ("e-mail", user.email.clone()),
            ("name", user.name.clone()),
            ("phone", user.phone.clone().unwrap_or_else(|| "-".to_owned())),
            ("role", user.role.clone()),
            ("since", seoul(user.created_at.0)),
            ("reservations", number(user.reservations)),
            ("suspended", suspended(user)),
        ],
    )
}

fn suspended(user: &UserDetail) -> String {
    match &user.suspension {
        Some(suspension) => {
            format!("since {}: {}", seoul(suspension.at.0), clean(&suspension.reason))
        }
        None => "no".to_owned(),
    }
}
