//! News, accounts that are shut out, and who changed what.

use std::collections::BTreeSet;

use tiketi_engine::ids::{NewsIndex, UnixMillis, UserIndex};

use super::Auditor;
use super::finding::Rule;

/// News posts, as far as the auditor cares.
#[derive(Default)]
pub(super) struct NewsModel {
    next: u32,
    standing: BTreeSet<u32>,
}

impl Auditor {
    pub(super) fn news_posted(&mut self, news: NewsIndex, at: UnixMillis) {
        self.instant(at);
        if news.0 != self.news.next {
            let text = format!("news post {news} is made after {} posts", self.news.next);
            self.find(Rule::Numbering, text);
        }
        self.news.next = self.news.next.max(news.0.saturating_add(1));
        self.news.standing.insert(news.0);
    }

    /// A record that changes or counts a post that has to stand.
    pub(super) fn about_news(&mut self, news: NewsIndex, at: UnixMillis) {
        self.instant(at);
        if !self.news.standing.contains(&news.0) {
            self.find(Rule::UnknownThing, format!("no news post {news}"));
        }
    }

    pub(super) fn news_deleted(&mut self, news: NewsIndex, at: UnixMillis) {
        self.about_news(news, at);
        self.news.standing.remove(&news.0);
    }

    pub(super) fn user_suspended(&mut self, user: UserIndex, at: UnixMillis) {
        self.about_user(user, at);
        if !self.suspended.insert(user.0) {
            self.find(Rule::OrderOfLife, format!("user {user} is suspended twice"));
        }
    }

    pub(super) fn user_restored(&mut self, user: UserIndex, at: UnixMillis) {
        self.about_user(user, at);
        if !self.suspended.remove(&user.0) {
            let text = format!("user {user} is restored and was not suspended");
            self.find(Rule::OrderOfLife, text);
        }
    }

    pub(super) fn admin_acted(&mut self, by: UserIndex, at: UnixMillis) {
        self.about_user(by, at);
    }

    fn about_user(&mut self, user: UserIndex, at: UnixMillis) {
        self.instant(at);
        if user.position() >= self.users.len() {
            self.find(Rule::UnknownThing, format!("no user {user}"));
        }
    }
}
