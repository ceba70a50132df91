//! Watching files: told by the system where it tells, and looking now and then in any case.

#[cfg(unix)]
mod folder;
#[cfg(unix)]
mod unix;
mod watch;
#[cfg(windows)]
mod windows;

pub(crate) use self::watch::{Interest, Look, Watcher, watch};
#[cfg(windows)]
pub(crate) use self::windows::{Stamp, is_readable_by_all, open};
#[cfg(unix)]
pub(crate) use self::{
    folder::{own_uid, runtime_folder},
    unix::{Stamp, is_readable_by_all, open},
};
