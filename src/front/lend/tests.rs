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

/// Keeps `work` for an errand.
fn errand(work: impl FnOnce(bool) + Send + 'static) -> Errand {
    let with = NEXT.fetch_add(1, Ordering::Relaxed);
    let work: Work = Box::new(work);
    let mut all = WORK.lock().unwrap();
    all.get_or_insert_default().insert(with, work);
    Errand { run, with }
}

/// Puts `work` down as soon as something is taken: on a machine that is busy, a thread may look like one that is kept.
async fn send(work: impl FnOnce(bool) + Send + 'static) {
    let errand = errand(work);
    while !lend(errand) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

const NOTHING: Errand = Errand {
    run: |_, _| (),
    with: 0,
};

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
    send(move |lent| drop(told.send(work(lent)))).await;
    answer.await.unwrap()
}

fn here() -> ThreadId {
    thread::current().id()
}

#[test]
fn errands_are_done_outside_of_the_runtime_on_its_thread() {
    lent(async {
        let mut on_the_same = 0;
        while on_the_same < 3 {
            let before = here();
            let (lent, thread, outside) =
                ask(|lent| (lent, here(), runtime::Handle::try_current().is_err())).await;
            assert!(outside);
            on_the_same += u32::from(lent && thread == before && thread == here());
        }
    });
}

#[test]
fn a_thread_that_is_kept_is_replaced() {
    lent(async {
        let (go_on, waits) = mpsc::channel();
        let (told, answer) = oneshot::channel();
        send(move |_| {
            let waited = waits.recv_timeout(PATIENCE);
            let _ = told.send((here(), waited.is_ok()));
        })
        .await;
        // The errand waits for this, which only another thread can say.
        tokio::task::yield_now().await;
        let after = tokio::spawn(async { here() }).await.unwrap();
        go_on.send(()).unwrap();
        let (kept, waited) = answer.await.unwrap();
        assert!(waited && kept != after);
    });
}

#[test]
fn an_app_that_keeps_on_keeping_threads_is_lent_none_for_a_while() {
    lent(async {
        let (go_on, waits) = mpsc::channel::<()>();
        let waits = Arc::new(Mutex::new(waits));
        let keep = |waits: Arc<Mutex<mpsc::Receiver<()>>>| {
            move |lent| {
                if lent {
                    let _ = waits.lock().unwrap().recv_timeout(PATIENCE);
                }
            }
        };
        while lend(errand(keep(Arc::clone(&waits)))) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        drop(go_on);
        assert!(ask(|_| true).await, "and then again");
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
        let post = Post::here().unwrap();
        let waited = ask(move |_| {
            post.wake(waker.recv_timeout(PATIENCE).unwrap());
            waits.recv_timeout(PATIENCE).is_ok()
        })
        .await;
        assert!(waited);
        task.await.unwrap();
    });
}

#[test]
fn a_wake_that_comes_from_elsewhere_arrives() {
    lent(async {
        let (told, answer) = oneshot::channel();
        thread::spawn(move || told.send(lend(NOTHING)));
        assert!(!answer.await.unwrap(), "no front's thread");
        let (post, mut posted) = (Post::here().unwrap(), None);
        std::future::poll_fn(|cx| match posted.take() {
            None => {
                let (post, waker) = (post.clone(), cx.waker().clone());
                posted = Some(thread::spawn(move || post.wake(waker)));
                std::task::Poll::Pending
            }
            Some(by) => {
                by.join().unwrap();
                std::task::Poll::Ready(())
            }
        })
        .await;
    });
}

#[test]
fn the_end_waits_for_no_errand_that_goes_on_and_leaves_none_out() {
    let (go_on, waits) = mpsc::channel::<()>();
    let (done, was_done) = mpsc::channel::<()>();
    lent(async move {
        send(move |_| {
            let _ = waits.recv_timeout(PATIENCE);
        })
        .await;
        ask(|_| ()).await;
        tokio::spawn(pending::<()>());
        send(move |_| drop(done)).await;
    });
    assert!(
        was_done
            .recv_timeout(PATIENCE)
            .is_err_and(|error| error == mpsc::RecvTimeoutError::Disconnected)
    );
    drop(go_on);
}

#[test]
fn what_serves_may_fail() {
    let failed = super::run(current_thread(), async { Err(io::Error::other("so")) });
    assert_eq!(failed.unwrap_err().to_string(), "so");
}
