//! A line for every route, in the order of the table of routes.

use crate::api::accounts::{SuspendRequest, SuspensionAnswer, UserList, UserOrders};
use crate::api::admin::{
    AdminEventAnswer, BlockAnswer, BlockRequest, EditEventRequest, EventCancelledAnswer,
    LayoutAnswer, NewEventRequest, NewLayoutRequest, NewTicketTypeRequest, OrderAnswer,
    OrderCancelledAnswer, RoleAnswer, RoleRequest, UserAnswer,
};
use crate::api::audit::AuditList;
use crate::api::changes::{
    self, AdminReservationList, CategoryAnswer, CategoryList, CategoryRequest, DuplicateRequest,
    EventDeletedAnswer, SeatsCreatedAnswer, SeatsDeletedAnswer, StatusRequest, TicketTypeAnswer,
};
use crate::api::dashboard::Dashboard;
use crate::api::events::{Availability, EventAnswer, EventList, Suggestions, TicketTypesAnswer};
use crate::api::health::{AllHealth, Health, Probe, StoreHealth};
use crate::api::images::UploadAnswer;
use crate::api::news::{NewsAnswer, NewsEditRequest, NewsList, NewsRequest};
use crate::api::payments::{MethodList, PaymentAnswer, PaymentRequest};
use crate::api::queue::{
    AdmitRequest, CheckAnswer, DrawAnswer, DrawRequest, LaneList, LaneMembersAnswer,
    LaneMembersRequest, LobbyAnswer, PassAnswer, QueueAnswer, QueueChangeRequest, QueueMessage,
    StatusAnswer,
};
use crate::api::reports::SalesReport;
use crate::api::reservations::{
    Done, ReservationAnswer, ReservationCreated, ReservationList, ReservationRequest,
};
use crate::api::seats::{
    BestRequest, LayoutList, ReserveAnswer, ReserveRequest, SeatMap, SeatReservationAnswer,
};
use crate::api::sheets::{LayoutSheetAnswer, SeatSheetAnswer, TicketSheetAnswer};
use crate::api::stats::Stats;
use crate::api::toss::{
    ChargeAnswer, ChargeList, ClientSecret, CompareAnswer, CompareRequest, EndAnswer,
    PointsBalance, PointsHistory, PointsRequest, ReconcileAnswer, RefundAnswer, RefundRequest,
    TossConfirm, TossConfirmed, TossOrder, TossPending, TossRequest, WebhookTaken,
};
use crate::api::{AuthAnswer, LoginRequest, RegisterRequest};
use crate::docs::bodies;
use crate::docs::operation::{Kind, Operation, Parameter, op, parameter};
use crate::error::Code::{
    AlreadyCancelled, AlreadyPaid, BadCredentials, BadId, Conflict, EmailTaken, Forbidden,
    HoldExpired, InProgress, NotFound, NotFoundInBody, NotOnSale, NotPayable, OutOfStock,
    PaymentDeclined, QueueRequired, SeatLimit, SeatUnavailable, Unavailable, Validation,
};
use crate::handlers::sockets::Refusal;
use crate::routes::Verb::{Delete, Get, Patch, Post, Put};

const AUTH: &str = "Login";
const EVENTS: &str = "Events";
const SEATS: &str = "Seats";
const RESERVATIONS: &str = "Reservations";
const PAYMENTS: &str = "Payments";
const POINTS: &str = "Points";
const NEWS: &str = "News";
const QUEUE: &str = "Waiting room";
const ADMIN_EVENTS: &str = "Administration: events";
const ADMIN_SEATS: &str = "Administration: seats";
const ADMIN_ORDERS: &str = "Administration: orders";
const ADMIN_PEOPLE: &str = "Administration: people";
const ADMIN_QUEUE: &str = "Administration: waiting room";
const ADMIN_REPORTS: &str = "Administration: reports";
const SOCKETS: &str = "Sockets";
const IMAGES: &str = "Images";
const HEALTH: &str = "Health";
const DOCS: &str = "Documentation";

