//! A backend without an address: an app that runs in this process.

use std::{
    fmt,
    hash::{Hash, Hasher},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{
    Request, Response, Version,
    header::{SET_COOKIE, UPGRADE},
};
use hyper::upgrade::OnUpgrade;

use super::{
    body::Body,
    lease::{Forward, Lease},
    limit,
    options::ProxyOptions,
    request::{Sender, receive},
    upload::RequestBody,
};
use crate::{
    Connection,
    error::{BoxError, Error},
    websocket::{Extended, Handshake},
};

/// Answers requests without a connection.
pub(crate) trait Serve: Send + Sync {
    /// Answers `request` of `connection`.
    fn serve(&self, connection: Connection, request: Request<RequestBody>) -> Serving;
}

/// The answer that comes.
pub(crate) type Serving =
    Pin<Box<dyn Future<Output = Result<Response<InstanceBody>, Error>> + Send>>;

/// The body of such an answer.
pub(crate) type InstanceBody = Pin<Box<dyn http_body::Body<Data = Bytes, Error = Error> + Send>>;

/// An app that runs in this process. Cheap to clone; it ends with its last clone.
#[derive(Clone)]
pub struct Instance {
    app: Arc<dyn Serve>,
}

impl Instance {
    pub(crate) fn new(app: impl Serve + 'static) -> Self {
        Self { app: Arc::new(app) }
    }

    pub(crate) fn serve(&self, connection: Connection, request: Request<RequestBody>) -> Serving {
        self.app.serve(connection, request)
    }
}

impl PartialEq for Instance {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.app, &other.app)
    }
}

impl Eq for Instance {}

impl Hash for Instance {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.app).cast::<()>().hash(state);
    }
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").finish_non_exhaustive()
    }
}

/// A request that an instance answers.
pub(super) struct Exchange {
    serving: Serving,
    lease: Option<Lease>,
    /// Where the client asks for a WebSocket by HTTP/2.
    handshake: Option<Box<Handshake>>,
}

impl Exchange {
    /// Hands a request to `instance` as an app behind a connection would get it, but for what only a connection needs: the
    /// headers that say who the client is, and the token that says that we say so.
    pub(super) fn begin<B>(
        instance: &Instance,
        forward: Forward<B>,
        options: &ProxyOptions,
    ) -> Result<Self, Error>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let Forward {
            lease,
            connection,
            request,
        } = forward;
        let connection = connection.canonical();
        let (mut parts, body) = request.into_parts();
        let handshake = Handshake::begin(&mut parts)?;
        let (body, _) = limit::upload(body, parts.version, options.said.max_body_size)?;
        // The extensions first: most requests have none.
        let upgrades = parts.extensions.get::<OnUpgrade>().is_some()
            && parts.headers.contains_key(UPGRADE)
            && http_body::Body::is_end_stream(&body);
        let sender = Sender {
            connection: &connection,
            token: None,
            options,
        };
        let asked = receive(&mut parts, upgrades, sender)?;
        if !asked.upgrade {
            parts.extensions.remove::<OnUpgrade>();
        }
        if handshake.is_some() {
            if !asked.upgrade {
                return Err(Error::protocol_refused());
            }
            // What apps know is an upgrade of HTTP/1.1.
            parts.version = Version::HTTP_11;
            parts.extensions.remove::<Extended>();
        }
        Ok(Self {
            serving: instance.serve(connection, Request::from_parts(parts, body)),
            lease: Some(lease),
            handshake: handshake.map(Box::new),
        })
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Response<Body>, Error>> {
        let mut response = ready!(self.serving.as_mut().poll(cx))?;
        let mut lease = self.lease.take().expect("not polled after completion");
        if let Some(handshake) = &self.handshake {
            let (mut parts, body) = response.into_parts();
            handshake.finish(&mut parts).map_err(Error::app)?;
            response = Response::from_parts(parts, body);
        }
        if let Some(cookie) = lease.take_cookie() {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        Poll::Ready(Ok(response.map(|body| Body::instance(body, lease))))
    }
}
