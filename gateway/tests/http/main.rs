//! The gateway over real sockets, one binary for the crate.

mod admin;
mod auth;
mod best;
mod catalog;
mod changes;
mod connections;
mod documented;
mod drain;
mod idempotency;
mod journeys;
mod numbers;
mod operations;
mod payments;
mod protocol;
mod queue;
mod races;
mod reservations;
mod sample;
mod seats;
mod settings;
mod sheets;
mod shop;
mod sockets;
mod support;
mod surface;
