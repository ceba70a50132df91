//! Whether an address gets requests. Pure: no I/O, no clock.

use std::time::Duration;

/// How often an address that is down is tried at first, and at least.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// What has to happen before an address changes its state.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// Checks that pass, one after the other, until it gets requests again.
    pub(super) rise: u32,
    /// Checks that fail, one after the other, until it gets none.
    pub(super) fall: u32,
}

/// How an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Health {
    Up {
        /// Checks that failed since the last one that passed.
        failed: u32,
        /// How often it went down lately.
        falls: u32,
    },
    Down {
        /// Checks that passed since the last one that failed.
        passed: u32,
        /// How often it went down lately, and how often it was tried since.
        falls: u32,
        tries: u32,
    },
}

/// What was learned of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A check passed.
    Passed,
    /// A check failed.
    Failed,
    /// A request got no connection.
    Unreachable,
    /// It has been up for a while.
    Settled,
}

impl Health {
    /// One of which nothing bad is known.
    pub(super) const fn new() -> Self {
        Self::Up {
            failed: 0,
            falls: 0,
        }
    }

    pub(super) const fn is_up(self) -> bool {
        matches!(self, Self::Up { .. })
    }

    /// How it is after `event`.
    pub(super) const fn on(self, event: Event, rules: Rules) -> Self {
        match (self, event) {
            (Self::Up { falls, .. }, Event::Passed) => Self::Up { failed: 0, falls },
            (Self::Up { failed, falls }, Event::Failed) if failed + 1 < rules.fall => Self::Up {
                failed: failed + 1,
                falls,
            },
            // Nobody has to be told twice that nobody listens.
            (Self::Up { falls, .. }, Event::Failed | Event::Unreachable) => Self::Down {
                passed: 0,
                falls: falls.saturating_add(1),
                tries: 0,
            },
            (Self::Up { failed, .. }, Event::Settled) => Self::Up { failed, falls: 0 },
            (Self::Down { passed, falls, .. }, Event::Passed) if passed + 1 >= rules.rise => {
                Self::Up { failed: 0, falls }
            }
            (
                Self::Down {
                    passed,
                    falls,
                    tries,
                },
                Event::Passed,
            ) => Self::Down {
                passed: passed + 1,
                falls,
                tries,
            },
            (Self::Down { falls, tries, .. }, Event::Failed) => Self::Down {
                passed: 0,
                falls,
                tries: tries.saturating_add(1),
            },
            // A request that had begun before.
            (Self::Down { .. }, Event::Unreachable | Event::Settled) => self,
        }
    }

    /// How long until it is tried again, where it is down: longer each time, and for one that keeps falling.
    pub(super) fn pause(self) -> Option<Duration> {
        match self {
            Self::Up { .. } => None,
            Self::Down {
                passed,
                falls,
                tries,
            } => {
                // One that begins to be well is not kept waiting.
                let doublings = match passed {
                    0 => tries.saturating_add(falls.saturating_sub(1)).min(8),
                    _ => 0,
                };
                Some(LONGEST_PAUSE.min(FIRST_PAUSE * 2_u32.pow(doublings)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Event::{Failed, Passed, Settled, Unreachable},
        *,
    };

    const RULES: Rules = Rules { rise: 2, fall: 3 };

    fn after(events: &[Event]) -> Health {
        let events = events.iter();
        events.fold(Health::new(), |health, &event| health.on(event, RULES))
    }

    #[test]
    fn checks_count_only_one_after_the_other() {
        for (events, up) in [
            (&[][..], true),
            (&[Failed, Failed], true),
            (&[Failed, Failed, Passed, Failed, Failed], true),
            (&[Failed, Failed, Failed], false),
            (&[Failed, Failed, Failed, Passed], false),
            (&[Failed, Failed, Failed, Passed, Failed, Passed], false),
            (&[Failed, Failed, Failed, Passed, Passed], true),
            (&[Unreachable], false),
            (&[Unreachable, Unreachable, Settled, Passed], false),
            (&[Unreachable, Passed, Passed], true),
        ] {
            assert_eq!(after(events).is_up(), up, "{events:?}");
        }
    }

    #[test]
    fn one_that_is_down_is_tried_less_and_less_often_but_for_ever() {
        let mut health = after(&[Unreachable]);
        let mut pauses = Vec::new();
        for _ in 0..100 {
            pauses.push(health.pause().unwrap().as_millis());
            health = health.on(Failed, RULES);
        }
        assert_eq!(pauses[..5], [500, 1000, 2000, 4000, 5000]);
        assert_eq!(pauses[99], 5000);
        assert_eq!(Health::new().pause(), None);
    }

    #[test]
    fn one_that_keeps_falling_stays_down_longer_until_it_settles() {
        let again = [Unreachable, Passed, Passed, Unreachable];
        assert_eq!(after(&again).pause(), Some(FIRST_PAUSE * 2));
        let settled = [Unreachable, Passed, Passed, Settled, Unreachable];
        assert_eq!(after(&settled).pause(), Some(FIRST_PAUSE));
        let rising = [Unreachable, Failed, Failed, Failed, Passed];
        assert_eq!(after(&rising).pause(), Some(FIRST_PAUSE));
    }
}
