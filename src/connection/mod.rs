//! What a front knows of a client's connection.

mod tls;
#[cfg(all(unix, feature = "in-process"))]
mod told;

pub use self::tls::TlsFacts;

#[cfg(feature = "host")]
use std::sync::OnceLock;
use std::{fmt, net::SocketAddr, sync::Arc};

use bytes::Bytes;
use http::Extensions;
#[cfg(feature = "host")]
use http::HeaderValue;

#[cfg(feature = "host")]
use crate::informational::Door;

/// The scheme of a client's connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[allow(clippy::exhaustive_enums, reason = "HTTP has these two")]
pub enum Scheme {
    /// Cleartext.
    #[default]
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`, as `X-Forwarded-Proto` says it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A client's connection, as its front sees it; cheap to clone.
///
/// A front that makes one service for each connection hands it to
/// `Host::for_connection`; any other puts it into the request's extensions.
///
/// ```
/// use ancm::{Connection, Scheme};
///
/// let connection = Connection::new("192.0.2.7:4711".parse().unwrap()).with_scheme(Scheme::Https);
/// assert_eq!(connection.peer().unwrap().port(), 4711);
/// assert_eq!(connection.scheme(), Scheme::Https);
/// ```
#[derive(Clone, Default)]
pub struct Connection {
    facts: Arc<Facts>,
}

#[derive(Clone, Default)]
struct Facts {
    peer: Option<SocketAddr>,
    local: Option<SocketAddr>,
    scheme: Scheme,
    certificate: Option<Bytes>,
    tls: Option<TlsFacts>,
    #[cfg(all(windows, feature = "host"))]
    windows_user: Option<Arc<std::os::windows::io::OwnedHandle>>,
    /// Takes what is said before an answer.
    #[cfg(feature = "host")]
    door: Option<Arc<dyn Door>>,
    /// What every request of this connection says of it, made once.
    #[cfg(feature = "host")]
    said: Said,
}

#[cfg(feature = "host")]
#[derive(Clone, Debug, Default)]
struct Said {
    forwarded_for: OnceLock<HeaderValue>,
    forwarded_lines: OnceLock<Bytes>,
    certificate: OnceLock<HeaderValue>,
    #[cfg(all(unix, feature = "in-process"))]
    told: OnceLock<Option<HeaderValue>>,
    #[cfg(all(unix, feature = "in-process"))]
    native: OnceLock<Arc<dyn std::any::Any + Send + Sync>>,
}

/// The user of one request, in its extensions: goes before its connection's.
#[cfg(all(windows, feature = "host"))]
#[derive(Clone, Debug)]
pub(crate) struct WindowsUser(pub(crate) Arc<std::os::windows::io::OwnedHandle>);

impl Connection {
    /// A cleartext connection from `peer`.
    #[must_use]
    pub fn new(peer: SocketAddr) -> Self {
        Self {
            facts: Arc::new(Facts {
                peer: Some(peer),
                ..Facts::default()
            }),
        }
    }

    /// A connection of which nothing is known: a Unix socket's, say.
    #[must_use]
    pub fn unknown() -> Self {
        Self::default()
    }

    /// What a request's `extensions` say of its connection: a `Connection` itself, else (with the feature
    /// `axum`) the peer that axum's `ConnectInfo<SocketAddr>` names, else nothing.
    #[must_use]
    pub fn of(extensions: &Extensions) -> Self {
        extensions
            .get()
            .cloned()
            .or_else(|| connect_info(extensions))
            .unwrap_or_default()
    }

    /// Sets the address that the client connected to. Defaults to none.
    #[must_use]
    pub fn with_local(self, local: SocketAddr) -> Self {
        self.with(|facts| facts.local = Some(local))
    }

    /// Sets the scheme. Defaults to [`Scheme::Http`].
    #[must_use]
    pub fn with_scheme(self, scheme: Scheme) -> Self {
        self.with(|facts| facts.scheme = scheme)
    }

    /// Sets the certificate, as DER, that the client proved to hold. Defaults to none.
    #[must_use]
    pub fn with_certificate(self, der: Bytes) -> Self {
        self.with(|facts| facts.certificate = Some(der))
    }

    /// Sets what the TLS handshake came to. Defaults to nothing known, which a connection by [`Scheme::Https`] may be too:
    /// one that another proxy speaks TLS for.
    #[must_use]
    pub fn with_tls(self, tls: TlsFacts) -> Self {
        self.with(|facts| facts.tls = Some(tls))
    }

    /// Sets the Windows user that the client proved to be, by the handle of its token. Defaults to none.
    ///
    /// A supervised app gets a copy of the handle with each request, unless `forwardWindowsAuthToken` is `false`.
    #[cfg(all(windows, feature = "host"))]
    #[must_use]
    pub fn with_windows_user(self, token: std::os::windows::io::OwnedHandle) -> Self {
        self.with(|facts| facts.windows_user = Some(Arc::new(token)))
    }

    /// Sets who takes what is said to the client before an answer. Defaults to nobody.
    #[cfg(any(feature = "front", all(test, feature = "host")))]
    pub(crate) fn with_door(self, door: Arc<dyn Door>) -> Self {
        self.with(|facts| facts.door = Some(door))
    }

