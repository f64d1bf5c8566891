//! The three news posts of the sample.

use tiketi_engine::command::NewPost;

/// Title, text, views.
const NEWS: [(&str, &str, u64); 3] = [
    (
        "TIKETI 서비스 정식 오픈!",
        "TIKETI가 정식으로 문을 열었어요.\n공연과 좌석을 고르고 바로 예매해 보세요.",
        125,
    ),
    (
        "2024년 연말 콘서트 티켓 오픈 안내",
        "연말 콘서트 예매가 차례로 열려요.\n공연마다 예매 시작 시각을 확인해 주세요.",
        89,
    ),
    (
        "티케티 모바일 앱 출시 예정",
        "모바일 앱을 준비하고 있어요.\n출시되면 소식으로 알려 드릴게요.",
        45,
    ),
];

/// The posts, in their order.
pub(super) fn news() -> Vec<NewPost> {
    let post = |&(title, content, views): &(&str, &str, u64)| NewPost {
        title: title.to_owned(),
        content: content.to_owned(),
        author: None,
        author_name: "관리자".to_owned(),
        is_pinned: false,
        views,
    };
    NEWS.iter().map(post).collect()
}
