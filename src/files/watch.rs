//! A thread that looks when it is told to, and from time to time.

use std::{
    ffi::OsStr,
    fmt, io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel},
    },
    thread,
    time::Duration,
};

use notify::{
    Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _,
    event::{AccessKind, AccessMode},
};
use tracing::{debug, warn};

/// Who knows what to look at.
pub(crate) trait Look: Send + 'static {
    /// Looks again; `thorough`ly when something is known to have changed.
    ///
    /// True where the [`interest`](Self::interest) is about other folders than before, so that the
    /// system has to be asked anew; a thorough look follows.
    fn look(&mut self, thorough: bool) -> bool;

    /// What the system is to tell of.
    fn interest(&self) -> Interest;
}

/// What the system is to tell of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Interest {
    /// These folders, not what lies in their folders. One that is not there yet does no harm.
    pub(crate) folders: Vec<PathBuf>,
    /// Names within them, in any ASCII case.
    pub(crate) names: Vec<String>,
}

/// Goes on watching until it is dropped.
pub(crate) struct Watcher {
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

/// The watching thread.
struct Watching<L> {
    look: L,
    interval: Duration,
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
    woken: Receiver<()>,
    /// The system's notifications, where there are any.
    notifications: Option<RecommendedWatcher>,
}

/// Looks on a thread called `name` whenever the system tells of a change, and every `interval`:
/// notifications get lost, and some file systems have none.
///
/// # Errors
///
/// When no thread can be started. That the system does not notify is none.
pub(crate) fn watch(name: &str, interval: Duration, look: impl Look) -> io::Result<Watcher> {
    let (wake, woken) = sync_channel(1);
    let stop = Arc::new(AtomicBool::new(false));
    let watching = Watching {
        look,
        interval,
        stop: Arc::clone(&stop),
        wake: wake.clone(),
        woken,
        notifications: None,
    };
    let dispatch = tracing::dispatcher::get_default(Clone::clone);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            tracing::dispatcher::with_default(&dispatch, || watching.run());
        })?;
    Ok(Watcher { stop, wake })
}

impl<L: Look> Watching<L> {
    fn run(mut self) {
        self.subscribe();
        // Whatever happened before the subscription.
        self.look(true);
        while !self.stop.load(Ordering::Relaxed) {
            match self.woken.recv_timeout(self.interval) {
                Ok(()) => self.look(true),
                Err(RecvTimeoutError::Timeout) => self.look(false),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self, thorough: bool) {
        if self.look.look(thorough) {
            self.subscribe();
            self.look.look(true);
        }
    }

    /// Asks for notifications about the folders that are there now.
    fn subscribe(&mut self) {
        // The old ones first: they may be about other folders of the same paths.
        self.notifications = None;
        match notifications(self.look.interest(), self.wake.clone(), self.interval) {
            Ok(notifications) => self.notifications = Some(notifications),
            Err(error) => {
                warn!(%error, interval = ?self.interval, "The system does not notify of files, looking by ourselves");
            }
        }
    }
}

fn notifications(
    interest: Interest,
    wake: SyncSender<()>,
    interval: Duration,
) -> notify::Result<RecommendedWatcher> {
    let folders = interest.folders.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event
            .as_ref()
            .map_or(true, |event| interest.concerns(event))
        {
            // Full means that a look is due already.
            let _ = wake.try_send(());
        }
    })?;
    for folder in folders {
        match watcher.watch(&folder, RecursiveMode::NonRecursive) {
            Ok(()) => {}
            Err(error) if folder.exists() => {
                let folder = folder.display();
                warn!(%error, %folder, ?interval, "Folder is not notified about, looking by ourselves");
            }
            Err(error) => debug!(%error, folder = %folder.display(), "Folder is not there"),
        }
    }
    Ok(watcher)
}

impl Interest {
    /// Whether an event may be about one of the names, or about a folder as a whole.
    ///
    /// Being opened or read is none: our own looks do that.
    fn concerns(&self, event: &Event) -> bool {
        if event.need_rescan() {
            return true;
        }
        let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
        let accessed = event.kind.is_access() && event.kind != written;
        !accessed
            && event.paths.iter().any(|path| {
                self.folders.contains(path)
                    || path.file_name().is_none_or(|name| self.has_name(name))
            })
    }

    fn has_name(&self, name: &OsStr) -> bool {
        let name = name.as_encoded_bytes();
        self.names
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
    }
}

impl Watcher {
    /// Has it look now, thoroughly.
    pub(crate) fn wake(&self) {
        // Full means that a look is due already.
        let _ = self.wake.try_send(());
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // The thread is not waited for: a look may hang on a network file system, and shows itself
        // to nobody any more.
        self.wake();
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}
