//! The server: where it listens, and the way to its end.

use std::{
    error::Error,
    fmt::Display,
    io,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tower_layer::Layer;
use tower_service::Service;
use tracing::{info, warn};

#[cfg(unix)]
use super::inherited::{Inherited, inherited};
use super::{connections::Connections, listener::Listener, signal::Signals};
#[cfg(unix)]
use crate::app::environment::URLS;
use crate::app::{AncmLayer, ModuleEnvironment, Shutdown, hosting::Hosting};

/// Below the module's `shutdownTimeLimit`, after which it kills: 10 s by default.
const DRAIN: Duration = Duration::from_secs(8);
const HEADERS: Duration = Duration::from_secs(30);
/// As long as Kestrel keeps idle connections: a module that takes one from its pool should not find it closed.
const HEADERS_OF_MODULE: Duration = Duration::from_secs(130);

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
    /// `None`: as the module, or its absence, wants it.
    header_timeout: Option<Duration>,
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
            header_timeout: None,
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

    /// How long a client may take to send a request's head, the wait for its next request included.
    ///
    /// Defaults to 30 s, and to 130 s behind the module, which keeps connections for later.
    pub fn header_timeout(mut self, timeout: Duration) -> Self {
        self.header_timeout = Some(timeout);
        self
    }

    /// Whether SIGINT and SIGTERM (on Windows: Ctrl-C and Ctrl-Break) end it. Defaults to `true`.
    pub fn signals(mut self, listen: bool) -> Self {
        self.signals = listen;
        self
    }

    /// Ends when `shutdown` says so, and gives it when it ends for another reason. Defaults to a signal of its own.
    pub fn stop_on(mut self, shutdown: &Shutdown) -> Self {
        self.shutdown = shutdown.clone();
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
    /// On Unix a module may hand over a socket that listens already, so that no other process can take its place
    /// first: `ANCM_LISTEN_FD` is its file descriptor, 3 or more, which the process inherits, of a TCP or a Unix socket.
    /// It counts only beside the module's other variables, and is used once. Or `ASPNETCORE_URLS` names a Unix socket
    /// to be opened, where there is no `ASPNETCORE_PORT`.
    ///
    /// # Errors
    ///
    /// When the environment makes no sense, or the address can't be listened on. Dropping the future breaks all
    /// connections off.
    pub async fn run(mut self) -> io::Result<()> {
        let layer = self.take_layer()?;
        #[cfg(unix)]
        if layer.is_active()
            && let Some(listener) = inherited()?
        {
            self.layer = Some(layer);
            return match listener {
                Inherited::Tcp(listener) => self.run_on(TcpListener::from_std(listener)?).await,
                Inherited::Unix(listener) => {
                    self.run_on_unix(UnixListener::from_std(listener)?).await
                }
            };
        }
        #[cfg(unix)]
        if let Some(path) = layer.module().and_then(ModuleEnvironment::socket) {
            let listener =
                UnixListener::bind(path).map_err(|error| told(path.display(), URLS, &error))?;
            self.layer = Some(layer);
            return self.run_on_unix(listener).await;
        }
        let (address, said_by) = match layer.module() {
            Some(module) => (
                (Ipv4Addr::LOCALHOST, module.port()).into(),
                "ASPNETCORE_PORT",
            ),
            None => (self.default_address, "the default address"),
        };
        let bound = TcpListener::bind(address).await;
        let listener = bound.map_err(|error| told(address, said_by, &error))?;
        self.layer = Some(layer);
        self.run_on(listener).await
    }

    /// Serves what `listener` accepts until it is asked to end.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn run_on(self, listener: TcpListener) -> io::Result<()> {
        let address = listener.local_addr()?;
        self.serve(listener, address).await
    }

    /// Serves what the Unix socket `listener` accepts until it is asked to end. Of such clients no address is known.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    #[cfg(unix)]
    pub async fn run_on_unix(self, listener: UnixListener) -> io::Result<()> {
        let address = listener.local_addr()?;
        let path = address
            .as_pathname()
            .unwrap_or(std::path::Path::new("(unnamed)"));
        let address = format!("unix:{}", path.display());
        self.serve(listener, address).await
    }

    async fn serve<L: Listener>(
        mut self,
        listener: L,
        address: impl Display + Send,
    ) -> io::Result<()> {
        let layer = self.take_layer()?;
        let mut signals = self.signals.then(Signals::install).transpose()?;
        info!(%address, module = layer.is_active(), "Listening");

        let header_timeout = self.header_timeout.unwrap_or(match layer.is_active() {
            true => HEADERS_OF_MODULE,
            false => HEADERS,
        });
        let websockets = layer
            .module()
            .is_none_or(ModuleEnvironment::websockets_supported);
        let hosting = Hosting::new(self.shutdown.clone(), layer.module().cloned());
        let app = layer.layer(self.app);
        let connections = Connections::new(app, header_timeout, websockets, hosting);
        let module = layer.shutdown().requested();
        let ours = self.shutdown.requested();
        tokio::select! {
            biased;
            () = module => info!("Stopping: the module says so"),
            () = ours => info!("Stopping: the app says so"),
            signal = next(&mut signals) => info!(signal, "Stopping: a signal says so"),
            // Last, so that no flood of connections keeps it from hearing the others. None is lost.
            () = connections.accept_from(&listener) => {}
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

/// An error that says what could not be listened on, and who wanted that.
fn told(address: impl Display, said_by: &str, error: &io::Error) -> io::Error {
    let message = format!("can't listen on {address}, as {said_by} says: {error}");
    io::Error::new(error.kind(), message)
}

/// The next signal; never comes where none are listened to.
async fn next(signals: &mut Option<Signals>) -> &'static str {
    match signals {
        Some(signals) => signals.next().await,
        None => std::future::pending().await,
    }
}
