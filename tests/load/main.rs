//! The process manager under load: processes come, go, crash and are stolen from, and nobody who asks is let down.
//!
//! Everything is real: the front, the sockets, the app's processes. Each test has the machine for itself, is bounded in
//! number and in time, and waits for events: the only times in it are limits.
//!
//! What needs a shell, a stopped process or ASP.NET Core is not there on Windows.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "../support/mod.rs"]
mod support;

#[cfg(unix)]
mod budget;
mod clients;
mod kills;
#[cfg(unix)]
mod listener;
#[cfg(target_os = "linux")]
mod module;
mod offline;
mod restarts;
#[cfg(unix)]
mod several;
mod site;
mod thief;
#[cfg(windows)]
mod users;
#[cfg(unix)]
mod worker;

use std::{future::Future, time::Duration};

/// How long a test may take, on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(if cfg!(windows) { 300 } else { 100 });

/// Runs what a test does: within the limit, and not while another test of this program runs.
fn run(test: impl Future<Output = ()>) {
    support::alone::run(LIMIT, test);
}
