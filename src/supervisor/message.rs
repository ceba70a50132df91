//! What handles say to the task.

use std::sync::Arc;

use tokio::sync::oneshot;

use crate::{config::Config, error::StartFailure};

/// How many messages may be under way; who sends one more waits for its turn.
pub(super) const CAPACITY: usize = 64;

/// How a restart ended.
pub(super) type Restarted = Result<(), Arc<StartFailure>>;

#[derive(Debug)]
pub(super) enum Message {
    /// A request waits. It saw so many stops: one that came since has turned it away.
    Demand { stops: u64 },
    /// Replace the processes, by those of another configuration if there is one.
    Restart {
        config: Option<Arc<Config>>,
        done: oneshot::Sender<Restarted>,
    },
    /// Stop the processes.
    Stop { done: oneshot::Sender<()> },
    /// Stop for good.
    Shutdown { done: oneshot::Sender<()> },
}
