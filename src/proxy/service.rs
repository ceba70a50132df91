//! Forwards a request, from the head that came in to the body that goes out.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header::UPGRADE, request};
use hyper::{body::Incoming, upgrade::OnUpgrade};
use tracing::debug;

use super::{
    backend::{Backend, Forward, Lease},
    body::{Body, Exchange},
    options::ProxyOptions,
    request::{Asked, Sender},
    response::{self, Client},
    upgrade::Tunnels,
    upload::{RequestBody, Upload},
    upstream::{Failure, Upstream},
};
use crate::error::{BoxError, Error};

/// Forwards requests to an app; see the [module](super).
///
/// Cheap to clone; every clone has the same tunnels.
#[derive(Clone, Debug, Default)]
pub struct Proxy {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    options: ProxyOptions,
    tunnels: Tunnels,
}

impl Proxy {
    /// A proxy with the default [`ProxyOptions`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A proxy that does what `options` say.
    #[must_use]
    pub fn with_options(options: ProxyOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                tunnels: Tunnels::default(),
            }),
        }
    }

    /// The connections that became WebSockets: to be waited for, or closed, when the front stops.
    #[must_use]
    pub fn tunnels(&self) -> &Tunnels {
        &self.shared.tunnels
    }

    /// Forwards a request, as [`call`](tower_service::Service::call) does, but without a box around the future.
    ///
    /// Dropping the future breaks the exchange with the app off, at once.
    ///
    /// # Errors
    ///
    /// Whatever kept the app from answering. What breaks after the head of the answer is an error of its body.
    pub async fn forward<B>(&self, forward: Forward<B>) -> Result<Response<Body>, Error>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Forward {
            lease,
            connection,
            request,
        } = forward;
        let (mut parts, body) = request.into_parts();
        let (mut body, upload) = RequestBody::new(body);
        let client = Client {
            version: parts.version,
            hears_close: self.shared.options.forward_response_connection_header,
        };
        // Only a front that can hand its connection over can be asked for a tunnel.
        let tunnel = parts.headers.contains_key(UPGRADE) && upload.is_none();
        let tunnel = tunnel
            .then(|| parts.extensions.remove::<OnUpgrade>())
            .flatten();
        let sender = Sender {
            connection: &connection,
            token: lease.backend().token(),
            options: &self.shared.options,
        };
        let asked = super::request::rewrite(&mut parts, tunnel.is_some(), sender)?;
        super::request::frame(&mut parts, asked, http_body::Body::size_hint(&body).exact());
        parts.extensions.clear();
        let request = self
            .expectant(parts, &mut body, asked, upload.is_some())
            .map(|()| body);
        match tunnel.filter(|_| asked.upgrade) {
            Some(tunnel) => self.upgrade(lease, request, client, tunnel).await,
            None => self.exchange(lease, request, upload, client).await,
        }
    }

    /// `parts` as a request, whose `body` waits for the app's `100 Continue` where the client does.
    ///
    /// A front on hyper says it to the client when the body is first asked for, which is then.
    fn expectant(
        &self,
        parts: request::Parts,
        body: &mut RequestBody,
        asked: Asked,
        has_body: bool,
    ) -> Request<()> {
        let mut request = Request::from_parts(parts, ());
        if asked.expect && has_body {
            let opener = body.hold(self.shared.options.continue_timeout);
            hyper::ext::on_informational(&mut request, move |head| {
                if head.status() == StatusCode::CONTINUE {
                    opener.open();
                }
            });
        }
        request
    }

    async fn exchange(
        &self,
        lease: Lease,
        request: Request<RequestBody>,
        upload: Option<Upload>,
        client: Client,
    ) -> Result<Response<Body>, Error> {
        let (answer, upstream) = self.send(lease.backend(), request, upload.as_ref()).await?;
        if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::backend(
                "it switches protocols, which nobody asked for",
            ));
        }
        let exchange = Exchange {
            lease,
            upstream,
            // Who answers before it was asked whole may leave the rest unread, in the way of the next request.
            reusable: upload.as_ref().is_none_or(Upload::is_done),
            upload,
            limit: self.shared.options.request_timeout,
            paused: None,
        };
        let (mut parts, body) = answer.into_parts();
        response::rewrite(&mut parts, client);
        Ok(Response::from_parts(parts, Body::new(body, exchange)))
    }

    /// Sends `request` on a connection that is at hand, or else on a new one.
    async fn send(
        &self,
        backend: &Backend,
        mut request: Request<RequestBody>,
        upload: Option<&Upload>,
    ) -> Result<(Response<Incoming>, Upstream), Error> {
        let limit = self.shared.options.request_timeout;
        let mut again = true;
        loop {
            let reused = if again {
                Upstream::reuse(backend).await
            } else {
                None
            };
            let mut upstream = match reused {
                Some(upstream) => upstream,
                None => self.dial(backend, false).await?,
            };
            let spare = if upstream.is_reused() {
                Spare::of(&request, upload)
            } else {
                None
            };
            match (upstream.send(request, upload, limit).await, spare) {
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

    async fn dial(&self, backend: &Backend, upgrades: bool) -> Result<Upstream, Error> {
        Upstream::dial(backend, self.shared.options.connect_timeout, upgrades).await
    }

    /// Asks the app for a tunnel, on a connection of its own that nobody uses after it.
    async fn upgrade(
        &self,
        lease: Lease,
        request: Request<RequestBody>,
        client: Client,
        tunnel: OnUpgrade,
    ) -> Result<Response<Body>, Error> {
        let mut upstream = self.dial(lease.backend(), true).await?;
        let limit = self.shared.options.request_timeout;
        let answer = upstream.send(request, None, limit).await;
        let answer = answer.map_err(|failure| failed(failure, None))?;
        let (mut parts, body) = answer.into_parts();
        if parts.status != StatusCode::SWITCHING_PROTOCOLS {
            response::rewrite(&mut parts, client);
            let exchange = Exchange {
                lease,
                upstream,
                reusable: false,
                upload: None,
                limit,
                paused: None,
            };
            return Ok(Response::from_parts(parts, Body::new(body, exchange)));
        }
        let app = parts.extensions.remove::<OnUpgrade>();
        let Some(app) = app.filter(|_| response::agrees(&parts.headers)) else {
            return Err(Error::backend(
                "it switches to a protocol that nobody asked for",
            ));
        };
        response::switch(&mut parts, client);
        upstream.detach();
        self.shared.tunnels.open(tunnel, app, lease);
        Ok(Response::from_parts(parts, Body::empty()))
    }
}

/// What is needed to send a request again: all of one without a body, whose method says that twice is as good as once.
struct Spare {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Spare {
    fn of(request: &Request<RequestBody>, upload: Option<&Upload>) -> Option<Self> {
        let spare = upload.is_none() && request.method().is_idempotent();
        spare.then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    fn into_request(self) -> Request<RequestBody> {
        let mut request = Request::new(RequestBody::empty());
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = self.headers;
        request
    }
}

fn failed(failure: Failure, upload: Option<&Upload>) -> Error {
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
