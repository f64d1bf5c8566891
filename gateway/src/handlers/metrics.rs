//! `GET /metrics`.

use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::HeaderValue;
use tiketi_engine::ids::EventIndex;
use tiketi_engine::state::{Event, Queue};

use crate::api::Id;
use crate::app::App;
use crate::error::{ApiError, Code};
use crate::http::{Request, Response};
use crate::metrics::EVENTS_LABELLED_MAX;

/// Prometheus text.
pub(crate) async fn text(app: &Arc<App>, _: &Request) -> Result<Response, ApiError> {
    const TEXT: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    count_lines(app);
    count_seats(app);
    app.view.read(|state| app.metrics.payments.count(state.ledger()));
    let text = app.metrics.text().map_err(|error| ApiError::new(Code::Internal).cause(error))?;
    Ok(Response::bytes(StatusCode::OK, TEXT, text))
}

/// How many seats of each event are free and how many are not; none of a deleted one.
fn count_seats(app: &App) {
    let seats: Vec<(EventIndex, u32, u32)> = app.view.read(|state| {
        let labelled = (0..state.events().len()).take(EVENTS_LABELLED_MAX);
        let count = |index| {
            let counts = state.event(index).map_or(&[][..], Event::counts);
            let taken = counts.iter().map(|counts| counts.held + counts.sold).sum();
            (index, taken, counts.iter().map(|counts| counts.available).sum())
        };
        labelled.map(|index| count(EventIndex(index as u32))).collect()
    });
    for (index, taken, available) in seats {
        let metrics = app.metrics.event(index);
        metrics.seats_reserved.set(taken.into());
        metrics.seats_available.set(available.into());
    }
}

/// How many wait for each event, from one look at the view.
fn count_lines(app: &App) {
    let lines: Vec<([String; 3], u32)> = app.view.read(|state| {
        let labelled =
            state.listed_events().take_while(|(index, _)| index.position() < EVENTS_LABELLED_MAX);
        let line = |(index, event): (EventIndex, &Event)| {
            let artist = event.details.artist_name.clone().unwrap_or_default();
            let labels = [Id::from(index).to_string(), event.details.title.clone(), artist];
            (labels, state.queue(index).map_or(0, Queue::waiting_count))
        };
        labelled.map(line).collect()
    });
    let gauge = &app.metrics.daily.queue_users;
    // Titles are edited; what they were must not stay.
    gauge.reset();
    for (labels, waiting) in &lines {
        let labels = labels.each_ref().map(String::as_str);
        gauge.with_label_values(&labels).set(f64::from(*waiting));
    }
}
