//! The engine from outside: random histories against the fold, and real threads against each other.

#![allow(clippy::unwrap_used)]

mod booking;
mod catalog;
mod circles;
mod dependencies;
mod histories;
mod house;
mod money;
mod queue;
mod storms;
