//! Holds a provider's list of a day against the books: what no message told of is found here.
//!
//! The list only says where to look. A payment whose movements of the day are not those of the books
//! is asked about, and what the provider says of it then is written down as always.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tiketi_engine::ids::{ChargeIndex, UnixMillis};
use tiketi_engine::money::{ChargeState, Dispute, Ledger, RefundState};
use tiketi_engine::record::{DayCompared, ProviderName};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::instants::{DAY_MS, seoul_midnight};
use crate::payments::answer::{Listed, Movement, Transaction};
use crate::payments::books::Collected;
use crate::payments::books::logged;
use crate::payments::provider::ListPage;
use crate::payments::reconciler::AtWork;
use crate::payments::{collect, names};

/// How often is looked whether a day can be compared.
const LOOK_EVERY: Duration = Duration::from_secs(600);
/// A day is compared this long after its end: what moved in its last minutes is in the list then.
const AFTER_MS: u64 = 60 * 60 * 1_000;
/// Days that were missed, while the server was down, are compared as far back as this.
const DAYS_BACK_MAX: u64 = 30;
/// How long what was found waits for a client that asks again.
const UNTOLD_FOR: Duration = Duration::from_secs(600);
/// Payments asked about at a time.
const ASKED_MAX: usize = 32;
/// Tries for a page that is not answered.
const PAGE_TRIES: u32 = 3;
/// Transactions of other shops, or of none, that are named.
const UNKNOWN_NAMED_MAX: usize = 100;

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Comparison {
    /// Lines of the provider's list.
    pub(crate) transactions: u32,
    /// Payments whose books changed when they were asked about.
    pub(crate) differences: Vec<ChargeIndex>,
    /// Payments that could not be asked about; the next comparison of this day does.
    pub(crate) unanswered: u32,
    /// Transactions that are in no books, how many.
    pub(crate) unknown: u32,
    /// Some of their payments, by the provider's name or ours.
    pub(crate) unknown_names: Vec<String>,
}

/// A comparison under way, or its end.
pub(crate) type Progress = watch::Receiver<Option<Ended>>;

/// How a comparison ended.
#[derive(Clone, Debug)]
pub(crate) struct Ended {
    at: Instant,
    pub(crate) found: Result<Comparison, String>,
}

impl Ended {
    /// Every payment in doubt was asked about: the day is behind.
    fn is_whole(&self) -> bool {
        self.found.as_ref().is_ok_and(|compared| compared.unanswered == 0)
    }
}

/// The comparisons of this process.
#[derive(Debug, Default)]
pub(crate) struct Comparisons(Mutex<HashMap<(ProviderName, UnixMillis), Progress>>);

/// What moved of one payment on the day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Moved {
    captured: u64,
    returned: u64,
    has_other: bool,
}

/// Begins to compare a day that began at `day` in Seoul, or joins the comparison that runs, or ended a
/// moment ago and was not [`told`].
pub(crate) fn start(app: &Arc<App>, provider: ProviderName, day: UnixMillis) -> Progress {
    let mut all = app.payments.comparisons.0.lock();
    let is_fresh = |progress: &&Progress| match &*progress.borrow() {
        Some(ended) => ended.at.elapsed() < UNTOLD_FOR,
        // It runs, unless its task has ended without a word.
        None => progress.has_changed().is_ok(),
    };
    if let Some(running) = all.get(&(provider, day)).filter(is_fresh) {
        return running.clone();
    }
    let (told, progress) = watch::channel(None);
    all.insert((provider, day), progress.clone());
    let app = Arc::clone(app);
    tokio::spawn(async move {
        let compared = compare(&app, provider, day).await;
        if let Err(error) = &compared {
            tracing::error!(?provider, %error, "a day was not compared with the provider's list");
        }
        let found = compared.map_err(|error| error.to_string());
        // Without a client that waits the log has what was found.
        drop(told.send(Some(Ended { at: Instant::now(), found })));
    });
    progress
}

/// A client has what a comparison found: the next one begins anew.
pub(crate) fn told(app: &App, provider: ProviderName, day: UnixMillis) {
    app.payments.comparisons.0.lock().remove(&(provider, day));
}

