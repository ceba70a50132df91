//! Whether to lend, when to call another driver, when to look again: pure.

use std::time::Duration;

use tokio::time::Instant;

use super::{seat::Seen, state::Doing};

/// How often to look while there are errands: each look costs a switch of threads.
const LOOK: Duration = Duration::from_millis(4);
/// How soon to look again when nobody drives.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// So many looks at which nothing had happened, and the watch sleeps.
const QUIET: u32 = 4;
/// A driver that computes for so long is replaced like one that sleeps. Time in which it had no processor does not count: another
/// driver would get none either.
const COMPUTES: Duration = Duration::from_millis(10);
/// So many drivers may be replaced in a row before nothing is lent for a while, and one more each time this has passed.
const REPLACED: u32 = 4;
const FORGOTTEN_AFTER: Duration = Duration::from_millis(250);
/// Errands that take longer than this, on the average of so many, gain nothing worth mentioning from a thread that is at hand,
/// and keep other requests from other cores.
const LONG: Duration = Duration::from_micros(100);
const AVERAGE_OF: u64 = 64;
/// For how long nothing is lent then. Each time that follows soon doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(12_800);
/// One that comes later than so many times its length is a first one again.
const FORGIVEN_AFTER: u32 = 8;
/// With so many threads kept by the app, no more are lent.
const MOST_AWAY: usize = 4;

/// What the watch is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Look again after that long.
    Look(Duration),
    /// Sleep until somebody goes out.
    Sleep,
    /// Lend nothing for that long.
    Pause(Duration),
    /// Call another driver at once; the same too, if so.
    Replace(Option<Duration>),
}

