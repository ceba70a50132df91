//! What is looked after from time to time: an app that nobody uses, a process that is old.

use tokio::{
    sync::oneshot,
    time::{Duration, Instant},
};
use tracing::info;

use super::{
    process::Spawn,
    state::{Event, State},
    task::Task,
};

/// How exactly a limit is kept: to a twentieth of it, and to a second.
const FRACTION: u32 = 20;
const COARSEST: Duration = Duration::from_secs(1);
const FINEST: Duration = Duration::from_millis(1);

/// When somebody looked, and what was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upkeep {
    pub(super) looked: Instant,
    pub(super) used: Instant,
    pub(super) recycled: Instant,
}

impl Upkeep {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            looked: now,
            used: now,
            recycled: now,
        }
    }
}

impl<S: Spawn> Task<S> {
    /// When to look next; never, while nothing serves.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let settings = &self.settings;
        let limits = [settings.idle_limit, settings.age_limit].into_iter();
        let shortest = limits.flatten().min()?;
        let serves = self.slots.iter().any(|slot| slot.current.is_some());
        let pause = (shortest / FRACTION).clamp(FINEST, COARSEST);
        serves.then(|| self.upkeep.looked + pause)
    }

    pub(super) fn look(&mut self, now: Instant) {
        if self.next_look().is_none_or(|look| look > now) {
            return;
        }
        self.upkeep.looked = now;
        let busy = |slot: &super::slot::Slot<_>| {
            let current = slot.current.as_ref();
            current.is_some_and(|current| current.backend().in_flight() > 0)
        };
        if self.board.take_used() || self.slots.iter().any(busy) {
            self.upkeep.used = now;
        }
        let idle = now - self.upkeep.used;
        if self.settings.idle_limit.is_some_and(|limit| idle >= limit) {
            info!(?idle, "App is stopped because nobody uses it");
            self.feed_all(Event::Unused);
        } else {
            self.recycle(now);
        }
    }

    /// Replaces what is too old. One try for each such time: the old one stays where the new one
    /// fails.
    fn recycle(&mut self, now: Instant) {
        let Some(limit) = self.settings.age_limit else {
            return;
        };
        let old = self.slots.iter().any(|slot| {
            let current = slot.current.as_ref();
            let old = current.is_some_and(|current| current.served() >= limit);
            old && matches!(slot.state, State::Ready { .. })
        });
        if old && self.rolling.is_none() && now - self.upkeep.recycled >= limit {
            self.upkeep.recycled = now;
            info!(?limit, "App is restarted because of its age");
            let (done, _) = oneshot::channel();
            self.roll(None, done);
        }
    }
}
