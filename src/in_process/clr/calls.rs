//! The functions that the managed side calls.

use std::{
    ffi::c_void,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr, slice,
    sync::atomic::Ordering,
};

use bytes::BytesMut;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header};
use hyper::ext::ReasonPhrase;
use tracing::{debug, error, info, trace, warn};

use super::{
    abi::{self, Api, Callbacks, END, Field, RequestId, Slice},
    exchange::{self, After, Exchange, Phase},
    lifetime::Thrown,
    native::Native,
    slots::{self, Slot},
};
use crate::headers;

/// The table of them, without the addresses of the one app.
pub(super) const fn table() -> Api {
    Api {
        size: size_of::<Api>() as u32,
        version: abi::VERSION,
        settings: ptr::null(),
        host: ptr::null_mut(),
        register,
        stop_incoming,
        stopped,
        main_ended,
        main_failed,
        log,
        read,
        request_trailers,
        set_max_body,
        informational,
        start,
        write,
        trailers,
        reset,
        complete,
    }
}

/// Runs `call`; what panics in it stays on this side.
fn guarded<R>(otherwise: R, call: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(otherwise)
}

/// # Safety
///
/// `host` is what [`Native`] put into its table, or null.
unsafe fn native(host: *mut c_void) -> Option<&'static Native> {
    // SAFETY: the caller's promise; a `Native` is never freed.
    unsafe { host.cast::<Native>().as_ref() }
}

/// # Safety
///
/// `slice` is valid for the time of the call.
unsafe fn bytes<'a>(slice: Slice) -> &'a [u8] {
    if slice.data.is_null() || slice.len == 0 {
        return &[];
    }
    // SAFETY: the caller's promise; not null.
    unsafe { slice::from_raw_parts(slice.data, slice.len) }
}

/// # Safety
///
/// As for [`bytes`].
unsafe fn text(slice: Slice) -> String {
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { bytes(slice) }).into_owned()
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

unsafe extern "C" fn register(host: *mut c_void, callbacks: *const Callbacks) -> i32 {
    guarded(abi::INVALID, || {
        // SAFETY: by the contract, `host` is ours, and `callbacks` is valid or null. Its size is its first field, so
        // that a shorter one is not read to the end of ours.
        unsafe {
            let (Some(native), false) = (native(host), callbacks.is_null()) else {
                return abi::INVALID;
            };
            let size = (&raw const (*callbacks).size).read();
            if size as usize != size_of::<Callbacks>() {
                return native.refuse();
            }
            native.register(*callbacks)
        }
    })
}

unsafe extern "C" fn stop_incoming(host: *mut c_void) {
    guarded((), || {
        // SAFETY: by the contract, `host` is ours.
        if let Some(native) = unsafe { native(host) } {
            native.stop_incoming();
        }
    });
}

unsafe extern "C" fn stopped(host: *mut c_void) {
    guarded((), || {
        // SAFETY: by the contract, `host` is ours.
        if let Some(native) = unsafe { native(host) } {
            native.stopped();
        }
    });
}

unsafe extern "C" fn main_ended(host: *mut c_void, exit_code: i32) {
    guarded((), || {
        // SAFETY: by the contract, `host` is ours.
        if let Some(native) = unsafe { native(host) } {
            native
                .lifetime()
                .send_modify(|lifetime| lifetime.main_ended = Some(exit_code));
        }
    });
}

unsafe extern "C" fn main_failed(host: *mut c_void, message: Slice, detail: Slice) {
    guarded((), || {
        // SAFETY: by the contract, `host` is ours and the texts are valid.
        let (native, message, detail) = unsafe { (native(host), text(message), text(detail)) };
        if let Some(native) = native {
            let thrown = Thrown { message, detail };
            native
                .lifetime()
                .send_modify(|lifetime| lifetime.main_failed = Some(thrown));
        }
    });
}

unsafe extern "C" fn log(_: *mut c_void, level: u32, message: Slice) {
    guarded((), || {
        // SAFETY: by the contract, the text is valid.
        let message = unsafe { text(message) };
        match level {
            0 => trace!(app.message = %message, "Hosting"),
            1 => debug!(app.message = %message, "Hosting"),
            2 => info!(app.message = %message, "Hosting"),
            3 => warn!(app.message = %message, "Hosting"),
            _ => error!(app.message = %message, "Hosting"),
        }
    });
}

