//! Opens a connection to an app.

use std::time::Duration;

use tokio::{task::spawn_blocking, time::timeout};

use super::{backend::Backend, io::Io};
use crate::error::Error;

/// A new connection, whose listener is known to be the app's own.
pub(super) async fn dial(backend: &Backend, limit: Duration) -> Result<Io, Error> {
    let connect = Io::connect(backend.address());
    let io = match timeout(limit, connect).await {
        Ok(connected) => connected.map_err(Error::connect)?,
        Err(_) => return Err(Error::timeout("take a connection")),
    };
    if is_owned(backend).await {
        Ok(io)
    } else {
        Err(Error::not_owner())
    }
}

/// Asks whose the listener is, where it is not to be known otherwise.
async fn is_owned(backend: &Backend) -> bool {
    if !backend.has_owner() {
        return true;
    }
    // The answer comes out of the operating system's tables, which may be long.
    let backend = backend.clone();
    let asked = spawn_blocking(move || backend.owns_listener());
    asked.await.unwrap_or(false)
}
