//! Every route on one screen, and finding the one that a path means.
//!
//! A path may end in a slash, letters are matched in either case, and a leading `/api/api/` means
//! `/api/`: the legacy frontend adds the prefix twice in its waiting room. Of routes that match the
//! same path the first in the table counts. Templates are the labels of the metrics.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use hyper::Method;

use crate::app::App;
use crate::auth::Access::{self, Admin, Public, User};
use crate::error::ApiError;
use crate::handlers::payments::{charge, confirm, pages, points, refund, request, webhook};
use crate::handlers::{
    admin, auth, docs, events, health, images, lanes, lottery, metrics, news, payments, queue,
    reservations, seats, sockets, tickets,
};
use crate::http::body::JSON_BYTES_MAX;
use crate::http::{Params, Request, Response};
use crate::rate_limit::RateClass::{self, Booking, Browse, Image, Login, Other, Queue, Unlimited};
use crate::routes::Verb::{Delete, Get, Patch, Post, Put};

macro_rules! handler {
    ($handler:path) => {
        |app, request| Box::pin($handler(app, request))
    };
}

#[rustfmt::skip]
pub(crate) static ROUTES: &[Route] = &[
    route(Post, "/api/auth/register",                      Public, Login,     handler!(auth::register)),
    route(Post, "/api/auth/login",                         Public, Login,     handler!(auth::login)),
    route(Get,  "/api/events",                             Public, Browse,    handler!(events::list)),
    route(Get,  "/api/events/suggest",                     Public, Browse,    handler!(events::suggest)),
    route(Get,  "/api/events/:id",                         Public, Browse,    handler!(events::detail)),
    route(Get,  "/api/tickets/event/:eventId",             Public, Browse,    handler!(tickets::of_event)),
    route(Get,  "/api/tickets/availability/:ticketTypeId", Public, Browse,    handler!(tickets::availability)),
    route(Get,  "/api/seats/layouts",                      Public, Browse,    handler!(seats::layouts)),
    route(Get,  "/api/seats/events/:eventId",              Public, Browse,    handler!(seats::map)),
    route(Post, "/api/seats/reserve",                      User,   Booking,   handler!(seats::reserve)),
    route(Post, "/api/seats/best",                         User,   Booking,   handler!(seats::best)),
    route(Get,  "/api/seats/reservation/:reservationId",   User,   Other,     handler!(seats::reservation)),
    route(Post, "/api/reservations",                       User,   Booking,   handler!(reservations::create)),
    route(Get,  "/api/reservations/my",                    User,   Other,     handler!(reservations::my)),
    route(Get,  "/api/reservations/:id",                   User,   Other,     handler!(reservations::detail)),
    route(Post, "/api/reservations/:id/cancel",            User,   Other,     handler!(reservations::cancel)),
    route(Post, "/api/payments/process",                   User,   Other,     handler!(payments::process)),
    route(Get,  "/api/payments/methods",                   Public, Other,     handler!(payments::methods)),
    route(Post, "/api/payments/toss/request",              User,   Other,     handler!(request::toss)),
    route(Post, "/api/payments/toss/confirm",              User,   Other,     handler!(confirm::toss)),
    route(Post, "/api/payments/toss/webhook",              Public, Other,     handler!(webhook::toss)),
    route(Post, "/api/payments/stripe/request",            User,   Other,     handler!(request::stripe)),
    route(Post, "/api/payments/stripe/confirm",            User,   Other,     handler!(confirm::stripe)),
    route(Post, "/api/payments/stripe/webhook",            Public, Other,     handler!(webhook::stripe)),
    route(Get,  "/api/payments/:orderId",                  User,   Other,     handler!(charge::show)),
    route(Post, "/api/payments/:orderId/refund",           User,   Other,     handler!(refund::refund)),
    route(Get,  "/api/points/balance",                     User,   Other,     handler!(points::balance)),
    route(Get,  "/api/points/history",                     User,   Other,     handler!(points::history)),
    route(Post, "/api/points/charge",                      User,   Other,     handler!(points::charge)),
    route(Get,  "/payments/success",                       Public, Other,     handler!(pages::success)),
    route(Get,  "/payments/fail",                          Public, Other,     handler!(pages::fail)),
    route(Get,  "/payments/pay/:orderId",                  Public, Other,     handler!(pages::pay)),
    route(Post, "/payments/pay/:orderId",                  Public, Other,     handler!(pages::client_secret)),
    route(Post, "/api/queue/check/:eventId",               User,   Queue,     handler!(queue::check)),
    route(Get,  "/api/queue/status/:eventId",              User,   Queue,     handler!(queue::status)),
    route(Post, "/api/queue/leave/:eventId",               User,   Queue,     handler!(queue::leave)),
    route(Get,  "/api/queue/pass/:eventId",                User,   Queue,     handler!(queue::pass)),
    route(Get,  "/api/queue/admin/:eventId",               Admin,  Other,     handler!(queue::show)),
    route(Put,  "/api/queue/admin/:eventId",               Admin,  Other,     handler!(queue::change)),
    route(Post, "/api/queue/admin/clear/:eventId",         Admin,  Other,     handler!(queue::clear)),
    route(Post, "/api/queue/admin/:eventId/admit",         Admin,  Other,     handler!(queue::admit)),
    route(Get,  "/api/queue/admin/:eventId/lanes",         Admin,  Other,     handler!(lanes::list)),
    route(Put,  "/api/queue/admin/:eventId/lanes",         Admin,  Other,     handler!(lanes::set)),
    route(Post, "/api/queue/admin/:eventId/lanes/members", Admin,  Other,     handler!(lanes::add_members)),
    route(Post, "/api/queue/admin/:eventId/lobby",         Admin,  Other,     handler!(lottery::open)),
    route(Post, "/api/queue/admin/:eventId/draw",          Admin,  Other,     handler!(lottery::draw)),
    route(Get,  "/api/queue/draw/:eventId",                Public, Browse,    handler!(lottery::show)),
    route(Get,  "/api/news",                               Public, Browse,    handler!(news::list)),
    route(Get,  "/api/news/:id",                           Public, Browse,    handler!(news::detail)),
    route(Post, "/api/news",                               User,   Other,     handler!(news::write)),
    route(Put,  "/api/news/:id",                           User,   Other,     handler!(news::edit)),
    route(Delete, "/api/news/:id",                         User,   Other,     handler!(news::delete)),
    route(Get,  "/api/admin/dashboard/stats",              Admin,  Other,     handler!(admin::dashboard::stats)),
    route(Get,  "/api/admin/seat-layouts",                 Admin,  Other,     handler!(admin::layouts::list)),
    route(Post, "/api/admin/seat-layouts",                 Admin,  Other,     handler!(admin::layouts::create)),
    route(Post, "/api/admin/events",                       Admin,  Other,     handler!(admin::events::create)),
    route(Put,  "/api/admin/events/:id",                   Admin,  Other,     handler!(admin::events::edit)),
    route(Post, "/api/admin/events/:id/cancel",            Admin,  Other,     handler!(admin::events::cancel)),
    route(Delete, "/api/admin/events/:id",                 Admin,  Other,     handler!(admin::events::delete)),
    route(Post, "/api/admin/events/:id/duplicate",         Admin,  Other,     handler!(admin::events::duplicate)),
    route(Post, "/api/admin/events/:id/generate-seats",    Admin,  Other,     handler!(admin::seats::generate)),
    route(Delete, "/api/admin/events/:id/seats",           Admin,  Other,     handler!(admin::seats::remove)),
    route(Post, "/api/admin/events/:eventId/tickets",      Admin,  Other,     handler!(admin::ticket_types::create)),
    route(Post, "/api/admin/events/:id/tickets/csv",       Admin,  Other,     handler!(admin::sheets::ticket_types)),
    route(Post, "/api/admin/seat-layouts/csv",             Admin,  Other,     handler!(admin::sheets::layout)),
    route(Post, "/api/admin/events/:id/seats/csv",         Admin,  Other,     handler!(admin::sheets::seats)),
    route(Put,  "/api/admin/tickets/:id",                  Admin,  Other,     handler!(admin::ticket_types::edit)),
    route(Get,  "/api/admin/categories",                   Admin,  Other,     handler!(admin::categories::list)),
    route(Put,  "/api/admin/categories/:name",             Admin,  Other,     handler!(admin::categories::rename)),
    route(Get,  "/api/admin/reservations",                 Admin,  Other,     handler!(admin::reservations::list)),
    route(Patch, "/api/admin/reservations/:id/status",     Admin,  Other,     handler!(admin::reservations::set_status)),
    route(Post, "/api/admin/events/:id/seats/block",       Admin,  Other,     handler!(admin::seats::block)),
    route(Post, "/api/admin/events/:id/seats/unblock",     Admin,  Other,     handler!(admin::seats::unblock)),
    route(Get,  "/api/admin/users/:idOrEmail",             Admin,  Other,     handler!(admin::users::show)),
    route(Get,  "/api/admin/users",                        Admin,  Other,     handler!(admin::users::list)),
    route(Put,  "/api/admin/users/:id/role",               Admin,  Other,     handler!(admin::users::set_role)),
    route(Post, "/api/admin/users/:id/suspend",            Admin,  Other,     handler!(admin::users::suspend)),
    route(Post, "/api/admin/users/:id/restore",            Admin,  Other,     handler!(admin::users::restore)),
    route(Get,  "/api/admin/users/:id/orders",             Admin,  Other,     handler!(admin::users::orders)),
    route(Get,  "/api/admin/reports/sales",                Admin,  Other,     handler!(admin::reports::sales)),
    route(Get,  "/api/admin/audit",                        Admin,  Other,     handler!(admin::audit::list)),
    route(Get,  "/api/admin/orders/:idOrNumber",           Admin,  Other,     handler!(admin::orders::show)),
    route(Post, "/api/admin/orders/:id/cancel",            Admin,  Other,     handler!(admin::orders::cancel)),
    route(Get,  "/api/admin/payments",                     Admin,  Other,     handler!(admin::payments::list)),
    route(Post, "/api/admin/payments/reconcile",           Admin,  Other,     handler!(admin::payments::reconcile)),
    route(Post, "/api/admin/payments/compare",             Admin,  Other,     handler!(admin::payments::compare)),
    route(Post, "/api/admin/payments/:orderId/end",        Admin,  Other,     handler!(admin::payments::end)),
    route(Post, "/api/admin/payments/:orderId/refunded-by-hand", Admin, Other, handler!(admin::payments::refunded_by_hand)),
    route(Get,  "/api/admin/stats",                        Admin,  Other,     handler!(admin::stats::show)),
    route(Post, "/api/image/upload",                       Admin,  Other,     handler!(images::upload)).taking(images::FORM_BYTES_MAX),
    route(Get,  "/images/:name",                           Public, Image,     handler!(images::show)),
    route(Get,  "/socket.io",                              Public, Unlimited, handler!(sockets::socket_io)),
    route(Post, "/socket.io",                              Public, Unlimited, handler!(sockets::socket_io)),
    route(Get,  "/ws",                                     Public, Other,     handler!(sockets::map)),
    route(Get,  "/health",                                 Public, Unlimited, handler!(health::health)),
    route(Get,  "/health/db",                              Public, Unlimited, handler!(health::database)),
    route(Get,  "/health/redis",                           Public, Unlimited, handler!(health::redis)),
    route(Get,  "/health/all",                             Public, Unlimited, handler!(health::all)),
    route(Get,  "/livez",                                  Public, Unlimited, handler!(health::live)),
    route(Get,  "/readyz",                                 Public, Unlimited, handler!(health::ready)),
    route(Get,  "/metrics",                                Public, Unlimited, handler!(metrics::text)),
    route(Get,  "/api-docs",                               Public, Other,     handler!(docs::page)),
    route(Get,  "/api-docs/openapi.json",                  Public, Other,     handler!(docs::openapi)),
];

