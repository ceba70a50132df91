//! One attempt to start a process: describe it, start it, wait until it listens.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::SystemTime,
};

use tokio::time::{Duration, Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    generation::{Child, Generation, Label},
    launch::{self, Unprepared},
    logs::{Capture, LogFile, LogFiles},
    process::{Exit, Output, Process, Spawn},
    ready::{self, ListenerOwner, NotReady},
};
use crate::{
    PairingToken,
    config::{Config, Vars},
    error::{Stage, StartFailure},
    proxy::{Address, Backend},
};

/// How long a process that was killed may take to be gone.
const REAP: Duration = Duration::from_secs(5);

/// A start that failed, and whether a second attempt would fail too.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) failure: StartFailure,
    pub(super) critical: bool,
}

/// Starts processes, from the one thread that may do so.
pub(super) struct Starter<S> {
    config: Arc<Config>,
    vars: Arc<dyn Vars>,
    spawn: S,
    generations: u64,
}

impl<S: Spawn> Starter<S> {
    pub(super) fn new(config: Arc<Config>, vars: Arc<dyn Vars>, spawn: S) -> Self {
        Self {
            config,
            vars,
            spawn,
            generations: 0,
        }
    }

    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Whether every process of the app gets the same port, so that two can't run at a time.
    pub(super) fn has_one_port(&self) -> bool {
        launch::has_one_port(&self.config, self.vars.as_ref())
    }

    /// A failure before there is a process.
    pub(super) fn failure(&self, stage: Stage, reason: impl Into<String>) -> StartFailure {
        let mut failure = StartFailure::new(stage, reason, self.config.command.to_string());
        failure.limit = self.config.startup_time_limit;
        failure
    }

    /// What is to be said of a process that served and ended.
    pub(super) fn crash(
        &self,
        generation: &Generation<S::Process>,
        exit: Option<Exit>,
    ) -> StartFailure {
        let served = generation.served();
        let reason = match exit {
            Some(exit) => format!("the process ended with {exit} after it served {served:.1?}"),
            None => format!("the process stopped listening after it served {served:.1?}"),
        };
        let mut failure = self.failure(Stage::Exited, reason);
        failure.pid = Some(generation.label().pid);
        failure.port = Some(generation.label().port);
        failure.exit = exit.map(|exit| exit.to_string());
        failure.elapsed = served;
        failure.output = generation.output().text();
        failure
    }

    /// Starts a process; the attempt that comes of it has to be awaited.
    pub(super) fn begin(&mut self, attempt: u8) -> Result<Attempt<S::Process>, Box<Failed>> {
        let begin = Instant::now();
        let (config, vars) = (&self.config, self.vars.as_ref());
        let (port, token) = launch::pair(config, vars).map_err(|unprepared| {
            let Unprepared { reason, critical } = unprepared;
            let failure = self.failure(Stage::Prepare, reason);
            Box::new(Failed { failure, critical })
        })?;
        let (output, log) = self.output();
        let launch = launch::prepare(config, vars, port, &token, output);
        let spawned = self.spawn.spawn(&launch);
        let process = spawned.map_err(|error| {
            let mut failure = self.failure(Stage::Spawn, launch::explain(config, &error));
            failure.port = Some(port);
            let critical = false;
            Box::new(Failed { failure, critical })
        })?;
        let capture = match process.take_output() {
            Some(pipe) => Capture::of(pipe, log, process.id()),
            None => Capture::none(),
        };
        self.generations += 1;
        let label = Label {
            generation: self.generations,
            attempt,
            pid: process.id(),
            port,
            started: SystemTime::now(),
        };
        info!(
            process.pid = label.pid,
            process.attempt = attempt,
            generation = label.generation,
            port,
            "Process started"
        );
        Ok(Attempt {
            config: Arc::clone(config),
            token,
            begin,
            child: Child::new(process, capture, label),
        })
    }

    /// Where the output goes. A log file that can't be made does not keep the app from running.
    fn output(&self) -> (Output, Option<LogFile>) {
        if !self.config.handler_settings.console_redirection {
            return (Output::Null, None);
        }
        let slots = usize::try_from(self.config.processes_per_application).unwrap_or(1);
        let log = self.config.stdout_log.clone().and_then(|prefix| {
            let made = LogFiles::new(prefix.clone(), slots).create();
            made.inspect_err(|error| {
                // ANCM: event 1004, and the start goes on.
                warn!(%error, path = %prefix.display(), "Log file can't be created");
            })
            .ok()
        });
        (Output::Pipe, log)
    }
}

/// A process that was started and is not known to listen yet. Dropping it kills the process.
pub(super) struct Attempt<P: Process> {
    config: Arc<Config>,
    token: PairingToken,
    begin: Instant,
    child: Child<P>,
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
