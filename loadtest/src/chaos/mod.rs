//! A run whose server is disturbed: started here, killed and started again, paused, its disk filled,
//! its connections cut and slowed, while people go on. Two judges say whether anything was lost:
//! the auditor, who knows what was acknowledged, and `tiketi audit`, who knows the log.

mod disk;
mod ended;
mod flags;
mod plan;
mod process;
mod relay;
mod report;

use std::convert::Infallible;
use std::fs::File;
use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::chaos::disk::Disk;
pub(crate) use crate::chaos::ended::or_ended;
pub(crate) use crate::chaos::flags::{Flags, Wished};
use crate::chaos::plan::{Fault, Kind, Plan};
use crate::chaos::process::{COME_BACK, Launch, Owned};
use crate::chaos::relay::Relay;
use crate::chaos::report::Happened;
pub(crate) use crate::chaos::report::Report;
use crate::http::Client;
use crate::run::Run;
use crate::server::Server;
use crate::settings::Settings;

/// How often it is seen whether the server has ended by itself.
const LOOK: Duration = Duration::from_millis(20);
/// A server that could not go on with a full disk may take so long to end.
const GOES_ON: Duration = Duration::from_secs(15);
/// A log that takes longer to judge is not judged.
const LOG_AUDIT: Duration = Duration::from_secs(600);

/// A server of ours with everything that disturbs it. Dropped, all of it is gone: processes before
/// the disk, the disk before the directory.
pub(crate) struct Chaos {
    plan: Plan,
    /// No fault begins after this, from the beginning of the run on.
    end: Duration,
    launch: Launch,
    cli: PathBuf,
    relay: Relay,
    server: Option<Owned>,
    away_since: Option<Instant>,
    /// Until then a server may end by itself: its disk is full, or was.
    excused_until: Option<Instant>,
    is_lost: bool,
    disk: Option<Disk>,
    directory: TempDir,
    report: Report,
    findings: Vec<String>,
    notes: Vec<String>,
}

impl Chaos {
    /// Starts the server, with nothing wrong yet.
    ///
    /// # Errors
    /// It does not start, or the system gives no directory or port.
    pub(crate) async fn start(
        wished: Wished,
        server: &Server,
        settings: &Settings,
    ) -> anyhow::Result<Chaos> {
        let Wished { mut kinds, every, server: program, cli } = wished;
        let directory = tempfile::Builder::new().prefix("tiketi-chaos-").tempdir()?;
        let mut notes = Vec::new();
        let disk = match kinds.contains(&Kind::Disk).then(|| Disk::make(directory.path())) {
            Some(Err(why)) => {
                notes.push(format!("no disk is filled, as the system gives none: {why}"));
                None
            }
            made => made.and_then(Result::ok),
        };
        kinds.retain(|kind| *kind != Kind::Disk || disk.is_some());
        ensure!(!kinds.is_empty(), "nothing is left of the chaos: {}", notes.join("; "));
        let data = disk.as_ref().map_or(directory.path().join("data"), Disk::data);
        let words = directory.path().join("server.log");
        let administrator = (server.admin_email.clone(), server.admin_password.clone());
        let mut chaos = Chaos {
            plan: Plan::new(settings.seed, kinds, every),
            end: Duration::from_secs_f64(settings.duration),
            launch: Launch { program, data, words, administrator },
            cli,
            relay: Relay::start().await?,
            server: None,
            away_since: None,
            excused_until: None,
            is_lost: false,
            disk,
            directory,
            report: Report::default(),
            findings: Vec::new(),
            notes,
        };
        chaos.serve().await?;
        Ok(chaos)
    }

