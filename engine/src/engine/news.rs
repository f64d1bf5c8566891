//! News: posts, and how often they are read.
//!
//! A view is counted in memory and logged with others by [`Engine::log_news_views`]: a page view
//! must not cost a record. So counts may run ahead of the log, alone of all that is shown.

use std::collections::BTreeMap;

use crate::command::{Checked, EditPost, NewPost};
use crate::engine::Engine;
use crate::error::{CommandError, JournalUnavailable, NewsRefusal};
use crate::ids::{NewsIndex, UnixMillis, UserIndex};
use crate::journal::{Journal, Pending, Purpose};
use crate::limits::{NEWS_MAX, NEWS_VIEWS_PER_RECORD_MAX};
use crate::record::{NewsEdited, NewsPosted, NewsViews, Record};
use crate::state::News;

/// The posts as far as commands decide on them. Its lock makes log order memory order.
#[derive(Debug, Default)]
pub(super) struct Board {
    next: NewsIndex,
    posts: BTreeMap<NewsIndex, LivePost>,
    /// Views that no record counts yet; of posts that stand.
    unlogged: BTreeMap<NewsIndex, u32>,
}

#[derive(Debug)]
struct LivePost {
    author: Option<UserIndex>,
    views: u64,
}

impl Board {
    pub(super) fn of(news: &News) -> Board {
        let live = |(index, post): (NewsIndex, &crate::state::Post)| {
            (index, LivePost { author: post.author, views: post.views })
        };
        Board {
            next: news.next(),
            posts: news.posts().map(live).collect(),
            unlogged: BTreeMap::new(),
        }
    }

    pub(super) fn disagreement_with(&self, news: &News) -> Option<String> {
        let live = self.posts.iter().map(|(&index, post)| {
            let unlogged = self.unlogged.get(&index).copied().unwrap_or_default();
            (index, post.author, post.views - u64::from(unlogged))
        });
        let logged = news.posts().map(|(index, post)| (index, post.author, post.views));
        (self.next != news.next() || !live.eq(logged)).then(|| "the news differ".to_owned())
    }

    fn post(&self, news: NewsIndex) -> Result<&LivePost, NewsRefusal> {
        self.posts.get(&news).ok_or(NewsRefusal::Unknown(news))
    }
}

impl<J: Journal> Engine<J> {
    /// Writes a post.
    ///
    /// # Errors
    /// No more fit; journal unavailable.
    pub fn post_news(
        &self,
        new: Checked<NewPost>,
        now: UnixMillis,
    ) -> Result<Pending<NewsIndex>, CommandError<NewsRefusal>> {
        let NewPost { title, content, author, author_name, is_pinned, views } = new.into_inner();
        let mut board = self.news.lock();
        let news = board.next;
        if board.posts.len() >= NEWS_MAX || news.0 == u32::MAX {
            return Err(NewsRefusal::Full.into());
        }
        let permit = self.journal.reserve(Purpose::NewWork)?;
        // From here it must succeed.
        let record =
            NewsPosted { news, title, content, author, author_name, is_pinned, views, at: now };
        let lsn = self.journal.append(permit, &Record::NewsPosted(Box::new(record)));
        board.next = NewsIndex(news.0 + 1);
        board.posts.insert(news, LivePost { author, views });
        Ok(Pending::new(news, lsn))
    }

    /// Replaces a post's title and text; its author alone may.
    ///
    /// # Errors
    /// In this order: no such post, another's; journal unavailable.
    pub fn edit_news(
        &self,
        edit: Checked<EditPost>,
        now: UnixMillis,
    ) -> Result<Pending<()>, CommandError<NewsRefusal>> {
        let EditPost { news, title, content, is_pinned, by } = edit.into_inner();
        let board = self.news.lock();
        if board.post(news)?.author != Some(by) {
            return Err(NewsRefusal::NotYours(news).into());
        }
        let permit = self.journal.reserve(Purpose::NewWork)?;
        // From here it must succeed.
        let record = NewsEdited { news, title, content, is_pinned, by, at: now };
        let lsn = self.journal.append(permit, &Record::NewsEdited(Box::new(record)));
        Ok(Pending::new((), lsn))
    }

    /// Takes a post down; its author may, and with `may_any` (an administrator) anybody. Answers
    /// with whether it was another's.
    ///
    /// # Errors
    /// In this order: no such post, another's; journal unavailable.
    pub fn delete_news(
        &self,
        news: NewsIndex,
        by: UserIndex,
        may_any: bool,
        now: UnixMillis,
    ) -> Result<Pending<bool>, CommandError<NewsRefusal>> {
        let mut board = self.news.lock();
        let is_anothers = board.post(news)?.author != Some(by);
        if is_anothers && !may_any {
            return Err(NewsRefusal::NotYours(news).into());
        }
        let permit = self.journal.reserve(Purpose::Completion)?;
        // From here it must succeed.
        let record = Record::NewsDeleted { news, by: Some(by), at: now };
        let lsn = self.journal.append(permit, &record);
        board.posts.remove(&news);
        board.unlogged.remove(&news);
        Ok(Pending::new(is_anothers, lsn))
    }

    /// Counts a view and answers with the new count; `None` for no such post.
    ///
    /// # Durability
    /// None before the next [`Engine::log_news_views`].
    pub fn view_news(&self, news: NewsIndex) -> Option<u64> {
        let mut board = self.news.lock();
        let post = board.posts.get_mut(&news)?;
        post.views += 1;
        let views = post.views;
        let unlogged = board.unlogged.entry(news).or_default();
        *unlogged = unlogged.saturating_add(1);
        Some(views)
    }

    /// How often a post was read, views that are not logged yet among them.
    pub fn news_views(&self, news: NewsIndex) -> Option<u64> {
        self.news.lock().posts.get(&news).map(|post| post.views)
    }

    /// Logs the views counted since the last call; nothing where there were none.
    ///
    /// # Errors
    /// Journal unavailable; what is not logged stays counted for the next call.
    pub fn log_news_views(&self, now: UnixMillis) -> Result<(), JournalUnavailable> {
        let mut board = self.news.lock();
        while !board.unlogged.is_empty() {
            let permit = self.journal.reserve(Purpose::Completion)?;
            let rest = board.unlogged.keys().nth(NEWS_VIEWS_PER_RECORD_MAX).copied();
            let rest = rest.map(|first| board.unlogged.split_off(&first)).unwrap_or_default();
            let now_logged = std::mem::replace(&mut board.unlogged, rest);
            let views = now_logged.into_iter().map(|(news, count)| NewsViews { news, count });
            let record = Record::NewsViewed { views: views.collect(), at: now };
            // Nobody waits for it: what is lost with a crash is a few views.
            let _: crate::ids::Lsn = self.journal.append(permit, &record);
        }
        Ok(())
    }
}
