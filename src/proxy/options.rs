//! What a proxy may do.

use std::{
    net::IpAddr,
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use http::HeaderValue;
use ipnet::IpNet;

use super::{progress::Haste, request::Via, seats::Limits, trust::Ranges, wire::Patience};
use crate::{
    PathBase,
    config::{Forwarding, HeaderPolicy, Protocol, Underscores},
};

/// What a [`Proxy`](super::Proxy) may do.
///
/// ```
/// use std::time::Duration;
/// use ancm::proxy::ProxyOptions;
///
/// let options = ProxyOptions::new()
///     .request_timeout(Some(Duration::from_secs(30)))
///     .trusted_proxies(["10.0.0.0/8".parse().unwrap()]);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct ProxyOptions {
    pub(super) request_timeout: Option<Duration>,
    pub(super) forward_response_connection_header: bool,
    pub(super) websockets: bool,
    pub(super) retry: bool,
    #[cfg(windows)]
    pub(super) windows_user: bool,
    pub(super) said: Forwarding,
    /// What `X-Forwarded-Prefix` says, where it says anything.
    pub(super) prefix: Option<HeaderValue>,
    pub(super) via: Option<Via>,
    /// What [`said`](Self::said) means by its proxies.
    trusted: Ranges,
}

impl ProxyOptions {
    /// The defaults, each of which its setter names.
    pub fn new() -> Self {
        Self {
            request_timeout: Some(Duration::from_secs(120)),
            forward_response_connection_header: false,
            websockets: true,
            retry: true,
            #[cfg(windows)]
            windows_user: true,
            said: Forwarding::default(),
            prefix: None,
            via: None,
            trusted: Ranges::default(),
        }
    }

    /// All that a configuration says of it. Defaults to the defaults of [`Forwarding`].
    pub fn forwarding(mut self, forwarding: &Forwarding) -> Self {
        self.trusted = Ranges::new(&forwarding.trusted_proxies);
        self.via = forwarding.via.as_deref().and_then(Via::new);
        self.said = forwarding.clone();
        self
    }

