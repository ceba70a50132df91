//! How commands written for Windows are read on Unix.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

/// What may be missing at the end of a program's name.
pub(super) const SUFFIXES: [&str; 1] = [""];

/// `path` with this system's separators, without the prefix of long paths.
pub(super) fn native(path: &str) -> String {
    let path = path.strip_prefix(r"\\?\").unwrap_or(path);
    path.replace('\\', "/")
}

/// Whether `path`, made [`native`], begins with a drive or a server of Windows, so that it can't exist here.
pub(super) fn is_foreign(path: &str) -> bool {
    let drive = matches!(path.as_bytes(), [letter, b':', ..] if letter.is_ascii_alphabetic());
    drive || path.starts_with("//")
}

/// The name of a program of Windows without its ending, which programs do not have here.
pub(super) fn without_exe(path: &str) -> Option<&str> {
    let (stem, end) = path.split_at_checked(path.len().checked_sub(4)?)?;
    (!stem.is_empty() && end.eq_ignore_ascii_case(".exe")).then_some(stem)
}

/// Whether somebody may execute the file.
pub(super) fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
