//! Where the socket of an app lies.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::super::name;
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
    let name = name::of(content_root)?;
    Ok(runtime_folder()?.join(format!("{name}.sock")))
}
