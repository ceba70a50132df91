//! The name that an app's socket has from its folder.

use std::{
    io,
    path::{Path, PathBuf},
};

/// Sixteen digits for the app in `content_root`, by the name under which the folder is reached: where it is a link, they stay
/// when the link is swapped.
pub(super) fn of(content_root: &Path) -> io::Result<String> {
    let reached = reached(content_root)?;
    Ok(format!("{:016x}", hash(&spelling(&reached))))
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

#[cfg(unix)]
fn spelling(path: &Path) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;

    path.as_os_str().as_bytes().to_owned()
}

/// One for all spellings of a folder: names that differ in case are one name there.
#[cfg(windows)]
fn spelling(path: &Path) -> Vec<u8> {
    path.to_string_lossy().to_lowercase().into_bytes()
}

/// FNV-1a: the same in every version of this program, which the standard library's hashes are not.
fn hash(text: &[u8]) -> u64 {
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

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
            assert_eq!(hash(text.as_bytes()), want, "{text}");
        }
    }

    #[test]
    fn each_folder_has_its_own_and_a_missing_one_none() {
        let base = tempdir().unwrap();
        for name in ["a", "b"] {
            fs::create_dir(base.path().join(name)).unwrap();
        }
        let name = |path: &str| of(&base.path().join(path)).unwrap();
        assert_eq!(name("a"), name("a/"));
        assert_eq!(name("a"), name("./a"));
        assert_ne!(name("a"), name("b"));
        assert!(of(&base.path().join("no/such")).is_err());
    }

    #[cfg(windows)]
    #[test]
    fn case_makes_no_other_name() {
        let base = tempdir().unwrap();
        fs::create_dir(base.path().join("App")).unwrap();
        let name = |path: &str| of(&base.path().join(path)).unwrap();
        assert_eq!(name("App"), name("aPP"));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_has_its_own_name_and_keeps_it() {
        use std::os::unix::fs::symlink;

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
