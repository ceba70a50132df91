//! How the processes are kept, said in Rust.

use std::time::Duration;

use http::StatusCode;

use super::{
    builder::Builder,
    processes::{Listener, StartMode},
};

/// How the processes are kept: the defaults, and the reasons for them, are those of [`Processes`](super::Processes).
impl Builder {
    /// When the first process is started. Defaults to [`StartMode::OnDemand`].
    pub fn start_mode(mut self, mode: StartMode) -> Self {
        self.processes().start_mode = mode;
        self
    }

    /// Paths under the path base that a new process is asked for before it gets requests. Defaults to none.
    pub fn warm_up<P: Into<String>>(mut self, paths: impl IntoIterator<Item = P>) -> Self {
        self.processes().warm_up = paths.into_iter().map(Into::into).collect();
        self
    }

    /// A path under the path base that a new process has to answer before it gets requests. Defaults to none.
    pub fn probe_path(mut self, path: impl Into<String>) -> Self {
        self.processes().probe_path = Some(path.into());
        self
    }

    /// The status that such an answer must have. Defaults to every one below 400.
    pub fn probe_status(mut self, status: StatusCode) -> Self {
        self.processes().probe_status = Some(status);
        self
    }

    /// The pause between two probes. Defaults to 50 ms.
    pub fn probe_interval(mut self, interval: Duration) -> Self {
        self.processes().probe_interval = interval;
        self
    }

    /// After how long without a request the app is stopped. Defaults to never.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.processes().idle_timeout = Some(timeout);
        self
    }

    /// How long a process serves before another one takes its place. Defaults to for ever.
    pub fn recycle_age(mut self, age: Duration) -> Self {
        self.processes().recycle_age = Some(age);
        self
    }

    /// How many requests a process takes before another one takes its place. Defaults to no limit.
    pub fn recycle_requests(mut self, requests: u32) -> Self {
        self.processes().recycle_requests = Some(requests);
        self
    }

    /// How many bytes a process holds before another one takes its place. Defaults to no limit.
    pub fn recycle_memory(mut self, bytes: u64) -> Self {
        self.processes().recycle_memory = Some(bytes);
        self
    }

    /// How many requests may wait for a process. Defaults to 1,000.
    pub fn queue_limit(mut self, limit: usize) -> Self {
        self.processes().queue_limit = limit;
        self
    }

    /// How long a request may wait for a process. Defaults to twice the start's limit, and 10 s.
    pub fn queue_time(mut self, time: Duration) -> Self {
        self.processes().queue_time = Some(time);
        self
    }

    /// The answer to a request for which the queue has no place, from 400 to 599. Defaults to 503.
    pub fn queue_overflow_status(mut self, status: StatusCode) -> Self {
        self.processes().queue_overflow_status = status;
        self
    }

    /// What `Retry-After` says where no process could take a request, in whole seconds. Defaults to 5 s.
    pub fn queue_retry_after(mut self, time: Duration) -> Self {
        self.processes().queue_retry_after = time;
        self
    }

    /// How long a process that was replaced may finish its requests. Defaults to 30 s.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.processes().drain_timeout = timeout;
        self
    }

    /// Whether an idempotent request that a process died of is sent to the next one. Defaults to true.
    pub fn retry(mut self, retry: bool) -> Self {
        self.processes().retry = retry;
        self
    }

    /// The name of the cookie that keeps a client at one process. Defaults to none.
    pub fn affinity_cookie(mut self, name: impl Into<String>) -> Self {
        self.processes().affinity_cookie = Some(name.into());
        self
    }

    /// Where a process listens, and who opens the listener. Defaults to [`Listener::Port`].
    pub fn listener(mut self, listener: Listener) -> Self {
        self.processes().listener = listener;
        self
    }
}
