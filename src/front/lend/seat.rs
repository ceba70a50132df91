//! What the threads of one runtime share.

use std::{
    collections::VecDeque,
    future::Future,
    io,
    pin::Pin,
    sync::{
        Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker, ready},
    thread::Thread,
    time::Duration,
};

use tokio::{runtime::Runtime, task::JoinHandle};

use super::{super::Drained, Errand, state::ThreadId};

/// A runtime, what is to be done outside of it, and who may drive it.
pub(super) struct Seat {
    inner: Mutex<Inner>,
    /// A driver that waits is wanted, or no more.
    called: Condvar,
    /// Whether errands are taken.
    lends: AtomicBool,
    /// The watch sleeps until somebody goes out.
    sleeps: AtomicBool,
    watch: Thread,
}

struct Inner {
    /// `None` while somebody drives it, and in the end.
    runtime: Option<Box<Runtime>>,
    serving: JoinHandle<io::Result<Drained>>,
    errands: VecDeque<Errand>,
    /// To be woken within the runtime.
    woken: Vec<Waker>,
    /// Wakes who drives.
    driver: Option<Waker>,
    /// How often a driver went out.
    outings: u64,
    /// Who went out last.
    last_out: ThreadId,
    /// How many are out.
    away: usize,
    done: u64,
    spent: Duration,
    /// A thread waits to drive.
    spare: bool,
    wanted: bool,
    over: bool,
    drained: Option<io::Result<Drained>>,
}

/// What the watch sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Nobody drives.
    pub(super) unattended: bool,
    pub(super) outings: u64,
    pub(super) last_out: ThreadId,
    pub(super) away: usize,
    /// How many errands were timed, and how long they took.
    pub(super) done: u64,
    pub(super) spent: Duration,
}

impl Seat {
    pub(super) fn new(
        runtime: Runtime,
        serving: JoinHandle<io::Result<Drained>>,
        watch: Thread,
    ) -> Self {
        Self {
            inner: Mutex::new(Inner {
                runtime: Some(Box::new(runtime)),
                serving,
                errands: VecDeque::new(),
                woken: Vec::new(),
                driver: None,
                outings: 0,
                last_out: ThreadId::default(),
                away: 0,
                done: 0,
                spent: Duration::ZERO,
                spare: false,
                wanted: false,
                over: false,
                drained: None,
            }),
            called: Condvar::new(),
            lends: AtomicBool::new(true),
            sleeps: AtomicBool::new(false),
            watch,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an errand down for who drives; false if none are taken.
    pub(super) fn send(&self, errand: Errand) -> bool {
        if !self.lends() {
            return false;
        }
        let mut inner = self.lock();
        inner.errands.push_back(errand);
        if inner.errands.len() == 1
            && let Some(driver) = &inner.driver
        {
            driver.wake_by_ref();
        }
        true
    }

    /// The next errand.
    pub(super) fn errand(&self) -> Option<Errand> {
        self.lock().errands.pop_front()
    }

    pub(super) fn lends(&self) -> bool {
        self.lends.load(Ordering::Relaxed)
    }

    pub(super) fn set_lends(&self, lends: bool) {
        self.lends.store(lends, Ordering::Relaxed);
    }

    /// Has who drives wake `waker`, or who drives next. Of all that come until then, one costs a system call at most: none,
    /// where nobody drives. Gives it back in the end.
    pub(super) fn post(&self, waker: Waker) -> Option<Waker> {
        let mut inner = self.lock();
        if inner.over {
            return Some(waker);
        }
        inner.woken.push(waker);
        if inner.woken.len() == 1
            && inner.runtime.is_none()
            && let Some(driver) = &inner.driver
        {
            driver.wake_by_ref();
        }
        None
    }

    /// The runtime, to drive it; `None` if somebody else does, or nobody is to any more.
    pub(super) fn take(&self) -> Option<Box<Runtime>> {
        self.lock().runtime.take()
    }

    /// Anyone may drive from now on: the caller goes out.
    pub(super) fn go_out(&self, runtime: Box<Runtime>, who: ThreadId) {
        let mut inner = self.lock();
        inner.runtime = Some(runtime);
        inner.outings += 1;
        inner.last_out = who;
        inner.away += 1;
        drop(inner);
        // Whoever is about to sleep has seen this outing, or is seen here.
        if self.sleeps.load(Ordering::SeqCst) && self.sleeps.swap(false, Ordering::SeqCst) {
            self.watch.unpark();
        }
    }

    /// The caller is back, and takes the runtime if nobody else did. Where it was timed: how many errands it did, and how
    /// long that took.
    pub(super) fn come_back(&self, timed: Option<(u64, Duration)>) -> Option<Box<Runtime>> {
        let mut inner = self.lock();
        inner.away -= 1;
        if let Some((done, spent)) = timed {
            inner.done += done;
            inner.spent += spent;
        }
        inner.runtime.take()
    }

    /// Waits to be wanted; false if the thread had better end.
    pub(super) fn wait(&self) -> bool {
        let mut inner = self.lock();
        if inner.spare || inner.over {
            return false;
        }
        inner.spare = true;
        while !inner.wanted && !inner.over {
            inner = self
                .called
                .wait(inner)
                .unwrap_or_else(PoisonError::into_inner);
        }
        inner.spare = false;
        inner.wanted = false;
        !inner.over
    }

    /// Calls the thread that waits; false if there is none.
    pub(super) fn call(&self) -> bool {
        let mut inner = self.lock();
        inner.wanted = inner.spare;
        self.called.notify_one();
        inner.spare
    }

    pub(super) fn seen(&self) -> Seen {
        let inner = self.lock();
        Seen {
            // The first driver may still be on its way.
            unattended: inner.runtime.is_some() && inner.outings > 0,
            outings: inner.outings,
            last_out: inner.last_out,
            away: inner.away,
            done: inner.done,
            spent: inner.spent,
        }
    }

    /// Says that the watch will sleep, until it is [unparked](Thread::unpark); false if somebody went out meanwhile.
    pub(super) fn let_sleep(&self, outings: u64) -> bool {
        self.sleeps.store(true, Ordering::SeqCst);
        self.lock().outings == outings || !self.sleeps.swap(false, Ordering::SeqCst)
    }

    /// Nobody drives any more. The errands that are left are the caller's to do.
    pub(super) fn finish(&self, drained: io::Result<Drained>) {
        let mut inner = self.lock();
        inner.over = true;
        inner.drained.get_or_insert(drained);
        drop(inner);
        self.called.notify_all();
        self.watch.unpark();
    }

    pub(super) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// How it ended, told once.
    pub(super) fn drained(&self) -> Option<io::Result<Drained>> {
        self.lock().drained.take()
    }

    /// What serves has ended, and how. To be polled by who drives.
    pub(super) fn poll_end(&self, cx: &mut Context<'_>) -> Poll<io::Result<Drained>> {
        let mut inner = self.lock();
        let served = ready!(Pin::new(&mut inner.serving).poll(cx));
        Poll::Ready(served.unwrap_or_else(|error| Err(io::Error::other(error))))
    }

    /// Who drives has come in, and is to be woken by `driver`.
    pub(super) fn enter(&self, driver: &Waker) {
        let mut inner = self.lock();
        match &mut inner.driver {
            Some(before) => before.clone_from(driver),
            none => *none = Some(driver.clone()),
        }
    }

    /// Gives `woken` what is to be woken within the runtime; whether there are errands.
    pub(super) fn poll_work(&self, woken: &mut Vec<Waker>) -> bool {
        let mut inner = self.lock();
        std::mem::swap(&mut inner.woken, woken);
        !inner.errands.is_empty()
    }
}
