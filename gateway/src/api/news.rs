//! News on the wire (contract/http.md 2.8).

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::api::{Id, Pagination, Timestamp};

/// A news post.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewsPost {
    /// The post.
    pub id: Id,
    /// Title.
    pub title: String,
    /// Free text.
    pub content: String,
    /// The name of whoever wrote it.
    pub author: String,
    /// Who wrote it; `null` for sample data.
    pub author_id: Option<Id>,
    /// How often it was read.
    pub views: u64,
    /// Whether it stands before those that are not.
    pub is_pinned: bool,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last edited.
    pub updated_at: Timestamp,
    /// `created_at` again: the list page reads this name.
    #[serde(rename = "createdAt")]
    pub created_at_of_list: Timestamp,
    /// `updated_at` again.
    #[serde(rename = "updatedAt")]
    pub updated_at_of_list: Timestamp,
}

/// `GET /api/news`: pinned ones first, then the newest.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewsList {
    /// A page of them.
    pub news: Vec<NewsPost>,
    /// Which page.
    pub pagination: Pagination,
}

/// `GET`, `POST` and `PUT` of one post.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewsAnswer {
    /// The post.
    pub news: NewsPost,
}

/// `POST /api/news`. Who writes is known from the token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewsRequest {
    /// Title.
    #[schema(examples("공연장 안내"))]
    pub title: String,
    /// Free text.
    #[schema(examples("입장은 한 시간 전부터예요."))]
    pub content: String,
    /// Has to be there and is not looked at further.
    #[schema(examples("홍길동"))]
    pub author: String,
    /// Has to be an account's where it is there, and is not looked at further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub author_id: Option<Id>,
    /// Counts from administrators alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_pinned: Option<bool>,
}

/// `PUT /api/news/:id`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewsEditRequest {
    /// Title.
    #[schema(examples("공연장 안내"))]
    pub title: String,
    /// Free text.
    #[schema(examples("입장은 두 시간 전부터예요."))]
    pub content: String,
    /// Counts from administrators alone; absent for as before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub is_pinned: Option<bool>,
}
