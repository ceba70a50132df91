//! What can be set about a front, each with its default and the reason for it.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
    thread,
    time::Duration,
};

use super::{Bound, Listen, Standby};
use crate::config::FrontLimits;

/// Options of a front end: how many threads, which limits, how long to wait for whom.
///
/// Every limit has a default that is safe on the open internet. Ends in [`bind`](Self::bind),
/// [`listeners`](Self::listeners), or [`listen`](Self::listen) for everything else.
#[derive(Clone, Debug)]
#[must_use = "a front does nothing until it is bound and served"]
pub struct Front {
    pub(super) threads: NonZeroUsize,
    pub(super) limits: Limits,
    pub(super) standby: Standby,
    /// The sockets are another front's.
    pub(super) adopted: bool,
    /// Its threads are lent to the app.
    #[cfg(all(unix, feature = "in-process"))]
    pub(super) lends: bool,
}

/// What one connection needs to know.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) header_timeout: Duration,
    pub(super) idle_timeout: Duration,
    pub(super) write_timeout: Duration,
    pub(super) drain_timeout: Duration,
    pub(super) max_connections: usize,
    pub(super) max_head_size: u32,
    pub(super) max_headers: usize,
    pub(super) half_close: bool,
    pub(super) h2: H2Limits,
}

/// What an HTTP/2 connection may do.
#[derive(Clone, Debug)]
pub(super) struct H2Limits {
    pub(super) max_streams: u32,
    pub(super) max_pending_resets: usize,
    pub(super) max_error_resets: usize,
    pub(super) extended_connect: bool,
    pub(super) ping_interval: Duration,
    pub(super) ping_timeout: Duration,
}

impl Default for Front {
    fn default() -> Self {
        Self::new()
    }
}

impl Front {
    /// A front with all defaults.
    pub fn new() -> Self {
        Self {
            standby: Standby::new(),
            adopted: false,
            #[cfg(all(unix, feature = "in-process"))]
            lends: false,
            threads: thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            limits: Limits {
                header_timeout: Duration::from_secs(30),
                idle_timeout: Duration::from_secs(130),
                write_timeout: Duration::from_secs(60),
                drain_timeout: Duration::from_secs(10),
                max_connections: 10_000,
                max_head_size: 64 * 1024,
                max_headers: super::http::HYPER_MAX_HEADERS,
                half_close: false,
                h2: H2Limits {
                    max_streams: 100,
                    max_pending_resets: 20,
                    max_error_resets: 100,
                    extended_connect: false,
                    ping_interval: Duration::from_secs(30),
                    ping_timeout: Duration::from_secs(20),
                },
            },
        }
    }

    /// Sets the number of threads, each with a runtime of its own. Defaults to one per core.
    pub fn threads(mut self, threads: NonZeroUsize) -> Self {
        self.threads = threads;
        self
    }

    /// Takes over what `limits` say; the rest stays as it is.
    pub fn configured(mut self, limits: &FrontLimits) -> Self {
        let (to, count) = (&mut self.limits, |number: u32| number as usize);
        replace(&mut to.header_timeout, limits.header_timeout);
        replace(&mut to.idle_timeout, limits.idle_timeout);
        replace(&mut to.write_timeout, limits.write_timeout);
        replace(&mut to.drain_timeout, limits.drain_timeout);
        replace(&mut to.max_connections, limits.max_connections.map(count));
        replace(&mut to.max_head_size, limits.max_head_size);
        replace(&mut to.max_headers, limits.max_headers.map(count));
        replace(&mut to.half_close, limits.half_close);
        let to = &mut to.h2;
        replace(&mut to.max_streams, limits.max_streams);
        replace(
            &mut to.max_pending_resets,
            limits.max_pending_resets.map(count),
        );
        replace(&mut to.max_error_resets, limits.max_error_resets.map(count));
        replace(&mut to.ping_interval, limits.ping_interval);
        replace(&mut to.ping_timeout, limits.ping_timeout);
        self
    }

    /// Sets whether an app that is called, and not forwarded to, may run on the front's threads as far as its first pause,
    /// which saves each request the way to another thread and back. Defaults to `false`.
    ///
    /// One that keeps a thread loses it: another takes over what it served within 5 ms, and the app is lent none for a while.
    /// It is for [`clr`](crate::in_process::clr), whose [worker](crate::in_process::Worker) does so by itself; other
    /// services notice nothing of it.
    #[cfg(all(unix, feature = "in-process"))]
    pub fn lend_threads(mut self, lend: bool) -> Self {
        self.lends = lend;
        self
    }

    /// Sets who says whether it accepts. Defaults to nobody: it does.
    pub fn standby(mut self, standby: &Standby) -> Self {
        self.standby = standby.clone();
        self
    }

    /// Sets the time for a request's head, and for the first byte of a connection's first one.
    ///
    /// Whoever takes longer gets 408, or just the end of the connection if it sent nothing. The
    /// clock is coarse: up to a quarter may come on top. Defaults to 30 s, Kestrel's own.
    pub fn header_timeout(mut self, time: Duration) -> Self {
        self.limits.header_timeout = time;
        self
    }

    /// Sets how long a connection may stay open without a request.
    ///
    /// Defaults to 130 s, Kestrel's own: longer than the 60 s and 120 s after which the usual load
    /// balancers and http.sys give up, so that they are the ones to close and no request crosses
    /// with a close.
    pub fn idle_timeout(mut self, time: Duration) -> Self {
        self.limits.idle_timeout = time;
        self
    }

