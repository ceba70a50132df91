//! Keeps what a stranger can cause from flooding the log.

use std::{
    sync::{
        LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

/// One line in this many milliseconds.
const PAUSE: u64 = 10_000;

/// Counts an event and says when a line about it is due.
#[derive(Debug, Default)]
pub(crate) struct Occasionally {
    count: AtomicU64,
    /// In milliseconds, when the next line is due.
    next: AtomicU64,
}

impl Occasionally {
    /// How often the event happened.
    pub(crate) fn count(&self) -> u64 {
        self.count.load(Ordering::Relaxed)
    }

    /// Counts once more; the count so far when a line is due.
    pub(crate) fn due(&self) -> Option<u64> {
        self.due_at(now())
    }

    fn due_at(&self, now: u64) -> Option<u64> {
        let count = self.count.fetch_add(1, Ordering::Relaxed) + 1;
        let next = self.next.load(Ordering::Relaxed);
        let mine = now >= next
            && self
                .next
                .compare_exchange(next, now + PAUSE, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        mine.then_some(count)
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "the light build has no clock of tokio's, and the rate of a log needs none that tests can pause"
)]
fn now() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_millis()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_in_ten_seconds_says_how_many_there_were() {
        let events = Occasionally::default();
        assert_eq!(events.due_at(0), Some(1));
        assert_eq!(events.due_at(1), None);
        assert_eq!(events.due_at(9_999), None);
        assert_eq!(events.due_at(10_000), Some(4));
        assert_eq!(events.due_at(10_001), None);
        assert_eq!(events.count(), 5);
    }
}
