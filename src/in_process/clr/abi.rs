//! What crosses between the native and the managed side of an in-process ASP.NET Core app: the C ABI, version 2.
//!
//! The managed side is `hosting/` in the repository. It finds the address of [`Api`] as a decimal number in the runtime
//! property [`PROPERTY`], checks [`Api::size`] and [`Api::version`], and answers with [`Callbacks`] in `register`.
//!
//! # Rules
//!
//! * All text is bytes with a length, never terminated; a null pointer with length 0 is an empty one. Names and values
//!   of fields are as they are on the wire; everything else is UTF-8.
//! * A [`RequestId`] is a slot and a generation. A call with one that is over does nothing and returns [`GONE`]: late
//!   and repeated calls are harmless on both sides.
//! * Nothing unwinds across the boundary: each side catches what it throws.
//! * Native functions may be called from any thread and never block. Callbacks come from any thread; they must not
//!   block and must not run the app's code: they copy, and queue to the runtime's own pool. Only with [`RUN_HERE`] they
//!   may: `on_request`, `on_read_ready` and `on_write_ready`.
//! * What a callback's argument points to is valid during the call, but for the [`Request`] of `on_request` and all it
//!   points to, which are valid until `complete` of its id.
//! * A callback with a request's id may come before `on_request` returned, on another thread. `on_read_ready` and
//!   `on_write_ready` may come before the call that they answer returned `PENDING`, and now and then without need.
//!   A callback may still be under way on another thread when `complete` returns: its id is over then, and to be ignored.
//! * A callback must not call native functions before it returns: native may hold locks that those take. With [`RUN_HERE`]
//!   it may: native holds none then.
//!
//! # The life of a request
//!
//! `on_request` → any number of `read` · `informational` · at most one `start` · `write`s · `trailers` → `complete`.
//! `complete` is called exactly once for each `on_request`, whatever happened, and is the last call with that id. If
//! `start` never came, or the end of the response was not said, `complete` breaks the exchange off: a truncated answer never looks
//! whole (500 if nothing was sent yet; else the connection or the stream is reset).
//!
//! `on_abort` tells that the client is gone, at most once, and does not begin after `complete` returned.

use std::ffi::c_void;

/// The version of all below. Another one is refused on both sides.
pub(super) const VERSION: u32 = 2;

/// The runtime property that holds the address of [`Api`], in decimal.
pub(super) const PROPERTY: &str = "ANCM_NATIVE_API";

/// Slot (low 32 bits) and generation (high 32 bits).
pub(super) type RequestId = u64;

/// Done.
pub(super) const OK: i32 = 0;
/// Not now: the callback that belongs to the call will come, once.
pub(super) const PENDING: i32 = 1;
/// The request is over: the client is gone, the exchange was broken off, or the id is not valid any more.
pub(super) const GONE: i32 = -1;
/// The request's body is larger than allowed: 413.
pub(super) const TOO_LARGE: i32 = -2;
/// Not at this point, or not with these arguments: nothing was done.
pub(super) const INVALID: i32 = -3;
/// The request's body is broken (bad framing, cut short): 400.
pub(super) const BAD_REQUEST: i32 = -4;

/// HTTP/2's INTERNAL_ERROR: what is said of an answer that was not finished.
pub(super) const INTERNAL_ERROR: u32 = 2;
/// HTTP/2's CANCEL: nobody wants the answer any more.
pub(super) const CANCEL: u32 = 8;

/// The body ends with these bytes.
pub(super) const END: u32 = 1;

/// The request may have a body.
pub(super) const HAS_BODY: u32 = 1;
/// The connection may become another protocol's by a 101 (RFC 9110, 7.8), or is an extended CONNECT (RFC 8441).
pub(super) const CAN_UPGRADE: u32 = 2;
/// It is an extended CONNECT for a WebSocket: 200 instead of 101 begins it.
pub(super) const EXTENDED_CONNECT: u32 = 4;
/// The client waits for 100 (Continue) before it sends the body; the first `read` sends it.
pub(super) const EXPECTS_CONTINUE: u32 = 8;

/// The app may run during this callback, on the calling thread and for as long as it takes.
pub(super) const RUN_HERE: u32 = 16;

