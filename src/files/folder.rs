//! The folder that nobody else can get into, on Unix.

use std::{
    env,
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Where this user's sockets lie: `$XDG_RUNTIME_DIR/ancm`, or `/tmp/ancm-<uid>` where there is no such variable. Made if
/// need be, with mode 0700.
///
/// # Errors
///
/// When it can't be made, is a link, or is somebody else's.
pub(crate) fn runtime_folder() -> io::Result<PathBuf> {
    let folder = match env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty()) {
        Some(runtime) => PathBuf::from(runtime).join("ancm"),
        None => PathBuf::from(format!("/tmp/ancm-{}", own_uid())),
    };
    own(&folder)?;
    Ok(folder)
}

/// Makes a folder that only this user can get into, or checks that it is one.
fn own(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    // Not of what a link leads to: somebody else may have made it.
    let metadata = fs::symlink_metadata(folder)?;
    if !metadata.is_dir() || metadata.uid() != own_uid() {
        let message = format!("`{}` is not a folder of this user", folder.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, message));
    }
    if metadata.mode() & 0o077 != 0 {
        fs::set_permissions(folder, Permissions::from_mode(0o700))?;
    }
    Ok(())
}

/// The user that this process acts for.
pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::tempdir;

    use super::*;

    #[test]
    fn only_an_own_folder_will_do() {
        let base = tempdir().unwrap();
        let folder = base.path().join("ancm");
        own(&folder).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        own(&folder).unwrap();
        assert_eq!(mode(&folder), 0o700, "mended");

        let link = base.path().join("link");
        symlink(&folder, &link).unwrap();
        assert!(own(&link).is_err(), "a link");
        let file = base.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(own(&file).is_err(), "a file");
        assert!(own(&base.path().join("a/b")).is_err(), "no parent");
        if own_uid() != 0 {
            assert!(own(Path::new("/")).is_err(), "somebody else's");
        }
    }
}
