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
    task::{Context, Poll, Waker},
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
    /// How many errands were done, and how long that took.
    pub(super) done: u64,
    pub(super) spent: Duration,
}

/// Why a driver leaves the runtime.
pub(super) enum Left {
    ForErrands,
    ForGood(io::Result<Drained>),
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

    /// Keeps `waker` for the next who drives; gives it back if somebody drives.
    pub(super) fn defer(&self, waker: Waker) -> Option<Waker> {
        let mut inner = self.lock();
        if inner.runtime.is_none() {
            return Some(waker);
        }
        inner.woken.push(waker);
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

    /// The caller is back, and takes the runtime if nobody else did.
    pub(super) fn come_back(&self, done: u64, spent: Duration) -> Option<Box<Runtime>> {
        let mut inner = self.lock();
        inner.away -= 1;
        inner.done += done;
        inner.spent += spent;
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
            unattended: inner.runtime.is_some(),
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
}

/// A driver's time in the runtime: until there are errands, or the end.
///
/// All that is ready is served first, so that answers leave before the next requests are looked at.
pub(super) struct Stay<'a> {
    seat: &'a Seat,
    /// Kept for its room.
    woken: &'a mut Vec<Waker>,
    entered: bool,
}

impl<'a> Stay<'a> {
    pub(super) const fn new(seat: &'a Seat, woken: &'a mut Vec<Waker>) -> Self {
        Self {
            seat,
            woken,
            entered: false,
        }
    }

    /// The first poll, with which a driver comes in.
    fn enter(&mut self, cx: &Context<'_>) {
        let mut inner = self.seat.lock();
        std::mem::swap(&mut inner.woken, self.woken);
        match &mut inner.driver {
            Some(driver) => driver.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        if !inner.errands.is_empty() {
            cx.waker().wake_by_ref();
        }
        drop(inner);
        self.woken.drain(..).for_each(Waker::wake);
        self.entered = true;
    }
}

impl Future for Stay<'_> {
    type Output = Left;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Left> {
        let mut inner = self.seat.lock();
        if let Poll::Ready(served) = Pin::new(&mut inner.serving).poll(cx) {
            let drained = served.unwrap_or_else(|error| Err(io::Error::other(error)));
            return Poll::Ready(Left::ForGood(drained));
        }
        let leaves = self.entered && !inner.errands.is_empty();
        drop(inner);
        if leaves {
            return Poll::Ready(Left::ForErrands);
        }
        if !self.entered {
            self.enter(cx);
        }
        Poll::Pending
    }
}
