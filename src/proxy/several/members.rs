//! Which addresses there are, and which of them get requests.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::{runtime::Handle, sync::watch, task::AbortHandle};
use tracing::{error, info, warn};

use super::{
    HealthCheck,
    choose::{choose, random},
    health::{Event, Rules},
    look,
    member::Member,
};
use crate::{
    config::Protocol,
    error::Error,
    proxy::{Address, Backend, Lease, Renew, Renewal},
};

/// What the clones of a [`Backends`](super::Backends) share.
pub(super) struct Shared {
    /// Those that get requests: immutable, replaced as a whole.
    pub(super) ready: ArcSwap<Vec<Arc<Member>>>,
    pub(super) all: Mutex<Vec<Arc<Member>>>,
    pub(super) check: HealthCheck,
    pub(super) protocol: Protocol,
    /// Why a name is not resolved.
    pub(super) unresolved: Mutex<Vec<(Arc<str>, String)>>,
    /// How many names were never tried yet.
    pub(super) pending: AtomicUsize,
    /// Told whenever `pending` or `ready` change.
    pub(super) changed: watch::Sender<()>,
    pub(super) resolvers: Mutex<Vec<AbortHandle>>,
}

impl Shared {
    pub(super) fn lease(self: &Arc<Self>, member: &Member) -> Lease {
        let renew: Arc<dyn Renew> = Arc::<Self>::clone(self);
        member.backend.lease().renewed_by(renew)
    }

    /// Where nothing is checked but what failed, one connection is proof enough.
    const fn rules(&self) -> Rules {
        let HealthCheck {
            interval,
            rise,
            fall,
            ..
        } = &self.check;
        let rise = if interval.is_some() { *rise } else { 1 };
        Rules { rise, fall: *fall }
    }

    /// From now on `origin` has these addresses.
    pub(super) fn settle(
        self: &Arc<Self>,
        runtime: &Handle,
        origin: &Arc<str>,
        addresses: Vec<Address>,
    ) {
        let mut all = lock(&self.all);
        let gone: Vec<_> = all
            .extract_if(.., |member| {
                !addresses.contains(member.backend.address()) && member.leave(origin)
            })
            .collect();
        for address in addresses {
            let known = all
                .iter()
                .find(|member| *member.backend.address() == address);
            if let Some(member) = known {
                member.join(origin);
                continue;
            }
            info!(backend.addr = %address, backend.name = %origin, "Address is used");
            let backend = Backend::fixed(address).speaking(self.protocol);
            let member = Arc::new(Member::new(backend, Arc::clone(origin)));
            let task = look::after(Arc::downgrade(&member), Arc::downgrade(self));
            member.looked_after_by(runtime.spawn(task).abort_handle());
            all.push(member);
        }
        self.publish(&all);
        drop(all);
        for member in gone {
            info!(backend.addr = %member.backend.address(), backend.name = %origin, "Address is not used any more");
        }
    }

    /// `origin` can't be resolved, or can again.
    pub(super) fn resolved(&self, origin: &Arc<str>, problem: Option<String>) {
        let mut unresolved = lock(&self.unresolved);
        let known = unresolved.iter().position(|(name, _)| name == origin);
        match (known, problem) {
            (None, Some(why)) => {
                warn!(backend.name = %origin, error = %why, "Name can't be resolved");
                unresolved.push((Arc::clone(origin), why));
            }
            (Some(known), None) => {
                info!(backend.name = %origin, "Name is resolved again");
                unresolved.swap_remove(known);
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
    }

    /// A name was tried for the first time.
    pub(super) fn tried(&self) {
        self.pending.fetch_sub(1, Ordering::AcqRel);
        self.changed.send_replace(());
    }

    /// What was learned of `member`.
    pub(super) fn tell(&self, member: &Member, event: Event, cause: Option<&str>) {
        // Under the lock, so that what is shown is what is known last.
        let all = lock(&self.all);
        if !member.note(event, cause, self.rules()) {
            return;
        }
        let address = member.backend.address();
        if member.is_up() {
            info!(backend.addr = %address, "Address is up");
        } else {
            let error = cause.unwrap_or_default();
            warn!(backend.addr = %address, error, "Address is down");
        }
        self.publish(&all);
        if !all.iter().any(|member| member.is_up()) {
            error!("No address of the app is up: requests get 503 until one is");
        }
    }

    fn publish(&self, all: &[Arc<Member>]) {
        let up = all.iter().filter(|member| member.is_up()).cloned();
        self.ready.store(Arc::new(up.collect()));
        self.changed.send_replace(());
    }

    /// Why there is no address.
    pub(super) fn nobody(&self) -> Error {
        let all = lock(&self.all);
        let down = all.iter().map(|member| {
            let cause = member.cause().unwrap_or_default();
            format!("{}: {cause}", member.backend.address())
        });
        let unresolved = lock(&self.unresolved);
        let unresolved = unresolved
            .iter()
            .map(|(name, why)| format!("{name}: {why}"));
        // A handful tells enough.
        let causes: Vec<_> = down.chain(unresolved).take(4).collect();
        Error::unreachable(causes.join("; "))
    }

    fn member(&self, backend: &Backend) -> Option<Arc<Member>> {
        let all = lock(&self.all);
        all.iter()
            .find(|member| member.backend.is(backend))
            .cloned()
    }
}

impl Renew for Shared {
    fn renew(self: Arc<Self>, gone: Backend) -> Renewal {
        let ready = self.ready.load_full();
        // It may be the only one, and just have come back.
        let others: Vec<_> = ready.iter().filter(|one| !one.backend.is(&gone)).collect();
        let load = |place: usize| others.get(place).map_or(0, |one| one.backend.in_flight());
        let place = choose(others.len(), random(), load);
        let lease = place
            .and_then(|place| others.get(place))
            .map(|member| self.lease(member));
        Box::pin(std::future::ready(
            lease.ok_or_else(|| Error::connect("no other address is up")),
        ))
    }

    fn failed(&self, backend: &Backend, error: &Error) -> bool {
        if let Some(member) = self.member(backend) {
            let cause = crate::error::chain(error);
            self.tell(&member, Event::Unreachable, Some(&cause));
            member.changed.notify_one();
        }
        true
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        for resolver in lock(&self.resolvers).drain(..) {
            resolver.abort();
        }
    }
}

/// A group that may be gone.
pub(super) type Group = Weak<Shared>;

/// How long a look for the addresses of a name may take.
pub(super) const RESOLVE_LIMIT: Duration = Duration::from_secs(10);

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
