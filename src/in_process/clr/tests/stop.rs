//! How an app ends, and is refused.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
    mpsc,
};

use bytes::Bytes;
use http::Request;
use http_body_util::Empty;
use tokio_test::{assert_pending, assert_ready};
use tower::ServiceExt;

use super::{
    super::{
        abi::{self, Callbacks},
        native::Native,
        service::Service,
    },
    mock,
};

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).body(Empty::new()).unwrap()
}

static DRAINED: AtomicU64 = AtomicU64::new(0);
static SHUTDOWNS: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" fn on_shutdown() {
    SHUTDOWNS.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn on_drained() {
    DRAINED.fetch_add(1, Ordering::SeqCst);
}

static GO: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);
static END: Mutex<Option<mpsc::Receiver<()>>> = Mutex::new(None);

#[tokio::test]
async fn stopping_waits_for_every_request_and_refuses_new_ones() {
    let (go, going) = mpsc::channel();
    *GO.lock().unwrap() = Some(going);
    let callbacks = Callbacks {
        on_shutdown,
        on_drained,
        ..mock::CALLBACKS
    };
    let handler = |call: &Arc<mock::Call>| {
        GO.lock().unwrap().take().unwrap().recv().unwrap();
        call.answer("");
    };
    let (native, service) = mock::app_with("/drain", handler, &callbacks);
    let mut open = tokio_test::task::spawn(service.clone().oneshot(get("/drain")));
    assert_pending!(open.poll());
    assert!(native.shut_down());
    assert_eq!(SHUTDOWNS.load(Ordering::SeqCst), 1);

    native.stop_incoming();
    let mut refused = tokio_test::task::spawn(service.oneshot(get("/drain")));
    assert_eq!(assert_ready!(refused.poll()).unwrap().status(), 503);
    assert_eq!(DRAINED.load(Ordering::SeqCst), 0);
    go.send(()).unwrap();
    assert_eq!(open.await.unwrap().status(), 200);
    while DRAINED.load(Ordering::SeqCst) == 0 {
        tokio::task::yield_now().await;
    }
    native.stop_incoming();
    assert_eq!(DRAINED.load(Ordering::SeqCst), 1, "once");
    native.stopped();
    assert!(native.lifetime().borrow().stopped);
}

#[tokio::test]
async fn requests_that_the_app_leaves_behind_are_broken_off() {
    let (end, ending) = mpsc::channel();
    *END.lock().unwrap() = Some(ending);
    let (native, service) = mock::app("/behind", |call| {
        END.lock().unwrap().take().unwrap().recv().unwrap();
        assert_eq!(call.answer("late"), abi::GONE);
    });
    let mut open = tokio_test::task::spawn(service.oneshot(get("/behind")));
    assert_pending!(open.poll());
    native.stopped();
    assert!(open.is_woken());
    assert_eq!(assert_ready!(open.poll()).unwrap().status(), 500);
    end.send(()).unwrap();
    while native.open_requests() > 0 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn another_version_is_not_registered() {
    let native = Native::new(mock::told());
    let other = |change: fn(&mut Callbacks)| {
        let mut callbacks = mock::CALLBACKS;
        change(&mut callbacks);
        native.register(callbacks)
    };
    assert_eq!(other(|callbacks| callbacks.version += 1), abi::INVALID);
    assert_eq!(other(|callbacks| callbacks.size -= 8), abi::INVALID);
    assert!(native.lifetime().borrow().mismatch);
    assert!(!native.lifetime().borrow().registered && !native.shut_down());
    assert_eq!(other(|_| {}), abi::OK);
    assert_eq!(other(|_| {}), abi::INVALID, "not twice");
}

#[tokio::test]
async fn before_the_server_started_nothing_is_asked_of_it() {
    let service = Service::new(Native::new(mock::told()));
    let mut future = tokio_test::task::spawn(service.oneshot(get("/")));
    assert_eq!(assert_ready!(future.poll()).unwrap().status(), 503);
}
