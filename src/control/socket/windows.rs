//! Windows: no named pipe yet, and a clear word about it.

use std::{
    convert::Infallible,
    io,
    path::{Path, PathBuf},
};

use serde_json::Value;

use crate::control::{Operator, Request};

/// Lets other programs operate an app. There is none on Windows yet.
#[derive(Debug)]
pub struct Socket {
    never: Infallible,
}

impl Socket {
    /// Always an error.
    ///
    /// # Errors
    ///
    /// Always.
    pub fn bind(_: &Path) -> io::Result<Self> {
        Err(unsupported())
    }

    /// Never called: there is no socket.
    #[must_use]
    pub fn path(&self) -> &Path {
        match self.never {}
    }

    /// Never called: there is no socket.
    pub async fn serve(self, _: Operator) {
        match self.never {}
    }
}

/// Always an error.
///
/// # Errors
///
/// Always.
pub fn socket_path(_: &Path) -> io::Result<PathBuf> {
    Err(unsupported())
}

/// Always an error.
///
/// # Errors
///
/// Always.
pub fn ask(_: &Path, _: &Request) -> io::Result<Value> {
    Err(unsupported())
}

fn unsupported() -> io::Error {
    io::Error::new(
        io::ErrorKind::Unsupported,
        "an app can't be operated from another program on Windows yet",
    )
}
