//! The host half as one service: authentication, offline gate, error pages, supervisor, proxy.

mod builder;
mod live;
mod pipeline;
mod proofs;
mod route;
mod service;
mod settings;
mod source;

use std::{fmt, io, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_service::Service;

pub use self::{builder::Builder, service::HostFuture};
use self::{
    live::Live,
    pipeline::{App, Pipeline},
    settings::Settings,
    source::Source,
};
use crate::{
    Connection, PathBase, ResponseBody,
    authentication::AuthenticationLayer,
    config::{Config, ProcessVars, Vars},
    control::{Addresses, Operated, Operator},
    error::{BoxError, ErrorPage},
    in_process::{RequestBody, Startup},
    proxy::{self, Address, Backend, Backends, Proxy, ProxyOptions, Tunnels},
    supervisor::Supervisor,
};

/// The body of a [`Host`]'s answers: the app's, an error page, the offline page, or a refusal.
pub type HostBody = ResponseBody<ResponseBody<ResponseBody<proxy::Body>>>;

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
    connection: Option<Connection>,
    /// What is offered to this connection, and what it has proved.
    authentication: AuthenticationLayer,
    /// That of the settings in the pipeline.
    revision: u64,
    app: Arc<App>,
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
        Self::builder(config).vars(vars).build()
    }

    /// The app that `config` describes, with more to be said.
    pub fn builder(config: Config) -> Builder {
        Builder::new(config)
    }

    /// The app that `make` makes in this process: any tower service, such as an axum `Router`.
    ///
    /// `make` is asked with the first request, and again where it failed and for each restart: within `startupTimeLimit`,
    /// once for all requests that wait. What it is told of the end is in its [`Startup`]. The app finds what it finds in a
    /// process of its own behind the module: the path without the path base, the same extensions and extractors; the app
    /// half stands before it already. So this is all that differs between the two models:
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// use ancm::{Host, config::Config};
    ///
    /// fn routes() -> Router {
    ///     Router::new().route("/", get(|| async { "hello" }))
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let config = Config::builder(std::env::current_dir()?)
    ///     .program(std::env::current_exe()?)
    ///     .build()?;
    /// // The app in a process of its own, where its `main` is `ancm::app::serve(routes()).await`:
    /// let host = Host::new(config.clone())?;
    /// // The app in this one:
    /// let host = Host::in_process(config, |_| async { Ok::<_, std::convert::Infallible>(routes()) })?;
    /// # use tower::ServiceExt;
    /// # let request = http::Request::get("/").header("host", "a").body(axum::body::Body::empty())?;
    /// # assert_eq!(host.oneshot(request).await?.status(), 200);
    /// # Ok(()) }
    /// ```
    ///
    /// A `Router` makes services of its handlers anew for each request, unless that was done before: `axum::serve` does it, and
    /// here `routes().with_state(())` saves what it costs.
    ///
    /// The configuration's program is what errors name; nothing of it is started. A WebSocket of the app is no request
    /// under way any more: it hears of the end by the app's [`Shutdown`](crate::Shutdown).
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn in_process<F, M, S, E, B>(config: Config, make: F) -> io::Result<Self>
    where
        F: Fn(Startup) -> M + Send + Sync + 'static,
        M: Future<Output = Result<S, E>> + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        E: Into<BoxError>,
        B: Body<Data = Bytes> + Default + Send + 'static,
        B::Error: Into<BoxError>,
    {
        Self::builder(config).in_process(make).build()
    }

    /// An app that listens at `address` and that nobody here starts or stops; no token goes to it.
    #[must_use]
    pub fn to(address: Address) -> Self {
        Self::to_with(address, ProxyOptions::new())
    }

    /// [`to`](Self::to), where more is to be said of how requests get there.
    #[must_use]
    pub fn to_with(address: Address, options: ProxyOptions) -> Self {
        let backend = Backend::fixed(address).speaking(options.spoken());
        Self::elsewhere(Source::Fixed(backend), options)
    }

    /// An app at several addresses, or behind a name, that nobody here starts or stops; no token goes to it.
    #[must_use]
    pub fn to_backends(backends: Backends, options: ProxyOptions) -> Self {
        let source = Source::Balanced {
            backends,
            following: None,
        };
        Self::elsewhere(source, options)
    }

    fn elsewhere(source: Source, options: ProxyOptions) -> Self {
        let proxy = Proxy::with_options(options);
        Self::of(App {
            path_base: PathBase::root(),
            source,
            tunnels: proxy.tunnels().clone(),
            settings: Arc::new(Live::new(Settings {
                authentication: AuthenticationLayer::new(),
                page: ErrorPage::new(),
                proxy,
            })),
        })
    }

    fn of(app: App) -> Self {
        let (revision, settings) = app.settings.current();
        let authentication = settings.authentication.clone();
        Self {
            pipeline: app.pipeline(&settings, &authentication, None),
            connection: None,
            authentication,
            revision,
            app: Arc::new(app),
        }
    }

    /// The same app for the requests of one connection.
    #[must_use]
    pub fn for_connection(&self, connection: Connection) -> Self {
        let (revision, settings) = self.app.settings.current();
        let authentication = settings.authentication.for_connection(connection.clone());
        let known = Some(connection.clone());
        Self {
            pipeline: self.app.pipeline(&settings, &authentication, known),
            connection: Some(connection),
            authentication,
            revision,
            app: Arc::clone(&self.app),
        }
    }

    /// Keeps the app's processes; `None` for an app that somebody else keeps.
    #[must_use]
    pub fn supervisor(&self) -> Option<&Supervisor> {
        match &self.app.source {
            Source::Supervised { supervisor, .. } => Some(supervisor),
            Source::Fixed(_) | Source::Balanced { .. } => None,
        }
    }

    /// Restarts the app, takes it offline, says how it is; `None` for an app that somebody else
    /// keeps.
    #[must_use]
    pub fn operator(&self) -> Option<&Operator> {
        match &self.app.source {
            Source::Supervised { operator, .. } => Some(operator),
            Source::Fixed(_) | Source::Balanced { .. } => None,
        }
    }

    /// What a [control socket](crate::control::Socket) can answer for; `None` for an app at one address that nobody looks after.
    #[must_use]
    pub fn operated(&self) -> Option<Operated> {
        match &self.app.source {
            Source::Supervised { operator, .. } => Some(operator.clone().into()),
            Source::Balanced {
                backends,
                following,
            } => {
                let follower = following.as_ref().map(|(follower, _)| follower.clone());
                let addresses = Addresses::new(backends.clone(), follower);
                Some(Operated::Addresses(addresses))
            }
            Source::Fixed(_) => None,
        }
    }

    /// The addresses of an app that has several, or a name; `None` for every other.
    #[must_use]
    pub fn backends(&self) -> Option<&Backends> {
        match &self.app.source {
            Source::Balanced { backends, .. } => Some(backends),
            Source::Supervised { .. } | Source::Fixed(_) => None,
        }
    }

    /// The connections that became WebSockets: closed or waited for when the front stops.
    #[must_use]
    pub fn tunnels(&self) -> &Tunnels {
        &self.app.tunnels
    }

    /// The requests under way, tunnels included.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        match &self.app.source {
            Source::Supervised { supervisor, .. } => supervisor.in_flight(),
            Source::Fixed(backend) => backend.in_flight(),
            Source::Balanced { backends, .. } => backends.in_flight(),
        }
    }

    /// Stops the app for good; returns when its processes are gone. Requests that come later get 503.
    pub async fn shutdown(&self) {
        if let Some(supervisor) = self.supervisor() {
            supervisor.shutdown().await;
        }
    }

    /// Takes the settings that are in force now, if they are others.
    fn refresh(&mut self) {
        if self.app.settings.revision() != self.revision {
            let (revision, settings) = self.app.settings.current();
            let authentication = settings.authentication.clone();
            self.authentication = authentication.after(&self.authentication);
            let known = self.connection.clone();
            self.pipeline = self.app.pipeline(&settings, &self.authentication, known);
            self.revision = revision;
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("path_base", &self.app.path_base)
            .field("supervisor", &self.supervisor())
            .finish_non_exhaustive()
    }
}
