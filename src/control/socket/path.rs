//! Where the socket of an app lies.

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use crate::files::runtime_folder;

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
    let name = format!("{:016x}.sock", hash(reached(content_root)?.as_os_str()));
    Ok(runtime_folder()?.join(name))
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

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

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
}
