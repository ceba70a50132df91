//! What is known of a place where a front listens.

use std::{fmt, io, net::SocketAddr};
#[cfg(unix)]
use std::{path::Path, sync::Arc};

#[cfg(feature = "tls")]
use crate::front::tls::Tls;
use crate::{
    Scheme,
    front::{proxy_protocol::Trusted, socket::Listening},
};

/// A place where a front listens, as a browser's address bar has it: `http://127.0.0.1:8080`.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    pub(super) local: Local,
    /// Whose PROXY headers are believed, and have to come.
    pub(in crate::front) proxies: Option<Trusted>,
    #[cfg(feature = "tls")]
    pub(in crate::front) tls: Option<Tls>,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Local {
    /// A Unix socket without a name.
    #[default]
    Unnamed,
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(Arc<Path>),
}

impl Local {
    pub(super) fn of(listening: &Listening) -> io::Result<Self> {
        Ok(match listening {
            Listening::Tcp(listener) => Self::Tcp(listener.local_addr()?),
            #[cfg(unix)]
            Listening::Unix(listener) => match listener.local_addr()?.as_pathname() {
                Some(path) => Self::Unix(path.into()),
                None => Self::Unnamed,
            },
        })
    }
}

impl Endpoint {
    /// Whether a connection begins with HTTP, and its client has an address.
    #[cfg(unix)]
    pub(in crate::front) fn is_plain(&self) -> bool {
        self.scheme() == Scheme::Http && self.proxies.is_none() && self.tcp().is_some()
    }

    /// What is spoken there.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        #[cfg(feature = "tls")]
        if self.tls.is_some() {
            return Scheme::Https;
        }
        Scheme::Http
    }

    /// Where it is: `127.0.0.1:8080`, or `unix:/run/socket`.
    pub fn address(&self) -> impl fmt::Display + '_ {
        &self.local
    }

    /// Its address, with the port that the system chose; `None` for a Unix socket.
    #[must_use]
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self.local {
            Local::Tcp(address) => Some(address),
            #[cfg(unix)]
            Local::Unix(_) => None,
            Local::Unnamed => None,
        }
    }

    /// The name of its Unix socket; `None` for one without a name, and for TCP.
    #[cfg(unix)]
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.local {
            Local::Unix(path) => Some(path),
            Local::Unnamed | Local::Tcp(_) => None,
        }
    }
}

impl fmt::Display for Local {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unnamed => f.write_str("unix:"),
            Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme(), self.local)
    }
}