unsafe extern "C" fn read(id: RequestId, buffer: *mut u8, len: usize, read: *mut usize) -> i32 {
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

unsafe extern "C" fn request_trailers(
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

unsafe extern "C" fn set_max_body(id: RequestId, limit: i64) -> i32 {
    guarded(abi::INVALID, || {
        with(id, |_, exchange, _| {
            exchange.upload.set_limit(u64::try_from(limit).ok())
        })
    })
}

/// hyper's server has no way to send one, but for the 100 that it sends by itself when the body is first read: what
/// only hints is left out.
unsafe extern "C" fn informational(id: RequestId, status: u32, _: *const Field, _: u32) -> i32 {
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

unsafe extern "C" fn start(
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

unsafe extern "C" fn write(id: RequestId, body: Slice, flags: u32) -> i32 {
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

unsafe extern "C" fn trailers(id: RequestId, fields: *const Field, count: u32) -> i32 {
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

unsafe extern "C" fn reset(id: RequestId, error_code: u32) -> i32 {
    guarded(abi::INVALID, || {
        with(id, |_, exchange, after| {
            exchange.cut(error_code, after);
            abi::OK
        })
    })
}

unsafe extern "C" fn complete(id: RequestId) {
    guarded((), || {
        if let Some(native) = exchange::complete(id) {
            native.end();
        }
    });
}

/// # Safety
///
/// `fields` leads to `count` fields that are valid for the time of the call, or is null.
unsafe fn list<'a>(fields: *const Field, count: u32) -> &'a [Field] {
    if fields.is_null() {
        return &[];
    }
    // SAFETY: the caller's promise; not null.
    unsafe { slice::from_raw_parts(fields, count as usize) }
}

impl Field {
    /// # Safety
    ///
    /// The field leads to bytes that are valid for `'a`.
    unsafe fn parts<'a>(&self) -> (&'a [u8], &'a [u8]) {
        let slice = |data, len: u32| Slice {
            data,
            len: len as usize,
        };
        // SAFETY: the caller's promise.
        unsafe {
            (
                bytes(slice(self.name, self.name_len)),
                bytes(slice(self.value, self.value_len)),
            )
        }
    }
}

/// The head of an answer, and whether the app frames the body itself; `None` if it is not one.
fn response(status: u32, reason: &[u8], fields: &[Field]) -> Option<(Response<()>, bool)> {
    let status = StatusCode::from_u16(u16::try_from(status).ok()?).ok()?;
    let mut response = Response::new(());
    *response.status_mut() = status;
    let mut headers = header_map(fields)?;
    let framed = is_framed(&headers);
    if framed {
        // Of what is in the chunks nobody knows the length (RFC 9112, 6.3).
        headers.remove(header::CONTENT_LENGTH);
    }
    clean(status, &mut headers);
    *response.headers_mut() = headers;
    let usual = status.canonical_reason();
    // hyper has a word of its own for a status that it does not know.
    if usual.is_none() || (!reason.is_empty() && Some(reason) != usual.map(str::as_bytes)) {
        let reason = ReasonPhrase::try_from(reason).ok()?;
        response.extensions_mut().insert(reason);
    }
    Some((response, framed))
}

/// Whether the body comes in chunks that the app makes itself: the last coding says so (RFC 9112, 7).
fn is_framed(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::TRANSFER_ENCODING).into_iter();
    let last = codings
        .flat_map(|line| headers::list(line.as_bytes()))
        .last();
    last.is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked"))
}

fn header_map(fields: &[Field]) -> Option<HeaderMap> {
    // SAFETY: the fields come from a call that is still under way.
    let parts = || fields.iter().map(|field| unsafe { field.parts() });
    // One piece of memory for all values, and not one for each.
    let mut values = BytesMut::with_capacity(parts().map(|(_, value)| value.len()).sum());
    parts().for_each(|(_, value)| values.extend_from_slice(value));
    let mut values = values.freeze();
    let mut headers = HeaderMap::with_capacity(fields.len());
    for (name, value) in parts() {
        let value = values.split_to(value.len());
        let name = HeaderName::from_bytes(name).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(value).ok()?);
    }
    Some(headers)
}

/// Takes out what says how the message is framed on the connection (RFC 9110, 7.6.1): that is hyper's to say. An app
/// may still ask for the connection's end, and name the protocol that it switches to.
fn clean(status: StatusCode, headers: &mut HeaderMap) {
    let close =
        headers::connection_options(headers).any(|option| option.eq_ignore_ascii_case(b"close"));
    for name in [header::CONNECTION, header::TRANSFER_ENCODING] {
        headers.remove(name);
    }
    headers.remove("keep-alive");
    headers.remove("proxy-connection");
    if status == StatusCode::SWITCHING_PROTOCOLS {
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        return;
    }
    headers.remove(header::UPGRADE);
    if close {
        headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
}
