//! What the task does when a state machine says so.

use std::{mem, sync::Arc};

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    answer::end_of,
    attempt::Attempt,
    backoff,
    begin::Start,
    generation::Generation,
    ready,
    slot::Starting,
    start::Failed,
    state::{Action, Event, State},
    stop::{self, Stop},
    task::{Happening, Task},
};

impl<S: Start> Task<S> {
    pub(super) fn perform(&mut self, index: usize, action: Action) {
        match action {
            Action::Spawn => self.spawn(index),
            Action::Promote => self.promote(index),
            Action::Abandon => self.abandon(index),
            Action::Retire => self.retire(index, Duration::ZERO),
            Action::Rest => self.retire(index, self.settings.drain_limit),
            Action::Bury => self.bury(index),
            Action::Fail => self.fail(index),
            Action::Keep => self.keep(index),
            Action::Refuse => self.refuse(index),
            Action::TurnAway => self.turn_away(index),
            Action::BackOff { failures } => {
                self.set_alarm(index, Instant::now() + backoff::delay(failures));
            }
            Action::Forgive => self.window.forgive(),
            Action::Hurry => self.hurry(index),
            Action::TellStopped => self.tell_stopped(),
            Action::TellIdle => self.rolled(index, &Ok(())),
        }
    }

    /// Starts a process, unless too many failed lately. That is asked at the first attempt only.
    fn spawn(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let attempt = match slot.state {
            State::Starting { attempt: 1, .. } if self.window.refuses(Instant::now()).is_some() => {
                return self.feed(index, Event::Refused);
            }
            State::Starting { attempt, .. } | State::Replacing { attempt, .. } => attempt,
            State::Idle
            | State::Ready { .. }
            | State::BackingOff { .. }
            | State::Refused { .. }
            | State::Stopping { .. }
            | State::Stopped => return,
        };
        let proposed = self.is_rolling(index);
        match self.starter.begin(attempt, proposed) {
            Ok(attempt) => self.wait_for(index, attempt),
            Err(failed) => self.start_failed(index, *failed),
        }
    }

