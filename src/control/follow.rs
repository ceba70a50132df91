//! Has an app that somebody else runs follow its configuration: its addresses, and how requests get there.

use std::{collections::BTreeSet, fmt, io, sync::Arc};

use tokio::{
    runtime,
    sync::{mpsc, oneshot, watch},
};
use tracing::{Instrument as _, debug_span, info, warn};

use super::{
    operator::Running,
    reload::{self, Configured, QUIET},
};
use crate::{
    config::{Config, Source, Vars},
    proxy::Backends,
    watch::{self as files, Change, Changes, Watcher},
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
    let source = Some(&followed.source);
    let configured = Configured::new(Arc::clone(&followed.config), source);
    let (changes, watcher) = files::watch(configured.files(source))?;
    let (teller, configured) = watch::channel(configured);
    let task = Task {
        followed,
        orders: receiver,
        changes,
        watcher,
        configured: teller,
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
    followed: Followed,
    orders: mpsc::Receiver<Order>,
    changes: Changes,
    watcher: Watcher,
    configured: watch::Sender<Configured>,
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
                seen = self.changes.after(QUIET) => self.seen(&seen).await,
            }
        }
    }

    async fn seen(&self, seen: &BTreeSet<Change>) {
        if self.configured.borrow().waits(seen) {
            info!("Configuration changed, which changes nothing here before somebody says so");
            self.configured.send_modify(|now| now.pending = true);
            return;
        }
        // What is wrong stands in the log.
        let _ = self.reload().await;
    }

    async fn reload(&self) -> Result<(), Vec<String>> {
        let Followed {
            source,
            vars,
            backends,
            apply,
            ..
        } = &self.followed;
        let old = Arc::clone(&self.configured.borrow().config);
        let reloaded = reload::read(source.clone(), Arc::clone(vars), &old).await;
        let taken = reloaded.and_then(|reloaded| {
            let config = &reloaded.config;
            let protocol = config.forwarding().protocol();
            backends
                .reconfigure(config.destinations(), config.health_check(), protocol)
                .map_err(|error| vec![error.to_string()])?;
            Ok(reloaded)
        });
        match taken {
            Ok(reloaded) => {
                apply(&reloaded.config);
                info!("Configuration is in force");
                self.configured.send_modify(|now| now.take(reloaded, true));
                let files = self.configured.borrow().files(Some(source));
                self.watcher.replace(files);
                Ok(())
            }
            Err(errors) => {
                warn!(
                    ?errors,
                    "Configuration is wrong, the app goes on with the old one"
                );
                self.configured.send_modify(|now| now.refuse(&errors));
                Err(errors)
            }
        }
    }
}
