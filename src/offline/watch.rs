//! Watches the content root: told by the system where it tells, and looking by itself as well.

use std::{
    fmt, io,
    path::{Path, PathBuf},
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
use tracing::{debug, info, warn};

use super::{
    gate::{Gate, Keeper},
    look::{self, Looker},
};

/// How often to look without being told. Notifications get lost, and some file systems have none.
///
/// ANCM: an offline app looks for its file at most this often.
const INTERVAL: Duration = Duration::from_millis(200);

/// Watches a content root for its `app_offline.htm`, until it is dropped.
pub struct Watcher {
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
}

/// The watching thread.
struct Watching {
    root: PathBuf,
    looker: Looker,
    keeper: Keeper,
    stop: Arc<AtomicBool>,
    wake: SyncSender<()>,
    woken: Receiver<()>,
    /// The system's notifications, where there are any.
    notifications: Option<RecommendedWatcher>,
}

/// Watches `content_root` for an `app_offline.htm`. The gate is right from the start.
///
/// A content root that does not exist yet is waited for.
///
/// # Errors
///
/// When no thread can be started. That the system does not notify is none: the thread looks by
/// itself every 200 ms.
pub fn watch(content_root: &Path) -> io::Result<(Gate, Watcher)> {
    let mut looker = Looker::new(content_root);
    looker.look(true);
    let (keeper, gate) = Keeper::new(looker.page().cloned());
    let (wake, woken) = sync_channel(1);
    let stop = Arc::new(AtomicBool::new(false));
    let watching = Watching {
        root: content_root.to_owned(),
        looker,
        keeper,
        stop: stop.clone(),
        wake: wake.clone(),
        woken,
        notifications: None,
    };
    thread::Builder::new()
        .name("ancm-offline".to_owned())
        .spawn(|| watching.run())?;
    Ok((gate, Watcher { stop, wake }))
}

impl Watching {
    fn run(mut self) {
        self.subscribe();
        // Whatever happened before the subscription.
        self.look(true);
        while !self.stop.load(Ordering::Relaxed) {
            match self.woken.recv_timeout(INTERVAL) {
                Ok(()) => self.look(true),
                Err(RecvTimeoutError::Timeout) => self.look(false),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn look(&mut self, thorough: bool) {
        let was_closed = self.looker.page().is_some();
        if self.looker.look(thorough).moved {
            self.subscribe();
            self.looker.look(true);
        }
        let page = self.looker.page();
        match (was_closed, page.is_some()) {
            (false, true) => info!("App taken offline"),
            (true, false) => info!("App taken online"),
            (false, false) | (true, true) => {}
        }
        self.keeper.set(page.cloned());
    }

    /// Asks for notifications about the folder that is the content root now.
    fn subscribe(&mut self) {
        // The old one first: it may be about another folder of the same path.
        self.notifications = None;
        match notifications(&self.root, self.wake.clone()) {
            Ok(notifications) => self.notifications = Some(notifications),
            Err(error) if self.root.exists() => {
                warn!(%error, "Content root is not notified about, looking every 200 ms");
            }
            Err(error) => debug!(%error, "Content root is not there"),
        }
    }
}

fn notifications(root: &Path, wake: SyncSender<()>) -> notify::Result<RecommendedWatcher> {
    let folder = root.to_owned();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event
            .as_ref()
            .map_or(true, |event| concerns(event, &folder))
        {
            // Full means that a look is due already.
            let _ = wake.try_send(());
        }
    })?;
    watcher.watch(root, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Whether an event may be about the file, or about the content root as a whole.
///
/// Being opened or read is none: our own looks do that.
fn concerns(event: &Event, root: &Path) -> bool {
    if event.need_rescan() {
        return true;
    }
    let written = EventKind::Access(AccessKind::Close(AccessMode::Write));
    let accessed = event.kind.is_access() && event.kind != written;
    !accessed
        && event
            .paths
            .iter()
            .any(|path| path == root || path.file_name().is_none_or(look::is_the_name))
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Full means that the thread wakes anyway. It is not waited for: a look may hang on a
        // network file system, and shows itself to nobody any more.
        let _ = self.wake.try_send(());
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}
