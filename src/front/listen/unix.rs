//! Unix sockets to listen on, and sockets that were handed over.

use std::{
    fs, io,
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _},
            net::{UnixListener, UnixStream},
        },
    },
    path::{Path, PathBuf},
};

use rustix::fs::Mode;
use socket2::{Domain, SockAddr, Socket, Type};

use super::{BACKLOG, Listening};

/// The name of a socket that was made here: removed in the end, if it still is that one.
#[derive(Debug)]
pub(in crate::front) struct Name {
    path: PathBuf,
    /// Device and inode.
    identity: (u64, u64),
}

impl Drop for Name {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Listens at `path`. A socket that nobody listens on any more is replaced, and nothing else is.
pub(super) fn open(path: &Path, mode: u32) -> io::Result<(Listening, Name)> {
    let listener = match bind(path, mode) {
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            remove_stale(path)?;
            bind(path, mode)?
        }
        bound => bound?,
    };
    let name = Name {
        path: path.to_owned(),
        identity: identity(path)?,
    };
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

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let metadata = fs::symlink_metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

/// Removes a socket that was left behind by a program that was killed.
fn remove_stale(path: &Path) -> io::Result<()> {
    let is_socket = fs::symlink_metadata(path)?.file_type().is_socket();
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    if is_socket && UnixStream::connect(path).is_err_and(refused) {
        return fs::remove_file(path);
    }
    let what = if is_socket {
        "somebody listens there"
    } else {
        "something that is no socket is there"
    };
    Err(io::Error::new(io::ErrorKind::AddrInUse, what))
}

/// A socket that somebody else made, if it is one to listen on.
pub(super) fn adopt(fd: OwnedFd) -> io::Result<Listening> {
    let invalid = |what| Err(io::Error::new(io::ErrorKind::InvalidInput, what));
    let socket = Socket::from(fd);
    if socket.r#type()? != Type::STREAM || !listens(&socket)? {
        return invalid("it is no socket that listens for connections");
    }
    let address = socket.local_addr()?;
    if address.is_unix() {
        return Ok(Listening::Unix(UnixListener::from(socket)));
    }
    match address.as_socket() {
        Some(_) => Ok(Listening::Tcp(socket.into())),
        None => invalid("it is neither a TCP nor a Unix socket"),
    }
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