    /// Where people find the server, whatever becomes of it.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.relay.address())
    }

    /// Lets the course of a run happen amid faults.
    pub(crate) async fn disturb<T>(&mut self, run: &Run, course: impl Future<Output = T>) -> T {
        let mut course = pin!(course);
        let Err(lost) = tokio::select! {
            ended = &mut course => return ended,
            lost = self.play(run.begun) => lost,
        };
        self.is_lost = true;
        self.findings.push(format!("the server does not come back: {lost:#}"));
        run.clock.end();
        course.await
    }

    /// Ends all faults, lets the auditor judge, stops the server in order and lets its log be judged.
    /// What contradicts an acknowledgement is added to the run's findings.
    pub(crate) async fn end(
        mut self,
        run: &Run,
        audit: impl Future<Output = anyhow::Result<()>>,
        notes: &mut Vec<String>,
    ) -> Report {
        if !self.is_lost {
            let judged = async {
                self.calm(&run.http).await.context("the server does not come back")?;
                audit.await
            };
            if let Err(error) = judged.await {
                self.findings.push(format!("{error:#}"));
            }
            self.stop().await;
        }
        if let Err(error) = self.audit_log().await {
            self.findings.push(format!("the log cannot be audited: {error:#}"));
        }
        if let Some(since) = self.away_since {
            self.report.away_seconds += since.elapsed().as_secs_f64();
        }
        notes.append(&mut self.notes);
        for finding in std::mem::take(&mut self.findings) {
            run.ledger.borrow_mut().findings().add(|| finding);
        }
        std::mem::take(&mut self.report)
    }

    /// Fault after fault; ends only where the server does not come back.
    async fn play(&mut self, begun: Instant) -> anyhow::Result<Infallible> {
        while let Some(fault) = self.plan.next().filter(|fault| fault.at < self.end) {
            self.watch(begun + fault.at).await?;
            self.suffer(fault, begun).await?;
        }
        loop {
            self.watch(Instant::now() + LOOK).await?;
        }
    }

    async fn suffer(&mut self, fault: Fault, begun: Instant) -> anyhow::Result<()> {
        let (at, away) = (Instant::now(), self.report.away_seconds);
        self.report.faults.push(Happened {
            kind: fault.kind,
            planned: fault.at.as_secs_f64(),
            at: (at - begun).as_secs_f64(),
            seconds: fault.lasts.as_secs_f64(),
            away_seconds: 0.0,
        });
        match fault.kind {
            Kind::Kill => {
                self.lose();
                tokio::time::sleep(fault.lasts).await;
                self.serve().await?;
            }
            Kind::Pause => {
                self.signal(Signal::STOP);
                tokio::time::sleep(fault.lasts).await;
                self.signal(Signal::CONT);
            }
            Kind::Disk => self.fill(fault.lasts).await?,
            Kind::Cut => {
                // Slowed first, so that some answers are half way.
                self.relay.set_slow(true);
                tokio::time::sleep(fault.lasts).await;
                self.relay.cut();
                self.relay.set_slow(false);
            }
            Kind::Slow => {
                self.relay.set_slow(true);
                tokio::time::sleep(fault.lasts).await;
                self.relay.set_slow(false);
            }
        }
        if let Some(happened) = self.report.faults.last_mut() {
            happened.seconds = at.elapsed().as_secs_f64();
            happened.away_seconds = self.report.away_seconds - away;
        }
        Ok(())
    }

    /// A server may end on a full disk; it is started again once there is room.
    async fn fill(&mut self, lasts: Duration) -> anyhow::Result<()> {
        let end = Instant::now() + lasts;
        self.excused_until = Some(end + GOES_ON);
        if let Some(disk) = &self.disk {
            disk.fill().await.context("the disk cannot be filled")?;
        }
        while Instant::now() < end {
            self.has_ended();
            tokio::time::sleep(LOOK).await;
        }
        self.make_room().await
    }

    async fn make_room(&mut self) -> anyhow::Result<()> {
        if let Some(disk) = &self.disk {
            disk.free().context("the disk cannot be emptied")?;
        }
        if self.has_ended() { self.serve().await } else { Ok(()) }
    }

    /// Waits, and starts a server again that has ended by itself.
    async fn watch(&mut self, end: Instant) -> anyhow::Result<()> {
        loop {
            if self.has_ended() {
                self.serve().await?;
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            tokio::time::sleep(left.min(LOOK)).await;
        }
    }

    /// Whether there is no server. That it has ended where nothing was the matter is a finding.
    fn has_ended(&mut self) -> bool {
        if let Some(status) = self.server.as_mut().and_then(Owned::ended) {
            self.lose();
            if self.excused_until.is_none_or(|until| until < Instant::now()) {
                self.findings.push(format!("the server ended by itself ({status})"));
            }
        }
        self.server.is_none()
    }

    /// Kills the server, if there is one.
    fn lose(&mut self) {
        self.relay.lead_to(None);
        self.away_since.get_or_insert(Instant::now());
        self.server = None;
    }

    /// Starts a server over the directory as it is.
    async fn serve(&mut self) -> anyhow::Result<()> {
        let (process, address) = self.launch.start().await?;
        self.server = Some(process);
        self.relay.lead_to(Some(address));
        if let Some(since) = self.away_since.take() {
            self.report.restarts += 1;
            self.report.away_seconds += since.elapsed().as_secs_f64();
        }
        Ok(())
    }

    fn signal(&self, signal: Signal) {
        if let Some(server) = &self.server {
            server.signal(signal);
        }
    }

    /// Ends whatever fault there is, and waits until the server is well.
    async fn calm(&mut self, http: &Client) -> anyhow::Result<()> {
        self.relay.set_slow(false);
        self.signal(Signal::CONT);
        self.make_room().await?;
        let route = http.route("GET", "/health");
        let last = Instant::now() + COME_BACK;
        loop {
            match http.send(&route, "", "").await {
                Ok(answer) if answer.status == 200 => return Ok(()),
                Ok(answer) if Instant::now() > last => bail!("/health answers {}", answer.status),
                Err(broken) if Instant::now() > last => return Err(broken.into()),
                _ => tokio::time::sleep(LOOK).await,
            }
        }
    }

    async fn stop(&mut self) {
        let Some(mut server) = self.server.take() else { return };
        server.signal(Signal::TERM);
        match server.end_within(COME_BACK).await {
            Some(status) if status.success() => {}
            Some(status) => self.findings.push(format!("the server did not stop well ({status})")),
            None => self.findings.push("the server does not stop".to_owned()),
        }
    }

    /// Lets `tiketi audit` judge the directory.
    async fn audit_log(&mut self) -> anyhow::Result<()> {
        const LINES_MAX: usize = 40;
        let said = self.directory.path().join("audit");
        let words = File::create(&said).with_context(|| format!("write {}", said.display()))?;
        let mut command = Command::new(&self.cli);
        command.arg("audit").arg(&self.launch.data);
        command.stdin(Stdio::null()).stdout(words.try_clone()?).stderr(words);
        let spawned = Owned::spawn(&mut command);
        let mut audit = spawned.with_context(|| format!("cannot start {}", self.cli.display()))?;
        let status = audit.end_within(LOG_AUDIT).await;
        let status = status.context("`tiketi audit` does not end")?;
        let text = String::from_utf8_lossy(&std::fs::read(&said)?).into_owned();
        self.report.log_audit = text.lines().take(LINES_MAX).map(str::to_owned).collect();
        self.report.log_audit_exit = status.code();
        if !status.success() {
            let last = text.lines().next_back().unwrap_or_default();
            self.findings.push(format!("`tiketi audit` has findings ({status}): {last}"));
        }
        Ok(())
    }
}
