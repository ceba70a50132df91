//! The handle: what the rest of the program holds of a supervisor.

use std::{fmt, io, sync::Arc};

use http::{HeaderMap, StatusCode};
use tokio::{
    sync::{Semaphore, mpsc, oneshot},
    time::Duration,
};

use super::{
    Builder,
    affinity::Affinity,
    board::{Entry, View},
    builder::Queue,
    message::{Message, Restarted},
    output::Output,
    status::Status,
};
use crate::{
    config::{Config, Vars},
    error::{Error, Stage, StartFailure},
    proxy::{Lease, Renew},
};

/// Keeps an app's processes; a handle, cheap to clone.
///
/// Dropping the last handle stops the app and ends the supervisor's thread, without waiting for
/// either: a program that is about to end calls [`shutdown`](Self::shutdown) and waits.
#[derive(Clone)]
pub struct Supervisor {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub(super) view: View,
    messages: mpsc::Sender<Message>,
    /// One permit for each request that may wait.
    pub(super) queue: Semaphore,
    queue_limit: usize,
    pub(super) overflow: StatusCode,
    pub(super) queue_time: Duration,
    affinity: Option<Affinity>,
}

impl Supervisor {
    /// A supervisor of the app that `config` describes, with everything else at its default.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread or no event queue.
    pub fn new(config: Arc<Config>, vars: Arc<dyn Vars>) -> io::Result<Self> {
        Self::builder(config, vars).build()
    }

    /// A supervisor to be set up further.
    pub fn builder(config: Arc<Config>, vars: Arc<dyn Vars>) -> Builder {
        Builder::new(config, vars)
    }

    pub(super) fn with(
        view: View,
        messages: mpsc::Sender<Message>,
        queue: Queue,
        queue_time: Duration,
        affinity: Option<Affinity>,
    ) -> Self {
        let queue_limit = queue.limit.min(Semaphore::MAX_PERMITS);
        Self {
            shared: Arc::new(Shared {
                view,
                messages,
                queue: Semaphore::new(queue_limit),
                queue_limit,
                overflow: queue.overflow,
                queue_time,
                affinity,
            }),
        }
    }

    /// The right to send a request to a process that is ready now: no lock, no channel.
    #[must_use]
    pub fn try_lease(&self) -> Option<Lease> {
        self.shared.view.lease().map(|lease| self.renewable(lease))
    }

    /// As [`try_lease`](Self::try_lease), but of the process that a cookie of the request names, where that is in use
    /// and the process is ready.
    pub(super) fn try_lease_for(&self, headers: &HeaderMap) -> Option<Lease> {
        let wanted = self.shared.affinity.as_ref();
        let wanted = wanted.and_then(|affinity| affinity.wanted(headers));
        match wanted.and_then(|mark| self.shared.view.lease_marked(mark)) {
            // The client has its cookie already.
            Some(lease) => Some(self.renewable(lease).with_cookie(None)),
            None => self.try_lease(),
        }
    }

    /// `lease`, in whose place we find another if its process dies before it takes the request.
    pub(super) fn renewable(&self, lease: Lease) -> Lease {
        let affinity = self.shared.affinity.as_ref();
        let cookie = affinity.and_then(|affinity| affinity.cookie(lease.backend()));
        lease
            .renewed_by(Arc::clone(&self.shared) as Arc<dyn Renew>)
            .with_cookie(cookie)
    }

    /// Replaces every process: a new one becomes ready and takes the requests, then the old one
    /// finishes its own and stops. Where the new one fails, the old one stays.
    ///
    /// Where none runs there is nothing to replace, and none is started. Where the app is bound to
    /// one port, by `ASPNETCORE_PORT`, two can't overlap: requests wait meanwhile.
    ///
    /// The restart goes on if the future is dropped.
    ///
    /// # Errors
    ///
    /// When the new process could not be started.
    pub async fn restart(&self) -> Result<(), Arc<StartFailure>> {
        self.replace(None).await
    }

    /// Replaces every process as [`restart`](Self::restart) does, by one that `config` describes.
    ///
    /// Where the new one fails, the old configuration stays too, unless no process is left that was
    /// started with it. The number of processes and what
    /// the [`Builder`] was told stay as they were.
    ///
    /// # Errors
    ///
    /// When the new process could not be started.
    pub async fn reconfigure(&self, config: Arc<Config>) -> Result<(), Arc<StartFailure>> {
        self.replace(Some(config)).await
    }

    async fn replace(&self, config: Option<Arc<Config>>) -> Restarted {
        self.ask(|done| Message::Restart { config, done })
            .await
            .unwrap_or_else(|| Err(closed()))
    }

    /// Stops every process; returns when they are gone.
    ///
    /// Requests that wait are turned away. One that comes later starts the app again. The stop goes
    /// on if the future is dropped.
    pub async fn stop(&self) {
        self.ask(|done| Message::Stop { done }).await;
    }

    /// Stops every process for good; returns when they are gone.
    ///
    /// Requests that wait or come later are turned away. The stop goes on if the future is dropped.
    pub async fn shutdown(&self) {
        self.ask(|done| Message::Shutdown { done }).await;
    }

    /// The requests under way, tunnels included, at processes that are ready or draining.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let outlook = self.shared.view.outlook();
        outlook.processes.iter().map(Entry::in_flight).sum()
    }

    /// Waits until a worker that is ready takes connections [by itself](super::WorkerProgram::front), or until none does.
    /// Never returns where neither will be.
    ///
    /// Cancel safe.
    pub async fn until_direct(&self, direct: bool) {
        let mut outlook = self.shared.view.watch();
        let seen = outlook.wait_for(|outlook| outlook.direct == direct);
        let closed = seen.await.is_err();
        if closed {
            std::future::pending().await
        }
    }

    /// How the processes are.
    #[must_use]
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        let waiting = shared.queue_limit - shared.queue.available_permits();
        Status::new(&shared.view.outlook(), waiting)
    }

    /// The configuration that processes are started with; `None` before the first look at it.
    #[must_use]
    pub fn config(&self) -> Option<Arc<Config>> {
        self.shared.view.outlook().config.clone()
    }

    /// What the processes that run have written lately.
    #[must_use]
    pub fn outputs(&self) -> Vec<Output> {
        let outlook = self.shared.view.outlook();
        outlook
            .processes
            .iter()
            .map(|one| one.output.clone())
            .collect()
    }

    /// The last start that failed, with what its process wrote.
    #[must_use]
    pub fn last_failure(&self) -> Option<Arc<StartFailure>> {
        let outlook = self.shared.view.outlook();
        let (failure, _) = outlook.last_failure.as_ref()?;
        Some(Arc::clone(failure))
    }

    /// Sends a message and waits for the answer; `None` where the task has ended.
    async fn ask<T>(&self, message: impl FnOnce(oneshot::Sender<T>) -> Message) -> Option<T> {
        let (done, answer) = oneshot::channel();
        self.send(message(done)).await.ok()?;
        answer.await.ok()
    }

    pub(super) async fn send(&self, message: Message) -> Result<(), Error> {
        let sent = self.shared.messages.send(message).await;
        sent.map_err(|_| Error::stopping())
    }
}

/// The answer to a restart that came after the end.
fn closed() -> Arc<StartFailure> {
    Arc::new(StartFailure::new(
        Stage::Prepare,
        "the app was shut down",
        "",
    ))
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Supervisor")
            .field("states", &self.shared.view.outlook().states)
            .finish_non_exhaustive()
    }
}
