//! What the app finds in a request.

use std::net::SocketAddr;

use http::{Extensions, uri::Authority};

use crate::{Connection, PathBase, Scheme};

/// What is known of the client beyond the proxies in front.
///
/// In a request's extensions where a [`ForwardedLayer`](super::ForwardedLayer) believed something;
/// [`of`](Self::of) says what is known in any case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Forwarded {
    pub(super) client: Option<SocketAddr>,
    pub(super) peer: Option<SocketAddr>,
    pub(super) scheme: Scheme,
    pub(super) original_scheme: Scheme,
    pub(super) host: Option<Authority>,
    pub(super) prefix: Option<PathBase>,
}

impl Forwarded {
    /// What a request with these extensions says; without proxies, what its connection says.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions
            .get()
            .cloned()
            .unwrap_or_else(|| Self::direct(extensions))
    }

    /// Of a request that no proxy forwarded.
    fn direct(extensions: &Extensions) -> Self {
        let peer = peer(extensions);
        let scheme = connection_scheme(extensions);
        Self {
            client: peer,
            peer,
            scheme,
            original_scheme: scheme,
            ..Self::default()
        }
    }

    /// The client's address; its port is 0 where nobody said it. `None` for a Unix socket without a proxy.
    #[must_use]
    pub fn client_address(&self) -> Option<SocketAddr> {
        self.client
    }

    /// The address at the other end of the connection: the last proxy's, if there is one.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    /// The scheme that the client speaks.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The scheme of the connection: the last proxy's, if there is one.
    #[must_use]
    pub fn original_scheme(&self) -> Scheme {
        self.original_scheme
    }

    /// The host that the client asked for, where a proxy said so; the `Host` header is the same then.
    #[must_use]
    pub fn host(&self) -> Option<&Authority> {
        self.host.as_ref()
    }

    /// What a proxy took off the path.
    #[must_use]
    pub fn prefix(&self) -> Option<&PathBase> {
        self.prefix.as_ref()
    }
}

/// The address that is taken for the client's so far: another layer may have looked further than the connection.
pub(super) fn client(extensions: &Extensions) -> Option<SocketAddr> {
    let forwarded: Option<&Forwarded> = extensions.get();
    forwarded.map_or_else(|| peer(extensions), |forwarded| forwarded.client)
}

/// The address at the other end of a request's connection, as its front put it there.
fn peer(extensions: &Extensions) -> Option<SocketAddr> {
    let connection = extensions.get::<Connection>();
    connection
        .and_then(Connection::peer)
        .or_else(|| connect_info(extensions))
}

/// The scheme of a request's connection.
///
/// What the request line says is the client's claim (RFC 9110, 4.3.3), so it does not count here.
fn connection_scheme(extensions: &Extensions) -> Scheme {
    extensions
        .get()
        .map_or(Scheme::default(), Connection::scheme)
}

#[cfg(feature = "axum")]
fn connect_info(extensions: &Extensions) -> Option<SocketAddr> {
    let info = extensions.get::<axum::extract::ConnectInfo<SocketAddr>>();
    info.map(|info| info.0)
}

#[cfg(not(feature = "axum"))]
fn connect_info(_: &Extensions) -> Option<SocketAddr> {
    None
}
