//! Where to forward to.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::sync::Notify;

use super::{
    address::{Address, Owner},
    h2c::Links,
    instance::Instance,
    lease::Lease,
    pool::Pool,
};
use crate::{PairingToken, config::Protocol};

/// One process of an app, as the proxy sees it: an address, its pairing token, the requests under way.
///
/// Cheap to clone; every clone counts the same requests.
#[derive(Clone)]
pub struct Backend {
    shared: Arc<Shared>,
}

/// The half of [`Shared::requests`] that counts the requests under way.
const UNDER_WAY: u64 = u32::MAX as u64;
/// One in each half.
const ONE_MORE: u64 = (1 << 32) + 1;

struct Shared {
    address: Address,
    token: Option<PairingToken>,
    owner: Option<Arc<dyn Owner>>,
    #[cfg_attr(
        not(all(unix, feature = "in-process")),
        allow(dead_code, reason = "there are no workers")
    )]
    is_worker: bool,
    /// In the lower half the requests under way, in the upper half all that there have been: one counter, so that a
    /// lease costs one atomic operation. What overflows the upper half is lost, and the lower half is never full.
    requests: AtomicU64,
    drained: Notify,
    pool: Arc<Pool>,
    /// Its connections, where HTTP/2 is spoken.
    links: Option<Arc<Links>>,
    /// Random: a name for the process that says nothing about it.
    mark: u64,
}

impl Backend {
    /// A backend at a fixed address, which nobody supervises and to which no token is sent.
    #[must_use]
    pub fn fixed(address: Address) -> Self {
        Self::make(address, None, None, false)
    }

    /// A process of ours: `token` is sent with each request, but only while `owner` says that the listener is its own.
    #[must_use]
    pub fn paired(address: Address, token: PairingToken, owner: Option<Arc<dyn Owner>>) -> Self {
        Self::make(address, Some(token), owner, false)
    }

    /// A worker of ours, on a socket of ours: it is told of the client's connection what no other app is.
    #[cfg(all(unix, feature = "in-process"))]
    pub(crate) fn worker(address: Address, token: PairingToken) -> Self {
        Self::make(address, Some(token), None, true)
    }

    fn make(
        address: Address,
        token: Option<PairingToken>,
        owner: Option<Arc<dyn Owner>>,
        is_worker: bool,
    ) -> Self {
        let (requests, drained) = (AtomicU64::new(0), Notify::new());
        Self {
            shared: Arc::new(Shared {
                address,
                token,
                owner,
                is_worker,
                requests,
                drained,
                pool: Pool::new(),
                links: None,
                mark: getrandom::u64().unwrap_or_default(),
            }),
        }
    }

    /// The same backend, spoken to in `protocol`. Defaults to [`Protocol::Http1`].
    ///
    /// To be said before there is a clone or a lease of it; after that, it is another backend at the same address.
    #[must_use]
    pub fn speaking(mut self, protocol: Protocol) -> Self {
        if Arc::get_mut(&mut self.shared).is_none() {
            let Shared {
                address,
                token,
                owner,
                is_worker,
                ..
            } = &*self.shared;
            self = Self::make(address.clone(), token.clone(), owner.clone(), *is_worker);
        }
        if let Some(shared) = Arc::get_mut(&mut self.shared) {
            shared.links = match protocol {
                Protocol::Http1 => None,
                Protocol::H2c => Some(Arc::default()),
            };
        }
        self
    }

    /// What is spoken with it.
    #[must_use]
    pub fn protocol(&self) -> Protocol {
        match self.shared.links {
            None => Protocol::Http1,
            Some(_) => Protocol::H2c,
        }
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.shared.address
    }

    /// The app, where it runs in this process.
    pub(crate) fn instance(&self) -> Option<&Instance> {
        match self.address() {
            Address::InProcess(instance) => Some(instance),
            Address::Tcp(_) => None,
            #[cfg(unix)]
            Address::Unix(_) => None,
        }
    }

    /// Whether it is a worker, which hosts the app in process.
    #[cfg(all(unix, feature = "in-process"))]
    pub(super) fn is_worker(&self) -> bool {
        self.shared.is_worker
    }

    /// The secret that goes with each request.
    #[must_use]
    pub fn token(&self) -> Option<&PairingToken> {
        self.shared.token.as_ref()
    }

    /// The requests under way, tunnels included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        (self.shared.requests.load(Ordering::Acquire) & UNDER_WAY) as usize
    }

    /// The requests that there have been, those under way included; modulo 2^32.
    pub(crate) fn requests(&self) -> u32 {
        (self.shared.requests.load(Ordering::Relaxed) >> 32) as u32
    }

    /// The right to forward one request here.
    #[must_use]
    pub fn lease(&self) -> Lease {
        self.shared.requests.fetch_add(ONE_MORE, Ordering::AcqRel);
        Lease::new(self.clone())
    }

    /// A request is no longer under way.
    pub(super) fn let_go(&self) {
        let requests = &self.shared.requests;
        if requests.fetch_sub(1, Ordering::AcqRel) & UNDER_WAY == 1 {
            self.shared.drained.notify_waiters();
        }
    }

    /// Its name among the processes of an app, for a client.
    pub(crate) fn mark(&self) -> u64 {
        self.shared.mark
    }

    /// Whether `other` is the same process.
    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// Waits until no request is under way. Cancel safe.
    pub async fn drained(&self) {
        loop {
            let notified = self.shared.drained.notified();
            if self.in_flight() == 0 {
                return;
            }
            notified.await;
        }
    }

    /// Its connections that carry no request.
    pub(super) fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    /// Its connections, where HTTP/2 is spoken.
    pub(super) fn links(&self) -> Option<&Arc<Links>> {
        self.shared.links.as_ref()
    }

    /// Whether somebody has to be asked whose the listener is.
    pub(super) fn has_owner(&self) -> bool {
        self.shared.owner.is_some()
    }

    /// Gives the app a user's token, where somebody knows which process is the app.
    #[cfg(windows)]
    pub(super) fn give_token(
        &self,
        token: std::os::windows::io::BorrowedHandle<'_>,
    ) -> std::io::Result<u32> {
        let owner = self.shared.owner.as_ref();
        let owner = owner.ok_or(std::io::ErrorKind::Unsupported)?;
        owner.give_token(token)
    }

    /// Whether the listener is known to be the app's own; asked anew at each call.
    pub(super) fn owns_listener(&self) -> bool {
        self.shared
            .owner
            .as_ref()
            .is_none_or(|owner| owner.owns_listener())
    }
}

impl fmt::Debug for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backend")
            .field("address", &self.shared.address)
            .field("in_flight", &self.in_flight())
            .finish_non_exhaustive()
    }
}
