//! The HTTP gateway: carries requests to the engine and answers once their records are durable.
//!
//! Reading order: [`config`] says how it runs, [`app`] wires it, `server` takes a request through its
//! steps, `routes` is the table, `handlers` carry requests out, `fanout` tells whoever looks. [`api`]
//! is the wire. No seat rule is decided here.

mod access_log;
pub mod api;
pub mod app;
mod audit;
mod auth;
mod catalog_view;
pub mod clock;
mod compression;
pub mod config;
mod connections;
mod cors;
mod docs;
mod doors;
mod error;
mod event_plans;
mod fanout;
mod handlers;
mod http;
mod idempotency;
mod images;
mod instants;
mod kept_bodies;
mod metrics;
mod order_view;
mod orders;
pub mod payments;
mod pool;
pub mod proxies;
pub mod rate_limit;
mod refusals;
mod request_id;
mod routes;
mod sales_report;
mod sample_data;
pub mod search;
mod seat_maps;
mod security;
pub mod seed;
mod server;
mod sheet;
pub mod shutdown;
mod stream;
mod tally;

pub use error::Code;
