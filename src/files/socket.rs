//! The names of Unix sockets that are made here.

use std::{
    fs, io,
    os::unix::{
        fs::{FileTypeExt as _, MetadataExt as _},
        net::UnixStream,
    },
    path::{Path, PathBuf},
};

/// The name of a socket that was made here: removed in the end, if it still is that one.
#[derive(Debug)]
pub(crate) struct SocketName {
    path: PathBuf,
    /// Device and inode, to be told from one that took its place.
    identity: (u64, u64),
}

impl SocketName {
    /// Has `bind` make a socket at `path`. One that nobody listens on any more is replaced, and nothing else is.
    ///
    /// # Errors
    ///
    /// Those of `bind`, and when somebody listens there or something else is there.
    pub(crate) fn take<S>(
        path: &Path,
        bind: impl Fn(&Path) -> io::Result<S>,
    ) -> io::Result<(S, Self)> {
        let socket = match bind(path) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
                remove_stale(path)?;
                bind(path)?
            }
            bound => bound?,
        };
        let name = Self {
            path: path.to_owned(),
            identity: identity(path)?,
        };
        Ok((socket, name))
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for SocketName {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|identity| identity == self.identity) {
            // It is gone already: that is what was wanted.
            let _ = fs::remove_file(&self.path);
        }
    }
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

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use tempfile::tempdir;

    use super::*;

    fn bind(path: &Path) -> io::Result<UnixListener> {
        UnixListener::bind(path)
    }

    #[test]
    fn a_name_goes_with_its_socket_and_not_with_another() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("socket");
        let (_socket, name) = SocketName::take(&path, bind).unwrap();
        assert_eq!(name.path(), path);
        drop(name);
        assert!(!path.exists());

        let (_socket, name) = SocketName::take(&path, bind).unwrap();
        let other = folder.path().join("other");
        let _other = bind(&other).unwrap();
        fs::rename(&other, &path).unwrap();
        drop(name);
        assert!(path.exists(), "somebody else's");
    }

    #[test]
    fn only_what_nobody_listens_on_is_replaced() {
        let folder = tempdir().unwrap();
        let path = folder.path().join("socket");
        drop(bind(&path).unwrap());
        let taken = SocketName::take(&path, bind).unwrap();
        let error = SocketName::take(&path, bind).unwrap_err();
        assert!(error.to_string().contains("somebody listens"), "{error}");
        drop(taken);
        fs::write(&path, "").unwrap();
        let error = SocketName::take(&path, bind).unwrap_err();
        assert!(error.to_string().contains("no socket"), "{error}");
        assert!(path.exists());
    }
}
