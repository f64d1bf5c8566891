//! Starts the gateway, prints what to try, and stops it in order.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;

use tiketi_gateway::app::{App, Running};
use tiketi_gateway::config::{Config, ConfigError, Environment, LogFormat};
use tiketi_gateway::shutdown::Signals;
use tracing_subscriber::EnvFilter;

/// A seventh of a request's time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Wrong settings, as `sysexits` and most tools have it.
const EXIT_USAGE: u8 = 2;

fn main() -> ExitCode {
    let config = match Config::load() {
        Ok(config) => config,
        Err(ConfigError::Asked(text)) => {
            say(&mut std::io::stdout(), text.trim_end());
            return ExitCode::SUCCESS;
        }
        Err(error @ ConfigError::Invalid(_)) => {
            say(&mut std::io::stderr(), &format!("tiketi-gateway: {error}"));
            return ExitCode::from(EXIT_USAGE);
        }
    };
    match run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&mut std::io::stderr(), &format!("tiketi-gateway: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config) -> anyhow::Result<()> {
    start_logging(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .enable_all()
        .build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> anyhow::Result<()> {
    // Taken over first: a signal during a long recovery ends the start in order, too.
    let mut signals = Signals::listen()?;
    let greeting = Greeting::of(&config);
    let mut running = tokio::select! {
        running = App::start(config) => running?,
        name = signals.recv() => anyhow::bail!("stopped by {name} before the start was complete"),
    };
    greeting.print(&running);
    tokio::select! {
        name = signals.recv() => tracing::info!(signal = name, "stopping"),
        () = running.failed() => {
            running.stop().await;
            anyhow::bail!("the gateway could not go on; see the log");
        }
    }
    running.stop().await;
    Ok(())
}

fn start_logging(config: &Config) {
    let filter = EnvFilter::new(&config.log);
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Colours are for eyes, not for files.
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    match config.log_format {
        LogFormat::Text => builder.init(),
        LogFormat::Json => builder.json().init(),
    }
}

/// What a developer sees first.
struct Greeting {
    login: Option<(String, String)>,
    sample_data: bool,
}

impl Greeting {
    fn of(config: &Config) -> Self {
        let is_development = config.environment == Environment::Development;
        let login = (config.admin_email.clone(), config.admin_password.expose().to_owned());
        let is_default = login.1 == Config::development("").admin_password.expose();
        Greeting {
            // Only what everybody knows is printed, never a password that somebody chose.
            login: (is_development && is_default).then_some(login),
            sample_data: config.sample_data,
        }
    }

    fn print(&self, running: &Running) {
        let base = format!("http://{}", running.address());
        let mut lines = vec![format!("tiketi-gateway {} on {base}", env!("CARGO_PKG_VERSION"))];
        if let Some((email, password)) = &self.login {
            let sample =
                if self.sample_data { "on (filled once, when the log is empty)" } else { "off" };
            lines.push(format!("  sample data   {sample}"));
            lines.push(format!("  administrator {email} / {password} (development only)"));
            lines.push("  try".to_owned());
            lines.push(format!("    curl {base}/health"));
            lines.push(format!("    curl {base}/api/events"));
            lines.push(format!(
                "    curl {base}/api/auth/login -H 'content-type: application/json' \
                 -d '{{\"email\":\"{email}\",\"password\":\"{password}\"}}'"
            ));
            lines.push("    tiketi --help".to_owned());
        }
        say(&mut std::io::stdout(), &lines.join("\n"));
    }
}

/// Prints; a closed terminal is no reason to stop selling.
fn say(to: &mut impl Write, text: &str) {
    let _ = writeln!(to, "{text}");
    let _ = to.flush();
}
