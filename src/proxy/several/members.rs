//! Which addresses there are, and which of them get requests.

use std::sync::{Arc, Mutex, Weak};

use arc_swap::ArcSwap;
use tokio::{runtime::Handle, sync::watch};
use tracing::{error, info, warn};

use super::{
    Destination, HealthCheck,
    choose::{choose, random},
    health::{Event, Rules},
    look,
    member::{Member, lock},
    resolve::Name,
    status::BackendStatus,
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
    known: Mutex<Known>,
    settings: ArcSwap<Settings>,
    /// Told whenever `ready` or the names change.
    pub(super) changed: watch::Sender<()>,
}

/// How the addresses are looked after, and what is spoken there.
#[derive(Debug, PartialEq)]
pub(super) struct Settings {
    pub(super) check: HealthCheck,
    pub(super) protocol: Protocol,
}

/// All addresses and all names.
#[derive(Default)]
struct Known {
    members: Vec<Arc<Member>>,
    names: Vec<Name>,
}

impl Shared {
    /// A group of nobody yet.
    pub(super) fn new(check: HealthCheck, protocol: Protocol) -> Self {
        Self {
            ready: ArcSwap::default(),
            known: Mutex::default(),
            settings: ArcSwap::from_pointee(Settings { check, protocol }),
            changed: watch::Sender::new(()),
        }
    }

    pub(super) fn lease(self: &Arc<Self>, member: &Member) -> Lease {
        let renew: Arc<dyn Renew> = Arc::<Self>::clone(self);
        member.backend.lease().renewed_by(renew)
    }

    /// Where nothing is checked but what failed, one connection is proof enough.
    fn rules(&self) -> Rules {
        let HealthCheck {
            interval,
            rise,
            fall,
            ..
        } = self.settings.load().check;
        let rise = if interval.is_some() { rise } else { 1 };
        Rules { rise, fall }
    }

    /// How addresses are looked after, and what is spoken there, once they are [settled](Self::settle).
    pub(super) fn set(&self, check: HealthCheck, protocol: Protocol) {
        self.settings.store(Arc::new(Settings { check, protocol }));
    }

    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// From now on the group is at `destinations`, in one step: whoever asks for an address finds the old ones or the
    /// new ones. What stays keeps its connections, its requests and what is known of it.
    pub(super) fn settle(self: &Arc<Self>, runtime: &Handle, destinations: &[Destination]) {
        let protocol = self.settings().protocol;
        let origins: Vec<Arc<str>> = destinations.iter().map(origin).collect();
        let mut known = lock(&self.known);
        known.names.retain(|name| origins.contains(name.origin()));
        for (destination, origin) in destinations.iter().zip(&origins) {
            match address(destination) {
                Some(address) => self.join(runtime, &mut known, origin, address),
                None if known.names.iter().any(|name| name.origin() == origin) => {}
                None => known.names.push(Name::keep(runtime, destination, self)),
            }
        }
        let is_left = |member: &mut Arc<Member>| member.leave_all_but(&origins);
        let gone: Vec<_> = known.members.extract_if(.., is_left).collect();
        for member in &mut known.members {
            if member.backend.protocol() != protocol {
                let backend = Backend::fixed(member.backend.address().clone()).speaking(protocol);
                *member = self.look_after(runtime, member.replaced_by(backend));
            }
            // It may have to be looked at sooner, or otherwise.
            member.changed.notify_one();
        }
        known.names.iter().for_each(Name::hurry);
        self.publish(&known.members);
        drop(known);
        gone.iter().for_each(|member| farewell(member));
    }

