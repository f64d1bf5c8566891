//! Lists as Stripe pages them: newest first, from a cursor on, within a span of seconds.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::books::{Books, Index};
use super::errors::StripeError;
use super::form::Form;
use super::intent::Intent;

/// Objects in one answer, where no number is asked for and at most.
const LIMIT: u64 = 10;
const LIMIT_MAX: u64 = 100;
const CURSORS: [&str; 4] = ["limit", "starting_after", "ending_before", "created"];

/// An object of an intent: a balance transaction, a refund or a dispute, by its position there.
pub(super) type Entry = (Index, usize);

/// Objects in the order they came to be, found by their id.
#[derive(Default)]
pub(super) struct Log {
    entries: Vec<Entry>,
    by_id: HashMap<String, usize>,
}

impl Log {
    /// Adds an object, unless it is there.
    pub(super) fn add(&mut self, id: &str, entry: Entry) {
        if !self.by_id.contains_key(id) {
            self.by_id.insert(id.to_owned(), self.entries.len());
            self.entries.push(entry);
        }
    }

    pub(super) fn get(&self, id: &str) -> Option<Entry> {
        self.by_id.get(id).map(|&place| self.entries[place])
    }

    /// The page that is asked for. Found by halving: no scan, however long the log is.
    fn page(
        &self,
        page: &Page,
        at: impl Fn(&Entry) -> u64,
    ) -> Result<(Vec<Entry>, bool), StripeError> {
        page.of(&self.entries, at, |id| self.by_id.get(id).copied())
    }
}

/// Which part of a list is asked for.
struct Page {
    /// In milliseconds; the end does not belong to it.
    from: u64,
    until: u64,
    starting_after: Option<String>,
    ending_before: Option<String>,
    limit: usize,
}

impl Page {
    fn read(form: &Form, filters: &[&str]) -> Result<Page, StripeError> {
        form.only(&[&CURSORS, filters].concat())?;
        let limit = form.won("limit")?.unwrap_or(LIMIT);
        if !(1..=LIMIT_MAX).contains(&limit) {
            return Err(StripeError::invalid("limit"));
        }
        let second = |name: &str| form.won(name).map(|at| at.map(|at| at.saturating_mul(1_000)));
        let next = |name: &str| second(name).map(|at| at.map(|at| at.saturating_add(1_000)));
        let exactly = (second("created")?, next("created")?);
        let latest = [exactly.0, second("created[gte]")?, next("created[gt]")?];
        let earliest = [exactly.1, second("created[lt]")?, next("created[lte]")?];
        let text = |name| form.text(name).map(str::to_owned);
        let page = Page {
            from: latest.into_iter().flatten().max().unwrap_or(0),
            until: earliest.into_iter().flatten().min().unwrap_or(u64::MAX),
            starting_after: text("starting_after"),
            ending_before: text("ending_before"),
            limit: usize::try_from(limit).unwrap_or_default(),
        };
        match page.starting_after.is_some() && page.ending_before.is_some() {
            true => Err(StripeError::invalid("ending_before")),
            false => Ok(page),
        }
    }

    /// The entries of the page, newest first, and whether there are more behind it.
    fn of(
        &self,
        entries: &[Entry],
        at: impl Fn(&Entry) -> u64,
        place_of: impl Fn(&str) -> Option<usize>,
    ) -> Result<(Vec<Entry>, bool), StripeError> {
        let place = |cursor: &Option<String>, name: &str| match cursor {
            Some(id) => place_of(id).map(Some).ok_or_else(|| StripeError::no_such("object", name)),
            None => Ok(None),
        };
        let older_than = place(&self.starting_after, "starting_after")?;
        let newer_than = place(&self.ending_before, "ending_before")?;
        let mut first = entries.partition_point(|entry| at(entry) < self.from);
        let mut end = entries.partition_point(|entry| at(entry) < self.until);
        if let Some(place) = older_than {
            end = end.min(place);
        }
        if let Some(place) = newer_than {
            first = first.max(place + 1);
        }
        let found = entries.get(first..end).unwrap_or_default();
        let has_more = found.len() > self.limit;
        let taken = match (has_more, newer_than) {
            (false, _) => found,
            (true, Some(_)) => &found[..self.limit],
            (true, None) => &found[found.len() - self.limit..],
        };
        Ok((taken.iter().rev().copied().collect(), has_more))
    }
}

/// `GET /v1/balance_transactions`; `show` writes one of them.
pub(super) fn moves(
    books: &Books,
    form: &Form,
    show: impl Fn(&Intent, usize) -> Value,
) -> Result<Value, StripeError> {
    let page = Page::read(form, &[])?;
    let found = books.moves.page(&page, |&(index, at)| books.intent(index).moves[at].at)?;
    Ok(list(books, "/v1/balance_transactions", found, show))
}

