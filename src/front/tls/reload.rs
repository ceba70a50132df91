//! Reads the files again when they change.

use std::{
    ffi::OsStr,
    fs, io,
    path::Path,
    sync::{Arc, Weak},
    thread,
    time::Duration,
};

use arc_swap::ArcSwap;
use rustls::ServerConfig;
use tracing::{info, warn};

use super::{error::TlsError, setup::Setup};
use crate::files::{self, Interest, Look, Stamp};

/// How often to look without being told: some file systems tell nothing.
const INTERVAL: Duration = Duration::from_secs(5);

/// A certificate and its key are two files, and do not change at once: so long, and so often, is waited for the other one
/// before it is said that they don't match.
const SETTLE: Duration = Duration::from_millis(50);
const SETTLES: usize = 10;

/// Kubernetes swaps a link of this name, and the names that were configured stay as they are.
const KUBERNETES: &str = "..data";

/// Watches until the configuration is gone.
struct Reload {
    setup: Setup,
    current: Weak<ArcSwap<ServerConfig>>,
    seen: Vec<Option<Stamp>>,
}

/// Keeps `current` as the files say, as long as the watcher and `current` live.
pub(super) fn watch(
    setup: Setup,
    current: &Arc<ArcSwap<ServerConfig>>,
    seen: Vec<Option<Stamp>>,
) -> io::Result<files::Watcher> {
    let reload = Reload {
        setup,
        current: Arc::downgrade(current),
        seen,
    };
    files::watch("ancm-tls", INTERVAL, reload)
}

/// What tells whether a file is another one, through links.
pub(super) fn stamps(setup: &Setup) -> Vec<Option<Stamp>> {
    let stamp = |path: &Path| fs::metadata(path).ok().map(|data| Stamp::of(&data));
    setup.files().map(stamp).collect()
}

impl Reload {
    #[allow(
        clippy::disallowed_methods,
        reason = "this thread watches and does nothing else, and no event says that both files are whole"
    )]
    fn load(&mut self) -> Result<ServerConfig, TlsError> {
        let mut loaded = self.setup.load();
        for _ in 0..SETTLES {
            if loaded.is_ok() {
                break;
            }
            thread::sleep(SETTLE);
            // Before the files are read: what comes later is seen by the next look.
            self.seen = stamps(&self.setup);
            loaded = self.setup.load();
        }
        loaded
    }
}

impl Look for Reload {
    fn look(&mut self, _thorough: bool) -> bool {
        let now = stamps(&self.setup);
        if now == self.seen {
            return false;
        }
        self.seen = now;
        let Some(current) = self.current.upgrade() else {
            return false;
        };
        match self.load() {
            Ok(config) => {
                current.store(Arc::new(config));
                info!("Certificates reloaded");
            }
            Err(error) => warn!(%error, "Certificates can't be reloaded, the old ones stay"),
        }
        false
    }

    fn interest(&self) -> Interest {
        let mut interest = Interest {
            folders: Vec::new(),
            names: vec![KUBERNETES.to_owned()],
        };
        for path in self.setup.files() {
            let folder = path.parent().unwrap_or_else(|| Path::new("."));
            interest.folders.push(folder.to_owned());
            let name = path.file_name().and_then(OsStr::to_str);
            interest.names.extend(name.map(str::to_owned));
        }
        interest.folders.sort_unstable();
        interest.folders.dedup();
        interest
    }
}
