//! How a supervisor is set up.

use std::{fmt, io, sync::Arc, thread, time::Duration};

use http::StatusCode;
use tokio::sync::mpsc;

use super::{
    affinity::Affinity,
    begin::{Launched, Start},
    board::board,
    handle::Supervisor,
    message,
    probe::Probe,
    process::{Os, Spawn},
    start::Starter,
    state::ATTEMPTS,
    task::Task,
    worker::WorkerProgram,
};
use crate::{
    config::{Config, Processes, StartMode, Vars},
    in_process::Factory,
};

/// What a wait may take beyond the longest start: killing a process that failed, a back-off.
const QUEUE_MARGIN: Duration = Duration::from_secs(10);

/// What a [`Supervisor`] can be told other than the app's configuration says.
#[must_use]
pub struct Builder {
    config: Arc<Config>,
    vars: Arc<dyn Vars>,
    queue: Queue,
    queue_time: Option<Duration>,
    probe: Probe,
    settings: Settings,
    worker: Option<WorkerProgram>,
}

/// The bound of the queue, and what becomes of those for whom it has no place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Queue {
    pub(super) limit: usize,
    pub(super) overflow: StatusCode,
}

/// What the task has to know of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) start: StartMode,
    pub(super) drain_limit: Duration,
    pub(super) idle_limit: Option<Duration>,
    pub(super) age_limit: Option<Duration>,
    pub(super) request_limit: Option<u32>,
    pub(super) memory_limit: Option<u64>,
}

impl Builder {
    pub(super) fn new(config: Arc<Config>, vars: Arc<dyn Vars>) -> Self {
        let kept = config.processes();
        let (probe, settings) = (Probe::of(kept), Settings::of(kept));
        Self {
            queue: Queue {
                limit: kept.queue_limit(),
                overflow: kept.queue_overflow_status(),
            },
            queue_time: kept.queue_time(),
            config,
            vars,
            probe,
            settings,
            worker: None,
        }
    }

    /// Sets what hosts the app in process, where its configuration says `hostingModel="inprocess"`.
    ///
    /// Defaults to nothing: then every app has a process of its own, whatever its configuration says. Has no effect
    /// without the feature `in-process`, and outside of Unix.
    pub fn worker(mut self, worker: WorkerProgram) -> Self {
        self.worker = cfg!(all(unix, feature = "in-process")).then_some(worker);
        self
    }

    /// Sets how many requests may wait for a process; more are refused at once, with
    /// [`queueOverflowStatus`](Processes::queue_overflow_status). Defaults to 1,000.
    pub const fn queue_limit(mut self, limit: usize) -> Self {
        self.queue.limit = limit;
        self
    }

    /// Sets how long a request may wait for a process, then it gets a 503.
    ///
    /// Defaults to twice `startupTimeLimit`, for the two attempts of a start, and 10 seconds.
    pub const fn queue_time(mut self, time: Duration) -> Self {
        self.queue_time = Some(time);
        self
    }

    /// Sets when the first process is started. Defaults to [`StartMode::OnDemand`].
    pub const fn start_mode(mut self, mode: StartMode) -> Self {
        self.settings.start = mode;
        self
    }

    /// Sets a path of the app, such as `/health`, that a new process has to answer with a status below
    /// 400 before it gets requests, within `startupTimeLimit`. It is asked again until it does.
    ///
    /// Defaults to none: a process that listens is ready, as it is for the module.
    pub fn probe(mut self, path: impl Into<String>) -> Self {
        self.probe.health = Some(path.into());
        self
    }

