//! Where the socket of an app lies, and the folder that nobody else can get into.

use std::{
    env,
    ffi::OsStr,
    fs::{self, DirBuilder, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt as _,
        fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _},
    },
    path::{Path, PathBuf},
};

/// The socket of the app in `content_root`, in a folder of this user's own, which is made if need be.
///
/// That is `$XDG_RUNTIME_DIR/ancm`, or `/tmp/ancm-<uid>` where there is no such variable. The name
/// comes from that of the content root, as it is reached; where the content root is a link, the
/// name stays when the link is swapped.
///
/// # Errors
///
/// When the content root is not there, or the folder can't be made, is a link, or is somebody
/// else's.
pub fn socket_path(content_root: &Path) -> io::Result<PathBuf> {
    let folder = match env::var_os("XDG_RUNTIME_DIR").filter(|value| !value.is_empty()) {
        Some(runtime) => PathBuf::from(runtime).join("ancm"),
        None => PathBuf::from(format!("/tmp/ancm-{}", own_uid())),
    };
    let name = format!("{:016x}.sock", hash(reached(content_root)?.as_os_str()));
    own(&folder)?;
    Ok(folder.join(name))
}

/// The path of a folder, without links but in its own name.
fn reached(folder: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(folder)?;
    match (absolute.parent(), absolute.file_name()) {
        (Some(parent), Some(name)) => Ok(parent.canonicalize()?.join(name)),
        // The root, or a path that ends in `..`.
        _ => absolute.canonicalize(),
    }
}

/// FNV-1a: the same in every version of this program, which the standard library's hashes are not.
fn hash(text: &OsStr) -> u64 {
    text.as_bytes()
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        })
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

pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::tempdir;

    use super::*;

    #[test]
    fn the_name_does_not_depend_on_the_program() {
        // Test vectors of the hash's authors.
        for (text, want) in [
            ("", 0xcbf2_9ce4_8422_2325),
            ("a", 0xaf63_dc4c_8601_ec8c),
            ("foobar", 0x8594_4171_f739_67e8),
        ] {
            assert_eq!(hash(OsStr::new(text)), want, "{text}");
        }
    }

    #[test]
    fn a_link_has_its_own_name_and_keeps_it() {
        let base = tempdir().unwrap();
        let base = base.path().canonicalize().unwrap();
        for name in ["1", "2"] {
            fs::create_dir(base.join(name)).unwrap();
        }
        let current = base.join("current");
        for release in ["1", "2"] {
            symlink(base.join(release), &current).unwrap();
            assert_eq!(reached(&current).unwrap(), current);
            fs::remove_file(&current).unwrap();
        }
        // What leads to the folder is followed.
        symlink(&base, base.join("loop")).unwrap();
        assert_eq!(reached(&base.join("loop/1/")).unwrap(), base.join("1"));
        assert_eq!(reached(Path::new("/")).unwrap(), Path::new("/"));
    }

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