/// Bytes that somebody else owns.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Slice {
    pub(super) data: *const u8,
    pub(super) len: usize,
}

/// A field: name and value.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub(super) name: *const u8,
    pub(super) value: *const u8,
    pub(super) name_len: u32,
    pub(super) value_len: u32,
}

/// An IP address and a port. `len` is 4, 16, or 0 for none (a Unix socket).
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) address: [u8; 16],
    pub(super) len: u32,
    pub(super) port: u32,
}

/// What is known of a request's connection. Same address for all requests of one connection at one time.
#[repr(C)]
pub(super) struct ConnectionFacts {
    /// Never twice in one process; to tell connections apart in logs.
    pub(super) id: u64,
    pub(super) peer: Endpoint,
    pub(super) local: Endpoint,
    /// The client's certificate as DER, or empty.
    pub(super) certificate: Slice,
    /// TLS, or 0: the version as on the wire (0x0303 is 1.2), and the cipher suite's number of the registry.
    pub(super) tls_version: u32,
    pub(super) tls_cipher_suite: u32,
    /// The name that the client asked for by SNI, or empty.
    pub(super) server_name: Slice,
}

/// Whom the front authenticated.
#[repr(C)]
pub(super) struct User {
    /// `alice@REALM`, or `alice` where there is no realm.
    pub(super) name: Slice,
    /// How it was proved: `Negotiate`, `Basic`.
    pub(super) authentication_type: Slice,
    /// The names of the groups that the user is in.
    pub(super) groups: *const Slice,
    pub(super) group_count: u32,
}

/// The head of a request.
#[repr(C)]
pub(super) struct Request {
    pub(super) method: Slice,
    /// `http` or `https`.
    pub(super) scheme: Slice,
    /// What the client named: the authority of HTTP/2 or of the absolute form, else `Host`; or empty.
    pub(super) authority: Slice,
    /// The target as it came: origin form, absolute form or `*`.
    pub(super) target: Slice,
    /// The path in it, as it came: not decoded, without the query.
    pub(super) path: Slice,
    /// The query in it, without `?`.
    pub(super) query: Slice,
    pub(super) fields: *const Field,
    pub(super) field_count: u32,
    /// 10, 11 or 20.
    pub(super) version: u32,
    pub(super) flags: u32,
    pub(super) _reserved: u32,
    /// −1: not known before its end (chunked, or HTTP/2 without `Content-Length`).
    pub(super) content_length: i64,
    pub(super) connection: *const ConnectionFacts,
    /// Null where nobody was authenticated.
    pub(super) user: *const User,
}

/// What the app is told once.
#[repr(C)]
pub(super) struct Settings {
    /// `/shop`, or empty for the root.
    pub(super) path_base: Slice,
    /// The content root: absolute.
    pub(super) physical_path: Slice,
    /// What the front offers, as `ASPNETCORE_IIS_HTTPAUTH`: `windows;basic;anonymous;` or `none`.
    pub(super) authentication: Slice,
    /// Where the front listens: URLs with `;` between them.
    pub(super) addresses: Slice,
    /// Largest request body in bytes, −1 for no limit.
    pub(super) max_request_body: i64,
    /// Whether `Upgrade` and extended CONNECT may be used.
    pub(super) websockets: u32,
    /// Whether a failed start is to be told with its details (Development).
    pub(super) detailed_errors: u32,
    /// How long the app may take to stop, in milliseconds.
    pub(super) shutdown_time_limit: u64,
}

/// What native offers. All functions may be called from any thread; none blocks.
#[repr(C)]
pub(super) struct Api {
    /// In bytes, of this version.
    pub(super) size: u32,
    pub(super) version: u32,
    pub(super) settings: *const Settings,
    /// First of `Rest`; given back with each call that has no request.
    pub(super) host: *mut c_void,

