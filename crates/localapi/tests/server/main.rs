//! The server as its clients see it: most of it through kube, in this process; the rest over a socket.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that can't go on says so by panicking, and its helpers are tests too"
)]

mod access;
mod admission;
mod deletion;
mod hostile;
mod objects;
mod socket;
mod watching;
mod world;
