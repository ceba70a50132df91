//! The host half as one service: offline gate, error pages, supervisor, proxy.

use std::{
    convert::Infallible,
    fmt, io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::{runtime, task::JoinHandle};
use tower_layer::Layer;
use tower_service::Service;
use tracing::{Instrument, debug_span, info};

use crate::{
    Connection, PathBase, ResponseBody,
    config::{Config, ProcessVars, Vars},
    error::{BoxError, Error, ErrorPage, ErrorPageLayer, ErrorPages},
    offline::{self, Gate, Offline, OfflineLayer},
    proxy::{self, Address, Backend, Fixed, FixedLayer, Proxy, ProxyOptions, Tunnels},
    supervisor::{self, Supervised, Supervisor, SupervisorLayer},
};

/// The body of a [`Host`]'s answers: the app's, an error page, or the offline page.
pub type HostBody = ResponseBody<ResponseBody<proxy::Body>>;

/// An app behind the module: one tower service, in any front.
///
/// Cheap to clone; every clone is the same app. A front that makes one service for each connection
/// calls [`for_connection`](Self::for_connection); behind any other, a request's connection is
/// [what its extensions say](Connection::of).
///
/// Under an axum router, mount it with [`nest_service`] at the app's path base: the app gets the
/// path whole, as behind IIS, and takes the base off by itself.
///
/// [`nest_service`]: https://docs.rs/axum/latest/axum/struct.Router.html#method.nest_service
#[derive(Clone)]
pub struct Host {
    pipeline: Pipeline,
    app: Arc<App>,
}

/// The parts of one app that its connections share.
struct App {
    path_base: PathBase,
    page: ErrorPage,
    proxy: Proxy,
    source: Source,
}

/// Where the app runs.
enum Source {
    /// In processes that we keep.
    Supervised {
        supervisor: Supervisor,
        gate: Gate,
        _watch: Watch,
    },
    /// Somewhere else.
    Fixed(Backend),
}

/// Stops the app while it is offline; ends when it is dropped.
struct Watch {
    _files: offline::Watcher,
    stops: JoinHandle<()>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stops.abort();
    }
}

impl Host {
    /// The app that `config` describes. Its process starts with the first request.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime, or when the operating system gives no thread, no event queue or no
    /// watch on the app's folder.
    pub fn new(config: Config) -> io::Result<Self> {
        Self::with_vars(config, Arc::new(ProcessVars))
    }

    /// [`new`](Self::new) in an environment that is not this process's own.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_vars(config: Config, vars: Arc<dyn Vars>) -> io::Result<Self> {
        let page = error_page(&config, &*vars);
        let options = ProxyOptions::new()
            .request_timeout(config.request_timeout())
            .forward_response_connection_header(
                config
                    .handler_settings()
                    .forward_response_connection_header(),
            )
            .websockets(config.websockets())
            .windows_user(config.forward_windows_auth_token());
        let path_base = config.path_base().clone();
        let (gate, files) = offline::watch(config.content_root())?;
        let supervisor = Supervisor::new(Arc::new(config), vars)?;
        let stops = stop_while_offline(gate.clone(), supervisor.clone())?;
        let source = Source::Supervised {
            supervisor,
            gate,
            _watch: Watch {
                _files: files,
                stops,
            },
        };
        Ok(Self::of(App {
            path_base,
            page,
            proxy: Proxy::with_options(options),
            source,
        }))
    }

    /// An app that listens at `address` and that nobody here starts or stops; no token goes to it.
    #[must_use]
    pub fn to(address: Address) -> Self {
        Self::of(App {
            path_base: PathBase::root(),
            page: ErrorPage::new(),
            proxy: Proxy::new(),
            source: Source::Fixed(Backend::fixed(address)),
        })
    }

    fn of(app: App) -> Self {
        Self {
            pipeline: app.pipeline(None),
            app: Arc::new(app),
        }
    }

    /// The same app for the requests of one connection.
    #[must_use]
    pub fn for_connection(&self, connection: Connection) -> Self {
        Self {
            pipeline: self.app.pipeline(Some(connection)),
            app: Arc::clone(&self.app),
        }
    }

    /// Keeps the app's processes; `None` for an app that somebody else keeps.
    #[must_use]
    pub fn supervisor(&self) -> Option<&Supervisor> {
        match &self.app.source {
            Source::Supervised { supervisor, .. } => Some(supervisor),
            Source::Fixed(_) => None,
        }
    }

    /// The connections that became WebSockets: closed or waited for when the front stops.
    #[must_use]
    pub fn tunnels(&self) -> &Tunnels {
        self.app.proxy.tunnels()
    }

    /// The requests under way, tunnels included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        match &self.app.source {
            Source::Supervised { supervisor, .. } => supervisor.in_flight(),
            Source::Fixed(backend) => backend.in_flight(),
        }
    }

    /// Stops the app for good; returns when its processes are gone. Requests that come later get 503.
    pub async fn shutdown(&self) {
        if let Some(supervisor) = self.supervisor() {
            supervisor.shutdown().await;
        }
    }
}

