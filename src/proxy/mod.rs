//! Forwards a request to the app's process and its answer back.

mod backend;

pub use self::backend::{Address, Backend, Forward, Lease, Owner};