    /// Sets how long a client may take no byte of what is ready for it, before it is cut.
    ///
    /// Not a limit for the whole response: any progress starts it anew. There is no least rate, but
    /// who reads byte by byte makes no progress for long: the system lets more be sent only when
    /// there is room for a good deal of it. Defaults to 60 s.
    pub fn write_timeout(mut self, time: Duration) -> Self {
        self.limits.write_timeout = time;
        self
    }

    /// Sets how long requests and tunnels may go on after the shutdown began, before they are cut.
    ///
    /// Defaults to 10 s, the module's `shutdownTimeLimit`.
    pub fn drain_timeout(mut self, time: Duration) -> Self {
        self.limits.drain_timeout = time;
        self
    }

    /// Sets how many connections may be open at once, over all threads; tunnels count.
    ///
    /// At the limit the longest idle ones are closed and new ones wait in the kernel's queue.
    /// Defaults to 10 000: idle, they take about 60 MiB, or twice that if all came at once. The process needs twice as many file
    /// descriptors, one for the client and one for the app.
    pub fn max_connections(mut self, connections: NonZeroUsize) -> Self {
        self.limits.max_connections = connections.get();
        self
    }

    /// Sets the bytes that a request's head may take; more gets 431.
    ///
    /// In HTTP/2 it is `SETTINGS_MAX_HEADER_LIST_SIZE`. Defaults to 64 KiB, above what Kestrel
    /// (32 KiB) and http.sys (16 KiB) allow, so that the app decides.
    pub fn max_head_size(mut self, bytes: u32) -> Self {
        self.limits.max_head_size = bytes;
        self
    }

    /// Sets how many header lines an HTTP/1 request may have; more gets 431.
    ///
    /// Defaults to 100, Kestrel's own. Any other value costs an allocation per request.
    pub fn max_headers(mut self, headers: usize) -> Self {
        self.limits.max_headers = headers;
        self
    }

    /// Sets whether an HTTP/1 client that closed its sending side still gets its answer.
    ///
    /// Defaults to no: TCP does not tell such a client from one that left, and a request that
    /// nobody waits for should end at once, at the app too.
    pub fn half_close(mut self, allowed: bool) -> Self {
        self.limits.half_close = allowed;
        self
    }

    /// Sets how many requests an HTTP/2 connection may have open at once.
    ///
    /// Defaults to 100: what RFC 9113 (6.5.2) names as the least, and Kestrel's own.
    pub fn h2_max_streams(mut self, streams: u32) -> Self {
        self.limits.h2.max_streams = streams;
        self
    }

    /// Sets how many streams a client may have reset before they were looked at.
    ///
    /// More ends the connection (CVE-2023-44487, "rapid reset"). Defaults to 20.
    pub fn h2_max_pending_resets(mut self, streams: usize) -> Self {
        self.limits.h2.max_pending_resets = streams;
        self
    }

    /// Sets how many streams a client may make *us* reset by its errors.
    ///
    /// More ends the connection (CVE-2025-8671, "made you reset"). Defaults to 100.
    pub fn h2_max_error_resets(mut self, streams: usize) -> Self {
        self.limits.h2.max_error_resets = streams;
        self
    }

    /// Sets how often an HTTP/2 client is pinged, and how long it may take to answer.
    ///
    /// Finds clients that vanished without a word while a response streams. Defaults to every
    /// 30 s and 20 s.
    pub fn h2_ping(mut self, interval: Duration, timeout: Duration) -> Self {
        self.limits.h2.ping_interval = interval;
        self.limits.h2.ping_timeout = timeout;
        self
    }

    /// Sets whether HTTP/2 clients are told that they may ask for a WebSocket on a stream (RFC 8441).
    ///
    /// A [`Host`](crate::Host) and a [`Proxy`](crate::proxy::Proxy) make an upgrade of HTTP/1.1 of it for their app; any other
    /// service gets a `CONNECT` with a [`Protocol`](hyper::ext::Protocol) among its extensions. Defaults to no: a client that was
    /// told so does not try HTTP/1.1 where the service knows nothing of it.
    pub fn extended_connect(mut self, allowed: bool) -> Self {
        self.limits.h2.extended_connect = allowed;
        self
    }

    /// Listens on every one of `addresses`. Port 0 lets the system choose.
    ///
    /// # Errors
    ///
    /// When `addresses` is empty, or one can't be listened on.
    pub fn bind(self, addresses: &[SocketAddr]) -> io::Result<Bound> {
        self.listen(addresses.iter().copied())
    }

    /// Takes over sockets that listen already: inherited ones, say. All threads share each.
    ///
    /// # Errors
    ///
    /// When `listeners` is empty, or one can't be duplicated.
    pub fn listeners(self, listeners: Vec<TcpListener>) -> io::Result<Bound> {
        self.listen(listeners)
    }

    /// Listens in every one of these places.
    ///
    /// # Errors
    ///
    /// When there is none, or one can't be listened on: the error names it, and its source says why.
    pub fn listen<I>(self, places: I) -> io::Result<Bound>
    where
        I: IntoIterator,
        I::Item: Into<Listen>,
    {
        let sockets = places
            .into_iter()
            .map(|place| place.into().open(self.threads))
            .collect::<io::Result<Vec<_>>>()?;
        Bound::new(self, sockets)
    }
}

fn replace<T>(to: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *to = value;
    }
}
