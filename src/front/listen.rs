//! One listening socket per thread: of their own where the kernel balances, shared elsewhere.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    num::NonZeroUsize,
};

use socket2::{Domain, Protocol, Socket, Type};

/// Connections that wait for `accept`. The kernel caps it (`net.core.somaxconn`, 4096 on Linux).
const BACKLOG: i32 = 4096;

/// The sockets of one address, one for each thread.
pub(super) struct Sockets {
    pub(super) local: SocketAddr,
    pub(super) listeners: Vec<TcpListener>,
}

/// Listens on `address`, once for each thread.
pub(super) fn open(address: SocketAddr, threads: NonZeroUsize) -> io::Result<Sockets> {
    if BALANCED && threads.get() > 1 {
        return open_each(address, threads);
    }
    share(open_one(address, false)?, threads)
}

/// Hands the same socket to each thread.
pub(super) fn share(listener: TcpListener, threads: NonZeroUsize) -> io::Result<Sockets> {
    listener.set_nonblocking(true)?;
    let local = listener.local_addr()?;
    let mut listeners = vec![listener];
    while let (Some(first), true) = (listeners.first(), listeners.len() < threads.get()) {
        let copy = first.try_clone()?;
        listeners.push(copy);
    }
    Ok(Sockets { local, listeners })
}

/// Whether the kernel spreads connections over sockets that share a port. Others that know
/// `SO_REUSEPORT` (macOS) give all of them to the last.
const BALANCED: bool = cfg!(target_os = "linux");

fn open_each(address: SocketAddr, threads: NonZeroUsize) -> io::Result<Sockets> {
    if address.port() != 0 {
        // With SO_REUSEPORT a second server of the same user would silently take half of the
        // connections. Without it this fails while anybody listens there.
        drop(open_one(address, false)?);
    }
    let first = open_one(address, true)?;
    let local = first.local_addr()?;
    let mut listeners = vec![first];
    for _ in 1..threads.get() {
        listeners.push(open_one(local, true)?);
    }
    Ok(Sockets { local, listeners })
}

fn open_one(address: SocketAddr, reuse_port: bool) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    if address.is_ipv6() {
        // So that `[::]` and `0.0.0.0` can both be listened on, and mean what they say.
        socket.set_only_v6(true)?;
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
