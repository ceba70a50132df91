//! The functions that the managed side calls.

mod head;
mod host;
mod request;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    ptr, slice,
};

use super::abi::{self, Api, Slice};

/// The table of them, without the addresses of the one app.
pub(super) const fn table() -> Api {
    Api {
        size: size_of::<Api>() as u32,
        version: abi::VERSION,
        settings: ptr::null(),
        host: ptr::null_mut(),
        register: host::register,
        stop_incoming: host::stop_incoming,
        stopped: host::stopped,
        main_ended: host::main_ended,
        main_failed: host::main_failed,
        log: host::log,
        read: request::read,
        request_trailers: request::request_trailers,
        set_max_body: request::set_max_body,
        informational: request::informational,
        start: request::start,
        write: request::write,
        trailers: request::trailers,
        reset: request::reset,
        complete: request::complete,
    }
}

/// Runs `call`; what panics in it stays on this side.
fn guarded<R>(otherwise: R, call: impl FnOnce() -> R) -> R {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(otherwise)
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
