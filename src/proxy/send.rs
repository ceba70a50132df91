//! Sends a request on whatever connection there is, and again where that is safe.

use std::mem;

use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use tracing::debug;

use super::{
    backend::{Backend, Lease},
    options::ProxyOptions,
    upload::{RequestBody, Upload},
    upstream::{Failure, Upstream},
    user::User,
};
use crate::{error::Error, headers::MS_ASPNETCORE_TOKEN};

/// How often a request may move to another process: one that dies as soon as it listens must not keep it for ever.
const MOVES: u8 = 3;

/// A request on its way to a process: which one, and how often it may still move.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) lease: Lease,
    pub(super) request: Request<RequestBody>,
    moves: u8,
    /// The process that may have taken it, and closed the connection instead of an answer.
    taken_by: Option<Backend>,
    user: User,
}

impl Errand {
    pub(super) const fn new(lease: Lease, request: Request<RequestBody>, user: User) -> Self {
        Self {
            lease,
            request,
            moves: MOVES,
            taken_by: None,
            user,
        }
    }

    /// Opens a connection to the process, or to another one where it takes none.
    pub(super) async fn dial(
        &mut self,
        options: &ProxyOptions,
        upgrades: bool,
    ) -> Result<Upstream, Error> {
        loop {
            let backend = self.lease.backend();
            match Upstream::dial(backend, options.connect_timeout, upgrades).await {
                Err(error) if error.is_unconnected() => self.go_elsewhere(error, options).await?,
                dialled => return dialled,
            }
        }
    }

    /// Moves on from a process that is gone, or else ends in `error`.
    async fn go_elsewhere(&mut self, error: Error, options: &ProxyOptions) -> Result<(), Error> {
        let allowed = self.taken_by.is_none() || options.retry;
        let Some(moves) = self.moves.checked_sub(1).filter(|_| allowed) else {
            return Err(error);
        };
        self.moves = moves;
        debug!(%error, backend.addr = %self.lease.backend().address(), "Request moved");
        match self.lease.renew().await {
            Some(Ok(lease)) => {
                self.take(lease);
                Ok(())
            }
            // Nobody else took it either: the first reason says more.
            Some(Err(renewal)) if !renewal.is_unconnected() => Err(renewal),
            Some(Err(_)) | None => Err(error),
        }
    }

    /// Goes on under `lease`, whose process knows another secret.
    fn take(&mut self, lease: Lease) {
        let headers = self.request.headers_mut();
        match lease.backend().token() {
            Some(token) => headers.insert(MS_ASPNETCORE_TOKEN, token.header_value().clone()),
            None => headers.remove(MS_ASPNETCORE_TOKEN),
        };
        self.lease = lease;
    }

    /// Tells the process who the user is: right before the request is sent there.
    pub(super) fn introduce(&mut self) -> Result<(), Error> {
        let headers = self.request.headers_mut();
        self.user.introduce(self.lease.backend(), headers)
    }

    /// A connection: one that is at hand, unless one such has failed.
    async fn connect(&mut self, options: &ProxyOptions) -> Result<Upstream, Error> {
        if self.taken_by.is_none()
            && let Some(upstream) = Upstream::reuse(self.lease.backend()).await
        {
            return Ok(upstream);
        }
        // In a box, because it is seldom and large: it would make every request's future as large.
        Box::pin(self.dial(options, false)).await
    }

    /// Whether the request may be sent once more if `upstream` closes instead of an answer.
    ///
    /// A connection that was at hand may have been closed before the request came, so the same process is asked again.
    /// One that closes a new connection is about to end, and a second process may be asked, but never a third: what
    /// two have died of is not for another one.
    fn may_retry(&self, upstream: &Upstream, options: &ProxyOptions) -> bool {
        let elsewhere = options.retry && self.lease.is_renewable();
        match &self.taken_by {
            None => upstream.is_reused() || elsewhere,
            Some(process) => elsewhere && process.is(self.lease.backend()),
        }
    }
}

/// Sends a request on a connection that is at hand, or else on a new one, and waits for the head of the answer.
///
/// What was never sent is sent on the next connection, to another process if need be. What was, but got no answer, is
/// sent again if that is safe: see [`Errand::may_retry`].
pub(super) async fn send(
    mut errand: Errand,
    upload: Option<&Upload>,
    options: &ProxyOptions,
) -> Result<(Lease, Response<Incoming>, Upstream), Error> {
    loop {
        let mut upstream = errand.connect(options).await?;
        errand.introduce()?;
        let may_retry = errand.may_retry(&upstream, options);
        let request = mem::replace(&mut errand.request, Request::new(RequestBody::empty()));
        let spare = may_retry.then(|| Spare::of(&request, upload)).flatten();
        let sent = upstream.send(request, upload, options.request_timeout);
        let error = match (sent.await, spare) {
            (Ok(answer), _) => return Ok((errand.lease, answer, upstream)),
            // Not a byte was sent: the app had closed the connection, or closed it as soon as it stood.
            (Err(Failure::Unsent(unsent, error)), _) => {
                errand.request = *unsent;
                error
            }
            // The app closed it while the request was on its way: RFC 9110, 9.2.2 allows another try.
            (Err(Failure::Closed(error)), Some(spare)) => {
                debug!(%error, "Request sent again");
                errand.request = spare.into_request();
                errand.taken_by = Some(errand.lease.backend().clone());
                error
            }
            (Err(failure), _) => return Err(failed(failure, upload)),
        };
        if !upstream.is_reused() {
            drop(upstream);
            // In a box, for the same reason as a dial.
            Box::pin(errand.go_elsewhere(Error::backend(error), options)).await?;
        }
    }
}

/// What `failure` is to whoever asked.
pub(super) fn failed(failure: Failure, upload: Option<&Upload>) -> Error {
    match failure {
        Failure::Stalled => Error::timeout("answer"),
        Failure::Unsent(_, error) | Failure::Closed(error) | Failure::Broken(error) => {
            if upload.is_some_and(Upload::is_broken) {
                Error::client_gone(error)
            } else {
                Error::backend(error)
            }
        }
    }
}

/// What is needed to send a request again: all of one without a body, whose method says that twice is as good as once.
struct Spare {
    method: Method,
    uri: Uri,
    /// A list costs half of what a map does, and is seldom needed.
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Spare {
    fn of(request: &Request<RequestBody>, upload: Option<&Upload>) -> Option<Self> {
        let spare = upload.is_none() && request.method().is_idempotent();
        spare.then(|| {
            let mut headers = Vec::with_capacity(request.headers().len());
            let fields = request.headers().iter();
            headers.extend(fields.map(|(name, value)| (name.clone(), value.clone())));
            Self {
                method: request.method().clone(),
                uri: request.uri().clone(),
                headers,
            }
        })
    }

    fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        request
    }
}
