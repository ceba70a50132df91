//! Forwards a request, from the head that came in to the body that goes out.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    Request, Response, StatusCode,
    header::{SET_COOKIE, UPGRADE},
};
use hyper::upgrade::OnUpgrade;

use super::{
    backend::Forward,
    body::Body,
    driven::Driven,
    options::ProxyOptions,
    request::{Sender, frame, rewrite},
    response::{self, Client},
    send::{Errand, send},
    upgrade::Tunnels,
    upload::RequestBody,
    upstream::Upstream,
    user::User,
    wire::Answer,
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

    pub(super) fn options(&self) -> &ProxyOptions {
        &self.shared.options
    }

    /// Forwards a request, as [`call`](tower_service::Service::call) does, but without a box around the future.
    ///
    /// Dropping the future breaks the exchange with the app off, at once.
    ///
    /// # Errors
    ///
    /// Whatever kept the app from answering; an [`Instance`](super::Instance) is called, and not forwarded to. What breaks after the head of the answer is an error of its body.
    pub fn forward<B>(
        &self,
        forward: Forward<B>,
    ) -> impl Future<Output = Result<Response<Body>, Error>> + Send + use<B>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        // Here and not in the future, which is smaller so.
        let prepared = self.prepare(forward);
        let proxy = self.clone();
        async move { proxy.exchange(prepared?).await }
    }

    async fn exchange(self, prepared: Prepared) -> Result<Response<Body>, Error> {
        let Prepared {
            mut errand,
            client,
            tunnel,
        } = prepared;
        if let Some(tunnel) = tunnel {
            // In a box, because it is seldom and large: it would make every request's future as large.
            return Box::pin(self.upgrade(errand, client, tunnel)).await;
        }
        let options = &self.shared.options;
        let (answer, wire) = send(&mut errand, options).await?;
        let (mut parts, ()) = answer.into_parts();
        response::rewrite(&mut parts, client);
        if let Some(cookie) = errand.lease.take_cookie() {
            parts.headers.append(SET_COOKIE, cookie);
        }
        let body = Answer::new(wire, errand.lease, options.request_timeout);
        Ok(Response::from_parts(parts, Body::wire(body)))
    }

    /// What the app gets, and what has to be remembered meanwhile.
    fn prepare<B>(&self, forward: Forward<B>) -> Result<Prepared, Error>
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
        let upgrade = (parts.headers.contains_key(UPGRADE) && upload.is_none())
            .then(|| parts.extensions.remove::<OnUpgrade>())
            .flatten();
        let sender = Sender {
            connection: &connection,
            token: lease.backend().token(),
            options: &self.shared.options,
        };
        let asked = rewrite(&mut parts, upgrade.is_some(), sender)?;
        frame(&mut parts, asked, http_body::Body::size_hint(&body).exact());
        #[cfg(feature = "sealed")]
        super::request::vouch(&mut parts, lease.backend().token());
        parts.extensions.clear();
        // A front on hyper says `100 Continue` to its client when the body is first asked for, which is then.
        let opener = (asked.expect && upload.is_some())
            .then(|| body.hold(self.shared.options.continue_timeout));
        let request = Request::from_parts(parts, body);
        let user = User::of(&connection, &self.shared.options);
        Ok(Prepared {
            errand: Errand::new(lease, request, upload, opener, user),
            client,
            tunnel: upgrade.filter(|_| asked.upgrade),
        })
    }

    /// Asks the app for a tunnel, on a connection of its own that nobody uses after it.
    async fn upgrade(
        &self,
        mut errand: Errand,
        client: Client,
        tunnel: OnUpgrade,
    ) -> Result<Response<Body>, Error> {
        let options = &self.shared.options;
        let limit = options.request_timeout;
        let mut upstream = Upstream::new(errand.dial(options).await?).await?;
        errand.introduce()?;
        let Errand {
            mut lease, request, ..
        } = errand;
        let answer = upstream.send(request, limit).await?;
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (mut parts, inner) = answer.into_parts();
            response::rewrite(&mut parts, client);
            if let Some(cookie) = lease.take_cookie() {
                parts.headers.append(SET_COOKIE, cookie);
            }
            let body = Driven::new(inner, upstream, lease, limit);
            return Ok(Response::from_parts(parts, Body::driven(body)));
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
    errand: Errand,
    client: Client,
    /// The client's side of the tunnel that is asked for.
    tunnel: Option<OnUpgrade>,
}
