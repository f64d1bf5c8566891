//! Sockets over real connections: both dialects, what is malformed, and who is slow.

mod bad_input;
mod client;
mod conformance;
mod frontend;
mod handshake;
mod life;
mod line;
mod maps;
mod seats;
mod suspended;
