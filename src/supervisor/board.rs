//! What the task shows to the handles: the ready backends, and how things stand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering, fence},
    },
    time::SystemTime,
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use super::{output::Output, worker::DirectLoad};
use crate::{
    config::Config,
    error::StartFailure,
    proxy::{Backend, Lease},
};

/// The backends that take requests: immutable, replaced as a whole.
pub(super) type Ready = Vec<Backend>;

/// How things stand, as the task last saw them.
#[derive(Clone, Debug, Default)]
pub(super) struct Outlook {
    /// Whether a request has to ask before anything is started.
    pub(super) needs_demand: bool,
    /// No process ever again.
    pub(super) closed: bool,
    /// Why no process is started now.
    pub(super) refusal: Option<Arc<StartFailure>>,
    /// How many starts failed. Who saw a lower number waited for one that failed.
    pub(super) failures: u64,
    /// How many stops there were. Who saw a lower number is turned away.
    pub(super) stops: u64,
    /// The last start that failed, and when.
    pub(super) last_failure: Option<(Arc<StartFailure>, SystemTime)>,
    /// How many processes took the place of another.
    pub(super) restarts: u64,
    /// The configuration that the next start is with.
    pub(super) config: Option<Arc<Config>>,
    /// Whether a worker takes connections by itself.
    pub(super) direct: bool,
    /// The state of each slot.
    pub(super) states: Vec<&'static str>,
    /// Every process.
    pub(super) processes: Vec<Entry>,
}

/// One process, for a status.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) slot: usize,
    pub(super) generation: u64,
    pub(super) attempt: u8,
    pub(super) pid: u32,
    pub(super) port: Option<u16>,
    pub(super) state: &'static str,
    pub(super) started: SystemTime,
    pub(super) backend: Option<Backend>,
    pub(super) direct: Option<Arc<DirectLoad>>,
    pub(super) output: Output,
}

impl Entry {
    /// The requests under way, by whichever way they came.
    pub(super) fn in_flight(&self) -> usize {
        let forwarded = self.backend.as_ref().map_or(0, Backend::in_flight);
        forwarded + self.direct.as_ref().map_or(0, |direct| direct.in_flight())
    }
}

/// The task's side.
#[derive(Debug)]
pub(super) struct Board {
    ready: Arc<ArcSwap<Ready>>,
    used: Arc<AtomicBool>,
    outlook: watch::Sender<Outlook>,
}

/// A handle's side.
#[derive(Clone, Debug)]
pub(super) struct View {
    ready: Arc<ArcSwap<Ready>>,
    used: Arc<AtomicBool>,
    outlook: watch::Receiver<Outlook>,
}

pub(super) fn board() -> (Board, View) {
    let ready = Arc::new(ArcSwap::from_pointee(Ready::new()));
    let used = Arc::<AtomicBool>::default();
    let outlook = Outlook {
        needs_demand: true,
        ..Outlook::default()
    };
    let (sender, receiver) = watch::channel(outlook);
    let board = Board {
        ready: Arc::clone(&ready),
        used: Arc::clone(&used),
        outlook: sender,
    };
    let view = View {
        ready,
        used,
        outlook: receiver,
    };
    (board, view)
}

impl Board {
    /// Shows other backends, and only then how things stand: who wakes up finds them.
    pub(super) fn show(&self, ready: Ready, change: impl FnOnce(&mut Outlook)) {
        self.ready.store(Arc::new(ready));
        // Before anybody looks how many requests a backend has: see `View::lease`.
        fence(Ordering::SeqCst);
        self.outlook.send_modify(change);
    }

    /// Whether there was a lease since the last time that this was asked.
    pub(super) fn take_used(&self) -> bool {
        self.used.swap(false, Ordering::Relaxed)
    }
}

impl View {
    /// A lease of the backend with the fewest requests.
    ///
    /// A backend that is taken out between the look and the lease could be found idle and stopped
    /// under a request, so the lease counts only if the backends are still the same ones after it.
    pub(super) fn lease(&self) -> Option<Lease> {
        self.lease_of(|ready| match ready {
            [only] => Some(only),
            many => many.iter().min_by_key(|one| one.in_flight()),
        })
    }

    /// A lease of the backend of that [mark](Backend::mark), if it takes requests.
    pub(super) fn lease_marked(&self, mark: u64) -> Option<Lease> {
        self.lease_of(|ready| ready.iter().find(|one| one.mark() == mark))
    }

    /// As [`lease`](Self::lease), but of another backend than `gone`.
    pub(super) fn lease_other(&self, gone: &Backend) -> Option<Lease> {
        self.lease_of(|ready| {
            let others = ready.iter().filter(|one| !one.is(gone));
            others.min_by_key(|one| one.in_flight())
        })
    }

    /// Whether `backend` is one of those that take requests.
    pub(super) fn shows(&self, backend: &Backend) -> bool {
        self.ready.load().iter().any(|one| one.is(backend))
    }

    fn lease_of(&self, choose: impl Fn(&[Backend]) -> Option<&Backend>) -> Option<Lease> {
        loop {
            let ready = self.ready.load();
            let lease = choose(&ready)?.lease();
            fence(Ordering::SeqCst);
            if Arc::ptr_eq(&ready, &self.ready.load()) {
                // Read first: what is written by nobody is shared by all cores.
                if !self.used.load(Ordering::Relaxed) {
                    self.used.store(true, Ordering::Relaxed);
                }
                return Some(lease);
            }
        }
    }

    /// How things stand.
    pub(super) fn outlook(&self) -> watch::Ref<'_, Outlook> {
        self.outlook.borrow()
    }

    /// A view of its own for somebody who waits for a change.
    pub(super) fn watch(&self) -> watch::Receiver<Outlook> {
        self.outlook.clone()
    }
}
