//! What is known of a client's connection, as the managed side sees it: made once for each connection.

use std::{
    net::{IpAddr, SocketAddr},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::abi::{ConnectionFacts, Endpoint, Slice};
use crate::{Connection, TlsFacts};

static LAST: AtomicU64 = AtomicU64::new(0);

/// The facts of a connection and what their slices lead into.
pub(super) struct Facts {
    raw: ConnectionFacts,
    /// The facts point into its certificate and the name that it asked for.
    _connection: Connection,
}

// SAFETY: the pointers lead into immutable bytes that `_connection` owns, wherever they are read.
unsafe impl Send for Facts {}
// SAFETY: as above: nothing of it is ever written.
unsafe impl Sync for Facts {}

impl Facts {
    /// Those of `connection`.
    pub(super) fn of(connection: &Connection) -> Arc<Self> {
        connection.once(|| Self::new(connection))
    }

    fn new(connection: &Connection) -> Self {
        // Facts that are kept by the connection must not keep it in turn.
        let connection = connection.bare();
        let certificate = connection
            .certificate()
            .map_or(Slice::EMPTY, |der| Slice::of(der));
        let tls = connection.tls();
        let name = tls.and_then(TlsFacts::server_name).unwrap_or_default();
        Self {
            raw: ConnectionFacts {
                id: LAST.fetch_add(1, Ordering::Relaxed) + 1,
                peer: Endpoint::of(connection.peer()),
                local: Endpoint::of(connection.local()),
                certificate,
                tls_version: tls.map_or(0, |tls| tls.version().into()),
                tls_cipher_suite: tls.map_or(0, |tls| tls.cipher_suite().into()),
                server_name: Slice::of(name.as_bytes()),
            },
            _connection: connection,
        }
    }

    pub(super) const fn raw(&self) -> *const ConnectionFacts {
        ptr::from_ref(&self.raw)
    }
}

impl Endpoint {
    /// An IPv4 client of a listener for both families is told as IPv4.
    fn of(address: Option<SocketAddr>) -> Self {
        let mut bytes = [0; 16];
        let len = match address.map(|address| address.ip().to_canonical()) {
            None => 0,
            Some(IpAddr::V4(v4)) => fill(&mut bytes, &v4.octets()),
            Some(IpAddr::V6(v6)) => fill(&mut bytes, &v6.octets()),
        };
        Self {
            address: bytes,
            len,
            port: address.map_or(0, |address| u32::from(address.port())),
        }
    }
}

fn fill(bytes: &mut [u8; 16], address: &[u8]) -> u32 {
    for (to, from) in bytes.iter_mut().zip(address) {
        *to = *from;
    }
    address.len() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_made_once_for_a_connection() {
        let connection = Connection::new("192.0.2.7:4711".parse().unwrap());
        let (one, same) = (Facts::of(&connection), Facts::of(&connection.clone()));
        assert_eq!(one.raw(), same.raw());
        let other = Facts::of(&Connection::new("192.0.2.7:4712".parse().unwrap()));
        assert_ne!(one.raw.id, other.raw.id);
        assert_eq!((one.raw.peer.len, one.raw.peer.port), (4, 4711));
        assert_eq!(&one.raw.peer.address[..4], [192, 0, 2, 7]);
        assert_eq!((one.raw.local.len, one.raw.local.port), (0, 0));
    }

    #[test]
    fn an_address_is_told_in_its_own_family() {
        let mapped = Endpoint::of(Some("[::ffff:192.0.2.7]:1".parse().unwrap()));
        assert_eq!((mapped.len, &mapped.address[..4]), (4, &[192, 0, 2, 7][..]));
        assert_eq!(
            Endpoint::of(Some("[2001:db8::1]:1".parse().unwrap())).len,
            16
        );
    }
}
