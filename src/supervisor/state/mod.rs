//! What becomes of a slot, whatever happens to it. Pure: no I/O, no clock.
//!
//! ```text
//!            Demand              Listening
//!   Idle ───────────▶ Starting ───────────▶ Ready ──Restart──▶ Replacing ──┐
//!    ▲                 ▲   │ StartFailed      │ ▲                  │       │ Listening,
//!    │ Gone   Elapsed  │   ▼                  │ └──────────────────┼───────┘ StartFailed
//!    │                BackingOff ◀──Exited────┘                    │
//!    │                Refused ◀── the window is full               │ Exited: Starting
//!    └── Stopping ◀── Stop, in every state
//! ```
//!
//! A slot holds one process that serves, and while it is replaced a second one that starts.

mod rules;

/// How often one start tries. ANCM: 2, not to be configured.
pub(super) const ATTEMPTS: u8 = 2;

/// What a slot is about.
///
/// `failures` counts starts and processes that failed, one after the other, for the back-off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nothing runs, and nobody asked for it.
    Idle,
    /// A process was started and does not listen yet.
    Starting { attempt: u8, failures: u32 },
    /// A process serves.
    Ready { failures: u32 },
    /// A process serves, and the one to take its place does not listen yet.
    Replacing { attempt: u8, failures: u32 },
    /// Nothing runs; a process is started when the wait is over.
    BackingOff { failures: u32 },
    /// Nothing runs; none is started until the minute is over.
    Refused { failures: u32 },
    /// What runs is being stopped.
    Stopping { then: Then },
    /// Stopped for good.
    Stopped,
}

/// What follows a stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Then {
    /// Nothing, until somebody asks.
    Idle,
    /// A new start.
    Start,
    /// Nothing ever.
    Close,
}

/// What can happen to a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A request waits, or the app is to run without one.
    Demand,
    /// The process that was started listens on its port.
    Listening,
    /// The process that was started will not serve; `critical`: nor would a second one.
    StartFailed { critical: bool },
    /// The answer to [`Action::Spawn`]: too many failures within a minute.
    Refused,
    /// The process that served has ended by itself; `settled`: after a good while.
    Exited { settled: bool },
    /// Somebody wants a new process; `overlap`: while the old one serves on.
    Restart { overlap: bool },
    /// The wait of [`Action::BackOff`] is over.
    BackOffElapsed,
    /// The wait of [`Action::Refuse`] is over.
    WindowElapsed,
    /// Nobody has used the process for a good while.
    Unused,
    /// Somebody wants no process.
    Stop,
    /// Nothing of this slot is left: none that serves, starts, drains or stops.
    Gone,
    /// Somebody wants no process ever again.
    Shutdown,
}

/// What the task must do about it, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// Start a process; it becomes the one that starts.
    Spawn,
    /// The one that starts serves from now on; the old one, if any, drains and stops.
    Promote,
    /// Kill the one that starts.
    Abandon,
    /// Stop the one that serves, without waiting for its requests.
    Retire,
    /// Stop the one that serves, once its requests are through.
    Rest,
    /// Count the one that served as a failure and clean up after it.
    Bury,
    /// Count a failed start and tell everybody who waits for it.
    Fail,
    /// Tell who asked for a new process that the old one stays.
    Keep,
    /// Tell everybody who waits that the app is refused, and wait for the end of the minute.
    Refuse,
    /// Tell everybody who waits that the app stops.
    TurnAway,
    /// Wait, longer with each failure.
    BackOff { failures: u32 },
    /// Forget the failures of the last minute.
    Forgive,
    /// Let what drains stop at once.
    Hurry,
    /// Tell who asked for the stop that it is done.
    TellStopped,
    /// Tell who asked for a new process that none is needed.
    TellIdle,
}

impl State {
    /// The next state, and what the task must do about it.
    pub(super) fn on(self, event: Event) -> (Self, Vec<Action>) {
        match self {
            Self::Idle => self.idle(event),
            Self::Starting { attempt, failures } => self.starting(attempt, failures, event),
            Self::Ready { failures } => self.ready(failures, event),
            Self::Replacing { attempt, failures } => self.replacing(attempt, failures, event),
            Self::BackingOff { failures } | Self::Refused { failures } => {
                self.waiting(failures, event)
            }
            Self::Stopping { then } => self.stopping(then, event),
            Self::Stopped => self.stopped(event),
        }
    }

    /// Whether a process may come to serve without anything being asked for.
    pub(super) const fn is_hopeful(self) -> bool {
        matches!(
            self,
            Self::Starting { .. } | Self::Ready { .. } | Self::Replacing { .. }
        )
    }

    /// Whether somebody has to ask before a process is started.
    pub(super) const fn needs_demand(self) -> bool {
        matches!(
            self,
            Self::Idle
                | Self::Stopping {
                    then: Then::Idle | Then::Close
                }
        )
    }

    /// The state as a status shows it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Starting { .. } => "starting",
            Self::Ready { .. } => "ready",
            Self::Replacing { .. } => "replacing",
            Self::BackingOff { .. } => "backing-off",
            Self::Refused { .. } => "refused",
            Self::Stopping { .. } => "stopping",
            Self::Stopped => "stopped",
        }
    }
}

#[cfg(test)]
mod tests;