/// What was seen before, and what followed from it.
pub(super) struct Pace {
    last: Seen,
    judged: Seen,
    quiet: u32,
    /// When it was first seen that nobody drives: how long the driver had run by then.
    stuck: Option<Duration>,
    left: u32,
    forgotten: Instant,
    pause: Duration,
    lends_since: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            last: Seen::default(),
            judged: Seen::default(),
            quiet: 0,
            stuck: None,
            left: REPLACED,
            forgotten: now,
            pause: Duration::ZERO,
            lends_since: now,
        }
    }

    /// What follows from what is seen `now`. `doing` tells what the last who went out does; asked only in need.
    pub(super) fn step(&mut self, now: Instant, seen: Seen, doing: impl FnOnce() -> Doing) -> Step {
        let moved = seen.outings != self.last.outings;
        let stuck = seen.unattended && self.last.unattended && !moved;
        self.last = seen;
        let busy = moved || seen.unattended;
        self.quiet = if busy { 0 } else { self.quiet + 1 };
        if stuck && self.is_kept(doing()) {
            return Step::Replace(self.replaced(now, seen.away));
        }
        if !stuck {
            self.stuck = None;
        }
        if self.is_slow(seen) {
            return Step::Pause(self.longer(now));
        }
        if self.quiet >= QUIET {
            self.quiet = 0;
            return Step::Sleep;
        }
        Step::Look(if seen.unattended { LOOK_AGAIN } else { LOOK })
    }

    fn is_kept(&mut self, doing: Doing) -> bool {
        match doing {
            Doing::Sleeps => true,
            Doing::Ran(time) => {
                let before = *self.stuck.get_or_insert(time);
                time.saturating_sub(before) >= COMPUTES
            }
        }
    }

    /// A driver is replaced: how long to pause for that.
    fn replaced(&mut self, now: Instant, away: usize) -> Option<Duration> {
        self.stuck = None;
        // Whoever is called now has until the second look from here.
        self.last.unattended = false;
        let passed = now.duration_since(self.forgotten).as_millis() / FORGOTTEN_AFTER.as_millis();
        if passed > 0 {
            self.forgotten = now;
            let more = u32::try_from(passed).unwrap_or(REPLACED);
            self.left = self.left.saturating_add(more).min(REPLACED);
        }
        match self.left.checked_sub(1) {
            Some(left) if away < MOST_AWAY => {
                self.left = left;
                None
            }
            Some(_) | None => Some(self.longer(now)),
        }
    }

    /// Whether to lend again after a pause; else how much longer not to.
    pub(super) fn resume(&mut self, now: Instant, seen: Seen) -> Option<Duration> {
        if seen.away >= MOST_AWAY {
            return Some(self.pause);
        }
        (self.last, self.judged) = (seen, seen);
        (self.quiet, self.stuck) = (0, None);
        (self.lends_since, self.forgotten) = (now, now);
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

    /// How long to pause.
    fn longer(&mut self, now: Instant) -> Duration {
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

    const SOON: Step = Step::Look(LOOK_AGAIN);

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

    const SLEEPS: fn() -> Doing = || Doing::Sleeps;

    #[test]
    fn replaces_who_sleeps_at_the_second_look() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(pace.step(now, seen(1, true, 0, 0), SLEEPS), SOON);
        let step = pace.step(now, seen(1, true, 0, 0), SLEEPS);
        assert_eq!(step, Step::Replace(None));
    }

    #[test]
    fn replaces_who_computes_for_too_long_but_not_who_only_wants_to() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let ran = |micros| move || Doing::Ran(Duration::from_micros(micros));
        for micros in [0, 500, 500, 10_499] {
            assert_eq!(pace.step(now, seen(1, true, 0, 0), ran(micros)), SOON);
        }
        let step = pace.step(now, seen(1, true, 0, 0), ran(10_500));
        assert_eq!(step, Step::Replace(None));
    }

    #[test]
    fn leaves_alone_who_goes_out_again_and_again() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        for outings in 1..100 {
            let step = pace.step(now, seen(outings, true, 0, 0), || unreachable!("not asked"));
            assert_eq!(step, SOON);
        }
    }

    #[test]
    fn sleeps_once_nothing_happens() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        assert_eq!(
            pace.step(now, seen(1, false, 1, 5), SLEEPS),
            Step::Look(LOOK)
        );
        for _ in 1..QUIET {
            assert_eq!(
                pace.step(now, seen(1, false, 1, 5), SLEEPS),
                Step::Look(LOOK)
            );
        }
        assert_eq!(pace.step(now, seen(1, false, 1, 5), SLEEPS), Step::Sleep);
    }

    #[test]
    fn pauses_where_errands_are_long_on_average() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let (few, quick) = (seen(1, false, 63, 63_000), seen(2, false, 640, 64_000));
        assert_eq!(pace.step(now, few, SLEEPS), Step::Look(LOOK));
        assert_eq!(pace.step(now, quick, SLEEPS), Step::Look(LOOK));
        let long = seen(3, false, 704, 64_000 + 6_401);
        assert_eq!(pace.step(now, long, SLEEPS), Step::Pause(FIRST_PAUSE));
    }

    /// Has a driver kept once more.
    fn keep(pace: &mut Pace, now: Instant, outings: u64) -> Step {
        pace.step(now, seen(outings, true, 0, 0), SLEEPS);
        pace.step(now, seen(outings, true, 0, 0), SLEEPS)
    }

    #[test]
    fn pauses_when_too_many_were_replaced_in_a_row() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        for outings in 0..4 {
            assert_eq!(keep(&mut pace, now, outings), Step::Replace(None));
        }
        assert_eq!(keep(&mut pace, now, 4), Step::Replace(Some(FIRST_PAUSE)));
        let mut pace = Pace::new(now);
        for outings in 0..100 {
            now += FORGOTTEN_AFTER;
            assert_eq!(keep(&mut pace, now, outings), Step::Replace(None));
        }
    }

    #[test]
    fn pauses_longer_each_time_and_forgives() {
        let mut now = Instant::now();
        let mut pace = Pace::new(now);
        pace.left = 0;
        let mut want = FIRST_PAUSE;
        for outings in 1..20 {
            assert_eq!(keep(&mut pace, now, outings), Step::Replace(Some(want)));
            now += want;
            assert_eq!(pace.resume(now, seen(outings, false, 0, 0)), None);
            want = (want * 2).min(LONGEST_PAUSE);
        }
        now += LONGEST_PAUSE * FORGIVEN_AFTER;
        (pace.left, pace.forgotten) = (0, now);
        assert_eq!(keep(&mut pace, now, 30), Step::Replace(Some(FIRST_PAUSE)));
    }

    #[test]
    fn lends_no_more_while_the_app_keeps_too_many() {
        let now = Instant::now();
        let mut pace = Pace::new(now);
        let mut last = seen(1, true, 0, 0);
        last.away = MOST_AWAY;
        pace.step(now, last, SLEEPS);
        let step = pace.step(now, last, SLEEPS);
        assert_eq!(step, Step::Replace(Some(FIRST_PAUSE)));
        let mut kept = seen(1, false, 0, 0);
        kept.away = MOST_AWAY;
        assert_eq!(pace.resume(now, kept), Some(FIRST_PAUSE));
        kept.away -= 1;
        assert_eq!(pace.resume(now, kept), None);
    }
}
