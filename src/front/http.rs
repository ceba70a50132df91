//! How hyper is set up, for HTTP/1 and for HTTP/2.

use std::sync::Arc;

use hyper::server::conn::{http1, http2};
use hyper_util::rt::TokioTimer;

use super::{
    options::{H2Limits, Limits},
    pulse::Pulse,
    spawn::Spawner,
};

/// How many headers hyper takes without being told, and without allocating for them.
pub(super) const HYPER_MAX_HEADERS: usize = 100;

/// What an HTTP/2 client may send before it has to wait, over all streams of its connection: so
/// much memory can it pin. Fixed, because a window that adapts costs pings and knows no bound.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// The same for one stream: less, so that an upload that waits leaves room for the others.
const STREAM_WINDOW: u32 = 512 * 1024;

/// What is kept of a response that an HTTP/2 client does not take, for each stream: Kestrel's own.
/// hyper's 400 KiB, times the streams that a client may open, are too much.
const SEND_BUFFER: usize = 64 * 1024;

/// The two servers of a connection, set up once.
#[derive(Clone, Debug)]
pub(super) struct Protocols {
    pub(super) http1: http1::Builder,
    /// The same for a socket that looks out for a client that leaves by itself.
    pub(super) http1_unwatched: http1::Builder,
    /// Whether a client may send all it has to say, close its half, and get its answer.
    pub(super) half_close: bool,
    max_head_size: u32,
    h2: H2Limits,
}

impl Protocols {
    pub(super) fn new(limits: &Limits) -> Self {
        let mut unwatched = http1(limits);
        unwatched.half_close(true);
        Self {
            http1: http1(limits),
            http1_unwatched: unwatched,
            half_close: limits.half_close,
            max_head_size: limits.max_head_size,
            h2: limits.h2.clone(),
        }
    }

    /// The server of a connection with streams, whose tunnels `pulse` is to know of.
    pub(super) fn http2(&self, pulse: &Arc<Pulse>) -> http2::Builder<Spawner> {
        let h2 = &self.h2;
        let mut builder = http2::Builder::new(Spawner::new(pulse));
        builder
            .timer(TokioTimer::new())
            .initial_connection_window_size(CONNECTION_WINDOW)
            .initial_stream_window_size(STREAM_WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .max_header_list_size(self.max_head_size)
            .max_concurrent_streams(h2.max_streams)
            .max_pending_accept_reset_streams(h2.max_pending_resets)
            .max_local_error_reset_streams(h2.max_error_resets)
            .keep_alive_interval(h2.ping_interval)
            .keep_alive_timeout(h2.ping_timeout);
        if h2.extended_connect {
            builder.enable_connect_protocol();
        }
        builder
    }
}

fn http1(limits: &Limits) -> http1::Builder {
    let mut builder = http1::Builder::new();
    builder
        // A timer for each head costs more than the sweep, which bounds heads instead.
        .header_read_timeout(None)
        .max_header_size(limits.max_head_size as usize)
        .half_close(limits.half_close);
    if limits.max_headers != HYPER_MAX_HEADERS {
        builder.max_headers(limits.max_headers);
    }
    builder
}
