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

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{runtime, time::timeout};

/// How long a test may take, on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(if cfg!(windows) { 300 } else { 100 });

/// Runs what a test does: within the limit, and not while another test of this program runs.
fn run(test: impl Future<Output = ()>) {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    // What went wrong stands in the output of a test that fails, and `RUST_LOG` asks for more.
    let filter = tracing_subscriber::EnvFilter::try_from_default_env();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter.unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .try_init();
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let done = timeout(LIMIT, test).await;
        done.expect("the test took too long");
    });
}
