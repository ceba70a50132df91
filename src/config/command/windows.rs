//! How commands are read on Windows, for which they are written.

use std::path::Path;

/// What may be missing at the end of a program's name.
pub(super) const SUFFIXES: [&str; 2] = ["", ".exe"];

/// `path` as it is.
pub(super) fn native(path: &str) -> String {
    path.to_owned()
}

/// No path is foreign here.
pub(super) fn is_foreign(_: &str) -> bool {
    false
}

/// Programs keep their ending here.
pub(super) fn without_exe(_: &str) -> Option<&str> {
    None
}

/// Whether it is a file; its ending says whether it is a program.
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file()
}
