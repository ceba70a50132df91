//! A process that was started, until it listens or will not.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use tokio::time::{Duration, Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    generation::{Child, Generation, Label},
    process::{Exit, Process},
    ready::{self, ListenerOwner, NotReady},
    start::Failed,
};
use crate::{
    PairingToken,
    config::Config,
    error::{Stage, StartFailure},
    proxy::{Address, Backend},
};

/// How long a process that was killed may take to be gone.
const REAP: Duration = Duration::from_secs(5);

/// A process that was started and is not known to listen yet. Dropping it kills the process.
pub(super) struct Attempt<P: Process> {
    pub(super) config: Arc<Config>,
    pub(super) token: PairingToken,
    pub(super) begin: Instant,
    pub(super) child: Child<P>,
}

impl<P: Process> Attempt<P> {
    pub(super) const fn label(&self) -> &Label {
        self.child.label()
    }

    /// Waits until the process listens. When `cancel` says so, it is killed and gone: `None`.
    pub(super) async fn run(
        self,
        cancel: CancellationToken,
    ) -> Option<Result<Generation<P>, Box<Failed>>> {
        let label = self.child.label();
        let limit = self.config.startup_time_limit;
        let seen = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            seen = ready::listening(self.child.process(), label.port, limit) => Some(seen),
        };
        match seen {
            None => {
                self.end().await;
                None
            }
            Some(Ok(listener)) => Some(Ok(self.generation(listener))),
            Some(Err(why)) => Some(Err(self.failed(why).await)),
        }
    }

    fn generation(self, listener: u32) -> Generation<P> {
        let port = self.child.label().port;
        let process = self.child.process().clone();
        let owner = Arc::new(ListenerOwner { process, port });
        // ANCM: always IPv4 loopback.
        let address = Address::Tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let backend = Backend::paired(address, self.token, Some(owner));
        Generation::new(self.child, backend, listener)
    }

    async fn failed(self, why: NotReady) -> Box<Failed> {
        let elapsed = self.begin.elapsed();
        let exit = self.end().await;
        let limit = self.config.startup_time_limit;
        let (label, stage, reason) = (self.child.label(), why.stage(), why.reason(limit));
        let mut failure = StartFailure::new(stage, reason, self.config.command.to_string());
        failure.pid = Some(label.pid);
        failure.port = Some(label.port);
        // How a process ended that we killed says nothing about the app.
        failure.exit = exit
            .filter(|_| stage == Stage::Exited)
            .map(|exit| exit.to_string());
        (failure.elapsed, failure.limit) = (elapsed, limit);
        failure.output = self.child.output().text();
        Box::new(Failed {
            failure,
            critical: false,
        })
    }

    /// Kills the process and its descendants, and waits until it is gone and its output is read.
    async fn end(&self) -> Option<Exit> {
        self.child.process().kill();
        let exit = timeout(REAP, self.child.process().exited()).await.ok();
        self.child.output().finish().await;
        exit
    }
}

impl NotReady {
    const fn stage(&self) -> Stage {
        match self {
            Self::Exited(_) => Stage::Exited,
            Self::TimedOut(_) => Stage::NotListening,
            Self::Stranger(_) => Stage::WrongOwner,
        }
    }

    fn reason(&self, limit: Duration) -> String {
        match self {
            Self::Exited(exit) => format!("the process ended with {exit}"),
            Self::TimedOut(None) => format!(
                "the process did not listen on its port within {} s; it must use the port of ASPNETCORE_PORT",
                limit.as_secs_f64()
            ),
            Self::TimedOut(Some(error)) => {
                format!("it can't be seen who listens on the port: {error}")
            }
            Self::Stranger(Some(pid)) => format!("process {pid} listens on the port"),
            Self::Stranger(None) => "another process listens on the port".to_owned(),
        }
    }
}
