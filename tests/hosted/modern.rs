//! The tests of `main.rs` once more, on .NET 9: the same app, built for it, and begun as its templates begin one.
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
mod hosts;
mod layouts;
mod leaving;
mod limits;
mod memory;
mod middleware;
mod minimal;
mod settings;
mod signalr;
mod site;
mod starts;
mod user;

use site::run;
use support::apps::Published;

/// Whether the framework says when a host is built, as it does from .NET 6 on.
const SAYS_WHEN_A_HOST_IS_BUILT: bool = true;

/// What is hosted.
fn published() -> &'static Published {
    support::apps::published_modern()
}
