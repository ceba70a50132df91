//! The connections to one app that carry no request.

use std::{
    fmt,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::upstream::Upstream;

/// As many stacks as threads that are expected to forward; more threads share.
const SHARDS: usize = 64;

/// How many connections a thread keeps; the rest are closed when they have carried their request.
const IDLE_PER_SHARD: usize = 256;

/// How long a connection is kept. Well below what apps do (Kestrel: 130 s), so that they are not the ones who close.
const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// A stack for each thread: what came last is used first, so that what is not needed grows old and goes.
///
/// The lock of a stack is its thread's alone, so nobody waits for it.
pub(super) struct Pool {
    shards: Box<[Shard]>,
}

/// Aligned so that no two threads write to one cache line.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    upstream: Upstream,
    since: Instant,
}

impl Pool {
    pub(super) fn new() -> Self {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        Self { shards }
    }

    /// The connection that was used last, where there is one that is young enough.
    pub(super) fn take(&self) -> Option<Upstream> {
        let mut idle = self.shard();
        let last = idle.pop()?;
        if is_old(&last) {
            // Below the last lie only older ones. They close when they are dropped, which need not be under the lock.
            let old = std::mem::take(&mut *idle);
            drop(idle);
            drop(old);
            return None;
        }
        Some(last.upstream)
    }

    /// Keeps `upstream`, whose request is over, for the next one.
    pub(super) fn put(&self, upstream: Upstream) {
        let since = Instant::now();
        let mut idle = self.shard();
        if idle.first().is_some_and(is_old) {
            idle.retain(|idle| !is_old(idle));
        }
        if idle.len() < IDLE_PER_SHARD {
            idle.push(Idle { upstream, since });
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.lock().len()).sum()
    }

    fn shard(&self) -> MutexGuard<'_, Vec<Idle>> {
        let shard = THREAD.with(|&thread| self.shards.get(thread % SHARDS));
        shard
            .unwrap_or_else(|| unreachable!("a remainder is smaller"))
            .lock()
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_old(idle: &Idle) -> bool {
    idle.since.elapsed() >= IDLE_LIMIT
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
