//! Starts processes, and says what is to be said of those that fail.

use std::{sync::Arc, time::SystemTime};

use tokio::time::Instant;
use tracing::info;

use super::{
    attempt::Attempt,
    begin::{Begun, Start},
    generation::{Child, Generation, Label},
    probe::Probe,
    process::{Exit, Process},
};
use crate::{
    config::{Config, Vars},
    error::{Stage, StartFailure, SubStatus},
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
    start: S,
    probe: Arc<Probe>,
    generations: u64,
}

impl<S: Start> Starter<S> {
    pub(super) fn new(config: Arc<Config>, vars: Arc<dyn Vars>, start: S, probe: Probe) -> Self {
        Self {
            config,
            proposed: None,
            vars,
            start,
            probe: Arc::new(probe),
            generations: 0,
        }
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
        self.start.has_one_port(config, self.vars.as_ref())
    }

    /// A failure before there is a process.
    pub(super) fn failure(&self, stage: Stage, reason: impl Into<String>) -> StartFailure {
        self.start.failure(&self.config, stage, reason)
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

    /// Starts a process, of the `proposed` configuration or of the proven one; the attempt that comes
    /// of it has to be awaited.
    pub(super) fn begin(
        &mut self,
        attempt: u8,
        proposed: bool,
    ) -> Result<Attempt<S::Process>, Box<Failed>> {
        let begin = Instant::now();
        let proposed = self.proposed.as_ref().filter(|_| proposed);
        let (config, vars) = (proposed.unwrap_or(&self.config), self.vars.as_ref());
        let Begun {
            process,
            place,
            token,
            capture,
        } = self.start.begin(config, vars)?;
        let port = place.port();
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
