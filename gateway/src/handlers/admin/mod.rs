//! What administrators do (contract/http.md 2.9, and beyond it `gateway/PROTOCOL.md`).

pub(crate) mod audit;
pub(crate) mod categories;
pub(crate) mod dashboard;
pub(crate) mod events;
pub(crate) mod layouts;
pub(crate) mod orders;
pub(crate) mod payments;
pub(crate) mod reports;
pub(crate) mod reservations;
pub(crate) mod seats;
pub(crate) mod sheets;
pub(crate) mod stats;
pub(crate) mod ticket_types;
pub(crate) mod users;
