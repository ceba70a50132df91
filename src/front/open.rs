//! What comes before HTTP: a proxy's word for whom it speaks, then TLS.

use std::net::{IpAddr, SocketAddr};

use super::{
    listen::Endpoint,
    preface::Version,
    proxy_protocol::{self, Header, Refused},
    pulse::Pulse,
    socket::{Peer, Socket},
    stream::Stream,
};
use crate::{Connection, error::BoxError};

/// A connection on which HTTP can be spoken.
pub(super) struct Opened {
    pub(super) stream: Stream,
    pub(super) facts: Connection,
    /// Which HTTP it is, if that was agreed on.
    pub(super) agreed: Option<Version>,
}

/// Does everything that comes before HTTP. `None` where somebody only looked whether we listen.
pub(super) async fn open(
    mut socket: Socket,
    peer: Peer,
    endpoint: &Endpoint,
    pulse: &Pulse,
) -> Result<Option<Opened>, BoxError> {
    let facts = match &endpoint.proxies {
        Some(proxies) if proxies.trusts(peer) => {
            // Boxed, as below: it is over soon, and most connections have none.
            match Box::pin(proxy_protocol::receive(&mut socket, pulse)).await {
                Ok(header) => told(header, &socket, peer),
                Err(Refused::Nothing) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
        }
        Some(_) | None => seen(&socket, peer),
    };
    let facts = facts.with_scheme(endpoint.scheme());
    #[cfg(feature = "tls")]
    if let Some(tls) = &endpoint.tls {
        // Boxed: what a handshake needs is not to be part of every connection for all its time.
        let shaken = Box::pin(tls.shake(socket, pulse)).await?;
        let facts = match shaken.certificate {
            Some(certificate) => facts.with_certificate(certificate),
            None => facts,
        };
        return Ok(Some(Opened {
            stream: Stream::Tls(shaken.stream),
            facts: match shaken.facts {
                Some(tls) => facts.with_tls(tls),
                None => facts,
            },
            agreed: shaken.version,
        }));
    }
    Ok(Some(Opened {
        stream: Stream::Plain(socket),
        facts,
        agreed: None,
    }))
}

/// What the socket knows.
fn seen(socket: &Socket, peer: Peer) -> Connection {
    let peer = peer.0.map(plain);
    let facts = peer.map_or_else(Connection::unknown, Connection::new);
    match socket.local() {
        Some(local) => facts.with_local(plain(local)),
        None => facts,
    }
}

/// A socket for both families knows IPv4 addresses as IPv6 ones.
fn plain(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        ip @ IpAddr::V4(_) => SocketAddr::new(ip, address.port()),
        IpAddr::V6(_) => address,
    }
}

/// What the proxy says.
fn told(header: Header, socket: &Socket, peer: Peer) -> Connection {
    match header {
        Header::Own => seen(socket, peer),
        Header::For {
            source,
            destination,
        } => Connection::new(source).with_local(destination),
    }
}
