//! The connections to one app that speaks HTTP/2.

use std::{
    fmt,
    pin::pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{select, sync::Notify};

use super::link::{Link, Place, State};
use crate::{
    error::Error,
    proxy::{
        backend::Backend,
        dial::Why,
        pool::{SHARDS, own},
        seats::{Limits, Seat, Turn},
    },
};

/// How many connections a thread opens to one app. Beyond them, requests wait within the last ones until the app allows
/// more streams.
const MOST: usize = 64;

/// The connections of each thread.
pub(in crate::proxy) struct Links {
    shards: Box<[Shard]>,
    /// Tells of each connection that was opened.
    opened: Notify,
}

/// Aligned so that no two threads write to one cache line.
#[derive(Default)]
#[repr(align(128))]
struct Shard {
    links: Mutex<Vec<Link>>,
    /// Held by whoever opens a connection for all that wait.
    opening: tokio::sync::Mutex<()>,
    /// How many times that failed.
    failures: AtomicU64,
    /// Why it did so last.
    why: Mutex<Option<Why>>,
}

/// How a request gets a place.
enum Way {
    /// On a connection that it may open.
    New(Seat),
    Shared(Taken),
}

/// A place on a connection.
pub(super) struct Taken {
    pub(super) link: Link,
    pub(super) place: Place,
    /// Whether it was opened for it, so that the app can't have been about to close it.
    pub(super) is_new: bool,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            opened: Notify::new(),
        }
    }
}

impl Links {
    /// A place on a connection of this thread that has room.
    pub(super) fn take(&self) -> Option<Taken> {
        own(&self.shards).take()
    }

    /// A connection to `backend`, opened by this request or by one that was before it.
    ///
    /// Who waited for somebody else's attempt shares how it went: one that takes long is not made once for each.
    pub(super) async fn open(
        self: &Arc<Self>,
        backend: &Backend,
        limits: Limits,
        limit: Duration,
    ) -> Result<Taken, Error> {
        let shard = own(&self.shards);
        let before = shard.failures.load(Ordering::Acquire);
        let opening = shard.opening.lock().await;
        if let Some(taken) = shard.take() {
            return Ok(taken);
        }
        if shard.failures.load(Ordering::Acquire) != before
            && let Some(why) = lock(&shard.why).clone()
        {
            return Err(why.error());
        }
        let way = self.way(backend, limits).await;
        let seat = match way.inspect_err(|error| shard.fail(error))? {
            Way::New(seat) => seat,
            Way::Shared(taken) => return Ok(taken),
        };
        let opened = match seat.dial(backend, limit).await {
            Ok((io, seat)) => Link::new(io, seat, Arc::downgrade(self)).await,
            Err(error) => Err(error),
        };
        let opened = opened.inspect_err(|error| shard.fail(error))?;
        let place = opened.take();
        lock(&shard.links).push(opened.clone());
        self.opened.notify_waiters();
        drop(opening);
        Ok(Taken {
            link: opened,
            place,
            is_new: true,
        })
    }

    /// The right to open a connection, or a place on one where there can't be another: also on one that stands only after
    /// this has begun to wait.
    async fn way(&self, backend: &Backend, limits: Limits) -> Result<Way, Error> {
        loop {
            if let Some(seat) = backend.pool().seats().try_take(limits) {
                return Ok(Way::New(seat));
            }
            let mut opened = pin!(self.opened.notified());
            opened.as_mut().enable();
            if let Some(taken) = self.least_busy() {
                return Ok(Way::Shared(taken));
            }
            let turn = select! {
                turn = backend.pool().turn(limits, false) => turn?,
                () = opened => continue,
            };
            return match turn {
                Turn::Seat(seat) => Ok(Way::New(seat)),
                Turn::Wire(wire) => Ok(Way::New(wire.into_seat())),
                Turn::Failed(why) => Err(why.error()),
            };
        }
    }

    /// A place on the connection with the fewest requests, of whichever thread: there can't be another one now.
    fn least_busy(&self) -> Option<Taken> {
        let mut all = Vec::new();
        for shard in &self.shards {
            let links = lock(&shard.links);
            all.extend(links.iter().filter(|link| !link.is_retired()).cloned());
        }
        let link = all.into_iter().min_by_key(Link::streams)?;
        Some(Taken::of(&link))
    }

    /// Takes a connection out that takes no more requests. It ends with those it has.
    pub(super) fn forget(&self, state: &Arc<State>) {
        for shard in &self.shards {
            // What is dropped here is dropped outside of the lock.
            let gone: Vec<_> = lock(&shard.links)
                .extract_if(.., |link| link.is(state))
                .collect();
            drop(gone);
        }
    }

    /// How many there are.
    fn len(&self) -> usize {
        self.shards
            .iter()
            .map(|shard| lock(&shard.links).len())
            .sum()
    }
}

impl Taken {
    fn of(link: &Link) -> Self {
        Self {
            link: link.clone(),
            place: link.take(),
            is_new: false,
        }
    }
}

impl Shard {
    /// The first with room, so that those that are not needed are left alone and go.
    fn take(&self) -> Option<Taken> {
        let mut links = lock(&self.links);
        links.retain(|link| !link.is_retired());
        let roomy = links.iter().find(|link| link.has_room());
        let all_full = || {
            let many = links.len() >= MOST;
            many.then(|| links.iter().min_by_key(|link| link.streams()))?
        };
        roomy.or_else(all_full).map(Taken::of)
    }

    fn fail(&self, error: &Error) {
        *lock(&self.why) = Some(Why::of(error));
        self.failures.fetch_add(1, Ordering::Release);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("open", &self.len()).finish()
    }
}
