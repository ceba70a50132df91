//! The addresses of one app.

use std::{
    fmt, io,
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
    Destination, HealthCheck,
    choose::{choose, random},
    health::{Event, Rules},
    look,
    member::Member,
    resolve,
    status::BackendStatus,
};
use crate::{
    config::Protocol,
    error::Error,
    proxy::{Address, Backend, Lease, Renew, Renewal},
};

/// An app at several addresses, or behind a name; see [`BalancedLayer`](super::BalancedLayer).
///
/// Cheap to clone; every clone is the same. What looks after the addresses ends with the last clone and the last
/// request.
#[derive(Clone)]
pub struct Backends {
    pub(super) shared: Arc<Shared>,
}

pub(super) struct Shared {
    /// Those that get requests: immutable, replaced as a whole.
    ready: ArcSwap<Vec<Arc<Member>>>,
    all: Mutex<Vec<Arc<Member>>>,
    pub(super) check: HealthCheck,
    protocol: Protocol,
    /// Why a name is not resolved.
    unresolved: Mutex<Vec<(Arc<str>, String)>>,
    /// How many names were never tried yet.
    pending: AtomicUsize,
    /// Told whenever `pending` or `ready` change.
    changed: watch::Sender<()>,
    resolvers: Mutex<Vec<AbortHandle>>,
}

/// Makes [`Backends`]; see [`Backends::builder`].
#[derive(Clone, Debug)]
#[must_use]
pub struct BackendsBuilder {
    destinations: Vec<Destination>,
    protocol: Protocol,
    check: HealthCheck,
}

impl BackendsBuilder {
    /// What is spoken with the app. Defaults to [`Protocol::Http1`].
    pub fn protocol(mut self, protocol: Protocol) -> Self {
        self.protocol = protocol;
        self
    }

    /// How is found out whether an address is well, and how often names are resolved. Defaults to [`HealthCheck::new`].
    pub fn health_check(mut self, check: HealthCheck) -> Self {
        self.check = check;
        self
    }

    /// Begins to look after the addresses, and to resolve the names. A name that does not resolve is no error: the log
    /// and the [status](Backends::status) tell, and it is tried on.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime.
    pub fn build(self) -> io::Result<Backends> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let (names, addresses): (Vec<_>, Vec<_>) = self
            .destinations
            .into_iter()
            .partition(|one| matches!(one, Destination::Name { .. }));
        let shared = Arc::new(Shared {
            ready: ArcSwap::default(),
            all: Mutex::default(),
            check: self.check,
            protocol: self.protocol,
            unresolved: Mutex::default(),
            pending: AtomicUsize::new(names.len()),
            changed: watch::Sender::new(()),
            resolvers: Mutex::default(),
        });
        for destination in addresses {
            let origin: Arc<str> = destination.to_string().into();
            if let Some(address) = address(&destination) {
                shared.settle(&runtime, &origin, vec![address]);
            }
        }
        for name in names {
            let task = resolve::keep(name, Arc::downgrade(&shared));
            let task = runtime.spawn(task).abort_handle();
            lock(&shared.resolvers).push(task);
        }
        Ok(Backends { shared })
    }
}

impl Backends {
    /// An app at `destinations`, which nobody here starts or stops.
    pub fn builder(destinations: impl IntoIterator<Item = Destination>) -> BackendsBuilder {
        BackendsBuilder {
            destinations: destinations.into_iter().collect(),
            protocol: Protocol::default(),
            check: HealthCheck::new(),
        }
    }

    /// The right to forward one request to whichever address has little to do, if any is up.
    #[must_use]
    pub fn try_lease(&self) -> Option<Lease> {
        let ready = self.shared.ready.load();
        let load = |place: usize| ready.get(place).map_or(0, |one| one.backend.in_flight());
        let member = ready.get(choose(ready.len(), random(), load)?)?;
        Some(self.shared.lease(member))
    }

    /// The same, after a wait for names that were never resolved yet.
    ///
    /// # Errors
    ///
    /// When no address is up.
    pub async fn lease(&self) -> Result<Lease, Error> {
        let mut changed = self.shared.changed.subscribe();
        loop {
            if let Some(lease) = self.try_lease() {
                return Ok(lease);
            }
            if self.shared.pending.load(Ordering::Acquire) == 0 {
                return Err(self.shared.nobody());
            }
            // The sender is this group's own.
            let _ = changed.changed().await;
        }
    }

    /// The requests under way, tunnels included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        let all = lock(&self.shared.all);
        all.iter().map(|member| member.backend.in_flight()).sum()
    }

    /// How each address is, and each name that has none.
    #[must_use]
    pub fn status(&self) -> Vec<BackendStatus> {
        let all = lock(&self.shared.all);
        let known = all.iter().map(|member| BackendStatus::of(member));
        let unresolved = lock(&self.shared.unresolved);
        let unresolved = unresolved
            .iter()
            .filter(|(name, _)| !all.iter().any(|member| member.is_of(name)))
            .map(|(name, why)| BackendStatus::unresolved(name, why));
        known.chain(unresolved).collect()
    }
}

impl Shared {
    fn lease(self: &Arc<Self>, member: &Member) -> Lease {
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
    fn nobody(&self) -> Error {
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

/// That of a destination which is no name.
fn address(destination: &Destination) -> Option<Address> {
    match destination {
        Destination::Tcp(address) => Some(Address::Tcp(*address)),
        #[cfg(unix)]
        Destination::Unix(path) => Some(Address::Unix(path.clone())),
        Destination::Name { .. } => None,
    }
}

/// A group that may be gone.
pub(super) type Group = Weak<Shared>;

/// How long a look for the addresses of a name may take.
pub(super) const RESOLVE_LIMIT: Duration = Duration::from_secs(10);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends")
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
