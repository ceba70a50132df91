//! What changed, from the thread that looks to the task that acts.

use std::{
    collections::BTreeSet,
    fmt, mem,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

use super::{lock, quiet::Quiet};

/// A file that changed, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Change {
    /// The configuration: other, touched, gone or there again.
    Configuration(PathBuf),
    /// Somebody asks for a restart.
    Restart(PathBuf),
    /// A file of the app.
    File(PathBuf),
}

impl Change {
    pub(crate) fn path(&self) -> &Path {
        let (Self::Configuration(path) | Self::Restart(path) | Self::File(path)) = self;
        path
    }
}

/// Tells what changed.
#[derive(Debug)]
pub(crate) struct Changes {
    shared: Arc<Shared>,
    quiet: Quiet,
}

/// The end of the thread that looks.
#[derive(Debug)]
pub(super) struct Teller {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// As many as there are files, at most.
    seen: Mutex<BTreeSet<Change>>,
    told: Notify,
}

impl Changes {
    pub(super) fn new() -> (Self, Teller) {
        let shared = Arc::<Shared>::default();
        let changes = Self {
            shared: Arc::clone(&shared),
            quiet: Quiet::default(),
        };
        (changes, Teller { shared })
    }

    /// What changed, once nothing has changed for this `period`, or for long enough in any case.
    ///
    /// Cancel safe.
    pub(crate) async fn after(&mut self, period: Duration) -> BTreeSet<Change> {
        loop {
            let due = self.quiet.since(period);
            tokio::select! {
                biased;
                () = self.shared.told.notified() => self.quiet.disturb(Instant::now()),
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                    self.quiet.settle();
                    return mem::take(&mut *lock(&self.shared.seen));
                }
            }
        }
    }
}

impl Teller {
    pub(super) fn tell(&self, change: Change) {
        lock(&self.shared.seen).insert(change);
        self.shared.told.notify_one();
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use tokio_test::{assert_pending, task};

    use super::*;

    const PERIOD: Duration = Duration::from_millis(500);

    fn file(name: &str) -> Change {
        Change::File(name.into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_deployment_is_told_of_once() {
        let (mut changes, teller) = Changes::new();
        let begin = Instant::now();
        let deploy = async {
            for name in ["a", "b", "a", "c"] {
                teller.tell(file(name));
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
        };
        let (told, ()) = tokio::join!(changes.after(PERIOD), deploy);
        assert_eq!(told, ["a", "b", "c"].map(file).into());
        assert_eq!(begin.elapsed(), Duration::from_millis(900) + PERIOD);
        assert_pending!(task::spawn(changes.after(PERIOD)).poll());
    }

    #[tokio::test(start_paused = true)]
    async fn who_stops_waiting_loses_nothing() {
        let (mut changes, teller) = Changes::new();
        teller.tell(file("a"));
        let begin = Instant::now();
        let some = tokio::time::timeout(PERIOD / 2, changes.after(PERIOD)).await;
        some.unwrap_err();
        assert_eq!(changes.after(PERIOD).await, [file("a")].into());
        assert_eq!(begin.elapsed(), PERIOD);
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_rests_is_told_of_all_the_same() {
        let (mut changes, teller) = Changes::new();
        let begin = Instant::now();
        let never = async {
            loop {
                teller.tell(file("log"));
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            told = changes.after(PERIOD) => assert_eq!(told, [file("log")].into()),
            () = never => {}
        }
        assert!(begin.elapsed() <= super::super::quiet::LONGEST + Duration::from_millis(100));
    }
}
