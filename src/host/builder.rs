//! How a host is set up.

use std::{fmt, io, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;
use tracing::warn;

use super::{
    Host,
    live::Live,
    pipeline::{App, Settings, Source},
    proofs::Proofs,
};
use crate::{
    app::AncmLayer,
    authentication::{CheckPassword, Passwords, negotiate::Mechanism},
    config::{self, Config, HostingModel, ProcessVars, Vars},
    control::{Followed, Parts, follow, operate},
    error::{BoxError, ErrorPage},
    in_process::{Factory, RequestBody, Startup},
    offline,
    proxy::{Backends, Proxy, ProxyOptions, Tunnels},
    supervisor::{Supervisor, WorkerProgram},
};

/// What a [`Host`] can be told beyond the app's configuration.
#[derive(Clone)]
#[must_use]
pub struct Builder {
    config: Config,
    source: Option<config::Source>,
    vars: Arc<dyn Vars>,
    proofs: Proofs,
    /// What hosts the app in process, or why nothing does.
    worker: Result<WorkerProgram, String>,
    /// Who is told of each configuration that comes into force.
    told: Option<Arc<Told>>,
    /// Makes the app, where that runs in this process.
    factory: Option<Arc<dyn Fn() -> io::Result<Factory> + Send + Sync>>,
}

/// Who is told of a configuration.
type Told = dyn Fn(&Config) + Send + Sync;

impl Builder {
    pub(super) fn new(config: Config) -> Self {
        Self {
            config,
            source: None,
            vars: Arc::new(ProcessVars),
            proofs: Proofs::default(),
            worker: Err("no program was named that does so".to_owned()),
            told: None,
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
        let make = Arc::new(make);
        self.factory = Some(Arc::new(move || {
            let make = Arc::clone(&make);
            // The app half stands before the app, as it does in a process of the app's own.
            Factory::new(move |startup| {
                let made = make(startup);
                async move { made.await.map(|app| AncmLayer::new(None).layer(app)) }
            })
        }));
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

    /// Sets what checks the tickets of Windows authentication, where the configuration offers it. Defaults to nothing:
    /// then nobody can prove who they are by it.
    pub fn negotiate(mut self, mechanism: Arc<dyn Mechanism>) -> Self {
        self.proofs.negotiate = Some(mechanism);
        self
    }

    /// Sets who checks the passwords of Basic authentication, where the configuration offers it. A realm that the
    /// configuration names goes before `realm`. Defaults to nobody: then no password is right.
    pub fn basic(mut self, realm: impl Into<String>, users: Arc<dyn CheckPassword>) -> Self {
        self.proofs.basic = Some((realm.into(), Arc::new(Passwords::new(users))));
        self
    }

    /// Sets what hosts the app in process, where its configuration says `hostingModel="inprocess"`. Defaults to nothing:
    /// then it is hosted out of process, whatever its configuration says, and the log says so. Unix, with the feature
    /// `in-process`.
    pub fn worker(mut self, worker: WorkerProgram) -> Self {
        self.worker = Ok(worker);
        self
    }

    /// Says why there is no [`worker`](Self::worker), for the log.
    pub fn no_worker(mut self, reason: impl Into<String>) -> Self {
        self.worker = Err(reason.into());
        self
    }

    /// Has `told` called with each configuration that comes into force after the first, on a thread that must not be
    /// blocked for long. What is there for the server as a whole is for its caller to take. Defaults to nobody.
    pub fn on_configuration(mut self, told: impl Fn(&Config) + Send + Sync + 'static) -> Self {
        self.told = Some(Arc::new(told));
        self
    }

    /// Makes the host. Its process starts with the first request, if it is [not somewhere else](Config::destinations).
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
            proofs,
            worker,
            told,
            factory,
        } = self;
        let config = Arc::new(config);
        let ours = factory.is_none() && config.destinations().is_empty();
        let hosted = ours && config.hosting_model() == HostingModel::InProcess;
        let in_worker = hosted && worker.is_ok();
        let proxy = Proxy::with_options(proxy_options(&config, in_worker));
        let tunnels = proxy.tunnels().clone();
        let page = error_page(&config, &*vars);
        let settings = Arc::new(Live::new(Settings {
            authentication: proofs.layer(&config),
            page,
            proxy,
        }));
        if !config.destinations().is_empty() {
            let app = Elsewhere {
                config,
                settings: Arc::clone(&settings),
                tunnels,
            };
            return app.host(
                source,
                Arc::clone(&vars),
                apply(settings, vars, proofs, told, false),
            );
        }
        let (gate, files) = offline::watch(config.content_root())?;
        let mut supervisor = Supervisor::builder(Arc::clone(&config), Arc::clone(&vars));
        match worker {
            Ok(worker) => supervisor = supervisor.worker(worker),
            Err(reason) if hosted => {
                warn!(%reason, "App is hosted out of process, though its configuration says inprocess");
            }
            Err(_) => {}
        }
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
            apply: apply(Arc::clone(&settings), vars, proofs, told, in_worker),
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

/// An app that is somewhere: there is nothing to start or to stop.
struct Elsewhere {
    config: Arc<Config>,
    settings: Arc<Live<Settings>>,
    tunnels: Tunnels,
}

impl Elsewhere {
    /// The configuration is followed where it has a `source`.
    fn host(
        self,
        source: Option<config::Source>,
        vars: Arc<dyn Vars>,
        apply: Box<Told>,
    ) -> io::Result<Host> {
        let config = self.config;
        let backends = Backends::builder(config.destinations().iter().cloned())
            .protocol(config.forwarding().protocol())
            .health_check(config.health_check().clone())
            .build()?;
        let path_base = config.path_base().clone();
        let follow = |source| {
            follow(Followed {
                config,
                source,
                vars,
                backends: backends.clone(),
                apply,
            })
        };
        let following = source.map(follow).transpose()?;
        Ok(Host::of(App {
            path_base,
            source: Source::Balanced {
                backends,
                following,
            },
            tunnels: self.tunnels,
            settings: self.settings,
        }))
    }
}

/// Has the settings follow the configuration.
fn apply(
    settings: Arc<Live<Settings>>,
    vars: Arc<dyn Vars>,
    proofs: Proofs,
    told: Option<Arc<Told>>,
    in_worker: bool,
) -> Box<Told> {
    Box::new(move |config| {
        let (_, old) = settings.current();
        settings.replace(Settings {
            authentication: proofs.layer(config),
            page: error_page(config, &*vars),
            proxy: old.proxy.reconfigured(proxy_options(config, in_worker)),
        });
        if let Some(told) = &told {
            told(config);
        }
    })
}

/// `in_worker`: whether the app is hosted in process. Then it keeps to `maxAllowedContentLength` itself, and (ANCM) has no
/// `requestTimeout`, whether its requests are forwarded or not.
fn proxy_options(config: &Config, in_worker: bool) -> ProxyOptions {
    let settings = config.handler_settings();
    let said = config.max_allowed_content_length().map(u64::from);
    let longest = config.forwarding().max_body_size();
    ProxyOptions::new()
        .forwarding(config.forwarding())
        .max_body_size(longest.or(said.filter(|_| !in_worker)))
        .path_base(config.path_base())
        .request_timeout(config.request_timeout().filter(|_| !in_worker))
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
