//! Files: watched, told by the system where it tells and looking now and then in any case; and the names of sockets.

#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod socket;
#[cfg(unix)]
mod unix;
mod watch;
#[cfg(windows)]
mod windows;

#[cfg(all(any(feature = "tls", feature = "users"), unix))]
pub(crate) use self::unix::is_readable_by_all;
pub(crate) use self::watch::{Interest, Look, Watcher, watch};
#[cfg(all(any(feature = "tls", feature = "users"), windows))]
pub(crate) use self::windows::is_readable_by_all;
#[cfg(windows)]
pub(crate) use self::windows::{Stamp, open};
#[cfg(unix)]
pub(crate) use self::{
    folder::{own_uid, runtime_folder},
    socket::SocketName,
    unix::{Stamp, open},
};
