//! A process that was started, until it listens or will not.

use std::sync::Arc;

use tokio::time::{Duration, Instant, timeout};
use tokio_util::sync::CancellationToken;

#[cfg(unix)]
use super::place::taken;
use super::{
    exchange::Peer,
    generation::{Child, Generation, Label},
    output::Output,
    place::Place,
    probe::Probe,
    process::{Exit, Process},
    ready::{self, ListenerOwner, Listening, NotReady},
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
    pub(super) probe: Arc<Probe>,
    pub(super) token: Option<PairingToken>,
    pub(super) begin: Instant,
    pub(super) child: Child<P>,
}

impl<P: Process> Attempt<P> {
    pub(super) const fn label(&self) -> &Label {
        self.child.label()
    }

    /// What it writes.
    pub(super) fn output(&self) -> Output {
        Output::of(self.label(), self.child.output())
    }

    /// Waits until the process listens. When `cancel` says so, it is killed and gone: `None`.
    pub(super) async fn run(
        self,
        cancel: CancellationToken,
    ) -> Option<Result<Generation<P>, Box<Failed>>> {
        let seen = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            seen = self.ready() => Some(seen),
        };
        match seen {
            None => {
                self.end().await;
                None
            }
            Some(Ok(listening)) => Some(Ok(self.generation(listening))),
            Some(Err(why)) => Some(Err(self.failed(why).await)),
        }
    }

    /// Waits until the process listens and passes its probe.
    async fn ready(&self) -> Result<Listening, NotReady> {
        let process = self.child.process();
        let limit = self.config.startup_time_limit;
        let listening = self.listening(limit).await?;
        let peer = self.peer(&listening.address);
        let left = limit.saturating_sub(self.begin.elapsed());
        tokio::select! {
            biased;
            passed = self.probe.pass(&peer, left) => passed.map_err(NotReady::Unhealthy)?,
            exit = ready::gone(process, &listening) => return Err(NotReady::Gone(exit)),
        }
        Ok(listening)
    }

    /// Waits until the process is to be found in its place.
    async fn listening(&self, limit: Duration) -> Result<Listening, NotReady> {
        let (process, place) = (self.child.process(), self.child.place());
        match place {
            Place::Port(port) => ready::listening(process, *port, limit).await,
            Place::InProcess => ready::made(process, limit).await,
            #[cfg(unix)]
            Place::Inherited(address) => self.taken(&Address::Tcp(*address), false, limit).await,
            #[cfg(unix)]
            Place::InheritedSocket(socket) => self.taken(&socket.address(), false, limit).await,
            #[cfg(unix)]
            Place::Socket(socket) => self.taken(&socket.address(), true, limit).await,
        }
    }

    /// Waits until the process is at `address`, where it `opens` the socket itself or has inherited it.
    #[cfg(unix)]
    async fn taken(
        &self,
        address: &Address,
        opens: bool,
        limit: Duration,
    ) -> Result<Listening, NotReady> {
        taken(self.child.process(), &self.peer(address), opens, limit).await
    }

    fn peer(&self, address: &Address) -> Peer<'_, ListenerOwner<P>> {
        Peer {
            address: address.clone(),
            token: self.token.as_ref(),
            owner: self.owner(address),
            path_base: &self.config.path_base,
        }
    }

    fn owner(&self, address: &Address) -> ListenerOwner<P> {
        ListenerOwner {
            process: self.child.process().clone(),
            address: address.clone(),
        }
    }

    fn generation(self, listening: Listening) -> Generation<P> {
        let owner = Arc::new(self.owner(&listening.address));
        let address = listening.address.clone();
        let backend = match self.token {
            Some(token) => Backend::paired(address, token, Some(owner)),
            None => Backend::fixed(address),
        };
        Generation::new(self.child, backend, listening)
    }

    async fn failed(self, why: NotReady) -> Box<Failed> {
        let elapsed = self.begin.elapsed();
        let exit = self.end().await;
        let limit = self.config.startup_time_limit;
        let (label, stage, reason) = (self.child.label(), self.stage(&why), self.reason(&why));
        let mut failure = StartFailure::new(stage, reason, self.config.command.to_string());
        failure.in_process = self.is_in_process();
        failure.pid = Some(label.pid);
        failure.port = label.port;
        // How a process ended that we killed says nothing about the app.
        failure.exit = exit
            .filter(|_| stage == Stage::Exited)
            .map(|exit| exit.to_string());
        (failure.elapsed, failure.limit) = (elapsed, limit);
        failure.output = self.child.output().text();
        Box::new(Failed {
            // ANCM: an app of this process is started once.
            critical: failure.in_process,
            failure,
        })
    }

    const fn is_in_process(&self) -> bool {
        matches!(self.child.place(), Place::InProcess)
    }

    const fn stage(&self, why: &NotReady) -> Stage {
        match (why, self.is_in_process()) {
            (NotReady::TimedOut(_), true) => Stage::AppTimedOut,
            _ => why.stage(),
        }
    }

    fn reason(&self, why: &NotReady) -> String {
        why.reason(self.child.place(), self.config.startup_time_limit)
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
            Self::Unhealthy(_) => Stage::Probe,
            Self::Gone(_) => Stage::Exited,
            Self::Failed(_) => Stage::AppFailed,
        }
    }

    fn reason(&self, place: &Place, limit: Duration) -> String {
        match self {
            Self::Exited(exit) => format!("the process ended with {exit}"),
            Self::TimedOut(None) => {
                let (undone, hint) = place.left_undone();
                let limit = limit.as_secs_f64();
                format!("the process did not {undone} within {limit} s; {hint}")
            }
            Self::TimedOut(Some(error)) => {
                format!("it can't be seen who listens on the port: {error}")
            }
            Self::Unhealthy(last) => format!("the process did not pass its probe: {last}"),
            Self::Gone(Some(exit)) => format!("the process ended with {exit} at its probe"),
            Self::Gone(None) => "the process stopped listening at its probe".to_owned(),
            Self::Failed(reason) => reason.to_string(),
            Self::Stranger(Some(pid)) => format!("process {pid} listens on the port"),
            Self::Stranger(None) => "another process listens on the port".to_owned(),
        }
    }
}
