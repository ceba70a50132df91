//! The place of one process: what is in it, and what comes and goes.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    board::Entry,
    generation::{Generation, Label},
    output::Output,
    process::Process,
    state::{State, Then},
};
use crate::error::StartFailure;

/// A process that starts, and the way to stop that.
pub(super) struct Starting {
    pub(super) label: Label,
    pub(super) output: Output,
    pub(super) cancel: CancellationToken,
}

/// What one slot holds: a process that serves, one that starts, and those that are on their way out.
pub(super) struct Slot<P: Process> {
    pub(super) state: State,
    pub(super) current: Option<Arc<Generation<P>>>,
    pub(super) starting: Option<Starting>,
    /// What has become ready and is about to serve.
    pub(super) next: Option<Generation<P>>,
    /// The processes that start, those that nobody wants any more included.
    pub(super) attempts: usize,
    pub(super) retiring: Vec<Arc<Generation<P>>>,
    /// Ends the drain of those that retire.
    pub(super) hurry: CancellationToken,
    /// When the wait of the state is over.
    pub(super) alarm: Option<Instant>,
    /// The last failure, of a start or of a process that served.
    pub(super) failure: Option<Arc<StartFailure>>,
    /// Whether a process ever served here.
    pub(super) served: bool,
    /// When its process was last replaced because of a limit, or should have been.
    pub(super) recycled: Option<Instant>,
}

impl<P: Process> Slot<P> {
    pub(super) fn new() -> Self {
        Self {
            state: State::Idle,
            current: None,
            starting: None,
            next: None,
            attempts: 0,
            retiring: Vec::new(),
            hurry: CancellationToken::new(),
            alarm: None,
            failure: None,
            served: false,
            recycled: None,
        }
    }

    /// Whether the slot is being stopped and nothing of it is left.
    pub(super) fn is_gone(&self) -> bool {
        matches!(self.state, State::Stopping { .. })
            && self.current.is_none()
            && self.attempts == 0
            && self.retiring.is_empty()
    }

    /// Whether nothing will ever run here again.
    pub(super) const fn is_closed(&self) -> bool {
        matches!(
            self.state,
            State::Stopped | State::Stopping { then: Then::Close }
        )
    }

    pub(super) fn is_current(&self, generation: u64) -> bool {
        self.current
            .as_ref()
            .is_some_and(|current| current.label().generation == generation)
    }

    /// Takes the process that starts, if it is this one.
    pub(super) fn take_starting(&mut self, generation: u64) -> Option<Starting> {
        self.starting
            .take_if(|starting| starting.label.generation == generation)
    }

    pub(super) fn forget_retired(&mut self, generation: u64) {
        self.retiring
            .retain(|retired| retired.label().generation != generation);
    }

    /// The processes of slot number `slot`, for a status.
    pub(super) fn entries(&self, slot: usize) -> impl Iterator<Item = Entry> + '_ {
        let current = self.current.iter().map(|one| ("ready", one));
        let retiring = self.retiring.iter().map(|one| ("draining", one));
        let running = current.chain(retiring).map(move |(state, one)| Entry {
            backend: Some(one.backend().clone()),
            direct: one.direct().cloned(),
            ..entry(
                slot,
                state,
                one.label(),
                Output::of(one.label(), one.output()),
            )
        });
        let starting = self.starting.iter();
        let starting =
            starting.map(move |one| entry(slot, "starting", &one.label, one.output.clone()));
        running.chain(starting)
    }
}

/// A process that takes no requests.
fn entry(slot: usize, state: &'static str, label: &Label, output: Output) -> Entry {
    Entry {
        slot,
        generation: label.generation,
        attempt: label.attempt,
        pid: label.pid,
        port: label.port,
        state,
        started: label.started,
        backend: None,
        direct: None,
        output,
    }
}
