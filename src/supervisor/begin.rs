//! How a process comes into being: by the operating system, or as an instance in this process.

use std::sync::Arc;

use tracing::warn;

use super::{
    launch::{self, Unprepared},
    logs::{Capture, LogFile, LogFiles},
    place::Place,
    process::{Launch, Output, Process, Spawn},
    start::Failed,
    worker::WorkerProgram,
};
#[cfg(all(unix, feature = "in-process"))]
use crate::error::chain;
use crate::{
    PairingToken,
    config::{Config, HostingModel, Vars},
    error::{Stage, StartFailure, SubStatus},
    in_process::{Factory, Run},
};

/// Begins the start of a process. The seam between what a process is and how it is kept.
pub(super) trait Start: Send + 'static {
    /// What it starts.
    type Process: Process;

    /// Begins one of the app that `config` describes.
    fn begin(
        &self,
        config: &Arc<Config>,
        vars: &dyn Vars,
    ) -> Result<Begun<Self::Process>, Box<Failed>>;

    /// Whether each process of the app gets the same port, so that two can't run at a time.
    fn has_one_port(&self, config: &Config, vars: &dyn Vars) -> bool;

    /// A failure before there is a process.
    fn failure(&self, config: &Config, stage: Stage, reason: impl Into<String>) -> StartFailure {
        let mut failure = StartFailure::new(stage, reason, config.command.to_string());
        failure.limit = config.startup_time_limit;
        failure
    }
}

/// A process that was just started.
pub(super) struct Begun<P> {
    pub(super) process: P,
    pub(super) place: Place,
    /// What it is told to recognise us by, where a stranger could reach it too.
    pub(super) token: Option<PairingToken>,
    pub(super) capture: Capture,
}

/// Describes a process, and has it started by the operating system.
pub(super) struct Launched<S> {
    pub(super) spawn: S,
    /// What hosts apps in process.
    pub(super) worker: Option<WorkerProgram>,
}

impl<S> Launched<S> {
    /// Whether a worker hosts the app of `config`.
    fn hosts(&self, config: &Config) -> bool {
        self.worker.is_some() && config.hosting_model == HostingModel::InProcess
    }

    /// What to start, its place and its secret.
    fn describe(
        &self,
        config: &Config,
        vars: &dyn Vars,
        output: Output,
    ) -> Result<(Launch, Place, PairingToken), Unprepared> {
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
}

impl<S: Spawn> Start for Launched<S> {
    type Process = S::Process;

    fn begin(
        &self,
        config: &Arc<Config>,
        vars: &dyn Vars,
    ) -> Result<Begun<S::Process>, Box<Failed>> {
        let (output, log) = output(config);
        let described = self.describe(config, vars, output).map_err(|unprepared| {
            let Unprepared { reason, critical } = unprepared;
            let mut failure = self.failure(config, Stage::Prepare, reason);
            failure.sub_status = self.hosts(config).then_some(SubStatus::Other);
            Box::new(Failed { failure, critical })
        })?;
        let (launch, place, token) = described;
        let spawned = self.spawn.spawn(&launch);
        // What the process inherited is its own from now on.
        drop(launch);
        let process = spawned.map_err(|error| {
            let mut failure = self.failure(config, Stage::Spawn, launch::explain(config, &error));
            failure.port = place.port();
            failure.sub_status = place.is_worker().then_some(SubStatus::Other);
            let critical = false;
            Box::new(Failed { failure, critical })
        })?;
        let capture = match process.take_output() {
            Some(pipe) => Capture::of(pipe, log, process.id(), Some(token.clone())),
            None => Capture::none(),
        };
        Ok(Begun {
            process,
            place,
            token: Some(token),
            capture,
        })
    }

    fn has_one_port(&self, config: &Config, vars: &dyn Vars) -> bool {
        !self.hosts(config) && launch::has_one_port(config, vars)
    }
}

/// Has the app made in this process: without a port, a token or an output of its own.
impl Start for Factory {
    type Process = Run;

    fn begin(&self, config: &Arc<Config>, _: &dyn Vars) -> Result<Begun<Run>, Box<Failed>> {
        Ok(Begun {
            process: self.start(config),
            place: Place::Here,
            token: None,
            capture: Capture::none(),
        })
    }

    fn has_one_port(&self, _: &Config, _: &dyn Vars) -> bool {
        false
    }

    fn failure(&self, config: &Config, stage: Stage, reason: impl Into<String>) -> StartFailure {
        let mut failure = StartFailure::new(stage, reason, config.command.to_string());
        failure.limit = config.startup_time_limit;
        failure.sub_status = Some(SubStatus::Start);
        failure
    }
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
