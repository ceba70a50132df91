//! One connection: HTTP/1.1 or HTTP/2, its deadlines, its end.

use std::{
    error::Error,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::sleep,
};
use tokio_util::sync::CancellationToken;
use tower_service::Service;
use tracing::debug;

use super::{host, socket::Socket};
use crate::{
    Connection,
    app::{ResponseFuture, hosting::Hosting},
};

/// What every connection of a server shares.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    /// Cancelled when no more requests are taken.
    pub(super) stopping: CancellationToken,
    /// Cancelled when the connections are broken off.
    pub(super) closed: CancellationToken,
    pub(super) header_timeout: Duration,
    /// Whether clients may ask for a WebSocket over HTTP/2.
    pub(super) websockets: bool,
    pub(super) hosting: Hosting,
}

impl Shared {
    /// For one connection: what it looks at with every read is its own, so that no two wait for each other.
    pub(super) fn of_connection(&self) -> Self {
        Self {
            stopping: self.stopping.child_token(),
            closed: self.closed.child_token(),
            header_timeout: self.header_timeout,
            websockets: self.websockets,
            hosting: self.hosting.clone(),
        }
    }
}

/// Serves `socket` until the client, the app or the server ends it.
pub(super) async fn serve_connection<T, S, B>(
    socket: Socket<T>,
    connection: Connection,
    app: S,
    shared: Shared,
) where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let builder = builder(&shared);
    let app = WithConnection::new(app, connection, shared.hosting.clone());
    let spoke = Arc::clone(&app.spoke);
    let service = TowerToHyperService::new(app);
    let mut http = pin!(builder.serve_connection_with_upgrades(TokioIo::new(socket), service));
    // hyper's own deadline begins with HTTP/1: not while it waits to see which version the client speaks.
    let mut first = pin!(sleep(shared.header_timeout));
    let mut stopping = pin!(shared.stopping.cancelled());
    let (mut told, mut checked) = (false, false);
    loop {
        tokio::select! {
            biased;
            result = http.as_mut() => {
                if let Err(error) = result {
                    debug!(%error, "Connection broken off");
                }
                return;
            }
            () = shared.closed.cancelled() => return,
            () = stopping.as_mut(), if !told => {
                told = true;
                http.as_mut().graceful_shutdown();
            }
            () = first.as_mut(), if !checked => {
                checked = true;
                if !spoke.load(Ordering::Relaxed) {
                    debug!("Connection closed: no request came in time");
                    return;
                }
            }
        }
    }
}

fn builder(shared: &Shared) -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    // Without a timer hyper's deadline is set, and never comes.
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(shared.header_timeout);
    let mut http2 = builder.http2();
    http2.timer(TokioTimer::new());
    // RFC 8441, 3: said only where it is meant, because a client that was told so does not fall back.
    if shared.websockets {
        http2.enable_connect_protocol();
    }
    builder
}

/// Tells the app from whom its requests are, and how it is hosted.
#[derive(Clone, Debug)]
struct WithConnection<S> {
    inner: S,
    connection: Connection,
    hosting: Hosting,
    /// Whether a request came.
    spoke: Arc<AtomicBool>,
}

impl<S> WithConnection<S> {
    fn new(inner: S, connection: Connection, hosting: Hosting) -> Self {
        Self {
            inner,
            connection,
            hosting,
            spoke: Arc::default(),
        }
    }
}

impl<S, B> Service<Request<Incoming>> for WithConnection<S>
where
    S: Service<Request<Incoming>, Response = Response<B>>,
    B: Default,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<Incoming>) -> Self::Future {
        self.spoke.store(true, Ordering::Relaxed);
        if !host::is_sound(&request) {
            debug!("Request refused: its Host is missing or no host");
            return ResponseFuture::answer(StatusCode::BAD_REQUEST);
        }
        let extensions = request.extensions_mut();
        #[cfg(feature = "axum")]
        if let Some(peer) = self.connection.peer() {
            extensions.insert(axum::extract::ConnectInfo(peer));
        }
        extensions.insert(self.connection.clone());
        extensions.insert(self.hosting.clone());
        ResponseFuture::forward(self.inner.call(request))
    }
}
