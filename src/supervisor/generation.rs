//! One process of the app, from its start to its end.

use std::{sync::Arc, time::SystemTime};

use tokio::time::{Duration, Instant};

#[cfg(all(unix, feature = "in-process"))]
use super::worker::Channel;
use super::{logs::Capture, place::Place, process::Process, ready::Listening, worker::DirectLoad};
use crate::proxy::Backend;

/// What a process is called in logs and in a status.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// Its number among all processes of the app.
    pub(super) generation: u64,
    pub(super) attempt: u8,
    pub(super) pid: u32,
    pub(super) port: Option<u16>,
    pub(super) started: SystemTime,
}

/// A process that was started, with its output. Dropping it kills the process and its descendants.
pub(super) struct Child<P: Process> {
    process: P,
    place: Place,
    output: Capture,
    label: Label,
}

impl<P: Process> Child<P> {
    pub(super) const fn new(process: P, place: Place, output: Capture, label: Label) -> Self {
        Self {
            process,
            place,
            output,
            label,
        }
    }

    pub(super) const fn process(&self) -> &P {
        &self.process
    }

    /// Where it takes its connections.
    pub(super) const fn place(&self) -> &Place {
        &self.place
    }

    pub(super) const fn output(&self) -> &Capture {
        &self.output
    }

    pub(super) const fn label(&self) -> &Label {
        &self.label
    }
}

impl<P: Process> Drop for Child<P> {
    fn drop(&mut self) {
        self.process.kill();
    }
}

/// A process that listened: it serves, drains or is being stopped.
pub(super) struct Generation<P: Process> {
    child: Child<P>,
    backend: Backend,
    listening: Listening,
    ready: Instant,
}

impl<P: Process> Generation<P> {
    /// `listening` is what `backend` stands for.
    pub(super) fn new(child: Child<P>, backend: Backend, listening: Listening) -> Self {
        Self {
            child,
            backend,
            listening,
            ready: Instant::now(),
        }
    }

    pub(super) const fn process(&self) -> &P {
        self.child.process()
    }

    pub(super) const fn output(&self) -> &Capture {
        self.child.output()
    }

    pub(super) const fn label(&self) -> &Label {
        self.child.label()
    }

    pub(super) const fn backend(&self) -> &Backend {
        &self.backend
    }

    /// Where it takes its connections.
    pub(super) const fn place(&self) -> &Place {
        self.child.place()
    }

    /// What is under way that did not come by us, where it takes connections by itself.
    pub(super) fn direct(&self) -> Option<&Arc<DirectLoad>> {
        #[cfg(all(unix, feature = "in-process"))]
        return self.place().channel().map(Channel::load);
        #[cfg(not(all(unix, feature = "in-process")))]
        None
    }

    /// How many requests are under way, by whichever way they came.
    pub(super) fn in_flight(&self) -> usize {
        let direct = self.direct().map_or(0, |direct| direct.in_flight());
        self.backend.in_flight() + direct
    }

    /// How many requests there have been, modulo 2^32.
    pub(super) fn requests(&self) -> u32 {
        let direct = self.direct().map_or(0, |direct| direct.requests());
        self.backend.requests().wrapping_add(direct)
    }

    /// Who listens, and where.
    pub(super) const fn listening(&self) -> &Listening {
        &self.listening
    }

    /// Whether the app is in this process.
    pub(super) const fn is_here(&self) -> bool {
        matches!(self.child.place(), Place::Here)
    }

    /// How long it has been ready.
    pub(super) fn served(&self) -> Duration {
        self.ready.elapsed()
    }
}