    fn wait_for(&mut self, index: usize, attempt: Attempt<S::Process>) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let cancel = CancellationToken::new();
        let generation = attempt.label().generation;
        slot.starting = Some(Starting {
            label: attempt.label().clone(),
            output: attempt.output(),
            cancel: cancel.clone(),
        });
        slot.attempts += 1;
        self.jobs.spawn(async move {
            let outcome = attempt.run(cancel).await;
            Happening::Attempted {
                slot: index,
                generation,
                outcome,
            }
        });
    }

    /// An attempt came to its end, perhaps after nobody wanted it any more.
    pub(super) fn attempted(
        &mut self,
        index: usize,
        generation: u64,
        outcome: Option<Result<Generation<S::Process>, Box<Failed>>>,
    ) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        slot.attempts = slot.attempts.saturating_sub(1);
        let wanted = slot.take_starting(generation).is_some();
        match outcome {
            Some(Ok(generation)) if wanted => {
                slot.next = Some(generation);
                self.feed(index, Event::Listening);
            }
            Some(Ok(generation)) => self.dispose(index, Arc::new(generation)),
            Some(Err(failed)) if wanted => self.start_failed(index, *failed),
            Some(Err(_)) | None => {}
        }
        self.check_gone(index);
    }

    fn start_failed(&mut self, index: usize, failed: Failed) {
        let Failed { failure, critical } = failed;
        // ANCM: event 1000.
        warn!(
            slot = index,
            stage = %failure.stage,
            reason = %failure.reason,
            process.pid = failure.pid,
            port = failure.port,
            elapsed = ?failure.elapsed,
            "Start attempt failed"
        );
        if let Some(slot) = self.slots.get_mut(index) {
            slot.failure = Some(Arc::new(failure));
        }
        self.feed(index, Event::StartFailed { critical });
    }

    /// What became ready serves; what served drains.
    fn promote(&mut self, index: usize) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let Some(next) = slot.next.take() else { return };
        let next = Arc::new(next);
        let (label, listener) = (next.label().clone(), next.listening().pid);
        self.upkeep.used = Instant::now();
        let old = slot.current.replace(Arc::clone(&next));
        if mem::replace(&mut slot.served, true) {
            self.restarts += 1;
        }
        // ANCM: event 1001.
        info!(
            process.pid = label.pid,
            process.attempt = label.attempt,
            generation = label.generation,
            port = label.port,
            listener,
            "Process is ready"
        );
        #[cfg(all(unix, feature = "in-process"))]
        if let Some(channel) = next.place().channel() {
            channel.order(super::worker::protocol::Order::Accept);
        }
        self.watch(index, next);
        if let Some(old) = old {
            self.stop(index, old, self.settings.drain_limit);
        }
        self.rolled(index, &Ok(()));
    }

    fn watch(&mut self, index: usize, generation: Arc<Generation<S::Process>>) {
        self.jobs.spawn(async move {
            let label = generation.label();
            let number = label.generation;
            let exit = ready::gone(generation.process(), generation.listening()).await;
            generation.output().catch_up().await;
            Happening::Ended {
                slot: index,
                generation: number,
                exit,
            }
        });
    }

    fn abandon(&mut self, index: usize) {
        let starting = self.slots.get_mut(index).and_then(|s| s.starting.take());
        if let Some(starting) = starting {
            info!(
                process.pid = starting.label.pid,
                "Process that starts is given up"
            );
            starting.cancel.cancel();
        }
    }

    fn retire(&mut self, index: usize, drain: Duration) {
        let current = self.slots.get_mut(index).and_then(|s| s.current.take());
        if let Some(current) = current {
            self.stop(index, current, drain);
        }
    }

    /// Lets a process go through the stop protocol.
    fn stop(&mut self, index: usize, old: Arc<Generation<S::Process>>, drain: Duration) {
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let config = self.starter.config();
        let stop = Stop {
            path_base: config.path_base.clone(),
            drain,
            limit: config.shutdown_time_limit,
            hurry: slot.hurry.clone(),
        };
        let label = old.label();
        let (generation, in_flight) = (label.generation, old.in_flight());
        info!(
            process.pid = label.pid,
            generation, in_flight, "Process takes no more requests"
        );
        slot.retiring.push(Arc::clone(&old));
        self.jobs.spawn(async move {
            stop.run(&old).await;
            Happening::Retired {
                slot: index,
                generation,
            }
        });
    }

    fn bury(&mut self, index: usize) {
        self.window.record(Instant::now());
        let Some(slot) = self.slots.get_mut(index) else {
            return;
        };
        let (current, failure) = (slot.current.take(), slot.failure.clone());
        if let Some(failure) = failure {
            // ANCM: event 1030.
            warn!(
                process.pid = failure.pid,
                port = failure.port,
                reason = %failure.reason,
                output = ?end_of(&failure.output),
                "Process ended by itself"
            );
        }
        if let Some(current) = current {
            self.dispose(index, current);
        }
    }

    /// Cleans up after a process that ended, or that nobody wants.
    fn dispose(&mut self, index: usize, old: Arc<Generation<S::Process>>) {
        let limit = self.starter.config().shutdown_time_limit;
        if let Some(slot) = self.slots.get_mut(index) {
            slot.retiring.push(Arc::clone(&old));
        }
        self.jobs.spawn(async move {
            stop::bury(&old, limit).await;
            Happening::Retired {
                slot: index,
                generation: old.label().generation,
            }
        });
    }

    pub(super) fn set_alarm(&mut self, index: usize, alarm: Instant) {
        if let Some(slot) = self.slots.get_mut(index) {
            slot.alarm = Some(alarm);
        }
    }

    fn hurry(&mut self, index: usize) {
        if let Some(slot) = self.slots.get_mut(index) {
            mem::take(&mut slot.hurry).cancel();
        }
    }
}
