//! The frontend's waiting room: everybody in it opens a new socket every second and asks how the
//! line stands. Who is let in stays for a while and makes room for the next.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::clock::Over;
use crate::dice::Dice;
use crate::record::{Ending, Step};
use crate::run::Run;
use crate::settings::seconds;
use crate::socket::Room;
use crate::steps::{Person, Place};
use crate::websocket::WebSocket;
use crate::wishes::Wishes;

/// How long a socket of the frontend's lives.
const TURN: Duration = Duration::from_secs(1);

pub(crate) fn usual(usual: Wishes) -> Wishes {
    Wishes { threshold: Some(50), think: Some(5.0), ..usual }
}

pub(crate) async fn play(run: &Rc<Run>) {
    for number in 0..run.settings.people {
        let waiter = Rc::clone(run);
        run.spawn(async move { visit(&waiter, number).await.unwrap_or(()) });
    }
    tokio::select! {
        () = run.is_empty() => {}
        _ = run.clock.until(run.begun + seconds(run.settings.duration)) => {}
    }
    run.clock.end();
}

async fn visit(run: &Run, number: u32) -> Result<(), Over> {
    let person = run.person(number);
    let mut dice = Dice::of(run.settings.seed, u64::from(number));
    // Everybody's seconds begin at another moment.
    let mut next = run.begun + TURN.mul_f64(dice.share());
    run.clock.until(next).await?;
    run.record.borrow_mut().arrived();
    let (mut place, visit) = run.join(person, next).await;
    while place != Place::Inside {
        // The page does both at once.
        let (socket, asked) =
            tokio::join!(connect(run, person, next), run.poll(person, visit, next));
        place = asked;
        next += TURN;
        let stayed = run.clock.until(next).await;
        close(run, socket);
        stayed?;
    }
    run.think(&mut dice).await?;
    run.leave(person, None).await;
    Ok(())
}

async fn connect(run: &Run, person: Person, moment: Instant) -> Option<WebSocket> {
    let token = run.people.token(person.account);
    run.record.borrow_mut().began(moment, Instant::now());
    match run.sockets().join(Room::Queue, run.event, token).await {
        Ok(socket) => {
            run.record.borrow_mut().ended(Step::Connect, moment, Ending::Done);
            run.sockets_open.set(run.sockets_open.get() + 1);
            Some(socket)
        }
        Err(broken) => {
            let code = run.broken(broken).code();
            run.record.borrow_mut().ended(Step::Connect, moment, Ending::Failed(code));
            None
        }
    }
}

/// The frontend says nothing when it goes.
fn close(run: &Run, socket: Option<WebSocket>) {
    if socket.is_some() {
        run.sockets_open.set(run.sockets_open.get() - 1);
    }
}
