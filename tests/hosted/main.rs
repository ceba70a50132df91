//! An ASP.NET Core app in a worker, with what leans on its server, and with every fault that an app can have.
//!
//! `tests/aspnetcore/FullApp` is the app. Everything is real: the front, the worker (`ancm worker`), CoreCLR, the sockets. Each
//! test has the machine for itself, is bounded, and waits for events: the only times in it are limits.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

mod blocking;
mod bodies;
mod connection;
mod faults;
mod here;
mod layouts;
mod leaving;
mod limits;
mod memory;
mod middleware;
mod settings;
mod signalr;
mod site;
mod starts;
mod user;

use site::run;
use support::apps::Published;

/// Whether the framework says when a host is built, as it does from .NET 6 on.
const SAYS_WHEN_A_HOST_IS_BUILT: bool = false;

/// What is hosted: as the SDK publishes it. `modern.rs` has the other.
fn published() -> &'static Published {
    support::apps::published()
}
