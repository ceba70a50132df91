//! The app as a tower service.

use std::{
    convert::Infallible,
    fmt,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Method, Request, Uri, header, request::Parts};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::{ext::Protocol, upgrade};

use super::{
    abi::{self, RequestId},
    exchange::{self, Answer, Client, Upload},
    facts::Facts,
    future::ResponseFuture,
    native::Native,
    slots::{self, Slot},
};
use crate::{
    Connection, PathBase,
    error::{BoxError, Error, Format},
    front::lend::{Errand, lend},
};

/// The app in this process as a tower service; cheap to clone.
///
/// What it knows of a request's connection is what the request's extensions say of it
/// ([`Connection::of`]), unless the service is that [of one connection](Self::for_connection).
#[derive(Clone)]
pub struct Service {
    native: &'static Native,
    connection: Option<Connection>,
}

impl Service {
    pub(super) const fn new(native: &'static Native) -> Self {
        Self {
            native,
            connection: None,
        }
    }

    /// The service for the requests of one client connection.
    #[must_use]
    pub fn for_connection(&self, connection: Connection) -> Self {
        Self {
            native: self.native,
            connection: Some(connection),
        }
    }

    fn connection(&self, parts: &Parts) -> Connection {
        match &self.connection {
            Some(connection) => connection.clone(),
            None => Connection::of(&parts.extensions),
        }
    }
}

impl<B> tower_service::Service<Request<B>> for Service
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = http::Response<super::ResponseBody>;
    type Error = Infallible;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> ResponseFuture {
        let refused =
            |error: Error| ResponseFuture::refused(&error, Format::preferred(request.headers()));
        if request.method() == Method::CONNECT && request.extensions().get::<Protocol>().is_none() {
            return refused(Error::method_refused());
        }
        if self.native.callbacks().is_none() || !self.native.begin() {
            return refused(Error::stopping());
        }
        let Some(slot) = slots::acquire(self.native) else {
            self.native.end();
            return refused(Error::queue_full());
        };
        self.fill(slot, request);
        let client = Client::new(slot);
        let errand = Errand {
            run: tell,
            with: slot.id(),
        };
        if !lend(errand) {
            tell(slot.id(), false);
        }
        ResponseFuture::waiting(client)
    }
}

impl Service {
    /// Puts `request` into `slot`.
    fn fill<B>(&self, slot: &'static Slot, mut request: Request<B>)
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let told = self.native.told();
        let extended = request.method() == Method::CONNECT;
        let switches =
            told.websockets && (extended || request.headers().contains_key(header::UPGRADE));
        let upgrade = switches.then(|| upgrade::on(&mut request));
        restore_target(&mut request);
        let (parts, body) = request.into_parts();
        let has_body = !body.is_end_stream() && !extended;
        let length = declared(&parts, &body);
        let flags = flags(&parts, has_body, switches, extended);
        let upload = Upload::new(
            has_body.then(|| body.map_err(Into::into).boxed_unsync()),
            length,
            told.max_request_body,
        );
        let answer = Answer::new(parts.method == Method::HEAD, extended, upgrade);
        exchange::open(slot, upload, answer);
        let connection = self.connection(&parts);
        let (facts, scheme) = (Facts::of(&connection), connection.scheme());
        // SAFETY: the slot was just acquired, and the managed side does not know of it yet.
        unsafe { slot.head() }.fill(parts, facts, scheme, flags, length);
    }
}

/// Tells the managed side of the request that was put into a slot: once for each. `here` says whether the app may run
/// on this thread before this returns.
fn tell(id: RequestId, here: bool) {
    let Some(slot) = slots::find(id) else {
        return;
    };
    let Some(callbacks) = slot.native(id).and_then(Native::callbacks) else {
        return;
    };
    // SAFETY: the exchange is not over before the managed side says so, and that has not heard of it yet: so nobody
    // else looks at the head, which stays until both sides have let go. The managed side gave the function for as long as
    // the process lives.
    unsafe {
        let head = slot.head().run_here(here);
        (callbacks.on_request)(id, head);
    }
}

/// Gives back the path base that was taken off on the way: the app takes it off by itself, and sees the target as it came.
fn restore_target<B>(request: &mut Request<B>) {
    let base = request.extensions().get::<PathBase>();
    let Some(base) = base.filter(|base| !base.is_root()) else {
        return;
    };
    #[cfg(feature = "axum")]
    if let Some(axum::extract::OriginalUri(original)) = request.extensions().get() {
        *request.uri_mut() = original.clone();
        return;
    }
    let rest = request
        .uri()
        .path_and_query()
        .map_or("/", |path| path.as_str());
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = format!("{}{rest}", base.as_str()).parse().ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
}

/// The length of the body, where it is known.
fn declared<B: Body>(parts: &Parts, body: &B) -> Option<u64> {
    let text = parts.headers.get(header::CONTENT_LENGTH)?.to_str().ok();
    text.and_then(|text| text.parse().ok())
        .or_else(|| body.size_hint().exact())
}

fn flags(parts: &Parts, has_body: bool, switches: bool, extended: bool) -> u32 {
    let expects = has_body
        && parts
            .headers
            .get(header::EXPECT)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    [
        (has_body, abi::HAS_BODY),
        (switches, abi::CAN_UPGRADE),
        (extended, abi::EXTENDED_CONNECT),
        (expects, abi::EXPECTS_CONTINUE),
    ]
    .into_iter()
    .filter_map(|(set, flag)| set.then_some(flag))
    .fold(0, |flags, flag| flags | flag)
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("open_requests", &self.native.open_requests())
            .field("connection", &self.connection)
            .finish()
    }
}
