//! Wakes tasks of a front's thread from the app's threads: many of them by one wake-up.
//!
//! To wake a task of a runtime on one thread costs a system call, whether that thread sleeps or not. An app answers on other
//! threads, so that each answer would cost one. Here what is to be woken is put on a list, of which one task of the thread is
//! told only when it was empty: it wakes the others from within, which costs nothing.

use std::{
    cell::RefCell,
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::runtime::{Handle, RuntimeFlavor};

thread_local! {
    static OF_THREAD: RefCell<Option<Arc<Relay>>> = const { RefCell::new(None) };
}

/// The list of one thread.
#[derive(Default)]
struct Relay {
    list: Mutex<List>,
}

#[derive(Default)]
struct List {
    waiting: Vec<Waker>,
    /// The task that wakes them; none before its first turn, and once it is gone.
    task: Option<Waker>,
    over: bool,
}

/// Who is to be woken, and by which way.
#[derive(Default)]
pub(super) struct Sleeper {
    waker: Option<Waker>,
    relay: Option<Arc<Relay>>,
}

impl Sleeper {
    /// Remembers the task of `cx`, which is the one that runs.
    pub(super) fn wait(&mut self, cx: &Context<'_>) {
        match &mut self.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        if self.relay.is_none() {
            self.relay = current();
        }
    }

    /// Forgets it.
    pub(super) fn take(&mut self) -> Self {
        Self {
            waker: self.waker.take(),
            relay: self.relay.take(),
        }
    }

    /// Wakes it, if there is one.
    pub(super) fn wake(self) {
        match (self.waker, self.relay) {
            (Some(waker), Some(relay)) => relay.wake(waker),
            (Some(waker), None) => waker.wake(),
            (None, _) => {}
        }
    }
}

impl Relay {
    fn lock(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, waker: Waker) {
        let mut list = self.lock();
        if list.over {
            drop(list);
            return waker.wake();
        }
        list.waiting.push(waker);
        let task = match list.waiting.len() {
            1 => list.task.clone(),
            _ => None,
        };
        drop(list);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// One turn of the task: wakes all that wait, and waits for more. `spare` is an empty list, used again and again.
    fn turn(&self, cx: &Context<'_>, spare: &mut Vec<Waker>) {
        let mut list = self.lock();
        std::mem::swap(&mut list.waiting, spare);
        match &mut list.task {
            Some(task) => task.clone_from(cx.waker()),
            none => *none = Some(cx.waker().clone()),
        }
        drop(list);
        spare.drain(..).for_each(Waker::wake);
    }

    fn end(&self) {
        let mut list = self.lock();
        list.over = true;
        list.task = None;
        let waiting = std::mem::take(&mut list.waiting);
        drop(list);
        waiting.into_iter().for_each(Waker::wake);
    }
}

/// Ends a relay along with its task, and that with its runtime.
struct Task(Arc<Relay>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// The relay of this thread; none where a wake-up costs no more without, or nothing runs here.
fn current() -> Option<Arc<Relay>> {
    OF_THREAD.with_borrow_mut(|relay| {
        if let Some(relay) = relay.as_ref().filter(|relay| !relay.lock().over) {
            return Some(Arc::clone(relay));
        }
        let handle = Handle::try_current().ok()?;
        if handle.runtime_flavor() != RuntimeFlavor::CurrentThread {
            return None;
        }
        let new = Arc::<Relay>::default();
        let task = Task(Arc::clone(&new));
        handle.spawn(async move {
            let mut spare = Vec::new();
            poll_fn::<(), _>(|cx| {
                task.0.turn(cx, &mut spare);
                Poll::Pending
            })
            .await;
        });
        *relay = Some(Arc::clone(&new));
        Some(new)
    })
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future,
        pin::pin,
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
        thread,
    };

    use super::*;

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn all_that_wait_are_woken_by_one_wake_up() {
        let (count, relay) = (Arc::<Count>::default(), Relay::default());
        let task = Waker::from(Arc::clone(&count));
        let cx = Context::from_waker(&task);
        relay.turn(&cx, &mut Vec::new());
        let sleepers: Vec<_> = (0..3).map(|_| Arc::<Count>::default()).collect();
        for sleeper in &sleepers {
            relay.wake(Arc::clone(sleeper).into());
        }
        assert_eq!(count.0.load(Ordering::SeqCst), 1);
        relay.turn(&cx, &mut Vec::new());
        assert!(
            sleepers
                .iter()
                .all(|sleeper| sleeper.0.load(Ordering::SeqCst) == 1)
        );
        relay.wake(Waker::noop().clone());
        assert_eq!(
            count.0.load(Ordering::SeqCst),
            2,
            "the list was empty again"
        );
    }

    #[tokio::test]
    async fn a_task_is_woken_from_another_thread() {
        let sleeper = Arc::new(Mutex::new(Sleeper::default()));
        let mut slept = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut slept, true) {
                return Poll::Ready(());
            }
            let mut sleeping = sleeper.lock().unwrap();
            sleeping.wait(cx);
            assert!(sleeping.relay.is_some());
            let waking = sleeping.take();
            thread::spawn(move || waking.wake());
            Poll::Pending
        })
        .await;
    }

    #[test]
    fn nobody_is_lost_with_the_thread_that_would_have_woken_him() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let count = Arc::<Count>::default();
        let waker = Waker::from(Arc::clone(&count));
        let mut sleepers = [Sleeper::default(), Sleeper::default()];
        runtime.block_on(async {
            let mut cx = Context::from_waker(&waker);
            sleepers.iter_mut().for_each(|sleeper| sleeper.wait(&cx));
            let _ = pin!(std::future::pending::<()>()).poll(&mut cx);
        });
        let [before, after] = sleepers;
        before.wake();
        drop(runtime);
        after.wake();
        assert_eq!(count.0.load(Ordering::SeqCst), 2);
    }
}
