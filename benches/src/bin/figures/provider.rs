//! Payment providers in processes of their own: the sandbox, and one that never answers.

use std::path::PathBuf;

use tiketi_gateway::payments::sandbox::{Sandbox, SandboxSettings, serve};
use tokio::net::TcpListener;

use tiketi_benches::bare;

/// The arguments that make this binary one of them.
pub(crate) const SANDBOX: &str = "--serve-sandbox";
pub(crate) const SILENCE: &str = "--serve-silence";

/// Answers at once, until killed; with the payments of a ledger where one is given.
pub(crate) fn sandbox(ledger: Option<PathBuf>) -> anyhow::Result<()> {
    bare::runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        bare::announce(address)?;
        let sandbox = Sandbox::open(SandboxSettings {
            ledger,
            ..SandboxSettings::at(format!("http://{address}"))
        })?;
        serve(listener, sandbox, std::future::pending()).await;
        Ok(())
    })
}

/// Takes connections and says nothing, until killed.
pub(crate) fn silence() -> anyhow::Result<()> {
    bare::runtime()?.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        bare::announce(listener.local_addr()?)?;
        let mut callers = Vec::new();
        loop {
            callers.push(listener.accept().await?);
        }
    })
}
