//! Forwards a request, from the head that came in to the body that goes out.

use std::sync::Arc;

use bytes::Bytes;
use http::{
    Response,
    header::{CONTENT_LENGTH, SET_COOKIE},
};

use super::{
    body::Body,
    h2c,
    lease::{Forward, Lease},
    limit,
    options::ProxyOptions,
    prepare::{Prepared, Settled, prepare},
    response::{self, Client},
    send::send,
    upgrade::Tunnels,
    wire::{Answer, Wire},
};
use crate::{
    config::Protocol,
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
        let mut prepared = prepare(forward, self.options());
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
        if let Some(wanted) = prepared.tunnel.take() {
            return self.tunnel(prepared.errand, prepared.client, *wanted).await;
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
    pub(super) fn streamed(
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
}
