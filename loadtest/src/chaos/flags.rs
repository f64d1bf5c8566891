//! Chaos as it is wished for.

use std::path::PathBuf;

use anyhow::ensure;
use clap::Args;

use crate::chaos::plan::Kind;
use crate::chaos::process::find;
use crate::server::Server;

/// What is done to the server.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Chaos")]
pub(crate) struct Flags {
    /// Start the server here, and disturb it: some of kill,pause,disk,cut,slow [default: all]
    #[arg(long, value_name = "KINDS", num_args = 0..=1, default_missing_value = "")]
    chaos: Option<String>,
    /// The server's program [default: tiketi-gateway beside this one, or in PATH]
    #[arg(long, value_name = "PATH")]
    server: Option<PathBuf>,
    /// The program that judges its log [default: tiketi beside this one, or in PATH]
    #[arg(long, value_name = "PATH")]
    cli: Option<PathBuf>,
    /// Seconds from one fault to the next [default: 3]
    #[arg(long, value_name = "SECONDS")]
    chaos_every: Option<f64>,
}

/// Chaos, complete and within bounds.
pub(crate) struct Wished {
    pub(super) kinds: Vec<Kind>,
    /// Seconds.
    pub(super) every: f64,
    pub(super) server: PathBuf,
    pub(super) cli: PathBuf,
}

impl Flags {
    /// What is wished, if chaos is.
    ///
    /// # Errors
    /// In this order: a flag that means nothing without or with chaos, an unknown kind, a time out
    /// of bounds, a program that is not there.
    pub(crate) fn settle(&self, server: &Server) -> anyhow::Result<Option<Wished>> {
        let Some(kinds) = &self.chaos else {
            for (name, is_given) in [
                ("server", self.server.is_some()),
                ("cli", self.cli.is_some()),
                ("chaos-every", self.chaos_every.is_some()),
            ] {
                ensure!(!is_given, "--{name} means nothing without --chaos");
            }
            return Ok(None);
        };
        for (name, is_given) in [
            ("target", server.target.is_some()),
            ("event", server.event.is_some()),
            ("tokens", server.tokens.is_some()),
        ] {
            ensure!(!is_given, "--{name} means nothing with --chaos, which starts a server anew");
        }
        let kinds = Kind::parse(kinds)?;
        let every = self.chaos_every.unwrap_or(3.0);
        ensure!((0.5..=3_600.0).contains(&every), "chaos-every is {every} and not 0.5 to 3600");
        let server = find("tiketi-gateway", "server", self.server.as_deref())?;
        let cli = find("tiketi", "cli", self.cli.as_deref())?;
        Ok(Some(Wished { kinds, every, server, cli }))
    }
}
