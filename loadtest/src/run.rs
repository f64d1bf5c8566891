//! What everybody in a run shares, and the one way in which requests are sent and counted.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;
use uuid::Uuid;

use crate::audit::Ledger;
use crate::audit::turns::Turns;
use crate::clock::{Clock, Over};
use crate::dice::Dice;
use crate::hall::Hall;
use crate::http::{Answer, Broken, Client, Dialer, Route};
use crate::people::People;
use crate::plan::{Arrival, Plan};
use crate::record::{Ending, Levels, Recorder, Second, Step};
use crate::settings::{Settings, seconds};
use crate::socket::Sockets;
use crate::target::{self, Stage};

/// Who had no answer asks again after so long.
pub(crate) const COME_BACK: Duration = Duration::from_secs(1);

/// A run; of one thread.
pub(crate) struct Run {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) http: Rc<Client>,
    dialer: Rc<Dialer>,
    host: String,
    pub(crate) people: People,
    pub(crate) event: Uuid,
    pub(crate) is_own_event: bool,
    pub(crate) skew_ms: i64,
    pub(crate) routes: Routes,
    pub(crate) begun: Instant,
    pub(crate) record: RefCell<Recorder>,
    pub(crate) ledger: RefCell<Ledger>,
    pub(crate) turns: RefCell<Turns>,
    pub(crate) hall: RefCell<Hall>,
    /// People in line, as the last answer said.
    pub(crate) line: Cell<u64>,
    /// Sockets that are open.
    pub(crate) sockets_open: Cell<u64>,
    /// When each seat's last hold was sent.
    pub(crate) sent_holds: RefCell<Vec<Option<Instant>>>,
    /// How often the same is asked where there is no answer.
    pub(crate) tries: u32,
    tasks: RefCell<JoinSet<()>>,
    failure: RefCell<Option<anyhow::Error>>,
}

/// Requests that are the same for everybody.
pub(crate) struct Routes {
    pub(crate) event: Route,
    pub(crate) check: Route,
    pub(crate) status: Route,
    pub(crate) leave: Route,
    pub(crate) map: Route,
    pub(crate) reserve: Route,
    pub(crate) pay: Route,
    pub(crate) mine: Route,
}

/// What became of a request.
pub(crate) enum Reply {
    Done(Answer),
    /// Nothing was changed.
    Refused(String),
    /// It may have been done.
    Unknown,
}

impl Run {
    pub(crate) fn new(
        settings: Settings,
        clock: Clock,
        (http, dialer, host): (Rc<Client>, Rc<Dialer>, String),
        people: People,
        stage: Stage,
    ) -> Run {
        let event = stage.event;
        let get = |path: String| http.route("GET", &path);
        let post = |path: String| http.route("POST", &path);
        let routes = Routes {
            event: get(format!("/api/events/{event}")),
            check: post(format!("/api/queue/check/{event}")),
            status: get(format!("/api/queue/status/{event}")),
            leave: post(format!("/api/queue/leave/{event}")),
            map: get(format!("/api/seats/events/{event}")),
            reserve: post("/api/seats/reserve".to_owned()),
            pay: post("/api/payments/process".to_owned()),
            mine: get("/api/reservations/my".to_owned()),
        };
        let seats = stage.hall.seats().len();
        let begun = Instant::now();
        Run {
            settings,
            clock,
            http,
            dialer,
            host,
            people,
            event,
            is_own_event: stage.is_own,
            skew_ms: stage.skew_ms,
            routes,
            begun,
            record: RefCell::new(Recorder::new(begun)),
            ledger: RefCell::new(Ledger::new(seats)),
            turns: RefCell::default(),
            hall: RefCell::new(stage.hall),
            line: Cell::new(0),
            sockets_open: Cell::new(0),
            sent_holds: RefCell::new(vec![None; seats]),
            tries: 1,
            tasks: RefCell::default(),
            failure: RefCell::default(),
        }
    }

    /// As [`Run::call`], and where there is no answer, again after a pause, as a browser's page
    /// does. Also returns whether what was asked for was asked for once.
    pub(crate) async fn insist(
        &self,
        step: Step,
        mut intended: Instant,
        route: &Route,
        token: &str,
        body: &str,
    ) -> (Reply, bool) {
        let mut tries = 1;
        loop {
            let reply = self.call(step, intended, route, token, body).await;
            if tries == self.tries || !matches!(reply, Reply::Unknown) {
                return (reply, tries == 1);
            }
            tries += 1;
            intended = Instant::now() + COME_BACK;
            if self.clock.until(intended).await.is_err() {
                return (reply, false);
            }
        }
    }

    /// Sends a request that was meant to be sent at `intended`, and counts what becomes of it.
    pub(crate) async fn call(
        &self,
        step: Step,
        intended: Instant,
        route: &Route,
        token: &str,
        body: &str,
    ) -> Reply {
        self.record.borrow_mut().began(intended, Instant::now());
        let reply = self.http.send(route, token, body).await.and_then(sort);
        let reply = reply.map_err(|broken| self.broken(broken));
        let mut record = self.record.borrow_mut();
        match reply {
            Ok(Sorted::Done(answer)) => {
                record.ended(step, intended, Ending::Done);
                Reply::Done(answer)
            }
            Ok(Sorted::Refused(code)) => {
                record.ended(step, intended, Ending::Refused(&code));
                Reply::Refused(code)
            }
            Ok(Sorted::Wrong(code)) => {
                record.ended(step, intended, Ending::Failed(&code));
                Reply::Refused(code)
            }
            Ok(Sorted::Failed(code)) => {
                record.ended(step, intended, Ending::Failed(&code));
                Reply::Unknown
            }
            Err(Broken::Unreachable) => {
                record.ended(step, intended, Ending::Failed(Broken::Unreachable.code()));
                Reply::Refused(Broken::Unreachable.code().to_owned())
            }
            Err(broken) => {
                record.ended(step, intended, Ending::Failed(broken.code()));
                Reply::Unknown
            }
        }
    }

