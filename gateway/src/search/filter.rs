//! Which events a list shows, and in which order.

use tiketi_engine::ids::UnixMillis;

use crate::api::events::EventStatus;
use crate::search::entry::Entry;

/// What a list is asked for; the default is everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// See [`crate::search`]; blank for no matter.
    pub query: String,
    /// At the instant of the question.
    pub status: Option<EventStatus>,
    /// The show begins then or later.
    pub from: Option<UnixMillis>,
    /// The show begins then or earlier.
    pub to: Option<UnixMillis>,
    /// Part of the venue's name, in lower case; empty for no matter.
    pub venue: String,
    /// The name of its category, which the view knows; empty for no matter.
    pub category: String,
    /// Some ticket costs so much or more, in won.
    pub min_price: Option<u32>,
    /// And so much or less.
    pub max_price: Option<u32>,
}

/// The order of a list. Equals come in the order of the contract.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The contract's: by the start of the sale.
    #[default]
    SaleStart,
    /// Shows to come, the next one first; then past ones, the last one first.
    Soonest,
    /// The last one made first.
    Latest,
    /// Most seats and tickets sold or held first.
    Popular,
    /// By the cheapest ticket; those without any last.
    Price,
}

impl Filter {
    /// Whether everything passes.
    pub(crate) fn is_everything(&self) -> bool {
        self.query.trim().is_empty()
            && *self == Filter { query: self.query.clone(), ..Filter::default() }
    }

    /// All but the query and the category. An event on sale passes for one that is sold out, and the other way.
    pub(super) fn passes(&self, entry: &Entry, now: UnixMillis) -> bool {
        let shown_at = entry.schedule.event_at;
        self.from.is_none_or(|from| from <= shown_at)
            && self.to.is_none_or(|to| shown_at <= to)
            && self.status.is_none_or(|status| {
                let is_sold_out = status == EventStatus::SoldOut;
                entry.schedule.status(now, || is_sold_out) == status
            })
            && self.has_price(&entry.prices)
            && entry.venue.contains(&self.venue)
    }

    fn has_price(&self, prices: &[u32]) -> bool {
        let wanted = self.min_price.unwrap_or(0)..=self.max_price.unwrap_or(u32::MAX);
        (self.min_price.is_none() && self.max_price.is_none())
            || prices.iter().any(|price| wanted.contains(price))
    }
}

impl Sort {
    /// The order of that name.
    pub(crate) fn parse(name: &str) -> Option<Sort> {
        match name {
            "soonest" => Some(Sort::Soonest),
            "latest" => Some(Sort::Latest),
            "popular" => Some(Sort::Popular),
            "price" => Some(Sort::Price),
            _ => None,
        }
    }
}
