//! Has an app that somebody else runs follow its configuration: its addresses, and how requests get there.

use std::{collections::BTreeSet, fmt, io, sync::Arc};

use tokio::{
    runtime,
    sync::{mpsc, oneshot, watch},
};
use tracing::{Instrument as _, debug_span, info};

use super::{
    configured::{Configured, QUIET, Watched},
    running::Running,
};
use crate::{
    config::{Config, Source, Vars},
    proxy::Backends,
    watch::Change,
};

/// How many may ask for it at a time; who comes then waits.
const ORDERS: usize = 16;

/// What is followed, and by whom.
pub(crate) struct Followed {
    /// What is in force.
    pub(crate) config: Arc<Config>,
    /// Where it can be read again.
    pub(crate) source: Source,
    pub(crate) vars: Arc<dyn Vars>,
    pub(crate) backends: Backends,
    /// Told of each configuration that is in force from now on.
    pub(crate) apply: Box<dyn Fn(&Config) + Send + Sync>,
}

/// Asks for it; cheap to clone.
#[derive(Clone)]
pub(crate) struct Follower {
    orders: mpsc::Sender<Order>,
    configured: watch::Receiver<Configured>,
}

/// Somebody wants the configuration read again, and to hear what is wrong with it.
type Order = oneshot::Sender<Result<(), Vec<String>>>;

/// Reads the configuration again whenever it changes, until what is returned is dropped.
///
/// # Errors
///
/// Outside of a tokio runtime, or when the operating system gives no thread.
pub(crate) fn follow(followed: Followed) -> io::Result<(Follower, Running)> {
    let runtime = runtime::Handle::try_current().map_err(io::Error::other)?;
    let (orders, receiver) = mpsc::channel(ORDERS);
    let Followed {
        config,
        source,
        vars,
        backends,
        apply,
    } = followed;
    let (watched, configured) = Watched::new(config, Some(source), vars)?;
    let task = Task {
        backends,
        apply,
        orders: receiver,
        watched,
    };
    let task = runtime.spawn(task.run().instrument(debug_span!("follower")));
    Ok((Follower { orders, configured }, Running::new(task)))
}

impl Follower {
    /// Reads the configuration again; returns when it is in force.
    ///
    /// # Errors
    ///
    /// What is wrong with it: then nothing has changed.
    pub(super) async fn reload(&self) -> Result<(), Vec<String>> {
        let gone = || vec!["nobody follows the configuration any more".to_owned()];
        let (done, answer) = oneshot::channel();
        self.orders.send(done).await.map_err(|_| gone())?;
        answer.await.unwrap_or_else(|_| Err(gone()))
    }

    /// What is in force.
    pub(super) fn configured(&self) -> watch::Ref<'_, Configured> {
        self.configured.borrow()
    }
}

impl fmt::Debug for Follower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Follower").finish_non_exhaustive()
    }
}

struct Task {
    backends: Backends,
    apply: Box<dyn Fn(&Config) + Send + Sync>,
    orders: mpsc::Receiver<Order>,
    watched: Watched,
}

impl Task {
    async fn run(mut self) {
        loop {
            tokio::select! {
                biased;
                order = self.orders.recv() => match order {
                    // Who does not listen any more does not matter.
                    Some(done) => drop(done.send(self.reload().await)),
                    None => return,
                },
                seen = self.watched.changed(QUIET) => self.seen(&seen).await,
            }
        }
    }

    async fn seen(&self, seen: &BTreeSet<Change>) {
        if self.watched.waits(seen) {
            info!("Configuration changed, which changes nothing here before somebody says so");
            return;
        }
        // What is wrong stands in the log.
        let _ = self.reload().await;
    }

    async fn reload(&self) -> Result<(), Vec<String>> {
        let reloaded = self.watched.read().await?;
        self.watched.accept(reloaded.as_ref());
        let Some(reloaded) = reloaded else {
            return Ok(());
        };
        let config = &reloaded.config;
        let protocol = config.forwarding().protocol();
        self.backends
            .reconfigure(config.destinations(), config.health_check(), protocol)
            .map_err(|error| self.watched.refuse(vec![error.to_string()]))?;
        (self.apply)(config);
        info!("Configuration is in force");
        self.watched.take(reloaded, true);
        Ok(())
    }
}
