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
    owner::ListenerOwner,
    place::Place,
    probe::Probe,
    process::{Exit, Process},
    ready::{self, Listening, NotReady},
    start::Failed,
};
use crate::{
    PairingToken,
    config::{Config, Protocol},
    error::{Stage, StartFailure, SubStatus},
    proxy::{Address, Backend, Owner},
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
            Place::Here => ready::made(process, limit).await,
            #[cfg(unix)]
            Place::Inherited(address) => self.taken(&Address::Tcp(*address), false, limit).await,
            #[cfg(unix)]
            Place::InheritedSocket(socket) => self.taken(&socket.address(), false, limit).await,
            #[cfg(unix)]
            Place::Socket(socket) => self.taken(&socket.address(), true, limit).await,
            #[cfg(all(unix, feature = "in-process"))]
            Place::Worker {
                channel, socket, ..
            } => hosting(process, channel, limit).await.map(|()| Listening {
                pid: process.id(),
                address: socket.address(),
            }),
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
            protocol: self.protocol(),
        }
    }

    /// What is spoken with the process. A worker is ours, and speaks what we always do.
    fn protocol(&self) -> Protocol {
        if self.child.place().is_in_process() {
            Protocol::Http1
        } else {
            self.config.forwarding.protocol
        }
    }

    fn owner(&self, address: &Address) -> ListenerOwner<P> {
        ListenerOwner::new(self.child.process().clone(), address.clone())
    }

    fn generation(self, listening: Listening) -> Generation<P> {
        let address = listening.address.clone();
        let protocol = self.protocol();
        let Some(token) = self.token else {
            let backend = Backend::fixed(address).speaking(protocol);
            return Generation::new(self.child, backend, listening);
        };
        #[cfg(all(unix, feature = "in-process"))]
        if self.child.place().is_worker() {
            let backend = Backend::worker(address, token);
            return Generation::new(self.child, backend, listening);
        }
        // Nobody has to be asked whose a socket of ours is.
        let owner = matches!(address, Address::Tcp(_)).then(|| {
            let process = self.child.process().clone();
            Arc::new(ListenerOwner::new(process, address.clone())) as Arc<dyn Owner>
        });
        let backend = Backend::paired(address, token, owner).speaking(protocol);
        Generation::new(self.child, backend, listening)
    }

    async fn failed(self, why: NotReady) -> Box<Failed> {
        let elapsed = self.begin.elapsed();
        let exit = self.end().await;
        let limit = self.config.startup_time_limit;
        let (label, stage, reason) = (self.child.label(), self.stage(&why), self.reason(&why));
        let mut failure = StartFailure::new(stage, reason, self.config.command.to_string());
        failure.pid = Some(label.pid);
        failure.port = label.port;
        // How a process ended that we killed says nothing about the app.
        failure.exit = exit
            .filter(|_| stage == Stage::Exited)
            .map(|exit| exit.to_string());
        (failure.elapsed, failure.limit) = (elapsed, limit);
        failure.output = self.child.output().text();
        // ANCM: in process a start is tried once. Differs from ANCM: its failure is not that of all requests until somebody
        // recycles; the next one starts the next worker.
        let critical = self.child.place().is_in_process();
        if critical {
            failure.sub_status = Some(why.sub_status());
            failure.detail = why.detail();
        }
        Box::new(Failed { failure, critical })
    }

    const fn stage(&self, why: &NotReady) -> Stage {
        match (why, self.child.place()) {
            (NotReady::TimedOut(_), Place::Here) => Stage::Hosting,
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
            Self::Failed(_) => Stage::Hosting,
            #[cfg(all(unix, feature = "in-process"))]
            Self::Unhosted(_) => Stage::Hosting,
        }
    }

    /// Which of the module's numbers it is, where it is a worker.
    fn sub_status(&self) -> SubStatus {
        match self {
            Self::TimedOut(_) | Self::Unhealthy(_) => SubStatus::StartTimeout,
            Self::Exited(_) | Self::Gone(_) | Self::Stranger(_) | Self::Failed(_) => {
                SubStatus::Start
            }
            #[cfg(all(unix, feature = "in-process"))]
            Self::Unhosted(failed) => SubStatus::of(failed.sub_status),
        }
    }

    /// The app's exception, where a worker told it.
    fn detail(&self) -> Option<String> {
        match self {
            Self::Exited(_)
            | Self::TimedOut(_)
            | Self::Stranger(_)
            | Self::Unhealthy(_)
            | Self::Gone(_)
            | Self::Failed(_) => None,
            #[cfg(all(unix, feature = "in-process"))]
            Self::Unhosted(failed) => failed.detail.clone(),
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
            #[cfg(all(unix, feature = "in-process"))]
            Self::Unhosted(failed) => failed.reason.clone(),
            Self::Stranger(None) => "another process listens on the port".to_owned(),
        }
    }
}

/// Waits until a worker says that the app takes requests.
#[cfg(all(unix, feature = "in-process"))]
async fn hosting<P: Process>(
    process: &P,
    channel: &super::worker::Channel,
    limit: Duration,
) -> Result<(), NotReady> {
    let told = async {
        match channel.outcome().await {
            Some(outcome) => outcome.map_err(NotReady::Unhosted),
            None => Err(NotReady::Exited(process.exited().await)),
        }
    };
    tokio::select! {
        biased;
        // Before its end: it says why it ends.
        told = timeout(limit, told) => told.unwrap_or(Err(NotReady::TimedOut(None))),
        exit = exited(process, channel) => Err(NotReady::Exited(exit)),
    }
}

/// Waits for the end of a worker of which no last word is to come: what it started may hold its channel.
#[cfg(all(unix, feature = "in-process"))]
async fn exited<P: Process>(process: &P, channel: &super::worker::Channel) -> Exit {
    const LAST_WORD: Duration = Duration::from_millis(200);
    let exit = process.exited().await;
    let _ = timeout(LAST_WORD, channel.outcome()).await;
    exit
}