/// Compares each day once it is over, until the gateway stops.
pub(crate) async fn keep(app: Arc<App>) {
    loop {
        for provider in [ProviderName::Toss, ProviderName::Stripe] {
            while let Some(day) = next_day(&app, provider) {
                let mut progress = start(&app, provider, day);
                let is_whole = match progress.wait_for(Option::is_some).await {
                    Ok(end) => end.as_ref().is_some_and(Ended::is_whole),
                    Err(_) => false,
                };
                told(&app, provider, day);
                if !is_whole {
                    break;
                }
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// The oldest day that is over and was not compared, from the first charge on.
fn next_day(app: &App, provider: ProviderName) -> Option<UnixMillis> {
    app.payments.client_key(provider)?;
    let (compared, first) = app.view.read(|state| {
        let ledger = state.ledger();
        let first = ledger.charges().find(|(_, charge)| charge.provider == provider);
        (ledger.compared(provider).map(|one| one.day), first.map(|(_, charge)| charge.opened_at))
    });
    next_after(compared, first, app.clock.now())
}

/// The next day, after the last that was compared and from the first charge on.
fn next_after(
    compared: Option<UnixMillis>,
    first: Option<UnixMillis>,
    now: UnixMillis,
) -> Option<UnixMillis> {
    let day = compared.map(|day| day.plus(DAY_MS)).or_else(|| first.map(seoul_midnight))?;
    let oldest = seoul_midnight(UnixMillis(now.0.saturating_sub(DAYS_BACK_MAX * DAY_MS)));
    let day = day.max(oldest);
    (day.0 + DAY_MS + AFTER_MS <= now.0).then_some(day)
}

async fn compare(
    app: &Arc<App>,
    provider: ProviderName,
    day: UnixMillis,
) -> Result<Comparison, ApiError> {
    let span = day..day.plus(DAY_MS);
    let mut comparison = Comparison::default();
    let listed = list(app, provider, &span, &mut comparison).await?;
    app.catch_up(None).await?;
    let (expected, disputed) = app.view.read(|state| {
        let ledger = state.ledger();
        (expected(ledger, provider, &span), disputed(ledger, provider))
    });
    let all = listed.keys().chain(expected.keys()).copied();
    let differs = |charge: &ChargeIndex| listed.get(charge) != expected.get(charge);
    let suspects: BTreeSet<ChargeIndex> = all.filter(differs).chain(disputed).collect();
    ask(app, suspects, &mut comparison).await;
    let at = app.clock.now();
    // A day that goes on is compared again once it is over, and one of which a payment could not be
    // asked about a while later. One that was asked for by hand leaves those before it to be compared.
    if comparison.unanswered == 0 && next_day(app, provider) == Some(day) {
        note(
            app,
            DayCompared {
                provider,
                day,
                transactions: comparison.transactions,
                differences: comparison.differences.len() as u32,
                unknown: comparison.unknown,
                at,
            },
        )
        .await?;
    }
    app.metrics.payments.differences.inc_by(comparison.differences.len() as u64);
    Ok(comparison)
}

async fn note(app: &App, compared: DayCompared) -> Result<(), ApiError> {
    match logged(|| app.engine.note_compared(compared)).await? {
        Ok(pending) => app.durable(pending).await,
        Err(refusal) => Err(ApiError::new(Code::Internal).cause(refusal)),
    }
}

/// What the provider says moved on the day, by charge.
async fn list(
    app: &Arc<App>,
    provider: ProviderName,
    span: &Range<UnixMillis>,
    comparison: &mut Comparison,
) -> Result<HashMap<ChargeIndex, Moved>, ApiError> {
    let mut listed: HashMap<ChargeIndex, Moved> = HashMap::new();
    let mut page = ListPage { from: span.start, to: span.end, after: None };
    loop {
        let (rows, next) = read_page(app, provider, &page).await?;
        comparison.transactions = comparison.transactions.saturating_add(rows.len() as u32);
        for row in rows {
            match charge_of(app, provider, &row) {
                Some(charge) => listed.entry(charge).or_default().add(row.movement),
                None => comparison.add_unknown(row),
            }
        }
        match next {
            Some(next) if page.after.as_ref() != Some(&next) => page.after = Some(next),
            _ => return Ok(listed),
        }
    }
}

async fn read_page(
    app: &Arc<App>,
    provider: ProviderName,
    page: &ListPage,
) -> Result<(Vec<Transaction>, Option<String>), ApiError> {
    let mut why = String::new();
    for tries in 0..PAGE_TRIES {
        if tries > 0 {
            tokio::time::sleep(Duration::from_secs(1 << tries)).await;
        }
        let answered = app.payments.asked(provider, |it| it.transactions(page)).await;
        match answered.map(|answered| answered.outcome) {
            Some(Listed::Page { rows, next }) => return Ok((rows, next)),
            Some(Listed::Mistake(mistake)) => {
                why = mistake.code;
                break;
            }
            Some(Listed::Unknown(unknown)) => why = format!("{unknown:?}"),
            None => "the provider is down".clone_into(&mut why),
        }
    }
    Err(ApiError::new(Code::Unavailable).cause(why))
}

/// The charge of a transaction: by our name for it, or else by the provider's.
fn charge_of(app: &App, provider: ProviderName, row: &Transaction) -> Option<ChargeIndex> {
    app.view.read(|state| {
        let ledger = state.ledger();
        let by_order = row.order_id.as_ref().and_then(|id| names::charge_of(ledger, id));
        by_order.or_else(|| names::charge_of_payment(ledger, provider, row.payment_key.as_ref()?))
    })
}

/// Charges whose dispute the bank has not decided: their money left when it began, so no list tells
/// that they were lost.
fn disputed(ledger: &Ledger, provider: ProviderName) -> Vec<ChargeIndex> {
    let of_provider = |charge: &ChargeIndex| {
        ledger.charge(*charge).is_some_and(|charge| charge.provider == provider)
    };
    ledger.disputes().filter(of_provider).collect()
}

/// What the books say moved on the day, by charge.
fn expected(
    ledger: &Ledger,
    provider: ProviderName,
    span: &Range<UnixMillis>,
) -> HashMap<ChargeIndex, Moved> {
    let mut expected: HashMap<ChargeIndex, Moved> = HashMap::new();
    for (index, charge) in ledger.charges() {
        let has_money = matches!(charge.state, ChargeState::Captured | ChargeState::Reversed);
        if charge.provider != provider || !has_money {
            continue;
        }
        let captured = charge.captured.as_ref();
        if captured.is_some_and(|captured| span.contains(&captured.approved_at)) {
            expected.entry(index).or_default().captured += charge.amount.card;
        }
        for refund in ledger.refunds_of(index) {
            if let RefundState::Done { at } = refund.state
                && span.contains(&at)
                && refund.card > 0
            {
                expected.entry(index).or_default().returned += refund.card;
            }
        }
    }
    expected
}

/// Asks about every suspect, a few at a time.
async fn ask(app: &Arc<App>, suspects: BTreeSet<ChargeIndex>, comparison: &mut Comparison) {
    let room = Arc::new(Semaphore::new(ASKED_MAX));
    let mut asked = JoinSet::new();
    for charge in suspects {
        let (app, room) = (Arc::clone(app), Arc::clone(&room));
        asked.spawn(async move {
            let _room = room.acquire_owned().await;
            let _at_work = AtWork::on(&app, charge).await;
            let before = app.view.read(|state| Books::of(state.ledger(), charge));
            let resolved = collect::resolve(&app, charge, 0).await;
            let caught_up = app.catch_up(None).await;
            let after = app.view.read(|state| Books::of(state.ledger(), charge));
            match (resolved, caught_up) {
                (Err(_) | Ok(Collected::Silent), _) | (_, Err(_)) => (charge, None),
                (Ok(_), Ok(())) => (charge, Some(before != after)),
            }
        });
    }
    while let Some(asked) = asked.join_next().await {
        match asked {
            Ok((charge, Some(true))) => comparison.differences.push(charge),
            Ok((_, Some(false))) => {}
            Ok((_, None)) | Err(_) => comparison.unanswered += 1,
        }
    }
    comparison.differences.sort_unstable();
}

/// What the books say of a charge's money.
#[derive(PartialEq, Eq)]
struct Books {
    state: Option<ChargeState>,
    left: u64,
    owed: u64,
    elsewhere: u64,
    dispute: Option<Dispute>,
}

impl Books {
    fn of(ledger: &Ledger, index: ChargeIndex) -> Books {
        let charge = ledger.charge(index);
        Books {
            state: charge.map(|charge| charge.state),
            left: ledger.left_at_provider(index),
            owed: ledger.owed(index),
            elsewhere: charge.map_or(0, |charge| charge.elsewhere()),
            dispute: charge.and_then(|charge| charge.dispute),
        }
    }
}

impl Moved {
    fn add(&mut self, movement: Movement) {
        match movement {
            Movement::Captured(won) => self.captured += won,
            Movement::Returned(won) => self.returned += won,
            Movement::Other => self.has_other = true,
        }
    }
}

impl Comparison {
    fn add_unknown(&mut self, row: Transaction) {
        self.unknown += 1;
        let name = row.order_id.or(row.payment_key).unwrap_or_default();
        if self.unknown_names.len() < UNKNOWN_NAMED_MAX && !self.unknown_names.contains(&name) {
            self.unknown_names.push(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_compared_in_order_an_hour_after_they_are_over() {
        const HOUR_MS: u64 = 60 * 60 * 1_000;
        let midnight = seoul_midnight(UnixMillis(1_800_000_000_000));
        let day = |days: u64| midnight.plus(days * DAY_MS);
        let next = |compared, first, now| next_after(compared, first, now);
        let first = Some(midnight.plus(5 * HOUR_MS));
        assert_eq!(next(None, None, day(9)), None, "no charge yet");
        assert_eq!(next(None, first, day(1).plus(HOUR_MS - 1)), None);
        assert_eq!(next(None, first, day(1).plus(HOUR_MS)), Some(day(0)));
        assert_eq!(next(Some(day(0)), first, day(9)), Some(day(1)), "none is left out");
        assert_eq!(next(Some(day(8)), first, day(9)), None, "not over for an hour");
        assert_eq!(next(Some(day(0)), first, day(99)), Some(day(69)), "thirty days back");
    }
}
