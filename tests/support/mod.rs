//! What the tests against real processes share: apps to host, the module in front of them, a client.

#![allow(
    dead_code,
    reason = "each test program takes what it needs of these helpers"
)]

pub(crate) mod alone;
pub(crate) mod apps;
pub(crate) mod client;
pub(crate) mod log;
pub(crate) mod module;
pub(crate) mod pki;
pub(crate) mod process;
