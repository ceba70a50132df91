//! Keeps the app's process: starts it, waits until it listens, replaces it when it dies, stops it.
//!
//! A request that comes through [`Supervised`] gets a [`Lease`](crate::proxy::Lease) of a process
//! that is ready, and waits for one where there is none. Nobody else knows the pairing token of a
//! process, so nothing reaches the app past the supervisor.
//!
//! ```
//! use std::sync::Arc;
//! use ancm::{
//!     config::{Config, ProcessVars},
//!     error::Stage,
//!     supervisor::Supervisor,
//! };
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let config = Config::builder(std::env::temp_dir()).program("no-such-app").build()?;
//! let supervisor = Supervisor::new(Arc::new(config), Arc::new(ProcessVars::default()))?;
//! // Nothing runs before the first request.
//! assert!(supervisor.try_lease().is_none());
//! // This one waits for the start, and hears why it failed.
//! let error = supervisor.lease().await.unwrap_err();
//! assert_eq!(error.start_failure().unwrap().stage, Stage::Spawn);
//! // A program that is about to end waits until its processes are gone.
//! supervisor.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Theory of operation
//!
//! One task on a thread of its own owns every process. It is a loop around a state machine without
//! I/O or clock, one for each of `processesPerApplication` slots: what happened goes in, what to do
//! comes out. Processes that start, serve, drain or stop are jobs of that task, which tell it how
//! they ended. What it shows to the outside is immutable and replaced as a whole: the ready
//! backends, which a request reads without a lock, and how things stand, which a request that waits
//! is woken by.
//!
//! * **Start.** Two attempts, each on a new port, each bounded by `startupTimeLimit`. Ready means
//!   that the process or a descendant of it listens on its port, and nobody else.
//! * **Wait.** One start serves all who wait, and its failure answers all of them. The queue has a
//!   bound, a wait has an end, and a client that leaves frees its place.
//! * **Crash.** A process that ends is replaced at once, with a pause that grows while it goes on;
//!   more failures than `rapidFailsPerMinute` refuse starts, and requests, until the minute is over.
//! * **Restart.** The new process is ready before the old one loses its requests, and the old one
//!   finishes those that it has. Where the new one fails, the old one stays.
//! * **Upkeep.** On request, a new process has to pass a probe and is warmed up before it serves; one
//!   that is old or large is replaced, and one that nobody uses is stopped: see [`Builder`].
//! * **Stop.** The app is asked by the shutdown event, told by a signal if it does not know that,
//!   and killed with everything it started after `shutdownTimeLimit`.

mod affinity;
mod answer;
mod attempt;
mod backoff;
mod begin;
mod board;
mod builder;
mod exchange;
mod generation;
mod handle;
mod launch;
mod logs;
mod message;
mod output;
mod owner;
mod perform;
mod place;
mod port;
mod probe;
mod process;
mod ready;
mod service;
mod slot;
mod start;
mod state;
mod status;
mod stop;
mod tail;
mod task;
mod upkeep;
mod waiting;
mod window;
pub(crate) mod worker;

pub(crate) use self::status::rfc3339;

#[cfg(test)]
mod tests;

pub use crate::config::StartMode;

pub use self::{
    builder::Builder,
    handle::Supervisor,
    output::Output,
    service::{Supervised, SupervisorLayer},
    status::{FailureStatus, ProcessStatus, Status},
    worker::WorkerProgram,
};
