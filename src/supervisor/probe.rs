//! What a process has to show before it serves, beyond that it listens.

use std::fmt;

use http::StatusCode;
use tokio::time::{Duration, Instant, sleep, timeout};
use tracing::{debug, warn};

use super::exchange::{Error, Peer};
use crate::{config::Processes, error::chain, proxy::Owner};

/// The longest wait for one answer; then the probe asks again.
const ANSWER: Duration = Duration::from_secs(10);

/// What is asked of a process that listens, before it gets requests. Defaults to nothing.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    /// A path that has to be answered well.
    pub(super) health: Option<String>,
    /// The status of such an answer; `None`: any below 400.
    pub(super) status: Option<StatusCode>,
    /// The pause between two of them.
    pub(super) interval: Duration,
    /// Paths that are asked for once, whatever the answer is.
    pub(super) warm_up: Vec<String>,
}

/// How the last probe went.
#[derive(Debug)]
pub(super) enum Unhealthy {
    Status(StatusCode),
    Failed(Error),
    Silent,
}

impl fmt::Display for Unhealthy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "it answered {}", status.as_u16()),
            Self::Failed(error) => f.write_str(&chain(error)),
            Self::Silent => f.write_str("it did not answer"),
        }
    }
}

impl Probe {
    /// What a configuration asks for.
    pub(super) fn of(kept: &Processes) -> Self {
        Self {
            health: kept.probe_path().map(str::to_owned),
            status: kept.probe_status(),
            interval: kept.probe_interval(),
            warm_up: kept.warm_up().to_vec(),
        }
    }

    fn is_well(&self, status: StatusCode) -> bool {
        match self.status {
            Some(expected) => status == expected,
            None => status.as_u16() < 400,
        }
    }

    /// Probes the app until it is well, then warms it up, all within `limit`.
    ///
    /// A warm-up that takes longer is broken off and does not fail the start.
    pub(super) async fn pass<O: Owner>(
        &self,
        peer: &Peer<'_, O>,
        limit: Duration,
    ) -> Result<(), Unhealthy> {
        let begin = Instant::now();
        if let Some(path) = &self.health {
            self.well(peer, path, limit).await?;
        }
        let left = limit.saturating_sub(begin.elapsed());
        if timeout(left, self.warm_up(peer)).await.is_err() {
            warn!("Warm-up took too long and is broken off");
        }
        Ok(())
    }

    async fn warm_up<O: Owner>(&self, peer: &Peer<'_, O>) {
        for path in &self.warm_up {
            match peer.get(path).await {
                Ok(status) => debug!(path, status = status.as_u16(), "Warmed up"),
                Err(error) => warn!(path, error = %chain(&error), "Warm-up failed"),
            }
        }
    }

    async fn well<O: Owner>(
        &self,
        peer: &Peer<'_, O>,
        path: &str,
        limit: Duration,
    ) -> Result<(), Unhealthy> {
        let begin = Instant::now();
        loop {
            let left = limit.saturating_sub(begin.elapsed());
            let last = match timeout(left.min(ANSWER), peer.get(path)).await {
                Ok(Ok(status)) if self.is_well(status) => return Ok(()),
                Ok(Ok(status)) => Unhealthy::Status(status),
                Ok(Err(error)) => Unhealthy::Failed(error),
                Err(_) => Unhealthy::Silent,
            };
            if begin.elapsed() + self.interval >= limit {
                return Err(last);
            }
            sleep(self.interval).await;
        }
    }
}
