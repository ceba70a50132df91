//! Opens a connection to an app.

use std::{io, time::Duration};

use tokio::{sync::Semaphore, task::spawn_blocking, time::timeout};

use super::{backend::Backend, io::Io, pool::Pool};
use crate::error::{Error, chain};

/// How many may ask at once whose a listener is: each has files open for it, besides its connection.
static LOOKS: Semaphore = Semaphore::const_new(AT_ONCE);
const AT_ONCE: usize = 16;

/// Files that are open for one such look.
const FILES: usize = 4;

/// A new connection, whose listener is known to be the app's own.
pub(super) async fn dial(backend: &Backend, limit: Duration) -> Result<Io, Error> {
    let make_room = Pool::clear_all;
    let connect = with_room(|| Io::connect(backend.address()), make_room);
    let io = match timeout(limit, connect).await {
        Ok(connected) => connected.map_err(Error::connect)?,
        Err(_) => return Err(Error::timeout("take a connection")),
    };
    if is_owned(backend).await || (make_room() && is_owned(backend).await) {
        return Ok(io);
    }
    // Where there is no file left to look with, nobody is known to be the owner.
    Err(match io.probe(AT_ONCE * FILES) {
        Err(error) if lacks_files(&error) => Error::connect(error),
        _ => Error::not_owner(),
    })
}

/// Why a connection was not opened, for everybody who waited for that.
#[derive(Clone, Debug)]
pub(super) struct Why {
    /// Whether somebody else may be asked.
    unconnected: bool,
    /// What the system said, where it is that no more files may be open here.
    shortage: Option<i32>,
    text: String,
}

impl Why {
    pub(super) fn of(error: &Error) -> Self {
        Self {
            unconnected: error.is_unconnected(),
            shortage: shortage(error),
            text: chain(error),
        }
    }

    pub(super) fn error(self) -> Error {
        if let Some(code) = self.shortage {
            Error::connect(io::Error::from_raw_os_error(code))
        } else if self.unconnected {
            Error::connect(self.text)
        } else {
            Error::timeout("take a connection")
        }
    }
}

/// Whether `error` says that no connection could be opened because of what else is open, which is nothing that the app did.
pub(super) fn is_shortage(error: &Error) -> bool {
    shortage(error).is_some()
}

/// What the system said, if [it is that](is_shortage).
fn shortage(error: &Error) -> Option<i32> {
    let source = std::error::Error::source(error).filter(|_| error.is_unconnected())?;
    let io = source.downcast_ref::<io::Error>()?;
    io.raw_os_error().filter(|_| lacks_files(io))
}

/// What `open` gives, and once more what it gives after `make_room` has closed something, where no more files may be open.
///
/// Each thread keeps connections that carry nothing, which together with those that carry something may be more than there
/// is room for.
async fn with_room<T, F>(open: impl Fn() -> F, make_room: impl FnOnce() -> bool) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    match open().await {
        Err(error) if lacks_files(&error) && make_room() => open().await,
        opened => opened,
    }
}

/// Whether this process, or the system, has as many files open as it may.
pub(super) fn lacks_files(error: &io::Error) -> bool {
    #[cfg(unix)]
    let all = [libc::EMFILE, libc::ENFILE];
    #[cfg(windows)]
    let all = [windows_sys::Win32::Networking::WinSock::WSAEMFILE];
    #[cfg(not(any(unix, windows)))]
    let all = [];
    error.raw_os_error().is_some_and(|code| all.contains(&code))
}

/// Asks whose the listener is, where it is not to be known otherwise.
async fn is_owned(backend: &Backend) -> bool {
    if !backend.has_owner() {
        return true;
    }
    // Nobody closes it.
    let _look = LOOKS.acquire().await;
    // The answer comes out of the operating system's tables, which may be long.
    let backend = backend.clone();
    let asked = spawn_blocking(move || backend.owns_listener());
    asked.await.unwrap_or(false)
}

#[cfg(all(test, unix))]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// How often was opened where the first `failures` end in `code`, and what came of it; `closes` is whether there
    /// is something to close.
    async fn opened(code: i32, failures: u32, closes: bool) -> (u32, bool) {
        let count = Cell::new(0);
        let open = || {
            count.set(count.get() + 1);
            let fails = count.get() <= failures;
            async move {
                match fails {
                    true => Err(io::Error::from_raw_os_error(code)),
                    false => Ok(()),
                }
            }
        };
        let done = with_room(open, || closes).await;
        (count.get(), done.is_ok())
    }

    #[test]
    fn a_shortage_is_told_from_what_an_app_does() {
        let error = |code| io::Error::from_raw_os_error(code);
        assert!(is_shortage(&Error::connect(error(libc::EMFILE))));
        assert!(!is_shortage(&Error::connect(error(libc::ECONNREFUSED))));
        assert!(!is_shortage(&Error::backend(error(libc::EMFILE))));
        assert!(!is_shortage(&Error::not_owner()));
    }

    #[tokio::test]
    async fn where_files_lack_idle_connections_make_room() {
        for code in [libc::EMFILE, libc::ENFILE] {
            assert_eq!(opened(code, 1, true).await, (2, true));
            assert_eq!(opened(code, 2, true).await, (2, false), "once");
            assert_eq!(opened(code, 1, false).await, (1, false), "nothing to close");
        }
        assert_eq!(opened(libc::ECONNREFUSED, 1, true).await, (1, false));
        assert_eq!(opened(0, 0, true).await, (1, true));
    }
}