impl App {
    /// What a request passes, from the outermost stage to the app.
    fn pipeline(&self, connection: Option<Connection>) -> Pipeline {
        let (gate, route) = match &self.source {
            Source::Supervised {
                supervisor, gate, ..
            } => {
                let layer = SupervisorLayer::new(supervisor.clone());
                let service = layer.layer(self.proxy.clone());
                (
                    gate.clone(),
                    Route::Supervised(service).for_connection(connection),
                )
            }
            Source::Fixed(backend) => {
                let service = FixedLayer::new(backend.clone()).layer(self.proxy.clone());
                (
                    Gate::open(),
                    Route::Fixed(service).for_connection(connection),
                )
            }
        };
        OfflineLayer::new(gate).layer(ErrorPageLayer::new(self.page.clone()).layer(route))
    }
}

type Pipeline = Offline<ErrorPages<Route>>;

/// Stops the processes whenever the app goes offline; the next request after it is back starts one.
fn stop_while_offline(mut gate: Gate, supervisor: Supervisor) -> io::Result<JoinHandle<()>> {
    let runtime = runtime::Handle::try_current().map_err(io::Error::other)?;
    let watch = async move {
        while let Some(offline) = gate.changed().await {
            if offline {
                info!("App taken offline");
                supervisor.stop().await;
            } else {
                info!("App back online");
            }
        }
    };
    Ok(runtime.spawn(watch.instrument(debug_span!("offline"))))
}

fn error_page(config: &Config, vars: &dyn Vars) -> ErrorPage {
    let link = vars
        .text("ANCM_ADDITIONAL_ERROR_PAGE_LINK")
        .filter(|link| !link.is_empty());
    ErrorPage::new()
        .detailed(config.detailed_errors(vars))
        .startup_page_disabled(config.disable_start_up_error_page())
        .link(link)
}

impl<B> Service<Request<B>> for Host
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<HostBody>;
    type Error = Infallible;
    type Future = HostFuture<B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.pipeline, cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        restore_target(&mut request, &self.app.path_base);
        HostFuture {
            inner: self.pipeline.call(request),
        }
    }
}

/// Gives back the path base that axum's `nest` took off: the module forwards the path whole.
#[cfg(feature = "axum")]
fn restore_target<B>(request: &mut Request<B>, base: &PathBase) {
    use axum::extract::OriginalUri;

    if base.is_root() {
        return;
    }
    if let Some(OriginalUri(original)) = request.extensions().get()
        && base.split(original.path()).is_some()
    {
        *request.uri_mut() = original.clone();
    }
}

#[cfg(not(feature = "axum"))]
fn restore_target<B>(_: &mut Request<B>, _: &PathBase) {}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("path_base", &self.app.path_base)
            .field("supervisor", &self.supervisor())
            .finish_non_exhaustive()
    }
}

/// The two ways to a backend as one type.
#[derive(Clone, Debug)]
enum Route {
    Supervised(Supervised<Proxy>),
    Fixed(Fixed<Proxy>),
}

impl Route {
    fn for_connection(self, connection: Option<Connection>) -> Self {
        match (self, connection) {
            (route, None) => route,
            (Self::Supervised(service), Some(known)) => {
                Self::Supervised(service.for_connection(known))
            }
            (Self::Fixed(service), Some(known)) => Self::Fixed(service.for_connection(known)),
        }
    }
}

impl<B> Service<Request<B>> for Route
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Response = Response<proxy::Body>;
    type Error = Error;
    type Future = RouteFuture<B>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        match self {
            Self::Supervised(service) => Service::<Request<B>>::poll_ready(service, cx),
            Self::Fixed(service) => Service::<Request<B>>::poll_ready(service, cx),
        }
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self {
            Self::Supervised(service) => RouteFuture::Supervised {
                future: service.call(request),
            },
            Self::Fixed(service) => RouteFuture::Fixed {
                future: service.call(request),
            },
        }
    }
}

pin_project! {
    #[project = RouteProj]
    enum RouteFuture<B> where B: Body<Data = Bytes>, B: Send, B: 'static, B::Error: Into<BoxError> {
        Supervised { #[pin] future: supervisor::ResponseFuture<Proxy, B> },
        Fixed { #[pin] future: proxy::ResponseFuture },
    }
}

impl<B> Future for RouteFuture<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<proxy::Body>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            RouteProj::Supervised { future } => future.poll(cx),
            RouteProj::Fixed { future } => future.poll(cx),
        }
    }
}

pin_project! {
    /// The future of a [`Host`]. Dropping it breaks the exchange with the app off.
    pub struct HostFuture<B> where B: Body<Data = Bytes>, B: Send, B: 'static, B::Error: Into<BoxError> {
        #[pin]
        inner: <Pipeline as Service<Request<B>>>::Future,
    }
}

impl<B> Future for HostFuture<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<BoxError>,
{
    type Output = Result<Response<HostBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx)
    }
}
