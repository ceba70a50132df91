//! Lends a front's thread to an app that is called, as far as the app's first pause, and takes what the thread serves
//! away from it if the app keeps it.
//!
//! To hand a request to another thread and its answer back costs more than most answers do: two queues, two wakes, cold
//! caches. So the thread that read the request calls the app itself. The danger is an app that blocks: all connections of
//! the thread would wait for it, and one that waits for more of its own request would wait for ever. Therefore nobody
//! calls the app from within the runtime. A request is put down as an [`Errand`]; the thread leaves the runtime, so that
//! anyone may enter it, does its errands, and comes back.
//!
//! * `seat`: what the threads of one runtime share. Whoever takes the runtime out of it drives the connections.
//! * `driver`: such a thread. If the runtime is gone when it comes back, it was replaced, and waits to replace another.
//! * `watch`: looks every 4 ms, as long as there are errands, whether nobody drives, and 1 ms later whether that is still so.
//!   Then it calls another driver.
//! * `pace`: whether it pays. An app that keeps threads again and again, or whose errands take long, is lent none for a while,
//!   and for longer if it goes on so: its requests go to its own pool of threads meanwhile.
//!
//! So what an app that blocks costs the others of its thread is a delay of 5 ms (14 if it computes): four times in a row, then
//! after a pause of 50 ms, and in the end every 12.8 s.

mod driver;
mod pace;
mod seat;
pub(crate) mod stack;
mod state;
mod stay;
mod watch;

use std::{
    cell::{Cell, RefCell},
    fmt,
    future::Future,
    io,
    sync::Arc,
    task::Waker,
    thread,
};

use tokio::runtime::Runtime;

use self::seat::Seat;
use super::Drained;

/// Something to be done on this thread, outside of its runtime.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Errand {
    /// Does it. `true`: it may take the time that it takes; `false`: it must not block.
    pub(crate) run: fn(u64, bool),
    /// What `run` is given.
    pub(crate) with: u64,
}

thread_local! {
    static HERE: RefCell<Option<Here>> = const { RefCell::new(None) };
}

/// What a driver's thread knows of itself.
struct Here {
    seat: Arc<Seat>,
    /// It is on an errand.
    out: Cell<bool>,
}

/// Has this thread do `errand` soon; false if it can't be lent, and the caller has to see to it.
pub(crate) fn lend(errand: Errand) -> bool {
    let lent = HERE.try_with(|here| {
        let here = here.borrow();
        here.as_ref()
            .is_some_and(|here| !here.out.get() && here.seat.send(errand))
    });
    lent.unwrap_or(false)
}

/// Wakes tasks of one runtime, from anywhere, for less than each would cost by itself.
#[derive(Clone)]
pub(crate) struct Post(Arc<Seat>);

impl Post {
    /// To the tasks of this thread; `None` if it is not lent.
    pub(crate) fn here() -> Option<Self> {
        let here = HERE.try_with(|here| here.borrow().as_ref().map(|here| Self(here.seat.clone())));
        here.ok().flatten()
    }

    /// Wakes `waker`, soon: tasks that run go first.
    pub(crate) fn wake(&self, waker: Waker) {
        if let Some(waker) = self.0.post(waker) {
            waker.wake();
        }
    }
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Post").finish()
    }
}

/// Drives `serving` on `runtime` to its end by threads that are lent. What it spawned and left is dropped then.
///
/// # Errors
///
/// Those of `serving`, and when there is no thread to be had.
pub(super) fn run<F>(runtime: Runtime, serving: F) -> io::Result<Drained>
where
    F: Future<Output = io::Result<Drained>> + Send + 'static,
{
    let serving = runtime.spawn(serving);
    let seat = Arc::new(Seat::new(runtime, serving, thread::current()));
    driver::start(&seat)?;
    watch::watch(&seat)
}

#[cfg(test)]
mod tests;
