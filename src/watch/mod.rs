//! Tells of changes that ask for a restart: of the configuration, of `restart.txt`, of files that
//! the configuration names.
//!
//! A thread [looks](look) at the files, and [`Changes`] tells of what it saw once it has been quiet
//! for a while: a deployment touches many files, one after the other.

mod changes;
mod look;
mod quiet;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

pub(crate) use self::changes::{Change, Changes};
use self::look::Looker;
use crate::files;

/// How often to look without being told.
const INTERVAL: Duration = Duration::from_secs(1);

/// Which files are looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Files {
    /// Of which one is or will be the configuration.
    pub(crate) configuration: Vec<PathBuf>,
    /// Which somebody touches to have the app restarted.
    pub(crate) restart: Vec<PathBuf>,
    /// ANCM: `recycleOnFileChange`, which it reads and does nothing about. Differs: they count.
    pub(crate) recycle: Vec<PathBuf>,
}

/// Looks at files until it is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    wanted: Arc<Mutex<Files>>,
    files: files::Watcher,
}

/// Looks at `files` from now on.
///
/// # Errors
///
/// When no thread can be started.
pub(crate) fn watch(files: Files) -> io::Result<(Changes, Watcher)> {
    let (changes, teller) = Changes::new();
    let wanted = Arc::new(Mutex::new(files));
    let looker = Looker::new(Arc::clone(&wanted), teller);
    let files = files::watch("ancm-watch", INTERVAL, looker)?;
    Ok((changes, Watcher { wanted, files }))
}

impl Watcher {
    /// Looks at other files from now on. Of those that it looked at before, no change is missed.
    pub(crate) fn replace(&self, files: Files) {
        *lock(&self.wanted) = files;
        self.files.wake();
    }
}

/// The files of a content root that restart the app when somebody touches them. Passenger knows them
/// by the same names.
pub(crate) fn restart_files(content_root: &Path) -> Vec<PathBuf> {
    let names = ["restart.txt", "tmp/restart.txt"];
    names.map(|name| content_root.join(name)).to_vec()
}

/// Nobody panics while holding it; what it holds is whole even then.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
