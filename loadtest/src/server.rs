//! Which server is meant, and how sockets reach it.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;

use anyhow::{Context, bail, ensure};
use clap::Args;

/// Which server, and as whom.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "The server")]
pub(crate) struct Server {
    /// Where it listens [default: http://127.0.0.1:3001]
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// An administrator's login
    #[arg(long, env = "ADMIN_EMAIL", default_value = "admin@tiketi.gg", hide_env_values = true)]
    pub(crate) admin_email: String,
    /// The password [default: the one of development]
    #[arg(
        long,
        env = "ADMIN_PASSWORD",
        default_value = "admin123",
        hide_default_value = true,
        hide_env_values = true
    )]
    pub(crate) admin_password: String,
    /// An event that is there already, by its id, instead of one made for the run
    #[arg(long)]
    pub(crate) event: Option<uuid::Uuid>,
    /// Accounts of `tiketi user seed`
    #[arg(long)]
    pub(crate) tokens: Option<PathBuf>,
}

/// A server's address, as requests name it and as sockets reach it.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) host: String,
    pub(crate) address: SocketAddr,
}

/// Where the server of a developer listens.
const DEFAULT_TARGET: &str = "http://127.0.0.1:3001";

impl Server {
    /// Its address as it was given.
    pub(crate) fn url(&self) -> &str {
        self.target.as_deref().unwrap_or(DEFAULT_TARGET)
    }

    /// # Errors
    /// The address is none, or a name that nobody knows.
    pub(crate) fn resolve(&self) -> anyhow::Result<Target> {
        let target = self.url();
        let url = target.trim_end_matches('/').trim_end_matches("/api");
        let Some(host) = url.strip_prefix("http://") else {
            bail!("--target {target}: expected http://HOST:PORT; TLS is not spoken");
        };
        let is_host =
            |host: &str| !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
        ensure!(
            is_host(host) && !host.contains(['/', '@', '?', '#']),
            "--target {target}: expected http://HOST:PORT"
        );
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let named = if has_port { host.to_owned() } else { format!("{host}:80") };
        let address = named
            .to_socket_addrs()
            .with_context(|| format!("--target {target}: nobody knows the name"))?
            .min_by_key(SocketAddr::is_ipv6)
            .with_context(|| format!("--target {target}: the name has no address"))?;
        Ok(Target { host: host.to_owned(), address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets() {
        for (target, host) in [
            ("http://127.0.0.1:3001", Some("127.0.0.1:3001")),
            ("http://127.0.0.1:3001/", Some("127.0.0.1:3001")),
            ("http://127.0.0.1:3001/api", Some("127.0.0.1:3001")),
            ("http://[::1]:80", Some("[::1]:80")),
            ("http://127.0.0.1", Some("127.0.0.1")),
            ("https://127.0.0.1", None),
            ("127.0.0.1:3001", None),
            ("http://", None),
            ("http://a b", None),
            ("http://me@127.0.0.1", None),
            ("http://127.0.0.1/x", None),
        ] {
            let server = Server {
                target: Some(target.to_owned()),
                admin_email: String::new(),
                admin_password: String::new(),
                event: None,
                tokens: None,
            };
            assert_eq!(
                server.resolve().ok().map(|target| target.host).as_deref(),
                host,
                "{target}"
            );
        }
    }
}
