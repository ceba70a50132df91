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

use self::Action as Do;

/// The first attempt of a start.
const fn starting(failures: u32) -> State {
    State::Starting {
        attempt: 1,
        failures,
    }
}

/// The failures in a row, after one more.
const fn one_more(failures: u32, settled: bool) -> u32 {
    if settled {
        1
    } else {
        failures.saturating_add(1)
    }
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

    fn idle(self, event: Event) -> (Self, Vec<Action>) {
        match event {
            Event::Demand => (starting(0), vec![Do::Spawn]),
            Event::Restart { .. } => (self, vec![Do::TellIdle]),
            Event::Stop => stop(Then::Idle, &[]),
            Event::Shutdown => stop(Then::Close, &[]),
            Event::Listening
            | Event::StartFailed { .. }
            | Event::Refused
            | Event::Exited { .. }
            | Event::BackOffElapsed
            | Event::WindowElapsed
            | Event::Gone => (self, vec![]),
        }
    }

    fn starting(self, attempt: u8, failures: u32, event: Event) -> (Self, Vec<Action>) {
        match event {
            Event::Listening => (Self::Ready { failures }, vec![Do::Promote]),
            Event::StartFailed { critical: false } if attempt < ATTEMPTS => {
                let attempt = attempt + 1;
                (Self::Starting { attempt, failures }, vec![Do::Spawn])
            }
            Event::StartFailed { .. } => {
                // It was tried twice: that is no case for another try at once.
                let failures = one_more(failures, false).max(2);
                let actions = vec![Do::Fail, Do::BackOff { failures }];
                (Self::BackingOff { failures }, actions)
            }
            Event::Refused => (Self::Refused { failures }, vec![Do::Refuse]),
            // What starts may have seen the app as it was before: it can't count as the new one.
            Event::Restart { overlap: true } => {
                (starting(0), vec![Do::Abandon, Do::Forgive, Do::Spawn])
            }
            Event::Restart { overlap: false } => {
                let then = Then::Start;
                let actions = vec![Do::Abandon, Do::Forgive, Do::Hurry];
                (Self::Stopping { then }, actions)
            }
            Event::Stop => stop(Then::Idle, &[Do::Abandon]),
            Event::Shutdown => stop(Then::Close, &[Do::Abandon]),
            Event::Demand
            | Event::Exited { .. }
            | Event::BackOffElapsed
            | Event::WindowElapsed
            | Event::Gone => (self, vec![]),
        }
    }

    fn ready(self, failures: u32, event: Event) -> (Self, Vec<Action>) {
        match event {
            // Differs from ANCM: there, a process that ended is replaced at the next request.
            Event::Exited { settled } => {
                let failures = one_more(failures, settled);
                let actions = vec![Do::Bury, Do::BackOff { failures }];
                (Self::BackingOff { failures }, actions)
            }
            Event::Restart { overlap: true } => {
                let attempt = 1;
                let actions = vec![Do::Forgive, Do::Spawn];
                (Self::Replacing { attempt, failures }, actions)
            }
            Event::Restart { overlap: false } => {
                let then = Then::Start;
                let actions = vec![Do::Retire, Do::Forgive, Do::Hurry];
                (Self::Stopping { then }, actions)
            }
            Event::Stop => stop(Then::Idle, &[Do::Retire]),
            Event::Shutdown => stop(Then::Close, &[Do::Retire]),
            Event::Demand
            | Event::Listening
            | Event::StartFailed { .. }
            | Event::Refused
            | Event::BackOffElapsed
            | Event::WindowElapsed
            | Event::Gone => (self, vec![]),
        }
    }

    fn replacing(self, attempt: u8, failures: u32, event: Event) -> (Self, Vec<Action>) {
        match event {
            Event::Listening => (Self::Ready { failures: 0 }, vec![Do::Promote]),
            Event::StartFailed { critical: false } if attempt < ATTEMPTS => {
                let attempt = attempt + 1;
                (Self::Replacing { attempt, failures }, vec![Do::Spawn])
            }
            Event::StartFailed { .. } | Event::Refused => {
                (Self::Ready { failures }, vec![Do::Keep])
            }
            Event::Exited { settled } => {
                let failures = one_more(failures, settled);
                (Self::Starting { attempt, failures }, vec![Do::Bury])
            }
            Event::Restart { overlap: true } => {
                let attempt = 1;
                let actions = vec![Do::Abandon, Do::Forgive, Do::Spawn];
                (Self::Replacing { attempt, failures }, actions)
            }
            Event::Restart { overlap: false } => {
                let then = Then::Start;
                let actions = vec![Do::Abandon, Do::Retire, Do::Forgive, Do::Hurry];
                (Self::Stopping { then }, actions)
            }
            Event::Stop => stop(Then::Idle, &[Do::Abandon, Do::Retire]),
            Event::Shutdown => stop(Then::Close, &[Do::Abandon, Do::Retire]),
            Event::Demand | Event::BackOffElapsed | Event::WindowElapsed | Event::Gone => {
                (self, vec![])
            }
        }
    }

    /// Backing off, or refused: the wait differs, what ends it does not.
    fn waiting(self, failures: u32, event: Event) -> (Self, Vec<Action>) {
        match (self, event) {
            (Self::BackingOff { .. }, Event::BackOffElapsed)
            | (Self::Refused { .. }, Event::WindowElapsed) => (starting(failures), vec![Do::Spawn]),
            (_, Event::Restart { overlap: true }) => (starting(0), vec![Do::Forgive, Do::Spawn]),
            (_, Event::Restart { overlap: false }) => {
                let then = Then::Start;
                (Self::Stopping { then }, vec![Do::Forgive, Do::Hurry])
            }
            (_, Event::Stop) => stop(Then::Idle, &[]),
            (_, Event::Shutdown) => stop(Then::Close, &[]),
            (
                _,
                Event::Demand
                | Event::Listening
                | Event::StartFailed { .. }
                | Event::Refused
                | Event::Exited { .. }
                | Event::BackOffElapsed
                | Event::WindowElapsed
                | Event::Gone,
            ) => (self, vec![]),
        }
    }

    fn stopping(self, then: Then, event: Event) -> (Self, Vec<Action>) {
        let to = |then| Self::Stopping { then };
        match (then, event) {
            (Then::Idle, Event::Demand | Event::Restart { .. }) => (to(Then::Start), vec![]),
            (Then::Close, Event::Restart { .. } | Event::Stop | Event::Shutdown) => {
                (self, vec![Do::TurnAway])
            }
            (_, Event::Stop) => (to(Then::Idle), vec![Do::TurnAway]),
            (_, Event::Shutdown) => (to(Then::Close), vec![Do::TurnAway]),
            (Then::Idle, Event::Gone) => (Self::Idle, vec![Do::TellStopped]),
            (Then::Start, Event::Gone) => (starting(0), vec![Do::TellStopped, Do::Spawn]),
            (Then::Close, Event::Gone) => (Self::Stopped, vec![Do::TellStopped]),
            (
                _,
                Event::Demand
                | Event::Restart { .. }
                | Event::Listening
                | Event::StartFailed { .. }
                | Event::Refused
                | Event::Exited { .. }
                | Event::BackOffElapsed
                | Event::WindowElapsed,
            ) => (self, vec![]),
        }
    }

    fn stopped(self, event: Event) -> (Self, Vec<Action>) {
        match event {
            Event::Stop | Event::Shutdown => (self, vec![Do::TellStopped]),
            Event::Restart { .. } => (self, vec![Do::TurnAway]),
            Event::Demand
            | Event::Listening
            | Event::StartFailed { .. }
            | Event::Refused
            | Event::Exited { .. }
            | Event::BackOffElapsed
            | Event::WindowElapsed
            | Event::Gone => (self, vec![]),
        }
    }
}

/// The way out of every state: who waits is turned away, what runs is stopped.
fn stop(then: Then, of_this_state: &[Action]) -> (State, Vec<Action>) {
    let mut actions = vec![Do::TurnAway];
    actions.extend_from_slice(of_this_state);
    actions.push(Do::Hurry);
    (State::Stopping { then }, actions)
}

#[cfg(test)]
mod tests;
