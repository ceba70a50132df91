//! Starts processes: describes one, and has the operating system start it.

use std::{sync::Arc, time::SystemTime};

use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    attempt::Attempt,
    generation::{Child, Generation, Label},
    launch::{self, Unprepared},
    logs::{Capture, LogFile, LogFiles},
    place::Place,
    probe::Probe,
    process::{Exit, Launch, Output, Process, Spawn},
    worker::WorkerProgram,
};
use crate::{
    PairingToken,
    config::{Config, HostingModel, Vars},
    error::{Stage, StartFailure, SubStatus, chain},
};

/// A start that failed, and whether a second attempt would fail too.
#[derive(Debug)]
pub(super) struct Failed {
    pub(super) failure: StartFailure,
    pub(super) critical: bool,
}

/// Starts processes, from the one thread that may do so.
pub(super) struct Starter<S> {
    config: Arc<Config>,
    /// A configuration that has to prove itself: that of the restart under way.
    proposed: Option<Arc<Config>>,
    vars: Arc<dyn Vars>,
    spawn: S,
    probe: Arc<Probe>,
    /// What hosts apps in process.
    worker: Option<WorkerProgram>,
    generations: u64,
}

impl<S: Spawn> Starter<S> {
    pub(super) fn new(config: Arc<Config>, vars: Arc<dyn Vars>, spawn: S, probe: Probe) -> Self {
        Self {
            config,
            proposed: None,
            vars,
            spawn,
            probe: Arc::new(probe),
            worker: None,
            generations: 0,
        }
    }

    /// Apps that want to be hosted in process are, by `worker`.
    pub(super) fn with_worker(mut self, worker: Option<WorkerProgram>) -> Self {
        self.worker = worker;
        self
    }

    /// The next restart is with `config`.
    pub(super) fn propose(&mut self, config: Arc<Config>) {
        self.proposed = Some(config);
    }

    /// The proposed configuration, if there is one, is the one from now on.
    pub(super) fn accept(&mut self) {
        if let Some(config) = self.proposed.take() {
            self.config = config;
        }
    }

    /// The proposed configuration is forgotten.
    pub(super) fn reject(&mut self) {
        self.proposed = None;
    }

    pub(super) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Whether every process of the app gets the same port, so that two can't run at a time.
    pub(super) fn has_one_port(&self) -> bool {
        let config = self.proposed.as_ref().unwrap_or(&self.config);
        !self.hosts(config) && launch::has_one_port(config, self.vars.as_ref())
    }

    /// A failure before there is a process.
    pub(super) fn failure(&self, stage: Stage, reason: impl Into<String>) -> StartFailure {
        failure_of(&self.config, stage, reason)
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
        failure.port = generation.label().port;
        failure.exit = exit.map(|exit| exit.to_string());
        failure.elapsed = served;
        failure.output = generation.output().text();
        let in_process = generation.place().is_worker();
        failure.sub_status = in_process.then_some(SubStatus::Start);
        failure
    }

    /// Whether a worker hosts the app of `config`.
    fn hosts(&self, config: &Config) -> bool {
        self.worker.is_some() && config.hosting_model == HostingModel::InProcess
    }

    /// What to start, its place and its secret.
    fn describe(
        &self,
        config: &Config,
        output: Output,
    ) -> Result<(Launch, Place, PairingToken), Unprepared> {
        let vars = self.vars.as_ref();
        #[cfg(all(unix, feature = "in-process"))]
        if let Some(worker) = self.worker.as_ref().filter(|_| self.hosts(config)) {
            let token = PairingToken::generate();
            let prepared = worker.prepare(config, vars, &token, output);
            let (launch, place) = prepared.map_err(|error| Unprepared {
                reason: format!("no worker: {}", chain(&error)),
                critical: false,
            })?;
            return Ok((launch, place, token));
        }
        let (offer, token) = launch::pair(config, vars)?;
        let (launch, place) = launch::prepare(config, vars, offer, &token, output);
        Ok((launch, place, token))
    }

    /// Starts a process, of the `proposed` configuration or of the proven one; the attempt that comes
    /// of it has to be awaited.
    pub(super) fn begin(
        &mut self,
        attempt: u8,
        proposed: bool,
    ) -> Result<Attempt<S::Process>, Box<Failed>> {
        let begin = Instant::now();
        let proposed = self.proposed.as_ref().filter(|_| proposed);
        let config = proposed.unwrap_or(&self.config);
        let (output, log) = output(config);
        let described = self.describe(config, output).map_err(|unprepared| {
            let Unprepared { reason, critical } = unprepared;
            let mut failure = failure_of(config, Stage::Prepare, reason);
            failure.sub_status = self.hosts(config).then_some(SubStatus::Other);
            Box::new(Failed { failure, critical })
        })?;
        let (launch, place, token) = described;
        let (port, in_process) = (place.port(), place.is_worker());
        let spawned = self.spawn.spawn(&launch);
        // What the process inherited is its own from now on.
        drop(launch);
        let process = spawned.map_err(|error| {
            let mut failure = failure_of(config, Stage::Spawn, launch::explain(config, &error));
            failure.port = port;
            failure.sub_status = in_process.then_some(SubStatus::Other);
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
            probe: Arc::clone(&self.probe),
            token,
            begin,
            child: Child::new(process, place, capture, label),
        })
    }
}

/// A failure before there is a process.
fn failure_of(config: &Config, stage: Stage, reason: impl Into<String>) -> StartFailure {
    let mut failure = StartFailure::new(stage, reason, config.command.to_string());
    failure.limit = config.startup_time_limit;
    failure
}

/// Where the output goes. A log file that can't be made does not keep the app from running.
fn output(config: &Config) -> (Output, Option<LogFile>) {
    if !config.handler_settings.console_redirection {
        return (Output::Null, None);
    }
    let slots = usize::try_from(config.processes_per_application).unwrap_or(1);
    let log = config.stdout_log.clone().and_then(|prefix| {
        let made = LogFiles::new(prefix.clone(), slots).create();
        made.inspect_err(|error| {
            // ANCM: event 1004, and the start goes on.
            warn!(%error, path = %prefix.display(), "Log file can't be created");
        })
        .ok()
    });
    (Output::Pipe, log)
}
