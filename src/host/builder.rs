//! How a host is set up.

use std::{fmt, io, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tower_layer::Layer;
use tower_service::Service;

use super::{
    Host,
    live::Live,
    pipeline::App,
    proofs::Proofs,
    settings::{Recipe, Told},
    source::Described,
};
use crate::{
    app::AncmLayer,
    authentication::{CheckPassword, Passwords, negotiate::Mechanism},
    config::{self, Config, HostingModel, ProcessVars, Vars},
    error::BoxError,
    in_process::{Factory, RequestBody, Startup},
    proxy::Proxy,
    supervisor::WorkerProgram,
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
        let elsewhere = !config.destinations().is_empty();
        let hosted = config.hosting_model() == HostingModel::InProcess && factory.is_none();
        let recipe = Recipe {
            vars: Arc::clone(&vars),
            proofs,
            in_worker: hosted && worker.is_ok() && !elsewhere,
        };
        let settings = recipe.settings(&config, Proxy::with_options);
        let (path_base, tunnels) = (config.path_base().clone(), settings.proxy.tunnels().clone());
        let settings = Arc::new(Live::new(settings));
        let app = Described {
            config,
            source,
            vars,
            apply: recipe.follow(Arc::clone(&settings), told),
        };
        let source = if elsewhere {
            app.elsewhere()?
        } else {
            let factory = factory.map(|make| make()).transpose()?;
            app.supervised(worker, factory)?
        };
        Ok(Host::of(App {
            path_base,
            source,
            tunnels,
            settings,
        }))
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("source", &self.source)
            .finish_non_exhaustive()
    }
}
