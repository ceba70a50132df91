//! Reads the file again when it changes.

use std::{
    ffi::OsStr,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use arc_swap::ArcSwap;
use tracing::{info, warn};

use super::table::{self, Table};
use crate::files::{self, Interest, Look, Stamp};

/// How often to look without being told: some file systems tell nothing.
const INTERVAL: Duration = Duration::from_secs(5);

/// Watches until the users are gone.
struct Reload {
    file: PathBuf,
    current: Weak<ArcSwap<Table>>,
    seen: Option<Stamp>,
}

/// Keeps `current` as the file says, as long as the watcher and `current` live.
pub(super) fn watch(
    file: PathBuf,
    current: &Arc<ArcSwap<Table>>,
    seen: Option<Stamp>,
) -> io::Result<files::Watcher> {
    let reload = Reload {
        file,
        current: Arc::downgrade(current),
        seen,
    };
    files::watch("ancm-users", INTERVAL, reload)
}

/// What tells whether it is another file, through links.
pub(super) fn stamp(file: &Path) -> Option<Stamp> {
    fs::metadata(file).ok().map(|data| Stamp::of(&data))
}

impl Look for Reload {
    fn look(&mut self, _thorough: bool) -> bool {
        let now = stamp(&self.file);
        if now == self.seen {
            return false;
        }
        self.seen = now;
        let Some(current) = self.current.upgrade() else {
            return false;
        };
        match table::load(&self.file) {
            Ok(table) => {
                let users = table.len();
                current.store(Arc::new(table));
                info!(users, file = %self.file.display(), "Users reloaded");
            }
            Err(error) => warn!(%error, "Users can't be reloaded, the old ones stay"),
        }
        false
    }

    fn interest(&self) -> Interest {
        let folder = self.file.parent().unwrap_or_else(|| Path::new("."));
        let name = self.file.file_name().and_then(OsStr::to_str);
        Interest {
            folders: vec![folder.to_owned()],
            names: name.map(str::to_owned).into_iter().collect(),
        }
    }
}