/// One line of the table.
pub(crate) struct Route {
    pub(crate) verb: Verb,
    /// The path, parameters as `:name`.
    pub(crate) template: &'static str,
    pub(crate) access: Access,
    pub(crate) rate: RateClass,
    /// Larger bodies are refused.
    pub(crate) body_bytes_max: usize,
    pub(crate) handler: Handler,
}

/// What carries a request out. The future is boxed: one allocation, and it can be polled under
/// `catch_unwind`.
pub(crate) type Handler = for<'a> fn(&'a Arc<App>, &'a Request) -> HandlerFuture<'a>;

/// See [`Handler`].
pub(crate) type HandlerFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Response, ApiError>> + Send + 'a>>;

const fn route(
    verb: Verb,
    template: &'static str,
    access: Access,
    rate: RateClass,
    handler: Handler,
) -> Route {
    Route { verb, template, access, rate, body_bytes_max: JSON_BYTES_MAX, handler }
}

impl Route {
    /// With larger bodies.
    const fn taking(mut self, body_bytes_max: usize) -> Route {
        self.body_bytes_max = body_bytes_max;
        self
    }
}

/// The methods that routes have; `HEAD` goes where `GET` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Verb {
    fn of(method: &Method) -> Option<Verb> {
        match *method {
            Method::GET | Method::HEAD => Some(Verb::Get),
            Method::POST => Some(Verb::Post),
            Method::PUT => Some(Verb::Put),
            Method::PATCH => Some(Verb::Patch),
            Method::DELETE => Some(Verb::Delete),
            _ => None,
        }
    }

    /// The name in metrics.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Put => "PUT",
            Verb::Patch => "PATCH",
            Verb::Delete => "DELETE",
        }
    }

    /// As listed in `Allow`.
    fn allow(self) -> &'static str {
        match self {
            Verb::Get => "GET, HEAD",
            _ => self.name(),
        }
    }
}

