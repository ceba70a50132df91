//! Where a front listens.

mod endpoint;
mod tcp;
#[cfg(unix)]
mod unix;

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
};
#[cfg(unix)]
use std::{
    os::{fd::OwnedFd, unix::net::UnixListener},
    path::PathBuf,
};

use ipnet::IpNet;

pub use self::endpoint::Endpoint;
use self::endpoint::Local;
#[cfg(feature = "tls")]
use super::tls::Tls;
use super::{proxy_protocol::Trusted, socket::Listening};
#[cfg(unix)]
use crate::files::SocketName;

/// Connections that wait for `accept`. The kernel caps it (`net.core.somaxconn`, 4096 on Linux).
const BACKLOG: i32 = 4096;

/// Who may connect to a Unix socket unless it is said: its user and its group.
#[cfg(unix)]
const MODE: u32 = 0o660;

/// A place to listen, and how clients are spoken to there: cleartext, unless it is said.
///
/// ```
/// # #[cfg(unix)] {
/// use ancm::front::{Front, Listen};
///
/// let folder = tempfile::tempdir()?;
/// let front = Front::new().listen([
///     Listen::tcp("127.0.0.1:0".parse().unwrap()),
///     Listen::unix(folder.path().join("socket")).mode(0o600),
/// ])?;
/// assert_eq!(front.local_addresses().len(), 1);
/// assert!(front.endpoints()[1].path().unwrap().ends_with("socket"));
/// # }
/// # Ok::<_, std::io::Error>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct Listen {
    at: At,
    proxies: Option<Trusted>,
    #[cfg(feature = "tls")]
    tls: Option<Tls>,
}

#[derive(Debug)]
enum At {
    Tcp(tcp::Place),
    #[cfg(unix)]
    Unix {
        path: PathBuf,
        mode: u32,
    },
    Open(Listening),
}

impl Listen {
    /// At this address; port 0 lets the system choose. `[::]` is every IPv6 address of this machine,
    /// `0.0.0.0` every IPv4 address; see [`dual_stack`](Self::dual_stack).
    pub fn tcp(address: SocketAddr) -> Self {
        Self::at(At::Tcp(tcp::Place {
            address,
            dual_stack: false,
        }))
    }

    /// At a Unix socket of this name, with the mode 0660.
    ///
    /// A socket of that name that nobody listens on any more is replaced. Anything else there is an
    /// error. The name goes with the front.
    #[cfg(unix)]
    pub fn unix(path: impl Into<PathBuf>) -> Self {
        Self::at(At::Unix {
            path: path.into(),
            mode: MODE,
        })
    }

    /// At a socket that listens already, TCP or Unix, whoever made it. All threads share it.
    ///
    /// # Errors
    ///
    /// When it is no such socket.
    #[cfg(unix)]
    pub fn inherited(socket: OwnedFd) -> io::Result<Self> {
        unix::adopt(socket).map(|listening| Self::at(At::Open(listening)))
    }

    /// At the sockets that a service manager opened for this process, each with the name that it gave it: those that
    /// `LISTEN_FDS` speaks of, as systemd's socket activation has it (sd_listen_fds(3)).
    ///
    /// None where there are none, and from the second call on. They are not passed on to child processes.
    ///
    /// # Errors
    ///
    /// When one is no socket that listens.
    #[cfg(unix)]
    pub fn handed_over() -> io::Result<Vec<(String, Self)>> {
        let sockets = unix::handed_over()?.into_iter();
        let sockets = sockets.map(|(name, listening)| (name, Self::at(At::Open(listening))));
        Ok(sockets.collect())
    }

    /// Sets whether an IPv6 address takes IPv4 clients too, as the system maps them. Whatever the
    /// system's own choice is, the default is no.
    pub fn dual_stack(mut self, dual_stack: bool) -> Self {
        if let At::Tcp(place) = &mut self.at {
            place.dual_stack = dual_stack;
        }
        self
    }

    /// Sets the mode of a Unix socket that is made here. Defaults to 0660.
    #[cfg(unix)]
    pub fn mode(mut self, permissions: u32) -> Self {
        if let At::Unix { mode, .. } = &mut self.at {
            *mode = permissions & 0o777;
        }
        self
    }