    /// Sets paths of the app that a new process is asked for, one after the other, before it gets
    /// requests; whatever the answers are. What is not answered within `startupTimeLimit` is left
    /// out. Defaults to none.
    pub fn warm_up<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.probe.warm_up = paths.into_iter().map(Into::into).collect();
        self
    }

    /// Sets how long a process that was replaced may finish its requests before it is told to stop.
    ///
    /// It then has `shutdownTimeLimit` to do so. Defaults to 30 seconds.
    pub const fn drain_limit(mut self, limit: Duration) -> Self {
        self.settings.drain_limit = limit;
        self
    }

    /// Sets how long an app may be without a request before it is stopped; the next one starts it
    /// again. Defaults to for ever.
    pub const fn idle_limit(mut self, limit: Duration) -> Self {
        self.settings.idle_limit = Some(limit);
        self
    }

    /// Sets how long a process may serve before another one takes its place, as
    /// [`Supervisor::restart`] does it. Several processes are replaced one at a time, the last of
    /// them up to a tenth earlier, so that they keep apart. Defaults to for ever.
    pub const fn age_limit(mut self, limit: Duration) -> Self {
        self.settings.age_limit = Some(limit);
        self
    }

    /// Sets how many requests a process may take before another one takes its place, as
    /// [`age_limit`](Self::age_limit) says. It is looked at once a second, so there may be some
    /// more. Defaults to no limit.
    pub const fn request_limit(mut self, requests: u32) -> Self {
        self.settings.request_limit = Some(requests);
        self
    }

    /// Sets how many bytes of memory a process and its descendants may hold for themselves before
    /// another one takes its place, as [`Supervisor::restart`] does it. It is looked at after the
    /// first minute of a process, and acted upon once a minute. Defaults to no limit, and has no
    /// effect where the system does not tell.
    pub const fn memory_limit(mut self, bytes: u64) -> Self {
        self.settings.memory_limit = Some(bytes);
        self
    }

    /// Makes the supervisor, on a thread of its own.
    ///
    /// The thread lives as long as the supervisor does and starts every process: on Linux a
    /// process is told of the death of the *thread* that started it.
    ///
    /// # Errors
    ///
    /// When the operating system gives no thread or no event queue.
    pub fn build(self) -> io::Result<Supervisor> {
        let parts = self.parts(Os);
        spawn(parts)
    }

    /// As [`build`](Self::build), for an app of this process.
    pub(crate) fn build_in_process(self, factory: Factory) -> io::Result<Supervisor> {
        let parts = self.parts_of(factory);
        spawn(parts)
    }

    /// The handle and the task, which somebody has to run.
    pub(super) fn parts<S: Spawn>(mut self, spawn: S) -> (Supervisor, Task<Launched<S>>) {
        let worker = self.worker.take();
        self.parts_of(Launched { spawn, worker })
    }

    pub(super) fn parts_of<S: Start>(self, start: S) -> (Supervisor, Task<S>) {
        let (sender, receiver) = mpsc::channel(message::CAPACITY);
        let (board, view) = board();
        let queue_time = self
            .queue_time
            .unwrap_or_else(|| queue_time(self.config.startup_time_limit));
        let affinity = Affinity::of(&self.config);
        let starter = Starter::new(self.config, self.vars, start, self.probe);
        let task = Task::new(starter, self.settings, board, receiver);
        let supervisor = Supervisor::with(view, sender, self.queue, queue_time, affinity);
        (supervisor, task)
    }
}

impl Settings {
    fn of(kept: &Processes) -> Self {
        Self {
            start: kept.start_mode(),
            drain_limit: kept.drain_timeout(),
            idle_limit: kept.idle_timeout(),
            age_limit: kept.recycle_age(),
            request_limit: kept.recycle_requests(),
            memory_limit: kept.recycle_memory(),
        }
    }
}

/// Runs the task on a thread of its own.
fn spawn<S: Start>((supervisor, task): (Supervisor, Task<S>)) -> io::Result<Supervisor> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    thread::Builder::new()
        .name("ancm-supervisor".to_owned())
        .spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || runtime.block_on(task.run()));
        })?;
    Ok(supervisor)
}

fn queue_time(startup_time_limit: Duration) -> Duration {
    startup_time_limit
        .saturating_mul(u32::from(ATTEMPTS))
        .saturating_add(QUEUE_MARGIN)
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("queue", &self.queue)
            .field("queue_time", &self.queue_time)
            .field("probe", &self.probe)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