/// What a path means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Match {
    /// The route at this position of the table.
    Found(usize, Params),
    /// Routes with this path have other methods, listed as in `Allow`.
    OtherMethod(String),
    /// No route has this path.
    Unknown,
}

/// Segments of the longest template, and a few more.
const SEGMENTS_MAX: usize = 8;

/// Finds routes. Templates are split once, at start.
pub(crate) struct Router {
    /// By number of segments: positions in the table and their templates.
    by_segments: [Vec<(usize, Vec<&'static str>)>; SEGMENTS_MAX + 1],
}

impl Router {
    pub(crate) fn new(routes: &'static [Route]) -> Self {
        let mut by_segments: [Vec<_>; SEGMENTS_MAX + 1] = Default::default();
        for (position, route) in routes.iter().enumerate() {
            let template: Vec<_> = route.template.split('/').skip(1).collect();
            by_segments[template.len()].push((position, template));
        }
        Router { by_segments }
    }

    pub(crate) fn find(&self, method: &Method, path: &str) -> Match {
        let Some((spans, count)) = segments(path) else {
            return Match::Unknown;
        };
        let spans = &spans[..count];
        let verb = Verb::of(method);
        let mut others = String::new();
        for (position, template) in &self.by_segments[count] {
            let Some(params) = matches(template, path, spans) else {
                continue;
            };
            let of_route = ROUTES[*position].verb;
            if verb == Some(of_route) {
                return Match::Found(*position, params);
            }
            if !others.is_empty() {
                others.push_str(", ");
            }
            others.push_str(of_route.allow());
        }
        match others.is_empty() {
            true => Match::Unknown,
            false => Match::OtherMethod(others),
        }
    }
}

/// Where the segments of a path are, without a doubled `/api` and a last slash.
fn segments(path: &str) -> Option<([(usize, usize); SEGMENTS_MAX], usize)> {
    let bytes = path.as_bytes();
    let doubled = bytes.get(..9).is_some_and(|head| head.eq_ignore_ascii_case(b"/api/api/"));
    let start = if doubled { 4 } else { 0 };
    let end = if bytes.len() > start + 1 && bytes.ends_with(b"/") {
        bytes.len() - 1
    } else {
        bytes.len()
    };
    if bytes.get(start) != Some(&b'/') {
        return None;
    }
    let mut spans = [(0, 0); SEGMENTS_MAX];
    let mut count = 0;
    let mut from = start + 1;
    for segment in path[from..end.max(from)].split('/') {
        *spans.get_mut(count)? = (from, from + segment.len());
        count += 1;
        from += segment.len() + 1;
    }
    Some((spans, count))
}

fn matches(template: &[&str], path: &str, spans: &[(usize, usize)]) -> Option<Params> {
    let mut params = Params::default();
    for (part, &(start, end)) in template.iter().zip(spans) {
        if part.starts_with(':') {
            if start == end {
                return None;
            }
            params.push(start, end);
        } else if !path.as_bytes()[start..end].eq_ignore_ascii_case(part.as_bytes()) {
            return None;
        }
    }
    Some(params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(method: &Method, path: &str) -> Option<&'static str> {
        match Router::new(ROUTES).find(method, path) {
            Match::Found(position, _) => Some(ROUTES[position].template),
            Match::OtherMethod(_) | Match::Unknown => None,
        }
    }

    #[test]
    fn paths() {
        for (path, expected) in [
            ("/health", Some("/health")),
            ("/health/", Some("/health")),
            ("/HEALTH/Db", Some("/health/db")),
            ("/health/x", None),
            ("/health//", None),
            ("//health", None),
            ("/", None),
            ("", None),
            ("*", None),
            ("/api/auth/register", None),
            ("/a/b/c/d/e/f/g/h/i/j/k", None),
            ("/hea\u{fffd}th", None),
        ] {
            assert_eq!(found(&Method::GET, path), expected, "{path}");
        }
        assert_eq!(found(&Method::HEAD, "/health"), Some("/health"));
        let login = Some("/api/auth/login");
        assert_eq!(found(&Method::POST, "/api/auth/login"), login);
        assert_eq!(found(&Method::POST, "/Api/API/auth/login/"), login);
        assert_eq!(found(&Method::POST, "/api/api/api/auth/login"), None);
    }

    #[test]
    fn other_methods_are_listed() {
        let router = Router::new(ROUTES);
        let allow = |text: &str| Match::OtherMethod(text.to_owned());
        assert_eq!(router.find(&Method::GET, "/api/auth/login"), allow("POST"));
        assert_eq!(router.find(&Method::POST, "/health"), allow("GET, HEAD"));
        assert_eq!(router.find(&Method::TRACE, "/health"), allow("GET, HEAD"));
        assert_eq!(router.find(&Method::TRACE, "/nothing"), Match::Unknown);
    }

    #[test]
    fn parameters_are_where_the_template_says() {
        let path = "/a/first/b/second";
        let (spans, count) = segments(path).expect("segments");
        let mut expected = Params::default();
        expected.push(3, 8);
        expected.push(11, 17);
        assert_eq!(matches(&["a", ":x", "b", ":y"], path, &spans[..count]), Some(expected));
        assert_eq!(matches(&["a", ":x", "c", ":y"], path, &spans[..count]), None);
    }

    #[test]
    fn the_table_is_sound() {
        for (position, route) in ROUTES.iter().enumerate() {
            let (_, count) = segments(route.template).expect(route.template);
            assert!(count <= SEGMENTS_MAX && route.template.starts_with('/'));
            assert!(route.template.matches(':').count() <= 2, "{}", route.template);
            // A template finds itself: no earlier line of the same method hides it.
            let method: Method = route.verb.name().parse().expect("method");
            match Router::new(ROUTES).find(&method, route.template) {
                Match::Found(found, _) => assert_eq!(found, position, "{}", route.template),
                other => panic!("{}: {other:?}", route.template),
            }
        }
    }
}
