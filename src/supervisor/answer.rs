//! What the task tells those who wait for it, and the log.

use std::{sync::Arc, time::SystemTime};

use tokio::{sync::oneshot, time::Instant};
use tracing::error;

use super::{
    begin::Start,
    message::Restarted,
    slot::Slot,
    state::{Event, State},
    task::{Rolling, Task},
};
use crate::{
    config::Config,
    error::{Stage, StartFailure},
};

/// The end of a failed process's output that the log shows, in characters.
const LOGGED: usize = 2_000;

impl<S: Start> Task<S> {
    /// Tells who waits, unless another slot may still serve them.
    pub(super) fn fail(&mut self, index: usize) {
        self.window.record(Instant::now());
        let failure = self.failure_of(index);
        report(&failure, "App could not be started");
        self.last_failure = Some((Arc::clone(&failure), SystemTime::now()));
        if !self.slots.iter().any(|slot| slot.state.is_hopeful()) {
            self.failures += 1;
        }
        if self.is_rolling(index) && !self.slots.iter().any(|slot| slot.current.is_some()) {
            // The old configuration keeps nothing alive: the next start is with the new one.
            self.starter.accept();
        }
        self.rolled(index, &Err(failure));
    }

    pub(super) fn keep(&mut self, index: usize) {
        let failure = self.failure_of(index);
        report(
            &failure,
            "New process could not be started, the old one stays",
        );
        self.last_failure = Some((Arc::clone(&failure), SystemTime::now()));
        self.rolled(index, &Err(failure));
    }

    /// Tells who waits, by what the board shows, and comes back when the minute is over.
    pub(super) fn refuse(&mut self, index: usize) {
        let now = Instant::now();
        let until = self.window.refuses(now).unwrap_or(now);
        let limit = self.starter.config().rapid_fails_per_minute;
        let last = self.failure_of(index);
        let mut failure = StartFailure::clone(&last);
        if last.stage != Stage::RapidFail {
            failure.stage = Stage::RapidFail;
            failure.reason = format!(
                "more than {limit} failures within a minute, the last one: {}",
                last.reason
            );
        }
        // ANCM: event 1003.
        error!(limit, pause = ?until - now, reason = %last.reason, "App failed too often and is not started for a while");
        let failure = Arc::new(failure);
        self.last_failure = Some((Arc::clone(&failure), SystemTime::now()));
        if let Some(slot) = self.slots.get_mut(index) {
            slot.failure = Some(Arc::clone(&failure));
        }
        self.set_alarm(index, until);
        self.rolled(index, &Err(failure));
    }

    fn failure_of(&self, index: usize) -> Arc<StartFailure> {
        let failure = self.slots.get(index).and_then(|slot| slot.failure.clone());
        // Another slot's failures may have filled the window.
        failure
            .or_else(|| Some(Arc::clone(&self.last_failure.as_ref()?.0)))
            .unwrap_or_else(|| Arc::new(self.starter.failure(Stage::Prepare, "unknown")))
    }

    /// Answers who asked for a stop once every slot is through.
    pub(super) fn tell_stopped(&mut self) {
        let stopping = |slot: &Slot<_>| matches!(slot.state, State::Stopping { .. });
        if !self.slots.iter().any(stopping) {
            self.answers.stopped.append(&mut self.stoppers);
        }
    }

    /// Requests that wait find by the number of stops that one came over them.
    pub(super) fn turn_away(&mut self, index: usize) {
        if self.is_rolling(index) {
            // The next start is with the configuration that was to come.
            self.starter.accept();
        }
        let stopped = StartFailure::new(Stage::Prepare, "the app was stopped", "");
        self.rolled(index, &Err(Arc::new(stopped)));
    }

    /// Begins a restart with the first slot. One that is under way begins again, for both.
    pub(super) fn roll(&mut self, config: Option<Arc<Config>>, done: oneshot::Sender<Restarted>) {
        if let Some(config) = config {
            self.starter.propose(config);
        }
        let mut rolling = self.rolling.take().unwrap_or(Rolling {
            slot: 0,
            done: Vec::new(),
        });
        rolling.slot = 0;
        rolling.done.push(done);
        self.rolling = Some(rolling);
        self.restart(0);
    }

    /// Whether the restart that is under way is at this slot.
    pub(super) fn is_rolling(&self, index: usize) -> bool {
        let rolling = self.rolling.as_ref();
        rolling.is_some_and(|rolling| rolling.slot == index)
    }

    fn restart(&mut self, index: usize) {
        let overlap = !self.starter.has_one_port();
        self.feed(index, Event::Restart { overlap });
    }

    /// A start of this slot has ended: the restart goes on with the next slot, or has ended too.
    pub(super) fn rolled(&mut self, index: usize, result: &Restarted) {
        let slots = self.slots.len();
        let Some(mut rolling) = self.rolling.take_if(|rolling| rolling.slot == index) else {
            return;
        };
        match result {
            Ok(()) => self.starter.accept(),
            Err(_) => self.starter.reject(),
        }
        self.window
            .set_limit(self.starter.config().rapid_fails_per_minute);
        if result.is_ok() && index + 1 < slots {
            rolling.slot = index + 1;
            self.rolling = Some(rolling);
            self.restart(index + 1);
            return;
        }
        let answers = rolling.done.into_iter();
        let answers = answers.map(|done| (done, result.clone()));
        self.answers.restarted.extend(answers);
    }
}

/// What is to be told once the handles see how things stand: who hears of the end of a restart
/// finds the new process, and not the old one.
#[derive(Default)]
pub(super) struct Answers {
    stopped: Vec<oneshot::Sender<()>>,
    restarted: Vec<(oneshot::Sender<Restarted>, Restarted)>,
}

impl Answers {
    /// Tells them. Who does not listen any more does not matter.
    pub(super) fn send(&mut self) {
        for done in self.stopped.drain(..) {
            let _ = done.send(());
        }
        for (done, result) in self.restarted.drain(..) {
            let _ = done.send(result);
        }
    }
}

/// ANCM: event 1020. Everything that helps to mend it, but not the environment: it holds the token.
fn report(failure: &StartFailure, what: &'static str) {
    error!(
        stage = %failure.stage,
        reason = %failure.reason,
        command = %failure.command,
        process.pid = failure.pid,
        port = failure.port,
        exit = failure.exit,
        elapsed = ?failure.elapsed,
        status = failure.sub_status.map(|sub| format!("500.{}", sub.code())),
        detail = failure.detail.as_deref().map(end_of),
        output = ?end_of(&failure.output),
        "{what}"
    );
}

pub(super) fn end_of(output: &str) -> &str {
    let begin = output
        .char_indices()
        .rev()
        .nth(LOGGED - 1)
        .map_or(0, |(index, _)| index);
    output.get(begin..).unwrap_or_default()
}
