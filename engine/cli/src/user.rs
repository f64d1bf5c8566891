//! `tiketi user`: show, promote, demote; and `tiketi login`.

use clap::Subcommand;
use tiketi_gateway::api::admin::{RoleAnswer, RoleRequest, UserAnswer, UserDetail};

use crate::client::{Client, segment};
use crate::exit::{Exit, Failure};
use crate::output::{Output, Paint};
use crate::text::{fields, number, seoul};

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
}

pub(crate) fn run(
    command: &UserCommand,
    client: &dyn Fn() -> Result<Client, Failure>,
    output: &Output,
) -> Result<Exit, Failure> {
    let client = client()?;
    let (named, role) = match command {
        UserCommand::Show { user } => (user, None),
        UserCommand::Promote { user } => (user, Some("admin")),
        UserCommand::Demote { user } => (user, Some("user")),
    };
    let found: UserAnswer = client.admin_get(&format!("/api/admin/users/{}", segment(named)))?;
    let Some(role) = role else {
        output.either(&found, |output| show(output, &found.user))?;
        return Ok(Exit::Ok);
    };
    let path = format!("/api/admin/users/{}/role", found.user.id);
    let answer: RoleAnswer = client.admin_put(&path, &RoleRequest { role: role.to_owned() })?;
    output.either(&answer, |output| {
        let now = output.paint(Paint::Green, &answer.user.role);
        format!("{} is now {now}\n", answer.user.email)
    })?;
    Ok(Exit::Ok)
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
        ],
    )
}
