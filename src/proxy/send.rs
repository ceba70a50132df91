//! Sends a request on whatever connection there is, and again where that is safe.

use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use tracing::debug;

use super::{
    backend::Lease,
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
    user: User,
}

impl Errand {
    pub(super) const fn new(lease: Lease, request: Request<RequestBody>, user: User) -> Self {
        Self {
            lease,
            request,
            moves: MOVES,
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
                Err(error) if error.is_unconnected() && self.moves > 0 => {
                    self.moves -= 1;
                    debug!(%error, backend.addr = %backend.address(), "Request moved");
                    let renewed = self.lease.renew().await;
                    self.take(renewed.ok_or(error)??);
                }
                dialled => return dialled,
            }
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

    /// A connection: one that is at hand, if it may be.
    async fn connect(&mut self, reuse: bool, options: &ProxyOptions) -> Result<Upstream, Error> {
        if reuse && let Some(upstream) = Upstream::reuse(self.lease.backend()).await {
            return Ok(upstream);
        }
        // In a box, because it is seldom and large: it would make every request's future as large.
        Box::pin(self.dial(options, false)).await
    }
}

/// Sends a request on a connection that is at hand, or else on a new one, and waits for the head of the answer.
///
/// What was never sent is sent on the next connection, to another process if need be. What was, but got no answer, is
/// tried once more if that is safe and the connection had been at hand, or the process is one of several.
pub(super) async fn send(
    mut errand: Errand,
    upload: Option<&Upload>,
    options: &ProxyOptions,
) -> Result<(Lease, Response<Incoming>, Upstream), Error> {
    let mut again = true;
    loop {
        let mut upstream = errand.connect(again, options).await?;
        errand.introduce()?;
        let Errand {
            lease,
            request,
            moves,
            user,
        } = errand;
        let may_retry = again && (upstream.is_reused() || (options.retry && lease.is_renewable()));
        let spare = may_retry.then(|| Spare::of(&request, upload)).flatten();
        let sent = upstream.send(request, upload, options.request_timeout);
        let request = match (sent.await, spare) {
            (Ok(answer), _) => return Ok((lease, answer, upstream)),
            // The app had closed it, and not a byte was sent.
            (Err(Failure::Unsent(unsent, _)), _) if upstream.is_reused() => *unsent,
            // The app closed it while the request was on its way: RFC 9110, 9.2.2 allows another try.
            (Err(Failure::Closed(error)), Some(spare)) => {
                debug!(%error, "Request sent again");
                again = false;
                spare.into_request()
            }
            (Err(failure), _) => return Err(failed(failure, upload)),
        };
        errand = Errand {
            lease,
            request,
            moves,
            user,
        };
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
