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

use std::{future::Future, time::Duration};

use support::apps::Published;

/// Whether the framework says when a host is built, as it does from .NET 6 on.
const SAYS_WHEN_A_HOST_IS_BUILT: bool = true;

/// What is hosted.
fn published() -> &'static Published {
    support::apps::published_modern()
}

/// How long a test may take, on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs what a test does: within the limit, and not while another test of this program runs.
fn run(test: impl Future<Output = ()>) {
    // What has to be built or fetched is before any limit.
    site::prepare();
    support::alone::run(LIMIT, test);
}
