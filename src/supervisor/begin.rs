//! How a process comes into being: by the operating system, or as an instance in this process.

use std::sync::Arc;

use tracing::warn;

use super::{
    launch::{self, Unprepared},
    logs::{Capture, LogFile, LogFiles},
    place::Place,
    process::{Output, Process, Spawn},
    start::Failed,
};
use crate::{
    PairingToken,
    config::{Config, Vars},
    error::{Stage, StartFailure},
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
pub(super) struct Launched<S>(pub(super) S);

impl<S: Spawn> Start for Launched<S> {
    type Process = S::Process;

    fn begin(
        &self,
        config: &Arc<Config>,
        vars: &dyn Vars,
    ) -> Result<Begun<S::Process>, Box<Failed>> {
        let (offer, token) = launch::pair(config, vars).map_err(|unprepared| {
            let Unprepared { reason, critical } = unprepared;
            let failure = self.failure(config, Stage::Prepare, reason);
            Box::new(Failed { failure, critical })
        })?;
        let (output, log) = output(config);
        let (launch, place) = launch::prepare(config, vars, offer, &token, output);
        let spawned = self.0.spawn(&launch);
        // What the process inherited is its own from now on.
        drop(launch);
        let process = spawned.map_err(|error| {
            let mut failure = self.failure(config, Stage::Spawn, launch::explain(config, &error));
            failure.port = place.port();
            let critical = false;
            Box::new(Failed { failure, critical })
        })?;
        let capture = match process.take_output() {
            Some(pipe) => Capture::of(pipe, log, process.id()),
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
        launch::has_one_port(config, vars)
    }
}

/// Has the app made in this process: without a port, a token or an output of its own.
impl Start for Factory {
    type Process = Run;

    fn begin(&self, config: &Arc<Config>, _: &dyn Vars) -> Result<Begun<Run>, Box<Failed>> {
        Ok(Begun {
            process: self.start(config),
            place: Place::InProcess,
            token: None,
            capture: Capture::none(),
        })
    }

    fn has_one_port(&self, _: &Config, _: &dyn Vars) -> bool {
        false
    }

    fn failure(&self, config: &Config, stage: Stage, reason: impl Into<String>) -> StartFailure {
        let mut failure = StartFailure::new(stage, reason, config.command.to_string());
        (failure.limit, failure.in_process) = (config.startup_time_limit, true);
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
