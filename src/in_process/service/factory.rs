//! Makes the app, each time that it is started.

use std::{fmt, future::Future, io, pin::Pin, sync::Arc};

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tower_service::Service;

use super::{exchange::App, run::Run};
use crate::{
    InProcess, Shutdown,
    config::Config,
    error::BoxError,
    proxy::{Instance, RequestBody},
};

/// What an app is told when it is started.
#[derive(Clone, Debug)]
pub struct Startup {
    config: Arc<Config>,
    shutdown: Shutdown,
}

impl Startup {
    /// The configuration it is started with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The signal that it is to end: WebSockets should say goodbye then, and work in the background should stop.
    #[must_use]
    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }
}

type Making = Pin<Box<dyn Future<Output = Result<Instance, BoxError>> + Send>>;
type Make = dyn Fn(Startup, CancellationToken) -> Making + Send + Sync;

/// Makes apps, all of one kind.
#[derive(Clone)]
pub(crate) struct Factory {
    make: Arc<Make>,
    runtime: Handle,
}

impl Factory {
    /// Makes them by `make`, on the runtime that this is called in.
    ///
    /// # Errors
    ///
    /// Outside of a tokio runtime.
    pub(crate) fn new<F, M, S, E, B>(make: F) -> io::Result<Self>
    where
        F: Fn(Startup) -> M + Send + Sync + 'static,
        M: Future<Output = Result<S, E>> + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
        S::Error: Into<BoxError>,
        E: Into<BoxError>,
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<BoxError>,
    {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let make = Arc::new(make);
        let make = move |startup: Startup, broken: CancellationToken| -> Making {
            let make = Arc::clone(&make);
            // Called within the future, whose panics are caught.
            Box::pin(async move {
                let path_base = startup.config.path_base().clone();
                let hosted = InProcess::new(path_base, startup.shutdown.clone());
                let service = make(startup).await.map_err(Into::into)?;
                Ok(Instance::new(App::new(service, hosted, broken)))
            })
        };
        Ok(Self {
            make: Arc::new(make),
            runtime,
        })
    }

    /// Begins to make one.
    pub(crate) fn start(&self, config: &Arc<Config>) -> Run {
        let startup = Startup {
            config: Arc::clone(config),
            shutdown: Shutdown::new(),
        };
        let (shutdown, broken) = (startup.shutdown.clone(), CancellationToken::new());
        let making = (self.make)(startup, broken.clone());
        Run::begin(&self.runtime, making, shutdown, broken)
    }
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factory").finish_non_exhaustive()
    }
}
