//! The accept loop, and the way to its end.

use std::{
    error::Error,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::{
    net::{TcpListener, TcpStream},
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Instrument as _, debug_span, info, warn};

use super::{
    connection::{Shared, serve_connection},
    signal::Signals,
    socket::Socket,
};
use crate::{
    Connection,
    app::{Ancm, AncmLayer, Shutdown},
};

/// Below the module's `shutdownTimeLimit`, after which it kills: 10 s by default.
const DRAIN: Duration = Duration::from_secs(8);
const HEADERS: Duration = Duration::from_secs(30);
/// What tasks of the app get to notice that their upgraded connections are gone.
const FAREWELL: Duration = Duration::from_millis(500);
/// No more file handles, most of the time: trying again at once would only burn the processor.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An app and how it is served; [`serve`](fn@super::serve) is one with the defaults.
///
/// ```
/// # use std::convert::Infallible;
/// use ancm::app::Server;
/// use http::{Request, Response};
/// use http_body_util::Full;
/// use tokio::net::TcpListener;
/// use tower::service_fn;
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> std::io::Result<()> {
/// let app = service_fn(|_: Request<hyper::body::Incoming>| async {
///     Ok::<_, Infallible>(Response::new(Full::<bytes::Bytes>::from("hello")))
/// });
/// let server = Server::new(app);
/// let shutdown = server.shutdown().clone();
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let serving = tokio::spawn(server.run_on(listener));
/// shutdown.request();
/// serving.await?
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Server<S> {
    app: S,
    /// `None`: as the environment says when it starts.
    layer: Option<AncmLayer>,
    default_address: SocketAddr,
    drain_timeout: Duration,
    header_timeout: Duration,
    signals: bool,
    shutdown: Shutdown,
}

impl<S> Server<S> {
    /// Serves `app`, behind the module if the environment says so.
    pub fn new(app: S) -> Self {
        Self {
            app,
            layer: None,
            default_address: SocketAddr::from((Ipv4Addr::LOCALHOST, 5000)),
            drain_timeout: DRAIN,
            header_timeout: HEADERS,
            signals: true,
            shutdown: Shutdown::new(),
        }
    }

    /// Puts this layer before the app. Defaults to [`AncmLayer::from_env`].
    pub fn layer(mut self, layer: AncmLayer) -> Self {
        self.layer = Some(layer);
        self
    }

    /// Where to listen under a normal start. Defaults to `127.0.0.1:5000`.
    pub fn default_address(mut self, address: SocketAddr) -> Self {
        self.default_address = address;
        self
    }

    /// How long requests under way may take to end. Defaults to 8 s, within the 10 s after which the module kills.
    pub fn drain_timeout(mut self, timeout: Duration) -> Self {
        self.drain_timeout = timeout;
        self
    }

    /// How long a client may take to send a request's head, the wait for its next request included. Defaults to 30 s.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = timeout;
        self
    }

    /// Whether SIGINT and SIGTERM (on Windows: Ctrl-C and Ctrl-Break) end it. Defaults to `true`.
    pub fn signals(mut self, listen: bool) -> Self {
        self.signals = listen;
        self
    }

    /// A signal that ends it, and that tells the app that it ends: WebSockets should say goodbye then.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

impl<S, B> Server<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Listens where the module says, or at the default address, and serves until it is asked to end.
    ///
    /// # Errors
    ///
    /// When the environment makes no sense, or the address can't be listened on. Dropping the future breaks all
    /// connections off.
    pub async fn run(mut self) -> io::Result<()> {
        let layer = self.take_layer()?;
        let (address, said_by) = match layer.module() {
            Some(module) => (
                (Ipv4Addr::LOCALHOST, module.port()).into(),
                "ASPNETCORE_PORT",
            ),
            None => (self.default_address, "the default address"),
        };
        let listener = TcpListener::bind(address).await.map_err(|error| {
            let message = format!("can't listen on {address}, as {said_by} says: {error}");
            io::Error::new(error.kind(), message)
        })?;
        self.layer = Some(layer);
        self.run_on(listener).await
    }

    /// Serves what `listener` accepts until it is asked to end.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_on(mut self, listener: TcpListener) -> io::Result<()> {
        let layer = self.take_layer()?;
        let mut signals = self.signals.then(Signals::install).transpose()?;
        let address = listener.local_addr()?;
        info!(%address, module = layer.is_active(), "Listening");

        let connections = Connections::new(layer.layer(self.app), self.header_timeout);
        let module = layer.shutdown().requested();
        let ours = self.shutdown.requested();
        tokio::select! {
            biased;
            () = connections.accept_from(&listener) => {}
            () = module => info!("Stopping: the module says so"),
            () = ours => info!("Stopping: the app says so"),
            signal = next(&mut signals) => info!(signal, "Stopping: a signal says so"),
        }
        // From here on connection attempts are refused, rather than left waiting.
        drop(listener);
        self.shutdown.request();
        tokio::select! {
            biased;
            () = connections.drain(self.drain_timeout) => {}
            signal = next(&mut signals) => warn!(signal, "Stopped at once: a second signal says so"),
        }
        connections.close().await;
        info!("Stopped");
        Ok(())
    }

    fn take_layer(&mut self) -> io::Result<AncmLayer> {
        let invalid = |error| io::Error::new(io::ErrorKind::InvalidInput, error);
        self.layer
            .take()
            .map_or_else(|| AncmLayer::from_env().map_err(invalid), Ok)
    }
}

