//! What concerns the app as a whole: its server, its Main, its log.

use std::ffi::c_void;

use tracing::{debug, error, info, trace, warn};

use super::{
    super::{
        abi::{self, Callbacks, Slice},
        lifetime::Thrown,
        native::Native,
    },
    bytes, guarded,
};

pub(super) unsafe extern "C" fn register(host: *mut c_void, callbacks: *const Callbacks) -> i32 {
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

pub(super) unsafe extern "C" fn stop_incoming(host: *mut c_void) {
    guarded((), || {
        // SAFETY: by the contract, `host` is ours.
        if let Some(native) = unsafe { native(host) } {
            native.stop_incoming();
        }
    });
}

pub(super) unsafe extern "C" fn stopped(host: *mut c_void) {
    guarded((), || {
        // SAFETY: by the contract, `host` is ours.
        if let Some(native) = unsafe { native(host) } {
            native.stopped();
        }
    });
}

pub(super) unsafe extern "C" fn main_ended(host: *mut c_void, exit_code: i32) {
    guarded((), || {
        // SAFETY: by the contract, `host` is ours.
        if let Some(native) = unsafe { native(host) } {
            native
                .lifetime()
                .send_modify(|lifetime| lifetime.main_ended = Some(exit_code));
        }
    });
}

pub(super) unsafe extern "C" fn main_failed(host: *mut c_void, message: Slice, detail: Slice) {
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

pub(super) unsafe extern "C" fn log(_: *mut c_void, level: u32, message: Slice) {
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

/// # Safety
///
/// `host` is what [`Native`] put into its table, or null.
unsafe fn native(host: *mut c_void) -> Option<&'static Native> {
    // SAFETY: the caller's promise; a `Native` is never freed.
    unsafe { host.cast::<Native>().as_ref() }
}

/// # Safety
///
/// As for [`bytes`].
unsafe fn text(slice: Slice) -> String {
    // SAFETY: the caller's promise.
    String::from_utf8_lossy(unsafe { bytes(slice) }).into_owned()
}
