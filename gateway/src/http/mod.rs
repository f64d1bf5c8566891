//! What handlers see of HTTP: a checked request in, a whole response out.

pub(crate) mod body;
pub(crate) mod query;
mod request;
mod response;

pub(crate) use request::{Page, Params, Request, shortened};
pub(crate) use response::{Audited, Response};
