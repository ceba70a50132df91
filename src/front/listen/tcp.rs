//! TCP: one listening socket per thread where the kernel balances, a shared one elsewhere.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
};

use socket2::{Domain, Protocol, Socket, Type};

use super::{BACKLOG, Listening, share};

/// An address, and which families of clients reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) address: SocketAddr,
    /// Whether an IPv6 socket takes IPv4 clients too.
    pub(super) dual_stack: bool,
}

/// Listens there, once for each thread.
pub(super) fn open(place: Place, threads: NonZeroUsize) -> io::Result<Vec<Listening>> {
    if BALANCED && threads.get() > 1 {
        return open_each(place, threads);
    }
    share(Listening::Tcp(open_one(place, false)?), threads)
}

/// Whether the kernel spreads connections over sockets that share a port. Others that know
/// `SO_REUSEPORT` (macOS) give all of them to the last.
const BALANCED: bool = cfg!(target_os = "linux");

fn open_each(place: Place, threads: NonZeroUsize) -> io::Result<Vec<Listening>> {
    if place.address.port() != 0 {
        // With SO_REUSEPORT a second server of the same user would silently take half of the
        // connections. Without it this fails while anybody listens there.
        drop(open_one(place, false)?);
    }
    let first = open_one(place, true)?;
    let address = first.local_addr()?;
    let mut listeners = vec![Listening::Tcp(first)];
    for _ in 1..threads.get() {
        let next = open_one(Place { address, ..place }, true)?;
        listeners.push(Listening::Tcp(next));
    }
    Ok(listeners)
}

fn open_one(place: Place, reuse_port: bool) -> io::Result<TcpListener> {
    let Place {
        address,
        dual_stack,
    } = place;
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // Said in any case: what a system does by itself differs. Only so can `[::]` and `0.0.0.0`
        // both be listened on, and mean what they say.
        socket.set_only_v6(!dual_stack)?;
    }
    // On Windows the option means something else: it lets two servers share the port.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    #[cfg(target_os = "linux")]
    socket.set_reuse_port(reuse_port)?;
    #[cfg(not(target_os = "linux"))]
    let _ = reuse_port;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}
