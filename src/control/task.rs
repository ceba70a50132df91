//! The one who looks after an app: stops it while it is offline, restarts it when it is to be.

use std::{collections::BTreeSet, convert::Infallible, sync::Arc};

use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::Duration,
};
use tracing::{error, info, warn};

use super::{
    configured::{QUIET, Watched},
    reload::Reloaded,
};
use crate::{
    config::Config, error::StartFailure, offline::Gate, supervisor::Supervisor, watch::Change,
};

/// Somebody wants a restart, and to hear of it.
pub(super) struct Order {
    pub(super) done: oneshot::Sender<Restarted>,
}

/// Why an app was not restarted. It goes on as it is, unless it could not be started before either.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RestartError {
    /// The configuration is wrong: one line for each mistake.
    #[error("the configuration is wrong, nothing was restarted:\n{}", .0.join("\n"))]
    Configuration(Vec<String>),
    /// The new process could not be started.
    #[error("{0}")]
    Start(Arc<StartFailure>),
    /// Nobody looks after the app any more.
    #[error("the app is shut down")]
    Closed,
}

type Restarted = Result<(), RestartError>;

pub(super) struct Task {
    supervisor: Supervisor,
    gate: Gate,
    watched: Watched,
    /// Told of each configuration that is in force from now on.
    apply: Box<dyn Fn(&Config) + Send + Sync>,
    orders: mpsc::Receiver<Order>,
    jobs: JoinSet<Done>,
    /// How many restarts began.
    begun: u64,
}

/// What a job came to.
enum Done {
    Stopped,
    Restarted {
        number: u64,
        reloaded: Option<Reloaded>,
        result: Result<(), Arc<StartFailure>>,
        done: Option<oneshot::Sender<Restarted>>,
    },
}

impl Task {
    pub(super) fn new(
        supervisor: Supervisor,
        gate: Gate,
        watched: Watched,
        apply: Box<dyn Fn(&Config) + Send + Sync>,
        orders: mpsc::Receiver<Order>,
    ) -> Self {
        Self {
            supervisor,
            gate,
            watched,
            apply,
            orders,
            jobs: JoinSet::new(),
            begun: 0,
        }
    }

    pub(super) async fn run(mut self) {
        if self.gate.is_closed() {
            self.stop();
        }
        loop {
            // While the app is offline, nothing runs that a half-done deployment could disturb, and
            // the first request after it must find the new configuration.
            let quiet = match self.gate.is_closed() {
                true => Duration::ZERO,
                false => QUIET,
            };
            tokio::select! {
                biased;
                Some(done) = self.jobs.join_next() => match done {
                    Ok(done) => self.done(done),
                    Err(error) => error!(%error, "A job of the operator broke off"),
                },
                offline = changed(&mut self.gate) => match offline {
                    true => self.stop(),
                    false => info!("App back online"),
                },
                order = self.orders.recv() => match order {
                    Some(order) => self.restart(Some(order.done)).await,
                    None => return,
                },
                seen = self.watched.changed(quiet) => self.seen(&seen).await,
            }
        }
    }

    fn stop(&mut self) {
        info!("App taken offline");
        let supervisor = self.supervisor.clone();
        self.jobs.spawn(async move {
            supervisor.stop().await;
            Done::Stopped
        });
    }

    async fn seen(&mut self, seen: &BTreeSet<Change>) {
        let paths: Vec<_> = seen.iter().map(|change| change.path().display()).collect();
        if self.watched.waits(seen) {
            info!(?paths, "Configuration changed, which restarts nothing here");
            return;
        }
        info!(?paths, "App restarts because files changed");
        self.restart(None).await;
    }

    async fn restart(&mut self, done: Option<oneshot::Sender<Restarted>>) {
        let reloaded = match self.watched.read().await {
            Ok(reloaded) => reloaded,
            Err(errors) => return tell(done, Err(RestartError::Configuration(errors))),
        };
        self.watched.accept(reloaded.as_ref());
        self.begun += 1;
        let number = self.begun;
        let (supervisor, gate) = (self.supervisor.clone(), self.gate.clone());
        self.jobs.spawn(async move {
            let config = reloaded.as_ref().map(|reloaded| &reloaded.config);
            let result = replace(&supervisor, &gate, config).await;
            Done::Restarted {
                number,
                reloaded,
                result,
                done,
            }
        });
    }

    fn done(&mut self, done: Done) {
        let Done::Restarted {
            number,
            reloaded,
            result,
            done,
        } = done
        else {
            return;
        };
        if let Err(failure) = &result {
            warn!(%failure, "App not restarted");
        }
        // A later one may have overtaken it, and one that failed is in force where nothing served.
        let in_force = self.supervisor.config();
        let is_in_force = |reloaded: &Reloaded| {
            let in_force = in_force.as_ref();
            in_force.is_some_and(|config| Arc::ptr_eq(config, &reloaded.config))
        };
        if let Some(reloaded) = reloaded.filter(is_in_force) {
            self.apply(reloaded, number);
        }
        tell(done, result.map_err(RestartError::Start));
    }

    /// A configuration is in force.
    fn apply(&mut self, reloaded: Reloaded, number: u64) {
        (self.apply)(&reloaded.config);
        self.watched.take(reloaded, number == self.begun);
    }
}

/// Waits until the app goes offline or comes back.
async fn changed(gate: &mut Gate) -> bool {
    match gate.changed().await {
        Some(offline) => offline,
        // Nobody can close it any more.
        None => match std::future::pending::<Infallible>().await {},
    }
}

/// Replaces the processes. While the app is offline none is started: the configuration is only
/// taken.
async fn replace(
    supervisor: &Supervisor,
    gate: &Gate,
    config: Option<&Arc<Config>>,
) -> Result<(), Arc<StartFailure>> {
    let ask = || async {
        match config {
            Some(config) => supervisor.reconfigure(Arc::clone(config)).await,
            None => supervisor.restart().await,
        }
    };
    if !gate.is_closed() {
        let result = ask().await;
        // It may have been taken offline meanwhile, which gives a restart up.
        if result.is_ok() || !gate.is_closed() {
            return result;
        }
    }
    supervisor.stop().await;
    ask().await
}

fn tell(done: Option<oneshot::Sender<Restarted>>, result: Restarted) {
    if let Some(done) = done {
        // Who does not listen any more does not matter.
        let _ = done.send(result);
    }
}
