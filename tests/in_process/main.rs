//! A Rust service as the app of a host, in the host's own process.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

mod ends;
mod requests;
mod site;
mod starts;
