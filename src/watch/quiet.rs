//! When something that goes on has come to rest. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// How long something goes on at most before it counts as having come to rest.
pub(super) const LONGEST: Duration = Duration::from_secs(5);

/// The first and the last time that something happened.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Quiet {
    times: Option<(Instant, Instant)>,
}

impl Quiet {
    /// Something happened.
    pub(super) fn disturb(&mut self, now: Instant) {
        let first = self.times.map_or(now, |(first, _)| first);
        self.times = Some((first, now));
    }

    /// When it has been quiet for this `period`; never, while nothing has happened.
    pub(super) fn since(&self, period: Duration) -> Option<Instant> {
        let (first, last) = self.times?;
        Some((last + period).min(first + LONGEST.max(period)))
    }

    /// What happened is over and done with.
    pub(super) fn settle(&mut self) {
        self.times = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(500);

    #[test]
    fn every_disturbance_begins_the_period_anew() {
        let begin = Instant::now();
        let mut quiet = Quiet::default();
        assert_eq!(quiet.since(PERIOD), None);
        for millis in [0, 300, 600] {
            let now = begin + Duration::from_millis(millis);
            quiet.disturb(now);
            assert_eq!(quiet.since(PERIOD), Some(now + PERIOD));
        }
        quiet.settle();
        assert_eq!(quiet.since(PERIOD), None);
    }

    #[test]
    fn what_never_rests_is_not_waited_for() {
        let begin = Instant::now();
        let mut quiet = Quiet::default();
        for tenths in 0..100 {
            quiet.disturb(begin + Duration::from_millis(100) * tenths);
        }
        assert_eq!(quiet.since(PERIOD), Some(begin + LONGEST));
        assert_eq!(quiet.since(2 * LONGEST).unwrap(), begin + 2 * LONGEST);
    }
}