/// The groups of the page, in its order.
pub(crate) const TAGS: &[(&str, &str)] = &[
    (AUTH, "Accounts and tokens."),
    (EVENTS, "What is on, and its ticket types."),
    (SEATS, "Layouts, seat maps, holds."),
    (RESERVATIONS, "What a user holds or has bought."),
    (PAYMENTS, "Paying, by simulation or through a provider."),
    (POINTS, "Points that pay."),
    (NEWS, "What the house has to say."),
    (QUEUE, "The line before an event."),
    (ADMIN_EVENTS, "Events, their ticket types and categories."),
    (ADMIN_SEATS, "Layouts, and the seats that are for sale."),
    (ADMIN_ORDERS, "Anybody's reservations, orders and payments."),
    (ADMIN_PEOPLE, "Accounts, and who may do what."),
    (ADMIN_QUEUE, "Lines as their keepers see them."),
    (ADMIN_REPORTS, "Numbers, sums, and who changed what."),
    (SOCKETS, "Live changes."),
    (IMAGES, "Pictures that administrators upload."),
    (HEALTH, "Probes and metrics."),
    (DOCS, "This page."),
];

const PAGE: Parameter = parameter("page", Kind::Number(1, PAGES_MAX), "From 1.");
const PAGES_MAX: u64 = 1 << 53;
const LIMIT: Parameter =
    parameter("limit", Kind::Number(1, PAGES_MAX), "Rows of a page; more than 1000 are 1000.");
const PAGED: &[Parameter] = &[PAGE, LIMIT];
const LIST: &[Parameter] = &[
    parameter("status", Kind::Text, "`upcoming`, `on_sale`, `sold_out`, `ended` or `cancelled`."),
    parameter("q", Kind::Text, "In title, artist, venue or address, or a keyword's partner is."),
    parameter(
        "from",
        Kind::Instant,
        "The show begins then or later; a date is its beginning in Seoul.",
    ),
    parameter("to", Kind::Instant, "The show begins then or earlier; a date is its end in Seoul."),
    parameter("venue", Kind::Text, "Part of the venue's name."),
    parameter("category", Kind::Text, "Its kind of event."),
    parameter("minPrice", Kind::Number(0, WON_MAX), "Some ticket costs so much or more."),
    parameter("maxPrice", Kind::Number(0, WON_MAX), "And so much or less."),
    parameter(
        "sort",
        Kind::Choice(&["soonest", "latest", "popular", "price"]),
        "By the start of the sale without it.",
    ),
    PAGE,
    LIMIT,
];
const WON_MAX: u64 = u32::MAX as u64;
const SUGGEST: &[Parameter] = &[
    parameter("q", Kind::Text, "What is typed so far; consonants stand for syllables."),
    parameter("limit", Kind::Number(1, PAGES_MAX), "More than 20 are 20."),
];
const CHARGES: &[Parameter] =
    &[parameter("state", Kind::Text, "A charge's status, or `unknown`."), PAGE, LIMIT];
const RESERVATIONS_OF_ALL: &[Parameter] =
    &[parameter("status", Kind::Text, "`pending`, `confirmed` or `cancelled`."), PAGE, LIMIT];
pub(crate) const DRY: Parameter = parameter(
    "dryRun",
    Kind::Choice(&["true", "false"]),
    "Changes nothing, and says what would be.",
)
.in_any_case();
const DRY_RUN: &[Parameter] = &[DRY];
const LAYOUT_SHEET: &[Parameter] = &[
    parameter("name", Kind::Text, "What the layout is called.").required(),
    parameter("description", Kind::Text, "About it."),
    DRY,
];
const SEAT_SHEET: &[Parameter] = &[
    parameter("action", Kind::Choice(&["block", "unblock"]), "What to do with the seats.")
        .required(),
    parameter("reason", Kind::Text, "Why they are off sale."),
    DRY,
];
const USERS: &[Parameter] = &[
    parameter("q", Kind::Text, "Part of an address or a name."),
    parameter("status", Kind::Choice(&["active", "suspended"]), "Both without it."),
    PAGE,
    LIMIT,
];
const FROM: Parameter =
    parameter("from", Kind::Instant, "Then or later; a date is its beginning in Seoul.");
