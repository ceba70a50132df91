//! Where to forward to, and the right to do so once.

use std::{
    fmt,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use http::{HeaderValue, Request};
use tokio::sync::Notify;

use super::{h2c::Links, instance::Instance, pool::Pool};
use crate::{Connection, PairingToken, config::Protocol, error::Error};

/// Where an app listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(std::path::PathBuf),
    /// Nowhere: the app runs in this process.
    InProcess(Instance),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
            Self::InProcess(_) => f.write_str("in process"),
        }
    }
}

/// Tells whether the listener at a backend's address is still the app's own.
///
/// Asked after each dial and before the pairing token is sent, so that a stranger who took the port never sees it.
pub trait Owner: Send + Sync {
    /// Whether the app owns the listener now.
    fn owns_listener(&self) -> bool;

    /// Copies a user's token, with all that its handle may do, into the process that listens; the number that the
    /// copy has there, which is that process's to close.
    ///
    /// # Errors
    ///
    /// When the token can't be copied; in any case, unless it is implemented.
    #[cfg(windows)]
    fn give_token(&self, token: std::os::windows::io::BorrowedHandle<'_>) -> std::io::Result<u32> {
        let _ = token;
        Err(std::io::ErrorKind::Unsupported.into())
    }
}

/// Finds another process for a request that the first one can take no more.
pub trait Renew: Send + Sync {
    /// A lease of another process than `gone`, as soon as there is one.
    ///
    /// # Errors
    ///
    /// When none comes in time, or none can be started.
    fn renew(self: Arc<Self>, gone: Backend) -> Renewal;

    /// Told that no connection to `backend` could be opened, and why; whether another one may be asked even where that
    /// only took too long. Defaults to `false`: one that is slow is not gone.
    fn failed(&self, backend: &Backend, error: &Error) -> bool {
        let _ = (backend, error);
        false
    }
}

/// The future of [`Renew::renew`].
pub type Renewal = Pin<Box<dyn Future<Output = Result<Lease, Error>> + Send>>;

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
    pool: Pool,
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
        Lease {
            backend: self.clone(),
            renew: None,
            cookie: None,
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

/// The right to use a backend for one request; ends when it is dropped.
///
/// It rides in the response's body, or in the tunnel that an upgrade became.
pub struct Lease {
    backend: Backend,
    renew: Option<Arc<dyn Renew>>,
    /// In a box: most leases have none.
    cookie: Option<Box<HeaderValue>>,
}

impl Lease {
    /// Where the request goes.
    #[must_use]
    pub fn backend(&self) -> &Backend {
        &self.backend
    }

    /// The same lease, for which `renew` finds another one if its process is gone before it took the request.
    #[must_use]
    pub fn renewed_by(mut self, renew: Arc<dyn Renew>) -> Self {
        self.renew = Some(renew);
        self
    }

    /// The same lease, whose answer sets `cookie`.
    pub(crate) fn with_cookie(mut self, cookie: Option<HeaderValue>) -> Self {
        self.cookie = cookie.map(Box::new);
        self
    }

    /// What the answer is to say in `Set-Cookie`, beside what the app says.
    pub(super) fn take_cookie(&mut self) -> Option<HeaderValue> {
        self.cookie.take().map(|cookie| *cookie)
    }

    /// Whether another process can take the request.
    pub(super) fn is_renewable(&self) -> bool {
        self.renew.is_some()
    }

    /// Whoever can find another process is told that this one took no connection; whether it is to be asked for one
    /// whatever the reason was.
    pub(super) fn failed(&self, error: &Error) -> bool {
        let renew = self.renew.as_ref();
        renew.is_some_and(|renew| renew.failed(&self.backend, error))
    }

    /// Another lease in place of this one, if there is anybody to ask for it.
    pub(super) async fn renew(&self) -> Option<Result<Self, Error>> {
        let renew = Arc::clone(self.renew.as_ref()?);
        Some(renew.renew(self.backend.clone()).await)
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lease")
            .field("backend", &self.backend)
            .field("renewable", &self.is_renewable())
            .finish()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let shared = &self.backend.shared;
        if shared.requests.fetch_sub(1, Ordering::AcqRel) & UNDER_WAY == 1 {
            shared.drained.notify_waiters();
        }
    }
}

/// A request and where it goes: what the proxy takes, and what only a supervisor (or the owner of a fixed backend) can make.
#[derive(Debug)]
#[non_exhaustive]
pub struct Forward<B> {
    /// Where it goes.
    pub lease: Lease,
    /// The client's connection.
    pub connection: Connection,
    /// The request as the front received it.
    pub request: Request<B>,
}

impl<B> Forward<B> {
    /// `request` of `connection`, to be forwarded under `lease`.
    #[must_use]
    pub const fn new(lease: Lease, connection: Connection, request: Request<B>) -> Self {
        Self {
            lease,
            connection,
            request,
        }
    }
}
