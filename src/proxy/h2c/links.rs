//! The connections to one app that speaks HTTP/2.

use std::{
    fmt, io,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use super::link::{Link, Place, State};
use crate::{
    error::Error,
    proxy::{
        backend::Backend,
        dial::{dial, shortage},
        pool::{SHARDS, own},
    },
};

/// How many connections a thread opens to one app. Beyond them, requests wait within the last ones until the app allows
/// more streams.
const MOST: usize = 64;

/// The connections of each thread.
pub(in crate::proxy) struct Links {
    shards: Box<[Shard]>,
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

/// A place on a connection.
pub(super) struct Taken {
    pub(super) link: Link,
    pub(super) place: Place,
    /// Whether it was opened for it, so that the app can't have been about to close it.
    pub(super) is_new: bool,
}

/// Why a connection was not opened.
#[derive(Clone)]
struct Why {
    /// Whether somebody else may be asked.
    unconnected: bool,
    /// What the system said, where it is that no more files may be open here.
    shortage: Option<i32>,
    text: String,
}

impl Default for Links {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
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
        let opened = match dial(backend, limit).await {
            Ok(io) => Link::new(io, Arc::downgrade(self)).await,
            Err(error) => Err(error),
        };
        let opened = opened.inspect_err(|error| shard.fail(error))?;
        let place = opened.take();
        lock(&shard.links).push(opened.clone());
        drop(opening);
        Ok(Taken {
            link: opened,
            place,
            is_new: true,
        })
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
        let link = roomy.or_else(all_full)?;
        Some(Taken {
            link: link.clone(),
            place: link.take(),
            is_new: false,
        })
    }

    fn fail(&self, error: &Error) {
        *lock(&self.why) = Some(Why {
            unconnected: error.is_unconnected(),
            shortage: shortage(error),
            text: crate::error::chain(error),
        });
        self.failures.fetch_add(1, Ordering::Release);
    }
}

impl Why {
    fn error(self) -> Error {
        if let Some(code) = self.shortage {
            Error::connect(io::Error::from_raw_os_error(code))
        } else if self.unconnected {
            Error::connect(self.text)
        } else {
            Error::timeout("take a connection")
        }
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
