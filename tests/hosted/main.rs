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

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{runtime, time::timeout};

/// How long a test may take, on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(300);

/// Runs what a test does: within the limit, and not while another test of this program runs.
fn run(test: impl Future<Output = ()>) {
    static TURN: Mutex<()> = Mutex::new(());
    // What has to be built or fetched is before any limit.
    site::prepare();
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
