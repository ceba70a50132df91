//! What is looked after from time to time: an app that nobody uses, a process that is old.

use tokio::time::{Duration, Instant};
use tracing::info;

use super::{
    begin::Start,
    generation::Generation,
    process::Process,
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

/// How much earlier a slot's process is replaced, as a part of its limit: each at another time, the
/// last nearly a tenth, so that processes that were started together don't end together.
fn apart(slot: usize, slots: usize) -> f64 {
    const MOST: f64 = 0.1;
    MOST * slot as f64 / slots.max(1) as f64
}

/// The memory of a process, in bytes; 0 where the system does not tell.
fn weight<P: Process>(generation: &Generation<P>) -> u64 {
    generation.process().memory().unwrap_or_default()
}

/// When somebody looked, and what was seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Upkeep {
    pub(super) looked: Instant,
    pub(super) used: Instant,
}

impl Upkeep {
    pub(super) const fn new(now: Instant) -> Self {
        Self {
            looked: now,
            used: now,
        }
    }
}

impl<S: Start> Task<S> {
    /// When to look next; never, while nothing serves.
    pub(super) fn next_look(&self) -> Option<Instant> {
        let settings = &self.settings;
        let memory = settings.memory_limit.map(|_| WEIGHED);
        let requests = settings.request_limit.map(|_| WEIGHED);
        let limits = [settings.idle_limit, settings.age_limit, requests, memory].into_iter();
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
            current.is_some_and(|current| current.in_flight() > 0)
        };
        let directly = |slot: &Slot<_>| {
            let direct = slot.current.as_ref().and_then(|current| current.direct());
            direct.is_some_and(|direct| direct.take_used())
        };
        // Each is asked, because each forgets.
        let directly = self.slots.iter().filter(|slot| directly(slot)).count() > 0;
        if directly || self.board.take_used() || self.slots.iter().any(busy) {
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

    /// Replaces a process that is too old, too large or has served enough: one at a time, so that the
    /// others serve meanwhile.
    fn recycle(&mut self, now: Instant) {
        let replacing = |slot: &Slot<_>| matches!(slot.state, State::Replacing { .. });
        if self.rolling.is_some() || self.slots.iter().any(replacing) {
            return;
        }
        let due = (0..self.slots.len()).find_map(|index| Some((index, self.due(index, now)?)));
        let Some((index, why)) = due else { return };
        if let Some(slot) = self.slots.get_mut(index) {
            slot.recycled = Some(now);
        }
        info!(slot = index, why, "Process is replaced because of a limit");
        let overlap = !self.starter.has_one_port();
        self.feed(index, Event::Restart { overlap });
    }

    /// Which limit the process of a slot has passed, if it is to be replaced now. Not again for a
    /// while: where the new one fails the old one stays, and a new one may be as large.
    fn due(&self, index: usize, now: Instant) -> Option<&'static str> {
        let slot = self.slots.get(index)?;
        let ready = matches!(slot.state, State::Ready { .. });
        let current = slot.current.as_deref().filter(|_| ready)?;
        let limits = &self.settings;
        let earlier = apart(index, self.slots.len());
        let age = limits.age_limit.map(|age| age.mul_f64(1.0 - earlier));
        let served = current.served();
        let requests = limits
            .request_limit
            .map(|all| f64::from(all) * (1.0 - earlier));
        let taken = f64::from(current.requests());
        let memory = limits.memory_limit.filter(|_| served >= WEIGHED);
        let (why, pause) = if let Some(age) = age.filter(|&age| served >= age) {
            ("age", age)
        } else if requests.is_some_and(|limit| taken >= limit) {
            ("requests", WEIGHED)
        } else if memory.is_some_and(|limit| weight(current) > limit) {
            ("memory", WEIGHED)
        } else {
            return None;
        };
        let waited = slot.recycled.is_none_or(|last| now - last >= pause);
        waited.then_some(why)
    }
}
