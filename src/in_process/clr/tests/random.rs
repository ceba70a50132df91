//! Calls that come late, twice, out of order, for requests that never were, from many threads: what is over is over,
//! and nothing else is touched.

use std::{
    collections::HashMap,
    pin::Pin,
    ptr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::{Context, Poll, Waker},
    thread,
};

use bytes::Bytes;
use http::Request as HttpRequest;
use http_body::{Body, Frame};
use http_body_util::StreamBody;
use proptest::prelude::*;
use tower_service::Service as _;

use super::{
    super::{
        ResponseBody, ResponseFuture,
        abi::{self, Api, Callbacks, Field, Request, RequestId, Slice},
        calls,
        native::Native,
        service::Service,
    },
    mock,
};

const API: Api = calls::table();

/// The numbers that were told to this managed side, which answers nothing by itself.
static TOLD: Mutex<Vec<RequestId>> = Mutex::new(Vec::new());
static ABORTS: Mutex<Option<HashMap<RequestId, u32>>> = Mutex::new(None);
/// One test at a time uses the two.
static TURN: Mutex<()> = Mutex::new(());

static CALLBACKS: Callbacks = Callbacks {
    on_request,
    on_abort,
    ..mock::CALLBACKS
};

unsafe extern "C" fn on_request(id: RequestId, request: *const Request) {
    assert_eq!(unsafe { (*request).method.len }, 4);
    TOLD.lock().unwrap().push(id);
}

unsafe extern "C" fn on_abort(id: RequestId) {
    let mut aborts = ABORTS.lock().unwrap();
    *aborts.get_or_insert_default().entry(id).or_default() += 1;
}

fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn app() -> (&'static Native, Service) {
    TOLD.lock().unwrap().clear();
    let native = Native::new(mock::told());
    assert_eq!(native.register(CALLBACKS), abi::OK);
    (native, Service::new(native))
}

/// What the client holds.
enum Held {
    Future(Pin<Box<ResponseFuture>>),
    Body(Pin<Box<ResponseBody>>),
    Nothing,
}

impl Held {
    fn poll(&mut self) {
        let mut cx = Context::from_waker(Waker::noop());
        let next = match self {
            Self::Future(future) => match future.as_mut().poll(&mut cx) {
                Poll::Ready(answer) => Self::Body(Box::pin(answer.unwrap().into_body())),
                Poll::Pending => return,
            },
            Self::Body(body) => match body.as_mut().poll_frame(&mut cx) {
                Poll::Ready(Some(Ok(_))) | Poll::Pending => return,
                Poll::Ready(None | Some(Err(_))) => Self::Nothing,
            },
            Self::Nothing => return,
        };
        *self = next;
    }
}

fn open(service: &mut Service) -> Held {
    let frames = [Ok::<_, std::convert::Infallible>(Frame::data(
        Bytes::from_static(b"some"),
    ))];
    let body = StreamBody::new(futures_util::stream::iter(frames));
    let request = HttpRequest::post("/").body(body).unwrap();
    Held::Future(Box::pin(service.call(request)))
}