    /// From now on the name `origin` has these addresses, if it is still one of the group's.
    pub(super) fn resolve(
        self: &Arc<Self>,
        runtime: &Handle,
        origin: &Arc<str>,
        addresses: Vec<Address>,
    ) {
        let mut known = lock(&self.known);
        if !known.names.iter().any(|name| name.origin() == origin) {
            return;
        }
        let is_left = |member: &mut Arc<Member>| {
            !addresses.contains(member.backend.address()) && member.leave(origin)
        };
        let gone: Vec<_> = known.members.extract_if(.., is_left).collect();
        for address in addresses {
            self.join(runtime, &mut known, origin, address);
        }
        self.publish(&known.members);
        drop(known);
        gone.iter().for_each(|member| farewell(member));
    }

    /// `origin` has this address, too.
    fn join(
        self: &Arc<Self>,
        runtime: &Handle,
        known: &mut Known,
        origin: &Arc<str>,
        address: Address,
    ) {
        let mut members = known.members.iter();
        if let Some(member) = members.find(|member| *member.backend.address() == address) {
            return member.join(origin);
        }
        info!(backend.addr = %address, backend.name = %origin, "Address is used");
        let backend = Backend::fixed(address).speaking(self.settings().protocol);
        let member = Member::new(backend, Arc::clone(origin));
        known.members.push(self.look_after(runtime, member));
    }

    fn look_after(self: &Arc<Self>, runtime: &Handle, member: Member) -> Arc<Member> {
        let member = Arc::new(member);
        let task = look::after(Arc::downgrade(&member), Arc::downgrade(self));
        member.looked_after_by(runtime.spawn(task).abort_handle());
        member
    }

    /// `origin` was tried, and can't be resolved for this reason, or can.
    pub(super) fn tried(&self, origin: &Arc<str>, problem: Option<String>) {
        let mut known = lock(&self.known);
        let mut names = known.names.iter_mut();
        if let Some(name) = names.find(|name| name.origin() == origin) {
            name.tried(problem);
        }
        drop(known);
        self.changed.send_replace(());
    }

    /// Whether there are names that were never tried yet.
    pub(super) fn is_waiting(&self) -> bool {
        lock(&self.known).names.iter().any(Name::is_new)
    }

    /// The requests under way, tunnels included.
    pub(super) fn in_flight(&self) -> usize {
        let known = lock(&self.known);
        let members = known.members.iter();
        members.map(|member| member.backend.in_flight()).sum()
    }

    /// How each address is, and each name that has none.
    pub(super) fn status(&self) -> Vec<BackendStatus> {
        let Known { members, names } = &*lock(&self.known);
        let known = members.iter().map(|member| BackendStatus::of(member));
        let has_none = |name: &&Name| !members.iter().any(|member| member.is_of(name.origin()));
        let unresolved = names.iter().filter(has_none).filter_map(|name| {
            let why = name.problem()?;
            Some(BackendStatus::unresolved(name.origin(), why))
        });
        known.chain(unresolved).collect()
    }

    /// What was learned of `member`.
    pub(super) fn tell(&self, member: &Member, event: Event, cause: Option<&str>) {
        // Under the lock, so that what is shown is what is known last.
        let known = lock(&self.known);
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
        self.publish(&known.members);
        if !known.members.iter().any(|member| member.is_up()) {
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
        let Known { members, names } = &*lock(&self.known);
        let down = members.iter().map(|member| {
            let cause = member.cause().unwrap_or_default();
            format!("{}: {cause}", member.backend.address())
        });
        let unresolved = names.iter().filter_map(|name| {
            let why = name.problem()?;
            Some(format!("{}: {why}", name.origin()))
        });
        // A handful tells enough.
        let causes: Vec<_> = down.chain(unresolved).take(4).collect();
        Error::unreachable(causes.join("; "))
    }

    fn member(&self, backend: &Backend) -> Option<Arc<Member>> {
        let known = lock(&self.known);
        let mut members = known.members.iter();
        members.find(|member| member.backend.is(backend)).cloned()
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

fn farewell(member: &Member) {
    info!(backend.addr = %member.backend.address(), "Address is not used any more");
}

/// As it was said.
fn origin(destination: &Destination) -> Arc<str> {
    destination.to_string().into()
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
