//! How a supervisor is set up.

use std::{fmt, io, sync::Arc, thread, time::Duration};

use tokio::sync::mpsc;

use super::{
    board::board,
    handle::Supervisor,
    message,
    probe::Probe,
    process::{Os, Spawn},
    start::Starter,
    state::ATTEMPTS,
    task::Task,
};
use crate::config::{Config, Vars};

/// Requests that wait hold a connection and some kilobytes each. This many are what a busy app
/// gets in the second or two of its start; more of them would only time out later.
const QUEUE_LIMIT: usize = 1_000;
/// What a wait may take beyond the longest start: killing a process that failed, a back-off.
const QUEUE_MARGIN: Duration = Duration::from_secs(10);
/// How long a replaced process may go on with its requests. Tunnels last for days: without an end
/// a deploy would never let go of the old files.
const DRAIN_LIMIT: Duration = Duration::from_secs(30);

/// When the first process is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartMode {
    /// When the first request comes, as the module does.
    #[default]
    OnDemand,
    /// When the supervisor is made.
    Eager,
}

/// What a [`Supervisor`] can be told beyond the app's configuration.
#[must_use]
pub struct Builder {
    config: Arc<Config>,
    vars: Arc<dyn Vars>,
    queue_limit: usize,
    queue_time: Option<Duration>,
    probe: Probe,
    settings: Settings,
}

/// What the task has to know of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) start: StartMode,
    pub(super) drain_limit: Duration,
    pub(super) idle_limit: Option<Duration>,
    pub(super) age_limit: Option<Duration>,
    pub(super) memory_limit: Option<u64>,
}

impl Builder {
    pub(super) fn new(config: Arc<Config>, vars: Arc<dyn Vars>) -> Self {
        Self {
            config,
            vars,
            queue_limit: QUEUE_LIMIT,
            queue_time: None,
            probe: Probe::default(),
            settings: Settings {
                start: StartMode::OnDemand,
                drain_limit: DRAIN_LIMIT,
                idle_limit: None,
                age_limit: None,
                memory_limit: None,
            },
        }
    }

    /// Sets how many requests may wait for a process; more get a 503 at once. Defaults to 1,000.
    pub const fn queue_limit(mut self, limit: usize) -> Self {
        self.queue_limit = limit;
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
    /// [`Supervisor::restart`] does it. Defaults to for ever.
    pub const fn age_limit(mut self, limit: Duration) -> Self {
        self.settings.age_limit = Some(limit);
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
        let (supervisor, task) = self.parts(Os);
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

    /// The handle and the task, which somebody has to run.
    pub(super) fn parts<S: Spawn>(self, spawn: S) -> (Supervisor, Task<S>) {
        let (sender, receiver) = mpsc::channel(message::CAPACITY);
        let (board, view) = board();
        let queue_time = self
            .queue_time
            .unwrap_or_else(|| queue_time(self.config.startup_time_limit));
        let starter = Starter::new(self.config, self.vars, spawn, self.probe);
        let task = Task::new(starter, self.settings, board, receiver);
        let supervisor = Supervisor::with(view, sender, self.queue_limit, queue_time);
        (supervisor, task)
    }
}

fn queue_time(startup_time_limit: Duration) -> Duration {
    startup_time_limit
        .saturating_mul(u32::from(ATTEMPTS))
        .saturating_add(QUEUE_MARGIN)
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("queue_limit", &self.queue_limit)
            .field("queue_time", &self.queue_time)
            .field("probe", &self.probe)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}
