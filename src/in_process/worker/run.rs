//! A worker's life.

use std::{io, process::ExitCode, time::Duration};

use tokio::time::{Instant, Interval, interval, sleep, timeout_at};
use tracing::{debug, error, info};

use super::{
    Worker,
    channel::{self, Orders, Reports},
    direct::Direct,
    forwarded::Forwarded,
    memory, unix,
};
use crate::{
    error::SubStatus,
    in_process::{
        App, Failure, Running,
        signals::{self, Signals},
    },
    supervisor::worker::protocol::{Load, Order, Report, VERSION},
};

/// The exit code of a worker whose app could not be hosted. What is to be known of it, its parent was told.
const UNHOSTED: i32 = 1;
/// How long a worker that failed to stop its app waits to be killed.
const FAREWELL: Duration = Duration::from_secs(5);
/// How often the parent is told what is under way, if that changes.
const TELL: Duration = Duration::from_millis(250);

/// Never returns: what an app leaves behind in a process ends with that.
pub(super) fn run<A: App>(worker: Worker, app: A) -> ExitCode {
    memory::keep();
    let served = || -> io::Result<i32> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .thread_name("ancm-worker")
            .enable_all()
            .build()?;
        let code = runtime.block_on(live(worker, app))?;
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
#[derive(Debug)]
enum End {
    /// The app has ended, with this code.
    App(i32),
    /// Somebody wants it to, within this time.
    Asked(Duration),
    /// There is no parent any more.
    Orphaned,
}

async fn live<A: App>(worker: Worker, app: A) -> io::Result<i32> {
    let Worker {
        settings,
        token,
        channel,
        listener,
        front,
        signals,
        log: _,
    } = worker;
    let (orders, reports) = channel::open(channel)?;
    let mut post = Post {
        orders,
        reports,
        signals: signals.listen()?,
        direct: None,
        told: Load::default(),
        ticks: interval(TELL),
        limit: settings.shutdown_limit,
    };
    let started = tokio::select! {
        started = app.start(&settings) => started,
        end = post.end() => {
            info!(?end, "Worker ends before its app has started");
            return Ok(UNHOSTED);
        }
    };
    let mut running = match started {
        Ok(running) => running,
        Err(failure) => return Ok(post.unhosted(&failure).await),
    };
    let both_ways = Direct::serve(front, &settings, running.service(), A::Running::service_of)
        .and_then(|direct| {
            let forwarded = Forwarded::serve(listener, &token, &settings, running.service())?;
            Ok((direct, forwarded))
        });
    let forwarded = match both_ways {
        Ok((direct, forwarded)) => {
            post.direct = direct;
            forwarded
        }
        Err(error) => {
            let reason = format!("the worker can't serve: {error}");
            let failure = Failure::new(SubStatus::Other, reason);
            return Ok(post.unhosted(&failure).await);
        }
    };
    post.tell(&Report::Ready { version: VERSION }).await;
    let end = tokio::select! {
        code = running.ended() => End::App(code),
        end = post.end() => end,
    };
    Ok(post.finish(end, running, forwarded).await)
}

/// What a worker hears and says while its app runs.
struct Post {
    orders: Orders,
    reports: Reports,
    signals: Signals,
    direct: Option<Direct>,
    /// What the parent was last told to be under way.
    told: Load,
    ticks: Interval,
    /// How long the app may take to stop, where nobody says.
    limit: Duration,
}

impl Post {
    async fn tell(&mut self, report: &Report) {
        self.reports.tell(report).await;
    }

    /// Tells why, and gives the exit code.
    async fn unhosted(&mut self, failure: &Failure) -> i32 {
        debug!(%failure, "App could not be hosted");
        self.tell(&Report::Failed(failure.into())).await;
        UNHOSTED
    }

    /// Does what it is told, until somebody wants the worker to end.
    async fn end(&mut self) -> End {
        loop {
            tokio::select! {
                order = self.orders.next() => match order {
                    None => return End::Orphaned,
                    Some(Order::Stop { limit_ms }) => {
                        return End::Asked(Duration::from_millis(limit_ms));
                    }
                    Some(order) => self.obey(&order).await,
                },
                signal = self.signals.next() => {
                    info!(signal = signals::name(signal), "Worker stops: a signal says so");
                    return End::Asked(self.limit);
                }
                () = drained(&mut self.direct) => {
                    self.direct = None;
                    self.tell(&Report::Drained).await;
                }
                _ = self.ticks.tick() => self.tell_load().await,
            }
        }
    }

    async fn obey(&mut self, order: &Order) {
        match (order, &self.direct) {
            (Order::Accept, Some(direct)) => direct.accept(),
            (Order::Drain, Some(direct)) => direct.drain(),
            (Order::Drain, None) => self.tell(&Report::Drained).await,
            (Order::Accept | Order::Host(_) | Order::Stop { .. }, _) => {}
        }
    }

    async fn tell_load(&mut self) {
        let load = self.direct.as_ref().map(Direct::load).unwrap_or_default();
        if load != self.told {
            self.told = load;
            self.tell(&Report::Load(load)).await;
        }
    }

    /// Lets the app and its requests come to their end, and gives the exit code.
    async fn finish<R: Running>(mut self, end: End, mut app: R, forwarded: Forwarded) -> i32 {
        let limit = match end {
            End::App(code) => {
                self.tell(&Report::Exiting { code }).await;
                return code;
            }
            // Nobody waits for what it does, and nobody would end it.
            End::Orphaned => return UNHOSTED,
            End::Asked(limit) => limit,
        };
        let deadline = Instant::now() + limit;
        app.stop(limit);
        let direct = self.direct.take();
        let direct = async {
            if let Some(direct) = direct {
                direct.finish().await;
            }
        };
        let all = async { tokio::join!(app.ended(), forwarded.finish(), direct).0 };
        match timeout_at(deadline, all).await {
            Ok(code) => {
                self.tell(&Report::Exiting { code }).await;
                code
            }
            Err(_) => {
                error!(?limit, "App did not stop in time");
                // Its parent kills it, and knows then that it had to.
                sleep(FAREWELL).await;
                UNHOSTED
            }
        }
    }
}

/// Waits for the end of a drain. Never, where there is nothing to drain.
async fn drained(direct: &mut Option<Direct>) {
    match direct {
        Some(direct) => direct.drained().await,
        None => std::future::pending().await,
    }
}
