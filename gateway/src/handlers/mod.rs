//! What carries requests out, one file for each resource.

pub(crate) mod admin;
pub(crate) mod auth;
pub(crate) mod docs;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod images;
pub(crate) mod lanes;
pub(crate) mod lottery;
pub(crate) mod metrics;
pub(crate) mod news;
pub(crate) mod payments;
pub(crate) mod queue;
pub(crate) mod reservations;
pub(crate) mod seats;
pub(crate) mod sockets;
pub(crate) mod tickets;