/// `GET /v1/refunds`, of all payments or of one.
pub(super) fn refunds(
    books: &Books,
    form: &Form,
    show: impl Fn(&Intent, usize) -> Value,
) -> Result<Value, StripeError> {
    let page = Page::read(form, &["payment_intent", "charge"])?;
    let at = |&(index, at): &Entry| books.intent(index).refunds[at].created_at;
    let found = match payment(books, form)? {
        None => books.refunds.page(&page, at)?,
        Some(index) => {
            let refunds = &books.intent(index).refunds;
            let entries: Vec<Entry> = (0..refunds.len()).map(|at| (index, at)).collect();
            page.of(&entries, at, |id| refunds.iter().position(|refund| refund.id == id))?
        }
    };
    Ok(list(books, "/v1/refunds", found, show))
}

/// `GET /v1/disputes`, of all payments or of one.
pub(super) fn disputes(
    books: &Books,
    form: &Form,
    show: impl Fn(&Intent, usize) -> Value,
) -> Result<Value, StripeError> {
    let page = Page::read(form, &["payment_intent", "charge"])?;
    let at = |&(index, at): &Entry| books.intent(index).disputes[at].created_at;
    let found = match payment(books, form)? {
        None => books.disputes.page(&page, at)?,
        Some(index) => {
            let disputes = &books.intent(index).disputes;
            let entries: Vec<Entry> = (0..disputes.len()).map(|at| (index, at)).collect();
            page.of(&entries, at, |id| disputes.iter().position(|dispute| dispute.id == id))?
        }
    };
    Ok(list(books, "/v1/disputes", found, show))
}

/// The payment that a list is filtered by.
fn payment(books: &Books, form: &Form) -> Result<Option<Index>, StripeError> {
    let found = match (form.text("payment_intent"), form.text("charge")) {
        (Some(id), _) => books.by_id(id).ok_or(("payment_intent", "payment_intent")),
        (None, Some(id)) => books.by_charge(id).ok_or(("charge", "charge")),
        (None, None) => return Ok(None),
    };
    found.map(Some).map_err(|(what, param)| StripeError::no_such(what, param))
}

fn list(
    books: &Books,
    url: &str,
    (entries, has_more): (Vec<Entry>, bool),
    show: impl Fn(&Intent, usize) -> Value,
) -> Value {
    let data = entries.into_iter().map(|(index, position)| show(books.intent(index), position));
    let data: Vec<Value> = data.collect();
    json!({"object": "list", "data": data, "has_more": has_more, "url": url})
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten objects, one each second from 1 on.
    fn entries() -> Vec<Entry> {
        (1..=10).map(|second| (second, 0)).collect()
    }

    fn page(change: impl FnOnce(&mut Page)) -> (Vec<usize>, bool) {
        let mut page =
            Page { from: 0, until: u64::MAX, starting_after: None, ending_before: None, limit: 3 };
        change(&mut page);
        let at = |&(second, _): &Entry| second as u64 * 1_000;
        let place_of = |id: &str| id.parse::<usize>().ok().map(|second| second - 1);
        let (found, has_more) = page.of(&entries(), at, place_of).expect("page");
        (found.into_iter().map(|(second, _)| second).collect(), has_more)
    }

    fn id(second: u32) -> Option<String> {
        Some(second.to_string())
    }

    #[test]
    fn pages_go_from_the_newest_to_the_oldest_and_back() {
        assert_eq!(page(|_| {}), (vec![10, 9, 8], true));
        assert_eq!(page(|page| page.starting_after = id(8)), (vec![7, 6, 5], true));
        assert_eq!(page(|page| page.starting_after = id(4)), (vec![3, 2, 1], false));
        assert_eq!(page(|page| page.starting_after = id(1)), (vec![], false));
        assert_eq!(page(|page| page.ending_before = id(4)), (vec![7, 6, 5], true));
        assert_eq!(page(|page| page.ending_before = id(8)), (vec![10, 9], false));
        assert_eq!(page(|page| page.ending_before = id(10)), (vec![], false));
    }

    #[test]
    fn a_span_of_time_bounds_them() {
        let span = |page: &mut Page| {
            page.from = 3_000;
            page.until = 7_000;
        };
        assert_eq!(page(span), (vec![6, 5, 4], true));
        let after = |page: &mut Page| {
            span(page);
            page.starting_after = id(4);
        };
        assert_eq!(page(after), (vec![3], false));
        let before = |page: &mut Page| {
            span(page);
            page.starting_after = id(2);
        };
        assert_eq!(page(before), (vec![], false));
    }
}
