//! One request and its answer, between hyper's side (the *client*) and the managed side.
//!
//! Each side holds it until it lets go: the managed side by `complete`, the client by [`Client`]'s end. Who goes last
//! gives the slot back. What is to be called or woken because of a change is called after the lock is gone.

mod answer;
mod client;
mod framed;
mod gather;
mod tunnel;
mod upload;

use std::task::Waker;

use bytes::Bytes;
use http::Response;

pub(super) use self::{
    answer::{Answer, Phase, Waiter},
    client::Client,
    upload::Upload,
};
use super::{
    abi::{self, Callbacks, RequestId},
    native::Native,
    slots::{self, Slot},
};
use crate::front::lend::{Errand, lend};

/// What is behind a slot's lock.
pub(super) struct State {
    live: Option<Exchange>,
}

/// A request that the managed side was told of.
pub(super) struct Exchange {
    pub(super) upload: Upload,
    pub(super) answer: Answer,
    /// The managed side has let go.
    completed: bool,
    /// The client has let go.
    detached: bool,
}

/// What is to be done once the lock is gone.
#[derive(Default)]
pub(super) struct After {
    pub(super) wake: Option<Waiter>,
    /// The tunnel's reader.
    pub(super) fetch: Option<Waker>,
    pub(super) write_ready: bool,
    pub(super) read_ready: bool,
    pub(super) abort: bool,
}

impl State {
    pub(super) const fn new() -> Self {
        Self { live: None }
    }

    /// The exchange of `slot`, if it is still the one of `id` and the managed side has not let go of it.
    pub(super) fn of_managed(&mut self, slot: &Slot, id: RequestId) -> Option<&mut Exchange> {
        let exchange = self.live.as_mut().filter(|exchange| !exchange.completed)?;
        (slot.id() == id).then_some(exchange)
    }

    /// The exchange that the client holds.
    pub(super) fn of_client(&mut self) -> Option<&mut Exchange> {
        self.live.as_mut().filter(|exchange| !exchange.detached)
    }
}

impl Exchange {
    /// The managed side breaks the answer off.
    pub(super) fn cut(&mut self, code: u32, after: &mut After) {
        self.answer.cut(code);
        after.wake = self.answer.waiter();
    }

    /// Breaks the answer off at once.
    pub(super) fn break_off(&mut self, code: u32, after: &mut After) {
        self.answer.break_off(code);
        after.wake = self.answer.waiter();
    }
}

impl After {
    /// Does it, for the exchange `id` of `native`.
    pub(super) fn run(self, native: &Native, id: RequestId) {
        if let Some(waiter) = self.wake {
            waiter.wake();
        }
        if self.abort
            && let Some(callbacks) = native.callbacks()
        {
            // SAFETY: the managed side gave this function for as long as the process lives, and it takes any number.
            unsafe { (callbacks.on_abort)(id) };
        }
        if self.write_ready {
            go_on(id, write_ready);
        }
        if self.read_ready {
            go_on(id, read_ready);
        }
    }
}

/// Has the app go on: on this thread, where it can be lent.
pub(super) fn go_on(id: RequestId, run: fn(u64, bool)) {
    if !lend(Errand { run, with: id }) {
        run(id, false);
    }
}

pub(super) fn read_ready(id: RequestId, here: bool) {
    tell(id, here, |callbacks| callbacks.on_read_ready);
}

pub(super) fn write_ready(id: RequestId, here: bool) {
    tell(id, here, |callbacks| callbacks.on_write_ready);
}

fn tell(id: RequestId, here: bool, what: impl FnOnce(&Callbacks) -> abi::GoOn) {
    let native = slots::find(id).and_then(|slot| slot.native(id));
    if let Some(callbacks) = native.and_then(Native::callbacks) {
        let flags = if here { abi::RUN_HERE } else { 0 };
        // SAFETY: the managed side gave this function for as long as the process lives, and it takes any number.
        unsafe { what(callbacks)(id, flags) };
    }
}

/// Puts an exchange into `slot`, which was just acquired.
pub(super) fn open(slot: &Slot, upload: Upload, answer: Answer) {
    slot.lock().live = Some(Exchange {
        upload,
        answer,
        completed: false,
        detached: false,
    });
}

/// The managed side lets go of `id`; false if it had already.
pub(super) fn complete(id: RequestId) -> Option<&'static Native> {
    let slot = slots::find(id)?;
    let mut after = After::default();
    let mut state = slot.lock();
    let exchange = state.of_managed(slot, id)?;
    let native = slot.native(id)?;
    exchange.completed = true;
    end_answer(exchange, &mut after);
    // Dropped without the lock: what is left of a body has owners of its own.
    let upload = exchange.upload.take();
    let ended = exchange.detached.then(|| state.live.take()).flatten();
    drop(state);
    drop(upload);
    if let Some(exchange) = ended {
        drop(exchange);
        // SAFETY: both sides have let go, and this one was the last.
        unsafe { slots::release(slot) };
    }
    after.run(native, id);
    Some(native)
}

/// What the client gets of an answer that the managed side left as it is.
fn end_answer(exchange: &mut Exchange, after: &mut After) {
    let answer = &mut exchange.answer;
    match answer.phase {
        Phase::Waiting => {
            let mut response = Response::new(());
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            answer.phase = Phase::Started(Box::new(response));
            answer.first = Bytes::new();
            answer.ended = true;
        }
        Phase::Tunnel => answer.ended = true,
        Phase::Started(_) | Phase::Streaming if !answer.ended => {
            answer.cut(abi::INTERNAL_ERROR);
        }
        Phase::Started(_) | Phase::Streaming | Phase::Done | Phase::Broken(_) => {}
    }
    after.wake = answer.waiter();
}

/// The client lets go of the exchange in `slot`: a client that did not get all of its answer is gone.
fn detach(slot: &'static Slot) {
    let id = slot.id();
    let Some(native) = slot.native(id) else {
        return;
    };
    let mut after = After::default();
    let mut state = slot.lock();
    let Some(exchange) = state.of_client() else {
        return;
    };
    exchange.detached = true;
    if !matches!(exchange.answer.phase, Phase::Done) {
        exchange.answer.break_off(abi::CANCEL);
        after.abort = !exchange.completed;
        after.write_ready = exchange.answer.owes_write && !exchange.completed;
        after.read_ready = slot.took_read();
    }
    drop(exchange.answer.waiter());
    let ended = exchange.completed.then(|| state.live.take()).flatten();
    drop(state);
    let last = ended.is_some();
    drop(ended);
    after.run(native, id);
    if last {
        // SAFETY: both sides have let go, and this one was the last.
        unsafe { slots::release(slot) };
    }
}

/// Breaks off every exchange of `native`, which answers nothing any more.
pub(super) fn break_all(native: &'static Native) {
    for slot in slots::all() {
        let id = slot.id();
        let belongs = slot
            .native(id)
            .is_some_and(|other| std::ptr::eq(other, native));
        if !belongs {
            continue;
        }
        let mut after = After::default();
        if let Some(exchange) = slot.lock().of_client() {
            exchange.break_off(abi::INTERNAL_ERROR, &mut after);
        }
        if let Some(waiter) = after.wake {
            waiter.wake();
        }
    }
}
