//! Serves until a signal says stop.

use std::{future::Future, io, pin::Pin, sync::Arc, time::Duration};

use ancm::{
    Connection, Host,
    error::chain,
    front::{Bound, Drained, Standby},
    supervisor::Supervisor,
};
use tokio::time::{Instant, interval};
use tokio_util::sync::CancellationToken;
use tower_layer::Layer as _;
use tracing::{info, warn};

use super::{Target, Workers};
use crate::{args::Control, control, failure::Failure, signals::Signals, site::Live};

/// Serves `target` on `bound` until a signal says stop, then drains and stops the app.
pub(crate) fn serve(
    bound: Bound,
    live: Option<Live>,
    target: Target,
    control: &Control,
    workers: &Workers,
) -> Result<(), Failure> {
    block_on(async {
        let mut signals = Signals::listen()
            .map_err(|error| Failure::other(format_args!("can't listen for signals: {error}")))?;
        let folder = target
            .config()
            .map(|config| config.content_root().to_owned());
        let live = live.map(Arc::new);
        let host = target.host(bound.https_port(), workers, live.clone())?;
        if let Some(operated) = host.operated() {
            control::listen(control, folder.as_deref(), operated)?;
        }
        for endpoint in bound.endpoints() {
            info!(address = %endpoint.address(), scheme = %endpoint.scheme(), "Listening");
        }
        let stop = CancellationToken::new();
        let (standby, supervisor) = (bound.standby().clone(), host.supervisor().cloned());
        tokio::select! {
            biased;
            served = until(bound, live, host, stop.clone()) => served,
            never = follow(&standby, supervisor) => match never {},
            never = stop_by(&mut signals, &stop) => match never {},
        }
    })?
}

/// Has the front stand by while a worker accepts.
async fn follow(standby: &Standby, supervisor: Option<Supervisor>) -> std::convert::Infallible {
    match supervisor {
        Some(supervisor) => standby.follow(&supervisor).await,
        None => std::future::pending().await,
    }
}

async fn until(
    bound: Bound,
    live: Option<Arc<Live>>,
    host: Host,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let mut serving = serving(bound, live, host.clone(), stop.clone());
    let served = tokio::select! {
        biased;
        served = &mut serving => served,
        // The app closes its WebSockets only when it is told to stop, so the front can't be waited for first.
        () = only_tunnels_left(&host, &stop) => {
            host.shutdown().await;
            serving.await
        }
    };
    host.shutdown().await;
    let drained = served
        .map_err(|error| Failure::other(format_args!("the front failed: {}", chain(&error))))?;
    info!(
        cut.connections = drained.cut_connections,
        cut.tunnels = drained.cut_tunnels,
        "Stopped"
    );
    Ok(())
}

/// Without the layers for TLS where nothing of them is wanted, so that nobody pays for them.
fn serving(
    bound: Bound,
    live: Option<Arc<Live>>,
    host: Host,
    stop: CancellationToken,
) -> Pin<Box<dyn Future<Output = io::Result<Drained>>>> {
    let stopped = stop.cancelled_owned();
    match live.and_then(|live| live.layers().cloned()) {
        None => Box::pin(bound.serve(move |connection| host.for_connection(connection), stopped)),
        Some(layers) => {
            let make = move |connection: Connection| {
                let layers = layers.load();
                let redirect = layers.redirect.for_connection(&connection);
                let hsts = layers.hsts.for_connection(&connection);
                redirect.layer(hsts.layer(host.for_connection(connection)))
            };
            Box::pin(bound.serve(make, stopped))
        }
    }
}

/// Waits, once the front drains, until whatever is under way is a tunnel. Looks twice: a connection may just have come.
async fn only_tunnels_left(host: &Host, stop: &CancellationToken) {
    stop.cancelled().await;
    let mut looks = interval(Duration::from_millis(50));
    let mut quiet = 0;
    while quiet < 2 {
        looks.tick().await;
        let tunnels = host.tunnels().len();
        let only = tunnels > 0 && host.in_flight() <= tunnels;
        quiet = if only { quiet + 1 } else { 0 };
    }
}

/// What comes so soon after a signal is the same one: `timeout` signals its command and its group, a terminal that closes
/// sends more than one, and no hand is so fast.
const ONE_SIGNAL: Duration = Duration::from_millis(200);

/// Stops with the first signal, and at once with the second.
async fn stop_by(signals: &mut Signals, stop: &CancellationToken) -> std::convert::Infallible {
    let signal = signals.next().await;
    info!(signal, "Stopping; a second signal stops at once");
    stop.cancel();
    let first = Instant::now();
    let signal = loop {
        let signal = signals.next().await;
        if first.elapsed() >= ONE_SIGNAL {
            break signal;
        }
    };
    warn!(signal, "Stopped at once");
    // Nothing is waited for. The app's processes die with this one.
    std::process::exit(1)
}

/// Runs `work` to its end, here: what needs more threads has its own.
pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::other(format_args!("can't start a runtime: {error}")))?;
    Ok(runtime.block_on(work))
}
