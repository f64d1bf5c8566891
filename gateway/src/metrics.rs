//! What `GET /metrics` shows (contract/domain.md 9).
//!
//! Handles are looked up once: per route and status, and per event. A metric that cannot be registered
//! or encoded is left out; none can fail a request. Label values are bounded: routes by their
//! templates, events by [`EVENTS_LABELLED_MAX`], the rest by enums.

mod builder;
mod daily;
mod events;
mod payments;
mod sockets;

use std::sync::OnceLock;
use std::time::Duration;

use hyper::Method;
use prometheus::{
    Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, Registry, TextEncoder,
};
use tiketi_engine::ids::EventIndex;
use tiketi_engine::record::PaymentMethod;

use crate::api::Id;
use crate::api::payments::method_id;
use crate::metrics::builder::Builder;
use crate::metrics::daily::DailyMetrics;
use crate::metrics::events::EventFamilies;
pub(crate) use crate::metrics::events::{EventMetrics, FunnelStage};
pub(crate) use crate::metrics::payments::PaymentMetrics;
pub(crate) use crate::metrics::sockets::SocketMetrics;
use crate::routes::{ROUTES, Route};

/// Events beyond this share the label `other`.
pub(crate) const EVENTS_LABELLED_MAX: usize = 1_000;
/// The label of paths that no route has.
const UNMATCHED: &str = "unmatched";
/// Statuses that have a slot of their own; the commonest first.
const STATUSES: [u16; 25] = [
    200, 101, 201, 204, 301, 303, 304, 400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 422, 429,
    431, 500, 501, 502, 503, 504,
];
const METHODS: [&str; 8] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "other"];

/// All metrics of one gateway.
pub(crate) struct Metrics {
    registry: Registry,
    requests: IntCounterVec,
    request_seconds: HistogramVec,
    /// By position in the route table.
    by_route: Vec<ByStatus>,
    /// By [`METHODS`].
    unmatched: Vec<ByStatus>,
    pub(crate) requests_active: IntGauge,
    auth_attempts: IntCounterVec,
    pub(crate) access_log_dropped: IntCounter,
    commit_wait_seconds: Histogram,
    events: EventFamilies,
    by_event: Vec<OnceLock<EventMetrics>>,
    other_events: OnceLock<EventMetrics>,
    pub(crate) daily: DailyMetrics,
    pub(crate) sockets: SocketMetrics,
    pub(crate) payments: PaymentMetrics,
}

/// One slot for each status, the last for any other.
type ByStatus = [OnceLock<Series>; STATUSES.len() + 1];

struct Series {
    count: IntCounter,
    seconds: Histogram,
}

/// What somebody tried to get in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthKind {
    Login,
    Register,
}

