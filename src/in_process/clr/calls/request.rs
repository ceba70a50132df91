//! What concerns one request.

use std::{slice, sync::atomic::Ordering};

use super::{
    super::{
        abi::{self, END, Field, RequestId, Slice},
        exchange::{self, After, Exchange, Phase},
        slots::{self, Slot},
    },
    bytes, guarded,
    head::{header_map, list, response},
};
use crate::headers;

pub(super) unsafe extern "C" fn read(
    id: RequestId,
    buffer: *mut u8,
    len: usize,
    read: *mut usize,
) -> i32 {
    guarded(abi::INVALID, || {
        if buffer.is_null() || read.is_null() {
            return abi::INVALID;
        }
        // SAFETY: by the contract, the buffer is the caller's for the time of the call, and initialised, as all memory
        // of the managed side is.
        let buffer = unsafe { slice::from_raw_parts_mut(buffer, len) };
        let mut count = 0;
        let code = with(id, |slot, exchange, after| {
            let got = fetch(slot, id, exchange, buffer, after);
            count = got.unwrap_or(0);
            got.err().unwrap_or(abi::OK)
        });
        // SAFETY: by the contract, valid for a write.
        unsafe { read.write(count) };
        code
    })
}

fn fetch(
    slot: &Slot,
    id: RequestId,
    exchange: &mut Exchange,
    buffer: &mut [u8],
    after: &mut After,
) -> Result<usize, i32> {
    match exchange.answer.phase {
        _ if exchange.answer.is_broken() => Err(abi::GONE),
        Phase::Tunnel => {
            let (count, waker) = exchange.answer.read_tunnel(buffer);
            after.fetch = waker;
            if count.is_none() {
                slot.wants_read.store(true, Ordering::Release);
            }
            count.ok_or(abi::PENDING)
        }
        // The tunnel opens as soon as the client takes the head.
        Phase::Started(_) if exchange.answer.will_switch() => {
            slot.wants_read.store(true, Ordering::Release);
            Err(abi::PENDING)
        }
        Phase::Waiting | Phase::Started(_) | Phase::Streaming | Phase::Done | Phase::Broken(_) => {
            exchange.upload.read(slot, id, buffer)
        }
    }
}

pub(super) unsafe extern "C" fn request_trailers(
    id: RequestId,
    fields: *mut *const Field,
    count: *mut u32,
) -> i32 {
    guarded(abi::INVALID, || {
        if fields.is_null() || count.is_null() {
            return abi::INVALID;
        }
        with(id, |_, exchange, _| match exchange.upload.trailers() {
            Some(trailers) => {
                // SAFETY: by the contract, both are valid for a write.
                unsafe {
                    fields.write(trailers.as_ptr());
                    count.write(trailers.len() as u32);
                }
                abi::OK
            }
            None => abi::INVALID,
        })
    })
}

pub(super) unsafe extern "C" fn set_max_body(id: RequestId, limit: i64) -> i32 {
    guarded(abi::INVALID, || {
        with(id, |_, exchange, _| {
            exchange.upload.set_limit(u64::try_from(limit).ok())
        })
    })
}

/// hyper's server has no way to send one, but for the 100 that it sends by itself when the body is first read: what
/// only hints is left out.
pub(super) unsafe extern "C" fn informational(
    id: RequestId,
    status: u32,
    _: *const Field,
    _: u32,
) -> i32 {
    guarded(abi::INVALID, || {
        with(id, |_, exchange, _| {
            let fits = matches!(status, 100 | 102..200);
            match exchange.answer.phase {
                Phase::Waiting if fits => abi::OK,
                Phase::Broken(_) => abi::GONE,
                Phase::Waiting
                | Phase::Started(_)
                | Phase::Streaming
                | Phase::Tunnel
                | Phase::Done => abi::INVALID,
            }
        })
    })
}

pub(super) unsafe extern "C" fn start(
    id: RequestId,
    status: u32,
    reason: Slice,
    fields: *const Field,
    count: u32,
    body: Slice,
    flags: u32,
) -> i32 {
    guarded(abi::INVALID, || {
        // SAFETY: by the contract, all of it is valid for the time of the call.
        let (reason, fields, body) = unsafe { (bytes(reason), list(fields, count), bytes(body)) };
        let Some((response, framed)) = response(status, reason, fields) else {
            return abi::INVALID;
        };
        with(id, |_, exchange, after| {
            let code = exchange
                .answer
                .start(response, body, flags & END != 0, framed);
            after.wake = exchange.answer.waiter();
            code
        })
    })
}

pub(super) unsafe extern "C" fn write(id: RequestId, body: Slice, flags: u32) -> i32 {
    guarded(abi::INVALID, || {
        // SAFETY: by the contract, valid for the time of the call.
        let body = unsafe { bytes(body) };
        with(id, |_, exchange, after| {
            let code = exchange.answer.write(body, flags & END != 0);
            after.wake = exchange.answer.waiter();
            code
        })
    })
}

pub(super) unsafe extern "C" fn trailers(id: RequestId, fields: *const Field, count: u32) -> i32 {
    guarded(abi::INVALID, || {
        // SAFETY: by the contract, valid for the time of the call.
        let Some(mut trailers) = header_map(unsafe { list(fields, count) }) else {
            return abi::INVALID;
        };
        headers::clean_trailers(&mut trailers);
        with(id, |_, exchange, after| {
            let code = exchange.answer.trail(trailers);
            after.wake = exchange.answer.waiter();
            code
        })
    })
}

pub(super) unsafe extern "C" fn reset(id: RequestId, error_code: u32) -> i32 {
    guarded(abi::INVALID, || {
        with(id, |_, exchange, after| {
            exchange.cut(error_code, after);
            abi::OK
        })
    })
}

pub(super) unsafe extern "C" fn complete(id: RequestId) {
    guarded((), || {
        if let Some(native) = exchange::complete(id) {
            native.end();
        }
    });
}

/// Does `act` with the exchange of `id`, and afterwards what it says is to be done.
fn with(id: RequestId, act: impl FnOnce(&'static Slot, &mut Exchange, &mut After) -> i32) -> i32 {
    let Some(slot) = slots::find(id) else {
        return abi::GONE;
    };
    let mut after = After::default();
    let mut state = slot.lock();
    let Some(exchange) = state.of_managed(slot, id) else {
        return abi::GONE;
    };
    let code = act(slot, exchange, &mut after);
    drop(state);
    if let Some(waiter) = after.wake {
        waiter.wake();
    }
    if let Some(waker) = after.fetch {
        waker.wake();
    }
    code
}
