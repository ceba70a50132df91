//! The connections to one app that carry no request.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::time::Instant;

use super::{
    seats::{Entered, Limits, Seats, Turn},
    wire::Wire,
};
use crate::error::Error;

/// As many stacks as threads that are expected to forward; more threads share.
pub(super) const SHARDS: usize = 64;

/// How many connections a thread keeps; the rest are closed when they have carried their request.
const IDLE_PER_SHARD: usize = 256;

/// How many of them keep the memory that their next request needs: those that are used again soonest.
const READY_PER_SHARD: usize = 64;

/// How long a connection is kept, counted from when its last request was sent: one look at the clock serves both. Well below what apps do (Kestrel: 130 s), so that they are not the ones who close.
pub(super) const IDLE_LIMIT: Duration = Duration::from_secs(60);

/// How many connections that carry nothing are closed at once for another address that needs room.
const CLOSED_AT_ONCE: usize = 16;

/// Those of all addresses.
static POOLS: Mutex<Vec<Weak<Pool>>> = Mutex::new(Vec::new());

/// A stack for each thread: what came last is used first, so that what is not needed grows old and goes.
///
/// The lock of a stack is its thread's alone, so nobody waits for it.
pub(super) struct Pool {
    shards: Box<[Shard]>,
    seats: Arc<Seats>,
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
    pub(super) fn new() -> Arc<Self> {
        let shards = (0..SHARDS).map(|_| Shard::default()).collect();
        let pool = Arc::new(Self {
            shards,
            seats: Seats::new(),
        });
        let mut all = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|other| other.strong_count() > 0);
        all.push(Arc::downgrade(&pool));
        pool
    }

    /// How many connections there may be, and who waits for one.
    pub(super) const fn seats(&self) -> &Arc<Seats> {
        &self.seats
    }

    /// The connection that was used last, at `now`, where there is one that is young enough.
    pub(super) fn take(&self, now: Instant) -> Option<Box<Wire>> {
        // Of a clock that began less than that ago, all are.
        let oldest = now.checked_sub(IDLE_LIMIT);
        let is_young = |idle: &Wire| oldest.is_none_or(|oldest| idle.used() > oldest);
        let mut idle = self.shard();
        let last = idle.pop();
        let is_stale = idle.first().is_some_and(|first| !is_young(first));
        // The old ones lie below. They close when they are dropped, which is not done under the lock.
        let old: Vec<_> = match is_stale {
            true => idle.extract_if(.., |idle| !is_young(idle)).collect(),
            false => Vec::new(),
        };
        drop(idle);
        drop(old);
        last.filter(|last| is_young(last))
    }

    /// A connection that carries nothing, or the right to open one: at once, or in this request's turn. Who `had_turn` and
    /// could make nothing of it is the next. Cancel safe.
    pub(super) async fn turn(&self, limits: Limits, had_turn: bool) -> Result<Turn, Error> {
        match self.seats.enter(limits, had_turn, || self.steal()) {
            Entered::Now(turn) => Ok(turn),
            Entered::Later(waiting) => {
                if self.seats.is_wanted_elsewhere() {
                    self.make_room();
                }
                waiting.turn(limits).await
            }
            Entered::Full => {
                self.seats.tell();
                Err(Error::busy("too many requests wait for one"))
            }
        }
    }

    /// Keeps `wire`, whose request is over, for the next one: for the one that waits longest, where any does.
    pub(super) fn put(&self, wire: Box<Wire>) {
        if self.seats.is_wanted_elsewhere() && !self.seats.is_wanted() {
            // Its seat is another address's.
            return;
        }
        self.keep(wire);
        if self.seats.is_wanted() {
            drop(self.seats.serve(|| self.steal()));
        }
    }

    /// A connection that carries nothing, of this thread or else of another one, whatever its age.
    pub(super) fn steal(&self) -> Option<Box<Wire>> {
        let mine = self.shard().pop();
        mine.or_else(|| self.shards.iter().find_map(|shard| shard.lock().pop()))
    }

    /// Closes a few connections to other addresses that carry nothing, so that there may be more to this one.
    pub(super) fn make_room(&self) {
        let all = every();
        let others = all.iter().filter(|pool| !std::ptr::eq(&***pool, self));
        let mut old = Vec::new();
        for shard in others.flat_map(|pool| &pool.shards) {
            let mut idle = shard.lock();
            let few = idle.len().min(CLOSED_AT_ONCE - old.len());
            old.extend(idle.drain(..few));
        }
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

    /// Closes all of them, of all addresses, so that their files can be another's; whether there were any.
    pub(super) fn clear_all() -> bool {
        let mut any = false;
        for pool in every() {
            for shard in &pool.shards {
                let idle = std::mem::take(&mut *shard.lock());
                any |= !idle.is_empty();
            }
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

/// Those of all addresses.
fn every() -> Vec<Arc<Pool>> {
    let all = POOLS.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter_map(Weak::upgrade).collect()
}

/// That of `shards`, of which there are some, which is this thread's.
pub(super) fn own<T>(shards: &[T]) -> &T {
    let shard = shards.get(thread() % shards.len().max(1));
    shard.unwrap_or_else(|| unreachable!("a remainder is smaller"))
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("idle", &self.len())
            .field("seats", &self.seats)
            .finish()
    }
}

/// The number of this thread among those that forward.
pub(super) fn thread() -> usize {
    THREAD.with(|&thread| thread)
}

static THREADS: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// The number of this thread among those that forward.
    static THREAD: usize = THREADS.fetch_add(1, Ordering::Relaxed);
}
