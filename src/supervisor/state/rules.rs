//! What each state makes of each event.

use super::{ATTEMPTS, Action as Do, Event, State, Then};

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
    pub(super) fn idle(self, event: Event) -> (Self, Vec<Do>) {
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
            | Event::Unused
            | Event::Gone => (self, vec![]),
        }
    }

    pub(super) fn starting(self, attempt: u8, failures: u32, event: Event) -> (Self, Vec<Do>) {
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
            | Event::Unused
            | Event::Gone => (self, vec![]),
        }
    }

    pub(super) fn ready(self, failures: u32, event: Event) -> (Self, Vec<Do>) {
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
            Event::Unused => {
                let then = Then::Idle;
                (Self::Stopping { then }, vec![Do::Rest])
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

    pub(super) fn replacing(self, attempt: u8, failures: u32, event: Event) -> (Self, Vec<Do>) {
        match event {
            Event::Listening => (Self::Ready { failures: 0 }, vec![Do::Promote]),
            Event::StartFailed { critical: false } if attempt < ATTEMPTS => {
                let attempt = attempt + 1;
                (Self::Replacing { attempt, failures }, vec![Do::Spawn])
            }
            Event::StartFailed { .. } | Event::Refused => {
                (Self::Ready { failures }, vec![Do::Keep])
            }
            // What starts was asked for: how often the old one failed says nothing of it.
            Event::Exited { .. } => {
                let failures = 0;
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
            Event::Demand
            | Event::BackOffElapsed
            | Event::WindowElapsed
            | Event::Unused
            | Event::Gone => (self, vec![]),
        }
    }

    /// Backing off, or refused: the wait differs, what ends it does not.
    pub(super) fn waiting(self, failures: u32, event: Event) -> (Self, Vec<Do>) {
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
                | Event::Unused
                | Event::Gone,
            ) => (self, vec![]),
        }
    }

    pub(super) fn stopping(self, then: Then, event: Event) -> (Self, Vec<Do>) {
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
                | Event::WindowElapsed
                | Event::Unused,
            ) => (self, vec![]),
        }
    }

    pub(super) fn stopped(self, event: Event) -> (Self, Vec<Do>) {
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
            | Event::Unused
            | Event::Gone => (self, vec![]),
        }
    }
}

/// The way out of every state: who waits is turned away, what runs is stopped.
fn stop(then: Then, of_this_state: &[Do]) -> (State, Vec<Do>) {
    let mut actions = vec![Do::TurnAway];
    actions.extend_from_slice(of_this_state);
    actions.push(Do::Hurry);
    (State::Stopping { then }, actions)
}
