//! The course of a run: settings, room on this machine, an event, people, the run itself, the
//! audit, and what is shown and written in the end.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use rustix::time::{ClockId, clock_gettime};
use tokio::task::LocalSet;

use crate::audit::verdict::{Final, judge};
use crate::chaos::{self, Chaos, Wished};
use crate::clock::Clock;
use crate::contract::SeatStatus;
use crate::http::{Client, Dialer};
use crate::people::People;
use crate::run::Run;
use crate::scenario::Scenario;
use crate::server::Server;
use crate::settings::{Settings, seconds};
use crate::summary::{Cost, Summary};
use crate::view::View;
use crate::wishes::{Dialect, Wishes};
use crate::{Play, limits, report, target};

/// For the last answers, once nobody begins anything any more.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Somebody whose connections are cut has not gone home after so many seconds.
const TRIES_IN_CHAOS: u32 = 10;

/// What the Rust gateway allows, unless it is told otherwise.
const SOCKETS_OF_ONE: usize = 20;

/// Makes a run and shows it; whether everything held.
///
/// # Errors
/// The run could not be made, or was worth nothing.
pub(crate) fn conduct(scenario: Scenario, play: &Play) -> anyhow::Result<bool> {
    let file = match &play.scenario_file {
        Some(path) => Wishes::read(path)?,
        None => Wishes::default(),
    };
    let settings = play.wishes.over(&file)?.settle(scenario)?;
    let chaos = play.chaos.settle(&play.server)?;
    // What cannot be written is said before the run.
    let (json, page) = (create(play.json.as_deref())?, create(play.report.as_deref())?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let summary = LocalSet::new().block_on(&runtime, async {
        match chaos {
            None => make(scenario, play, settings, None).await,
            Some(wished) => chaos::or_ended(disturbed(scenario, play, settings, wished)).await,
        }
    })?;
    if let Some(mut file) = json {
        serde_json::to_writer_pretty(&mut file, &summary).context("cannot write the numbers")?;
    }
    if let Some(mut file) = page {
        file.write_all(report::page(&summary).as_bytes()).context("cannot write the report")?;
    }
    summary.print();
    Ok(summary.has_held())
}

fn create(path: Option<&Path>) -> anyhow::Result<Option<File>> {
    let create = |path: &Path| {
        File::create(path).with_context(|| format!("cannot write {}", path.display()))
    };
    path.map(create).transpose()
}

/// As [`make`], with a server of the tester's own.
async fn disturbed(
    scenario: Scenario,
    play: &Play,
    settings: Settings,
    wished: Wished,
) -> anyhow::Result<Summary> {
    let chaos = Chaos::start(wished, &play.server, &settings).await?;
    make(scenario, play, settings, Some(chaos)).await
}

async fn make(
    scenario: Scenario,
    play: &Play,
    settings: Settings,
    mut chaos: Option<Chaos>,
) -> anyhow::Result<Summary> {
    let server = match &chaos {
        Some(chaos) => Server { target: Some(chaos.url()), ..play.server.clone() },
        None => play.server.clone(),
    };
    let target = server.resolve()?;
    let dialer = Rc::new(Dialer::new(target.address, settings.sources));
    // The relay has both ends of its own.
    let files = if chaos.is_some() { 3 } else { 1 };
    limits::make_room(files * scenario.connections(&settings), u64::from(dialer.sources()))?;
    let timeout = seconds(settings.timeout);
    let connections = settings.connections;
    let http = Rc::new(Client::new(Rc::clone(&dialer), &target.host, connections, timeout));
    let mut stage = target::prepare(&http, &server, &settings, scenario).await?;
    let people = people(&http, play, &settings, scenario, &mut stage.notes).await?;
    let mut notes = std::mem::take(&mut stage.notes);
    let view = View::start(scenario, server.url(), &stage.hall, play.plain)?;
    let mut run = Run::new(settings, Clock::start()?, (http, dialer, target.host), people, stage);
    if chaos.is_some() {
        run.tries = TRIES_IN_CHAOS;
    }
    let run = Rc::new(run);
    let course = happen(scenario, &run, &view);
    let cost = match &mut chaos {
        Some(chaos) => chaos.disturb(&run, course).await?,
        None => course.await?,
    };
    drop(view);
    if let Some(failure) = run.failure() {
        return Err(failure);
    }
    if run.record.borrow().answered() == 0 && chaos.is_none() {
        bail!("the server answered nothing in {:.1} s", cost.wall_seconds);
    }
    let audit = async { audit(&run).await.context("the end cannot be audited") };
    let chaos = match chaos {
        Some(chaos) => Some(chaos.end(&run, audit, &mut notes).await),
        None => audit.await.map(|()| None)?,
    };
    Ok(Summary::of(scenario, server.url(), &run, cost, notes, chaos))
}

async fn people(
    http: &Rc<Client>,
    play: &Play,
    settings: &Settings,
    scenario: Scenario,
    notes: &mut Vec<String>,
) -> anyhow::Result<People> {
    let coming = scenario.people(settings);
    let people = match &play.server.tokens {
        Some(path) => People::read(path)?,
        None => {
            let count = coming.min(settings.users).max(1);
            People::register(http, target::run_number()?, count).await?
        }
    };
    if scenario.has_line() && (people.count() as u64) < u64::from(coming) {
        notes.push(format!(
            "{} accounts for {coming} people: who comes again is inside already; `tiketi user \
             seed` makes more",
            people.count()
        ));
    }
    let is_login_needed = scenario == Scenario::FanOut && settings.dialect == Dialect::SocketIo;
    if is_login_needed && coming as usize > SOCKETS_OF_ONE * people.count() {
        let each = coming as usize / people.count();
        notes.push(format!("{each} sockets for each account: the server may allow fewer"));
    }
    Ok(people)
}

/// Lets it happen, until nobody is there any more. Returns what it cost this process.
async fn happen(scenario: Scenario, run: &Rc<Run>, view: &View) -> anyhow::Result<Cost> {
    let (begun, processor) = (Instant::now(), processor_seconds());
    let course = async {
        scenario.play(run).await;
        if !run.clock.is_over() {
            let drain = run.clock.until(Instant::now() + seconds(run.settings.drain));
            tokio::select! {
                () = run.is_empty() => {}
                _ = drain => {}
            }
        }
        run.clock.end();
        let patience = seconds(run.settings.timeout) + LAST_ANSWERS;
        if tokio::time::timeout(patience, run.is_empty()).await.is_err() {
            run.abort();
            run.fail(anyhow::anyhow!("a mistake of the load tester: somebody does not go home"));
        }
    };
    tokio::select! {
        () = course => {}
        ended = run.clock.run() => ended?,
        () = tick(run, view) => {}
        error = interrupted(run) => return Err(error),
    }
    view.show(run, &run.tick());
    let wall_seconds = begun.elapsed().as_secs_f64();
    Ok(Cost { wall_seconds, processor_seconds: processor_seconds() - processor })
}

/// Shows every second; never ends.
async fn tick(run: &Run, view: &View) {
    let mut next = run.begun;
    loop {
        next += Duration::from_secs(1);
        tokio::time::sleep_until(next.into()).await;
        run.reap();
        view.show(run, &run.tick());
    }
}

/// The first Ctrl-C ends the run in order, the second at once.
async fn interrupted(run: &Run) -> anyhow::Error {
    for _ in 0..2 {
        if let Err(error) = tokio::signal::ctrl_c().await {
            return error.into();
        }
        if run.clock.is_over() {
            break;
        }
        run.clock.end();
    }
    anyhow::anyhow!("interrupted")
}

/// Reads what the server kept and holds it against what it acknowledged.
async fn audit(run: &Run) -> anyhow::Result<()> {
    let sales = run.ledger.borrow().sales().to_vec();
    let own = |sale: &crate::audit::Sale| (sale.id, run.people.token(sale.user).to_owned());
    let kept = target::all_kept(&run.http, sales.iter().map(own).collect()).await?;
    let now = run.server_ms();
    let map = target::seat_map(&run.http, run.event).await?;
    let mut hall = run.hall.borrow_mut();
    let mut states = vec![None; hall.seats().len()];
    for seat in &map.seats {
        if let Some(number) = hall.number(seat.id) {
            states[number as usize] = Some(seat.status);
        }
    }
    let states: Option<Vec<SeatStatus>> = states.into_iter().collect();
    let states = states.context("the server answers nonsense: seats are missing from the map")?;
    for (number, status) in (0..).zip(&states) {
        hall.set(number, *status);
    }
    let last = Final { map: &states, kept: &kept, is_own_event: run.is_own_event, now };
    judge(&mut run.ledger.borrow_mut(), &hall, &last);
    Ok(())
}

/// What all threads of this process have used of the processors.
fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}
