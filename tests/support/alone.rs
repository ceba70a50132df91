//! Tests that have the machine for themselves.

use std::{
    future::Future,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::{runtime, time::timeout};

/// Runs what a test does: within `limit`, and not while another test of this program runs.
///
/// # Panics
///
/// When the test does, or takes too long.
pub(crate) fn run(limit: Duration, test: impl Future<Output = ()>) {
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
        .expect("a runtime");
    runtime.block_on(async {
        let done = timeout(limit, test).await;
        done.expect("the test took too long");
    });
}
