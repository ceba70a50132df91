//! The handle: what can be asked of an app and done to it.

use std::{fmt, io, sync::Arc};

use tokio::{
    runtime,
    sync::{mpsc, oneshot, watch},
};
use tracing::{Instrument, debug_span};

use super::{
    configured::{Configured, Watched},
    message::{Log, Seen},
    report::{Facts, Report},
    running::Running,
    task::{Order, RestartError, Task},
};
use crate::{
    config::{Config, Source, Vars},
    offline::{Gate, Page, Switch},
    supervisor::Supervisor,
};

/// How many restarts may be asked for at a time; who asks for one more waits.
const ORDERS: usize = 16;

/// What can be asked of an app and done to it; cheap to clone.
#[derive(Clone)]
pub struct Operator {
    shared: Arc<Shared>,
}

struct Shared {
    supervisor: Supervisor,
    gate: Gate,
    switch: Switch,
    orders: mpsc::Sender<Order>,
    configured: watch::Receiver<Configured>,
    facts: Facts,
}

/// What an operator is made of.
pub(crate) struct Parts {
    /// What is in force.
    pub(crate) config: Arc<Config>,
    /// Where it can be read again.
    pub(crate) source: Option<Source>,
    pub(crate) vars: Arc<dyn Vars>,
    pub(crate) supervisor: Supervisor,
    pub(crate) gate: Gate,
    pub(crate) switch: Switch,
    /// Told of each configuration that is in force from now on.
    pub(crate) apply: Box<dyn Fn(&Config) + Send + Sync>,
}

/// Looks after an app: stops it while it is offline, restarts it when its files change.
///
/// # Errors
///
/// Outside of a tokio runtime, or when the operating system gives no thread.
pub(crate) fn operate(parts: Parts) -> io::Result<(Operator, Running)> {
    let runtime = runtime::Handle::try_current().map_err(io::Error::other)?;
    let (orders, receiver) = mpsc::channel(ORDERS);
    let Parts {
        config,
        source,
        vars,
        supervisor,
        gate,
        switch,
        apply,
    } = parts;
    let (watched, configured) = Watched::new(config, source, vars)?;
    let shared = Shared {
        supervisor: supervisor.clone(),
        gate: gate.clone(),
        switch,
        orders,
        configured,
        facts: Facts::now(),
    };
    let task = Task::new(supervisor, gate, watched, apply, receiver);
    let task = runtime.spawn(task.run().instrument(debug_span!("operator")));
    let operator = Operator {
        shared: Arc::new(shared),
    };
    Ok((operator, Running::new(task)))
}

impl Operator {
    /// How the app is.
    #[must_use]
    pub fn report(&self) -> Report {
        let shared = &self.shared;
        Report::new(
            &shared.facts,
            &shared.configured.borrow(),
            (&shared.gate, &shared.switch),
            shared.supervisor.status(),
        )
    }

    /// Reads the configuration again and replaces every process; returns when the new ones serve.
    ///
    /// Where none runs, none is started. The restart goes on if the future is dropped.
    ///
    /// # Errors
    ///
    /// When the configuration is wrong or the new process could not be started.
    pub async fn restart(&self) -> Result<(), RestartError> {
        let (done, answer) = oneshot::channel();
        let order = Order { done };
        let sent = self.shared.orders.send(order).await;
        sent.map_err(|_| RestartError::Closed)?;
        answer.await.unwrap_or(Err(RestartError::Closed))
    }

    /// Stops every process; returns when they are gone. The next request starts the app again.
    pub async fn stop(&self) {
        self.shared.supervisor.stop().await;
    }

    /// Takes the app offline, as an `app_offline.htm` does; returns when its processes are gone.
    ///
    /// Until [`online`](Self::online), or the end of this program.
    pub async fn offline(&self, page: Page) {
        self.shared.switch.close(page);
        self.shared.supervisor.stop().await;
    }

    /// Takes [`offline`](Self::offline) back. The next request starts the app, unless an
    /// `app_offline.htm` is there too.
    pub fn online(&self) {
        self.shared.switch.open();
    }

    /// What the processes that run have written, except what was `seen` already. Where none runs,
    /// what the last one wrote that failed to start.
    #[must_use]
    pub fn logs(&self, seen: &[Seen]) -> Vec<Log> {
        let supervisor = &self.shared.supervisor;
        let mut outputs = supervisor.outputs();
        outputs.sort_by_key(|output| output.generation());
        let log = |output: &crate::supervisor::Output| {
            let generation = output.generation();
            let seen = seen.iter().find(|seen| seen.generation == generation);
            let (text, bytes) = output.after(seen.map_or(0, |seen| seen.bytes));
            Log {
                generation: Some(generation),
                pid: Some(output.pid()),
                bytes,
                text,
            }
        };
        let logs: Vec<_> = outputs.iter().map(log).collect();
        if !logs.is_empty() || !seen.is_empty() {
            return logs;
        }
        let failure = supervisor.last_failure();
        let failed = failure.filter(|failure| !failure.output.is_empty());
        let failed = failed.map(|failure| Log {
            generation: None,
            pid: failure.pid,
            bytes: 0,
            text: failure.output.clone(),
        });
        failed.into_iter().collect()
    }
}

impl fmt::Debug for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operator")
            .field("supervisor", &self.shared.supervisor)
            .finish_non_exhaustive()
    }
}
