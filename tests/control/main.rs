//! Operating an app from outside: restarts without a lost request, by command and by file, and the
//! control socket itself.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "../support/mod.rs"]
mod support;

mod commands;
mod follow;
mod load;
mod reload;
mod site;
mod socket;