const TO: Parameter = parameter("to", Kind::Instant, "Before then; a date is its end in Seoul.");
const SALES: &[Parameter] = &[
    FROM,
    TO,
    parameter("event", Kind::Id, "This event alone."),
    parameter("by", Kind::Choice(&["day", "event"]), "A row for each; `day` without it."),
    parameter("format", Kind::Choice(&["json", "csv", "xlsx"]), "`json` without it."),
];
const AUDIT: &[Parameter] = &[
    parameter("user", Kind::Text, "Who did it: an id or an address."),
    parameter("path", Kind::Text, "Part of the path."),
    FROM,
    TO,
    PAGE,
    LIMIT,
];
const OF_EVENT: &[Parameter] = &[parameter("event", Kind::Id, "This event's numbers, too.")];
const MAP: &[Parameter] = &[parameter("event", Kind::Id, "Whose seats.").required()];
const ENGINE_IO: &[Parameter] = &[
    parameter("EIO", Kind::Choice(&["4"]), "The protocol.").required(),
    parameter("transport", Kind::Choice(&["websocket"]), "There is no polling.").required(),
];
const WINDOW: &[Parameter] = &[
    parameter("customerName", Kind::Text, "For the window."),
    parameter("customerEmail", Kind::Text, "For the window."),
];

const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";
const HTML: &str = "text/html";
const JSON: &str = "application/json";
const CSV: &str = "text/csv";
const FORM: &str = "multipart/form-data";

