//! One process of the app, from its start to its end.

use std::time::SystemTime;

use tokio::time::{Duration, Instant};

use super::{logs::Capture, process::Process};
use crate::proxy::Backend;

/// What a process is called in logs and in a status.
#[derive(Clone, Debug)]
pub(super) struct Label {
    /// Its number among all processes of the app.
    pub(super) generation: u64,
    pub(super) attempt: u8,
    pub(super) pid: u32,
    pub(super) port: u16,
    pub(super) started: SystemTime,
}

/// A process that was started, with its output. Dropping it kills the process and its descendants.
pub(super) struct Child<P: Process> {
    process: P,
    output: Capture,
    label: Label,
}

impl<P: Process> Child<P> {
    pub(super) const fn new(process: P, output: Capture, label: Label) -> Self {
        Self {
            process,
            output,
            label,
        }
    }

    pub(super) const fn process(&self) -> &P {
        &self.process
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
    listener: u32,
    ready: Instant,
}

impl<P: Process> Generation<P> {
    /// `listener` is the process that listens: the child or a descendant of it.
    pub(super) fn new(child: Child<P>, backend: Backend, listener: u32) -> Self {
        Self {
            child,
            backend,
            listener,
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

    pub(super) const fn listener(&self) -> u32 {
        self.listener
    }

    /// How long it has been ready.
    pub(super) fn served(&self) -> Duration {
        self.ready.elapsed()
    }
}
