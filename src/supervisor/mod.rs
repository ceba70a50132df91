//! Keeps the app's process: starts it, waits until it listens, replaces it when it dies, stops it.

mod backoff;
mod board;
mod builder;
mod farewell;
mod future;
mod generation;
mod handle;
mod launch;
mod logs;
mod message;
mod perform;
mod port;
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
mod window;

#[cfg(test)]
mod tests;

pub use self::{
    builder::{Builder, StartMode},
    future::ResponseFuture,
    handle::Supervisor,
    service::{Supervised, SupervisorLayer},
    status::{FailureStatus, ProcessStatus, Status},
};
