//! Who would receive a connection.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use super::listening;

/// A socket that listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
    /// For `[::]`: takes no IPv4 connection. `false` where that is not known.
    pub(crate) only_v6: bool,
    /// On Linux the socket's inode, on Windows the number of the process that owns it.
    pub(crate) owner: u64,
}

/// The sockets one of which would receive a connection to `address`, which is one of this machine.
pub(crate) fn receivers(address: SocketAddr) -> io::Result<Vec<Socket>> {
    let sockets = listening(address.port())?;
    Ok(most_specific(&sockets, address.ip()))
}

/// Of `sockets`, all on one port, those that the system would choose from for a connection to `address`: who is bound
/// to the address goes before who is bound to all. Several, with `SO_REUSEPORT`, share the connections.
fn most_specific(sockets: &[Socket], address: IpAddr) -> Vec<Socket> {
    let bound_to = |address: IpAddr| {
        let canonical = move |socket: &Socket| socket.address.to_canonical() == address;
        sockets.iter().copied().filter(canonical)
    };
    let exact: Vec<_> = bound_to(address).collect();
    if !exact.is_empty() {
        return exact;
    }
    let all = bound_to(Ipv6Addr::UNSPECIFIED.into());
    if address.is_ipv6() {
        return all.collect();
    }
    let dual = all.filter(|socket| !socket.only_v6);
    bound_to(Ipv4Addr::UNSPECIFIED.into()).chain(dual).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn socket(address: &str, owner: u64) -> Socket {
        Socket {
            address: address.parse().unwrap(),
            port: 80,
            only_v6: false,
            owner,
        }
    }

    #[test]
    fn who_is_bound_to_the_address_goes_first() {
        let only_v6 = Socket {
            only_v6: true,
            ..socket("::", 9)
        };
        let cases: &[(&[Socket], &[u64])] = &[
            (&[], &[]),
            (&[socket("127.0.0.1", 1)], &[1]),
            (&[socket("0.0.0.0", 1), socket("127.0.0.1", 2)], &[2]),
            (&[socket("127.0.0.1", 1), socket("::", 2)], &[1]),
            (&[socket("::ffff:127.0.0.1", 1), socket("0.0.0.0", 2)], &[1]),
            (&[socket("127.0.0.1", 1), socket("127.0.0.1", 2)], &[1, 2]),
            (&[socket("0.0.0.0", 1), socket("::", 2)], &[1, 2]),
            (&[socket("::ffff:0.0.0.0", 1)], &[1]),
            (&[only_v6], &[]),
            (
                &[
                    socket("::1", 1),
                    socket("10.0.0.1", 2),
                    socket("127.0.0.2", 3),
                ],
                &[],
            ),
        ];
        for (sockets, want) in cases {
            let got = owners(sockets, Ipv4Addr::LOCALHOST.into());
            assert_eq!(got, *want, "{sockets:?}");
        }
    }

    #[test]
    fn a_connection_by_ipv6_is_another_one() {
        let only_v6 = Socket {
            only_v6: true,
            ..socket("::", 9)
        };
        let cases: &[(&[Socket], &[u64])] = &[
            (&[socket("127.0.0.1", 1), socket("0.0.0.0", 2)], &[]),
            (&[socket("::1", 1), socket("127.0.0.1", 2)], &[1]),
            (&[only_v6, socket("::1", 1)], &[1]),
            (&[only_v6, socket("0.0.0.0", 1)], &[9]),
            (&[socket("::", 1)], &[1]),
            (&[socket("::ffff:127.0.0.1", 1)], &[]),
        ];
        for (sockets, want) in cases {
            let got = owners(sockets, Ipv6Addr::LOCALHOST.into());
            assert_eq!(got, *want, "{sockets:?}");
        }
    }

    fn owners(sockets: &[Socket], address: IpAddr) -> Vec<u64> {
        let receivers = most_specific(sockets, address);
        receivers.iter().map(|socket| socket.owner).collect()
    }
}
