//! Where a front listens.

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
    path::{Path, PathBuf},
    sync::Arc,
};

use super::socket::Listening;
use crate::Scheme;

#[cfg(unix)]
pub(super) use self::unix::Name;

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

    fn at(at: At) -> Self {
        Self { at }
    }

    /// Listens, once for each thread.
    pub(super) fn open(self, threads: NonZeroUsize) -> io::Result<Sockets> {
        let named = self.at.to_string();
        self.at
            .open(threads)
            .map_err(|error| io::Error::new(error.kind(), CannotListen { named, error }))
    }
}

impl At {
    fn open(self, threads: NonZeroUsize) -> io::Result<Sockets> {
        let mut sockets = Sockets::default();
        sockets.listeners = match self {
            Self::Tcp(place) => tcp::open(place, threads)?,
            #[cfg(unix)]
            Self::Unix { path, mode } => {
                let (listening, name) = unix::open(&path, mode)?;
                sockets.name = Some(name);
                share(listening, threads)?
            }
            Self::Open(listening) => share(listening, threads)?,
        };
        let first = sockets.listeners.first();
        let local = first.map(Local::of).transpose()?;
        sockets.endpoint = Endpoint {
            local: local.unwrap_or_default(),
        };
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
    pub(super) name: Option<Name>,
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

/// A place where a front listens, as a browser's address bar has it: `http://127.0.0.1:8080`.
#[derive(Clone, Debug, Default)]
pub struct Endpoint {
    local: Local,
}

#[derive(Clone, Debug, Default)]
enum Local {
    /// A Unix socket without a name.
    #[default]
    Unnamed,
    Tcp(SocketAddr),
    #[cfg(unix)]
    Unix(Arc<Path>),
}

impl Local {
    fn of(listening: &Listening) -> io::Result<Self> {
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
    /// What is spoken there.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        Scheme::Http
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

/// Where it could not be listened.
#[derive(Debug, thiserror::Error)]
#[error("can't listen on {named}")]
struct CannotListen {
    named: String,
    #[source]
    error: io::Error,
}