/// The next signal; never comes where none are listened to.
async fn next(signals: &mut Option<Signals>) -> &'static str {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}

/// The connections of a server: the owner of their tasks. Dropping it breaks all of them off.
#[derive(Debug)]
struct Connections<S> {
    app: Ancm<S>,
    shared: Shared,
    /// Counts sockets, not tasks: an upgraded one outlives the task that accepted it.
    open: TaskTracker,
}

impl<S> Connections<S> {
    fn new(app: Ancm<S>, header_timeout: Duration) -> Self {
        let shared = Shared {
            stopping: CancellationToken::new(),
            closed: CancellationToken::new(),
            header_timeout,
        };
        let open = TaskTracker::new();
        Self { app, shared, open }
    }

    /// Takes no more requests, and waits for those under way.
    async fn drain(&self, limit: Duration) {
        self.shared.stopping.cancel();
        self.open.close();
        if timeout(limit, self.open.wait()).await.is_err() {
            let open = self.open.len();
            warn!(
                open,
                "Connections broken off: they took longer than the drain timeout"
            );
        }
    }

    /// Breaks off what is left.
    async fn close(&self) {
        self.shared.closed.cancel();
        let _ = timeout(FAREWELL, self.open.wait()).await;
    }
}

impl<S, B> Connections<S>
where
    S: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Default + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    /// Never ends by itself. Cancel safe: a connection that was accepted is served.
    async fn accept_from(&self, listener: &TcpListener) {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => self.spawn(stream, peer),
                Err(error) if is_clients(&error) => {}
                Err(error) => {
                    warn!(%error, "Connection not accepted");
                    sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    }

    fn spawn(&self, stream: TcpStream, peer: SocketAddr) {
        // Small answers are not kept back for an acknowledgement; where that can't be set, they are just slower.
        let _ = stream.set_nodelay(true);
        let mut connection = Connection::new(peer);
        if let Ok(local) = stream.local_addr() {
            connection = connection.with_local(local);
        }
        let socket = Socket::new(stream, self.shared.closed.clone(), self.open.token());
        let serving = serve_connection(socket, connection, self.app.clone(), self.shared.clone());
        tokio::spawn(serving.instrument(debug_span!("connection", client.addr = %peer)));
    }
}

impl<S> Drop for Connections<S> {
    fn drop(&mut self) {
        self.shared.closed.cancel();
    }
}

/// Whether the client gave up before it was accepted, which is no trouble of ours.
fn is_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionReset
    )
}
