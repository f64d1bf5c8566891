//! The documentation: the document of [`crate::docs`] and a page that shows it, self-contained.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::StatusCode;
use hyper::header::{CONTENT_SECURITY_POLICY, HeaderValue, LOCATION};

use crate::app::App;
use crate::compression::CachedBody;
use crate::docs::document;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};

const TEXT_HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const HERE: HeaderValue = HeaderValue::from_static("/api-docs/");
const STYLE: &str = include_str!("docs/style.css");
const SCRIPT: &str = concat!(
    include_str!("docs/schema.js"),
    include_str!("docs/form.js"),
    include_str!("docs/page.js")
);

static PAGE: LazyLock<String> = LazyLock::new(|| {
    include_str!("docs/page.html").replacen("STYLE", STYLE, 1).replacen("SCRIPT", SCRIPT, 1)
});

/// The page's own script and style run, and it talks to its own server alone.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = |text: &str| STANDARD.encode(digest(&SHA256, text.as_bytes()));
    format!(
        "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self'; \
         img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE)
    )
});

/// The document never changes while a process lives.
static DOCUMENT: LazyLock<Option<Arc<CachedBody>>> =
    LazyLock::new(|| CachedBody::json(&document()).ok());

/// `GET /api-docs/`, and the way there without the slash, from which the page finds its document.
pub(crate) async fn page(_: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    if !request.path().ends_with('/') {
        return Ok(Response::empty(StatusCode::MOVED_PERMANENTLY).header(LOCATION, HERE));
    }
    let policy = HeaderValue::from_str(&POLICY)
        .map_err(|error| ApiError::new(Code::Internal).cause(error))?;
    let page = Response::bytes(StatusCode::OK, TEXT_HTML, PAGE.as_str());
    Ok(page.header(CONTENT_SECURITY_POLICY, policy))
}

/// `GET /api-docs/openapi.json`.
pub(crate) async fn openapi(_: &Arc<App>, request: &Request) -> Result<Response, ApiError> {
    let document = DOCUMENT.as_ref().ok_or_else(|| ApiError::new(Code::Internal))?;
    Ok(Response::kept(document, request))
}
