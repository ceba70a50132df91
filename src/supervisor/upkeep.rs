//! What is looked after from time to time: an app that nobody uses, a process that is old.

use tokio::{
    sync::oneshot,
    time::{Duration, Instant},
};
use tracing::info;

use super::{
    generation::Generation,
    process::{Process, Spawn},
    slot::Slot,
    state::{Event, State},
    task::Task,
};

/// How exactly a limit is kept: to a twentieth of it, and to a second.
const FRACTION: u32 = 20;
const COARSEST: Duration = Duration::from_secs(1);
/// How long a process runs before its memory is looked at: a start needs more than what follows.
const WEIGHED: Duration = Duration::from_secs(60);
const FINEST: Duration = Duration::from_millis(1);

/// The memory of a process, in bytes; 0 where the system does not tell.
fn weight<P: Process>(generation: &Generation<P>) -> u64 {
    generation.process().memory().unwrap_or_default()
}

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
        let memory = settings.memory_limit.map(|_| WEIGHED);
        let limits = [settings.idle_limit, settings.age_limit, memory].into_iter();
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
        let busy = |slot: &Slot<_>| {
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

    /// Replaces what is too old or too large. Not again for a while: where the new one fails the old
    /// one stays, and a new one may be as large.
    fn recycle(&mut self, now: Instant) {
        let age = self.settings.age_limit;
        let old = age.is_some_and(|limit| self.has(|current| current.served() >= limit));
        let memory = self.settings.memory_limit;
        let large = memory.is_some_and(|limit| {
            self.has(|current| current.served() >= WEIGHED && weight(current) > limit)
        });
        let pause = age.filter(|_| old).unwrap_or(WEIGHED);
        let due = now - self.upkeep.recycled >= pause;
        if (old || large) && due && self.rolling.is_none() {
            self.upkeep.recycled = now;
            info!(
                old,
                large, "App is restarted because of its age or its memory"
            );
            let (done, _) = oneshot::channel();
            self.roll(None, done);
        }
    }

    fn has(&self, which: impl Fn(&Generation<S::Process>) -> bool) -> bool {
        let ready = |slot: &&Slot<_>| matches!(slot.state, State::Ready { .. });
        let current = self.slots.iter().filter(ready);
        let mut current = current.filter_map(|slot| slot.current.as_deref());
        current.any(which)
    }
}
