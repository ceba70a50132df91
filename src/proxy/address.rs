//! Where an app listens, and whether it does so still.

use std::{fmt, net::SocketAddr};

use super::instance::Instance;

/// Where an app listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(std::path::PathBuf),
    /// Nowhere: the app runs in this process.
    InProcess(Instance),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::InProcess(_) => f.write_str("in process"),
        }
    }
}

/// Tells whether the listener at a backend's address is still the app's own.
///
/// Asked after each dial and before the pairing token is sent, so that a stranger who took the port never sees it.
pub trait Owner: Send + Sync {
    /// Whether the app owns the listener now.
    fn owns_listener(&self) -> bool;

    /// Copies a user's token, with all that its handle may do, into the process that listens; the number that the
    /// copy has there, which is that process's to close.
    ///
    /// # Errors
    ///
    /// When the token can't be copied; in any case, unless it is implemented.
    #[cfg(windows)]
    fn give_token(&self, token: std::os::windows::io::BorrowedHandle<'_>) -> std::io::Result<u32> {
        let _ = token;
        Err(std::io::ErrorKind::Unsupported.into())
    }
}
