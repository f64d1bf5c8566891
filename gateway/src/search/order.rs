//! The order in which found events are shown.

use tiketi_engine::ids::{EventIndex, UnixMillis};

use crate::search::catalogue::Catalogue;
use crate::search::filter::Sort;

impl Sort {
    /// Puts the first `shown` of the events in order, and leaves the others in any order. `taken` says
    /// how many seats and tickets of each are sold or held, for the order that asks for it.
    pub(crate) fn put_first(
        self,
        events: &mut [EventIndex],
        shown: usize,
        catalogue: &Catalogue,
        now: UnixMillis,
        taken: impl FnOnce(&[EventIndex]) -> Vec<u64>,
    ) {
        let entry = |index: EventIndex| catalogue.entry(index);
        let by = |key: &dyn Fn(EventIndex) -> u64| events.iter().map(|&index| key(index)).collect();
        let keys: Vec<u64> = match self {
            Sort::SaleStart => return,
            Sort::Soonest => by(&|index| match entry(index).map(|entry| entry.schedule.event_at) {
                Some(at) if at >= now => at.0,
                Some(at) => u64::MAX - at.0,
                None => u64::MAX,
            }),
            // They are numbered as they are made.
            Sort::Latest => by(&|index| u64::MAX - u64::from(index.0)),
            Sort::Popular => taken(events).into_iter().map(|count| u64::MAX - count).collect(),
            Sort::Price => by(&|index| {
                let cheapest = entry(index).and_then(|entry| entry.prices.first());
                cheapest.map_or(u64::MAX, |&price| price.into())
            }),
        };
        // The position keeps equals in the order they came in.
        let mut keyed: Vec<(u64, usize, EventIndex)> = keys
            .into_iter()
            .zip(events.iter())
            .enumerate()
            .map(|(position, (key, &index))| (key, position, index))
            .collect();
        let shown = shown.min(keyed.len());
        if shown < keyed.len() {
            keyed.select_nth_unstable(shown);
        }
        keyed[..shown].sort_unstable();
        for (place, (.., index)) in events.iter_mut().zip(keyed) {
            *place = index;
        }
    }
}
