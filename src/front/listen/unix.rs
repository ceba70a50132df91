//! Unix sockets to listen on, and sockets that were handed over.

use std::{
    fs, io,
    os::{
        fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd},
        unix::{fs::PermissionsExt as _, net::UnixListener},
    },
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::{BACKLOG, Listening};
use crate::files::SocketName;

/// Listens at `path`. A socket that nobody listens on any more is replaced, and nothing else is.
pub(super) fn open(path: &Path, mode: u32) -> io::Result<(Listening, SocketName)> {
    let (listener, name) = SocketName::take(path, |path| bind(path, mode))?;
    // Nobody is refused meanwhile: whoever connects waits until somebody listens.
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    listener.listen(BACKLOG)?;
    Ok((Listening::Unix(listener.into()), name))
}

/// Where the system lets the mode be set before there is a name, as Linux does, nobody whom it keeps
/// out can come at any time.
fn bind(path: &Path, mode: u32) -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    let _ = rustix::fs::fchmod(&socket, Mode::from_raw_mode(mode as _));
    socket.bind(&SockAddr::unix(path)?)?;
    Ok(socket)
}

/// A socket that somebody else made, if it is one to listen on.
pub(super) fn adopt(fd: OwnedFd) -> io::Result<Listening> {
    let socket = Socket::from(fd);
    listening(&socket)?;
    Ok(if socket.local_addr()?.is_unix() {
        Listening::Unix(UnixListener::from(socket))
    } else {
        Listening::Tcp(socket.into())
    })
}

/// Fails where it is nothing that connections can be taken from.
fn listening(socket: &Socket) -> io::Result<()> {
    let invalid = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    if socket.r#type()? != Type::STREAM || !listens(socket)? {
        return invalid("it is no socket that listens for connections");
    }
    let address = socket.local_addr()?;
    if address.is_unix() || address.as_socket().is_some() {
        return Ok(());
    }
    invalid("it is neither a TCP nor a Unix socket")
}

#[cfg(not(target_vendor = "apple"))]
fn listens(socket: &Socket) -> io::Result<bool> {
    socket.is_listener()
}

/// There it can't be asked; one that does not listen fails with its first `accept`.
#[cfg(target_vendor = "apple")]
fn listens(_: &Socket) -> io::Result<bool> {
    Ok(true)
}

/// The first socket that a service manager hands over.
const FIRST: RawFd = 3;

/// Takes the sockets over that `LISTEN_FDS` speaks of (sd_listen_fds(3)), if it speaks to us; with their
/// names. Once: nobody has them twice.
pub(super) fn handed_over() -> io::Result<Vec<(String, Listening)>> {
    static TAKEN: AtomicBool = AtomicBool::new(false);
    let var = |name| std::env::var(name).unwrap_or_default();
    let names = var("LISTEN_FDNAMES");
    let count = count(&var("LISTEN_PID"), &var("LISTEN_FDS"), std::process::id());
    if count == 0 || TAKEN.swap(true, Ordering::Relaxed) {
        return Ok(Vec::new());
    }
    let mut names = names.split(':');
    (FIRST..FIRST.saturating_add(count))
        .map(|fd| {
            let name = names.next().filter(|name| !name.is_empty());
            Ok((name.unwrap_or("unknown").to_owned(), take(fd)?))
        })
        .collect()
}

/// How many sockets there are for the process `me`.
fn count(pid: &str, count: &str, me: u32) -> RawFd {
    match (pid.parse::<u32>(), count.parse::<u16>()) {
        (Ok(pid), Ok(count)) if pid == me => count.into(),
        _ => 0,
    }
}

#[allow(
    unsafe_code,
    reason = "a number out of the environment becomes a socket"
)]
fn take(fd: RawFd) -> io::Result<Listening> {
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("the descriptor {fd}: {error}"));
    // SAFETY: borrowed for the next lines only, in which nothing closes it; a number that is not open
    // makes them fail.
    let socket = unsafe { BorrowedFd::borrow_raw(fd) };
    // None of the app's processes is to have it.
    rustix::io::fcntl_setfd(socket, rustix::io::FdFlags::CLOEXEC)
        .map_err(|error| named(error.into()))?;
    listening(&SockRef::from(&socket)).map_err(named)?;
    // SAFETY: the service manager opened it for this process and says so. It is a socket that listens,
    // which nothing here makes before this, and it is taken once.
    adopt(unsafe { OwnedFd::from_raw_fd(fd) }).map_err(named)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_of_others_are_not_ours() {
        for (pid, sockets, want) in [
            ("7", "2", 2),
            ("8", "2", 0),
            ("", "2", 0),
            ("7", "", 0),
            ("7", "-1", 0),
            ("7", "99999999", 0),
        ] {
            assert_eq!(count(pid, sockets, 7), want, "{pid} {sockets}");
        }
    }
}