    /// Ends the run where going on is worth nothing.
    pub(crate) fn broken(&self, broken: Broken) -> Broken {
        if broken.ends_the_run() {
            self.fail(broken.into());
        }
        broken
    }

    /// The run is worth nothing; the first reason counts.
    pub(crate) fn fail(&self, error: anyhow::Error) {
        self.failure.borrow_mut().get_or_insert(error);
        self.clock.end();
    }

    /// An answer that is not what the contract says.
    pub(crate) fn fail_nonsense(&self, what: &str) {
        self.fail(anyhow::anyhow!("the server answers nonsense: {what}"));
    }

    pub(crate) fn failure(&self) -> Option<anyhow::Error> {
        self.failure.borrow_mut().take()
    }

    /// Thinks for a while; returns the moment at which it was meant to end.
    ///
    /// # Errors
    /// The run is over.
    pub(crate) async fn think(&self, dice: &mut Dice) -> Result<Instant, Over> {
        let moment = Instant::now() + seconds(dice.exponential(self.settings.think).min(3_600.0));
        self.clock.until(moment).await?;
        Ok(moment)
    }

    /// The server's clock, in unix milliseconds.
    pub(crate) fn server_ms(&self) -> i64 {
        target::wall_ms() + self.skew_ms
    }

    pub(crate) fn sockets(&self) -> Sockets<'_> {
        let timeout = seconds(self.settings.timeout);
        Sockets { dialer: &self.dialer, host: &self.host, timeout }
    }

    /// Begins something beside everything else.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        self.tasks.borrow_mut().spawn_local(task);
        // Who has gone makes room for who comes: their memory is in the cache still.
        const GONE_FOR_ONE: usize = 2;
        for _ in 0..GONE_FOR_ONE {
            self.has_gone();
        }
    }

    /// Lets people come as planned, from a moment on; ends with the last of them or with the run.
    pub(crate) async fn arrivals<F: Future<Output = Result<(), Over>> + 'static>(
        self: &Rc<Self>,
        from: Instant,
        plan: Plan,
        visit: impl Fn(Rc<Run>, Arrival, Instant) -> F,
    ) {
        let end = from + seconds(plan.seconds());
        for arrival in plan {
            let moment = from + arrival.at;
            if self.clock.until(moment).await.is_err() {
                return;
            }
            self.record.borrow_mut().arrived();
            let visit = visit(Rc::clone(self), arrival, moment);
            // Whoever is told that the run is over goes home, and that is all.
            self.spawn(async { visit.await.unwrap_or(()) });
        }
        // Nobody comes in what is left of the time.
        self.clock.until(end).await.unwrap_or(());
    }

    /// Takes note of who has gone; returns how many are there.
    pub(crate) fn reap(&self) -> usize {
        while self.has_gone() {}
        self.tasks.borrow().len()
    }

    /// Takes note of one who has gone, if anybody has.
    fn has_gone(&self) -> bool {
        let gone = self.tasks.borrow_mut().try_join_next();
        if let Some(Err(panic)) = &gone {
            self.fail(anyhow::anyhow!("a mistake of the load tester: {panic}"));
        }
        gone.is_some()
    }

    /// Ends everything at once.
    pub(crate) fn abort(&self) {
        self.tasks.borrow_mut().abort_all();
    }

    /// Waits until nobody is there any more.
    pub(crate) async fn is_empty(&self) {
        const LOOK: Duration = Duration::from_millis(20);
        while self.reap() > 0 {
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Closes a second of the record.
    pub(crate) fn tick(&self) -> Second {
        let levels = {
            let ledger = self.ledger.borrow();
            let (held, sold) = (ledger.held(), ledger.sold());
            Levels { line: self.line.get(), held, sold, sockets: self.sockets_open.get() }
        };
        self.record.borrow_mut().tick(levels).clone()
    }
}

enum Sorted {
    Done(Answer),
    /// As it may be.
    Refused(String),
    /// Nothing was changed either, but this should not have been refused.
    Wrong(String),
    /// The server's own fault: it may have been done.
    Failed(String),
}

fn sort(answer: Answer) -> Result<Sorted, Broken> {
    let code = |answer: &Answer| target::code(answer);
    Ok(match answer.status {
        200..300 => Sorted::Done(answer),
        400 | 409 => Sorted::Refused(code(&answer)),
        403 => match code(&answer) {
            code if code == "QUEUE_REQUIRED" => Sorted::Refused(code),
            code => Sorted::Wrong(code),
        },
        401 | 404..500 => Sorted::Wrong(code(&answer)),
        500..600 => Sorted::Failed(code(&answer)),
        _ => return Err(Broken::Nonsense("a status that the contract does not have")),
    })
}