    /// The server started: requests may come now. `OK`, or `INVALID` (another version or size, or registered already).
    pub(super) register:
        unsafe extern "C" fn(host: *mut c_void, callbacks: *const Callbacks) -> i32,
    /// No more `on_request` from now on; `on_drained` comes when every request is complete (at once, maybe during this call).
    pub(super) stop_incoming: unsafe extern "C" fn(host: *mut c_void),
    /// The server has stopped. No callback comes after this returned.
    pub(super) stopped: unsafe extern "C" fn(host: *mut c_void),
    /// Main returned.
    pub(super) main_ended: unsafe extern "C" fn(host: *mut c_void, exit_code: i32),
    /// Main, or what ran before it, threw: one line, and all of it (type, message, stack trace).
    pub(super) main_failed: unsafe extern "C" fn(host: *mut c_void, message: Slice, detail: Slice),
    /// For our log. Level: 0 trace, 1 debug, 2 info, 3 warn, 4 error.
    pub(super) log: unsafe extern "C" fn(host: *mut c_void, level: u32, text: Slice),

    /// Copies what came of the body to `buffer` and its number to `*read`: `OK` with 0 is the end of it. `PENDING`: nothing is here yet;
    /// `on_read_ready` will come. One read at a time. After a 101 or an extended CONNECT's 200: bytes of the new protocol.
    /// `GONE`, `TOO_LARGE`, `BAD_REQUEST`.
    pub(super) read:
        unsafe extern "C" fn(id: RequestId, buffer: *mut u8, len: usize, read: *mut usize) -> i32,
    /// The trailers of the request, valid until `complete`; `INVALID` before the end of the body.
    pub(super) request_trailers:
        unsafe extern "C" fn(id: RequestId, fields: *mut *const Field, count: *mut u32) -> i32,
    /// Sets the largest body of this request, in bytes, −1 for none; `INVALID` after the first `read`.
    pub(super) set_max_body: unsafe extern "C" fn(id: RequestId, limit: i64) -> i32,

    /// An answer of 1xx before the final one; not 101.
    pub(super) informational:
        unsafe extern "C" fn(id: RequestId, status: u32, fields: *const Field, count: u32) -> i32,
    /// The head of the answer and the first bytes of its body. Hop-by-hop fields (`Connection`, `Transfer-Encoding`, …) are native's own and dropped.
    /// `Connection: close` is heeded. With `END` that was all. 101 (or 200 to an extended CONNECT) begins the new protocol.
    /// `reason` is empty for the usual one. `OK`, `PENDING` (taken, but wait for `on_write_ready`), `GONE`, `INVALID`.
    pub(super) start: unsafe extern "C" fn(
        id: RequestId,
        status: u32,
        reason: Slice,
        fields: *const Field,
        count: u32,
        body: Slice,
        flags: u32,
    ) -> i32,
    /// More of the body; `END` ends it. All of it is taken. `PENDING`: no more until `on_write_ready`. What is written goes out at once.
    pub(super) write: unsafe extern "C" fn(id: RequestId, body: Slice, flags: u32) -> i32,
    /// Ends the body with trailers.
    pub(super) trailers:
        unsafe extern "C" fn(id: RequestId, fields: *const Field, count: u32) -> i32,
    /// Breaks the exchange off: HTTP/2 resets the stream with `error_code`, HTTP/1.1 closes the connection. `complete` is still to come.
    pub(super) reset: unsafe extern "C" fn(id: RequestId, error_code: u32) -> i32,
    /// The app is through with the request.
    pub(super) complete: unsafe extern "C" fn(id: RequestId),
}

/// What the app waited for is there. `flags` is 0, or [`RUN_HERE`], as of `on_request`.
pub(super) type GoOn = unsafe extern "C" fn(id: RequestId, flags: u32);

/// What managed offers.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Callbacks {
    /// In bytes, of this version.
    pub(super) size: u32,
    pub(super) version: u32,
    /// A request. Managed owes one `complete`.
    pub(super) on_request: unsafe extern "C" fn(id: RequestId, request: *const Request),
    /// `read` may be called again.
    pub(super) on_read_ready: GoOn,
    /// `write` may be called again.
    pub(super) on_write_ready: GoOn,
    /// The client is gone.
    pub(super) on_abort: unsafe extern "C" fn(id: RequestId),
    /// Stop gracefully.
    pub(super) on_shutdown: unsafe extern "C" fn(),
    /// After `stop_incoming`: every request is complete.
    pub(super) on_drained: unsafe extern "C" fn(),
}
