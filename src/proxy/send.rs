//! Sends a request on whatever connection there is, and again where that is safe.

use http::{Request, Response};
use tracing::debug;

use super::{
    backend::Lease,
    dial::dial,
    io::Io,
    options::ProxyOptions,
    upload::{Opener, RequestBody, Upload},
    wire::{Failure, Wire},
};
use crate::{
    error::{BoxError, Error},
    headers::MS_ASPNETCORE_TOKEN,
};

/// How often a request may move to another process: one that dies as soon as it listens must not keep it for ever.
const MOVES: u8 = 3;

/// A request on its way to a process: which one, and how often it may still move.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) lease: Lease,
    pub(super) request: Request<RequestBody>,
    /// How its body is getting on, where it has one.
    pub(super) upload: Option<Upload>,
    /// Lets the body go that waits for the app's `100 Continue`.
    pub(super) opener: Option<Opener>,
    moves: u8,
}

impl Errand {
    pub(super) const fn new(
        lease: Lease,
        request: Request<RequestBody>,
        upload: Option<Upload>,
        opener: Option<Opener>,
    ) -> Self {
        Self {
            lease,
            request,
            upload,
            opener,
            moves: MOVES,
        }
    }

    /// Opens a connection to the process, or to another one where it takes none.
    pub(super) async fn dial(&mut self, options: &ProxyOptions) -> Result<Io, Error> {
        loop {
            let backend = self.lease.backend();
            match dial(backend, options.connect_timeout).await {
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

    /// A connection: one that is at hand, if it may be.
    async fn wire(&mut self, reuse: bool, options: &ProxyOptions) -> Result<Box<Wire>, Error> {
        if reuse && let Some(wire) = Wire::reuse(self.lease.backend()) {
            return Ok(wire);
        }
        // In a box, because it is seldom and large: it would make every request's future as large.
        Box::pin(self.dial(options)).await.map(Wire::new)
    }

    /// Whether the request may be sent again where `wire` was closed without an answer: one without a body, whose
    /// method says that twice is as good as once (RFC 9110, 9.2.2).
    fn may_retry(&self, wire: &Wire, options: &ProxyOptions) -> bool {
        self.upload.is_none()
            && self.request.method().is_idempotent()
            && (wire.is_reused() || (options.retry && self.lease.is_renewable()))
    }

    /// What `error` is to whoever asked.
    fn failed(&self, error: impl Into<BoxError>) -> Error {
        if self.upload.as_ref().is_some_and(Upload::is_broken) {
            Error::client_gone(error)
        } else {
            Error::backend(error)
        }
    }
}

/// Sends a request on a connection that is at hand, or else on a new one, and waits for the head of the answer.
///
/// What was never sent is sent on the next connection, to another process if need be. What was, but got no answer, is
/// tried once more if that is safe and the connection had been at hand, or the process is one of several.
pub(super) async fn send(
    errand: &mut Errand,
    options: &ProxyOptions,
) -> Result<(Response<()>, Box<Wire>), Error> {
    let mut again = true;
    loop {
        let mut wire = errand.wire(again, options).await?;
        let (upload, opener) = (errand.upload.as_ref(), errand.opener.as_ref());
        let answer = wire.ask(&mut errand.request, upload, opener, options.request_timeout);
        match answer.await {
            Ok(answer) => return Ok((answer, wire)),
            // The app had closed it.
            Err(Failure::Unsent(_)) if wire.is_reused() => {}
            // The app closed it while the request was on its way.
            Err(Failure::Unsent(error) | Failure::Closed(error))
                if again && errand.may_retry(&wire, options) =>
            {
                debug!(%error, "Request sent again");
                again = false;
            }
            Err(Failure::Unsent(error) | Failure::Closed(error)) => {
                return Err(errand.failed(error));
            }
            Err(Failure::Broken(error)) => return Err(errand.failed(error)),
            Err(Failure::Stalled) => return Err(Error::timeout("answer")),
        }
    }
}
