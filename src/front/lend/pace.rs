//! Whether to lend, when to call another driver, when to look again: pure.

use std::time::Duration;

use tokio::time::Instant;

use super::seat::Seen;

/// How often to look while there are errands.
pub(super) const LOOK: Duration = Duration::from_millis(1);
/// So many looks at which nothing had happened, and the watch sleeps.
const QUIET: u32 = 16;
/// A driver that computes for so many looks is replaced like one that sleeps.
const COMPUTES: u32 = 10;
/// Errands that take longer than this, on the average of so many, gain nothing worth mentioning from a thread that is at hand,
/// and keep other requests from other cores.
const LONG: Duration = Duration::from_micros(100);
const AVERAGE_OF: u64 = 64;
/// For how long nothing is lent after the first incident. Each time that follows soon doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(12_800);
/// An incident that comes later than so many pauses is a first one again.
const FORGIVEN_AFTER: u32 = 8;
/// With so many threads kept by the app, no more are lent.
const MOST_AWAY: usize = 4;

/// What the watch is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Look again after a [`LOOK`].
    Look,
    /// Sleep until somebody goes out.
    Sleep,
    /// Lend nothing for that long.
    Pause(Duration),
    /// The same, and call another driver at once.
    Replace(Duration),
}

/// What was seen before, and what followed from it.
pub(super) struct Pace {
    last: Seen,
    judged: Seen,
    quiet: u32,
    stuck: u32,
    pause: Duration,
    lends_since: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last: Seen::default(),
            judged: Seen::default(),
            quiet: 0,
            stuck: 0,
            pause: Duration::ZERO,
            lends_since: now,
        }
    }

    /// What follows from what is seen `now`. `sleeps` tells whether the last who went out does; asked only in need.
    pub(super) fn step(&mut self, now: Instant, seen: Seen, sleeps: impl FnOnce() -> bool) -> Step {
        let moved = seen.outings != self.last.outings;
        let stuck = seen.unattended && self.last.unattended && !moved;
        self.last = seen;
        self.stuck = if stuck { self.stuck + 1 } else { 0 };
        self.quiet = if moved || seen.unattended {
            0
        } else {
            self.quiet + 1
        };
        if self.stuck >= COMPUTES || (self.stuck > 0 && sleeps()) {
            return Step::Replace(self.incident(now));
        }
        if self.is_slow(seen) {
            return Step::Pause(self.incident(now));
        }
        if self.quiet >= QUIET {
            self.quiet = 0;
            return Step::Sleep;
        }
        Step::Look
    }

    /// Whether to lend again after a pause; else how much longer not to.
    pub(super) fn resume(&mut self, now: Instant, seen: Seen) -> Option<Duration> {
        if seen.away >= MOST_AWAY {
            return Some(self.pause);
        }
        (self.last, self.judged) = (seen, seen);
        (self.quiet, self.stuck) = (0, 0);
        self.lends_since = now;
        None
    }

    fn is_slow(&mut self, seen: Seen) -> bool {
        let done = seen.done - self.judged.done;
        if done < AVERAGE_OF {
            return false;
        }
        let spent = seen.spent - self.judged.spent;
        self.judged = seen;
        spent.as_nanos() > LONG.as_nanos() * u128::from(done)
    }

    fn incident(&mut self, now: Instant) -> Duration {
        let forgiven = now.duration_since(self.lends_since) >= self.pause * FORGIVEN_AFTER;
        self.pause = if forgiven {
            FIRST_PAUSE
        } else {
            (self.pause * 2).min(LONGEST_PAUSE)
        };
        self.pause
    }
}

#[cfg(test)]
mod tests {
    use super::{super::state::ThreadId, *};

    fn seen(outings: u64, unattended: bool, done: u64, micros: u64) -> Seen {
        Seen {
            unattended,
            outings,
            done,
            spent: Duration::from_micros(micros),
            away: 0,
            last_out: ThreadId::default(),
        }
    }

    #[test]
    fn replaces_who_sleeps_at_the_second_look_and_who_computes_at_the_last() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(pace.step(now, seen(1, true, 0, 0), || true), Step::Look);
        let replaced = Step::Replace(FIRST_PAUSE);
        assert_eq!(pace.step(now, seen(1, true, 0, 0), || true), replaced);
        let mut pace = Pace::new(now);
        for _ in 0..COMPUTES {
            assert_eq!(pace.step(now, seen(1, true, 0, 0), || false), Step::Look);
        }
        assert_eq!(pace.step(now, seen(1, true, 0, 0), || false), replaced);
    }

    #[test]
    fn leaves_alone_who_goes_out_again_and_again() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for outings in 1..100 {
            let step = pace.step(now, seen(outings, true, 0, 0), || unreachable!("not asked"));
            assert_eq!(step, Step::Look);
        }
    }

    #[test]
    fn sleeps_once_nothing_happens() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(pace.step(now, seen(1, false, 1, 5), || true), Step::Look);
        for _ in 1..QUIET {
            assert_eq!(pace.step(now, seen(1, false, 1, 5), || true), Step::Look);
        }
        assert_eq!(pace.step(now, seen(1, false, 1, 5), || true), Step::Sleep);
    }

    #[test]
    fn pauses_where_errands_are_long_on_average() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let (few, quick) = (seen(1, false, 63, 63_000), seen(2, false, 640, 64_000));
        assert_eq!(pace.step(now, few, || true), Step::Look);
        assert_eq!(pace.step(now, quick, || true), Step::Look);
        let long = seen(3, false, 704, 64_000 + 6_401);
        assert_eq!(pace.step(now, long, || true), Step::Pause(FIRST_PAUSE));
    }

    #[test]
    fn pauses_longer_each_time_and_forgives() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        let mut want = FIRST_PAUSE;
        for outings in 1..20 {
            pace.step(now, seen(outings, true, 0, 0), || true);
            let step = pace.step(now, seen(outings, true, 0, 0), || true);
            assert_eq!(step, Step::Replace(want));
            now += want;
            assert_eq!(pace.resume(now, seen(outings, false, 0, 0)), None);
            want = (want * 2).min(LONGEST_PAUSE);
        }
        now += LONGEST_PAUSE * FORGIVEN_AFTER;
        pace.step(now, seen(30, true, 0, 0), || true);
        let step = pace.step(now, seen(30, true, 0, 0), || true);
        assert_eq!(step, Step::Replace(FIRST_PAUSE));
    }

    #[test]
    fn lends_no_more_while_the_app_keeps_too_many() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        pace.step(now, seen(1, true, 0, 0), || true);
        pace.step(now, seen(1, true, 0, 0), || true);
        let mut kept = seen(1, false, 0, 0);
        kept.away = MOST_AWAY;
        assert_eq!(pace.resume(now, kept), Some(FIRST_PAUSE));
        kept.away -= 1;
        assert_eq!(pace.resume(now, kept), None);
    }
}
