//! Where a process takes its connections: on a port that it opens, or at what we opened or set aside for it.
//!
//! A socket that the process inherits, and one in a folder of this user's own, can be nobody else's: there is no moment
//! in which a stranger could take the place first, and nobody has to be asked whose it is.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
use std::{net::SocketAddr, os::fd::OwnedFd};

#[cfg(unix)]
pub(super) use self::unix::{SocketPath, is_listening, taken};
#[cfg(all(unix, feature = "in-process"))]
use super::worker::Channel;
use super::{launch::Unprepared, port};
use crate::{
    config::{Listener, environment::Reach},
    error::chain,
};

/// Where a process takes its connections. What belongs to it goes with it.
#[derive(Debug)]
pub(super) enum Place {
    /// A port of the loopback, which the process opens.
    Port(u16),
    /// Nowhere: the app is in this process.
    Here,
    /// A listener of the loopback, which the process inherited.
    #[cfg(unix)]
    Inherited(SocketAddr),
    /// A Unix socket, which the process inherited.
    #[cfg(unix)]
    InheritedSocket(SocketPath),
    /// A Unix socket, which the process opens.
    #[cfg(unix)]
    Socket(SocketPath),
    /// A Unix socket, which a worker inherited, and the way to talk to the worker.
    #[cfg(all(unix, feature = "in-process"))]
    Worker {
        socket: SocketPath,
        channel: Channel,
        /// It takes connections of the front's sockets by itself.
        direct: bool,
    },
}

/// A place for a process that is about to be started, and what the process has to be given.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) place: Place,
    pub(super) reach: Reach,
    #[cfg(unix)]
    pub(super) descriptors: Vec<OwnedFd>,
}

impl Offer {
    /// A place of the kind that is `wanted`, on the port that is `preset`.
    pub(super) fn of(wanted: Listener, preset: Option<u16>) -> Result<Self, Unprepared> {
        match (wanted, preset) {
            (Listener::Port, Some(port)) => Ok(Self::port(port)),
            (Listener::Port, None) => {
                let port = port::choose(port::RANGE).map_err(|error| Unprepared {
                    reason: chain(&error),
                    critical: false,
                })?;
                Ok(Self::port(port))
            }
            (Listener::InheritedUnix | Listener::Unix, Some(_)) => Err(Unprepared {
                reason: format!(
                    "ASPNETCORE_PORT is set, but listener is {}, which has no port",
                    wanted.as_str()
                ),
                critical: true,
            }),
            (Listener::Inherited | Listener::InheritedUnix | Listener::Unix, _) => {
                Self::opened(wanted, preset).map_err(|error| Unprepared {
                    reason: format!("no listener for the process: {}", chain(&error)),
                    critical: false,
                })
            }
        }
    }

    fn port(port: u16) -> Self {
        Self {
            place: Place::Port(port),
            reach: Reach::Port(port),
            #[cfg(unix)]
            descriptors: Vec::new(),
        }
    }

    /// The configuration does not let it come to this.
    #[cfg(not(unix))]
    fn opened(_: Listener, _: Option<u16>) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

impl Place {
    /// The port, where it has one.
    pub(super) const fn port(&self) -> Option<u16> {
        match self {
            Self::Port(port) => Some(*port),
            Self::Here => None,
            #[cfg(unix)]
            Self::Inherited(address) => Some(address.port()),
            #[cfg(unix)]
            Self::InheritedSocket(_) | Self::Socket(_) => None,
            #[cfg(all(unix, feature = "in-process"))]
            Self::Worker { .. } => None,
        }
    }

    /// Whether it is a worker's, which hosts the app in process.
    pub(super) const fn is_worker(&self) -> bool {
        match self {
            Self::Port(_) | Self::Here => false,
            #[cfg(unix)]
            Self::Inherited(_) | Self::InheritedSocket(_) | Self::Socket(_) => false,
            #[cfg(all(unix, feature = "in-process"))]
            Self::Worker { .. } => true,
        }
    }

    /// Whether the process takes connections of the front's sockets by itself.
    #[cfg(all(unix, feature = "in-process"))]
    pub(super) const fn is_direct(&self) -> bool {
        matches!(self, Self::Worker { direct: true, .. })
    }

    /// Whether the app is hosted in process: by a worker, or by this one.
    pub(super) const fn is_in_process(&self) -> bool {
        self.is_worker() || matches!(self, Self::Here)
    }

    /// The way to talk to it, where it is a worker.
    #[cfg(all(unix, feature = "in-process"))]
    pub(super) const fn channel(&self) -> Option<&Channel> {
        match self {
            Self::Worker { channel, .. } => Some(channel),
            Self::Port(_)
            | Self::Here
            | Self::Inherited(_)
            | Self::InheritedSocket(_)
            | Self::Socket(_) => None,
        }
    }

    /// What the process has not done, and what it has to know for that.
    pub(super) const fn left_undone(&self) -> (&'static str, &'static str) {
        match self {
            Self::Here => ("finish its start", "see startupTimeLimit"),
            Self::Port(_) => (
                "listen on its port",
                "it must use the port of ASPNETCORE_PORT",
            ),
            #[cfg(unix)]
            Self::Inherited(_) | Self::InheritedSocket(_) => (
                "answer on the listener that it inherited",
                "it must use the file descriptor of ANCM_LISTEN_FD",
            ),
            #[cfg(all(unix, feature = "in-process"))]
            Self::Worker { .. } => (
                "start its server",
                "it may be that nothing hosts it here, but a server of its own",
            ),
            #[cfg(unix)]
            Self::Socket(_) => (
                "listen at its Unix socket",
                "it must use the address of ASPNETCORE_URLS",
            ),
        }
    }
}
