//! Forwards a request, from the head that came in to the body that goes out.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    Request, Response, StatusCode,
    header::{CONTENT_LENGTH, SET_COOKIE, UPGRADE},
};
use hyper::upgrade::OnUpgrade;

use super::{
    backend::{Forward, Lease},
    body::Body,
    driven::Driven,
    h2c,
    hints::Hints,
    limit,
    options::ProxyOptions,
    request::{Sender, frame, is_last, rewrite},
    response::{self, Client},
    send::{Errand, send},
    upgrade::Tunnels,
    upstream::Upstream,
    user::User,
    wire::{Answer, Wire},
};
use crate::{
    config::Protocol,
    error::{BoxError, Error},
    websocket::Handshake,
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
        // Here and not in the future, which is smaller so; and lent there, as what is given lies in it twice.
        let mut prepared = self.prepare(forward);
        let proxy = self.clone();
        async move {
            let (answer, wire) = match &mut prepared {
                Ok(Prepared {
                    errand,
                    tunnel: None,
                    ..
                }) if proxy.shared.options.said.total_timeout.is_none()
                    && errand.lease.backend().protocol() == Protocol::Http1 =>
                {
                    send(errand, &proxy.shared.options).await?
                }
                // In a box, because it is seldom and large: it would make every request's future as large.
                Ok(_) | Err(_) => return Box::pin(proxy.seldom(prepared)).await,
            };
            match prepared {
                Ok(prepared) => Ok(proxy.answer(prepared, answer, wire)),
                Err(settled) => settled.into_answer(),
            }
        }
    }

    /// A request that is settled already, asks for a tunnel, goes by HTTP/2, or has a limit for all of it.
    async fn seldom(&self, prepared: Result<Prepared, Settled>) -> Result<Response<Body>, Error> {
        let prepared = match prepared {
            Ok(prepared) => prepared,
            Err(settled) => return settled.into_answer(),
        };
        match self.shared.options.said.total_timeout {
            Some(limit) => limit::within(limit, self.exchange(prepared)).await,
            None => self.exchange(prepared).await,
        }
    }

    async fn exchange(&self, mut prepared: Prepared) -> Result<Response<Body>, Error> {
        if prepared.tunnel.is_some() {
            return self.upgrade(prepared).await;
        }
        if prepared.errand.lease.backend().protocol() == Protocol::H2c {
            let sent = h2c::send(&mut prepared.errand, &self.shared.options);
            let (answer, exchange) = sent.await?;
            let (errand, client) = (prepared.errand, prepared.client);
            return Ok(self.streamed(answer, exchange, client, errand.lease));
        }
        let (answer, wire) = send(&mut prepared.errand, &self.shared.options).await?;
        Ok(self.answer(prepared, answer, wire))
    }

    /// What the client gets of an answer that came by HTTP/2.
    fn streamed(
        &self,
        answer: Response<()>,
        exchange: h2c::Exchange,
        client: Client,
        mut lease: Lease,
    ) -> Response<Body> {
        let options = &self.shared.options;
        let (mut parts, ()) = answer.into_parts();
        response::rewrite(&mut parts, client, options.via.as_ref());
        let length = parts.headers.get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse().ok());
        if let Some(cookie) = lease.take_cookie() {
            parts.headers.append(SET_COOKIE, cookie);
        }
        let body = h2c::Answer::new(exchange, lease, options.body_limit(), length);
        Response::from_parts(parts, Body::stream(body))
    }

    /// What the client gets of an answer.
    fn answer(&self, prepared: Prepared, answer: Response<()>, wire: Box<Wire>) -> Response<Body> {
        let Prepared { errand, client, .. } = prepared;
        let (mut lease, options) = (errand.lease, &self.shared.options);
        let (mut parts, ()) = answer.into_parts();
        if wire.is_plain() {
            response::pass(&mut parts, client, options.via.as_ref());
        } else {
            response::rewrite(&mut parts, client, options.via.as_ref());
        }
        if let Some(cookie) = lease.take_cookie() {
            parts.headers.append(SET_COOKIE, cookie);
        }
        let body = Answer::new(wire, lease, options.body_limit());
        Response::from_parts(parts, Body::wire(body))
    }

    /// What the app gets, and what has to be remembered meanwhile.
    fn prepare<B>(&self, forward: Forward<B>) -> Result<Prepared, Settled>
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
        if is_last(&mut parts) {
            return Err(Settled::Answered);
        }
        let options = &self.shared.options;
        let handshake = Handshake::begin(&mut parts)?;
        let (mut body, upload) = limit::upload(body, parts.version, options.said.max_body_size)?;
        let client = Client {
            version: parts.version,
            hears_close: options.forward_response_connection_header,
        };
        // Only a front that can hand its connection over can be asked for a tunnel, and only an app that can do so too: over
        // HTTP/2, `Upgrade` does not exist (RFC 9113, 8.6), and the app sees an ordinary request.
        let upgrade = (parts.headers.contains_key(UPGRADE)
            && upload.is_none()
            && lease.backend().protocol() == Protocol::Http1)
            .then(|| parts.extensions.remove::<OnUpgrade>())
            .flatten();
        let sender = Sender {
            connection: &connection,
            token: lease.backend().token(),
            options,
        };
        let asked = rewrite(&mut parts, upgrade.is_some(), sender)?;
        if handshake.is_some() && !asked.upgrade {
            return Err(Error::protocol_refused().into());
        }
        frame(&mut parts, asked, http_body::Body::size_hint(&body).exact());
        #[cfg(all(unix, feature = "in-process"))]
        if lease.backend().is_worker() {
            super::request::brief(&mut parts.headers, &connection);
        }
        let user = User::of(&connection, &mut parts.extensions, options);
        parts.extensions.clear();
        // A front on hyper says `100 Continue` to its client when the body is first asked for, which is then.
        let opener =
            (asked.expect && upload.is_some()).then(|| body.hold(options.said.continue_timeout));
        let request = Request::from_parts(parts, body);
        let hints = Hints::new(connection, client.version);
        Ok(Prepared {
            errand: Errand::new(lease, request, upload, opener, user, hints),
            client,
            tunnel: upgrade
                .filter(|_| asked.upgrade)
                .map(|client| Box::new(Wanted { client, handshake })),
        })
    }

    /// Asks the app for a tunnel, on a connection of its own that nobody uses after it.
    async fn upgrade(&self, prepared: Prepared) -> Result<Response<Body>, Error> {
        let Prepared {
            mut errand,
            client,
            tunnel,
        } = prepared;
        let options = &self.shared.options;
        let mut upstream = Upstream::new(errand.dial(options).await?).await?;
        errand.introduce()?;
        let Errand {
            mut lease, request, ..
        } = errand;
        let answer = upstream.send(request, options.head_limit()).await?;
        let handshake = tunnel.as_ref().and_then(|wanted| wanted.handshake.as_ref());
        if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
            let (mut parts, inner) = answer.into_parts();
            if let Some(handshake) = handshake {
                handshake.finish(&mut parts).map_err(Error::backend)?;
            }
            response::rewrite(&mut parts, client, options.via.as_ref());
            if let Some(cookie) = lease.take_cookie() {
                parts.headers.append(SET_COOKIE, cookie);
            }
            let body = Driven::new(inner, upstream, lease, options.body_limit());
            return Ok(Response::from_parts(parts, Body::driven(body)));
        }
        let (mut parts, _) = answer.into_parts();
        let app = parts.extensions.remove::<OnUpgrade>();
        let app = app.filter(|_| response::agrees(&parts.headers));
        let Some((wanted, app)) = tunnel.as_ref().zip(app) else {
            return Err(Error::backend(
                "it switches to a protocol that nobody asked for",
            ));
        };
        response::switch(&mut parts, client, options.via.as_ref());
        if let Some(handshake) = &wanted.handshake {
            handshake.finish(&mut parts).map_err(Error::backend)?;
        }
        upstream.detach();
        let cut = wanted
            .handshake
            .as_ref()
            .map(|handshake| handshake.cut().clone());
        let client = wanted.client.clone();
        self.shared.tunnels.open(client, cut, app, lease);
        Ok(Response::from_parts(parts, Body::empty()))
    }
}

/// A request that can be sent.
struct Prepared {
    errand: Errand,
    client: Client,
    /// In a box, because it is seldom.
    tunnel: Option<Box<Wanted>>,
}

/// A tunnel that is asked for.
struct Wanted {
    client: OnUpgrade,
    /// Where the client asks for it by HTTP/2.
    handshake: Option<Handshake>,
}

/// Why a request is not forwarded.
enum Settled {
    /// It can't be.
    Refused(Error),
    /// It said itself that it goes no further.
    Answered,
}

impl Settled {
    fn into_answer(self) -> Result<Response<Body>, Error> {
        match self {
            Self::Refused(error) => Err(error),
            Self::Answered => Ok(response::of_the_last_hop()),
        }
    }
}

impl From<Error> for Settled {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}
