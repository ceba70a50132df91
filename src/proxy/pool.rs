//! The connections to one app that carry no request.

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout},
};

use super::wire::Wire;

/// As many stacks as threads that are expected to forward; more threads share.
pub(super) const SHARDS: usize = 64;

/// How many connections a thread keeps; the rest are closed when they have carried their request.
const IDLE_PER_SHARD: usize = 256;

/// How many of them keep the memory that their next request needs: those that are used again soonest.
const READY_PER_SHARD: usize = 64;

/// How long a connection is kept, counted from when its last request was sent: one look at the clock serves both. Well below what apps do (Kestrel: 130 s), so that they are not the ones who close.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// When a request that waits for room looks for it although nobody said that there is some.
const LOOK: Duration = Duration::from_secs(1);

/// A stack for each thread: what came last is used first, so that what is not needed grows old and goes.
///
/// The lock of a stack is its thread's alone, so nobody waits for it.
pub(super) struct Pool {
    shards: Box<[Shard]>,
    /// How many requests wait for room, and who tells the one that waits longest.
    waiting: AtomicUsize,
    freed: Notify,
}

/// In boxes, which go from exchange to exchange: a connection is too large to be moved that often.
#[allow(clippy::vec_box, reason = "see above")]
type Idle = Vec<Box<Wire>>;

/// Aligned so that no two threads write to one cache line.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    idle: Mutex<Idle>,
}

impl Pool {
    pub(super) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self {
            shards,
            waiting: AtomicUsize::new(0),
            freed: Notify::new(),
        }
    }

    /// The connection that was used last, at `now`, where there is one that is young enough.
    pub(super) fn take(&self, now: Instant) -> Option<Box<Wire>> {
        // Of a clock that began less than that ago, all are.
        let oldest = now.checked_sub(IDLE_LIMIT);
        let is_young = |idle: &Wire| oldest.is_none_or(|oldest| idle.used() > oldest);
        let mut idle = self.shard();
        let last = idle.pop().filter(|last| is_young(last));
        if idle.first().is_some_and(|first| !is_young(first)) {
            // The old ones lie below. They close when they are dropped, for which nobody else has to wait.
            let old: Vec<_> = idle.extract_if(.., |idle| !is_young(idle)).collect();
            drop(idle);
            drop(old);
        }
        last
    }

    /// Keeps `wire`, whose request is over, for the next one.
    pub(super) fn put(&self, wire: Box<Wire>) {
        self.keep(wire);
        self.tell();
    }

    /// Tells who waits for room that a connection was kept, or closed.
    pub(super) fn tell(&self) {
        if self.waiting.load(Ordering::Relaxed) > 0 {
            self.freed.notify_one();
        }
    }

    /// Waits until a request is done with its connection, which is kept here or closed; but not for long. Cancel safe.
    pub(super) async fn room(&self) {
        self.waiting.fetch_add(1, Ordering::Relaxed);
        let _one = Waiting(&self.waiting);
        let _ = timeout(LOOK, self.freed.notified()).await;
    }

    fn keep(&self, wire: Box<Wire>) {
        let mut idle = self.shard();
        if idle.len() >= IDLE_PER_SHARD {
            return;
        }
        idle.push(wire);
        // The one that this one lies upon so high that it will not be needed soon.
        if let Some(deep) = idle.len().checked_sub(READY_PER_SHARD + 1)
            && let Some(deep) = idle.get_mut(deep)
        {
            deep.slim();
        }
    }

    /// Closes all of them, so that their files can be another's; whether there were any.
    pub(super) fn clear(&self) -> bool {
        let mut any = false;
        for shard in &self.shards {
            let idle = std::mem::take(&mut *shard.lock());
            any |= !idle.is_empty();
        }
        any
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn shard(&self) -> MutexGuard<'_, Idle> {
        own(&self.shards).lock()
    }
}

/// That of `shards`, of which there are some, which is this thread's.
pub(super) fn own<T>(shards: &[T]) -> &T {
    let shard = THREAD.with(|&thread| shards.get(thread % shards.len().max(1)));
    shard.unwrap_or_else(|| unreachable!("a remainder is smaller"))
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of those who wait.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("idle", &self.len()).finish()
    }
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The number of this thread among those that forward.
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}
