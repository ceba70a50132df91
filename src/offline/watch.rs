//! Watches the content root for the file.

use std::{io, path::Path, thread, time::Duration};

use tracing::info;

use super::{
    gate::{Gate, Keeper, Switch},
    look::{self, Looker},
    page::Page,
};
use crate::files::{self, Interest, Look};

/// How often to look without being told.
///
/// ANCM: an offline app looks for its file at most this often.
const INTERVAL: Duration = Duration::from_millis(200);

/// How long a file that was just made may stay empty before it counts as it is: whoever makes one writes it in the next
/// moment, and clients should see that page from the first answer on.
const SETTLE: Duration = Duration::from_millis(5);
/// How often that is waited for.
const SETTLES: usize = 5;

/// Watches a content root for its `app_offline.htm`, until it is dropped.
#[derive(Debug)]
pub struct Watcher {
    switch: Switch,
    _files: files::Watcher,
}

/// What the watching thread has.
struct Watching {
    looker: Looker,
    keeper: Keeper,
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
    let switch = keeper.switch();
    let watching = Watching { looker, keeper };
    let files = files::watch("ancm-offline", INTERVAL, watching)?;
    let watcher = Watcher {
        switch,
        _files: files,
    };
    Ok((gate, watcher))
}

impl Watcher {
    /// Takes the app offline without a file.
    #[must_use]
    pub fn switch(&self) -> Switch {
        self.switch.clone()
    }
}

impl Watching {
    /// Waits a little for the content of a file that came without any. Says whether the folder is another one.
    #[allow(
        clippy::disallowed_methods,
        reason = "this thread watches and does nothing else, and no event says that a file is whole"
    )]
    fn settle(&mut self) -> bool {
        let mut moved = false;
        for _ in 0..SETTLES {
            if !self.looker.page().is_some_and(Page::is_built_in) {
                break;
            }
            thread::sleep(SETTLE);
            moved |= self.looker.look(true).moved;
        }
        moved
    }
}

impl Look for Watching {
    fn look(&mut self, thorough: bool) -> bool {
        let was_there = self.looker.page().is_some();
        let moved = self.looker.look(thorough).moved | (!was_there && self.settle());
        let page = self.looker.page();
        match (was_there, page.is_some()) {
            (false, true) => info!("app_offline.htm is there"),
            (true, false) => info!("app_offline.htm is gone"),
            (false, false) | (true, true) => {}
        }
        self.keeper.set(page.cloned());
        moved
    }

    fn interest(&self) -> Interest {
        Interest {
            folders: vec![self.looker.root().to_owned()],
            names: vec![look::NAME.to_owned()],
        }
    }
}
