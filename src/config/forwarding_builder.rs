//! How requests are forwarded, said in Rust.

use std::{
    num::{NonZeroU32, NonZeroUsize},
    time::Duration,
};

use ipnet::IpNet;

use super::{
    builder::Builder,
    forwarding::{HeaderPolicy, Protocol, Underscores},
};

/// How requests are forwarded: the defaults, and the reasons for them, are those of [`Forwarding`](super::Forwarding).
impl Builder {
    /// What is spoken with the app. Defaults to [`Protocol::Http1`].
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.forwarding().protocol = protocol;
        self
    }

    /// The peers whose word about a request's way is believed. Defaults to nobody.
    pub fn trusted_proxies(mut self, proxies: impl IntoIterator<Item = IpNet>) -> Self {
        self.forwarding().trusted_proxies = proxies.into_iter().collect();
        self
    }

    /// What becomes of `X-Forwarded-For`. Defaults to [`HeaderPolicy::Append`].
    pub fn forwarded_for(mut self, policy: HeaderPolicy) -> Self {
        self.forwarding().forwarded_for = policy;
        self
    }

    /// What becomes of `X-Forwarded-Proto`. Defaults to [`HeaderPolicy::Append`].
    pub fn forwarded_proto(mut self, policy: HeaderPolicy) -> Self {
        self.forwarding().forwarded_proto = policy;
        self
    }

    /// What becomes of `X-Forwarded-Host`. Defaults to off.
    pub fn forwarded_host(mut self, policy: HeaderPolicy) -> Self {
        self.forwarding().forwarded_host = policy;
        self
    }

    /// What becomes of `X-Forwarded-Prefix`. Defaults to off.
    pub fn forwarded_prefix(mut self, policy: HeaderPolicy) -> Self {
        self.forwarding().forwarded_prefix = policy;
        self
    }

    /// What becomes of RFC 7239's `Forwarded`. Defaults to off.
    pub fn forwarded(mut self, policy: HeaderPolicy) -> Self {
        self.forwarding().forwarded = policy;
        self
    }

    /// What becomes of RFC 9440's `Client-Cert`. Defaults to off.
    pub fn client_cert(mut self, policy: HeaderPolicy) -> Self {
        self.forwarding().client_cert = policy;
        self
    }

    /// What becomes of names with an underscore. Defaults to [`Underscores::DropAliases`].
    pub fn underscores(mut self, underscores: Underscores) -> Self {
        self.forwarding().underscores = underscores;
        self
    }

    /// The name that stands in `Via` for this proxy. Defaults to none.
    pub fn via(mut self, name: impl Into<String>) -> Self {
        self.forwarding().via = Some(name.into());
        self
    }

    /// Whether a request without a valid `traceparent` gets one. Defaults to false.
    pub fn trace_context(mut self, start: bool) -> Self {
        self.forwarding().trace_context = start;
        self
    }

    /// How long a connection to the app may take to open. Defaults to 5 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.forwarding().connect_timeout = timeout;
        self
    }

    /// How long a body waits for the app's `100 Continue`. Defaults to 1 s.
    pub fn continue_timeout(mut self, timeout: Duration) -> Self {
        self.forwarding().continue_timeout = timeout;
        self
    }

    /// How long a client may pause within the body of its request. Defaults to 2 min; `None`: for ever.
    pub fn upload_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.forwarding().upload_timeout = timeout.filter(|timeout| !timeout.is_zero());
        self
    }

    /// The bytes a second that a client has to send of the body of its request. Defaults to 240; `None`: any.
    pub fn min_upload_rate(mut self, bytes: Option<NonZeroU32>) -> Self {
        self.forwarding().min_upload_rate = bytes;
        self
    }

    /// How long a client may be slower than that in the beginning. Defaults to 5 s.
    pub fn upload_grace(mut self, grace: Duration) -> Self {
        self.forwarding().upload_grace = grace;
        self
    }

    /// How long the app may keep the head of its answer. Defaults to `request_timeout`.
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.forwarding().head_timeout = Some(timeout);
        self
    }

    /// How long the app may pause within its answer. Defaults to `request_timeout`.
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.forwarding().body_timeout = Some(timeout);
        self
    }

    /// How long an exchange may take as a whole. Defaults to no limit.
    pub fn total_timeout(mut self, timeout: Duration) -> Self {
        self.forwarding().total_timeout = Some(timeout);
        self
    }

    /// How many connections there may be to each process or address of the app. Defaults to what the limit of open files
    /// allows.
    pub fn app_connections(mut self, connections: NonZeroUsize) -> Self {
        self.forwarding().app_connections = Some(connections);
        self
    }

    /// How many requests may wait for a connection to each process or address. Defaults to 100 000.
    pub fn connection_queue_limit(mut self, requests: usize) -> Self {
        self.forwarding().connection_queue_limit = requests;
        self
    }

    /// How long a request may wait for a connection. Defaults to `head_timeout`.
    pub fn connection_queue_time(mut self, time: Duration) -> Self {
        self.forwarding().connection_queue_time = Some(time);
        self
    }

    /// The bytes that the body of a request may have. Defaults to no limit.
    pub fn max_body_size(mut self, bytes: u64) -> Self {
        self.forwarding().max_body_size = Some(bytes);
        self
    }
}
