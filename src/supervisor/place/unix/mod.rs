//! Opens what a process inherits, and sees when it has taken it.

mod socket;
mod taken;

use std::{
    io,
    net::{Ipv4Addr, TcpListener},
    os::{
        fd::{AsRawFd as _, OwnedFd},
        unix::net::UnixListener,
    },
};

pub(in crate::supervisor) use self::{
    socket::{SocketPath, is_listening},
    taken::taken,
};
use super::{Offer, Place};
use crate::config::{Listener, environment::Reach};

impl Offer {
    /// Port 0, where none is `preset`, lets the system choose.
    pub(in crate::supervisor::place) fn opened(
        wanted: Listener,
        preset: Option<u16>,
    ) -> io::Result<Self> {
        match wanted {
            Listener::Port | Listener::Inherited => Self::inherited(preset.unwrap_or(0)),
            Listener::InheritedUnix => Self::inherited_socket(),
            Listener::Unix => {
                let socket = SocketPath::new()?;
                Ok(Self {
                    reach: Reach::Unix(socket.path().to_owned()),
                    place: Place::Socket(socket),
                    descriptors: Vec::new(),
                })
            }
        }
    }

    fn inherited(port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let place = Place::Inherited(address);
        Ok(Self::handing(listener.into(), place, Some(address.port())))
    }

    fn inherited_socket() -> io::Result<Self> {
        let socket = SocketPath::new()?;
        let listener = UnixListener::bind(socket.path())?;
        let place = Place::InheritedSocket(socket);
        Ok(Self::handing(listener.into(), place, None))
    }

    fn handing(listener: OwnedFd, place: Place, port: Option<u16>) -> Self {
        let descriptor = listener.as_raw_fd();
        Self {
            place,
            reach: Reach::Inherited { descriptor, port },
            descriptors: vec![listener],
        }
    }
}