impl Metrics {
    pub(crate) fn new() -> Result<Self, prometheus::Error> {
        let registry = Registry::new();
        let by = Builder { registry: &registry };
        let http = &["method", "path", "status"];
        let buckets = [0.01, 0.05, 0.1, 0.5, 1.0, 2.0, 5.0];
        let commits = ["operation", "table"];
        let commit_seconds = by.histograms(
            "tiketi_db_query_duration_seconds",
            "How long answers waited for the log",
            &commits,
            &[0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0],
        )?;
        let connections = by.gauges(
            "tiketi_db_connections_active",
            "Open logs: 1 while the log takes records",
            &[],
        )?;
        connections.with_label_values::<&str>(&[]).set(1);
        let metrics = Metrics {
            requests: by.counters("http_requests_total", "Requests answered", http)?,
            request_seconds: by.histograms(
                "http_request_duration_seconds",
                "How long answers took",
                http,
                &buckets,
            )?,
            by_route: ROUTES.iter().map(|_| Default::default()).collect(),
            unmatched: METHODS.iter().map(|_| Default::default()).collect(),
            requests_active: by.gauge("http_requests_active", "Requests in flight")?,
            auth_attempts: by.counters(
                "tiketi_auth_attempts_total",
                "Logins and registrations",
                &["type", "status"],
            )?,
            access_log_dropped: by.counter(
                "tiketi_access_log_dropped_total",
                "Lines of the access log that nobody took in time",
            )?,
            commit_wait_seconds: commit_seconds.with_label_values(&["commit", "log"]),
            events: EventFamilies::new(&by)?,
            by_event: (0..EVENTS_LABELLED_MAX).map(|_| OnceLock::new()).collect(),
            other_events: OnceLock::new(),
            daily: DailyMetrics::new(&by)?,
            sockets: SocketMetrics::new(&by)?,
            payments: PaymentMetrics::new(&by)?,
            registry: registry.clone(),
        };
        registry.register(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        for kind in ["login", "register"] {
            for status in ["success", "failed"] {
                metrics.auth_attempts.with_label_values(&[kind, status]);
            }
        }
        Ok(metrics)
    }

    /// Counts an answer of the route at `position` of the table, or of no route.
    pub(crate) fn answered(
        &self,
        position: Option<usize>,
        method: &Method,
        status: u16,
        took: Duration,
    ) {
        let route = position.and_then(|position| Some((ROUTES.get(position)?, position)));
        let (slots, method, path) = match route {
            // The probes and the scraper would drown everything else.
            Some((Route { template: "/health" | "/metrics", .. }, _)) => return,
            Some((route, position)) => {
                (&self.by_route[position], route.verb.name(), route.template)
            }
            None => {
                let known = METHODS.iter().position(|name| *name == method.as_str());
                let at = known.unwrap_or(METHODS.len() - 1);
                (&self.unmatched[at], METHODS[at], UNMATCHED)
            }
        };
        let at = STATUSES.iter().position(|known| *known == status).unwrap_or(STATUSES.len());
        let series = slots[at].get_or_init(|| {
            let status = STATUSES.get(at).map_or_else(|| "other".to_owned(), u16::to_string);
            let labels = [method, path, &status];
            Series {
                count: self.requests.with_label_values(&labels),
                seconds: self.request_seconds.with_label_values(&labels),
            }
        });
        series.count.inc();
        series.seconds.observe(took.as_secs_f64());
    }

    /// Counts a login or registration.
    pub(crate) fn auth_attempt(&self, kind: AuthKind, is_success: bool) {
        let kind = match kind {
            AuthKind::Login => "login",
            AuthKind::Register => "register",
        };
        let status = if is_success { "success" } else { "failed" };
        self.auth_attempts.with_label_values(&[kind, status]).inc();
    }

    /// Counts how long an answer waited for its record to be durable.
    pub(crate) fn commit_waited(&self, took: Duration) {
        self.commit_wait_seconds.observe(took.as_secs_f64());
    }

    /// The counters of an event.
    pub(crate) fn event(&self, event: EventIndex) -> &EventMetrics {
        match self.by_event.get(event.position()) {
            Some(slot) => slot.get_or_init(|| self.events.of(Id::from(event).to_string())),
            None => self.other_events.get_or_init(|| self.events.of("other".to_owned())),
        }
    }

    /// Counts a look at an event's page.
    pub(crate) fn event_viewed(&self, event: EventIndex, title: &str) {
        let metrics = self.event(event);
        let title = if event.position() < EVENTS_LABELLED_MAX { title } else { "other" };
        self.events.viewed(metrics, title);
        metrics.reached(FunnelStage::View);
    }

    /// Counts a payment attempt that ended.
    pub(crate) fn payment(&self, event: EventIndex, method: PaymentMethod, won: Option<u64>) {
        let metrics = self.event(event);
        let status = if won.is_some() { "success" } else { "failed" };
        let labels = [status, metrics.label.as_str(), method_id(method)];
        self.events.payments.with_label_values(&labels).inc();
        if let Some(won) = won {
            metrics.payment_amount.observe(won as f64);
            metrics.reached(FunnelStage::PaymentCompleted);
        }
    }

    /// Everything, in text format 0.0.4.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.registry.gather())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_counted_under_their_template() {
        let metrics = Metrics::new().expect("metrics");
        let login = ROUTES.iter().position(|route| route.template == "/api/auth/login");
        let health = ROUTES.iter().position(|route| route.template == "/health");
        let took = Duration::from_millis(20);
        metrics.answered(login, &Method::POST, 200, took);
        metrics.answered(login, &Method::POST, 200, took);
        metrics.answered(login, &Method::POST, 299, took);
        metrics.answered(login, &Method::POST, 303, took);
        metrics.answered(health, &Method::GET, 200, took);
        metrics.answered(None, &Method::GET, 404, took);
        metrics.answered(None, &"BREW".parse().expect("method"), 404, took);
        let text = metrics.text().expect("text");
        let path = "path=\"/api/auth/login\"";
        for line in [
            &format!("http_requests_total{{method=\"POST\",{path},status=\"200\"}} 2"),
            &format!("http_requests_total{{method=\"POST\",{path},status=\"303\"}} 1"),
            &format!("http_requests_total{{method=\"POST\",{path},status=\"other\"}} 1"),
            "http_requests_total{method=\"GET\",path=\"unmatched\",status=\"404\"} 1",
            "http_requests_total{method=\"other\",path=\"unmatched\",status=\"404\"} 1",
            &format!(
                "http_request_duration_seconds_bucket{{method=\"POST\",{path},status=\"200\",le=\"0.05\"}} 2"
            ),
            "tiketi_auth_attempts_total{status=\"failed\",type=\"login\"} 0",
            "tiketi_payment_method_count_24h{payment_method=\"bank_transfer\"} 0",
            "tiketi_db_connections_active 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("/health\""));
        assert!(text.contains("process_resident_memory_bytes"));
    }

    #[test]
    fn an_edited_title_ends_the_series_of_the_one_before() {
        let metrics = Metrics::new().expect("metrics");
        for title in ["before", "before", "after"] {
            metrics.event_viewed(EventIndex(3), title);
        }
        let text = metrics.text().expect("text");
        let views = text.lines().filter(|line| line.starts_with("tiketi_event_views_total"));
        let views: Vec<&str> = views.collect();
        assert!(
            matches!(views[..], [one] if one.ends_with("event_title=\"after\"} 1")),
            "{views:?}"
        );
    }

    #[test]
    fn events_have_a_bounded_number_of_labels() {
        let metrics = Metrics::new().expect("metrics");
        for event in [0, EVENTS_LABELLED_MAX as u32, u32::MAX] {
            metrics.event(EventIndex(event)).reservations_created.inc();
            metrics.event_viewed(EventIndex(event), "title");
            metrics.payment(EventIndex(event), PaymentMethod::KakaoPay, Some(150_000));
        }
        let text = metrics.text().expect("text");
        let other = "tiketi_reservations_created_total{event_id=\"other\",status=\"success\"} 2";
        assert!(text.contains(other), "{text}");
        assert!(
            text.contains("tiketi_event_views_total{event_id=\"other\",event_title=\"other\"} 2")
        );
    }
}
