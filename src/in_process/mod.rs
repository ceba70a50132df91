//! The module's other hosting model: the app is not forwarded to, but called.
//!
//! What hosts an app is a process of its own, a *worker*, which the supervisor of the host half keeps as it keeps every
//! other process of an app: it starts one for the first request, replaces it when it dies, has the next one overlap it. A
//! program becomes a worker by a [`Worker`], and what it hosts is an [`App`].
//!
#![cfg_attr(all(unix, feature = "in-process"), doc = "```no_run")]
#![cfg_attr(not(all(unix, feature = "in-process")), doc = "```ignore")]
//! use std::process::ExitCode;
//! use ancm::in_process::{App, Running, Worker};
//!
//! fn main_of_a_worker<A: App>(app: A) -> ExitCode {
//!     // First of all, before there is any other thread: from here on, signals come to the worker alone.
//!     let worker = match Worker::inherit(std::env::args_os()) {
//!         Ok(Some(worker)) => worker,
//!         Ok(None) => return ExitCode::SUCCESS, // nobody started this program as a worker
//!         Err(error) => {
//!             eprintln!("not started as a worker: {error}");
//!             return ExitCode::FAILURE;
//!         }
//!     };
//!     worker.run(app)
//! }
//! ```
//!
//! On the other side stands a `Host` that was told of the program (`HostBuilder::worker`), and an app whose configuration
//! says `hostingModel="inprocess"`.
//!
//! A Rust service needs no worker: `Host::in_process` has it made in the host's own process, by a factory that is told what
//! a [`Startup`] says.

#[cfg(feature = "in-process")]
mod app;
#[cfg(all(unix, feature = "in-process"))]
pub mod clr;
#[cfg(feature = "in-process")]
mod failure;
mod service;
#[cfg(all(unix, feature = "in-process"))]
mod signals;
#[cfg(all(unix, feature = "in-process"))]
mod worker;

pub use self::service::Startup;
pub(crate) use self::service::{Factory, Run};
#[cfg(all(unix, feature = "in-process"))]
pub use self::worker::Worker;
#[cfg(feature = "in-process")]
pub use self::{
    app::{App, Running, Settings},
    failure::Failure,
};
pub use crate::proxy::{Instance, RequestBody};
