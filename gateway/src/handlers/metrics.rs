//! `GET /metrics`.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::HeaderValue;

use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};

/// Prometheus text.
pub(crate) async fn text(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    let text = app.metrics.text().map_err(|error| ApiError::new(Code::Internal).cause(error))?;
    Ok(Response::bytes(StatusCode::OK, TEXT, text))
}
