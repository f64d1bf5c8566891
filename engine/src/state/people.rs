//! News, accounts that are shut out, and what administrators did.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use crate::ids::{Lsn, NewsIndex, UnixMillis, UserIndex};
use crate::limits::AUDIT_KEPT_MAX;
use crate::record::{AdminActed, NewsEdited, NewsPosted, NewsViews};

/// The news posts that stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct News {
    next: NewsIndex,
    posts: BTreeMap<NewsIndex, Post>,
}

/// A news post.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Post {
    /// Title.
    pub title: String,
    /// Free text.
    pub content: String,
    /// Who wrote it; `None` for sample data.
    pub author: Option<UserIndex>,
    /// The author's name when it was written.
    pub author_name: String,
    /// Whether it stands before those that are not.
    pub is_pinned: bool,
    /// How often it was read, as far as that is logged.
    pub views: u64,
    /// When it was written.
    pub created_at: UnixMillis,
    /// When it was last edited.
    pub updated_at: UnixMillis,
}

impl News {
    /// The posts, oldest first.
    pub fn posts(&self) -> impl DoubleEndedIterator<Item = (NewsIndex, &Post)> {
        self.posts.iter().map(|(&index, post)| (index, post))
    }

    /// A post.
    #[must_use]
    pub fn post(&self, news: NewsIndex) -> Option<&Post> {
        self.posts.get(&news)
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.posts.len()
    }

    /// The index that the next post gets.
    #[must_use]
    pub fn next(&self) -> NewsIndex {
        self.next
    }

    pub(super) fn posted(&mut self, posted: &NewsPosted) -> Result<(), String> {
        if posted.news != self.next {
            return Err(format!("news post {} where {} is next", posted.news, self.next));
        }
        self.next = NewsIndex(posted.news.0 + 1);
        let post = Post {
            title: posted.title.clone(),
            content: posted.content.clone(),
            author: posted.author,
            author_name: posted.author_name.clone(),
            is_pinned: posted.is_pinned,
            views: posted.views,
            created_at: posted.at,
            updated_at: posted.at,
        };
        self.posts.insert(posted.news, post);
        Ok(())
    }

    pub(super) fn edited(&mut self, edited: &NewsEdited) -> Result<(), String> {
        let post = self.post_mut(edited.news)?;
        post.title.clone_from(&edited.title);
        post.content.clone_from(&edited.content);
        post.is_pinned = edited.is_pinned.unwrap_or(post.is_pinned);
        post.updated_at = edited.at;
        Ok(())
    }

    pub(super) fn deleted(&mut self, news: NewsIndex) -> Result<(), String> {
        match self.posts.remove(&news) {
            Some(_) => Ok(()),
            None => Err(format!("no news post {news}")),
        }
    }

    pub(super) fn viewed(&mut self, views: &[NewsViews]) -> Result<(), String> {
        for &NewsViews { news, count } in views {
            self.post_mut(news)?.views += u64::from(count);
        }
        Ok(())
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match self.posts.last_key_value() {
            Some((&last, _)) if last >= self.next => {
                Err(format!("news post {last} where {} is next", self.next))
            }
            _ => Ok(()),
        }
    }

    fn post_mut(&mut self, news: NewsIndex) -> Result<&mut Post, String> {
        self.posts.get_mut(&news).ok_or_else(|| format!("no news post {news}"))
    }
}

/// Why an account is shut out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// For administrators.
    pub reason: String,
    /// Who did it; `None` for the server itself.
    pub by: Option<UserIndex>,
    /// Since when.
    pub at: UnixMillis,
}

/// Something that an administrator did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdminAction {
    /// The record that says so.
    pub lsn: Lsn,
    /// What it says.
    pub acted: AdminActed,
    /// The id of what it made, where it made something.
    pub made: Option<String>,
}

/// What administrators did, oldest first: the last [`AUDIT_KEPT_MAX`] of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Audit {
    actions: VecDeque<AdminAction>,
}

impl Audit {
    /// The actions, oldest first.
    pub fn actions(&self) -> impl DoubleEndedIterator<Item = &AdminAction> {
        self.actions.iter()
    }

    pub(super) fn note(&mut self, lsn: Lsn, acted: &AdminActed, made: Option<&str>) {
        if self.actions.len() >= AUDIT_KEPT_MAX {
            self.actions.pop_front();
        }
        let made = made.map(str::to_owned);
        self.actions.push_back(AdminAction { lsn, acted: acted.clone(), made });
    }
}

/// The stored fields of an [`Audit`] in version 5.
#[derive(Deserialize)]
pub(super) struct StoredAudit5 {
    actions: VecDeque<(Lsn, AdminActed)>,
}

impl From<StoredAudit5> for Audit {
    fn from(stored: StoredAudit5) -> Audit {
        let action = |(lsn, acted)| AdminAction { lsn, acted, made: None };
        Audit { actions: stored.actions.into_iter().map(action).collect() }
    }
}