/// One of the calls for a request, by number.
fn call(id: RequestId, which: u8) -> i32 {
    let none: *const Field = ptr::null();
    let bytes = Slice::of(&[b'x'; 40_000]);
    let (mut buffer, mut read) = ([0; 3], 0);
    let (mut fields, mut count) = (ptr::null(), 0);
    unsafe {
        match which % 10 {
            0 => (API.start)(id, 200, Slice::EMPTY, none, 0, bytes, 0),
            1 => (API.start)(id, 200, Slice::EMPTY, none, 0, bytes, abi::END),
            2 => (API.write)(id, bytes, 0),
            3 => (API.write)(id, Slice::EMPTY, abi::END),
            4 => (API.trailers)(id, none, 0),
            5 => (API.reset)(id, 8),
            6 => (API.read)(id, buffer.as_mut_ptr(), buffer.len(), &raw mut read),
            7 => (API.request_trailers)(id, &raw mut fields, &raw mut count),
            8 => (API.set_max_body)(id, 5),
            _ => (API.informational)(id, 103, none, 0),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Open,
    Poll(usize),
    Leave(usize),
    Call(usize, u8),
    Forged(u64, u8),
    Complete(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => Just(Step::Open),
        3 => (0..8_usize).prop_map(Step::Poll),
        1 => (0..8_usize).prop_map(Step::Leave),
        6 => (0..8_usize, any::<u8>()).prop_map(|(at, which)| Step::Call(at, which)),
        1 => (any::<u64>(), any::<u8>()).prop_map(|(id, which)| Step::Forged(id | 1 << 63, which)),
        2 => (0..8_usize).prop_map(Step::Complete),
    ]
}

/// A small set: the last numbers that were told, over or not.
fn recent(at: usize) -> Option<RequestId> {
    let told = TOLD.lock().unwrap();
    told.iter().rev().nth(at).copied()
}

proptest! {
    #[test]
    fn a_completed_number_is_gone_whatever_else_happens(steps in prop::collection::vec(step(), 1..120)) {
        let _turn = turn();
        let (native, mut service) = app();
        let mut held: Vec<Held> = Vec::new();
        let mut completed: HashMap<RequestId, bool> = HashMap::new();
        for step in steps {
            match step {
                Step::Open => {
                    held.push(open(&mut service));
                    completed.insert(recent(0).unwrap(), false);
                }
                Step::Poll(at) => held.iter_mut().rev().nth(at).map_or((), Held::poll),
                Step::Leave(at) => {
                    if let Some(held) = held.iter_mut().rev().nth(at) {
                        *held = Held::Nothing;
                    }
                }
                Step::Call(at, which) => if let Some(id) = recent(at) {
                    let code = call(id, which);
                    if completed[&id] {
                        prop_assert_eq!(code, abi::GONE);
                    }
                },
                Step::Forged(id, which) => {
                    prop_assert_eq!(call(id, which), abi::GONE);
                    unsafe { (API.complete)(id) };
                }
                Step::Complete(at) => if let Some(id) = recent(at) {
                    completed.insert(id, true);
                    unsafe { (API.complete)(id) };
                },
            }
            let open = completed.values().filter(|over| !**over).count();
            prop_assert_eq!(native.open_requests(), open as u64);
        }
        for id in completed.into_keys() {
            unsafe { (API.complete)(id) };
        }
        prop_assert_eq!(native.open_requests(), 0);
        drop(held);
        let aborts = ABORTS.lock().unwrap().take().unwrap_or_default();
        prop_assert!(aborts.values().all(|count| *count == 1));
    }
}

/// Pseudo-random numbers, the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % sides
    }
}

#[test]
fn many_threads_at_once_leave_nothing_behind() {
    const REQUESTS: usize = if cfg!(miri) { 20 } else { 4_000 };
    let _turn = turn();
    let (native, service) = app();
    let (done, calls) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        let clients: Vec<_> = (1..=2)
            .map(|seed| {
                let mut service = service.clone();
                scope.spawn(move || clients(&mut service, Dice(seed * 0x9E37_79B9), REQUESTS))
            })
            .collect();
        for seed in 3..=5 {
            let (done, calls) = (&done, &calls);
            scope.spawn(move || {
                let mut dice = Dice(seed * 0x9E37_79B9);
                while !done.load(Ordering::Acquire) {
                    if let Some(id) = recent(dice.roll(16)) {
                        call(id, dice.roll(10) as u8);
                        if dice.roll(8) == 0 {
                            unsafe { (API.complete)(id) };
                        }
                        calls.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
        done.store(true, Ordering::Release);
    });
    assert!(calls.into_inner() > 0);
    let told = std::mem::take(&mut *TOLD.lock().unwrap());
    assert_eq!(told.len(), 2 * REQUESTS);
    for id in told {
        unsafe { (API.complete)(id) };
    }
    assert_eq!(native.open_requests(), 0);
    let aborts = ABORTS.lock().unwrap().take().unwrap_or_default();
    assert!(aborts.values().all(|count| *count == 1));
}

fn clients(service: &mut Service, mut dice: Dice, requests: usize) {
    let mut held: Vec<Held> = Vec::new();
    for _ in 0..requests {
        held.push(open(service));
        for _ in 0..dice.roll(6) {
            let at = dice.roll(held.len());
            held[at].poll();
        }
        if held.len() > 8 {
            let at = dice.roll(held.len());
            held.swap_remove(at);
        }
    }
}
