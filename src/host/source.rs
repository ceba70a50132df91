//! Where an app runs, and who looks after it there.

use std::{io, sync::Arc};

use tracing::warn;

use crate::{
    config::{self, Config, HostingModel, Vars},
    control::{Followed, Follower, Operator, Parts, Running, follow, operate},
    in_process::Factory,
    offline::{self, Gate},
    proxy::{Backend, Backends},
    supervisor::{Supervisor, WorkerProgram},
};

/// Where the app runs.
pub(super) enum Source {
    /// In processes that we keep.
    Supervised {
        supervisor: Supervisor,
        gate: Gate,
        operator: Operator,
        _running: Running,
        _files: offline::Watcher,
    },
    /// Somewhere else.
    Fixed(Backend),
    /// At several places somewhere else.
    Balanced {
        backends: Backends,
        /// Who follows the configuration, where there is one.
        following: Option<(Follower, Running)>,
    },
}

/// An app as its configuration describes it.
pub(super) struct Described {
    pub(super) config: Arc<Config>,
    /// Where the configuration can be read again.
    pub(super) source: Option<config::Source>,
    pub(super) vars: Arc<dyn Vars>,
    /// Told of each configuration that is in force from now on.
    pub(super) apply: Box<dyn Fn(&Config) + Send + Sync>,
}

impl Described {
    /// An app that is somewhere: there is nothing to start or to stop.
    pub(super) fn elsewhere(self) -> io::Result<Source> {
        let Self {
            config,
            source,
            vars,
            apply,
        } = self;
        let backends = Backends::builder(config.destinations().iter().cloned())
            .protocol(config.forwarding().protocol())
            .health_check(config.health_check().clone())
            .build()?;
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
        Ok(Source::Balanced {
            backends,
            following,
        })
    }

    /// An app in processes of its own, in `worker`'s, or, where `factory` makes it, in this one.
    pub(super) fn supervised(
        self,
        worker: Result<WorkerProgram, String>,
        factory: Option<Factory>,
    ) -> io::Result<Source> {
        let Self {
            config,
            source,
            vars,
            apply,
        } = self;
        let (gate, files) = offline::watch(config.content_root())?;
        let mut supervisor = Supervisor::builder(Arc::clone(&config), Arc::clone(&vars));
        match worker {
            Ok(worker) => supervisor = supervisor.worker(worker),
            Err(reason)
                if config.hosting_model() == HostingModel::InProcess && factory.is_none() =>
            {
                warn!(%reason, "App is hosted out of process, though its configuration says inprocess");
            }
            Err(_) => {}
        }
        let supervisor = match factory {
            Some(factory) => supervisor.build_in_process(factory)?,
            None => supervisor.build()?,
        };
        let (operator, running) = operate(Parts {
            config,
            source,
            vars,
            supervisor: supervisor.clone(),
            gate: gate.clone(),
            switch: files.switch(),
            apply,
        })?;
        Ok(Source::Supervised {
            supervisor,
            gate,
            operator,
            _running: running,
            _files: files,
        })
    }
}
