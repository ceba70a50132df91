//! A Unix socket's path, in the folder that nobody else can get into.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use tokio::net::UnixStream;

use crate::{files::runtime_folder, proxy::Address};

/// The path of a Unix socket of one process, which is removed with this.
#[derive(Debug)]
pub(in crate::supervisor) struct SocketPath(PathBuf);

impl SocketPath {
    /// A path where nothing is: nobody guesses 64 random bits, and nobody else may look.
    pub(in crate::supervisor) fn new() -> io::Result<Self> {
        let number = getrandom::u64().map_err(io::Error::other)?;
        let path = runtime_folder()?.join(format!("{number:016x}.app"));
        Ok(Self(path))
    }

    pub(in crate::supervisor) fn path(&self) -> &Path {
        &self.0
    }

    pub(in crate::supervisor) fn address(&self) -> Address {
        Address::Unix(self.0.clone())
    }
}

impl Drop for SocketPath {
    fn drop(&mut self) {
        // A process that never made it leaves nothing to be removed.
        let _ = fs::remove_file(&self.0);
    }
}

/// Whether somebody listens at `path`.
///
/// Connects, and says nothing: what the system tells of Unix sockets is not told of each of them.
pub(in crate::supervisor) async fn is_listening(path: &Path) -> bool {
    match UnixStream::connect(path).await {
        Ok(_) => true,
        // More wait to be accepted than may.
        Err(error) => error.kind() == io::ErrorKind::WouldBlock,
    }
}
