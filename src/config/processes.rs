//! How the processes of an app are kept: for what the module's schema has no words.

use std::time::Duration;

use http::StatusCode;

use super::findings::{Findings, Kind};

/// When the first process is started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum StartMode {
    /// When the first request comes, as the module does.
    #[default]
    OnDemand,
    /// At once, without a request.
    Eager,
}

/// Where a process listens, and who opened the listener.
///
/// With all but the first, nobody else can listen there: not for a moment, not for another user's process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Listener {
    /// On the port that `ASPNETCORE_PORT` names, as with the module; the process opens it.
    #[default]
    Port,
    /// On a port of the loopback that is open before the process starts, which inherits it: `ANCM_LISTEN_FD` is its
    /// file descriptor. Unix.
    Inherited,
    /// The same with a Unix socket in a folder that only this user may enter; there is no `ASPNETCORE_PORT`. Unix.
    InheritedUnix,
    /// On a Unix socket in such a folder that the process opens itself, where `ASPNETCORE_URLS` says
    /// (`http://unix:/path`); there is no `ASPNETCORE_PORT`. Unix.
    Unix,
}

impl Listener {
    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Port => "port",
            Self::Inherited => "inherited",
            Self::InheritedUnix => "inheritedUnix",
            Self::Unix => "unix",
        }
    }

    /// What is written so, in any ASCII case.
    pub(super) fn named(text: &str) -> Option<Self> {
        let all = [Self::Port, Self::Inherited, Self::InheritedUnix, Self::Unix];
        let mut all = all.into_iter();
        all.find(|one| one.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether this system has it.
    pub(super) const fn is_supported(self) -> bool {
        cfg!(unix) || matches!(self, Self::Port)
    }
}

/// How an app's processes are started, looked after, replaced and shared; see [`Config::processes`].
///
/// All of it is this module's own. Unless something is set, an app is kept as the module keeps it, but for the queue,
/// which always has its limits.
///
/// [`Config::processes`]: super::Config::processes
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Processes {
    pub(crate) start_mode: StartMode,
    pub(crate) warm_up: Vec<String>,
    pub(crate) probe_path: Option<String>,
    /// `None`: every status below 400.
    pub(crate) probe_status: Option<StatusCode>,
    pub(crate) probe_interval: Duration,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) recycle_age: Option<Duration>,
    pub(crate) recycle_requests: Option<u32>,
    /// Bytes.
    pub(crate) recycle_memory: Option<u64>,
    pub(crate) queue_limit: usize,
    /// `None`: as long as a start may take, and a little.
    pub(crate) queue_time: Option<Duration>,
    pub(crate) queue_overflow_status: StatusCode,
    pub(crate) queue_retry_after: Duration,
    pub(crate) drain_timeout: Duration,
    pub(crate) retry: bool,
    pub(crate) affinity_cookie: Option<String>,
    pub(crate) listener: Listener,
}

impl Default for Processes {
    fn default() -> Self {
        Self {
            start_mode: StartMode::OnDemand,
            warm_up: Vec::new(),
            probe_path: None,
            probe_status: None,
            probe_interval: Duration::from_millis(50),
            idle_timeout: None,
            recycle_age: None,
            recycle_requests: None,
            recycle_memory: None,
            queue_limit: 1_000,
            queue_time: None,
            queue_overflow_status: StatusCode::SERVICE_UNAVAILABLE,
            queue_retry_after: Duration::from_secs(5),
            drain_timeout: Duration::from_secs(30),
            retry: true,
            affinity_cookie: None,
            listener: Listener::Port,
        }
    }
}

impl Processes {
    /// `startMode`: when the first process is started. Default: with the first request, as the module does.
    #[must_use]
    pub fn start_mode(&self) -> StartMode {
        self.start_mode
    }

    /// `warmUp`: paths under the path base that a new process is asked for before it gets requests. Default: none,
    /// because only the app knows which are worth it.
    #[must_use]
    pub fn warm_up(&self) -> &[String] {
        &self.warm_up
    }

    /// `probePath`: what a new process has to answer before it gets requests, within `startupTimeLimit`. Default:
    /// none, a process that listens is ready, as it is for the module.
    #[must_use]
    pub fn probe_path(&self) -> Option<&str> {
        self.probe_path.as_deref()
    }

    /// `probeStatus`: the status that counts as well. Default: `None`, every one below 400; an app that redirects to
    /// its sign-in page is well.
    #[must_use]
    pub fn probe_status(&self) -> Option<StatusCode> {
        self.probe_status
    }

    /// `probeInterval`: the pause between two probes. Default 50 ms: short beside any start that needs a probe, and
    /// rare enough not to slow it down.
    #[must_use]
    pub fn probe_interval(&self) -> Duration {
        self.probe_interval
    }

