//! The right to use a backend once, and who finds another one for it.

use std::{fmt, pin::Pin, sync::Arc};

use http::{HeaderValue, Request};

use super::backend::Backend;
use crate::{Connection, error::Error};

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
    /// For a request that `backend` has counted.
    pub(super) const fn new(backend: Backend) -> Self {
        Self {
            backend,
            renew: None,
            cookie: None,
        }
    }

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
        self.backend.let_go();
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
