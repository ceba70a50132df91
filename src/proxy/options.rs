//! What a proxy may do.

use std::{net::IpAddr, time::Duration};

use ipnet::IpNet;

/// What becomes of a client's header whose name has an underscore in it.
///
/// CGI-like servers can't tell `X_Forwarded_For` from `X-Forwarded-For` (RFC 9110, 17.10).
/// `MS_ASPNETCORE_*` never passes, whatever is chosen here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Underscores {
    /// It is dropped where it reads like a name that the module writes or frames a message with.
    #[default]
    DropAliases,
    /// It is dropped.
    DropAll,
    /// The request is refused with 400.
    Refuse,
    /// It passes, as in the module.
    Keep,
}

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
    pub(super) connect_timeout: Duration,
    pub(super) continue_timeout: Duration,
    pub(super) forward_response_connection_header: bool,
    pub(super) websockets: bool,
    pub(super) retry: bool,
    #[cfg(windows)]
    pub(super) windows_user: bool,
    pub(super) underscores: Underscores,
    trusted_proxies: Vec<IpNet>,
}

impl ProxyOptions {
    /// The defaults, each of which its setter names.
    pub fn new() -> Self {
        Self {
            request_timeout: Some(Duration::from_secs(120)),
            connect_timeout: Duration::from_secs(5),
            continue_timeout: Duration::from_secs(1),
            forward_response_connection_header: false,
            websockets: true,
            retry: true,
            #[cfg(windows)]
            windows_user: true,
            underscores: Underscores::default(),
            trusted_proxies: Vec::new(),
        }
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
        self.connect_timeout = timeout;
        self
    }

    /// How long a body waits for the app's `100 Continue` before it is sent anyway. Defaults to 1 second.
    ///
    /// An app may never say it (RFC 9110, 10.1.1).
    pub fn continue_timeout(mut self, timeout: Duration) -> Self {
        self.continue_timeout = timeout;
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
        self.underscores = underscores;
        self
    }

    /// The peers whose `X-Forwarded-*` and `Forwarded` are believed. Defaults to none.
    ///
    /// Theirs are appended to, everybody else's are replaced.
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = IpNet>) -> Self {
        self.trusted_proxies = proxies.into_iter().collect();
        self
    }

    /// Whether the peer at `address` is believed.
    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.trusted_proxies
            .iter()
            .any(|net| net.contains(&address))
    }
}

impl Default for ProxyOptions {
    fn default() -> Self {
        Self::new()
    }
}