    /// `idleTimeout`: after how long without a request the app is stopped; the next one starts it again. Default:
    /// never, because a start costs somebody seconds and memory is seldom that short.
    #[must_use]
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.idle_timeout
    }

    /// `recycleAge`: how long a process serves at most before another one takes its place. Default: for ever, as with
    /// the other two: a recycling that nobody asked for hides what leaks, and costs what the app keeps in memory.
    #[must_use]
    pub fn recycle_age(&self) -> Option<Duration> {
        self.recycle_age
    }

    /// `recycleRequests`: how many requests a process takes, about, before another one takes its place. Default: no
    /// limit.
    #[must_use]
    pub fn recycle_requests(&self) -> Option<u32> {
        self.recycle_requests
    }

    /// `recycleMemory`, in bytes: how much a process and its descendants hold for themselves before another one takes
    /// its place. Default: no limit.
    #[must_use]
    pub fn recycle_memory(&self) -> Option<u64> {
        self.recycle_memory
    }

    /// `queueLimit`: how many requests may wait for a process. Default 1,000: what a busy app gets in the second or two
    /// of its start, at some kilobytes each. More of them would only time out later.
    #[must_use]
    pub fn queue_limit(&self) -> usize {
        self.queue_limit
    }

    /// `queueTime`: how long a request may wait for a process. Default: `None`, twice `startupTimeLimit`, for the two
    /// attempts of a start, and 10 s.
    #[must_use]
    pub fn queue_time(&self) -> Option<Duration> {
        self.queue_time
    }

    /// `queueOverflowStatus`: the answer to a request for which the queue has no place. Default 503, which every client
    /// and every balancer takes for "not now"; 429 is the other one in use.
    #[must_use]
    pub fn queue_overflow_status(&self) -> StatusCode {
        self.queue_overflow_status
    }

    /// `queueRetryAfter`: what `Retry-After` says where no process could take a request. Default 5 s: by then most apps
    /// have started.
    #[must_use]
    pub fn queue_retry_after(&self) -> Duration {
        self.queue_retry_after
    }

    /// `drainTimeout`: how long a process that was replaced may finish its requests before it is told to stop, for
    /// which it then has `shutdownTimeLimit`. Default 30 s: tunnels last for days, and without an end a deployment
    /// would never let go of the old files.
    #[must_use]
    pub fn drain_timeout(&self) -> Duration {
        self.drain_timeout
    }

    /// `retry`: whether a request without a body, of an idempotent method, that a process took and died of is sent to
    /// the next one, once. Default: true, RFC 9110, 9.2.2 allows it.
    #[must_use]
    pub fn retry(&self) -> bool {
        self.retry
    }

    /// `affinityCookie`: the name of the cookie that keeps a client at the process that answered it first. Default:
    /// none, an app should not need it, and requests are shared better without.
    #[must_use]
    pub fn affinity_cookie(&self) -> Option<&str> {
        self.affinity_cookie.as_deref()
    }

    /// `listener`: where a process listens, and who opens the listener. Default: on a port that it opens itself, as with
    /// the module; a program that knows only that needs nothing else.
    #[must_use]
    pub fn listener(&self) -> Listener {
        self.listener
    }

    /// What is wrong with the values that a type alone does not keep right.
    pub(super) fn check(&self, findings: &mut Findings) {
        let paths = self.warm_up.iter().map(|path| ("warmUp", path));
        for (key, path) in paths.chain(self.probe_path.iter().map(|path| ("probePath", path))) {
            if !is_path(path) {
                findings.error(None, Kind::bad(key, PATH, path));
            }
        }
        let status = self.queue_overflow_status.as_u16();
        if !is_overflow(status) {
            let bad = Kind::bad("queueOverflowStatus", OVERFLOW, status.to_string());
            findings.error(None, bad);
        }
        if let Some(name) = self.affinity_cookie.as_ref().filter(|name| !is_token(name)) {
            findings.error(None, Kind::bad("affinityCookie", TOKEN, name));
        }
        if !self.listener.is_supported() {
            findings.error(
                None,
                Kind::bad("listener", LISTENER, self.listener.as_str()),
            );
        }
    }
}

/// What [`is_path`] expects.
pub(super) const PATH: &str = "a path such as `/health`, percent-encoded";
/// What [`is_overflow`] expects.
pub(super) const OVERFLOW: &str = "a status from 400 to 599";
/// What [`is_token`] expects.
pub(super) const TOKEN: &str = "letters, digits and the like (RFC 9110, 5.6.2)";
/// What a [`Listener`] may be here.
pub(super) const LISTENER: &str = if cfg!(unix) {
    "port, inherited, inheritedUnix or unix"
} else {
    "port; this system hands no sockets over"
};

/// Whether it can be asked for, below the path base.
pub(super) fn is_path(text: &str) -> bool {
    text.starts_with('/') && text.parse::<http::uri::PathAndQuery>().is_ok()
}

/// Whether a client takes it for a refusal.
pub(super) fn is_overflow(status: u16) -> bool {
    (400..600).contains(&status)
}

/// RFC 6265, 4.1.1: a cookie's name is a token.
pub(super) fn is_token(text: &str) -> bool {
    let other = |byte| b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || other(b))
}