    /// Has a header of the PROXY protocol, of version 1 or 2, begin each connection from one of these
    /// networks, or through a Unix socket; TLS comes after it. Defaults to no such networks.
    ///
    /// The client that it names is the connection's [`peer`](crate::Connection::peer). A header that
    /// does not come within 5 s, or makes no sense, ends the connection; so does one from elsewhere.
    /// Others are served as the clients that they are.
    pub fn proxy_protocol(mut self, from: impl IntoIterator<Item = IpNet>) -> Self {
        self.proxies = Some(Trusted::new(from));
        self
    }

    /// Has clients speak TLS there. Defaults to cleartext.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    fn at(at: At) -> Self {
        Self {
            at,
            proxies: None,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Listens, once for each thread.
    pub(super) fn open(self, threads: NonZeroUsize) -> io::Result<Sockets> {
        let named = self.at.to_string();
        let mut sockets = self
            .at
            .open(threads)
            .map_err(|error| io::Error::new(error.kind(), CannotListen { named, error }))?;
        sockets.endpoint.proxies = self.proxies;
        #[cfg(feature = "tls")]
        {
            sockets.endpoint.tls = self.tls;
        }
        Ok(sockets)
    }
}

impl At {
    fn open(self, threads: NonZeroUsize) -> io::Result<Sockets> {
        let mut sockets = Sockets::default();
        let listeners = match self {
            Self::Tcp(place) => tcp::open(place, threads)?,
            #[cfg(unix)]
            Self::Unix { path, mode } => {
                let (listening, name) = unix::open(&path, mode)?;
                sockets.name = Some(name);
                share(listening, threads)?
            }
            Self::Open(listening) => share(listening, threads)?,
        };
        let local = listeners.first().map(Local::of).transpose()?;
        sockets.listeners = listeners;
        sockets.endpoint.local = local.unwrap_or_default();
        Ok(sockets)
    }
}

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(place) => place.address.fmt(f),
            #[cfg(unix)]
            Self::Unix { path, .. } => write!(f, "unix:{}", path.display()),
            Self::Open(listening) => match Local::of(listening) {
                Ok(local) => local.fmt(f),
                Err(_) => f.write_str("the inherited socket"),
            },
        }
    }
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Self::tcp(address)
    }
}

impl From<TcpListener> for Listen {
    fn from(listener: TcpListener) -> Self {
        Self::at(At::Open(Listening::Tcp(listener)))
    }
}

#[cfg(unix)]
impl From<UnixListener> for Listen {
    fn from(listener: UnixListener) -> Self {
        Self::at(At::Open(Listening::Unix(listener)))
    }
}

/// The sockets of one place.
#[derive(Default)]
pub(super) struct Sockets {
    pub(super) endpoint: Endpoint,
    /// One for each thread.
    pub(super) listeners: Vec<Listening>,
    #[cfg(unix)]
    pub(super) name: Option<SocketName>,
}

#[cfg(unix)]
impl Sockets {
    /// Those that listen already, one for each thread.
    pub(super) fn adopt(sockets: Vec<OwnedFd>) -> io::Result<Self> {
        let listeners: Vec<_> = sockets
            .into_iter()
            .map(unix::adopt)
            .collect::<io::Result<_>>()?;
        let mut adopted = Self::default();
        if let Some(first) = listeners.first() {
            adopted.endpoint.local = Local::of(first)?;
        }
        adopted.listeners = listeners;
        Ok(adopted)
    }
}

/// Hands the same socket to each thread.
fn share(listener: Listening, threads: NonZeroUsize) -> io::Result<Vec<Listening>> {
    listener.set_nonblocking()?;
    let mut listeners = Vec::with_capacity(threads.get());
    for _ in 1..threads.get() {
        listeners.push(listener.try_clone()?);
    }
    listeners.push(listener);
    Ok(listeners)
}

/// Where it could not be listened.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {named}")]
struct CannotListen {
    named: String,
    #[source]
    error: io::Error,
}
