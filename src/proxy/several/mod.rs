//! An app at several addresses, or behind a name: which of them gets a request, and which get none.
//!
//! Each request goes to the one of two random addresses that has fewer requests, so that what it costs does not grow
//! with their number, and the load is spread nearly as well as if all were looked at.
//!
//! An address gets no requests while it is *down*: from when a connection to it fails, or a health check does several
//! times, until a check has passed. It is tried again after half a second, then less and less often. A request that
//! finds it down in the middle goes to another one, as nothing of it was sent. Where none is up, requests get 503 at
//! once, and the addresses are tried on.
//!
//! A name is resolved again and again; all its addresses are used. Those that it loses finish what they have. Where it
//! can't be resolved, the addresses that it had stay.

mod builder;
mod choose;
mod group;
mod health;
mod layer;
mod look;
mod member;
mod members;
mod resolve;
mod status;

pub use self::{
    builder::BackendsBuilder,
    group::Backends,
    layer::{Balanced, BalancedLayer},
    status::BackendStatus,
};
pub use crate::config::{Destination, HealthCheck};
