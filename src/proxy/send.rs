//! Sends a request on whatever connection there is, and again where that is safe.

use http::{HeaderName, HeaderValue, Method, Request, Response, Uri};
use hyper::body::Incoming;
use tracing::debug;

use super::{
    backend::Backend,
    options::ProxyOptions,
    upload::{RequestBody, Upload},
    upstream::{Failure, Upstream},
};
use crate::error::Error;

/// Sends `request` on a connection that is at hand, or else on a new one, and waits for the head of the answer.
///
/// What was never sent is sent on the next connection. What was, but got no answer on a connection that had been at
/// hand, is tried once more on a new one if that is safe.
pub(super) async fn send(
    backend: &Backend,
    mut request: Request<RequestBody>,
    upload: Option<&Upload>,
    options: &ProxyOptions,
) -> Result<(Response<Incoming>, Upstream), Error> {
    let mut again = true;
    loop {
        let mut upstream = connect(backend, again, options).await?;
        let spare = upstream
            .is_reused()
            .then(|| Spare::of(&request, upload))
            .flatten();
        let sent = upstream.send(request, upload, options.request_timeout);
        match (sent.await, spare) {
            (Ok(answer), _) => return Ok((answer, upstream)),
            // The app had closed it, and not a byte was sent.
            (Err(Failure::Unsent(unsent, _)), _) if upstream.is_reused() => request = *unsent,
            // The app closed it while the request was on its way: RFC 9110, 9.2.2 allows another try.
            (Err(Failure::Closed(error)), Some(spare)) => {
                debug!(%error, "Request sent again");
                request = spare.into_request();
                again = false;
            }
            (Err(failure), _) => return Err(failed(failure, upload)),
        }
    }
}

/// A connection: one that is at hand, if it may be.
async fn connect(
    backend: &Backend,
    reuse: bool,
    options: &ProxyOptions,
) -> Result<Upstream, Error> {
    if reuse && let Some(upstream) = Upstream::reuse(backend).await {
        return Ok(upstream);
    }
    // In a box, because it is seldom and large: it would make every request's future as large.
    Box::pin(Upstream::dial(backend, options.connect_timeout, false)).await
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
