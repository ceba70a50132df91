//! The layer, and how it is set up.

use std::{net::IpAddr, sync::Arc};

use http::Request;
use ipnet::IpNet;
use tower_layer::Layer;
use tracing::{debug, warn};

use super::{
    apply::{ORIGINALS, apply},
    extension::client,
    host::AllowedHosts,
    lists, rfc7239,
    rules::{Rules, Source},
    walk::{Outcome, Stop},
};
use crate::{
    app::stage::{Rewrite, Rewriting},
    occasionally::Occasionally,
};

/// Lets requests say who the client is and what it asked for; see the [module](super) docs.
///
/// The app finds it as [`Forwarded`](super::Forwarded), and what was there before in `X-Original-*`. With the `axum`
/// feature `ConnectInfo<SocketAddr>` is the client. The request URI's scheme and authority agree where it has them.
///
/// The peer's address comes from a [`Connection`](crate::Connection) in the request's extensions, or from axum's
/// `ConnectInfo<SocketAddr>`.
#[derive(Clone, Debug)]
#[must_use]
pub struct ForwardedLayer {
    rules: Arc<Rules>,
    refusals: Arc<Occasionally>,
}

impl ForwardedLayer {
    /// Reads `X-Forwarded-For` and `X-Forwarded-Proto`, one entry of each, from a proxy on the loopback.
    pub fn new() -> Self {
        Self::with_source(Source::XForwarded)
    }

    /// Reads `for` and `proto` of `Forwarded` (RFC 7239) in place of `X-Forwarded-*`.
    ///
    /// Never both: a proxy that writes one passes the other on as the client sent it.
    pub fn rfc7239() -> Self {
        Self::with_source(Source::Standard)
    }

    fn with_source(source: Source) -> Self {
        Self {
            rules: Arc::new(Rules::new(source)),
            refusals: Arc::default(),
        }
    }

    /// Trusts a proxy or a network too. Defaults to `127.0.0.0/8` and `::1`.
    pub fn trust(self, network: impl Into<IpNet>) -> Self {
        self.with(|rules| rules.trusted.push(network.into()))
    }

    /// Trusts these and nobody else.
    pub fn trust_only(self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        self.with(|rules| rules.trusted = networks.into_iter().collect())
    }

    /// Trusts whoever sends the headers, where the network lets nobody but proxies through. Defaults to `false`.
    ///
    /// Differs from ANCM: empty lists mean this there.
    pub fn trust_everyone(self, trust: bool) -> Self {
        self.with(|rules| rules.trust_everyone = trust)
    }

    /// Trusts a peer whose address nobody knows, such as a Unix socket's. Defaults to `false`.
    ///
    /// Differs from ANCM: always so there; here only behind the module, whose token says who it is.
    pub fn trust_unknown_peer(self, trust: bool) -> Self {
        self.with(|rules| rules.trust_unknown_peer = trust)
    }

    /// How many entries are read, the last first; `None` for all. Defaults to 1.
    pub fn limit(self, limit: Option<usize>) -> Self {
        self.with(|rules| rules.limit = limit)
    }

    /// Whether all headers that are read must have equally many entries, none of them invalid. Defaults to `false`.
    pub fn require_symmetry(self, require: bool) -> Self {
        self.with(|rules| rules.symmetry = require)
    }

    /// All or nothing: symmetry, and an entry that makes no sense discredits all. Defaults to `false`.
    ///
    /// What the client itself sent as `X-Original-*` is taken out too.
    pub fn strict(self, strict: bool) -> Self {
        self.with(|rules| {
            rules.strict = strict;
            rules.symmetry = strict;
        })
    }

    /// Whether the client's address is read. Defaults to `true`.
    pub fn address(self, read: bool) -> Self {
        self.with(|rules| rules.reads.address = read)
    }

    /// Whether the scheme is read. Defaults to `true`.
    pub fn scheme(self, read: bool) -> Self {
        self.with(|rules| rules.reads.scheme = read)
    }

    /// Reads the host, where it is one of `allowed`: `example.com`, `*.example.com` or `*`. Defaults to not reading it.
    ///
    /// Ports don't matter. Links and redirects are made from the host, so name yours.
    pub fn host(self, allowed: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.with(|rules| {
            rules.reads.host = true;
            rules.hosts = AllowedHosts::new(allowed);
        })
    }

    /// Whether `X-Forwarded-Prefix` is read, as a [`PathBase`](crate::PathBase). Defaults to `false`.
    pub fn prefix(self, read: bool) -> Self {
        self.with(|rules| rules.reads.prefix = read)
    }

    /// Whether an HTTP/1.1 request's URI gets a scheme and an authority. Defaults to `false`: it stays a path.
    pub fn absolute_form(self, absolute: bool) -> Self {
        self.with(|rules| rules.absolute_form = absolute)
    }

    fn with(mut self, change: impl FnOnce(&mut Rules)) -> Self {
        change(Arc::make_mut(&mut self.rules));
        self
    }

    /// A log that names who is not trusted turns an hour of searching into a line of configuration.
    fn log(&self, outcome: &Outcome) {
        match outcome.stop {
            Stop::End => {}
            // Further on it may well be the client itself that made an entry up.
            Stop::Untrusted(hop) if outcome.consumed > 0 => {
                debug!(
                    hop = show(hop),
                    "Forwarded headers used up to a hop that is not trusted"
                );
            }
            Stop::Untrusted(hop) => {
                if let Some(count) = self.refusals.due() {
                    warn!(
                        hop = show(hop),
                        count,
                        "Forwarded headers ignored: they come from a peer that is not trusted. If it is a proxy of yours, trust it"
                    );
                }
            }
            Stop::Malformed => debug!("Forwarded headers used up to an entry that makes no sense"),
            Stop::Asymmetric => {
                if let Some(count) = self.refusals.due() {
                    warn!(
                        count,
                        "Forwarded headers ignored: they have not equally many valid entries"
                    );
                }
            }
        }
    }
}

fn show(hop: Option<IpAddr>) -> String {
    hop.map_or_else(|| "unknown".to_owned(), |hop| hop.to_string())
}

impl Default for ForwardedLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl Rewrite for ForwardedLayer {
    fn rewrite<B>(&self, request: &mut Request<B>) {
        let peer = client(request.extensions());
        if self.rules.strict {
            for name in ORIGINALS {
                request.headers_mut().remove(name);
            }
        }
        let headers = request.headers_mut();
        let (outcome, left) = match self.rules.source {
            Source::XForwarded => (lists::outcome(&self.rules, peer, headers), None),
            Source::Standard => rfc7239::outcome(&self.rules, peer, headers),
        };
        self.log(&outcome);
        if outcome.is_empty() {
            return;
        }
        match self.rules.source {
            Source::XForwarded => lists::consume(headers, &outcome, self.rules.reads),
            Source::Standard => rfc7239::consume(headers, left),
        }
        apply(request, outcome, &self.rules);
    }
}

impl<S> Layer<S> for ForwardedLayer {
    type Service = Rewriting<S, Self>;

    fn layer(&self, inner: S) -> Self::Service {
        Rewriting::new(inner, self.clone())
    }
}
