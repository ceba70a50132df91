//! How a host is set up.

use std::{fmt, io, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{App, Host, Settings, Source, live::Live};
use crate::{
    app::AncmLayer,
    config::{self, Config, ProcessVars, Vars},
    control::{Parts, operate},
    error::{BoxError, ErrorPage},
    in_process::{Factory, RequestBody, Startup},
    offline,
    proxy::{Proxy, ProxyOptions},
    supervisor::Supervisor,
};

/// What a [`Host`] can be told beyond the app's configuration.
#[must_use]
pub struct Builder {
    config: Config,
    source: Option<config::Source>,
    vars: Arc<dyn Vars>,
    /// Makes the app, where that runs in this process.
    factory: Option<Box<dyn FnOnce() -> io::Result<Factory>>>,
}

impl Builder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            source: None,
            vars: Arc::new(ProcessVars),
            factory: None,
        }
    }

    /// Has `make` make the app in this process, in place of a process of its own; see [`Host::in_process`].
    pub fn in_process<F, M, S, E, B>(mut self, make: F) -> Self
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
        // The app half stands before the app, as it does in a process of the app's own.
        let make = move |startup| {
            let made = make(startup);
            async move { made.await.map(|app| AncmLayer::new(None).layer(app)) }
        };
        self.factory = Some(Box::new(|| Factory::new(make)));
        self
    }

    /// Sets where the configuration comes from: it is read again when it changes, and before each
    /// restart. Defaults to nowhere, so that it stays as it is.
    pub fn source(mut self, source: config::Source) -> Self {
        self.source = Some(source);
        self
    }

    /// Sets the environment. Defaults to this process's own.
    pub fn vars(mut self, vars: Arc<dyn Vars>) -> Self {
        self.vars = vars;
        self
    }

    /// Makes the host. Its process starts with the first request.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime, or when the operating system gives no thread, no event queue or no
    /// watch on the app's folder.
    pub fn build(self) -> io::Result<Host> {
        let Self {
            config,
            source,
            vars,
            factory,
        } = self;
        let config = Arc::new(config);
        let proxy = Proxy::with_options(proxy_options(&config));
        let tunnels = proxy.tunnels().clone();
        let page = error_page(&config, &*vars);
        let settings = Arc::new(Live::new(Settings { page, proxy }));
        let (gate, files) = offline::watch(config.content_root())?;
        let supervisor = Supervisor::builder(Arc::clone(&config), Arc::clone(&vars));
        let supervisor = match factory {
            Some(factory) => supervisor.build_in_process(factory()?)?,
            None => supervisor.build()?,
        };
        let (operator, running) = operate(Parts {
            config: Arc::clone(&config),
            source,
            vars: Arc::clone(&vars),
            supervisor: supervisor.clone(),
            gate: gate.clone(),
            switch: files.switch(),
            apply: apply(Arc::clone(&settings), vars),
        })?;
        Ok(Host::of(App {
            path_base: config.path_base().clone(),
            source: Source::Supervised {
                supervisor,
                gate,
                operator,
                _running: running,
                _files: files,
            },
            tunnels,
            settings,
        }))
    }
}

/// Has the settings follow the configuration.
fn apply(settings: Arc<Live<Settings>>, vars: Arc<dyn Vars>) -> Box<dyn Fn(&Config) + Send + Sync> {
    Box::new(move |config| {
        let (_, old) = settings.current();
        settings.replace(Settings {
            page: error_page(config, &*vars),
            proxy: old.proxy.reconfigured(proxy_options(config)),
        });
    })
}

fn proxy_options(config: &Config) -> ProxyOptions {
    let settings = config.handler_settings();
    ProxyOptions::new()
        .request_timeout(config.request_timeout())
        .forward_response_connection_header(settings.forward_response_connection_header())
        .websockets(config.websockets())
        .windows_user(config.forward_windows_auth_token())
        .retry(config.processes().retry())
}

fn error_page(config: &Config, vars: &dyn Vars) -> ErrorPage {
    let link = vars
        .text("ANCM_ADDITIONAL_ERROR_PAGE_LINK")
        .filter(|link| !link.is_empty());
    ErrorPage::new()
        .detailed(config.detailed_errors(vars))
        .detailed_to_loopback(config.handler_settings().detailed_errors_to_loopback())
        .startup_page_disabled(config.disable_start_up_error_page())
        .retry_after(config.processes().queue_retry_after())
        .link(link)
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