    /// Who takes what is said to the client before an answer.
    #[cfg(feature = "host")]
    pub(crate) fn door(&self) -> Option<&Arc<dyn Door>> {
        self.facts.door.as_ref()
    }

    /// The token of the client's Windows user.
    #[cfg(all(windows, feature = "host"))]
    pub(crate) fn windows_user(&self) -> Option<&Arc<std::os::windows::io::OwnedHandle>> {
        self.facts.windows_user.as_ref()
    }

    /// The client's address, or the last proxy's before this front.
    #[must_use]
    pub fn peer(&self) -> Option<SocketAddr> {
        self.facts.peer
    }

    /// The address that the client connected to.
    #[must_use]
    pub fn local(&self) -> Option<SocketAddr> {
        self.facts.local
    }

    /// The scheme that the client speaks.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.facts.scheme
    }

    /// The client's certificate, as DER.
    #[must_use]
    pub fn certificate(&self) -> Option<&Bytes> {
        self.facts.certificate.as_ref()
    }

    /// What the TLS handshake came to, where it was this front's.
    #[must_use]
    pub fn tls(&self) -> Option<&TlsFacts> {
        self.facts.tls.as_ref()
    }

    /// The peer as `X-Forwarded-For` names it: always with its port, IPv6 in brackets.
    ///
    /// An IPv4 client of a listener for both families is named by its IPv4 address.
    #[cfg(feature = "host")]
    pub(crate) fn forwarded_for(&self) -> Option<&HeaderValue> {
        let peer = self.facts.peer?;
        let value = self
            .facts
            .said
            .forwarded_for
            .get_or_init(|| header_value(canonical(peer).to_string()));
        Some(value)
    }

    /// `X-Forwarded-For` and `-Proto` as lines of HTTP/1, where the peer is known: most requests are told nothing else of it.
    #[cfg(feature = "host")]
    pub(crate) fn forwarded_lines(&self) -> Option<&Bytes> {
        use crate::headers::{X_FORWARDED_FOR, X_FORWARDED_PROTO, write_line};

        let peer = self.forwarded_for()?;
        let lines = self.facts.said.forwarded_lines.get_or_init(|| {
            let scheme = HeaderValue::from_static(self.scheme().as_str());
            let mut lines = Vec::with_capacity(96);
            write_line(&X_FORWARDED_FOR, peer, &mut lines);
            write_line(&X_FORWARDED_PROTO, &scheme, &mut lines);
            lines.into()
        });
        Some(lines)
    }

    /// The certificate as `MS-ASPNETCORE-CLIENTCERT` holds it: base64 of its DER in one line.
    #[cfg(feature = "host")]
    pub(crate) fn certificate_value(&self) -> Option<&HeaderValue> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        let der = self.facts.certificate.as_ref()?;
        let value = &self.facts.said.certificate;
        Some(value.get_or_init(|| header_value(STANDARD.encode(der))))
    }

    /// The same, but an IPv4 client of a listener for both families has its IPv4 address.
    #[cfg(feature = "host")]
    pub(crate) fn canonical(self) -> Self {
        match self.facts.peer {
            Some(peer) if peer.ip() != peer.ip().to_canonical() => {
                self.with(|facts| facts.peer = Some(canonical(peer)))
            }
            Some(_) | None => self,
        }
    }

    /// What an app in this process is told of this connection: made by `make` the first time.
    #[cfg(all(unix, feature = "in-process"))]
    pub(crate) fn once<T: Send + Sync + 'static>(&self, make: impl Fn() -> T) -> Arc<T> {
        let made = self.facts.said.native.get_or_init(|| Arc::new(make()));
        // Somebody else's: only this crate asks, and for one type.
        Arc::downcast(made.clone()).unwrap_or_else(|_| Arc::new(make()))
    }

    /// The same facts, without what was made of them.
    #[cfg(all(unix, feature = "in-process"))]
    pub(crate) fn bare(&self) -> Self {
        let mut facts = Facts::clone(&self.facts);
        facts.said = Said::default();
        Self {
            facts: Arc::new(facts),
        }
    }

    fn with(mut self, change: impl FnOnce(&mut Facts)) -> Self {
        let facts = Arc::make_mut(&mut self.facts);
        change(facts);
        #[cfg(feature = "host")]
        {
            facts.said = Said::default();
        }
        self
    }
}

#[cfg(feature = "host")]
fn canonical(peer: SocketAddr) -> SocketAddr {
    SocketAddr::new(peer.ip().to_canonical(), peer.port())
}

#[cfg(feature = "host")]
fn header_value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text)).expect("addresses and base64 are plain ASCII")
}

#[cfg(feature = "axum")]
fn connect_info(extensions: &Extensions) -> Option<Connection> {
    let axum::extract::ConnectInfo::<SocketAddr>(peer) = extensions.get()?;
    Some(Connection::new(*peer))
}

#[cfg(not(feature = "axum"))]
fn connect_info(_: &Extensions) -> Option<Connection> {
    None
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("peer", &self.facts.peer)
            .field("local", &self.facts.local)
            .field("scheme", &self.facts.scheme)
            .field(
                "certificate",
                &self.facts.certificate.as_ref().map(Bytes::len),
            )
            .field("tls", &self.facts.tls)
            .finish()
    }
}
