//! Many sockets watch a hall in which some people buy: how long until everybody knows.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::clock::Over;
use crate::dice::Dice;
use crate::http::Broken;
use crate::plan::Arrival;
use crate::record::{Ending, Step};
use crate::run::Run;
use crate::scenario::{NO_LINE, on_sale};
use crate::socket::{Heard, answer_to, heard};
use crate::websocket::WebSocket;
use crate::wishes::Wishes;

/// Sockets opened in a second.
const CONNECT_RATE: f64 = 1_000.0;
/// Between the last socket and the first buyer.
const PAUSE: Duration = Duration::from_secs(1);
/// What was not heard by so long after the last hold is not waited for.
const LAST_WORD: Duration = Duration::from_secs(10);
/// A socket that was cut off comes back after so long.
const COME_BACK: Duration = Duration::from_secs(1);
/// Longer than any run.
const FOR_EVER: Duration = Duration::from_secs(30 * 86_400);

pub(crate) fn usual(usual: Wishes) -> Wishes {
    Wishes { rate: Some(10.0), threshold: Some(NO_LINE), ..usual }
}

pub(crate) async fn play(run: &Rc<Run>) {
    let sockets = f64::from(run.settings.sockets);
    for number in 0..run.settings.sockets {
        let moment = run.begun + Duration::from_secs_f64(f64::from(number) / CONNECT_RATE);
        if run.clock.until(moment).await.is_err() {
            return;
        }
        let watcher = Rc::clone(run);
        run.spawn(async move { watch(&watcher, number, moment).await.unwrap_or(()) });
    }
    let connected = Duration::from_secs_f64(sockets / CONNECT_RATE);
    let sale = (run.begun + connected).max(Instant::now()) + PAUSE;
    let buying = Rc::new(Cell::new(0_u32));
    let visit = |run, arrival, moment| {
        let buying = Rc::clone(&buying);
        buying.set(buying.get() + 1);
        async move {
            let bought = buy(run, arrival, moment).await;
            buying.set(buying.get() - 1);
            bought
        }
    };
    run.arrivals(sale, on_sale::plan(&run.settings), visit).await;
    everybody_heard(run, &buying).await.unwrap_or(());
    // Watchers never go by themselves.
    run.clock.end();
}

/// Waits until every watcher has heard of every hold, or for [`LAST_WORD`].
async fn everybody_heard(run: &Run, buying: &Cell<u32>) -> Result<(), Over> {
    const LOOK: Duration = Duration::from_millis(50);
    let last = Instant::now() + LAST_WORD;
    while Instant::now() < last {
        let holds = run.record.borrow().step(Step::Hold).done;
        let heard = run.record.borrow().step(Step::Heard).done;
        if buying.get() == 0 && heard >= holds * run.sockets_open.get() {
            break;
        }
        run.clock.until(Instant::now() + LOOK).await?;
    }
    Ok(())
}

async fn buy(run: Rc<Run>, arrival: Arrival, moment: Instant) -> Result<(), Over> {
    let person = run.person(arrival.person);
    let mut dice = Dice::of(run.settings.seed, u64::from(arrival.person));
    let seats = run.hall.borrow().choose(&mut dice, 1, false);
    if !seats.is_empty() {
        run.hold(person, moment, &seats).await;
    }
    Ok(())
}

/// Connects, and again whenever the server closes.
async fn watch(run: &Run, number: u32, mut moment: Instant) -> Result<(), Over> {
    loop {
        let token = run.people.token(run.people.account(number));
        let begun = Instant::now();
        run.record.borrow_mut().began(moment, begun);
        let opened = run.sockets().watch(run.settings.dialect, run.event, token).await;
        match opened {
            Ok(socket) => {
                run.record.borrow_mut().ended(Step::Connect, moment, Ending::Done);
                run.sockets_open.set(run.sockets_open.get() + 1);
                let left = listen(run, socket, begun).await;
                run.sockets_open.set(run.sockets_open.get() - 1);
                left?;
                run.record.borrow_mut().ended(
                    Step::Connect,
                    Instant::now(),
                    Ending::Failed("socket closed"),
                );
            }
            Err(broken) => {
                let code = run.broken(broken).code();
                run.record.borrow_mut().ended(Step::Connect, moment, Ending::Failed(code));
            }
        }
        moment = Instant::now() + COME_BACK;
        run.clock.until(moment).await?;
    }
}

/// Listens until the server closes.
async fn listen(run: &Run, mut socket: WebSocket, since: Instant) -> Result<(), Over> {
    let dialect = run.settings.dialect;
    let mut over = pin!(run.clock.until(since + FOR_EVER));
    loop {
        let answer = tokio::select! {
            biased;
            message = socket.hear() => match message {
                Ok(Some(message)) => {
                    heard(dialect, message, |heard| note(run, heard, since));
                    answer_to(dialect, message)
                }
                Ok(None) => return Ok(()),
                Err(broken @ Broken::Nonsense(_)) => {
                    run.broken(broken);
                    return Err(Over);
                }
                Err(_) => return Ok(()),
            },
            over = &mut over => return over,
        };
        if let Some(answer) = answer
            && socket.say(answer).await.is_err()
        {
            return Ok(());
        }
    }
}

fn note(run: &Run, heard: Heard, since: Instant) {
    let mut record = run.record.borrow_mut();
    record.heard += 1;
    let seat = match heard {
        Heard::Held(id) => run.hall.borrow().number(id),
        Heard::HeldNumber(number) => Some(number),
        Heard::Seat | Heard::Admitted => None,
    };
    let sent = seat.and_then(|seat| run.sent_holds.borrow().get(seat as usize).copied().flatten());
    // What happened before it connected, it is told again.
    if let Some(sent) = sent.filter(|sent| *sent > since) {
        record.heard(sent);
    }
}
