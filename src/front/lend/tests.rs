//! Real threads: that they are replaced is what this is for.

use std::{
    collections::HashMap,
    future::pending,
    sync::{Mutex, atomic::AtomicU64, atomic::Ordering, mpsc},
    thread::ThreadId,
    time::Duration,
};

use tokio::{runtime, sync::oneshot};

use super::*;

/// How long anything may take here before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

type Work = Box<dyn FnOnce(bool) + Send>;

static NEXT: AtomicU64 = AtomicU64::new(0);
static WORK: Mutex<Option<HashMap<u64, Work>>> = Mutex::new(None);

/// Puts `work` down as an errand; false if none are taken.
fn send(work: impl FnOnce(bool) + Send + 'static) -> bool {
    let with = NEXT.fetch_add(1, Ordering::Relaxed);
    let mut all = WORK.lock().unwrap();
    all.get_or_insert_default().insert(with, Box::new(work));
    drop(all);
    lend(Errand { run, with })
}

fn run(with: u64, lent: bool) {
    let work = WORK.lock().unwrap().as_mut().unwrap().remove(&with);
    work.unwrap()(lent);
}

fn current_thread() -> Runtime {
    runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

/// Runs `serving` on lent threads to its end.
fn lent(serving: impl Future<Output = ()> + Send + 'static) {
    let serving = async {
        tokio::time::timeout(PATIENCE, serving).await.unwrap();
        Ok(Drained::default())
    };
    super::run(current_thread(), serving).unwrap();
}

/// Does an errand, and tells what it gave.
async fn ask<T: Send + 'static>(work: impl FnOnce(bool) -> T + Send + 'static) -> T {
    let (told, answer) = oneshot::channel();
    assert!(send(move |lent| drop(told.send(work(lent)))));
    answer.await.unwrap()
}

fn here() -> ThreadId {
    thread::current().id()
}

#[test]
fn errands_are_done_outside_of_the_runtime_on_its_thread() {
    lent(async {
        for _ in 0..3 {
            let (lent, thread, outside) =
                ask(|lent| (lent, here(), runtime::Handle::try_current().is_err())).await;
            assert!(lent && outside);
            assert_eq!(thread, here());
        }
    });
}

#[test]
fn a_thread_that_is_kept_is_replaced() {
    lent(async {
        let before = here();
        let (go_on, waits) = mpsc::channel();
        let (told, answer) = oneshot::channel();
        assert!(send(move |_| {
            let waited = waits.recv_timeout(PATIENCE);
            let _ = told.send((here(), waited.is_ok()));
        }));
        // The errand waits for this, which only another thread can say.
        tokio::task::yield_now().await;
        let after = tokio::spawn(async { here() }).await.unwrap();
        go_on.send(()).unwrap();
        let (kept, waited) = answer.await.unwrap();
        assert!(waited && kept == before && after != before);
    });
}

#[test]
fn nothing_is_lent_for_a_while_after_that() {
    lent(async {
        let (go_on, waits) = mpsc::channel::<()>();
        assert!(send(move |_| {
            let _ = waits.recv_timeout(PATIENCE);
        }));
        // What stood behind it is done all the same, and is told not to block.
        assert!(!ask(|lent| lent).await);
        assert!(!send(|_| ()));
        drop(go_on);
        while !send(|_| ()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(ask(|_| true).await);
    });
}

#[test]
fn who_is_woken_by_an_errand_that_goes_on_does_not_wait_for_its_end() {
    lent(async {
        let (go_on, waits) = mpsc::channel();
        let (told, woken) = oneshot::channel::<Waker>();
        let (waker_of_task, waker) = mpsc::channel();
        let task = tokio::spawn(async move {
            let mut asked = false;
            std::future::poll_fn(|cx| {
                let ready = std::mem::replace(&mut asked, true);
                waker_of_task.send(cx.waker().clone()).unwrap();
                if ready {
                    std::task::Poll::Ready(())
                } else {
                    std::task::Poll::Pending
                }
            })
            .await;
            go_on.send(()).unwrap();
        });
        drop((told, woken));
        tokio::task::yield_now().await;
        let waited = ask(move |_| {
            wake(waker.recv_timeout(PATIENCE).unwrap());
            waits.recv_timeout(PATIENCE).is_ok()
        })
        .await;
        assert!(waited);
        task.await.unwrap();
    });
}

#[test]
fn a_wake_that_comes_from_elsewhere_goes_at_once() {
    lent(async {
        let (told, answer) = oneshot::channel();
        thread::spawn(move || told.send(lend(Errand { run, with: 0 })));
        assert!(!answer.await.unwrap(), "no front's thread");
        let (sent, woken) = oneshot::channel();
        let wakes = thread::spawn(move || sent.send(()));
        woken.await.unwrap();
        wakes.join().unwrap().unwrap();
    });
}

#[test]
fn the_end_waits_for_no_errand_that_goes_on_and_leaves_none_out() {
    let (go_on, waits) = mpsc::channel::<()>();
    let (done, was_done) = mpsc::channel();
    let (late, was_late) = (done.clone(), was_done);
    lent(async move {
        assert!(send(move |_| {
            let _ = waits.recv_timeout(PATIENCE);
        }));
        // Replaced by now.
        assert!(!ask(|lent| lent).await);
        tokio::spawn(pending::<()>());
        while !send(move_once(&late)) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    assert!(was_late.recv_timeout(PATIENCE).is_ok());
    drop((go_on, done));
}

fn move_once(told: &mpsc::Sender<()>) -> impl FnOnce(bool) + Send + 'static {
    let told = told.clone();
    move |_| {
        let _ = told.send(());
    }
}

#[test]
fn what_serves_may_fail() {
    let failed = super::run(current_thread(), async { Err(io::Error::other("so")) });
    assert_eq!(failed.unwrap_err().to_string(), "so");
}
