//! A worker's life.

use std::{io, process::ExitCode, time::Duration};

use tokio::{
    sync::mpsc,
    time::{Instant, sleep, timeout_at},
};
use tracing::{debug, error, info};

use super::{
    Worker, channel,
    channel::{Orders, Reports},
    forwarded::Forwarded,
    unix,
};
use crate::{
    error::SubStatus,
    in_process::{App, Failure, Running},
    supervisor::worker::protocol::{Order, Report, VERSION},
};

/// The exit code of a worker whose app could not be hosted. What is to be known of it, its parent was told.
const UNHOSTED: i32 = 1;
/// What is left of a limit for the end itself.
const FAREWELL: Duration = Duration::from_millis(250);

/// Never returns: what an app leaves behind in a process ends with that.
pub(super) fn run<A: App>(worker: Worker, app: A) -> ExitCode {
    let served = || -> io::Result<i32> {
        let signals = unix::signals()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("ancm-worker")
            .enable_all()
            .build()?;
        let code = runtime.block_on(live(worker, app, signals))?;
        runtime.shutdown_background();
        Ok(code)
    };
    let code = served().unwrap_or_else(|error| {
        error!(%error, "Worker failed");
        UNHOSTED
    });
    unix::exit(code)
}

/// Why a worker ends.
enum End {
    /// The app has ended, with this code.
    App(i32),
    /// Somebody wants it to, within this time.
    Asked(Duration),
    /// There is no parent any more.
    Orphaned,
}

async fn live<A: App>(
    worker: Worker,
    app: A,
    mut signals: mpsc::Receiver<&'static str>,
) -> io::Result<i32> {
    let Worker {
        settings,
        token,
        channel,
        listener,
        front: _,
        log: _,
    } = worker;
    let (mut orders, mut reports) = channel::open(channel)?;
    let started = tokio::select! {
        started = app.start(&settings) => started,
        end = asked(&mut orders, &mut signals, settings.shutdown_limit) => {
            info!(end = end.name(), "Worker ends before its app has started");
            return Ok(UNHOSTED);
        }
    };
    let mut running = match started {
        Ok(running) => running,
        Err(failure) => return Ok(unhosted(&mut reports, &failure).await),
    };
    let forwarded = match Forwarded::serve(listener, &token, &settings, running.service()) {
        Ok(forwarded) => forwarded,
        Err(error) => {
            let reason = format!("the worker can't serve: {error}");
            return Ok(unhosted(&mut reports, &Failure::new(SubStatus::Other, reason)).await);
        }
    };
    reports.tell(&Report::Ready { version: VERSION }).await;
    let end = tokio::select! {
        code = running.ended() => End::App(code),
        end = asked(&mut orders, &mut signals, settings.shutdown_limit) => end,
    };
    Ok(finish(end, running, forwarded, &mut reports).await)
}

/// Tells why, and gives the exit code.
async fn unhosted(reports: &mut Reports, failure: &Failure) -> i32 {
    debug!(%failure, "App could not be hosted");
    reports.tell(&Report::Failed(failure.into())).await;
    UNHOSTED
}

/// Waits until somebody wants the worker to end.
async fn asked(
    orders: &mut Orders,
    signals: &mut mpsc::Receiver<&'static str>,
    limit: Duration,
) -> End {
    loop {
        tokio::select! {
            order = orders.next() => match order {
                None => return End::Orphaned,
                Some(Order::Stop { limit_ms }) => {
                    return End::Asked(Duration::from_millis(limit_ms));
                }
                Some(Order::Accept | Order::Drain) => {}
                Some(Order::Host(_)) => debug!("Parent says twice what to host"),
            },
            Some(signal) = signals.recv() => {
                info!(signal, "Worker stops: a signal says so");
                return End::Asked(limit);
            }
        }
    }
}

/// Lets the app and its requests come to their end, and gives the exit code.
async fn finish<R: Running>(
    end: End,
    mut running: R,
    forwarded: Forwarded,
    reports: &mut Reports,
) -> i32 {
    let limit = match end {
        End::App(code) => {
            reports.tell(&Report::Exiting { code }).await;
            return code;
        }
        // Nobody waits for what it does, and nobody would end it.
        End::Orphaned => return UNHOSTED,
        End::Asked(limit) => limit,
    };
    let deadline = Instant::now() + limit;
    running.stop(limit);
    let both = async { tokio::join!(running.ended(), forwarded.finish()).0 };
    match timeout_at(deadline, both).await {
        Ok(code) => {
            reports.tell(&Report::Exiting { code }).await;
            code
        }
        Err(_) => {
            error!(?limit, "App did not stop in time");
            // The parent kills what is left.
            sleep(FAREWELL).await;
            UNHOSTED
        }
    }
}

impl End {
    const fn name(&self) -> &'static str {
        match self {
            Self::App(_) => "the app has ended",
            Self::Asked(_) => "it was asked to",
            Self::Orphaned => "its parent is gone",
        }
    }
}
