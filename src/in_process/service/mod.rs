//! A Rust service as the app.
//!
//! A factory makes the app, as a process would be started: on the first request, within `startupTimeLimit`, again after
//! a failure, and anew for a restart. The supervisor keeps what it made by the same rules as a process, because it is
//! one to it: a [`Run`] that is made, serves, drains and ends.
//!
//! * **Where it runs.** The factory runs on the runtime in which the host was built, each request on that of its
//!   front, as with any tower service.
//! * **How it ends.** It gets no more requests, those under way end, it hears the signal of its [`Startup`], and the
//!   service is dropped. What then still goes on after `shutdownTimeLimit` is broken off.
//! * **How it fails.** A factory that errs, panics or takes too long is a failed start; a request whose handler
//!   errs or panics is answered with 500. Neither ends anything else. A program that is built with `panic = "abort"`
//!   gives that up.

mod exchange;
mod factory;
mod run;
mod unwind;

pub use self::factory::Startup;
pub(crate) use self::{factory::Factory, run::Run};
