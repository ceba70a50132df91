//! A listening socket that the module hands over.

#[cfg(unix)]
mod unix;

#[cfg(unix)]
pub(super) use self::unix::listener;

/// No module hands sockets over here.
#[cfg(not(unix))]
pub(super) fn listener() -> std::io::Result<Option<std::net::TcpListener>> {
    Ok(None)
}