#[rustfmt::skip]
pub(crate) static OPERATIONS: &[Operation] = &[
    op(Post, "/api/auth/register", AUTH, "Makes an account.").body_and_more::<RegisterRequest>().created::<AuthAnswer>().refuses(&[EmailTaken]).writes(),
    op(Post, "/api/auth/login", AUTH, "Logs in.").body::<LoginRequest>().ok::<AuthAnswer>().refuses(&[BadCredentials]),
    op(Get, "/api/events", EVENTS, "Finds events.").query(LIST).ok::<EventList>(),
    op(Get, "/api/events/suggest", EVENTS, "Completes what somebody types.").query(SUGGEST).ok::<Suggestions>(),
    op(Get, "/api/events/:id", EVENTS, "Shows an event and its ticket types.").ok::<EventAnswer>().refuses(&[NotFound]),
    op(Get, "/api/tickets/event/:eventId", EVENTS, "Lists ticket types, none for an unknown event.").ok::<TicketTypesAnswer>().refuses(&[NotFound]),
    op(Get, "/api/tickets/availability/:ticketTypeId", EVENTS, "Says how many are left.").ok::<Availability>().refuses(&[NotFound]),
    op(Get, "/api/seats/layouts", SEATS, "Lists layouts, the smallest first.").ok::<LayoutList>(),
    op(Get, "/api/seats/events/:eventId", SEATS, "Shows all seats of an event.").ok::<SeatMap>().bare(304).refuses(&[NotFound]),
    op(Post, "/api/seats/reserve", SEATS, "Holds seats, all or none; those that the caller holds already are that hold.").body::<ReserveRequest>()
        .created::<ReserveAnswer>().json::<ReserveAnswer>(200)
        .refuses(&[NotFoundInBody, SeatLimit, SeatUnavailable, NotOnSale, QueueRequired, BadId]).keyed(),
    op(Post, "/api/seats/best", SEATS, "Holds the best seats beside each other.").body::<BestRequest>().created::<ReserveAnswer>()
        .refuses(&[NotFoundInBody, SeatLimit, SeatUnavailable, NotOnSale, QueueRequired, BadId]).keyed(),
    op(Get, "/api/seats/reservation/:reservationId", SEATS, "Shows the caller's hold.").ok::<SeatReservationAnswer>().refuses(&[NotFound]),
    op(Post, "/api/reservations", RESERVATIONS, "Orders tickets without seats.").body::<ReservationRequest>().created::<ReservationCreated>()
        .refuses(&[NotFoundInBody, OutOfStock, SeatLimit, NotOnSale, QueueRequired, BadId]).keyed(),
    op(Get, "/api/reservations/my", RESERVATIONS, "Lists the caller's, newest first.").ok::<ReservationList>(),
    op(Get, "/api/reservations/:id", RESERVATIONS, "Shows one of the caller's.").ok::<ReservationAnswer>().refuses(&[NotFound]),
    op(Post, "/api/reservations/:id/cancel", RESERVATIONS, "Cancels one of the caller's.").ok::<Done>()
        .refuses(&[NotFoundInBody, AlreadyCancelled, HoldExpired, Conflict]).writes(),
    op(Post, "/api/payments/process", PAYMENTS, "Pays, by simulation.").body::<PaymentRequest>().ok::<PaymentAnswer>()
        .refuses(&[NotFoundInBody, AlreadyPaid, AlreadyCancelled, HoldExpired, NotPayable, Conflict, PaymentDeclined, InProgress, BadId]).keyed(),
    op(Get, "/api/payments/methods", PAYMENTS, "Lists ways to pay.").ok::<MethodList>(),
    op(Post, "/api/payments/toss/request", PAYMENTS, "Prepares a payment through Toss.").body::<TossRequest>().created::<TossOrder>()
        .refuses(&[NotFoundInBody, AlreadyPaid, AlreadyCancelled, HoldExpired, NotPayable, Conflict, BadId]).writes(),
    op(Post, "/api/payments/toss/confirm", PAYMENTS, "Takes the money that Toss's window was shown.").body::<TossConfirm>()
        .ok::<TossConfirmed>().json::<TossPending>(202).refuses(&[PaymentDeclined, AlreadyPaid, HoldExpired, NotPayable, InProgress]).writes(),
    op(Post, "/api/payments/toss/webhook", PAYMENTS, "Toss says that something changed.").body_of(JSON, bodies::anything)
        .ok::<WebhookTaken>().refuses(&[Unavailable]),
    op(Post, "/api/payments/stripe/request", PAYMENTS, "Prepares a payment through Stripe.").body::<TossRequest>().created::<TossOrder>()
        .refuses(&[NotFoundInBody, AlreadyPaid, AlreadyCancelled, HoldExpired, NotPayable, Conflict, BadId]).writes(),
    op(Post, "/api/payments/stripe/confirm", PAYMENTS, "Takes the money that Stripe's window was shown.").body::<TossConfirm>()
        .ok::<TossConfirmed>().json::<TossPending>(202).refuses(&[PaymentDeclined, AlreadyPaid, HoldExpired, NotPayable, InProgress]).writes(),
    op(Post, "/api/payments/stripe/webhook", PAYMENTS, "Stripe says, signed, that something changed.").body_of(JSON, bodies::anything)
        .ok::<WebhookTaken>().refuses(&[Unavailable]),
    op(Get, "/api/payments/:orderId", PAYMENTS, "Shows one of the caller's payments.").ok::<ChargeAnswer>().refuses(&[NotFound, BadId]),
    op(Post, "/api/payments/:orderId/refund", PAYMENTS, "Gives back an order, or seats of it.").body::<RefundRequest>().ok::<RefundAnswer>()
        .refuses(&[NotFound, Conflict, AlreadyCancelled, BadId]).writes(),
    op(Get, "/api/points/balance", POINTS, "Says how many the caller has.").ok::<PointsBalance>(),
    op(Get, "/api/points/history", POINTS, "Lists what became of them, newest first.").query(PAGED).ok::<PointsHistory>(),
    op(Post, "/api/points/charge", POINTS, "Prepares to buy points.").body::<PointsRequest>().created::<TossOrder>().writes(),
    op(Get, "/payments/success", PAYMENTS, "The page that confirms.").text(HTML),
    op(Get, "/payments/fail", PAYMENTS, "The page that says why nothing was paid.").text(HTML),
    op(Get, "/payments/pay/:orderId", PAYMENTS, "The page that opens the provider's window.").query(WINDOW).text(HTML).bare(303).refuses(&[BadId, NotFound]),
    op(Post, "/payments/pay/:orderId", PAYMENTS, "What that page shows Stripe.").ok::<ClientSecret>().refuses(&[BadId, NotFound, Unavailable]),
    op(Post, "/api/queue/check/:eventId", QUEUE, "Joins the line, or is let in.").ok::<CheckAnswer>().refuses(&[NotFound]).writes(),
    op(Get, "/api/queue/status/:eventId", QUEUE, "Says where the caller stands.").ok::<StatusAnswer>().refuses(&[NotFound]),
    op(Post, "/api/queue/leave/:eventId", QUEUE, "Leaves the line.").ok::<QueueMessage>().refuses(&[NotFound]).writes(),
    op(Get, "/api/queue/pass/:eventId", QUEUE, "Proves to any node that the caller was let in.").ok::<PassAnswer>().refuses(&[QueueRequired, NotFound]),
    op(Get, "/api/queue/admin/:eventId", ADMIN_QUEUE, "Shows a line.").ok::<QueueAnswer>().refuses(&[NotFound]),
    op(Put, "/api/queue/admin/:eventId", ADMIN_QUEUE, "Changes how people are let in.").body::<QueueChangeRequest>().ok::<QueueAnswer>().refuses(&[NotFound]).writes(),
    op(Post, "/api/queue/admin/clear/:eventId", ADMIN_QUEUE, "Sends everybody away.").ok::<QueueMessage>().refuses(&[NotFound]).writes(),
    op(Post, "/api/queue/admin/:eventId/admit", ADMIN_QUEUE, "Moves somebody up.").body::<AdmitRequest>().ok::<QueueMessage>()
        .refuses(&[NotFound, NotFoundInBody, Conflict, BadId]).writes(),
    op(Get, "/api/queue/admin/:eventId/lanes", ADMIN_QUEUE, "Lists lanes.").ok::<LaneList>().refuses(&[NotFound]),
    op(Put, "/api/queue/admin/:eventId/lanes", ADMIN_QUEUE, "Sets lanes.").body::<LaneList>().ok::<LaneList>().refuses(&[NotFound, Conflict]).writes(),
    op(Post, "/api/queue/admin/:eventId/lanes/members", ADMIN_QUEUE, "Puts people into a lane.").body::<LaneMembersRequest>()
        .ok::<LaneMembersAnswer>().refuses(&[NotFound, NotFoundInBody]).writes(),
    op(Post, "/api/queue/admin/:eventId/lobby", ADMIN_QUEUE, "Opens a lobby before a draw.").ok::<LobbyAnswer>().refuses(&[NotFound, Conflict]).writes(),
    op(Post, "/api/queue/admin/:eventId/draw", ADMIN_QUEUE, "Draws the order of the lobby.").body::<DrawRequest>().ok::<QueueMessage>()
        .refuses(&[NotFound, Conflict]).writes(),
    op(Get, "/api/queue/draw/:eventId", QUEUE, "Shows a draw, for whoever computes it again.").query(PAGED).ok::<DrawAnswer>().refuses(&[NotFound]),
    op(Get, "/api/news", NEWS, "Lists news, pinned ones first, then the newest.").query(PAGED).ok::<NewsList>(),
    op(Get, "/api/news/:id", NEWS, "Shows a post and counts the view.").ok::<NewsAnswer>().refuses(&[NotFound]),
    op(Post, "/api/news", NEWS, "Posts.").body::<NewsRequest>().created::<NewsAnswer>().refuses(&[BadId, NotFoundInBody, Conflict]).writes(),
    op(Put, "/api/news/:id", NEWS, "Edits one of the caller's.").body::<NewsEditRequest>().ok::<NewsAnswer>().refuses(&[NotFound, Forbidden]).writes(),
    op(Delete, "/api/news/:id", NEWS, "Deletes one of the caller's; administrators anybody's.").ok::<Done>().refuses(&[NotFound, Forbidden]).writes(),
    op(Get, "/api/admin/dashboard/stats", ADMIN_REPORTS, "Sums and the newest reservations.").ok::<Dashboard>(),
    op(Get, "/api/admin/users", ADMIN_PEOPLE, "Finds accounts, the newest first.").query(USERS).ok::<UserList>(),
    op(Post, "/api/admin/users/:id/suspend", ADMIN_PEOPLE, "Closes an account for now.").body::<SuspendRequest>().ok::<SuspensionAnswer>()
        .refuses(&[NotFound, Conflict]).writes(),
    op(Post, "/api/admin/users/:id/restore", ADMIN_PEOPLE, "Opens it again.").ok::<SuspensionAnswer>().refuses(&[NotFound, Conflict]).writes(),
    op(Get, "/api/admin/users/:id/orders", ADMIN_PEOPLE, "Lists an account's orders, newest first.").query(PAGED).ok::<UserOrders>().refuses(&[NotFound]),
    op(Get, "/api/admin/reports/sales", ADMIN_REPORTS, "Sums of sales by day or event.").query(SALES).ok::<SalesReport>().text(CSV)
        .text(XLSX).refuses(&[NotFound, BadId]),
    op(Get, "/api/admin/audit", ADMIN_REPORTS, "Says who changed what.").query(AUDIT).ok::<AuditList>().refuses(&[NotFound, BadId]),
    op(Get, "/api/admin/seat-layouts", ADMIN_SEATS, "Lists layouts by name.").ok::<LayoutList>(),
    op(Post, "/api/admin/seat-layouts", ADMIN_SEATS, "Makes a layout.").body::<NewLayoutRequest>().created::<LayoutAnswer>().refuses(&[Conflict]).writes(),
    op(Post, "/api/admin/events", ADMIN_EVENTS, "Makes an event, its seats with it.").body::<NewEventRequest>().created::<AdminEventAnswer>()
        .refuses(&[NotFoundInBody, Conflict, BadId]).writes(),
    op(Put, "/api/admin/events/:id", ADMIN_EVENTS, "Edits an event.").body::<EditEventRequest>().ok::<AdminEventAnswer>().refuses(&[NotFound]).writes(),
    op(Post, "/api/admin/events/:id/cancel", ADMIN_EVENTS, "Calls an event off.").ok::<EventCancelledAnswer>().refuses(&[NotFound]).writes(),
    op(Delete, "/api/admin/events/:id", ADMIN_EVENTS, "Ends an event and shows it no more.").ok::<EventDeletedAnswer>().refuses(&[NotFound]).writes(),
    op(Post, "/api/admin/events/:id/duplicate", ADMIN_EVENTS, "Makes another event like it.").body::<DuplicateRequest>().created::<AdminEventAnswer>()
        .refuses(&[NotFound]).writes(),
    op(Post, "/api/admin/events/:id/generate-seats", ADMIN_SEATS, "Makes the seats of its layout.").ok::<SeatsCreatedAnswer>()
        .refuses(&[NotFound, Validation, Conflict]).writes(),
    op(Delete, "/api/admin/events/:id/seats", ADMIN_SEATS, "Takes all its seats away.").ok::<SeatsDeletedAnswer>().refuses(&[NotFound, Conflict]).writes(),
    op(Post, "/api/admin/events/:eventId/tickets", ADMIN_EVENTS, "Adds a ticket type.").body::<NewTicketTypeRequest>().created::<TicketTypeAnswer>()
        .refuses(&[NotFound, Conflict]).writes(),
    op(Put, "/api/admin/tickets/:id", ADMIN_EVENTS, "Replaces a ticket type.").body::<NewTicketTypeRequest>().ok::<TicketTypeAnswer>()
        .refuses(&[NotFound, Conflict]).writes(),
    op(Post, "/api/admin/events/:id/tickets/csv", ADMIN_EVENTS, "Adds ticket types from a table.").query(DRY_RUN).body_of(CSV, bodies::ticket_types)
        .ok::<TicketSheetAnswer>().created::<TicketSheetAnswer>().refuses(&[NotFound, Conflict]).writes(),
    op(Post, "/api/admin/seat-layouts/csv", ADMIN_SEATS, "Makes a layout from a table of sections.").query(LAYOUT_SHEET).body_of(CSV, bodies::sections)
        .ok::<LayoutSheetAnswer>().created::<LayoutSheetAnswer>().refuses(&[Conflict]).writes(),
    op(Post, "/api/admin/events/:id/seats/csv", ADMIN_SEATS, "Takes seats of a table off sale, or puts them back on.").query(SEAT_SHEET)
        .body_of(CSV, bodies::seats).ok::<SeatSheetAnswer>().refuses(&[NotFound, NotFoundInBody, SeatUnavailable, Conflict]).writes(),
    op(Get, "/api/admin/categories", ADMIN_EVENTS, "Lists categories that events have.").ok::<CategoryList>(),
    op(Put, "/api/admin/categories/:name", ADMIN_EVENTS, "Renames a category, or joins it to another.").body::<CategoryRequest>().ok::<CategoryAnswer>()
        .refuses(&[NotFound]).writes(),
    op(Get, "/api/admin/reservations", ADMIN_ORDERS, "Lists anybody's reservations, newest first.").query(RESERVATIONS_OF_ALL).ok::<AdminReservationList>(),
    op(Patch, "/api/admin/reservations/:id/status", ADMIN_ORDERS, "Says what a reservation is to be.").body::<StatusRequest>()
        .ok::<changes::StatusAnswer>().refuses(&[NotFound, Conflict]).writes(),
    op(Post, "/api/admin/events/:id/seats/block", ADMIN_SEATS, "Takes seats off sale.").body::<BlockRequest>().ok::<BlockAnswer>()
        .refuses(&[NotFound, NotFoundInBody, SeatUnavailable]).writes(),
    op(Post, "/api/admin/events/:id/seats/unblock", ADMIN_SEATS, "Puts seats back on sale.").body::<BlockRequest>().ok::<BlockAnswer>()
        .refuses(&[NotFound, NotFoundInBody, Conflict]).writes(),
    op(Get, "/api/admin/users/:idOrEmail", ADMIN_PEOPLE, "Shows an account.").ok::<UserAnswer>().refuses(&[NotFound, BadId]),
    op(Put, "/api/admin/users/:id/role", ADMIN_PEOPLE, "Changes what an account may do.").body::<RoleRequest>().ok::<RoleAnswer>().refuses(&[NotFound]).writes(),
    op(Get, "/api/admin/orders/:idOrNumber", ADMIN_ORDERS, "Shows the whole life of an order.").ok::<OrderAnswer>().refuses(&[NotFound, BadId]),
    op(Post, "/api/admin/orders/:id/cancel", ADMIN_ORDERS, "Cancels anybody's order.").ok::<OrderCancelledAnswer>()
        .refuses(&[NotFound, AlreadyCancelled, HoldExpired, Conflict]).writes(),
    op(Get, "/api/admin/payments", ADMIN_ORDERS, "Lists charges, newest first.").query(CHARGES).ok::<ChargeList>(),
    op(Post, "/api/admin/payments/reconcile", ADMIN_ORDERS, "Asks providers about all that is not settled.").ok::<ReconcileAnswer>().writes(),
    op(Post, "/api/admin/payments/compare", ADMIN_ORDERS, "Holds the providers' lists of a day against the books.").body::<CompareRequest>().ok::<CompareAnswer>(),
    op(Post, "/api/admin/payments/:orderId/end", ADMIN_ORDERS, "Ends a payment whose outcome its provider does not say.").ok::<EndAnswer>().refuses(&[NotFound, Conflict]).writes(),
    op(Post, "/api/admin/payments/:orderId/refunded-by-hand", ADMIN_ORDERS, "Notes that refused refunds reached the buyer another way.").ok::<EndAnswer>().refuses(&[NotFound, Conflict]).writes(),
    op(Get, "/api/admin/stats", ADMIN_REPORTS, "Numbers of the installation.").query(OF_EVENT).ok::<Stats>().refuses(&[NotFound, BadId]),
    op(Get, "/socket.io", SOCKETS, "Engine.IO 4 and Socket.IO 5 over WebSocket.").query(ENGINE_IO).bare(101).json::<Refusal>(400),
    op(Post, "/socket.io", SOCKETS, "Refused: there is no polling.").body_of("text/plain", bodies::anything).json::<Refusal>(400),
    op(Get, "/ws", SOCKETS, "The compact dialect over WebSocket.").query(MAP).bare(101).refuses(&[BadId, NotFound]),
    op(Post, "/api/image/upload", IMAGES, "Keeps a picture in several widths.").body_of(FORM, bodies::picture).ok::<UploadAnswer>()
        .refuses(&[Unavailable]),
    op(Get, "/images/:name", IMAGES, "Shows a picture.").text("image/jpeg").text("image/webp").refuses(&[NotFound, Unavailable]),
    op(Get, "/health", HEALTH, "The process answers.").ok::<Health>(),
    op(Get, "/health/db", HEALTH, "The log takes records.").ok::<StoreHealth>().json::<StoreHealth>(503),
    op(Get, "/health/redis", HEALTH, "The same store in its other role.").ok::<StoreHealth>().json::<StoreHealth>(503),
    op(Get, "/health/all", HEALTH, "Everything at once.").ok::<AllHealth>().json::<AllHealth>(503),
    op(Get, "/livez", HEALTH, "A restart would gain nothing.").ok::<Probe>().json::<Probe>(503),
    op(Get, "/readyz", HEALTH, "Requests are welcome.").ok::<Probe>().json::<Probe>(503),
    op(Get, "/metrics", HEALTH, "Prometheus text 0.0.4.").text("text/plain"),
    op(Get, "/api-docs", DOCS, "This page; without a slash at the end, the way to it.").text(HTML).bare(301),
    op(Get, "/api-docs/openapi.json", DOCS, "This document.").text(JSON).bare(304),
];
