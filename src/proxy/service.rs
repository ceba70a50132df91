//! Forwards a request, from the head that came in to the body that goes out.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode, header::UPGRADE, request};
use hyper::{body::Incoming, upgrade::OnUpgrade};

use super::{
    backend::{Forward, Lease},
    body::{Body, Exchange},
    options::ProxyOptions,
    request::{Asked, Sender, frame, rewrite},
    response::{self, Client},
    send::{Errand, failed, send},
    upgrade::Tunnels,
    upload::{RequestBody, Upload},
};
use crate::{
    Connection,
    error::{BoxError, Error},
};

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

    /// A proxy that does what `options` say, and has the same tunnels as this one.
    ///
    /// Requests under way go on as they began.
    #[must_use]
    pub fn reconfigured(&self, options: ProxyOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                options,
                tunnels: self.tunnels().clone(),
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
        let prepared = self.prepare(&lease, &connection, request)?;
        let (request, upload, client) = (prepared.request, prepared.upload, prepared.client);
        if let Some(tunnel) = prepared.tunnel {
            // In a box, because it is seldom and large: it would make every request's future as large.
            return Box::pin(self.upgrade(lease, request, client, tunnel)).await;
        }
        let options = &self.shared.options;
        let errand = Errand::new(lease, request);
        let (lease, answer, upstream) = send(errand, upload.as_ref(), options).await?;
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
            limit: options.request_timeout,
            paused: None,
        };
        Ok(answered(answer, client, exchange))
    }

    /// What the app gets, and what has to be remembered meanwhile.
    fn prepare<B>(
        &self,
        lease: &Lease,
        connection: &Connection,
        request: Request<B>,
    ) -> Result<Prepared, Error>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let (mut parts, body) = request.into_parts();
        let (mut body, upload) = RequestBody::new(body);
        let client = Client {
            version: parts.version,
            hears_close: self.shared.options.forward_response_connection_header,
        };
        // Only a front that can hand its connection over can be asked for a tunnel.
        let upgrade = (parts.headers.contains_key(UPGRADE) && upload.is_none())
            .then(|| parts.extensions.remove::<OnUpgrade>())
            .flatten();
        let sender = Sender {
            connection,
            token: lease.backend().token(),
            options: &self.shared.options,
        };
        let asked = rewrite(&mut parts, upgrade.is_some(), sender)?;
        frame(&mut parts, asked, http_body::Body::size_hint(&body).exact());
        #[cfg(feature = "sealed")]
        super::request::vouch(&mut parts, lease.backend().token());
        parts.extensions.clear();
        let request = self.expectant(parts, &mut body, asked, upload.is_some());
        Ok(Prepared {
            request: request.map(|()| body),
            upload,
            client,
            tunnel: upgrade.filter(|_| asked.upgrade),
        })
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

    /// Asks the app for a tunnel, on a connection of its own that nobody uses after it.
    async fn upgrade(
        &self,
        lease: Lease,
        request: Request<RequestBody>,
        client: Client,
        tunnel: OnUpgrade,
    ) -> Result<Response<Body>, Error> {
        let options = &self.shared.options;
        let limit = options.request_timeout;
        let mut errand = Errand::new(lease, request);
        let mut upstream = errand.dial(options, true).await?;
        let Errand { lease, request, .. } = errand;
        let answer = upstream.send(request, None, limit).await;
        let answer = answer.map_err(|failure| failed(failure, None))?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let exchange = Exchange {
                lease,
                upstream,
                reusable: false,
                upload: None,
                limit,
                paused: None,
            };
            return Ok(answered(answer, client, exchange));
        }
        let (mut parts, _) = answer.into_parts();
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

/// A request that can be sent.
struct Prepared {
    request: Request<RequestBody>,
    /// How its body is getting on, where it has one.
    upload: Option<Upload>,
    client: Client,
    /// The client's side of the tunnel that is asked for.
    tunnel: Option<OnUpgrade>,
}

fn answered(answer: Response<Incoming>, client: Client, exchange: Exchange) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    response::rewrite(&mut parts, client);
    Response::from_parts(parts, Body::new(body, exchange))
}
