//! `rapidFailsPerMinute`: how many failures a minute may see. Pure: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

/// The length of a window, and the time after which a process that runs counts as settled.
pub(super) const LENGTH: Duration = Duration::from_secs(60);

/// Counts the failures of an app within one minute.
///
/// ANCM: a tumbling window, whose beginning moves only when something happens; more than `limit`
/// failures, not as many, refuse a start. So a limit of 10 allows 11 failures and refuses the
/// twelfth start, and a limit of 0 allows one.
///
/// Differs from ANCM: a start that fails counts like a process that crashed. There, only a process
/// that once was ready counts, so an app that can't start is started anew for every request.
#[derive(Debug)]
pub(super) struct Window {
    limit: u32,
    begin: Instant,
    failures: u32,
}

impl Window {
    pub(super) const fn new(limit: u32, now: Instant) -> Self {
        Self {
            limit,
            begin: now,
            failures: 0,
        }
    }

    /// Takes another limit, for the failures that were counted too.
    pub(super) const fn set_limit(&mut self, limit: u32) {
        self.limit = limit;
    }

    /// Counts one failure.
    pub(super) fn record(&mut self, now: Instant) {
        self.turn(now);
        self.failures = self.failures.saturating_add(1);
    }

    /// Until when no process may be started, where that is later than `now`.
    pub(super) fn refuses(&mut self, now: Instant) -> Option<Instant> {
        self.turn(now);
        (self.failures > self.limit).then(|| self.begin + LENGTH)
    }

    /// Forgets all failures: somebody mended the app, or says so.
    pub(super) fn forgive(&mut self) {
        self.failures = 0;
    }

    fn turn(&mut self, now: Instant) {
        if now.duration_since(self.begin) >= LENGTH {
            self.begin = now;
            self.failures = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(begin: Instant, seconds: u64) -> Instant {
        begin + Duration::from_secs(seconds)
    }

    #[test]
    fn allows_one_failure_more_than_its_limit() {
        for limit in [0, 1, 10, 100] {
            let begin = Instant::now();
            let mut window = Window::new(limit, begin);
            for _ in 0..=limit {
                assert_eq!(window.refuses(begin), None, "{limit}");
                window.record(begin);
            }
            assert_eq!(window.refuses(begin), Some(after(begin, 60)), "{limit}");
        }
    }

    #[test]
    fn opens_again_a_minute_after_its_beginning() {
        let begin = Instant::now();
        let mut window = Window::new(0, begin);
        window.record(after(begin, 30));
        assert_eq!(window.refuses(after(begin, 59)), Some(after(begin, 60)));
        assert_eq!(window.refuses(after(begin, 60)), None);
    }

    #[test]
    fn a_failure_after_the_window_begins_a_new_one() {
        let begin = Instant::now();
        let mut window = Window::new(1, begin);
        window.record(begin);
        window.record(after(begin, 61));
        assert_eq!(window.refuses(after(begin, 61)), None);
        window.record(after(begin, 62));
        assert_eq!(window.refuses(after(begin, 62)), Some(after(begin, 121)));
    }

    #[test]
    fn forgives() {
        let begin = Instant::now();
        let mut window = Window::new(0, begin);
        window.record(begin);
        window.forgive();
        assert_eq!(window.refuses(begin), None);
    }
}
