//! `GET /metrics`.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tiketi_engine::ids::EventIndex;

use crate::api::Id;
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::metrics::EVENTS_LABELLED_MAX;

/// Prometheus text.
pub(crate) async fn text(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    count_lines(app);
    let text = app.metrics.text().map_err(|error| ApiError::new(Code::Internal).cause(error))?;
    Ok(Response::bytes(StatusCode::OK, TEXT, text))
}

/// How many wait for each event, as of now.
fn count_lines(app: &App) {
    let gauge = &app.metrics.daily.queue_users;
    let labels = |index| {
        app.view.read(|state| {
            let details = &state.event(index)?.details;
            let artist = details.artist_name.clone().unwrap_or_default();
            Some([Id::from(index).to_string(), details.title.clone(), artist])
        })
    };
    // Titles are edited; what they were must not stay.
    gauge.reset();
    for index in (0..EVENTS_LABELLED_MAX as u32).map(EventIndex) {
        let Some((counts, labels)) = app.engine.queue_counts(index).zip(labels(index)) else {
            break;
        };
        let labels = labels.each_ref().map(String::as_str);
        gauge.with_label_values(&labels).set(f64::from(counts.waiting));
    }
}