    /// What is spoken with an app at a fixed address, of which a [`Host`](crate::Host) makes the backend. Defaults to
    /// [`Protocol::Http1`]. Who makes a [`Backend`](super::Backend) says it [there](super::Backend::speaking).
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.said.protocol = protocol;
        self
    }

    /// How many bytes of its request's body a client has to send for each second that it is waited for, all pauses
    /// together, as long as the app has not begun to answer; then it gets 408. Defaults to 240, as Kestrel has it. `None`
    /// is no limit. A call of gRPC has none, as its messages may tell of what happens now and then; nor has a client of
    /// HTTP/2, whose uploads wait for one another.
    pub fn min_upload_rate(mut self, bytes: Option<NonZeroU32>) -> Self {
        self.said.min_upload_rate = bytes;
        self
    }

    /// How long a client may be slower than that in the beginning. Defaults to 5 seconds, as Kestrel has it.
    pub fn upload_grace(mut self, grace: Duration) -> Self {
        self.said.upload_grace = grace;
        self
    }

    /// How long the app may keep the proxy waiting: to take more of the request, to begin its answer, to go on with it.
    ///
    /// Not the time a request may take: whatever moves begins it anew, and the time the client takes does not count.
    /// `None` is no limit. Defaults to 2 minutes. Tunnels have none.
    ///
    /// ANCM: `requestTimeout`.
    pub fn request_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long a connection to the app may take to open. Defaults to 5 seconds.
    ///
    /// Differs from ANCM: `requestTimeout` there, far more than a listener on the same machine needs.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.said.connect_timeout = timeout;
        self
    }

    /// How many connections there may be to each process or address of the app. Requests beyond them wait, the first
    /// first, and tunnels and long answers hold one each. Defaults to `None`: as many as half the limit of open files
    /// has room for, for all apps of this process together.
    pub fn app_connections(mut self, connections: Option<NonZeroUsize>) -> Self {
        self.said.app_connections = connections;
        self
    }

    /// How many requests may wait for a connection to each process or address; more get 503. Defaults to 100 000.
    pub fn connection_queue_limit(mut self, requests: usize) -> Self {
        self.said.connection_queue_limit = requests;
        self
    }

    /// How long a request may wait for a connection; then it gets 503. Defaults to `None`: as long as for the head of the
    /// answer.
    pub fn connection_queue_time(mut self, time: Option<Duration>) -> Self {
        self.said.connection_queue_time = time;
        self
    }

    /// How long a body waits for the app's `100 Continue` before it is sent anyway. Defaults to 1 second.
    ///
    /// An app may never say it (RFC 9110, 10.1.1).
    pub fn continue_timeout(mut self, timeout: Duration) -> Self {
        self.said.continue_timeout = timeout;
        self
    }

    /// How long a client may pause within the body of its request, while the app has not begun to answer; then it gets
    /// 408. Defaults to 2 minutes, as http.sys has it. `None` is no limit.
    ///
    /// After that, a request may stay open as long as its answer does: a bidirectional stream is one.
    pub fn upload_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.said.upload_timeout = timeout;
        self
    }

    /// Whether `Connection: close` of an app reaches a client of HTTP/1. Defaults to `false`.
    ///
    /// ANCM: `forwardResponseConnectionHeader`.
    pub fn forward_response_connection_header(mut self, forward: bool) -> Self {
        self.forward_response_connection_header = forward;
        self
    }

    /// Whether a request may become a WebSocket. Defaults to `true`. Otherwise the app sees an ordinary request.
    pub fn websockets(mut self, allowed: bool) -> Self {
        self.websockets = allowed;
        self
    }

    /// Whether a request that a process took and died of is sent to the next process, once. Defaults to `true`.
    ///
    /// Only one without a body, whose method is idempotent (RFC 9110, 9.2.2), and that got nothing of an answer. What
    /// was never sent moves to the next process in any case.
    ///
    /// Differs from ANCM: nothing is sent twice there.
    pub fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    /// Whether the app gets the token of a [`Connection`](crate::Connection)'s Windows user. Defaults to `true`.
    /// Nobody has one outside of Windows.
    ///
    /// ANCM: `forwardWindowsAuthToken`.
    #[cfg_attr(not(windows), allow(unused_mut, reason = "nothing to be set"))]
    pub fn windows_user(mut self, forward: bool) -> Self {
        #[cfg(windows)]
        {
            self.windows_user = forward;
        }
        let _ = forward;
        self
    }

    /// What becomes of names with an underscore. Defaults to [`Underscores::DropAliases`].
    pub fn underscores(mut self, underscores: Underscores) -> Self {
        self.said.underscores = underscores;
        self
    }

    /// The peers whose `X-Forwarded-*`, `Forwarded` and `Client-Cert` are believed. Defaults to none.
    ///
    /// Everybody else's are taken out. How many ranges there are matters little: they are sorted once.
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = IpNet>) -> Self {
        self.said.trusted_proxies = proxies.into_iter().collect();
        self.trusted = Ranges::new(&self.said.trusted_proxies);
        self
    }

    /// What becomes of `X-Forwarded-For`. Defaults to [`HeaderPolicy::Append`].
    ///
    /// ANCM: appends, whoever wrote the rest.
    pub fn forwarded_for(mut self, policy: HeaderPolicy) -> Self {
        self.said.forwarded_for = policy;
        self
    }

    /// What becomes of `X-Forwarded-Proto`. Defaults to [`HeaderPolicy::Append`].
    ///
    /// ANCM: appends, whoever wrote the rest.
    pub fn forwarded_proto(mut self, policy: HeaderPolicy) -> Self {
        self.said.forwarded_proto = policy;
        self
    }

    /// What becomes of `X-Forwarded-Host`. Defaults to [`HeaderPolicy::Off`]: the app gets the `Host` itself.
    pub fn forwarded_host(mut self, policy: HeaderPolicy) -> Self {
        self.said.forwarded_host = policy;
        self
    }

    /// What becomes of `X-Forwarded-Prefix`, which says [`path_base`](Self::path_base). Defaults to
    /// [`HeaderPolicy::Off`].
    pub fn forwarded_prefix(mut self, policy: HeaderPolicy) -> Self {
        self.said.forwarded_prefix = policy;
        self
    }

    /// The prefix that `X-Forwarded-Prefix` names, where that is written. Defaults to the root, which is none.
    ///
    /// The path itself keeps it, as it does in the module.
    pub fn path_base(mut self, path_base: &PathBase) -> Self {
        let named = Some(path_base).filter(|base| !base.is_root());
        self.prefix = named.and_then(|base| HeaderValue::from_str(base.as_str()).ok());
        self
    }

    /// What becomes of `Forwarded` (RFC 7239). Defaults to [`HeaderPolicy::Off`].
    pub fn forwarded(mut self, policy: HeaderPolicy) -> Self {
        self.said.forwarded = policy;
        self
    }

    /// What becomes of `Client-Cert` (RFC 9440). Defaults to [`HeaderPolicy::Off`].
    ///
    /// There is one at most, so [`HeaderPolicy::Append`] keeps the one of a trusted proxy.
    pub fn client_cert(mut self, policy: HeaderPolicy) -> Self {
        self.said.client_cert = policy;
        self
    }

    /// The name that stands in `Via` for this proxy (RFC 9110, 7.6.3), both ways. Defaults to none: no `Via` of ours.
    ///
    /// What is no name is none.
    pub fn via(mut self, name: Option<&str>) -> Self {
        self.via = name.and_then(Via::new);
        self.said.via = name.map(str::to_owned);
        self
    }

    /// Whether a request without a valid `traceparent` gets one (W3C Trace Context). Defaults to `false`.
    ///
    /// A valid one passes in any case; with this on, an invalid one is replaced, and its `tracestate` goes with it.
    pub fn trace_context(mut self, start: bool) -> Self {
        self.said.trace_context = start;
        self
    }

    /// How long the app may keep a request waiting before it begins its answer. Defaults to `None`, which is
    /// [`request_timeout`](Self::request_timeout).
    pub fn head_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.said.head_timeout = timeout;
        self
    }

    /// How long the app may pause within its answer. Defaults to `None`, which is
    /// [`request_timeout`](Self::request_timeout).
    pub fn body_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.said.body_timeout = timeout;
        self
    }

    /// How long an exchange may take as a whole, up to the last byte of its answer. Defaults to none. Tunnels have
    /// none.
    pub fn total_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.said.total_timeout = timeout;
        self
    }

    /// The bytes that the body of a request may have; more gets 413. Defaults to no limit.
    pub fn max_body_size(mut self, bytes: Option<u64>) -> Self {
        self.said.max_body_size = bytes;
        self
    }

    /// What is spoken with an app at a fixed address.
    #[must_use]
    pub fn spoken(&self) -> Protocol {
        self.said.protocol
    }

    /// How many connections there may be to one address, and what becomes of requests beyond them.
    pub(super) fn connections(&self) -> Limits {
        Limits {
            connections: self
                .said
                .app_connections
                .map_or(usize::MAX, NonZeroUsize::get),
            waiting: self.said.connection_queue_limit,
            time: self.said.connection_queue_time.or(self.head_limit()),
        }
    }

    /// How long the app may keep the head of its answer.
    pub(super) fn head_limit(&self) -> Option<Duration> {
        self.said.head_timeout.or(self.request_timeout)
    }

    /// How long either side may keep the head of the answer from coming.
    pub(super) fn patience(&self) -> Patience {
        Patience {
            app: self.head_limit(),
            client: Haste {
                pause: self.said.upload_timeout,
                rate: self.said.min_upload_rate,
                grace: self.said.upload_grace,
            },
        }
    }

    /// How long the app may pause within its answer.
    pub(super) fn body_limit(&self) -> Option<Duration> {
        self.said.body_timeout.or(self.request_timeout)
    }

    /// Whether the peer at `address` is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.contains(address)
    }
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self::new()
    }
}
