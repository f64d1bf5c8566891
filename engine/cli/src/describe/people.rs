//! News, accounts that are shut out, and what administrators did.

use serde_json::json;
use tiketi_engine::ids::NewsIndex;
use tiketi_engine::record::Record;

use super::{Described, Names};
use crate::text::clean;

impl Names {
    pub(super) fn describe_people(&self, record: &Record) -> Described {
        let new = Described::new;
        let post = |news: NewsIndex| format!("news post {news}");
        match record {
            Record::NewsPosted(posted) => {
                let text = format!("{} {:?}", post(posted.news), clean(&posted.title));
                let fields = json!({
                    "news": posted.news.0, "title": posted.title, "content": posted.content,
                    "author": posted.author, "authorName": posted.author_name,
                    "pinned": posted.is_pinned, "views": posted.views,
                });
                new("news-posted", Some(posted.at), text, fields)
            }
            Record::NewsEdited(edited) => {
                let text = format!("{} {:?}", post(edited.news), clean(&edited.title));
                let fields = json!({
                    "news": edited.news.0, "title": edited.title, "content": edited.content,
                    "pinned": edited.is_pinned, "by": edited.by.0,
                });
                new("news-edited", Some(edited.at), text, fields)
            }
            Record::NewsDeleted { news, by, at } => {
                new("news-deleted", Some(*at), post(*news), json!({"news": news.0, "by": by}))
            }
            Record::NewsViewed { views, at } => {
                let total: u64 = views.iter().map(|viewed| u64::from(viewed.count)).sum();
                let text = format!("{} posts, {total} views", views.len());
                new("news-viewed", Some(*at), text, json!({"views": views}))
            }
            Record::UserSuspended { user, reason, by, at } => {
                let text = format!("{} ({})", self.user(*user), clean(reason));
                let fields = json!({"user": user.0, "reason": reason, "by": by});
                new("user-suspended", Some(*at), text, fields)
            }
            Record::UserRestored { user, by, at } => {
                let fields = json!({"user": user.0, "by": by});
                new("user-restored", Some(*at), self.user(*user), fields)
            }
            Record::AdminActed(acted) => {
                let (method, path) = (&acted.method, clean(&acted.path));
                let text = format!("{} {method} {path}", self.user(acted.by));
                let fields = json!({
                    "by": acted.by.0, "method": method, "path": acted.path, "body": acted.body,
                });
                new("admin-acted", Some(acted.at), text, fields)
            }
            Record::AdminMade(made) => {
                let acted = &made.acted;
                let (method, path) = (&acted.method, clean(&acted.path));
                let text =
                    format!("{} {method} {path}: {}", self.user(acted.by), clean(&made.made));
                let fields = json!({
                    "by": acted.by.0, "method": method, "path": acted.path, "body": acted.body,
                    "made": made.made,
                });
                new("admin-made", Some(acted.at), text, fields)
            }
            _ => self.describe_queue(record),
        }
    }
}
