//! What people write: news, why somebody is shut out, what an administrator asked for.

use crate::command::{Checked, text};
use crate::error::InvalidField;
use crate::ids::{NewsIndex, UserIndex};
use crate::limits::{
    AUDIT_BODY_BYTES_MAX, AUDIT_MADE_BYTES_MAX, AUDIT_PATH_BYTES_MAX, DESCRIPTION_CHARS_MAX,
    NAME_CHARS_MAX, NEWS_CONTENT_CHARS_MAX, TEXT_CHARS_MAX,
};

/// A new news post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPost {
    /// Title.
    pub title: String,
    /// Free text.
    pub content: String,
    /// Who writes it; `None` for sample data.
    pub author: Option<UserIndex>,
    /// The author's name.
    pub author_name: String,
    /// Whether it stands before those that are not.
    pub is_pinned: bool,
    /// How often it was read elsewhere.
    pub views: u64,
}

impl NewPost {
    /// Checks the lengths.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self) -> Result<Checked<NewPost>, InvalidField> {
        text("title", &self.title, 1, TEXT_CHARS_MAX)?;
        text("content", &self.content, 1, NEWS_CONTENT_CHARS_MAX)?;
        text("author", &self.author_name, 1, NAME_CHARS_MAX)?;
        Ok(Checked(self))
    }
}

/// New content of a news post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EditPost {
    /// Which.
    pub news: NewsIndex,
    /// Title.
    pub title: String,
    /// Free text.
    pub content: String,
    /// Whether it is pinned; `None` for as before.
    pub is_pinned: Option<bool>,
    /// Who edits it.
    pub by: UserIndex,
}

impl EditPost {
    /// Checks the lengths.
    ///
    /// # Errors
    /// The first field that breaks its rule.
    pub fn check(self) -> Result<Checked<EditPost>, InvalidField> {
        text("title", &self.title, 1, TEXT_CHARS_MAX)?;
        text("content", &self.content, 1, NEWS_CONTENT_CHARS_MAX)?;
        Ok(Checked(self))
    }
}

/// An account to be shut out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspend {
    /// Whose.
    pub user: UserIndex,
    /// Why, for administrators.
    pub reason: String,
    /// Who wants it; `None` for the server itself.
    pub by: Option<UserIndex>,
}

impl Suspend {
    /// Checks the reason's length.
    ///
    /// # Errors
    /// The reason is empty or too long.
    pub fn check(self) -> Result<Checked<Suspend>, InvalidField> {
        text("reason", &self.reason, 1, DESCRIPTION_CHARS_MAX)?;
        Ok(Checked(self))
    }
}

/// What an administrator asked for and got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminAct {
    /// Who.
    pub by: UserIndex,
    /// The verb of the request.
    pub method: String,
    /// Its target.
    pub path: String,
    /// What came with it, without secrets.
    pub body: String,
    /// The id of what it made, where it made something.
    pub made: Option<String>,
}

impl AdminAct {
    /// Cuts what is too long: that something was done is never refused.
    #[must_use]
    pub fn cut(mut self) -> Checked<AdminAct> {
        cut(&mut self.method, NAME_CHARS_MAX);
        cut(&mut self.path, AUDIT_PATH_BYTES_MAX);
        cut(&mut self.body, AUDIT_BODY_BYTES_MAX);
        if let Some(made) = &mut self.made {
            cut(made, AUDIT_MADE_BYTES_MAX);
        }
        Checked(self)
    }
}

/// The whole characters of the first `bytes_max` bytes.
fn cut(text: &mut String, bytes_max: usize) {
    let end = text.floor_char_boundary(bytes_max);
    text.truncate(end);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        for (text, expected) in [("", ""), ("abc", "abc"), ("abcd", "abc"), ("가나", "가")] {
            let mut found = text.to_owned();
            cut(&mut found, 3);
            assert_eq!(found, expected);
        }
    }
}
