//! A buyer's whole way: event page and line, seat map, hold, payment, ticket list. Where people
//! think, give up or fight for the front is decided by their own dice, so that a seed decides it.

use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::audit::SaleNumber;
use crate::audit::turns::VisitNumber;
use crate::clock::Over;
use crate::dice::Dice;
use crate::plan::Arrival;
use crate::run::Run;
use crate::scenario::POLL;
use crate::settings::{Settings, seconds};
use crate::steps::{HoldEnd, Person, Place};

/// How often somebody tries for other seats.
const TRIES: u32 = 5;
/// Who wants the front rows tries longer, and thinks less.
const FIGHTERS_TRIES: u32 = 20;

/// What somebody is like.
struct Habits {
    group: u32,
    wants_front: bool,
    gives_up: Option<GivesUp>,
    cancels: bool,
    patience: Duration,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum GivesUp {
    Choosing,
    Paying,
}

impl Habits {
    fn of(dice: &mut Dice, settings: &Settings) -> Habits {
        let gives_up = dice.chance(settings.give_up);
        let when = if dice.chance(0.5) { GivesUp::Choosing } else { GivesUp::Paying };
        Habits {
            group: 1 + dice.below(settings.group as usize) as u32,
            wants_front: dice.chance(settings.front_rows),
            gives_up: gives_up.then_some(when),
            cancels: dice.chance(settings.cancel),
            patience: seconds(settings.patience * (0.5 + dice.share())),
        }
    }
}

/// One person, from the planned moment on.
///
/// # Errors
/// The run is over.
pub(crate) async fn visit(run: Rc<Run>, arrival: Arrival, moment: Instant) -> Result<(), Over> {
    let person = run.person(arrival.person);
    let mut dice = Dice::of(run.settings.seed, u64::from(arrival.person));
    let habits = Habits::of(&mut dice, &run.settings);
    // The page asks for both at once.
    let (_, (place, visit)) =
        tokio::join!(run.look_at_event(person, moment), run.join(person, moment));
    if !wait_in_line(&run, person, visit, place, moment, habits.patience).await? {
        return Ok(());
    }
    if let Some(sale) = find_seats(&run, person, &habits, &mut dice).await? {
        settle(&run, person, &habits, sale, &mut dice).await?;
    }
    // Who gave up has closed the window, and that sends nothing.
    if habits.gives_up.is_none() {
        run.leave(person, None).await;
    }
    Ok(())
}

/// Whether somebody gets in.
async fn wait_in_line(
    run: &Run,
    person: Person,
    visit: Option<VisitNumber>,
    mut place: Place,
    came: Instant,
    patience: Duration,
) -> Result<bool, Over> {
    let mut next = came;
    while place != Place::Inside {
        next += POLL;
        if next > came + patience {
            run.leave(person, visit).await;
            return Ok(false);
        }
        run.clock.until(next).await?;
        place = run.poll(person, visit, next).await;
    }
    Ok(true)
}

/// Looks, thinks and asks until there are seats or hope is gone.
async fn find_seats(
    run: &Run,
    person: Person,
    habits: &Habits,
    dice: &mut Dice,
) -> Result<Option<SaleNumber>, Over> {
    let tries = if habits.wants_front { FIGHTERS_TRIES } else { TRIES };
    let mut moment = Instant::now();
    for attempt in 0..tries {
        if !run.look_at_map(person, moment).await {
            return Ok(None);
        }
        // Who fights clicks at once when others would look for something else.
        moment = match habits.wants_front && attempt > 0 {
            true => Instant::now(),
            false => run.think(dice).await?,
        };
        if habits.gives_up == Some(GivesUp::Choosing) || run.clock.is_over() {
            return Ok(None);
        }
        let seats = run.hall.borrow().choose(dice, habits.group, habits.wants_front);
        if seats.is_empty() {
            return Ok(None);
        }
        match run.hold(person, moment, &seats).await {
            HoldEnd::Held(sale) => return Ok(Some(sale)),
            HoldEnd::Gone => moment = Instant::now(),
            HoldEnd::Hopeless => return Ok(None),
        }
    }
    Ok(None)
}

/// Pays and looks at the tickets; some think better of it.
async fn settle(
    run: &Run,
    person: Person,
    habits: &Habits,
    sale: SaleNumber,
    dice: &mut Dice,
) -> Result<(), Over> {
    let moment = run.think(dice).await?;
    if habits.gives_up == Some(GivesUp::Paying) || !run.pay(person, sale, moment).await {
        return Ok(());
    }
    run.look_at_tickets(person, sale, Instant::now()).await;
    if habits.cancels {
        let moment = run.think(dice).await?;
        run.cancel(person, sale, moment).await;
    }
    Ok(())
}
